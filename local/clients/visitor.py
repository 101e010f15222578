"""A visitor of the rides: registers as the page does, and asks the API."""

from __future__ import annotations

import secrets
import time
import uuid
from typing import Any

import requests

from local.clients.person import tokens_of
from local.suite import Suite

__all__ = ["Visitor"]

SENATE_SQUARE = {"latitude": 60.1695, "longitude": 24.9526}
_OVER = {"done", "cancelled", "unserved", "failed"}
_CODE = "123456"  # the emulator's every code


class Visitor:
    """Somebody with an account of their own, and its token.

    Args:
        suite: Where.
        email: Who; somebody new by default.
    """

    def __init__(self, suite: Suite, email: str | None = None) -> None:
        self._suite = suite
        self.email = email or f"visitor-{secrets.token_hex(6)}@example.org"
        self.password = secrets.token_urlsafe(16)
        self._identity("SignUp", Username=self.email, Password=self.password)
        self._identity("ConfirmSignUp", Username=self.email, ConfirmationCode=_CODE)
        self.tokens = tokens_of(suite, suite["VisitorsUserPoolId"], self.email, self.password)
        self.token = self.tokens["IdToken"]

    def _identity(self, operation: str, **fields: str) -> None:
        """Ask Cognito's JSON API as a browser does: without a signature."""
        answer = self._suite.http.post(
            self._suite["VisitorsIdentityUrl"],
            json={"ClientId": self._suite["VisitorsUserPoolClientId"], **fields},
            headers={
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": f"AWSCognitoIdentityProviderService.{operation}",
            },
        )
        answer.raise_for_status()

    def ask(self, method: str, path: str, **given: Any) -> requests.Response:
        """Ask the API; `token` instead of the visitor's own, `None` for none."""
        token = given.pop("token", self.token)
        headers = {"Authorization": token} if token else {}
        return self._suite.http.request(
            method, f"{self._suite['RidesApiUrl']}{path}", headers=headers | given.pop("headers", {}), **given
        )

    def request(self, pickup: Any = SENATE_SQUARE, ride: str | None = None) -> requests.Response:
        """Request a ride."""
        return self.ask("POST", "/v1/rides", json={"id": ride or str(uuid.uuid4()), "pickup": pickup})

    def ride(self, ride: str) -> dict[str, Any]:
        """A ride as it is now."""
        answer = self.ask("GET", f"/v1/rides/{ride}")
        answer.raise_for_status()
        return dict(answer.json())

    def until(self, ride: str, state: str = "done", seconds: float = 60) -> dict[str, Any]:
        """Follow a ride until it has been in a state, or is over."""
        end = time.monotonic() + seconds
        while True:
            found = self.ride(ride)
            if state in found["moments"] or found["state"] in _OVER:
                return found
            if time.monotonic() > end:
                raise TimeoutError(f"the ride is still {found['state']}")
            time.sleep(0.1)
