"""The npm package oidc-client-ts in a page of another origin: an application without a server.

It is called as its documentation does (https://github.com/authts/oidc-client-ts, `docs/`), with its defaults
but for `loadUserInfo`: it would not ask for claims.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from local.clients.company import Company
from local.clients.sign_on import Application
from local.suite import Suite
from tests.integration.auth.conftest import LINKS, Person, fresh_email, fresh_password, joined
from tests.support.node import INSTALLED, install

SCRIPTS = {
    "/application.js": "oidc_client_ts.mjs",
    "/oidc-client-ts.js": "node_modules/oidc-client-ts/dist/esm/oidc-client-ts.js",
    "/jwt-decode.js": "node_modules/jwt-decode/build/esm/index.js",
}
PAGE = """<!doctype html><html lang="en"><title>An application</title><link rel="icon" href="data:,">
<script type="importmap">
{{"imports": {{"oidc-client-ts": "/oidc-client-ts.js", "jwt-decode": "/jwt-decode.js"}}}}
</script>
<script type="application/json" id="settings">{settings}</script>
<script type="module" src="/application.js"></script>
<output></output></html>"""


class PageApplication:
    """The application's own server, which has files alone.

    Args:
        suite: Where people sign on.
        scope: What it asks for.
    """

    def __init__(self, suite: Suite, scope: str) -> None:
        install()
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                script = SCRIPTS.get(path)
                self.send_response(200)
                self.send_header("Content-Type", "text/javascript" if script else "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write((INSTALLED / script).read_bytes() if script else served.page.encode())

            def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.registered = Application(
            suite,
            "An application in a page",
            public=True,
            trusted=False,
            redirect_uris=(f"{self.url}/callback",),
            logout_uris=(f"{self.url}/goodbye",),
        )
        settings = {
            "authority": self.registered.url,
            "client_id": self.registered.id,
            "redirect_uri": f"{self.url}/callback",
            "post_logout_redirect_uri": f"{self.url}/goodbye",
            "scope": scope,
            "loadUserInfo": True,
        }
        self.page = PAGE.format(settings=json.dumps(settings))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def application(suite: Suite) -> Iterator[PageApplication]:
    application = PageApplication(suite, "openid email profile offline_access")
    yield application
    application.close()


@pytest.fixture
def without_refresh_tokens(suite: Suite) -> Iterator[PageApplication]:
    application = PageApplication(suite, "openid email")
    yield application
    application.close()


@pytest.fixture(scope="module")
def company(suite: Suite) -> Company:
    return Company(suite, "page-owner", links=LINKS)


@pytest.fixture
def somebody(company: Company) -> Person:
    return joined(Person(company, fresh_email(), fresh_password()), given_name="Ada")


def shown(page: Page) -> dict[str, Any]:
    """What the application shows, once it does."""
    expect(page.locator("output")).not_to_be_empty()
    answer: dict[str, Any] = json.loads(page.locator("output").inner_text())
    return answer


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def sign_in(page: Page, application: PageApplication, person: Person) -> dict[str, Any]:
    page.goto(application.url)
    press(page, "Sign in")
    page.get_by_label("E-mail address").fill(person.email)
    page.get_by_label("Password").fill(person.password)
    press(page, "Sign in")
    press(page, "Allow")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return shown(page)


@pytest.mark.timeout(300)  # the first test installs
def test_page_signs_somebody_in_refreshes_and_signs_out(
    suite: Suite, page: Page, application: PageApplication, somebody: Person
) -> None:
    first = sign_in(page, application, somebody)
    profile = first["profile"]
    assert (profile["sub"], profile["email"], profile["given_name"]) == (somebody.id, somebody.email, "Ada")
    press(page, "Refresh")
    second = shown(page)
    assert second["profile"]["sub"] == somebody.id
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    press(page, "Sign out")
    expect(page).to_have_url(f"{application.url}/goodbye")
    assert shown(page) == {"signedOut": True}
    assert application.registered.userinfo(second["access_token"]).status_code == 401


@pytest.mark.timeout(300)
def test_page_revokes_its_tokens(page: Page, application: PageApplication, somebody: Person) -> None:
    tokens = sign_in(page, application, somebody)
    press(page, "Revoke")
    assert shown(page) == {"revoked": tokens["refresh_token"]}
    assert application.registered.userinfo(tokens["access_token"]).status_code == 401
    refreshed = application.registered.refresh(tokens["refresh_token"])
    assert (refreshed.status_code, refreshed.json()["error"]) == (400, "invalid_grant")


@pytest.mark.timeout(300)
def test_page_without_refresh_tokens_renews_in_a_frame(
    page: Page, without_refresh_tokens: PageApplication, somebody: Person
) -> None:
    first = sign_in(page, without_refresh_tokens, somebody)
    press(page, "Refresh")
    second = shown(page)
    assert second["profile"]["sub"] == somebody.id
    assert second["access_token"] != first["access_token"]
