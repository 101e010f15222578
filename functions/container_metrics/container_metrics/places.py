"""Regions and accounts in which targets are."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple, Self

from shared.clients import client_elsewhere, client_without_retries
from shared.events import ForeignEventError

__all__ = ["HERE", "NO_ROLE", "Home", "Place", "label"]

# A sample is worth its slot alone: nobody waits for an answer for longer.
READ_TIMEOUT_S = 2.0
NO_ROLE = "NO_ROLE"
"""Why a target of another account is missing: no role is given by which to read there."""
_ARN = re.compile(r"arn:[^:]+:[^:]+:[a-z0-9-]+:[0-9]{12}:(?:.*[:/])?[^:/]+")


def label(target: str) -> str:
    """The name of a target that may be given as an ARN."""
    return target.replace("/", ":").rpartition(":")[2] if target.startswith("arn:") else target


class Place(NamedTuple):
    """A region of an account, and how it is read.

    Attributes:
        region: Empty where the function is.
        account: Empty where the function is.
        role_arn: The role by which the function reads there; empty for its own.
    """

    region: str = ""
    account: str = ""
    role_arn: str = ""

    def client(self, service: str) -> Any:
        """A client of a service there. It does not try again: the state machine does.

        Raises:
            ClientError: The role may not be assumed.
        """
        if not self.region:
            return client_without_retries(service, read_timeout=READ_TIMEOUT_S)  # type: ignore[call-overload]
        return client_elsewhere(
            service,
            region=self.region,
            role_arn=self.role_arn,
            session_name="container-metrics",
            read_timeout=READ_TIMEOUT_S,
        )


HERE = Place()


class Home(NamedTuple):
    """Where the function runs, and by which roles it reads in other accounts.

    Attributes:
        region: Its region.
        account: Its account.
        roles: ARN of a role by the account that has it.
    """

    region: str
    account: str
    roles: dict[str, str]

    @classmethod
    def of(cls, function_arn: str, roles: Iterable[str]) -> Self:
        """Where a function runs.

        Args:
            function_arn: `arn:partition:lambda:region:account:function:name`.
            roles: ARNs of roles, one for each account.
        """
        _, _, _, region, account, *_ = function_arn.split(":")
        return cls(region, account, {role.split(":")[4]: role for role in roles})

    def unreadable(self, place: Place) -> str:
        """Why a place cannot be read; empty if it can."""
        elsewhere = place.account not in ("", self.account)
        return NO_ROLE if elsewhere and not place.role_arn else ""

    def place_of(self, target: str) -> Place:
        """Where a target is: here, unless its ARN says otherwise.

        Raises:
            ForeignEventError: It begins like an ARN and is none.
        """
        if not target.startswith("arn:"):
            return HERE
        if not _ARN.fullmatch(target):
            raise ForeignEventError("a target begins like an ARN, and is none")
        region, account = target.split(":")[3:5]
        if (region, account) == (self.region, self.account):
            return HERE
        return Place(region, account, self.roles.get(account, ""))
