"""What the endpoints of single sign-on owe to RFC 6749, 7009 and 9110, and what clients may ask for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from local.clients.company import Company
from local.clients.sign_on import CALLBACK, Application, Visitor, told
from local.suite import Suite
from ops.auth_clients import register
from tests.integration.auth.conftest import Person, fresh_email, fresh_password, joined

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
    register(
        suite.client, suite.outputs, application.id, company="shop", title=application.title,
        redirect_uris=[CALLBACK],
    )  # fmt: skip
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
