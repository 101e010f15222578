"""Sessions: families of refresh tokens, one for each log-in of a person at a client.

A family's item knows the number of its newest token. Exchanging the newest raises the number; the successor
is derived, so the same token exchanged again within 30 seconds (a retry, or many requests side by side)
gives the same successor. An older token is a stolen one: its family ends, and no other.
"""

from secrets import token_hex
from typing import Any

from ..clients import Client
from ..errors import BadRequestError, UnauthorizedError
from ..services import Services
from ..storage import Item, LostRaceError, Once, Write, write
from ._jwts import InvalidTokenError
from ._tokens import RefreshToken

__all__ = ["begin", "delete", "end", "end_browser", "introspect", "of_person", "refresh", "revoke"]

GRACE_MS = 30_000
_DAY_S = 86_400
_TRIES = 4


def begin(
    services: Services,
    user: str,
    client_id: str,
    scope: str,
    auth_time: int,
    *,
    sid: str = "",
    lasting: bool = True,
) -> tuple[str, Write, dict[str, Any]]:
    """A new session.

    Args:
        services: The services.
        user: Whose.
        client_id: Who may refresh it.
        scope: Scopes of its access tokens, parted by blanks.
        auth_time: When the person logged in, seconds since the epoch.
        sid: The browser session that it comes from; empty for none.
        lasting: Whether it can be refreshed; else it ends with its one access token.

    Returns:
        The family, its write, and the tokens that count once it is written.
    """
    now = int(services.now())
    family = token_hex(16)
    life = _DAY_S * services.settings.refresh_idle_days if lasting else services.tokens.seconds
    item: Item = {
        "client": {"S": client_id},
        "scope": {"S": scope},
        "number": {"N": "0"},
        "rotated": {"N": "0"},
        "began": {"N": str(now)},
        "auth_time": {"N": str(auth_time)},
        "expires": {"N": str(now + life)},
    }
    if sid:
        item["sid"] = {"S": sid}
    answer = _answer(services, RefreshToken(user, family, 0), client_id, scope)
    if not lasting:
        del answer["refresh_token"]
    return family, write((f"U#{user}", f"R#{family}"), item, new=True), answer


def _answer(services: Services, token: RefreshToken, client_id: str, scope: str) -> dict[str, Any]:
    return {
        "access_token": services.tokens.access(token.user, client_id, scope, token.family),
        "token_type": "Bearer",
        "expires_in": services.tokens.seconds,
        "refresh_token": services.tokens.refresh(token),
        "scope": scope,
    }


def refresh(
    services: Services, text: str, client_id: str, once: Once | None = None, *, scope: str = ""
) -> tuple[RefreshToken, Item, dict[str, Any]]:
    """Exchange a refresh token.

    Args:
        services: The services.
        text: The token.
        client_id: Who asks; it must be who got it.
        once: The request.
        scope: Scopes that are asked for, parted by blanks; each must have been granted.

    Returns:
        What the new token says, the session, and the new tokens.

    Raises:
        UnauthorizedError: It is not good, or was stolen: then its family has ended.
        BadRequestError: More is asked for than was granted; the token stays good.
    """
    try:
        token = services.tokens.read_refresh(text)
    except InvalidTokenError as error:
        raise _invalid() from error
    for _ in range(_TRIES):
        session = services.store.get(f"U#{token.user}", f"R#{token.family}")
        if session is None or session["client"]["S"] != client_id:
            raise _invalid()
        newest = int(session["number"]["N"])
        now = int(services.now())
        if _over(services, session):
            raise _invalid()
        if not set(scope.split()) <= set(session["scope"]["S"].split()):
            raise BadRequestError("invalid_scope", "scope has more than was granted.")
        successor = RefreshToken(token.user, token.family, token.number + 1)
        answer = _answer(services, successor, client_id, session["scope"]["S"])
        if token.number == newest:
            try:
                services.store.commit(_rotate(services, token, now), once=once)
            except LostRaceError:
                continue  # somebody exchanged it, or ended the session, meanwhile
            return successor, session, answer
        if token.number == newest - 1 and services.now_ms - int(session["rotated"]["N"]) <= GRACE_MS:
            services.store.commit(once=once)
            return successor, session, answer
        reuse = services.audit(token.user, "refresh", client_id, "reused")
        services.store.commit(delete(token.user, token.family), reuse, once=once)
        break
    raise _invalid()


def _over(services: Services, session: Item) -> bool:
    """Whether a session has reached its age, however often it was refreshed."""
    return services.now() > int(session["began"]["N"]) + _DAY_S * services.settings.refresh_days


def _invalid() -> UnauthorizedError:
    return UnauthorizedError("invalid_grant", "The refresh token is not valid, or no longer.")


def _rotate(services: Services, token: RefreshToken, now: int) -> Write:
    return {
        "Update": {
            "Key": {"pk": {"S": f"U#{token.user}"}, "sk": {"S": f"R#{token.family}"}},
            "UpdateExpression": "SET #number = :next, rotated = :rotated, expires = :expires",
            "ConditionExpression": "#number = :number",
            "ExpressionAttributeNames": {"#number": "number"},
            "ExpressionAttributeValues": {
                ":number": {"N": str(token.number)},
                ":next": {"N": str(token.number + 1)},
                ":rotated": {"N": str(services.now_ms)},
                ":expires": {"N": str(now + _DAY_S * services.settings.refresh_idle_days)},
            },
        }
    }


def delete(user: str, family: str) -> Write:
    """The write that ends a session."""
    return _delete(user, f"R#{family}")


def _delete(user: str, key: str) -> Write:
    return {"Delete": {"Key": {"pk": {"S": f"U#{user}"}, "sk": {"S": key}}}}


def end(services: Services, user: str, but: str | None = None) -> list[Write]:
    """The writes that end all sessions of a person, browsers' too; or all but one and its browser's."""
    things = _things(services, user)
    kept = things.pop(f"R#{but}", {}).get("sid")
    return [_delete(user, key) for key, item in things.items() if key.startswith("R#") or item["sid"] != kept]


def end_browser(services: Services, user: str, sid: str) -> list[Write]:
    """The writes that end a person's session in one browser, and those that come from it."""
    return [
        _delete(user, key) for key, item in _things(services, user).items() if item.get("sid") == {"S": sid}
    ]


def _things(services: Services, user: str) -> dict[str, Item]:
    found = services.store.query(f"U#{user}", "R#") + services.store.query(f"U#{user}", "S#")
    return {item["sk"]["S"]: item for item in found}


def of_person(services: Services, user: str) -> list[tuple[str, Item]]:
    """The sessions of a person: family and item."""
    return [(item["sk"]["S"][2:], item) for item in services.store.query(f"U#{user}", "R#")]


def introspect(services: Services, text: str) -> dict[str, Any]:
    """What a token is, as RFC 7662 has it: `{"active": false}` for all that is not good now."""
    try:
        claims = services.tokens.read_access(text)
        user, family = claims["sub"], claims["sid"]
    except InvalidTokenError:
        claims = {}
        try:
            token = services.tokens.read_refresh(text)
        except InvalidTokenError:
            return {"active": False}
        user, family = token.user, token.family
    session = services.store.get(f"U#{user}", f"R#{family}")
    if session is None or (not claims and _over(services, session)):
        return {"active": False}
    if claims:
        return {"active": True, "token_type": "access_token", **claims}
    if token.number != int(session["number"]["N"]):
        return {"active": False}
    return {
        "active": True,
        "token_type": "refresh_token",
        "sub": user,
        "sid": family,
        "client_id": session["client"]["S"],
        "scope": session["scope"]["S"],
        "exp": int(session["expires"]["N"]),
    }


def revoke(services: Services, text: str, client: Client, once: Once | None = None) -> None:
    """End the session of a token of a client's (RFC 7009); a token that is not good is no error."""
    try:
        claims = services.tokens.read_access(text)
        user, family = claims["sub"], claims["sid"]
    except InvalidTokenError:
        try:
            user, family, _ = services.tokens.read_refresh(text)
        except InvalidTokenError:
            services.store.commit(once=once)
            return
    session = services.store.get(f"U#{user}", f"R#{family}")
    if session is None or session["client"]["S"] != client.id:
        services.store.commit(once=once)
        return
    services.store.commit(delete(user, family), services.audit(user, "logout", client.id), once=once)
