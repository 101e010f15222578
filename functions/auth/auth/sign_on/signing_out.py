"""The end-session endpoint (OpenID Connect RP-Initiated Logout 1.0).

Who shows an ID token of the person that is signed in needs no confirmation; anybody else may only ask the
person. All that came from the session in this browser ends with it.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from shared.http import Answer, BadRequestError, Request

from ..clients import Client
from ..services import Services
from ..tokens import InvalidTokenError
from . import pages
from .browsers import Browser, cookie

__all__ = ["confirm", "resume", "sign_out"]

_PARAMETERS = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")


@dataclass(frozen=True)
class _Asked:
    """A request to sign out.

    Attributes:
        client: The application that sent it; None for nobody in particular.
        user: Whom its ID token is of; empty without one.
        sid: The session that it names; empty without one.
        back: Where to go afterwards; empty for nowhere.
        text: The request as a query.
    """

    client: Client | None
    user: str
    sid: str
    back: str
    text: str


def sign_out(services: Services, request: Request) -> Answer:
    """`GET /oauth2/logout`: sign out, or ask whether that is wanted.

    Raises:
        BadRequestError: The application or its address is unknown, or a parameter is repeated.
    """
    if request.repeated:
        raise BadRequestError("invalid_request", "A parameter is repeated.")
    asked = _read(services, request.query)
    browser = Browser.of(services, request)
    if browser.user and browser.user != asked.user:
        carried = {"request": asked.text, "seal": browser.seal(services, "logout", asked.text)}
        return pages.sign_out(asked.client, carried)
    if asked.sid:
        _end(services, asked.user, asked.sid, asked.client)
    return _done(services, asked, browser)


def resume(services: Services, request: Request) -> Answer:  # noqa: ARG001
    """`POST /oauth2/logout`: the same by GET, with which browsers send our cookie from other sites too."""
    return pages.redirect(f"logout?{urlencode(request.form())}")


def confirm(services: Services, request: Request) -> Answer:
    """`POST /oauth2/logout/confirm`: the person wants it.

    Raises:
        BadRequestError: The form or the request that it carries is not one that this function made.
    """
    form = request.form()
    asked = _read(services, dict(parse_qsl(form.get("request", ""))))
    browser = Browser.of(services, request)
    if not browser.sealed(services, form.get("seal", ""), "logout", asked.text):
        message = "The page was open for too long, or somebody signed in or out in another tab meanwhile."
        return pages.error(403, message, f"../logout?{asked.text}")
    return _done(services, asked, browser)


def _read(services: Services, given: Mapping[str, str]) -> _Asked:
    given = {name: given[name] for name in _PARAMETERS if given.get(name)}
    claims = {}
    with suppress(InvalidTokenError):  # there is none, or its key has been forgotten: the person is asked
        claims = services.tokens.read_identity(given.get("id_token_hint", ""))
    named = given.get("client_id", claims.get("aud", ""))
    client = services.clients.get(named)
    if named and (client is None or named != claims.get("aud", named)):
        raise BadRequestError("unknown_application", "The application that sent you here is not known.")
    back = given.get("post_logout_redirect_uri", "")
    if back and (client is None or back not in client.logout_uris):
        raise BadRequestError(
            "unknown_application", "The application that sent you here gave a wrong address."
        )
    if back and "state" in given:
        back += f"{'&' if '?' in back else '?'}{urlencode({'state': given['state']})}"
    return _Asked(client, claims.get("sub", ""), claims.get("sid", ""), back, urlencode(given))


def _done(services: Services, asked: _Asked, browser: Browser) -> Answer:
    if browser.user:
        _end(services, browser.user, browser.sid, asked.client)
    answer = pages.redirect(asked.back) if asked.back else pages.signed_out()
    answer["headers"]["Set-Cookie"] = cookie(services.issuer, "")
    return answer


def _end(services: Services, user: str, sid: str, client: Client | None) -> None:
    ended = services.sessions.end_browser(user, sid)
    services.store.commit_each(ended)
    if ended:
        services.store.commit(services.store.audit.add(user, "logout", client.id if client else ""))
