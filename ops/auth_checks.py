"""What the functions make of a JWT, for those who have to find out why a client is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from auth.clients import Clients
from auth.storage import Store
from ops.stacks import CommandError
from shared.http import UnauthorizedError

__all__ = ["check"]

type Factory = Callable[[str], Any]


def check(factory: Factory, outputs: Mapping[str, str], token: str, *, request: str = "") -> str:
    """Say what the functions make of a JWT that a client signed, in words that they tell nobody else.

    It stays as good as it was, and whether it was sent before is not looked at.

    Args:
        factory: Gives the boto3 client of a service.
        outputs: The stack's outputs.
        token: The JWT.
        request: Method and path that a signed request is for, `POST /v1/login`; empty for an assertion of the
            token endpoint.

    Raises:
        CommandError: It would be refused; says why.
    """
    store = Store(factory("dynamodb"), outputs["AuthUsersTableName"])
    known = Clients(store, outputs["AuthApiUrl"], outputs["AuthApiUrl"])
    method, _, path = request.partition(" ")
    try:
        if request:
            client = known.request(token, method, path, None).client
        else:
            client, _ = known.assertion(token)
    except UnauthorizedError as refused:
        raise CommandError(f"the JWT is refused: {'; '.join(refused.__notes__)}") from refused
    return f"the JWT is good: it is {client.id}'s"
