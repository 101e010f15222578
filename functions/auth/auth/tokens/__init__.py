"""JSON Web Tokens and refresh tokens, the keys that sign them, and the sessions that they belong to."""

from ._jwts import ALGORITHMS, SKEW_S, InvalidTokenError, Key, check_times, read_jwt
from ._keyring import (
    PURPOSES,
    SIGNING,
    Entry,
    Keyring,
    PeerKeys,
    Purpose,
    copied_secret,
    make_secret,
    next_signing_keys,
    peer_keys_name,
    published_keys,
    read_peer_keys,
)
from ._sessions import ACCOUNT, MOST_SESSIONS, Sessions
from ._tokens import ID_TOKEN_ALGORITHMS, IdTokenAlgorithm, RefreshToken, Tokens

__all__ = [
    "ACCOUNT",
    "ALGORITHMS",
    "ID_TOKEN_ALGORITHMS",
    "MOST_SESSIONS",
    "PURPOSES",
    "SIGNING",
    "SKEW_S",
    "Entry",
    "IdTokenAlgorithm",
    "InvalidTokenError",
    "Key",
    "Keyring",
    "PeerKeys",
    "Purpose",
    "RefreshToken",
    "Sessions",
    "Tokens",
    "check_times",
    "copied_secret",
    "make_secret",
    "next_signing_keys",
    "peer_keys_name",
    "published_keys",
    "read_jwt",
    "read_peer_keys",
]
