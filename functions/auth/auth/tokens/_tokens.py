"""Tokens that the system gives out: ES256-signed access and ID tokens, and opaque refresh tokens.

An access token follows RFC 9068 (`typ: at+jwt`). A refresh token is `<person, family, number>.<HMAC>`: the
successor of a token is derived, never drawn, so that a request that is sent again gets the same answer.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from secrets import token_urlsafe
from typing import Any, NamedTuple
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from jwt.algorithms import ECAlgorithm

from ._jwts import InvalidTokenError, Key, check_times, read_jwt
from ._keyring import Keyring

__all__ = ["RefreshToken", "Tokens"]

_ACCESS: frozenset[str | None] = frozenset({"at+jwt"})
_MAC_BYTES = 24
_REFRESH_CHARACTERS = 81  # 36 and 24 bytes in base64url, and a dot


class RefreshToken(NamedTuple):
    """What a refresh token says: the person, the family, and which of the family it is, from 0."""

    user: str
    family: str
    number: int


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


class Tokens:
    """Makes and reads tokens.

    Args:
        keyring: The system's secrets.
        issuer: `iss` of the tokens, and `aud` of access tokens.
        seconds: Life of access and ID tokens.
        now: Seconds since the epoch.
    """

    def __init__(self, keyring: Keyring, issuer: str, seconds: int, now: Callable[[], float]) -> None:
        self._keyring, self._issuer, self.seconds, self._now = keyring, issuer, seconds, now
        self._public: dict[str, Key] = {}

    def access(self, user: str, client: str, scope: str, family: str) -> str:
        """An access token.

        Args:
            user: The person, `sub`.
            client: Who may use it, `client_id`.
            scope: Scopes, parted by blanks.
            family: The session that it belongs to, `sid`.
        """
        claims = {"aud": self._issuer, "sub": user, "client_id": client, "scope": scope, "sid": family}
        return self._sign("at+jwt", claims | {"jti": token_urlsafe(12)})

    def identity(self, user: str, client: str, claims: dict[str, Any]) -> str:
        """An ID token of OpenID Connect for a client, with further claims such as `nonce`."""
        return self._sign("JWT", {"aud": client, "sub": user} | claims)

    def _sign(self, kind: str, claims: dict[str, Any]) -> str:
        key = self._keyring.signing_key()
        issued = int(self._now())
        header = {"alg": "ES256", "typ": kind, "kid": key.kid}
        body = {"iss": self._issuer, "iat": issued, "exp": issued + self.seconds} | claims
        signed = ".".join(
            _base64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, body)
        )
        r, s = decode_dss_signature(key.private.sign(signed.encode(), ECDSA(SHA256())))
        return f"{signed}.{_base64(r.to_bytes(32) + s.to_bytes(32))}"

    def read_access(self, token: str) -> dict[str, Any]:
        """The claims of an access token that is good now.

        Raises:
            InvalidTokenError: It is not of this issuer, or has expired.
        """
        claims = read_jwt(token, _ACCESS, lambda _, kid: self._key(kid))
        check_times(claims, self._now())
        if claims.get("iss") != self._issuer or claims.get("aud") != self._issuer:
            raise InvalidTokenError("of another issuer or for another audience")
        return claims

    def read_identity(self, token: str) -> dict[str, Any]:
        """The claims of an ID token of this issuer, expired or not: a hint of who signs out.

        Raises:
            InvalidTokenError: It is not of this issuer.
        """
        claims = read_jwt(token, frozenset({"JWT"}), lambda _, kid: self._key(kid))
        if claims.get("iss") != self._issuer:
            raise InvalidTokenError("of another issuer")
        return claims

    def _key(self, kid: str) -> Key | None:
        jwk = self._keyring.public_keys().get(kid)
        if jwk is None:
            return None
        if kid not in self._public:
            self._public[kid] = Key("ES256", ECAlgorithm.from_jwk(jwk))
        return self._public[kid]

    def jwks(self) -> dict[str, Any]:
        """The JSON Web Key Set of everybody who verifies our tokens."""
        return {"keys": list(self._keyring.public_keys().values())}

    # ---- refresh tokens

    def refresh(self, token: RefreshToken) -> str:
        """A refresh token as its holder sees it."""
        body = UUID(token.user).bytes + bytes.fromhex(token.family) + token.number.to_bytes(4)
        return f"{_base64(body)}.{_base64(self._mac(body))}"

    def read_refresh(self, text: str) -> RefreshToken:
        """What a refresh token of this issuer says; whether it is still good, the session knows.

        Raises:
            InvalidTokenError: It is not of this issuer.
        """
        if len(text) > _REFRESH_CHARACTERS:
            raise InvalidTokenError("too long")
        try:
            body = urlsafe_b64decode(text.partition(".")[0] + "=")
            token = RefreshToken(str(UUID(bytes=body[:16])), body[16:32].hex(), int.from_bytes(body[32:]))
            ours = self.refresh(token)
        except (ValueError, OverflowError) as error:
            raise InvalidTokenError("not a refresh token") from error
        if not hmac.compare_digest(ours.encode(), text.encode()):
            raise InvalidTokenError("not a refresh token of this issuer")
        return token

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._keyring.refresh_key(), b"refresh\0" + body, "sha256")[:_MAC_BYTES]
