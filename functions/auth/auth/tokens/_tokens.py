"""Tokens that the system gives out: signed access and ID tokens, and opaque refresh tokens.

Access tokens are signed with ES256, ID tokens with what their client is registered for: RS256, which every
client must support (OpenID Connect Core 1.0, 15.1, "RS256 MUST be supported" by a provider), or ES256.

An access token follows RFC 9068 (`typ: at+jwt`). A refresh token is `<person, family, number>.<HMAC>`: the
successor of a token is derived, never drawn, so that a request that is sent again gets the same answer.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from secrets import token_urlsafe
from typing import Any, Literal, NamedTuple
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from jwt import PyJWK

from ..storage import Session
from ._jwts import InvalidTokenError, Key, check_times, read_jwt
from ._keyring import SIGNING, Keyring, SigningPurpose

__all__ = ["ID_TOKEN_ALGORITHMS", "IdTokenAlgorithm", "RefreshToken", "Tokens"]

type IdTokenAlgorithm = Literal["RS256", "ES256"]
ID_TOKEN_ALGORITHMS: dict[IdTokenAlgorithm, SigningPurpose] = {"RS256": "signing-rsa", "ES256": "signing"}
"""What an ID token can be signed with, the default first, and the purpose of the keys that do it."""

_ACCESS: frozenset[str | None] = frozenset({"at+jwt"})
_IDENTITY: frozenset[str | None] = frozenset({"JWT"})
_MAC_BYTES = 24
_REFRESH_CHARACTERS = 81  # 36 and 24 bytes in base64url, and a dot


class RefreshToken(NamedTuple):
    """What a refresh token says: the person, the family, and which of the family it is, from 0."""

    user: str
    family: str
    number: int


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _signature(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, text: bytes) -> bytes:
    """The signature of a JWS (RFC 7518: 3.3 for RSA, 3.4 for elliptic curves)."""
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(text, PKCS1v15(), SHA256())
    r, s = decode_dss_signature(private.sign(text, ec.ECDSA(SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


class Tokens:
    """Makes and reads tokens.

    Args:
        keyring: The system's secrets.
        issuer: `iss` of the tokens.
        seconds: Life of access and ID tokens.
        now: Seconds since the epoch.
    """

    def __init__(self, keyring: Keyring, issuer: str, seconds: int, now: Callable[[], float]) -> None:
        self._keyring, self._issuer, self.seconds, self._now = keyring, issuer, seconds, now
        self._public: dict[str, Key] = {}

    def access(self, session: Session, scope: str) -> str:
        """An access token of a session, for scopes parted by blanks."""
        claims = {
            "aud": session.audience,
            "sub": session.user,
            "client_id": session.client,
            "scope": scope,
            "sid": session.family,
        }
        return self._sign("at+jwt", claims | {"jti": token_urlsafe(12)})

    def identity(self, user: str, client: str, claims: dict[str, Any], algorithm: IdTokenAlgorithm) -> str:
        """An ID token of OpenID Connect for a client, with further claims such as `nonce`."""
        return self._sign("JWT", {"aud": client, "sub": user} | claims, algorithm)

    def _sign(self, kind: str, claims: dict[str, Any], algorithm: IdTokenAlgorithm = "ES256") -> str:
        key = self._keyring.signing_key(ID_TOKEN_ALGORITHMS[algorithm])
        issued = int(self._now())
        header = {"alg": algorithm, "typ": kind, "kid": key.kid}
        body = {"iss": self._issuer, "iat": issued, "exp": issued + self.seconds} | claims
        signed = ".".join(
            _base64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, body)
        )
        return f"{signed}.{_base64(_signature(key.private, signed.encode()))}"

    def read_access(self, token: str) -> dict[str, Any]:
        """The claims of an access token that has not expired; whether it is still good, the session knows.

        Raises:
            InvalidTokenError: It is not of this issuer, or has expired.
        """
        claims = read_jwt(token, _ACCESS, lambda _, kid: self._keys(kid, "signing"))
        check_times(claims, self._now())
        if claims.get("iss") != self._issuer:
            raise InvalidTokenError("of another issuer")
        return claims

    def read_identity(self, token: str) -> dict[str, Any]:
        """The claims of an ID token of this issuer, expired or not: a hint of who signs out.

        Raises:
            InvalidTokenError: It is not of this issuer.
        """
        claims = read_jwt(token, _IDENTITY, lambda _, kid: self._keys(kid, *SIGNING))
        if claims.get("iss") != self._issuer:
            raise InvalidTokenError("of another issuer")
        return claims

    def _keys(self, kid: str | None, *purposes: SigningPurpose) -> list[Key]:
        """The key of that name; none where the token names none, which ours never do."""
        for purpose in purposes:
            jwk = self._keyring.public_keys(purpose).get(kid or "")
            jwk = jwk or self._keyring.peer_keys(purpose).get(kid or "")
            if jwk is None:
                continue
            if jwk["kid"] not in self._public:
                self._public[jwk["kid"]] = Key(jwk["alg"], PyJWK(jwk, jwk["alg"]).key)
            return [self._public[jwk["kid"]]]
        return []

    def jwks(self) -> dict[str, Any]:
        """The JSON Web Key Set of everybody who verifies our tokens, of whichever region they are."""
        known = (self._keyring.public_keys, self._keyring.peer_keys)
        return {"keys": [jwk for keys in known for each in SIGNING for jwk in keys(each).values()]}

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
