"""docs/examples/company.py before two regions in memory: what it sends where, and what it signs for each."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from auth import api
from local.memory_auth import World
from ops.paths import ROOT
from ops.public_keys import public_jwk

HERE, THERE = "https://here.example/live", "https://there.example/live"
EMAIL, PASSWORD = "ada@example.org", "correct horse battery staple"

type Fault = Callable[[Callable[[], requests.Response]], requests.Response]


def answers(ask: Callable[[], requests.Response]) -> requests.Response:
    return ask()


def refuses(_: Callable[[], requests.Response]) -> requests.Response:
    raise requests.ConnectTimeout("no connection")


def loses_the_answer(ask: Callable[[], requests.Response]) -> requests.Response:
    ask()
    raise requests.ReadTimeout("no answer")


def is_busy(_: Callable[[], requests.Response]) -> requests.Response:
    answer = requests.Response()
    answer.status_code = 503
    answer._content = b'{"code": "busy", "message": "Later.", "request_id": "-"}'
    return answer


FAULTS = {"no connection": refuses, "a lost answer": loses_the_answer, "503": is_busy}


class Internet:
    """Two regions' APIs as `requests` reaches them, each with the whole function of companies behind it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, jwk: dict[str, str]) -> None:
        self.worlds = {
            HERE: World(time.time(), region="eu-west-1", api=HERE),
            THERE: World(time.time(), region="us-east-1", api=THERE),
        }
        for world in self.worlds.values():
            world.register("shop", keys=[jwk], scopes=["accounts", "users:read"])
        self.faults: dict[str, Fault] = {}
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self._patch = monkeypatch.setattr
        self._patch(requests, "request", self.request)

    def request(self, method: str, url: str, *, headers: dict[str, str], **sent: Any) -> requests.Response:
        base = next(each for each in self.worlds if url.startswith(each))
        token = sent["json"]["request"] if "json" in sent else headers["Client-Assertion"]
        self.sent.append((base, jwt.decode(token, options={"verify_signature": False})))
        connect, read = sent["timeout"]
        assert 0 < connect < read <= 29, "API Gateway waits for 29 s at most"
        fault = self.faults.get(base, answers)
        return fault(lambda: self._ask(base, method, url, headers, sent))

    def _ask(self, base: str, method: str, url: str, headers: dict[str, str], sent: Any) -> requests.Response:
        world, path = self.worlds[base], url.removeprefix(base)
        self._patch(api, "get_services", lambda: world.services)
        user = path.removeprefix("/v1/users/") if path.startswith("/v1/users/") else ""
        event = {
            "httpMethod": method, "path": path, "resource": "/v1/users/{id}" if user else path,
            "pathParameters": {"id": user} if user else None,
            "headers": headers | ({"Content-Type": "application/json"} if "json" in sent else {}),
            "body": json.dumps(sent["json"]) if "json" in sent else None,
            "requestContext": {"identity": {"apiKeyId": "shop"}},
        }  # fmt: skip
        told: Any = api.handler(event, None)  # type: ignore[arg-type]
        answer = requests.Response()
        answer.status_code, answer.url = told["statusCode"], url
        answer._content = told["body"].encode()
        answer.headers.update(told["headers"])
        return answer

    def mailed(self, base: str) -> str:
        """The token of the newest mail of a region."""
        self.worlds[base].deliver()
        return self.worlds[base].mails[-1].token


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The company's private key."""
    file = tmp_path / "private.pem"
    made = ec.generate_private_key(ec.SECP256R1())
    file.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file


@pytest.fixture
def internet(key: Path, monkeypatch: pytest.MonkeyPatch, cheap_hashes: None) -> Internet:
    """Both regions."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    public = load_pem_private_key(key.read_bytes(), None).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Internet(monkeypatch, public_jwk(pem, "k1"))


@pytest.fixture
def company(internet: Internet, key: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The example's module, as a company with both addresses runs it."""
    environment = {
        "AUTH_API": f"{HERE} {THERE}",
        "AUTH_API_KEY": "the key",
        "AUTH_KEY": str(key),
        "AUTH_KID": "k1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    spec = importlib.util.spec_from_file_location("company_example", ROOT / "docs/examples/company.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def joined(company: Any, internet: Internet, base: str = HERE) -> None:
    """Sign up at a region, and confirm."""
    answer = company.call("POST", "/v1/signup", [base], email=EMAIL, password=PASSWORD)
    assert answer.status_code == 202
    token = internet.mailed(base)
    answer = company.call("POST", "/v1/verify", mailed=True, token=token, password=PASSWORD)
    assert answer.status_code == 200


def log_in(company: Any) -> requests.Response:
    answer: requests.Response = company.call("POST", "/v1/login", email=EMAIL, password=PASSWORD)
    return answer


def test_while_all_is_well_the_first_region_alone_is_asked(company: Any, internet: Internet) -> None:
    joined(company, internet)
    assert log_in(company).status_code == 200
    assert {base for base, _ in internet.sent} == {HERE}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_region_that_is_out_is_replaced_by_the_other(company: Any, internet: Internet, fault: str) -> None:
    joined(company, internet, THERE)
    internet.faults[HERE] = FAULTS[fault]
    internet.sent.clear()
    answer = log_in(company)
    assert (answer.status_code, answer.url) == (200, f"{THERE}/v1/login")
    [(first, refused), (second, taken)] = internet.sent
    assert (first, second) == (HERE, THERE)
    assert (refused.pop("aud"), taken.pop("aud")) == (HERE, THERE), "signed anew for the other region"
    assert refused.pop("jti") != taken.pop("jti")
    assert {**refused, "iat": 0, "exp": 0} == {**taken, "iat": 0, "exp": 0}, "and else the same"


def test_a_region_that_was_out_is_asked_last_for_a_while(
    company: Any, internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(company.time, "monotonic", lambda: clock[0])
    joined(company, internet)
    joined(company, internet, THERE)
    internet.faults[HERE] = refuses
    log_in(company)
    internet.sent.clear()
    log_in(company)
    assert [base for base, _ in internet.sent] == [THERE], "nobody waits for it"
    clock[0] += 31
    internet.faults.clear()
    internet.sent.clear()
    log_in(company)
    assert [base for base, _ in internet.sent] == [HERE]


def test_both_regions_out_is_an_outage(company: Any, internet: Internet) -> None:
    internet.faults = {HERE: refuses, THERE: is_busy}
    with pytest.raises(requests.RequestException):
        log_in(company)


@pytest.mark.parametrize("base", [HERE, THERE])
def test_a_mails_token_is_redeemed_in_the_region_that_sent_it(
    company: Any, internet: Internet, base: str
) -> None:
    joined(company, internet, base)
    assert company.call("POST", "/v1/login", [base], email=EMAIL, password=PASSWORD).status_code == 200


@pytest.mark.parametrize("fault", FAULTS)
def test_a_link_of_a_region_that_is_out_is_not_called_wrong(
    company: Any, internet: Internet, fault: str
) -> None:
    """The other region does not know the token; the link may be right all the same."""
    company.call("POST", "/v1/signup", [HERE], email=EMAIL, password=PASSWORD)
    token = internet.mailed(HERE)
    internet.faults[HERE] = FAULTS[fault]
    with pytest.raises(requests.RequestException):
        company.call("POST", "/v1/verify", mailed=True, token=token, password=PASSWORD)
    internet.faults.clear()
    answer = company.call("POST", "/v1/verify", mailed=True, token="none", password=PASSWORD)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_token"), (
        "now it is known to be wrong"
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_a_refresh_goes_to_no_other_region(company: Any, internet: Internet, fault: str) -> None:
    """The other region would say `invalid_grant`, and the company's server would end the session."""
    joined(company, internet)
    tokens = log_in(company).json()
    internet.faults[HERE] = FAULTS[fault]
    internet.sent.clear()
    with pytest.raises(requests.RequestException):
        company.call("POST", "/v1/token/refresh", [HERE], refresh_token=tokens["refresh_token"])
    assert {base for base, _ in internet.sent} == {HERE}
    internet.faults.clear()
    again = company.call("POST", "/v1/token/refresh", [HERE], refresh_token=tokens["refresh_token"])
    assert again.status_code == 200, "the answer that was lost can be had again"


@pytest.mark.parametrize("aud", [HERE, THERE])
def test_what_is_signed_for_one_region_is_refused_in_the_other(
    company: Any, internet: Internet, aud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same request, sent to both."""
    joined(company, internet)
    joined(company, internet, THERE)
    login = {"email": EMAIL, "password": PASSWORD}
    now = int(time.time())
    signed = company.jwt.encode(
        {"iss": "shop", "aud": aud, "iat": now, "exp": now + 60, "jti": "0123456789"}
        | {"htm": "POST", "htu": "/v1/login", **login},
        company.KEY, "ES256", {"typ": "client-request+jwt", "kid": "k1"},
    )  # fmt: skip
    monkeypatch.setattr(company.jwt, "encode", lambda *_: signed)
    other = THERE if aud == HERE else HERE
    assert company.send(aud, "POST", "/v1/login", login).status_code == 200
    answer = company.send(other, "POST", "/v1/login", login)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_client")
