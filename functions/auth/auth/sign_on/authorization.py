"""The authorization endpoint: an application's request, who is there, whether they consent, and a code.

RFC 6749 and OpenID Connect Core 1.0, as narrow as RFC 9700 has it: the code flow alone, always with PKCE and
S256, to a registered address that is compared character by character, with `iss` in the answer (RFC 9207).

The request travels through the forms as it came and is checked anew each time, so nothing of it is stored
before there is a code. What is wrong with the application or its address is said on a page; of everything
else the application is told.
"""

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_urlsafe
from urllib.parse import parse_qsl, urlencode

from shared.http import (
    Answer,
    BadRequestError,
    BusyError,
    ForbiddenError,
    HttpError,
    Request,
    TooManyRequestsError,
    UnauthorizedError,
)

from ..clients import Client
from ..credentials.logins import (
    Attempt,
    Proof,
    RateLimit,
    SecondFactorRequiredError,
    StaleSignInError,
    attempted,
    prove,
    prove_code,
    recognise_device,
    visitor_limit,
)
from ..credentials.mfa import Code
from ..identity import Document, normalise_email
from ..services import Services
from ..storage import Alias, AuthorizationCode, LostRaceError, Write, cookie_hash
from ..tokens import InvalidTokenError
from . import pages
from .browsers import Browser, cookie

__all__ = ["PROMPTS", "SCOPES", "authorize", "decide", "log_in", "resume", "second_factor"]

SCOPES = {
    "openid": "recognise you when you come back",
    "profile": "see your name, birthday, language and country",
    "email": "see your e-mail address",
    "phone": "see your telephone number",
    "offline_access": "keep this access while you are away, for {days} days at most",
}
"""What an application can ask for, in words that people read; `{days}` is how long a session lasts."""

CODE_S = 60
REMEMBERED_S = 3600  # for which a code that was redeemed is remembered as one
SECOND_FACTOR_S = 300
_TRIES = 4
_LONGEST = 2048
_PARAMETERS = (
    "response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce", "prompt",
    "max_age", "login_hint", "id_token_hint", "code_challenge", "code_challenge_method", "resource",
)  # fmt: skip
_NOT_SUPPORTED = ("request", "request_uri", "registration")
PROMPTS = {"none", "login", "consent", "select_account"}
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class _DeclinedError(Exception):
    """The application gets no code, and is told why (RFC 6749, 4.1.2.1)."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(code)
        self.code, self.description = code, description


@dataclass(frozen=True)
class Asked:
    """An authorization request that is in order.

    Attributes:
        client: Whose it is.
        redirect_uri: Where the answer goes.
        state: What the answer repeats; empty for nothing.
        nonce: What the ID token repeats; empty for nothing.
        scopes: What is asked for, of `SCOPES`.
        resource: Whom access tokens have to be for (RFC 8707); empty for what the application chooses later.
        challenge: PKCE's challenge.
        prompt: Pages that have to be shown whatever is known already; or `none`.
        max_age: For how many seconds a log-in counts; None for as long as the session.
        login_hint: Who is expected to log in.
        subject: Who has to be signed in; empty for anybody.
        text: The request as a query.
    """

    client: Client
    redirect_uri: str
    state: str
    nonce: str
    scopes: tuple[str, ...]
    resource: str
    challenge: str
    prompt: frozenset[str]
    max_age: int | None
    login_hint: str
    subject: str
    text: str

    def accepts(self, browser: Browser, now: float) -> bool:
        """Whether nobody has to log in."""
        if not browser.user or self.prompt & {"login", "select_account"}:
            return False
        if self.subject not in ("", browser.user):
            return False
        return self.max_age is None or now - browser.auth_time <= self.max_age


# ---- endpoints


def authorize(services: Services, request: Request) -> Answer:
    """`GET /oauth2/authorize`: a code, or the page that is needed before.

    Raises:
        BadRequestError: The application or its address is unknown.
    """
    browser = Browser.of(services, request)
    return _answered(
        services,
        request.query,
        request.repeated,
        lambda asked: _proceed(services, asked, browser, is_signed_in=asked.accepts(browser, services.now())),
    )


def resume(services: Services, request: Request) -> Answer:  # noqa: ARG001
    """`POST /oauth2/authorize`: the same by GET, with which browsers send our cookie from other sites too."""
    return pages.redirect(f"authorize?{urlencode(request.form())}")


def log_in(services: Services, request: Request) -> Answer:
    """`POST /oauth2/login`: an address and a password.

    Raises:
        BadRequestError: The form or the request that it carries is not one that this function made.
    """
    form = request.form()
    browser = Browser.of(services, request)
    email = form.get("email", "")[:254]
    password = form.get("password", "")
    limit = visitor_limit(services, request.source_ip)

    def answer(asked: Asked) -> Answer:
        if not browser.sealed(services, form.get("seal", ""), "login", asked.text):
            return _stale(asked)
        alias = Alias("email", "")
        try:
            alias = services.alias("email", normalise_email(email))
            return _enter(
                services,
                asked,
                browser,
                alias,
                limit,
                lambda attempt: prove(services, attempt, password, None, asked.client.id, None),
            )
        except SecondFactorRequiredError as required:
            since = str(int(services.now()))
            return _ask_code(services, asked, browser, (alias.text, since, required.epoch))
        except (BadRequestError, UnauthorizedError, ForbiddenError, TooManyRequestsError) as error:
            return _refused(error, _ask_password(services, asked, browser, email, error.message))

    return _carried(services, form, answer)


def second_factor(services: Services, request: Request) -> Answer:
    """`POST /oauth2/second-factor`: a code or a recovery code, after the password was right a moment ago.

    Raises:
        BadRequestError: The form or the request that it carries is not one that this function made.
    """
    form = request.form()
    browser = Browser.of(services, request)
    who, since, epoch = begun = form.get("who", ""), form.get("since", ""), form.get("epoch", "")
    limit = visitor_limit(services, request.source_ip)
    is_recovery = "recovery_code" in form
    code = Code(form.get("recovery_code" if is_recovery else "code", ""), is_recovery)

    def answer(asked: Asked) -> Answer:
        sealed = browser.sealed(services, form.get("seal", ""), "second-factor", asked.text, *begun)
        if not sealed or services.now() > int(since) + SECOND_FACTOR_S:
            return _stale(asked)
        try:
            return _enter(
                services,
                asked,
                browser,
                Alias.of_text(who),
                limit,
                lambda attempt: prove_code(services, attempt, code, asked.client.id, epoch),
            )
        except StaleSignInError:
            return _stale(asked)
        except (UnauthorizedError, TooManyRequestsError) as error:
            page = _ask_code(services, asked, browser, begun, error.message, recovery=is_recovery)
            return _refused(error, page)

    return _carried(services, form, answer)


def decide(services: Services, request: Request) -> Answer:
    """`POST /oauth2/consent`: whether the application may.

    Raises:
        BadRequestError: The form or the request that it carries is not one that this function made.
    """
    form = request.form()
    browser = Browser.of(services, request)

    def answer(asked: Asked) -> Answer:
        # The seal shows as well that whoever had to log in for this request did so.
        if not browser.user or not browser.sealed(services, form.get("seal", ""), "consent", asked.text):
            return _stale(asked)
        if form.get("decision") != "allow":
            raise _DeclinedError("access_denied", "The person does not allow it.")
        client = asked.client
        granted = services.store.grants.add(
            browser.user, browser.cleaned, client.id, client.registration, asked.scopes
        )
        audit = services.store.audit.add(browser.user, "consent", asked.client.id)
        return _give_code(services, asked, browser, granted, audit)

    return _carried(services, form, answer)


# ---- the request


def _answered(
    services: Services,
    given: Mapping[str, str],
    repeated: Collection[str],
    answer: Callable[[Asked], Answer],
) -> Answer:
    """The answer to a request; to the application, if it has to be told why there is none."""
    given = {name: value for name, value in given.items() if value}  # RFC 6749, 3.1: empty means absent
    client = services.clients.get(given.get("client_id", ""))
    redirect_uri = given.get("redirect_uri", "")
    if (
        client is None
        or redirect_uri not in client.redirect_uris
        or not {"client_id", "redirect_uri"}.isdisjoint(repeated)
    ):
        raise BadRequestError(
            "unknown_application", "The application that sent you here is not known, or gave a wrong address."
        )
    state = "" if "state" in repeated else given.get("state", "")[:_LONGEST]
    try:
        if repeated:
            raise _DeclinedError("invalid_request", "A parameter is repeated.")  # noqa: TRY301
        return answer(_read(services, client, given))
    except _DeclinedError as declined:
        told = {"error": declined.code, "error_description": declined.description}
        return _to_application(services, redirect_uri, told, state)


def _carried(services: Services, form: Mapping[str, str], answer: Callable[[Asked], Answer]) -> Answer:
    """The answer to the request that a form carries."""
    pairs = parse_qsl(form.get("request", ""))
    given = dict(pairs)
    repeated = {name for name in given if [each for each, _ in pairs].count(name) > 1}
    return _answered(services, given, repeated, answer)


def _read(services: Services, client: Client, given: Mapping[str, str]) -> Asked:
    """A request of a known application with a registered address."""
    given = {name: given[name] for name in (*_PARAMETERS, *_NOT_SUPPORTED) if name in given}
    _check_response(given)
    scopes = tuple(scope for scope in SCOPES if scope in given.get("scope", "").split(" "))
    if "openid" not in scopes:
        raise _DeclinedError("invalid_scope", "scope must have openid.")
    if beyond := [scope for scope in scopes if scope not in client.sign_on_scopes]:
        raise _DeclinedError("invalid_scope", f"The application may not ask for {' '.join(beyond)}.")
    if given.get("resource", client.resources[0]) not in client.resources:
        raise _DeclinedError("invalid_target", "resource is none that the application is registered for.")
    challenge = given.get("code_challenge", "")
    if given.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise _DeclinedError("invalid_request", "PKCE with the method S256 is required.")
    prompt = frozenset(given.get("prompt", "").split())
    if prompt - PROMPTS or ("none" in prompt and len(prompt) > 1):
        raise _DeclinedError("invalid_request", "prompt is not one that is known, or not alone.")
    max_age = given.get("max_age")
    if max_age is not None and not re.fullmatch(r"[0-9]{1,9}", max_age):
        raise _DeclinedError("invalid_request", "max_age must be a number of seconds.")
    return Asked(
        client=client,
        redirect_uri=given["redirect_uri"],
        state=given.get("state", ""),
        nonce=given.get("nonce", ""),
        scopes=scopes,
        resource=given.get("resource", ""),
        challenge=challenge,
        prompt=prompt,
        max_age=None if max_age is None else int(max_age),
        login_hint=given.get("login_hint", "")[:254],
        subject=_subject(services, given["id_token_hint"]) if "id_token_hint" in given else "",
        text=urlencode(given),
    )


def _check_response(given: Mapping[str, str]) -> None:
    """Decline what is not supported, too long, or asks for another response than a code in the query."""
    for name in _NOT_SUPPORTED:
        if name in given:
            raise _DeclinedError(f"{name}_not_supported", f"The parameter {name} is not supported.")
    if any(len(value) > _LONGEST for value in given.values()):
        raise _DeclinedError("invalid_request", "A parameter is too long.")
    if "response_type" not in given:
        raise _DeclinedError("invalid_request", "response_type is missing.")
    if given["response_type"] != "code":
        raise _DeclinedError("unsupported_response_type", "response_type must be code.")
    if given.get("response_mode", "query") != "query":
        raise _DeclinedError("invalid_request", "response_mode must be query.")


def _subject(services: Services, hint: str) -> str:
    try:
        return str(services.tokens.read_identity(hint)["sub"])
    except InvalidTokenError as error:
        raise _DeclinedError("invalid_request", "id_token_hint is not an ID token of this issuer.") from error


# ---- who is there, and what they allow


def _proceed(
    services: Services,
    asked: Asked,
    browser: Browser,
    *,
    is_signed_in: bool,
    document: Document | None = None,
) -> Answer:
    """What comes next: log-in, consent, or a code."""
    if not is_signed_in:
        if "none" in asked.prompt:
            raise _DeclinedError("login_required", "Nobody is signed in, or not as the request wants it.")
        return _ask_password(services, asked, browser, asked.login_hint)
    if asked.subject not in ("", browser.user):
        raise _DeclinedError("login_required", "Somebody else is signed in.")
    if "consent" in asked.prompt or (asked.client.asks_consent and not _granted(services, asked, browser)):
        if "none" in asked.prompt:
            raise _DeclinedError("consent_required", "The person has not consented yet.")
        document = document or services.open(services.find(browser.user))
        carried = {"request": asked.text, "seal": browser.seal(services, "consent", asked.text)}
        wishes = [SCOPES[scope].format(days=services.settings.refresh_days) for scope in asked.scopes]
        return pages.consent(asked.client, carried, wishes, document["email"] or browser.user)
    return _give_code(
        services, asked, browser, services.store.audit.add(browser.user, "sign_on", asked.client.id)
    )


def _enter(
    services: Services,
    asked: Asked,
    browser: Browser,
    alias: Alias,
    limit: RateLimit,
    proof: Callable[[Attempt], Proof],
) -> Answer:
    """Let somebody in who proves who they are; a proof that loses a race is asked for again."""
    for _ in range(_TRIES):
        try:
            with attempted(services, alias, limit) as attempt:
                shown = proof(attempt)
                entered, writes = browser.begin(services, shown.user)
                audit = services.store.audit.add(shown.user.id, "login", asked.client.id)
                device = recognise_device(services, attempt, shown, asked.client.id)
                services.store.commit(*shown.writes, *writes, audit, *device)
        except LostRaceError:
            continue
        with suppress(BusyError):  # the next log-in counts again
            services.sessions.trim(shown.user.id, "")
        answer = _proceed(services, asked, entered, is_signed_in=True, document=shown.document)
        return _with_cookie(services, entered, answer)
    raise BusyError("busy", "The account is being changed right now; try again in a moment.")


def _ask_password(
    services: Services, asked: Asked, browser: Browser, email: str, problem: str = ""
) -> Answer:
    carried = {"request": asked.text, "seal": browser.seal(services, "login", asked.text)}
    return _with_cookie(services, browser, pages.login(asked.client, carried, email, problem))


def _ask_code(
    services: Services,
    asked: Asked,
    browser: Browser,
    begun: tuple[str, str, str],
    problem: str = "",
    *,
    recovery: bool = False,
) -> Answer:
    """The page that asks for a code, from who began to sign in: by which alias, when, and at which epoch."""
    seal = browser.seal(services, "second-factor", asked.text, *begun)
    carried = dict(zip(("request", "who", "since", "epoch", "seal"), (asked.text, *begun, seal), strict=True))
    return pages.second_factor(asked.client, carried, problem, recovery=recovery)


def _with_cookie(services: Services, browser: Browser, answer: Answer) -> Answer:
    if not browser.known:
        answer["headers"]["Set-Cookie"] = cookie(services.issuer, browser.value)
    return answer


def _refused(error: HttpError, page: Answer) -> Answer:
    return page | {"statusCode": error.status, "headers": page["headers"] | error.headers}


def _stale(asked: Asked) -> Answer:
    message = "The page was open for too long, or somebody signed in or out or changed the account meanwhile."
    return pages.error(403, message, f"authorize?{asked.text}")


def _granted(services: Services, asked: Asked, browser: Browser) -> bool:
    client = asked.client
    granted = services.store.grants.scopes(browser.user, browser.cleaned, client.id, client.registration)
    return granted is not None and set(asked.scopes) <= granted


# ---- the answer


def _give_code(services: Services, asked: Asked, browser: Browser, *writes: Write) -> Answer:
    code = token_urlsafe(32)
    now = int(services.now())
    stands_for = AuthorizationCode(
        client=asked.client.id,
        redirect_uri=asked.redirect_uri,
        challenge=asked.challenge,
        nonce=asked.nonce,
        scope=" ".join(asked.scopes),
        user=browser.user,
        cookie_hash=cookie_hash(browser.value),
        sid=browser.sid,
        auth_time=browser.auth_time,
        good_until=now + CODE_S,
        expires=now + REMEMBERED_S,
        epoch=browser.epoch,
        registration=asked.client.registration,
        resource=asked.resource,
    )
    unchanged = services.store.users.epoch_is(browser.user, browser.epoch)
    try:
        services.store.commit(services.store.codes.create(code, stands_for), unchanged, *writes)
    except LostRaceError:  # a credential was changed meanwhile
        return _proceed(services, asked, Browser(browser.value, browser.known), is_signed_in=False)
    return _to_application(services, asked.redirect_uri, {"code": code}, asked.state)


def _to_application(services: Services, redirect_uri: str, told: Mapping[str, str], state: str) -> Answer:
    parameters = {**told, **({"state": state} if state else {}), "iss": services.issuer}
    return pages.redirect(f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(parameters)}")
