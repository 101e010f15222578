"""One issuer before two regions: keys, tokens, sessions, clients, health, and exported definitions.

What stands before both is a domain that Route 53 leads to the first region while that is healthy, else to the
second (failover routing); here it is a proxy that is told where to lead.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import ECAlgorithm

from local.clients.company import Company
from local.clients.regions import Pair, Region
from local.clients.sign_on import CALLBACK, Application, Form, Visitor, told
from local.deploy import STACK
from local.engine_process import aws_environment, free_port
from local.serving import serving
from ops.auth_clients import Place
from ops.paths import ROOT
from tests.integration.auth.conftest import mailed
from tests.integration.auth_regions.conftest import at, somebody
from tests.support.node import running
from tests.support.waiting import wait_until


def place(region: Region) -> Place:
    return Place(region.name, region.suite.client, region.suite.outputs)


class Domain:
    """The domain that regions share.

    Attributes:
        address: The issuer.
        leads_to: The region that answers.
    """

    def __init__(self, leads_to: Region) -> None:
        self.leads_to, self.address = leads_to, ""

    def server(self) -> ThreadingHTTPServer:
        domain = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                answer = requests.request(
                    self.command, domain.leads_to.shop.url + self.path, headers=dict(self.headers),
                    data=self.rfile.read(length), allow_redirects=False, timeout=60,
                )  # fmt: skip
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_POST = do_GET  # noqa: N815 - the name is the base class's

            def log_message(self, *_: Any) -> None:
                pass

        return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def configured(region: Region, issuer: str) -> None:
    """Have a region's functions work for an issuer, as the stack's parameter AuthIssuer does."""
    functions = region.suite.client("lambda")
    for name in ("AuthApiFunction", "AuthOidcFunction"):
        [found] = [
            each["FunctionName"]
            for page in functions.get_paginator("list_functions").paginate()
            for each in page["Functions"]
            if each["FunctionName"].startswith(f"{STACK}-{name}-")
        ]
        variables = functions.get_function_configuration(FunctionName=found)["Environment"]["Variables"]
        assert "ISSUER" in variables, "the template gives it"
        functions.update_function_configuration(
            FunctionName=found, Environment={"Variables": variables | {"ISSUER": issuer}}
        )


def mirror(region: Region) -> list[str]:
    """Have a region copy the other one's public keys, as its schedule does every five minutes."""
    name = region.suite["AuthKeysFunctionName"]
    answer = region.suite.client("lambda").invoke(FunctionName=name, Payload=b'{"mirror": true}')
    told = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, told
    copied: list[str] = told["peer_keys"]
    return copied


@pytest.fixture(scope="module")
def domain(pair: Pair) -> Iterator[Domain]:
    """Both regions behind one domain, which leads to the first."""
    shared = Domain(pair.a)
    with serving(shared.server()) as address:
        shared.address = address
        for region in pair:
            mirror(region)
            configured(region, address)
        yield shared
        for region in pair:
            configured(region, "")


@pytest.fixture(autouse=True)
def leads_home(request: pytest.FixtureRequest, pair: Pair) -> Iterator[None]:
    """The domain leads to the first region before and after a test."""
    yield
    if "domain" in request.fixturenames:
        request.getfixturevalue("domain").leads_to = pair.a


def get(region: Region, path: str, **more: Any) -> requests.Response:
    answer: requests.Response = region.suite.http.get(f"{region.shop.url}{path}", **more)
    return answer


def application(pair: Pair, region: Region, **settings: Any) -> Application:
    """An application that is registered in both regions alike, and asks the token endpoint of one."""
    made = Application(region.suite, **settings)
    made.register(others=[place(pair.other(region))])
    made.url = region.shop.url
    return made


def visitor(domain: Domain, region: Region) -> Visitor:
    made = Visitor(region.suite)
    made.url = domain.address
    return made


# ---- keys and tokens


def test_both_regions_publish_the_keys_of_both(pair: Pair, domain: Domain) -> None:
    sets = [{key["kid"]: key for key in get(each, "/.well-known/jwks.json").json()["keys"]} for each in pair]
    assert sets[0] == sets[1]
    assert len(sets[0]) >= 4
    assert {member for key in sets[0].values() for member in key} <= {
        "kty", "crv", "x", "y", "n", "e", "kid", "alg", "use",
    }  # fmt: skip


def test_a_token_of_one_region_is_verified_by_the_domain_that_leads_to_the_other(
    pair: Pair, domain: Domain
) -> None:
    for region in pair:
        tokens = somebody(pair, region).tokens()
        domain.leads_to = pair.other(region)
        keys = jwt.PyJWKClient(f"{domain.address}/.well-known/jwks.json", cache_keys=False)
        key = keys.get_signing_key_from_jwt(tokens["access_token"])
        audience = f"{domain.address}/companies/shop"
        claims = jwt.decode(tokens["access_token"], key, ["ES256"], audience=audience, issuer=domain.address)
        assert claims["sub"] == tokens["user_id"]


def test_a_key_that_is_rotated_here_is_published_there_before_it_signs(pair: Pair, domain: Domain) -> None:
    name = pair.a.suite["AuthKeysFunctionName"]
    answer = pair.a.suite.client("lambda").invoke(FunctionName=name, Payload=b'{"rotate": "now"}')
    made = json.loads(answer["Payload"].read())["made"]
    assert len(made) == 2
    assert set(made) <= set(mirror(pair.b))
    configured(pair.b, domain.address)  # a container that has just started
    assert set(made) <= {key["kid"] for key in get(pair.b, "/.well-known/jwks.json").json()["keys"]}
    tokens = somebody(pair, pair.a).tokens()
    assert jwt.get_unverified_header(tokens["access_token"])["kid"] not in made, "in an hour"


def test_keys_of_a_region_that_is_out_are_still_published(pair: Pair, domain: Domain) -> None:
    before = {key["kid"] for key in get(pair.b, "/.well-known/jwks.json").json()["keys"]}
    with pair.out(pair.a, "ssm.*"):
        assert set(mirror(pair.b)) < before
        configured(pair.b, domain.address)  # a cold start
        assert {key["kid"] for key in get(pair.b, "/.well-known/jwks.json").json()["keys"]} == before


# ---- people


def test_people_sign_in_again_where_the_domain_leads_them(pair: Pair, domain: Domain) -> None:
    person, app = somebody(pair, pair.a), application(pair, pair.a)
    browser = visitor(domain, pair.a)
    document = browser.get("/.well-known/openid-configuration").json()
    assert document["issuer"] == domain.address
    assert document["token_endpoint"] == f"{pair.a.shop.url}/oauth2/token"
    back = told(browser.through(browser.open(app.request()), person.email, person.password)[-1])
    assert back["iss"] == domain.address
    tokens = app.exchange(back["code"]).json()
    read = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert (read["iss"], read["sub"]) == (domain.address, person.id)
    shown = {"Authorization": f"Bearer {tokens['access_token']}"}
    userinfo = document["userinfo_endpoint"]
    assert requests.get(userinfo, headers=shown, timeout=30).json()["sub"] == person.id

    domain.leads_to = pair.b
    assert (
        browser.get("/.well-known/openid-configuration").json()["token_endpoint"].startswith(pair.b.shop.url)
    )
    refused = requests.get(userinfo, headers=shown, timeout=30)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
    page = browser.open(app.request())
    assert Form(page).action.endswith("/oauth2/login"), "nobody is signed in there"
    back = told(browser.through(page, person.email, person.password)[-1])
    assert app.exchange(back["code"]).json()["error"] == "invalid_grant", "a code is its region's"
    app.url = pair.b.shop.url  # as the discovery document says now
    assert app.exchange(told(browser.open(app.request()))["code"]).status_code == 200


@pytest.mark.timeout(300)  # it may have to install
@pytest.mark.parametrize("regional", [True, False], ids=["token endpoint", "issuer"])
def test_openid_client_needs_the_token_endpoint_as_audience(
    pair: Pair, domain: Domain, *, regional: bool
) -> None:
    """Its own audience is the issuer, which would be good in both regions."""
    person, app, browser = somebody(pair, pair.a), application(pair, pair.a), visitor(domain, pair.a)
    assert isinstance(app.key, EllipticCurvePrivateKey)
    key = ECAlgorithm.to_jwk(app.key, as_dict=True)
    with running("openid_client.mjs") as ask:
        for region in pair:
            domain.leads_to = region  # and it reads the discovery document again
            found = ask({"job": "discover", "issuer": domain.address, "id": app.id, "key": key,
                         "signatures": True, "regional": regional})  # fmt: skip
            assert found == {"issuer": domain.address}
            url = ask({"job": "begin", "redirect_uri": CALLBACK, "scope": "openid"})["url"]
            page = browser.http.get(url, allow_redirects=False)
            back = browser.through(page, person.email, person.password)[-1].headers["Location"]
            done = ask({"job": "finish", "url": back})
            if regional:
                assert done["claims"]["sub"] == person.id, done
            else:
                assert done == {"problem": "OAUTH_WWW_AUTHENTICATE_CHALLENGE"}, "401 invalid_client"


def test_refresh_tokens_are_of_their_region(pair: Pair, domain: Domain) -> None:
    person = somebody(pair, pair.a)
    tokens = person.tokens()
    for region, expected in ((pair.b, 401), (pair.a, 200)):
        answer = region.shop.post("/v1/token/refresh", refresh_token=tokens["refresh_token"])
        assert answer.status_code == expected, answer.text
        assert expected == 200 or answer.json()["code"] == "invalid_grant"
    assert pair.b.shop.post("/v1/introspect", token=tokens["access_token"]).json() == {"active": False}
    assert at(pair.b, person).tokens()["user_id"] == person.id


# ---- what is for one region


def test_the_same_assertion_is_refused_in_the_other_region(pair: Pair, domain: Domain) -> None:
    app = application(pair, pair.a)
    assertion = app.assertion()
    refused = []
    for region in (pair.b, pair.a):
        app.url = region.shop.url
        refused.append(app.refresh("none", client_assertion=assertion).json()["error"])
    assert refused == ["invalid_client", "invalid_grant"], "in its own region the assertion is taken"
    for audience in (domain.address, f"{domain.address}/oauth2/token"):
        answer = app.refresh("none", client_assertion=app.assertion(aud=audience))
        assert answer.json()["error"] == "invalid_client", "it would be good in both"


def test_the_same_request_is_refused_in_the_other_region(pair: Pair) -> None:
    person = somebody(pair, pair.a)
    both = Company(pair.a.suite, "both", others=[place(pair.b)])
    payload = {"email": person.email, "password": person.password}
    token = both.sign(both.claims("POST", "/v1/login", payload))
    assert both.send("POST", "/v1/login", token, base=pair.b.shop.url).status_code == 401
    assert both.send("POST", "/v1/login", token).status_code == 200


# ---- clients


def command(region: Region, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command that `make clients` runs, with a region's settings."""
    sources = [ROOT, ROOT / "layers/shared", ROOT / "functions/auth"]
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **aws_environment(region.suite.engine.endpoint, region.name),
        "PYTHONPATH": os.pathsep.join(map(str, sources)),
    }
    arguments = [sys.executable, "-m", "ops.auth_clients", "--stack", STACK, *words]
    return subprocess.run(
        arguments, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_clients_are_registered_in_both_regions_by_one_command(pair: Pair, tmp_path: Path) -> None:
    company = Company(pair.a.suite, "forerunner")  # for its key alone
    pem = company.key.public_key()
    file = tmp_path / f"{company.kid}.pem"
    file.write_bytes(pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    add = (
        "add",
        "corner",
        "--company",
        "corner",
        "--title",
        "Corner",
        "--key",
        str(file),
        "--scopes",
        "accounts",
    )
    done = command(pair.a, *add)
    assert done.returncode == 0, done.stderr
    assert f"in {pair.a.name} and {pair.b.name} alike" in done.stdout
    [company.api_key] = re.findall(r"API key: (\S+)", done.stdout)
    company.name = "corner"
    person = somebody(pair, pair.a)
    for region in pair:
        company.url = region.shop.url
        answer = company.post("/v1/login", email=person.email, password=person.password)
        assert answer.status_code == 200, (region.name, answer.text)

    with pair.out(pair.b, "dynamodb.PutItem"):
        done = command(pair.a, "remove-key", "corner", company.kid)
        assert (done.returncode, f"not in {pair.b.name}" in done.stderr) == (1, True), done
    assert "corner: not the same keys" in command(pair.b, "check").stderr
    assert command(pair.a, "remove-key", "corner", company.kid).returncode == 0
    assert "corner" not in command(pair.a, "check").stderr
    assert command(pair.a, "remove", "corner").returncode == 0
    for region in pair:
        company.url = region.shop.url
        answer = company.post("/v1/login", email=person.email, password=person.password)
        assert answer.status_code in (401, 403), (region.name, answer.text)


# ---- a company's server that fails over


@pytest.fixture(scope="module")
def server(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Company]]:
    """The address of docs/examples/company.py, with both regions' addresses, and its company."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    links = {name: f"{address}/{name}?token={{token}}" for name in ("verify", "reset")}
    company = Company(pair.a.suite, "two-regions", links=links, others=[place(pair.b)])
    key: Path = tmp_path_factory.mktemp("company") / "private.pem"
    key.write_bytes(company.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    environment = os.environ | {
        "AUTH_API": " ".join(region.shop.url for region in pair), "AUTH_API_KEY": company.api_key,
        "AUTH_CLIENT": company.name, "AUTH_KEY": str(key), "AUTH_KID": company.kid,
    }  # fmt: skip
    command = [sys.executable, str(ROOT / "docs/examples/company.py"), str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline().strip() == f"{address}/"
            yield address, company
        finally:
            process.terminate()


def test_the_example_goes_on_with_the_other_region(pair: Pair, server: tuple[str, Company]) -> None:
    address, _ = server
    person, browser = somebody(pair, pair.a), requests.Session()
    form = {"email": person.email, "password": person.password}
    assert person.email in browser.post(f"{address}/login", data=form).text
    with pair.out(pair.a, "kms.*"):
        wait_until(lambda: get(pair.a, "/v1/health").status_code == 503, what="an unhealthy region")
        moved = requests.Session()
        assert person.email in moved.post(f"{address}/login", data=form).text, "the other region let them in"
        email = f"new.{time.time_ns()}@example.org"
        signed_up = moved.post(f"{address}/signup", data={"email": email, "password": person.password})
        assert "We sent you a mail" in signed_up.text
        token = mailed(pair.b.suite, email, "verify")
        confirmed = moved.post(f"{address}/verify", data={"token": token, "password": person.password})
        assert "Your address is confirmed" in confirmed.text
        # Its tokens need no KMS, and the profile is read in the other region.
        assert person.email in browser.get(f"{address}/").text, "who was logged in stays so"
    with pair.out(pair.a, "dynamodb.*"):
        assert browser.get(f"{address}/").status_code == 503, "a session is of its region"
    assert person.email in browser.get(f"{address}/").text, "and goes on with it"


# ---- what regions tell of themselves


def test_health_is_of_a_region_and_not_of_its_peer(pair: Pair) -> None:
    for each in pair:  # a container remembers for ten seconds that a key did not answer
        wait_until(lambda: get(each, "/v1/health").status_code == 200, what="a healthy region")  # noqa: B023
    with pair.out(pair.b, "(dynamodb|kms|ssm|sqs)[.].*"):
        for _ in range(3):
            answer = get(pair.a, "/v1/health")
            assert (answer.status_code, answer.json()) == (200, {"status": "ok", "region": pair.a.name})
    with pair.out(pair.b, "kms.Decrypt"):
        # Each container remembers for ten seconds that it was well. A response that refuses is false.
        headers = wait_until(
            lambda: one.headers if (one := get(pair.b, "/v1/health")).status_code == 503 else None, what="503"
        )
        assert headers is not None
        assert int(headers["Retry-After"]) > 0
        assert get(pair.a, "/v1/health").status_code == 200
    wait_until(lambda: get(pair.b, "/v1/health").status_code == 200, what="a healthy region")


@pytest.mark.parametrize("kind", ["oas30", "swagger"])
def test_both_regions_export_the_same_definition(pair: Pair, kind: str) -> None:
    """GetExport, by which an API is copied to another region; its addresses, ids and regions differ.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-export-api.html
    """
    definitions = []
    for region in pair:
        api = re.findall(r"restapis/([^/]+)/|https://([^.]+)\.", region.shop.url)[0][0]
        exported = region.suite.client("apigateway").get_export(
            restApiId=api, stageName="live", exportType=kind, accepts="application/json",
            parameters={"extensions": "integrations"},
        )["body"].read().decode()  # fmt: skip
        functions = re.findall(rf"function:({STACK}-[A-Za-z0-9-]+)/invocations", exported)
        assert functions
        for name in set(functions):
            exported = exported.replace(name, name.rpartition("-")[0])  # CloudFormation's end of a name
        # "By default, API Gateway uses the resource ID as the cacheNamespace" (API reference, Integration).
        exported = re.sub(r'"cacheNamespace": *"[^"]+"', '"cacheNamespace": ""', exported)
        definition = json.loads(exported.replace(region.name, "REGION").replace(api, "API"))
        definition.pop("info", None)
        definitions.append(definition)
    assert definitions[0] == definitions[1]
    assert len(definitions[0]["paths"]) > 20
