"""Client companies: who they are, and whether a request is really theirs.

A company's server signs each request. With a body, the body is `{"request": "<JWT>"}` and the claims are the
payload; without one the JWT is in the header `Client-Assertion`. Either is bound to method and path (`htm`,
`htu`, as in RFC 9449), names this API as `aud`, lives at most five minutes, and is good once.

An application proves who it is at the token endpoint by an assertion, which libraries make as RFC 7523 has
it: without `iat`, without `kid`, and with an `exp` that is up to an hour ahead.

Each region remembers for itself which `jti` it has seen. So either kind is for one region, and names that
region's API: of two regions that share an issuer, both would take what names the issuer.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from shared.http import ForbiddenError, UnauthorizedError

from ..storage import Once, Store
from ..tokens import SKEW_S, IdTokenAlgorithm, InvalidTokenError, Key, check_times, read_jwt

__all__ = ["REGISTERED", "SCOPES", "Client", "Clients", "SignedRequest", "find_client"]

SCOPES = {
    "accounts": "sign people up, log them in and out, their passwords and second factors",
    "users:read": "read profiles",
    "users:write": "edit profiles",
    "users:erase": "erase accounts",
    "users:export": "export everything that is known of a person",
    "users:merge": "merge accounts",
    "users:import": "import accounts",
    "users:recover": "reset a lost second factor or address of their company's people, after a day",
    "tokens": "introspect and revoke tokens",
}
"""What a client may be allowed to do."""

REGISTERED = frozenset({"iss", "aud", "iat", "nbf", "exp", "jti", "htm", "htu"})
"""Claims of a signed request that are no part of its payload."""

LONGEST_S = 300
AHEAD_S = 3600
"""How far `exp` of an assertion may be ahead: RFC 7523, 3, lets a server refuse one "unreasonably far in the
future"; Authlib's is an hour ahead, openid-client's a minute."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_JTI = re.compile(r"[\x21-\x7e]{8,64}")
_CACHED_S = 30
_REMEMBERED = 1000
_LACKING_S = 1
_REFUSED = "The request is not accepted."


class _Form(NamedTuple):
    """What a client's JWTs are like.

    Attributes:
        types: Values of `typ`; None among them: there may be none.
        names_key: Whether there must be a `kid`; else any key of the client's may have signed.
        life_s, ahead_s: As for `check_times`.
    """

    types: frozenset[str | None]
    names_key: bool
    life_s: int | None
    ahead_s: int | None


_SIGNED_REQUEST = _Form(frozenset({"client-request+jwt"}), names_key=True, life_s=LONGEST_S, ahead_s=None)
_ASSERTION = _Form(
    frozenset({None, "JWT", "client-authentication+jwt"}), names_key=False, life_s=None, ahead_s=AHEAD_S
)


@dataclass(frozen=True)
class Client:
    """A client company, or one of its applications.

    Attributes:
        id: Its name in tokens.
        company: The company whose people it imports.
        api_key_id: Its key at API Gateway; empty for an application that only uses single sign-on.
        scopes: What it may do, of `SCOPES`.
        keys: Its public keys by `kid`; empty for a public application (PKCE alone).
        title: What people read on the consent page.
        trusted: An application of the group itself.
        redirect_uris: Where single sign-on may send people, exactly.
        logout_uris: The same after signing out.
        links: Pages of the company for mails: `verify` and `reset`, with `{token}` where the token goes.
        sign_on_scopes: What it may ask people for, of `sign_on.authorization.SCOPES`.
        resources: Addresses of the APIs that its access tokens are for, the default first.
        registration: Name of this registration, that of no other one under the same `id`.
        id_token_alg: What its ID tokens are signed with.
    """

    id: str
    company: str
    api_key_id: str
    scopes: frozenset[str]
    keys: Mapping[str, Key]
    title: str
    trusted: bool
    redirect_uris: tuple[str, ...]
    logout_uris: tuple[str, ...]
    links: Mapping[str, str]
    sign_on_scopes: frozenset[str]
    resources: tuple[str, ...]
    registration: str
    id_token_alg: IdTokenAlgorithm

    @property
    def asks_consent(self) -> bool:
        """Whether people are asked what it may know.

        Without a key anybody can say that they are this application: trust is in who can prove it.
        """
        return not (self.trusted and self.keys)

    def need(self, scope: str) -> None:
        """Refuse what the client was not allowed.

        Raises:
            ForbiddenError: It lacks the scope.
        """
        if scope not in self.scopes:
            raise ForbiddenError("insufficient_scope", "This client may not do that.")


@dataclass(frozen=True)
class SignedRequest:
    """A request that is a client's.

    Attributes:
        client: Whose.
        payload: The claims that are not registered ones.
        once: What makes it answerable once.
    """

    client: Client
    payload: dict[str, Any]
    once: Once


class Clients:
    """Knows the clients, and reads their requests.

    Args:
        store: The users table; a client is looked up again after half a minute, or when a key is lacking.
        api: Base address of this region's API, the `aud` of requests.
        issuer: The issuer of tokens; the same, unless regions share one.
        now: Seconds since the epoch.
    """

    def __init__(self, store: Store, api: str, issuer: str, now: Callable[[], float] = time.time) -> None:
        self._store, self._api, self._issuer, self._now = store, api, issuer, now
        self._known: dict[str, tuple[float, Client | None]] = {}

    def get(self, client_id: str, kid: str | None = None) -> Client | None:
        """A client; None for one that is not registered.

        Args:
            client_id: Its name.
            kid: A key that it should have: without it the client is looked up again, once in a second.
        """
        read_at, client = self._known.get(client_id, (0.0, None))
        lacking = client is None or (kid is not None and kid not in client.keys)
        if self._now() - read_at > (_LACKING_S if lacking else _CACHED_S):
            client = find_client(self._store, client_id)
            if client is not None and not client.resources:
                company = f"{self._issuer}/companies/{client.company}"
                client = replace(client, resources=(company,))
            if len(self._known) > _REMEMBERED:  # names that strangers try are without number
                self._known.clear()
            self._known[client_id] = (self._now(), client)
        return client

    def request(self, token: str, method: str, path: str, api_key_id: str | None) -> SignedRequest:
        """A signed request to this API.

        Args:
            token: The JWT of the body or of the header.
            method: HTTP method of the request.
            path: Path of the request below the API's base address, `/v1/login`.
            api_key_id: The key that API Gateway let in; None where there is no gateway (`sam local`).

        Raises:
            UnauthorizedError: It is not a registered client's, or not for this request.
        """
        client, claims = self._read(token, _SIGNED_REQUEST)
        if (claims.get("htm"), claims.get("htu")) != (method, path):
            raise _refused("made for another method or path")
        if claims.get("aud") != self._api:
            raise _refused("made for another audience")
        if api_key_id is not None and api_key_id != client.api_key_id:
            raise _refused("another client's API key")
        payload = {name: value for name, value in claims.items() if name not in REGISTERED}
        return SignedRequest(client, payload, self._once(client, claims))

    def assertion(self, token: str) -> tuple[Client, Once]:
        """A client that authenticates itself with a signed assertion (RFC 7523, `private_key_jwt`).

        Its `aud` is this region's API (the issuer, where regions do not share one) or its token endpoint, and
        nobody else: an assertion that names others too could be sent on by them.

        Args:
            token: The assertion.

        Raises:
            UnauthorizedError: It is not a registered client's.
        """
        client, claims = self._read(token, _ASSERTION)
        audience = claims.get("aud")
        if isinstance(audience, list) and len(audience) == 1:  # the same by RFC 7519, 4.1.3
            audience = audience[0]
        if audience not in (self._api, f"{self._api}/oauth2/token"):
            raise _refused("for another audience, or for several")
        if claims.get("sub") != client.id:
            raise _refused("for another subject")
        return client, self._once(client, claims)

    def _read(self, token: str, form: _Form) -> tuple[Client, dict[str, Any]]:
        """The client that signed a token, and its claims."""

        def keys_of(claims: dict[str, Any], kid: str | None) -> list[Key]:
            client = self.get(claims["iss"], kid) if isinstance(claims.get("iss"), str) else None
            if client is None:
                raise InvalidTokenError("iss is no client")
            if kid is None and form.names_key:
                raise InvalidTokenError("no kid")
            keys = [key for name, key in client.keys.items() if kid in (None, name)]
            if not keys:
                raise InvalidTokenError("the client has no key, or none of that kid")
            return keys

        try:
            claims = read_jwt(token, form.types, keys_of)
            check_times(claims, self._now(), life_s=form.life_s, ahead_s=form.ahead_s)
        except InvalidTokenError as error:
            raise _refused(str(error)) from error
        client = self.get(claims["iss"])
        if client is None:
            raise _refused("iss is no client")
        if not isinstance(claims.get("jti"), str) or not _JTI.fullmatch(claims["jti"]):
            raise _refused("no jti of 8 to 64 characters without blanks")
        return client, claims

    @staticmethod
    def _once(client: Client, claims: dict[str, Any]) -> Once:
        """What makes a request answerable once: its `jti`, remembered while it could be sent again."""
        return Once(client.id, claims["jti"], int(claims["exp"]) + SKEW_S + 1)


def _refused(reason: str) -> UnauthorizedError:
    error = UnauthorizedError("invalid_client", _REFUSED)
    error.add_note(reason)  # for the log
    return error


def find_client(store: Store, client_id: str) -> Client | None:
    """A client as it is registered now; None for one that is not."""
    record = store.clients.get(client_id) if _NAME.fullmatch(client_id) else None
    if record is None:
        return None
    keys = {}
    for jwk in record["keys"]:
        try:
            keys[jwk["kid"]] = Key(jwk["alg"], PyJWK(jwk, jwk["alg"]).key)
        except PyJWTError:  # a key that cannot be read signs nothing
            continue
    return Client(
        client_id,
        record["company"],
        record["api_key_id"],
        frozenset(record["scopes"]),
        keys,
        record["title"],
        record["trusted"],
        tuple(record["redirect_uris"]),
        tuple(record["logout_uris"]),
        record["links"],
        # What older records lack is the least that there is, and what there was before there was a choice.
        frozenset(record.get("sign_on_scopes", ["openid"])),
        tuple(record.get("resources", ())),
        record.get("registration", ""),
        record.get("id_token_alg", "ES256"),
    )
