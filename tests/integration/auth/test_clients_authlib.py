"""Authlib as an application: its Flask integration as its documentation registers it, with its defaults.

What its documentation calls are https://docs.authlib.org/en/stable/oauth2/client/web/flask.html and
https://docs.authlib.org/en/stable/oauth2/specs/rfc7523.html. PKCE is the one option beside what says who the
application is: Authlib has it off, and here it is required.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from authlib.integrations.flask_client import OAuth, token_update
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask, jsonify, session, url_for
from flask.testing import FlaskClient
from werkzeug.wrappers import Response

from local.clients.sign_on import Application, Visitor
from local.suite import Suite
from tests.integration.auth.conftest import Person

ORIGIN = "http://localhost"  # of Flask's test client
SCOPE = "openid profile email offline_access"


@pytest.fixture(scope="module", params=["public", "private_key_jwt"])
def registered(suite: Suite, request: pytest.FixtureRequest) -> Application:
    return Application(
        suite,
        "Authlib",
        public=request.param == "public",
        trusted=False,
        redirect_uris=(f"{ORIGIN}/authorize",),
        logout_uris=(f"{ORIGIN}/logged-out",),
        key=rsa.generate_private_key(65537, 2048),
    )


def settings(registered: Application) -> dict[str, Any]:
    """What Authlib is told: who the application is, and its private key if it has one."""
    if registered.public:
        return {"client_id": registered.id}
    pem = registered.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {"client_id": registered.id, "client_secret": pem}


def flask_application(registered: Application) -> Flask:
    """The application of Authlib's documentation."""
    app = Flask(__name__)
    app.testing, app.secret_key = True, "a key of this test"
    tokens: dict[str, Any] = app.extensions.setdefault("tokens", {})
    oauth = OAuth(app, fetch_token=tokens.get)
    method = {} if registered.public else {"token_endpoint_auth_method": "private_key_jwt"}
    oauth.register(
        "suite",
        server_metadata_url=f"{registered.url}/.well-known/openid-configuration",
        client_kwargs={"scope": SCOPE, "code_challenge_method": "S256"} | method,
        client_auth_methods=None if registered.public else [PrivateKeyJWT()],
        **settings(registered),
    )

    @app.route("/login")
    def login() -> Response:
        answer: Response = oauth.suite.authorize_redirect(url_for("authorize", _external=True))
        return answer

    @app.route("/authorize")
    def authorize() -> Response:
        tokens["suite"] = token = oauth.suite.authorize_access_token()
        session["id_token"] = token["id_token"]
        return jsonify(token["userinfo"])

    @app.route("/profile")
    def profile() -> Response:
        return jsonify(oauth.suite.userinfo())

    @app.route("/logout")
    def logout() -> Response:
        back = url_for("logged_out", _external=True)
        answer: Response = oauth.suite.logout_redirect(back, id_token_hint=session.pop("id_token"))
        return answer

    @app.route("/logged-out")
    def logged_out() -> str:
        oauth.suite.validate_logout_response()
        return "Signed out"

    def keep(sender: Flask, name: str, token: dict[str, Any], **_: Any) -> None:
        tokens[name] = token

    token_update.connect(keep, app, weak=False)
    return app


@pytest.fixture
def app(registered: Application) -> Flask:
    return flask_application(registered)


@pytest.fixture
def browser(app: Flask) -> Iterator[FlaskClient]:
    with app.test_client() as client:
        yield client


def local_part(address: str) -> str:
    """An address of the application, as Flask's test client takes it."""
    assert address.startswith(f"{ORIGIN}/")
    return urlsplit(address)._replace(scheme="", netloc="").geturl()


def sign_in(browser: FlaskClient, visitor: Visitor, person: Person) -> dict[str, Any]:
    """Come from the application, and go back to it; claims of the ID token that Authlib verified."""
    asked = visitor.http.get(browser.get("/login").headers["Location"], allow_redirects=False)
    back = visitor.through(asked, person.email, person.password)[-1].headers["Location"]
    answer = browser.get(local_part(back))
    assert answer.status_code == 200, answer.text
    claims: dict[str, Any] = answer.get_json()
    return claims


def test_authlib_signs_people_in_and_reads_who_they_are(
    suite: Suite, browser: FlaskClient, person: Person
) -> None:
    claims = sign_in(browser, Visitor(suite), person)
    assert claims["sub"] == person.id
    shown = browser.get("/profile").get_json()
    assert (shown["sub"], shown["email"], shown["given_name"]) == (person.id, person.email, "Ada")


def test_authlib_refreshes_a_token_that_has_expired(
    suite: Suite, app: Flask, browser: FlaskClient, person: Person
) -> None:
    sign_in(browser, Visitor(suite), person)
    before = dict(app.extensions["tokens"]["suite"])
    app.extensions["tokens"]["suite"]["expires_at"] = 1
    assert browser.get("/profile").get_json()["sub"] == person.id
    after = app.extensions["tokens"]["suite"]
    assert after["expires_at"] > before["expires_at"] - 60
    assert after["access_token"] != before["access_token"]
    assert after["refresh_token"] != before["refresh_token"]


def test_authlib_signs_people_out(suite: Suite, app: Flask, browser: FlaskClient, person: Person) -> None:
    visitor = Visitor(suite)
    sign_in(browser, visitor, person)
    leave = browser.get("/logout").headers["Location"]
    back = visitor.http.get(leave, allow_redirects=False).headers["Location"]
    assert browser.get(local_part(back)).text == "Signed out"
    with pytest.raises(requests.HTTPError, match="401"):
        browser.get("/profile")


def test_authlib_revokes_a_refresh_token(
    suite: Suite, app: Flask, browser: FlaskClient, registered: Application, person: Person
) -> None:
    sign_in(browser, Visitor(suite), person)
    token = app.extensions["tokens"]["suite"]
    configuration = suite.http.get(f"{registered.url}/.well-known/openid-configuration").json()
    method = None if registered.public else "private_key_jwt"
    client = OAuth2Session(**settings(registered), token=token, revocation_endpoint_auth_method=method)
    if not registered.public:
        # Without the address the audience would be the revocation endpoint's.
        client.register_client_auth_method(PrivateKeyJWT(configuration["token_endpoint"]))
    revoked = client.revoke_token(configuration["revocation_endpoint"], token["refresh_token"])
    assert revoked.status_code == 200, revoked.text
    refreshed = registered.refresh(token["refresh_token"])
    assert (refreshed.status_code, refreshed.json()["error"]) == (400, "invalid_grant")
