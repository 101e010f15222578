"""Somebody's browser at the sign-on pages, and the application that sent it there."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from auth.sign_on import authorization, grants
from auth.sign_on.browsers import Browser as Known
from local.memory_auth import Answer, Crash, World
from shared.http import HttpError, Request

__all__ = ["APP", "BACK", "Browser", "redeem", "refresh"]

APP = "app"
BACK = "https://app.example/back"
_VERIFIER = "v" * 43
_CHALLENGE = urlsafe_b64encode(sha256(_VERIFIER.encode()).digest()).rstrip(b"=").decode()
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')
_ACTION = re.compile(r'<form method="post" action="([^"]*)">')
_POSTS = {
    "login": authorization.log_in, "second-factor": authorization.second_factor,
    "consent": authorization.decide,
}  # fmt: skip


@dataclass
class Browser:
    """A browser.

    Attributes:
        cookie: What it sends; empty at first.
        action: Where the form of the page leads; empty for a page without one.
        fields: What the form carries.
        code: The code with which it was sent back; empty for none.
    """

    cookie: str = ""
    action: str = ""
    fields: dict[str, str] | None = None
    code: str = ""

    def open(self, world: World) -> None:
        """Come from the application."""
        query = {
            "response_type": "code", "client_id": APP, "redirect_uri": BACK,
            "scope": "openid offline_access email",
            "code_challenge": _CHALLENGE, "code_challenge_method": "S256",
        }  # fmt: skip
        self._show(lambda: authorization.authorize(world.services, self._request(query=query)))

    def send(self, world: World, **typed: str) -> int:
        """Send the form of the page; the status."""
        assert self.fields is not None
        post, form = _POSTS[self.action], self.fields | typed
        return self._show(lambda: post(world.services, self._request(form=form)))

    def user(self, world: World) -> str:
        """Who is signed in; empty for nobody."""
        return Known.of(world.services, self._request()).user

    def _request(self, query: dict[str, str] | None = None, form: dict[str, str] | None = None) -> Request:
        return request(query, form, {"cookie": self.cookie} if self.cookie else {})

    def _show(self, run: Any) -> int:
        try:
            page = run()
        except HttpError as error:
            return error.status
        except Crash:
            return 504
        headers = page["headers"]
        if "Set-Cookie" in headers:
            self.cookie = headers["Set-Cookie"].partition(";")[0]
        location = urlsplit(headers.get("Location", ""))
        self.code = parse_qs(location.query).get("code", [""])[0]
        body = page.get("body") or ""
        found = _ACTION.search(body)
        self.action = found[1] if found else ""
        self.fields = {unescape(name): unescape(value) for name, value in _HIDDEN.findall(body)}
        return int(page["statusCode"])


def request(query: dict[str, str] | None, form: dict[str, str] | None, headers: dict[str, str]) -> Request:
    """A request to the pages or to the token endpoint."""
    headers = headers | {"content-type": "application/x-www-form-urlencoded"}
    return Request(
        "POST" if form is not None else "GET", "/", "/", {}, query or {}, frozenset(), headers,
        urlencode(form or {}).encode(), None, "198.51.100.1",
    )  # fmt: skip


def redeem(world: World, code: str) -> Answer:
    """The application exchanges a code."""
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "client_id": APP,
        "code_verifier": _VERIFIER,
    }  # fmt: skip
    return token(world, form)


def refresh(world: World, refresh_token: str) -> Answer:
    """The application refreshes."""
    return token(world, {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": APP})


def token(world: World, form: dict[str, str]) -> Answer:
    """A request to the token endpoint."""
    try:
        answer = grants.token(world.services, request(None, form, {}))
    except HttpError as error:
        return Answer(error.status, None, error.code)
    except Crash:
        return Answer(504)
    return Answer(answer["statusCode"], json.loads(answer["body"]))
