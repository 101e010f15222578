"""Who asks an API that is behind the visitors' user pool."""

from .events import Event
from .http import UnauthorizedError

__all__ = ["visitor_of"]


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
