"""JSON Web Tokens and refresh tokens, the keys that sign them, and the sessions that they belong to."""

from ._jwts import ALGORITHMS, SKEW_S, InvalidTokenError, Key, check_times, read_jwt
from ._keyring import Entry, Keyring, Purpose, make_secret, next_signing_keys
from ._sessions import MOST_SESSIONS, Sessions
from ._tokens import RefreshToken, Tokens

__all__ = [
    "ALGORITHMS",
    "MOST_SESSIONS",
    "SKEW_S",
    "Entry",
    "InvalidTokenError",
    "Key",
    "Keyring",
    "Purpose",
    "RefreshToken",
    "Sessions",
    "Tokens",
    "check_times",
    "make_secret",
    "next_signing_keys",
    "read_jwt",
]
