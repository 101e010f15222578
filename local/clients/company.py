"""A client company's server, as the central authentication sees it: its API key, and signed requests."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from local.suite import Suite
from ops.auth_clients import SCOPES, register
from ops.public_keys import public_jwk

__all__ = ["Company", "patiently"]

_BODY = ("POST", "PATCH", "PUT")


def patiently(send: Callable[[], requests.Response]) -> requests.Response:
    """Send anew what the usage plan or the stage throttles: no function has seen it.

    Raises:
        TimeoutError: It was throttled for half a minute.
    """
    end = time.monotonic() + 30
    while (answer := send()).status_code == 429 and '"throttled"' in answer.text:
        if time.monotonic() > end:
            raise TimeoutError("throttled for half a minute")
        time.sleep(0.2)
    return answer


class Company:
    """A registered client with a key of its own.

    Args:
        suite: Where.
        name: Its client id.
        company: Whose people it imports; the same name by default.
        scopes: What it may do; everything by default.
        registration: Further settings of `register`.
    """

    def __init__(
        self,
        suite: Suite,
        name: str,
        *,
        company: str | None = None,
        scopes: Iterable[str] = SCOPES,
        **registration: Any,
    ) -> None:
        self.suite, self.name, self.kid = suite, name, secrets.token_hex(4)
        self.key = ec.generate_private_key(ec.SECP256R1())
        pem = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.url: str = suite["AuthApiUrl"]
        self.api_key = register(
            suite.client,
            suite.outputs,
            name,
            company=company or name,
            title=registration.pop("title", name.title()),
            keys=[public_jwk(pem, self.kid)],
            scopes=scopes,
            **registration,
        )

    def claims(self, method: str, path: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the claims of a request that is sent now."""
        now = int(time.time())
        registered = {"iss": self.name, "aud": self.url, "iat": now, "exp": now + 120}
        return {**registered, "jti": secrets.token_urlsafe(16), "htm": method, "htu": path, **(payload or {})}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """Return claims as a signed request."""
        headers = {"typ": "client-request+jwt", "kid": self.kid} | header
        return jwt.encode(claims, self.key, "ES256", headers)

    def ask(
        self, method: str, path: str, payload: dict[str, Any] | None = None, *, base: str | None = None
    ) -> requests.Response:
        """Send a signed request below the API's address, or below another one that serves it too."""
        return self.send(method, path, self.sign(self.claims(method, path, payload)), base=base)

    def send(self, method: str, path: str, token: str, *, base: str | None = None) -> requests.Response:
        """Send a request that is signed already, as often as it is throttled."""
        headers = {"x-api-key": self.api_key}
        body = {"request": token} if method in _BODY else None
        if body is None:
            headers["Client-Assertion"] = token
        address = f"{base or self.url}{path}"
        return patiently(
            lambda: self.suite.http.request(method, address, json=body, headers=headers, timeout=60)
        )

    def post(self, path: str, **payload: Any) -> requests.Response:
        """Send a signed POST with these members."""
        return self.ask("POST", path, payload)

    def get(self, path: str) -> requests.Response:
        """Send a signed GET."""
        return self.ask("GET", path)
