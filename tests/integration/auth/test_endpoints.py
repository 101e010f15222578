"""What the endpoints of single sign-on owe to RFC 6749, 7009, 8707, 9110, and what clients may."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import pytest
import requests

from local.clients.company import Company
from local.clients.sign_on import Application, Visitor, told
from local.suite import Suite
from ops.auth_clients import remove
from tests.integration.auth.conftest import Person, fresh_email, fresh_password, joined
from tests.support.waiting import wait_until

NOTICED_S = 45  # functions notice what is registered within half a minute
ORIGIN = {"Origin": "https://app.example"}


@pytest.fixture(scope="module")
def somebody(shop: Company) -> Person:
    return joined(Person(shop, fresh_email(), fresh_password()))


@pytest.fixture(scope="module")
def server(suite: Suite) -> Application:
    return Application(suite, "Web shop")


@pytest.fixture(scope="module")
def visitor(suite: Suite, server: Application, somebody: Person) -> Visitor:
    """Somebody who is signed in."""
    browser = Visitor(suite)
    told(browser.sign_in(server, somebody.email, somebody.password))
    return browser


@pytest.fixture(scope="module")
def page(suite: Suite, visitor: Visitor) -> Application:
    """An application without a server, to which somebody has consented."""
    made = Application(suite, "A page", public=True)
    told(visitor.submit(visitor.open(made.request(scope="openid email offline_access")), decision="allow"))
    return made


def tokens(visitor: Visitor, application: Application, scope: str = "openid") -> dict[str, str]:
    code = told(visitor.open(application.request(scope=scope)))["code"]
    exchanged = application.exchange(code)
    assert exchanged.status_code == 200, exchanged.text
    made: dict[str, str] = exchanged.json()
    return made


# ---- what may be asked for


@pytest.mark.parametrize("scope", ["openid email", "openid phone profile", "openid offline_access"])
def test_application_asks_for_what_it_is_registered_for_and_no_more(
    suite: Suite, visitor: Visitor, scope: str
) -> None:
    application = Application(suite, public=True)
    application.register(sign_on_scopes=())
    answer = told(visitor.open(application.request(scope=scope)))
    assert answer["error"] == "invalid_scope"
    assert scope.split()[1] in answer["error_description"]
    assert "Allow" in visitor.open(application.request(scope="openid unheard-of")).text


def test_who_cannot_prove_what_they_are_ask_for_consent(suite: Suite, visitor: Visitor) -> None:
    """A record of before could say trusted without a key; the command refuses to make one."""
    application = Application(suite, public=True)
    table = {
        "TableName": suite["AuthUsersTableName"],
        "Key": {"pk": {"S": f"C#{application.id}"}, "sk": {"S": "."}},
    }
    dynamodb = suite.client("dynamodb")
    record = dynamodb.get_item(**table)["Item"]["client"]["S"]
    trusted = record.replace('"trusted":false', '"trusted":true')
    assert trusted != record
    dynamodb.update_item(
        **table,
        UpdateExpression="SET client = :client",
        ExpressionAttributeValues={":client": {"S": trusted}},
    )
    shown = visitor.open(application.request(scope="openid profile email"))
    assert shown.status_code == 200
    assert "asks to" in shown.text
    declined = told(visitor.open(application.request(scope="openid email", prompt="none")))
    assert declined["error"] == "consent_required"


# ---- whom access tokens are for (RFC 8707)


def unverified(token: str) -> dict[str, Any]:
    """Return the claims of a token."""
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))
    return claims


API, OTHER = "https://api.shop.example", "https://stock.shop.example/v2"


@pytest.fixture(scope="module")
def multi(suite: Suite) -> Application:
    """An application that is registered for two APIs."""
    return Application(suite, "Stock keeper", resources=(API, OTHER))


def test_access_token_is_for_the_company_by_default(
    visitor: Visitor, server: Application, somebody: Person
) -> None:
    made = tokens(visitor, server)
    assert unverified(made["access_token"])["aud"] == f"{server.url}/companies/shop"
    assert unverified(made["id_token"])["aud"] == server.id
    company = unverified(somebody.tokens()["access_token"])
    assert company["aud"] == f"{server.url}/companies/shop"


@pytest.mark.parametrize(
    ("asked", "then", "audience"),
    [(None, None, API), (OTHER, None, OTHER), (OTHER, OTHER, OTHER), (None, OTHER, OTHER), (API, API, API)],
)
def test_access_token_is_for_the_resource_that_was_asked_for(
    visitor: Visitor, multi: Application, asked: str | None, then: str | None, audience: str
) -> None:
    code = told(visitor.open(multi.request(scope="openid offline_access", resource=asked)))["code"]
    made = multi.exchange(code, resource=then)
    assert made.status_code == 200, made.text
    assert unverified(made.json()["access_token"])["aud"] == audience
    assert multi.userinfo(made.json()["access_token"]).status_code == 200
    again = multi.refresh(made.json()["refresh_token"]).json()
    assert unverified(again["access_token"])["aud"] == audience
    same = multi.refresh(again["refresh_token"], resource=audience).json()
    other = multi.refresh(same["refresh_token"], resource=API if audience == OTHER else OTHER)
    assert (other.status_code, other.json()["error"]) == (400, "invalid_target")


@pytest.mark.parametrize(
    "resource", ["https://bank.example", f"{API}/", "shop", "https://api.shop.example#x"]
)
def test_resource_that_is_not_the_applications_is_declined(
    visitor: Visitor, multi: Application, resource: str
) -> None:
    assert told(visitor.open(multi.request(resource=resource)))["error"] == "invalid_target"
    code = told(visitor.open(multi.request()))["code"]
    refused = multi.exchange(code, resource=resource)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_target")
    granted = told(visitor.open(multi.request(resource=OTHER)))["code"]
    assert multi.exchange(granted, resource=API).json()["error"] == "invalid_target"
    assert multi.exchange(granted, resource=OTHER).status_code == 200, "the code stayed good"


def test_tokens_end_where_the_application_loses_the_resource(
    suite: Suite, shop: Company, visitor: Visitor
) -> None:
    application = Application(suite, resources=(API, OTHER))
    code = told(visitor.open(application.request(scope="openid offline_access", resource=OTHER)))["code"]
    made = application.exchange(code).json()
    assert shop.post("/v1/introspect", token=made["access_token"]).json()["aud"] == OTHER
    application.register(resources=(API,))
    wait_until(
        lambda: application.userinfo(made["access_token"]).status_code == 401,
        what="the change",
        seconds=NOTICED_S,
    )
    assert application.refresh(made["refresh_token"]).json()["error"] == "invalid_grant"
    wait_until(
        lambda: not shop.post("/v1/introspect", token=made["access_token"]).json()["active"],
        what="the change",
    )


# ---- registrations


def test_a_client_that_is_registered_anew_inherits_nothing(
    suite: Suite, shop: Company, visitor: Visitor
) -> None:
    application = Application(suite, "A game", trusted=False)
    request = application.request(scope="openid offline_access")
    made = application.exchange(told(visitor.submit(visitor.open(request), decision="allow"))["code"]).json()
    code = told(visitor.open(request))["code"]
    application.register(trusted=False)
    assert application.userinfo(made["access_token"]).status_code == 200, (
        "registered over again, it is the same"
    )
    remove(suite.client, suite.outputs, application.id)
    wait_until(
        lambda: application.userinfo(made["access_token"]).status_code == 401,
        what="the removal",
        seconds=NOTICED_S,
    )
    application.register(trusted=False)
    wait_until(
        lambda: application.exchange("x").json()["error"] == "invalid_grant",
        what="the registration",
        seconds=NOTICED_S,
    )
    assert application.exchange(code).json()["error"] == "invalid_grant"
    assert application.refresh(made["refresh_token"]).json()["error"] == "invalid_grant"
    assert application.userinfo(made["access_token"]).status_code == 401
    assert shop.post("/v1/introspect", token=made["refresh_token"]).json() == {"active": False}
    assert told(visitor.open(request | {"prompt": "none"}))["error"] == "consent_required"
    assert "Allow" in visitor.open(request).text


def test_a_company_that_is_registered_anew_ends_its_sessions(suite: Suite, somebody: Person) -> None:
    company = Company(suite, "short-lived")
    person = joined(Person(company, fresh_email(), fresh_password()))
    before = person.tokens()
    remove(suite.client, suite.outputs, company.name)
    again = Company(suite, company.name)

    def refused() -> bool:
        answer = again.post("/v1/token/refresh", refresh_token=before["refresh_token"])
        return bool(answer.json()["code"] == "invalid_grant")

    wait_until(refused, what="the registration", seconds=NOTICED_S, every=0.5)
    assert again.post("/v1/mfa/totp", access_token=before["access_token"], action="enrol").status_code == 401
    assert again.post("/v1/introspect", token=before["access_token"]).json() == {"active": False}


# ---- refresh


def test_refresh_for_fewer_scopes_gives_fewer_and_the_next_one_all(
    visitor: Visitor, server: Application
) -> None:
    """RFC 6749, 6: the scope of the refresh token stays what it was."""
    first = tokens(visitor, server, "openid email offline_access")
    fewer = server.refresh(first["refresh_token"], scope="email openid").json()
    assert fewer["scope"] == "openid email"
    assert set(server.userinfo(fewer["access_token"]).json()) == {"sub", "email", "email_verified"}
    least = server.refresh(fewer["refresh_token"], scope="email").json()
    assert least["scope"] == "email"
    assert "id_token" not in least
    assert server.userinfo(least["access_token"]).status_code == 403
    assert server.refresh(least["refresh_token"]).json()["scope"] == "openid email offline_access"
    more = server.refresh(
        server.refresh(least["refresh_token"]).json()["refresh_token"], scope="openid phone"
    )
    assert (more.status_code, more.json()["error"]) == (400, "invalid_scope")


# ---- revocation


def revoke(application: Application, **form: str) -> requests.Response:
    """Ask the revocation endpoint, which authenticates clients as the token endpoint does."""
    fields = {"client_id": application.id} | form
    if not application.public:
        fields["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        fields["client_assertion"] = application.assertion()
    return application.suite.http.post(f"{application.url}/oauth2/revoke", data=fields)


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("client", ["server", "page"])
def test_revocation_ends_the_session_of_a_token(
    request: pytest.FixtureRequest, visitor: Visitor, client: str, kind: str
) -> None:
    application: Application = request.getfixturevalue(client)
    made = tokens(visitor, application, "openid offline_access")
    revoked = revoke(application, token=made[kind], token_type_hint="refresh_token")
    assert revoked.status_code == 200, revoked.text
    assert application.userinfo(made["access_token"]).status_code == 401
    assert application.refresh(made["refresh_token"]).json()["error"] == "invalid_grant"
    assert revoke(application, token=made[kind]).status_code == 200, "again"


def test_revocation_of_what_is_no_token_is_no_error(page: Application) -> None:
    """RFC 7009, 2.2: "invalid tokens do not cause an error response"."""
    for token in ("", "x", "a.b.c", "é", "x" * 5000):
        assert revoke(page, token=token).status_code == 200


def test_another_clients_token_is_not_revoked(
    visitor: Visitor, server: Application, page: Application
) -> None:
    """RFC 7009, 2.1: "If this validation fails, the request is refused"."""
    made = tokens(visitor, server, "openid offline_access")
    for kind in ("access_token", "refresh_token"):
        refused = revoke(page, token=made[kind])
        assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")
    assert server.userinfo(made["access_token"]).status_code == 200


def test_revocation_wants_a_client_and_a_token(suite: Suite, page: Application, server: Application) -> None:
    address = f"{page.url}/oauth2/revoke"
    unknown = suite.http.post(address, data={"client_id": "nobody", "token": "x"})
    unsigned = suite.http.post(address, data={"client_id": server.id, "token": "x"})
    for refused in (unknown, unsigned):
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert revoke(page).json()["error"] == "invalid_request"


# ---- HTTP


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/oauth2/token", {"POST"}),
        ("/oauth2/revoke", {"POST"}),
        ("/oauth2/userinfo", {"GET", "HEAD", "POST"}),
        ("/.well-known/openid-configuration", {"GET", "HEAD"}),
        ("/.well-known/jwks.json", {"GET", "HEAD"}),
    ],
)
def test_scripts_are_told_before_they_ask_that_they_may(
    suite: Suite, page: Application, path: str, methods: set[str]
) -> None:
    asked = ORIGIN | {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    answer = suite.http.options(page.url + path, headers=asked)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert set(answer.headers["Access-Control-Allow-Methods"].split(", ")) == methods
    assert answer.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type"


def test_pages_have_no_preflight(suite: Suite, page: Application) -> None:
    for path in ("/oauth2/authorize", "/oauth2/login", "/oauth2/logout"):
        answer = suite.http.options(page.url + path, headers=ORIGIN)
        assert answer.status_code == 404
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/.well-known/openid-configuration", "/.well-known/jwks.json", "/v1/health", "/oauth2/userinfo"]
)
def test_head_answers_as_get_without_a_body(
    suite: Suite, visitor: Visitor, server: Application, path: str
) -> None:
    """RFC 9110, 9.3.2."""
    headers = {"Authorization": f"Bearer {tokens(visitor, server)['access_token']}"}
    got, head = (ask(server.url + path, headers=headers) for ask in (suite.http.get, suite.http.head))
    assert (got.status_code, head.status_code, head.content) == (200, 200, b"")
    for name in ("Content-Type", "Cache-Control"):
        assert head.headers[name] == got.headers[name]


def test_head_makes_no_codes_and_signs_nobody_out(visitor: Visitor, server: Application) -> None:
    """RFC 9110, 9.2.1: HEAD is safe, and GET of these is not."""
    for path, parameters in (("/oauth2/authorize", server.request()), ("/oauth2/logout", {})):
        answer = visitor.http.head(server.url + path, params=parameters, allow_redirects=False)
        assert answer.status_code == 404
    assert "code" in told(visitor.open(server.request(prompt="none")))


REFUSALS: dict[str, tuple[Callable[[Company, Application], requests.Response], str]] = {
    "no token": (lambda _, app: app.suite.http.get(f"{app.url}/oauth2/userinfo"), "Bearer"),
    "a bad token": (lambda _, app: app.userinfo("a.b.c"), 'Bearer error="invalid_token"'),
    "no client": (lambda _, app: app.token(client_id=None, grant_type="refresh_token"), "private_key_jwt"),
    "a secret": (lambda _, app: app.token(client_secret="secret"), "private_key_jwt"),
    "revocation by nobody": (
        lambda _, app: app.suite.http.post(f"{app.url}/oauth2/revoke", data={"token": "x"}),
        "private_key_jwt",
    ),
    "a signed request": (lambda shop, _: shop.send("POST", "/v1/login", "a.b.c"), "client-request+jwt"),
    "a wrong password": (
        lambda shop, _: shop.post("/v1/login", email=fresh_email(), password="x"),
        "client-request+jwt",
    ),
    "no API key": (
        lambda shop, _: shop.suite.http.post(f"{shop.url}/v1/login", json={"request": "a.b.c"}),
        "client-request+jwt",
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_each_401_has_a_challenge_and_the_id_of_the_request(
    shop: Company, page: Application, refusal: str
) -> None:
    """RFC 9110, 15.5.2: "MUST send a WWW-Authenticate header field ... containing at least one challenge"."""
    ask, challenge = REFUSALS[refusal]
    answer = ask(shop, page)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, challenge)
    name = answer.headers.get("X-Request-Id") or answer.headers["x-amzn-RequestId"]
    assert answer.json()["request_id"] == name


def test_who_comes_with_basic_is_challenged_by_basic(suite: Suite, page: Application) -> None:
    """RFC 6749, 5.2: the challenge matches "the authentication scheme used by the client"."""
    answer = suite.http.post(f"{page.url}/oauth2/token", data={"grant_type": "x"}, auth=(page.id, "secret"))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"] == f'Basic realm="{page.url}"'


def test_pages_that_say_what_is_wrong_name_the_request(visitor: Visitor, page: Application) -> None:
    answer = visitor.open(page.request(client_id="nobody"))
    assert answer.status_code == 400
    assert answer.headers["X-Request-Id"] in answer.text
