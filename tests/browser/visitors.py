"""Visitors' accounts, made on a page; and a pool that answers as a test says, for the page alone."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from playwright.sync_api import Page, Route, expect

__all__ = ["CODE", "HEADERS", "FakeVisitors", "make_account", "token_of"]

CODE = "123456"
"""The local engine's every code that confirms an address."""

HEADERS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}
"""What every answer lets pages of another origin see."""


def make_account(page: Page, email: str, password: str) -> None:
    """Fill in the form of a new account, on which the page is, until the account is ready."""
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Create the account").click()
    page.get_by_label("Code from the mail").fill(CODE)
    page.get_by_role("button", name="Confirm", exact=True).click()
    expect(page.get_by_role("heading", name="Your account is ready")).to_be_visible()


def token_of(email: str, *, seconds: float = 3600) -> str:
    """An ID token as pages read it; nobody checks its signature here."""
    claims = json.dumps({"email": email, "exp": int(time.time() + seconds)}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.x"


class FakeVisitors:
    """The user API and the hosted sign-in of the visitors.

    Attributes:
        config: What the page finds in `config.json`.
        refused: By operation of the user API, with which code and message it refuses.
        called: Operations of the user API, with what they were sent.
        renewals: How often a refresh token was redeemed.
        renews: Whether it can be.
    """

    path = ""
    """Of the page, below the root."""

    def __init__(self, page: Page, pages: str) -> None:
        self.page, self.pages = page, pages
        self.refused: dict[str, tuple[str, str]] = {}
        self.called: list[tuple[str, dict[str, Any]]] = []
        self.renewals = 0
        self.renews = True
        self.api = f"{pages}/fake"
        self.config: dict[str, Any] = {
            "VisitorsIdentityUrl": f"{self.api}/identity", "VisitorsSignInUrl": f"{self.api}/sign-in",
            "VisitorsUserPoolClientId": "visitors", "SignInUrl": f"{self.api}/operators",
            "UserPoolClientId": "operators",
        }  # fmt: skip
        page.route("**/config.json", lambda route: self.answer(route, 200, self.config))
        page.route("**/fake/identity", self._identity)
        page.route("**/fake/*/oauth2/token", self._token)
        page.route("**/fake/*/oauth2/authorize*", lambda route: self._page(route, "The hosted sign-in"))

    def sign_in(self, *, name: str = "visit", seconds: float = 3600, refresh: str = "refresh-token") -> None:
        """Have a session in the tab, as after the hosted sign-in, from the next page on."""
        session = {"token": token_of("ada@example.org", seconds=seconds), "refresh": refresh,
                   "email": "ada@example.org", "expires": (time.time() + seconds) * 1000}  # fmt: skip
        kept = f"sessionStorage.setItem('{name}.session', '{json.dumps(session)}')"
        self.page.add_init_script(f"if (!sessionStorage.tested) {kept}; sessionStorage.tested = 1;")

    def open(self, search: str = "") -> None:
        """Go to the page."""
        self.page.goto(f"{self.pages}/{self.path}{search}")

    def answer(self, route: Route, status: int, body: Any) -> None:
        """Answer with JSON."""
        route.fulfill(status=status, body=json.dumps(body), content_type="application/json", headers=HEADERS)

    def _page(self, route: Route, text: str) -> None:
        route.fulfill(status=200, body=f"<title>{text}</title><h1>{text}</h1>", content_type="text/html")

    def _identity(self, route: Route) -> None:
        operation = route.request.headers["x-amz-target"].partition(".")[2]
        self.called.append((operation, dict(route.request.post_data_json or {})))
        if operation in self.refused:
            code, message = self.refused[operation]
            self.answer(route, 400, {"__type": code, "message": message})
        else:
            self.answer(route, 200, {})

    def _token(self, route: Route) -> None:
        self.renewals += 1
        body = {"id_token": token_of("ada@example.org")} if self.renews else {"error": "invalid_grant"}
        self.answer(route, 200 if self.renews else 400, body)
