"""Reading JSON Web Tokens strictly: everything that a library would forgive is refused first.

PyJWT takes duplicate member names, embedded keys, unknown types and tokens of any size. Here a token has
three parts, a header of known members, an algorithm that belongs to the key that was chosen by us, and a
type; only then PyJWT looks at the signature. See RFC 8725, "JSON Web Token Best Current Practices".

A value's JSON type is checked before the value is: a token says `"typ": []` as easily as `"typ": "JWT"`.
"""

import re
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from shared import strict_json
from shared.http import ReasonError

__all__ = ["ALGORITHMS", "InvalidTokenError", "Key", "check_times", "read_jwt"]

MAX_BYTES = 16_384
SKEW_S = 30
_NO_TIME = 1e11  # seconds, in the year 5138: what is later was not meant as seconds
_HEADER = {"alg", "typ", "kid"}
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
ALGORITHMS = ["ES256", "ES384", "RS256", "EdDSA"]
"""What keys that can be registered sign with, and our own: a key has one algorithm (`make clients`)."""
_JWS = PyJWS(algorithms=ALGORITHMS)


class InvalidTokenError(ReasonError):
    """A token is refused; the text says why, for the log and never for the caller."""


class Key(NamedTuple):
    """A public key and the only algorithm that it is used with."""

    algorithm: str
    public: Any


def _part(text: str) -> dict[str, Any]:
    try:
        members = strict_json.parse(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, Base64Error) as error:
        raise InvalidTokenError("a part is not base64url of JSON") from error
    if not isinstance(members, dict):
        raise InvalidTokenError("a part is not an object")
    return members


def read_jwt(
    token: str,
    types: frozenset[str | None],
    keys_of: Callable[[dict[str, Any], str | None], Iterable[Key]],
) -> dict[str, Any]:
    """The claims of a token whose signature holds.

    Args:
        token: A JWS in compact form.
        types: The values of `typ` that are accepted; None among them: there may be none.
        keys_of: Gives the keys that may have signed, for claims (not yet to be trusted) and `kid` (None
            where the header has none; RFC 7515, 4.1.4: "This parameter is OPTIONAL").

    Raises:
        InvalidTokenError: It is malformed, of another type, or not signed with one of the keys.
    """
    if len(token) > MAX_BYTES or not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}", token):
        raise InvalidTokenError("not three parts of base64url, or too long")
    header, claims = (_part(text) for text in token.split(".")[:2])
    if set(header) - _HEADER:
        raise InvalidTokenError("the header has members beside alg, typ and kid")
    if not all(isinstance(value, str) for value in header.values()):
        raise InvalidTokenError("a member of the header is no text")
    if header.get("typ") not in types:
        raise InvalidTokenError("another type of token")
    kid = header.get("kid")
    if kid is not None and not _KEY_ID.fullmatch(kid):
        raise InvalidTokenError("an odd key identifier")
    keys = list(keys_of(claims, kid))
    if not keys:
        raise InvalidTokenError("unknown issuer or key")
    keys = [key for key in keys if key.algorithm == header.get("alg")]
    if not keys:
        raise InvalidTokenError("another algorithm than the key's")
    if not any(_holds(token, key) for key in keys):
        raise InvalidTokenError("the signature does not hold")
    return claims


def _holds(token: str, key: Key) -> bool:
    try:
        _JWS.decode_complete(token, key.public, algorithms=[key.algorithm])
    except PyJWTError:
        return False
    return True


def check_times(
    claims: dict[str, Any], now: float, *, life_s: int | None = None, ahead_s: int | None = None
) -> None:
    """Check `iat`, `nbf` and `exp`, with half a minute for clocks that differ.

    Args:
        claims: The claims.
        now: Seconds since the epoch.
        life_s: Longest life in seconds, from `iat` to `exp`; then `iat` is needed.
        ahead_s: How far `exp` may be ahead of now, in seconds.

    Raises:
        InvalidTokenError: A time is missing or no number of seconds; the token has expired, is not valid yet,
            or lives too long.
    """
    needed = {"exp"} if life_s is None else {"exp", "iat"}
    for name in ("iat", "nbf", "exp"):
        if name in claims or name in needed:
            _check_time(name, claims.get(name))
    expires = claims["exp"]
    if now > expires + SKEW_S:
        raise InvalidTokenError("expired")
    if max(claims.get("iat", 0), claims.get("nbf", 0)) > now + SKEW_S:
        raise InvalidTokenError("not yet valid")
    if life_s is not None and not 0 < expires - claims["iat"] <= life_s:
        raise InvalidTokenError("lives too long")
    if ahead_s is not None and expires > now + ahead_s + SKEW_S:
        raise InvalidTokenError("lives too long")


def _check_time(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _NO_TIME:
        raise InvalidTokenError(f"{name} is missing or no time")
