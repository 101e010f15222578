"""Who asks an API that is behind the visitors' user pool, and under which id of their own."""

import re
from typing import Any

from .events import Event
from .http import BadRequestError, UnauthorizedError

__all__ = ["id_of", "is_id", "visitor_of"]

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def visitor_of(event: Event) -> str:
    """The visitor: `sub` of the claims that the authorizer verified.

    An authorizer without scopes takes ID tokens alone; that is checked here, too.

    Args:
        event: API Gateway's.

    Raises:
        UnauthorizedError: Nobody signed in, or the token is another one.
    """
    authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
    claims = authorizer.get("claims") or {}
    if claims.get("token_use") != "id" or not claims.get("sub"):
        raise UnauthorizedError("unauthorized", "Sign in first.")
    return str(claims["sub"])


def is_id(text: str) -> bool:
    """Whether a text may be the client's id of a request: a UUID, in lower case alone."""
    return bool(_ID.fullmatch(text))


def id_of(value: Any) -> str:
    """The client's id of a request, by which it is known when it comes again.

    Args:
        value: Of the body's `id`.

    Raises:
        BadRequestError: It is no UUID in lower case.
    """
    if not isinstance(value, str) or not is_id(value):
        raise BadRequestError("bad_request", "id must be a UUID in lower case.")
    return value
