"""Reading JSON Web Tokens strictly: everything that a library would forgive is refused first.

PyJWT takes duplicate member names, embedded keys, unknown types and tokens of any size. Here a token has
three parts, a header of known members, an algorithm that belongs to the key that was chosen by us, and a
type; only then PyJWT looks at the signature. See RFC 8725, "JSON Web Token Best Current Practices".
"""

import re
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from typing import Any, NamedTuple

from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from shared import strict_json

__all__ = ["ALGORITHMS", "InvalidTokenError", "Key", "check_times", "read_jwt"]

MAX_BYTES = 16_384
SKEW_S = 30
_HEADER = {"alg", "typ", "kid"}
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
ALGORITHMS = ["ES256", "ES384", "RS256", "PS256", "EdDSA"]
_JWS = PyJWS(algorithms=ALGORITHMS)


class InvalidTokenError(Exception):
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
    token: str, types: frozenset[str | None], key_of: Callable[[dict[str, Any], str], Key | None]
) -> dict[str, Any]:
    """The claims of a token whose signature holds.

    Args:
        token: A JWS in compact form.
        types: The values of `typ` that are accepted; None among them: there may be none.
        key_of: Gives the key for claims (not yet to be trusted) and `kid`; None for an unknown one.

    Raises:
        InvalidTokenError: It is malformed, of another type, or not signed with the key.
    """
    if len(token) > MAX_BYTES or not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}", token):
        raise InvalidTokenError("not three parts of base64url, or too long")
    header, claims = (_part(text) for text in token.split(".")[:2])
    if set(header) - _HEADER:
        raise InvalidTokenError("the header has members beside alg, typ and kid")
    if header.get("typ") not in types:
        raise InvalidTokenError("another type of token")
    kid = header.get("kid")
    if not isinstance(kid, str) or not _KEY_ID.fullmatch(kid):
        raise InvalidTokenError("no key identifier, or an odd one")
    key = key_of(claims, kid)
    if key is None:
        raise InvalidTokenError("unknown issuer or key")
    if header.get("alg") != key.algorithm:
        raise InvalidTokenError("another algorithm than the key's")
    try:
        _JWS.decode_complete(token, key.public, algorithms=[key.algorithm])
    except PyJWTError as error:
        raise InvalidTokenError("the signature does not hold") from error
    return claims


def check_times(claims: dict[str, Any], now: float, longest_s: int | None = None) -> None:
    """Check `iat`, `nbf` and `exp`, with half a minute for clocks that differ.

    Args:
        claims: The claims.
        now: Seconds since the epoch.
        longest_s: Longest life in seconds; then `iat` is needed.

    Raises:
        InvalidTokenError: Expired, not yet valid, or living too long.
    """
    values = {name: claims.get(name) for name in ("iat", "nbf", "exp")}
    for name, value in values.items():
        if value is None and name == "nbf":
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
            raise InvalidTokenError(f"{name} is missing or no time")
    issued, expires = claims["iat"], claims["exp"]
    if now > expires + SKEW_S:
        raise InvalidTokenError("expired")
    if max(issued, claims.get("nbf", 0)) > now + SKEW_S:
        raise InvalidTokenError("not yet valid")
    if longest_s is not None and not 0 < expires - issued <= longest_s:
        raise InvalidTokenError("lives too long")
