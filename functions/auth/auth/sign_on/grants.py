"""The token endpoint (RFC 6749; OpenID Connect Core 1.0, sections 3.1.3 and 12) and revocation (RFC 7009).

A code is exchanged once, by the application that it was made for, which shows PKCE's verifier; redeemed again
it ends what it had led to. The session in the browser must still be there: who signs out within the minute of
a code leaves nothing behind.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any

from shared.http import Answer, BadRequestError, BusyError, Request, UnauthorizedError, json_answer

from ..clients import Client
from ..services import Services
from ..storage import LostRaceError, Once

__all__ = ["ASSERTION", "revoke", "token"]

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def token(services: Services, request: Request) -> Answer:
    """`POST /oauth2/token`.

    Raises:
        BadRequestError: The grant is not good; the code says why, as RFC 6749 has it.
        UnauthorizedError: The client is not who it claims to be, or the refresh token is not good.
    """
    form = request.form()
    client, once = _client(services, request, form)
    with services.store.remembering(once):
        if "grant_type" not in form:
            raise BadRequestError("invalid_request", "grant_type is missing.")
        if form["grant_type"] == "authorization_code":
            return json_answer(200, _exchange(services, form, client, once))
        if form["grant_type"] == "refresh_token":
            return json_answer(200, _refresh(services, form, client, once))
        raise BadRequestError(
            "unsupported_grant_type", "grant_type must be authorization_code or refresh_token."
        )


def revoke(services: Services, request: Request) -> Answer:
    """`POST /oauth2/revoke`: end the session of a token; one that is not good is no error (RFC 7009, 2.2).

    Raises:
        BadRequestError: There is no token, or it is another client's (2.1: "the request is refused").
        UnauthorizedError: The client is not who it claims to be.
    """
    form = request.form()
    client, once = _client(services, request, form)
    with services.store.remembering(once):
        if "token" not in form:
            raise BadRequestError("invalid_request", "token is missing.")
        if services.sessions.introspect(form["token"]).get("client_id", client.id) != client.id:
            raise BadRequestError("unauthorized_client", "The token is another client's.")
        services.sessions.revoke(form["token"], client.id, once)
    # Clients ignore the body (RFC 7009, 2.2), but idpyoidc takes an empty object for a fault.
    return json_answer(200, {"active": False})


def _client(services: Services, request: Request, form: Mapping[str, str]) -> tuple[Client, Once | None]:
    """Who asks; an application without keys says so, one with keys proves it."""
    if "authorization" in request.headers or "client_secret" in form:
        refused = UnauthorizedError("invalid_client", "There are no client secrets; use private_key_jwt.")
        if "authorization" in request.headers:
            # RFC 6749, 5.2: the challenge matches the scheme that the client used, which always is this one.
            refused.headers = {"WWW-Authenticate": f'Basic realm="{services.issuer}"'}
        raise refused
    if "client_assertion" in form or "client_assertion_type" in form:
        if form.get("client_assertion_type") != ASSERTION:
            raise UnauthorizedError("invalid_client", "client_assertion_type is not the one for JWTs.")
        client, once = services.clients.assertion(form.get("client_assertion", ""))
        if form.get("client_id", client.id) != client.id:
            raise UnauthorizedError("invalid_client", "client_id is another client's.")
        return client, once
    public = services.clients.get(form.get("client_id", ""))
    if public is None or public.keys:
        raise UnauthorizedError("invalid_client", "The client is unknown, or has to prove who it is.")
    return public, None


def _exchange(
    services: Services, form: Mapping[str, str], client: Client, once: Once | None
) -> dict[str, Any]:
    store, code = services.store, form.get("code", "")
    for _ in range(2):
        found = store.codes.get(code)
        if found is None or (found.client, found.registration) != (client.id, client.registration):
            raise _bad_grant()
        user, scopes = store.users.get(found.user), found.scope.split()
        if found.family:
            reuse = store.audit.add(found.user, "sign_on", client.id, "reused")
            store.commit(store.sessions.delete(found.user, found.family), reuse, once=once)
            raise _bad_grant()
        if (
            user is None
            or user.epoch != found.epoch
            or services.now() > found.good_until
            or form.get("redirect_uri") != found.redirect_uri
            or not _proves(form.get("code_verifier", ""), found.challenge)
        ):
            raise _bad_grant()
        family, began, tokens = services.sessions.begin(
            user, client, found.scope, found.auth_time, sid=found.sid, lasting="offline_access" in scopes,
            audience=_resource(form, client, found.resource),
        )  # fmt: skip
        redeemed = store.codes.redeem(code, family)
        still_there = store.browsers.exists(user.id, found.cookie_hash)
        unchanged = store.users.epoch_is(user.id, user.epoch)
        try:
            store.commit(redeemed, still_there, unchanged, began, once=once)
        except LostRaceError:
            continue  # somebody was faster, the person signed out, or a credential was changed
        with suppress(BusyError):  # the next one ends what is too many
            services.sessions.trim(user.id, family)
        more = {"sid": found.sid} | ({"nonce": found.nonce} if found.nonce else {})
        return tokens | _identity(services, user.id, client, tokens, found.auth_time, more)
    raise _bad_grant()


def _resource(form: Mapping[str, str], client: Client, granted: str) -> str:
    """Whom the access token is for: what is asked for now, else what was at the authorization endpoint.

    Raises:
        BadRequestError: The client is not registered for it, or another one was granted (RFC 8707, 2.2).
    """
    asked = form.get("resource") or granted
    if (asked and asked not in client.resources) or granted not in ("", asked):
        raise BadRequestError("invalid_target", "resource is none that the application has, or was granted.")
    return asked


def _refresh(
    services: Services, form: Mapping[str, str], client: Client, once: Once | None
) -> dict[str, Any]:
    session, tokens = services.sessions.refresh(
        form.get("refresh_token", ""), client, once, scope=form.get("scope", ""),
        resource=form.get("resource", ""),
    )  # fmt: skip
    if "openid" not in tokens["scope"].split():
        return tokens
    sid = {"sid": session.sid} if session.sid else {}
    return tokens | _identity(services, session.user, client, tokens, session.auth_time, sid)


def _identity(
    services: Services,
    user: str,
    client: Client,
    tokens: Mapping[str, Any],
    auth_time: int,
    more: Mapping[str, str],
) -> dict[str, str]:
    half = sha256(tokens["access_token"].encode()).digest()[:16]
    claims = {"auth_time": auth_time, "at_hash": _base64(half), **more}
    return {"id_token": services.tokens.identity(user, client.id, claims, client.id_token_alg)}


def _proves(verifier: str, challenge: str) -> bool:
    ours = _base64(sha256(verifier.encode()).digest())
    return bool(_VERIFIER.fullmatch(verifier)) and hmac.compare_digest(ours, challenge)


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bad_grant() -> BadRequestError:
    return BadRequestError(
        "invalid_grant", "The code is not valid, or no longer, or was made for another request."
    )
