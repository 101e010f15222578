"""Visitors: they register as the pages do, and ask the rides' API, or the portal's."""

from __future__ import annotations

import secrets
import time
import uuid
from typing import Any

import requests

from local.clients.person import tokens_of
from local.suite import Suite

__all__ = ["PortalVisitor", "Visitor"]

SENATE_SQUARE = {"latitude": 60.1695, "longitude": 24.9526}
_OVER = {"done", "cancelled", "unserved", "failed"}
_CODE = "123456"  # the emulator's every code


class Visitor:
    """Somebody with an account of their own, and its token.

    Args:
        suite: Where.
        email: Who; somebody new by default.

    Attributes:
        api: The output of the API that is asked.
    """

    api = "RidesApiUrl"

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
            method, f"{self._suite[self.api]}{path}", headers=headers | given.pop("headers", {}), **given
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


class PortalVisitor(Visitor):
    """A visitor of the API portal, and a program with their keys."""

    api = "PortalApiUrl"

    def create_key(self, key: str | None = None, plan: str = "free", **more: Any) -> requests.Response:
        """Create a key."""
        body = {"id": key or str(uuid.uuid4()), "name": "my site", "plan": plan} | more
        return self.ask("POST", "/v1/keys", json=body)

    def rotate(self, key: str, new: str | None = None, **more: Any) -> requests.Response:
        """Replace a key by a new one."""
        return self.ask("POST", f"/v1/keys/{key}/rotate", json={"id": new or str(uuid.uuid4())} | more)

    def revoke(self, key: str) -> requests.Response:
        """Revoke a key."""
        return self.ask("POST", f"/v1/keys/{key}/revoke")

    def own_keys(self) -> dict[str, dict[str, Any]]:
        """The visitor's keys by id."""
        answer = self.ask("GET", "/v1/keys")
        answer.raise_for_status()
        return {key["id"]: key for key in answer.json()["keys"]}

    def fleet(self, value: str | None) -> requests.Response:
        """Ask the rides' API for the fleet, as a program with a key does."""
        return self._suite.http.get(f"{self._suite['RidesApiUrl']}/v1/fleet", headers=_with(value))

    def variant(self, value: str | None, key: str) -> requests.Response:
        """Ask the image resizer's API for a variant, likewise."""
        url = f"{self._suite['ImagesApiUrl']}/v1/variants"
        return self._suite.http.get(url, params={"key": key}, headers=_with(value))


def _with(value: str | None) -> dict[str, str]:
    return {} if value is None else {"x-api-key": value}
