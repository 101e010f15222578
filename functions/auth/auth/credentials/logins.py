"""Proving who somebody is by a password, and a second factor where there is one.

Whatever the reason, a refused log-in looks the same: one answer, the hash always computed, and never before
a fixed time has passed, which is above the slowest hash that is accepted. Attempts are counted for each
identifier, known or not, before the password is looked at, and for each client when they failed.
"""

import math
from dataclasses import dataclass

from ..errors import ForbiddenError, TooManyRequestsError, UnauthorizedError
from ..identity import Document
from ..services import Services
from ..settings import AuthSettings
from ..storage import Attempts, Once, User, Write
from . import mfa, passwords

__all__ = ["Proof", "Standing", "after_failure", "judge", "opened", "prove", "prove_code"]

_FORGET_MS = 3_600_000
_LONGEST_WAIT_S = 60
_CLIENT_WINDOW_S = 60
_LOOK_AGAIN_S = 5
_REMEMBERED = 1000


@dataclass(frozen=True)
class Standing:
    """How an identifier stands at a log-in.

    Attributes:
        failed: Log-ins in a row that did not succeed, this one included until it does.
        locked_ms: Time until which every log-in fails; milliseconds since the epoch, 0 if it is not locked.
        forgotten: How many of those that were counted no longer count.
    """

    failed: int
    locked_ms: int = 0
    forgotten: int = 0


@dataclass(frozen=True)
class Proof:
    """Somebody proved to be a person.

    Attributes:
        user: The record, as it is after the writes.
        document: Its document.
        writes: What has to be written for it to count.
    """

    user: User
    document: Document
    writes: tuple[Write, ...]


def judge(attempts: Attempts, now_ms: int, settings: AuthSettings) -> Standing:
    """How an identifier stands.

    Args:
        attempts: What was counted.
        now_ms: Milliseconds since the epoch.
        settings: The limits.

    Raises:
        TooManyRequestsError: It has to wait; says for how long.
    """
    if attempts.wait_ms > now_ms:
        after = math.ceil((attempts.wait_ms - now_ms) / 1000)
        raise TooManyRequestsError("too_many_attempts", "Too many attempts; try again later.", after)
    if attempts.locked_ms > now_ms:
        return Standing(attempts.failed, attempts.locked_ms)
    if attempts.locked_ms or now_ms - attempts.last_ms > _FORGET_MS:
        return Standing(1, forgotten=attempts.failed - 1)  # a lock that is over, or old attempts
    # Guesses made side by side are all counted before the first has failed.
    over = attempts.failed > settings.lock_attempts
    return Standing(attempts.failed, now_ms + 1000 * settings.lock_seconds if over else 0)


def after_failure(standing: Standing, now_ms: int, settings: AuthSettings) -> dict[str, int]:
    """What a failed log-in changes, as `Store.attempts` takes it.

    Of log-ins side by side the last to end must not undo what another one decided: nothing is set back.
    """
    changes: dict[str, int] = {}
    if standing.forgotten:
        changes = {"add": -standing.forgotten, "wait": 0, "locked": 0}
    if standing.locked_ms:
        changes["locked"] = standing.locked_ms
    elif standing.failed >= settings.lock_attempts:
        changes["locked"] = now_ms + 1000 * settings.lock_seconds
    elif standing.failed > settings.free_attempts:
        wait_s = min(2 ** (standing.failed - settings.free_attempts), _LONGEST_WAIT_S)
        changes["wait"] = now_ms + 1000 * wait_s
    return changes


def prove(
    services: Services,
    alias: str,
    password: str,
    code: str | None,
    client_id: str,
    once: Once | None,
    *,
    second_factor: bool = True,
    guesser: str = "",
) -> Proof:
    """Prove by a password, and a code of the second factor if there is one, that somebody is a person.

    Args:
        services: The services.
        alias: `E#<index>` or `P#<index>` of the identifier.
        password: The password.
        code: Six digits of the second factor; None if none were given.
        client_id: By whose server, or for which application.
        once: The request, for the trace that a refused one leaves.
        second_factor: Whether a code is asked for where there is a second factor.
        guesser: For whom a failure counts, if not for the client: at our own pages, who sits there.

    Returns:
        The proof; its writes are to be committed with whatever follows from it.

    Raises:
        UnauthorizedError: Not proved: `invalid_credentials`, or `second_factor_required`.
        ForbiddenError: Proved, and the address was never verified.
        TooManyRequestsError: The identifier or the client has to wait.
    """
    started = services.now()
    guesser = guesser or client_id
    standing, user, document = _begun(services, alias, guesser)
    verdict = passwords.verify(password, document["secret"], dict(document.family("old_hash")))

    spent = None
    if standing.locked_ms:
        outcome = "locked"
    elif user is None:
        outcome = "unknown"
    elif not verdict.matched:
        outcome = "wrong_password"
    elif (
        document["totp"] and code is not None and (spent := mfa.spend(services, user, document, code)) is None
    ):
        outcome = "wrong_code"
    else:
        outcome = "ok"
    if user is None or outcome != "ok":
        audit = services.audit(user.id if user else alias, "login", client_id, outcome)
        _refuse(services, alias, standing, audit, guesser, once)
        services.floor(started)
        raise UnauthorizedError("invalid_credentials", "The name or the password is wrong.")

    if user.status == "unverified":
        services.store.commit(opened(services, alias), once=once)
        raise ForbiddenError("unverified", "The e-mail address has not been verified yet.")
    if second_factor and document["totp"] and spent is None:
        forgotten = {"wait": 0, "locked": 0} if standing.forgotten else {}
        uncounted = services.store.attempts(alias, add=-1 - standing.forgotten, **forgotten)
        services.store.commit(uncounted, once=once)
        raise UnauthorizedError("second_factor_required", "A code of the second factor is needed too.")
    writes = [opened(services, alias)] + ([spent] if spent else [])
    if not verdict.upgrade:
        writes.append(services.store.unchanged(user))  # or a password that was changed meanwhile lets in
    else:
        before = user
        replaced = {f"old_hash.{company}": None for company, _ in document.family("old_hash")}
        secret = passwords.hash_password(password)
        document.edit({"secret": secret} | replaced, services.now_ms, services.region)
        user, save = services.close(before, before, document)
        writes.append(save)
    return Proof(user, document, tuple(writes))


def prove_code(services: Services, alias: str, code: str, client_id: str, *, guesser: str) -> Proof:
    """Prove by a code of the second factor, after the password was proved; for the arguments see `prove`.

    Raises:
        UnauthorizedError: The code is wrong or was used before, or the identifier is locked.
        TooManyRequestsError: The identifier or the guesser has to wait.
    """
    started = services.now()
    standing, user, document = _begun(services, alias, guesser)
    spent = None
    if user is not None and document["totp"] and not standing.locked_ms:
        spent = mfa.spend(services, user, document, code)
    if user is None or spent is None:
        outcome = "locked" if standing.locked_ms else "wrong_code"
        audit = services.audit(user.id if user else alias, "login", client_id, outcome)
        _refuse(services, alias, standing, audit, guesser, None)
        services.floor(started)
        raise UnauthorizedError("wrong_code", "The code is wrong, or was used before.")
    return Proof(user, document, (opened(services, alias), spent, services.store.unchanged(user)))


def _begun(services: Services, alias: str, guesser: str) -> tuple[Standing, User | None, Document]:
    """Count an attempt; how the identifier stands, whose it is, and what is known of them."""
    _guesser_may_try(services, guesser)
    attempts = services.store.try_login(alias)
    standing = judge(attempts, services.now_ms, services.settings)
    user = services.store.user(attempts.user) if attempts.user else None
    return standing, user, services.open(user) if user and user.sealed else Document()


def opened(services: Services, alias: str) -> Write:
    """The write that forgets the failures of an identifier, and its lock."""
    return services.store.attempts(alias, failed=0, wait=0, locked=0)


def _refuse(
    services: Services, alias: str, standing: Standing, audit: Write, guesser: str, once: Once | None
) -> None:
    changes = after_failure(standing, services.now_ms, services.settings)
    services.store.commit(services.store.attempts(alias, **changes) if changes else None, audit, once=once)
    failures = services.store.count(f"failures#{guesser}", _CLIENT_WINDOW_S)
    services.client_failures[guesser] = (services.now(), failures)


def _guesser_may_try(services: Services, guesser: str) -> None:
    """Refuse whose log-ins failed too often in this minute, as known some seconds ago."""
    read, failures = services.client_failures.get(guesser, (0.0, 0))
    now = services.now()
    if now - read > _LOOK_AGAIN_S or int(now) // _CLIENT_WINDOW_S != int(read) // _CLIENT_WINDOW_S:
        if len(services.client_failures) > _REMEMBERED:  # guessers at our pages are without number
            services.client_failures.clear()
        failures = services.store.counted(f"failures#{guesser}", _CLIENT_WINDOW_S)
        services.client_failures[guesser] = (now, failures)
    if failures >= services.settings.client_failures:
        after = _CLIENT_WINDOW_S - int(now) % _CLIENT_WINDOW_S
        raise TooManyRequestsError("too_many_failures", "Too many failed log-ins; try again later.", after)
