"""Somebody who is signed in to the pages of a local suite."""

from __future__ import annotations

import secrets
from contextlib import suppress

import requests

from local.suite import Suite
from ops.operators import GROUP

__all__ = ["DEMO_EMAIL", "DEMO_PASSWORD", "PersonAt", "tokens_of"]

# Whom the demo leaves behind on the local engine, and `make feed` too, for people to sign in as.
DEMO_EMAIL, DEMO_PASSWORD = "demo@example.org", "demo-on-this-laptop"


class PersonAt:
    """A person with a token, made anew if there is no such person yet.

    Args:
        suite: Where.
        email: Who.
        password: A random one by default.
        operator: Whether the operators' APIs answer them.
    """

    def __init__(
        self, suite: Suite, email: str, password: str | None = None, *, operator: bool = True
    ) -> None:
        self._suite = suite
        self.email, self.password = email, password or secrets.token_urlsafe(16)
        people, pool = suite.client("cognito-idp"), suite["UserPoolId"]
        with suppress(people.exceptions.UsernameExistsException):
            people.admin_create_user(UserPoolId=pool, Username=email, MessageAction="SUPPRESS")
        if operator:
            people.admin_add_user_to_group(UserPoolId=pool, Username=email, GroupName=GROUP)
        people.admin_set_user_password(
            UserPoolId=pool, Username=email, Password=self.password, Permanent=True
        )
        self.token: str = tokens_of(suite, pool, email, self.password)["IdToken"]

    def get(self, panel: str, **query: str) -> requests.Response:
        """Ask the insights API for a panel."""
        return self._suite.http.get(
            f"{self._suite['InsightsApiUrl']}/v1/insights/{panel}",
            params=query,
            headers={"Authorization": self.token},
        )


def tokens_of(suite: Suite, pool: str, email: str, password: str) -> dict[str, str]:
    """Sign somebody in: `IdToken`, `AccessToken`, `RefreshToken`.

    The pages' own client signs in by a browser; a program needs one that takes a password.
    """
    people = suite.client("cognito-idp")
    client = people.create_user_pool_client(
        UserPoolId=pool, ClientName="demo", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    answer = people.admin_initiate_auth(
        UserPoolId=pool, ClientId=client, AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": password},
    )  # fmt: skip
    people.delete_user_pool_client(UserPoolId=pool, ClientId=client)
    return dict(answer["AuthenticationResult"])
