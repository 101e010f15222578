"""Proving who somebody is by a password, and a second factor where there is one.

Whatever the reason, a refused log-in looks the same: one answer, the hash always computed, and never before
a fixed time has passed, which is above the slowest hash that is accepted. Attempts are counted for each
identifier, known or not, before the password is looked at, and for each client when they failed.
"""

import math
from dataclasses import dataclass
from typing import Literal

from shared.http import ForbiddenError, TooManyRequestsError, UnauthorizedError

from ..identity import Document
from ..services import Services
from ..settings import AuthSettings
from ..storage import Alias, Attempts, Once, User, Write
from . import mfa, passwords

__all__ = ["LockState", "Outcome", "Proof", "after_failure", "judge", "prove", "prove_code", "unlock"]

type Outcome = Literal["ok", "locked", "unknown", "wrong_password", "wrong_code"]
"""What became of a log-in, for the audit trail."""

_FORGET_MS = 3_600_000
_LONGEST_WAIT_S = 60
_CLIENT_WINDOW_S = 60
_LOOK_AGAIN_S = 5
_REMEMBERED = 1000


@dataclass(frozen=True)
class LockState:
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
    """Somebody has shown to be a person.

    Attributes:
        user: The record, as it is after the writes.
        document: Its document.
        writes: What has to be written for it to count.
    """

    user: User
    document: Document
    writes: tuple[Write, ...]


def judge(attempts: Attempts, now_ms: int, settings: AuthSettings) -> LockState:
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
        return LockState(attempts.failed, attempts.locked_ms)
    if attempts.locked_ms or now_ms - attempts.last_ms > _FORGET_MS:
        return LockState(1, forgotten=attempts.failed - 1)  # a lock that is over, or old attempts
    # Guesses made side by side are all counted before the first has failed.
    over = attempts.failed > settings.lock_attempts
    return LockState(attempts.failed, now_ms + 1000 * settings.lock_seconds if over else 0)


def after_failure(lock: LockState, now_ms: int, settings: AuthSettings) -> dict[str, int]:
    """What a failed log-in changes, as `Aliases.set_attempts` takes it.

    Of log-ins side by side the last to end must not undo what another one decided: nothing is set back.
    """
    changes: dict[str, int] = {}
    if lock.forgotten:
        changes = {"add": -lock.forgotten, "wait": 0, "locked": 0}
    if lock.locked_ms:
        changes["locked"] = lock.locked_ms
    elif lock.failed >= settings.lock_attempts:
        changes["locked"] = now_ms + 1000 * settings.lock_seconds
    elif lock.failed > settings.free_attempts:
        wait_s = min(2 ** (lock.failed - settings.free_attempts), _LONGEST_WAIT_S)
        changes["wait"] = now_ms + 1000 * wait_s
    return changes


def prove(
    services: Services,
    alias: Alias,
    password: str,
    code: str | None,
    client_id: str,
    once: Once | None,
    *,
    second_factor: bool = True,
    rate_limit_key: str = "",
) -> Proof:
    """Prove by a password, and a code of the second factor if there is one, that somebody is a person.

    Args:
        services: The services.
        alias: The identifier's.
        password: The password.
        code: Six digits of the second factor; None if none were given.
        client_id: By whose server, or for which application.
        once: The request, for the trace that a refused one leaves.
        second_factor: Whether a code is asked for where there is a second factor.
        rate_limit_key: For whom a failure counts, if not for the client: at our own pages, who sits there.

    Returns:
        The proof; its writes are to be committed with whatever follows from it.

    Raises:
        UnauthorizedError: Not shown: `invalid_credentials`, or `second_factor_required`.
        ForbiddenError: Shown, and the address was never verified.
        TooManyRequestsError: The identifier or the client has to wait.
    """
    started = services.now()
    rate_limit_key = rate_limit_key or client_id
    lock, user, document = _count_attempt(services, alias, rate_limit_key)
    verdict = passwords.verify(password, document["secret"], dict(document.family("old_hash")))
    outcome, redeemed = _outcome(services, lock, user, document, verdict, code)
    if user is None or outcome != "ok":
        audit = services.store.audit.add(user.id if user else alias.text, "login", client_id, outcome)
        _note_failure(services, alias, lock, audit, rate_limit_key, once)
        services.floor(started)
        raise UnauthorizedError("invalid_credentials", "The name or the password is wrong.")

    if user.status == "unverified":
        services.store.commit(unlock(services, alias), once=once)
        raise ForbiddenError("unverified", "The e-mail address has not been verified yet.")
    if second_factor and document["totp"] and redeemed is None:
        forgotten = {"wait": 0, "locked": 0} if lock.forgotten else {}
        uncounted = services.store.aliases.set_attempts(alias, add=-1 - lock.forgotten, **forgotten)
        services.store.commit(uncounted, once=once)
        raise UnauthorizedError("second_factor_required", "A code of the second factor is needed too.")
    writes = [unlock(services, alias)] + ([redeemed] if redeemed else [])
    if not verdict.upgrade:
        # Or a password that was changed meanwhile lets in.
        writes.append(services.store.users.unchanged(user))
    else:
        before = user
        replaced = {f"old_hash.{company}": None for company, _ in document.family("old_hash")}
        secret = passwords.hash_password(password)
        document.edit({"secret": secret} | replaced, services.now_ms, services.region)
        user, save = services.close(before, before, document)
        writes.append(save)
    return Proof(user, document, tuple(writes))


def _outcome(
    services: Services,
    lock: LockState,
    user: User | None,
    document: Document,
    verdict: passwords.Verdict,
    code: str | None,
) -> tuple[Outcome, Write | None]:
    """What became of a log-in, and the write that redeems its code if it had to have a right one."""
    if lock.locked_ms:
        return "locked", None
    if user is None:
        return "unknown", None
    if not verdict.matched:
        return "wrong_password", None
    if not document["totp"] or code is None:
        return "ok", None
    redeemed = mfa.redeem(services, user, document, code)
    return ("wrong_code" if redeemed is None else "ok"), redeemed


def prove_code(services: Services, alias: Alias, code: str, client_id: str, *, rate_limit_key: str) -> Proof:
    """Prove by a code of the second factor, after the password was right; for the arguments see `prove`.

    Raises:
        UnauthorizedError: The code is wrong or was redeemed before, or the identifier is locked.
        TooManyRequestsError: The identifier, or whom a failure counts for, has to wait.
    """
    started = services.now()
    lock, user, document = _count_attempt(services, alias, rate_limit_key)
    redeemed = None
    if user is not None and document["totp"] and not lock.locked_ms:
        redeemed = mfa.redeem(services, user, document, code)
    if user is None or redeemed is None:
        outcome: Outcome = "locked" if lock.locked_ms else "wrong_code"
        audit = services.store.audit.add(user.id if user else alias.text, "login", client_id, outcome)
        _note_failure(services, alias, lock, audit, rate_limit_key, None)
        services.floor(started)
        raise UnauthorizedError("wrong_code", "The code is wrong, or was used before.")
    return Proof(user, document, (unlock(services, alias), redeemed, services.store.users.unchanged(user)))


def _count_attempt(
    services: Services, alias: Alias, rate_limit_key: str
) -> tuple[LockState, User | None, Document]:
    """Count an attempt; how the identifier stands, whose it is, and what is known of them."""
    _check_failures(services, rate_limit_key)
    attempts = services.store.aliases.count_attempt(alias)
    lock = judge(attempts, services.now_ms, services.settings)
    user = services.store.users.get(attempts.user) if attempts.user else None
    return lock, user, services.open(user) if user and user.sealed else Document()


def unlock(services: Services, alias: Alias) -> Write:
    """The write that forgets the failures of an identifier, and its lock."""
    return services.store.aliases.set_attempts(alias, failed=0, wait=0, locked=0)


def _note_failure(
    services: Services, alias: Alias, lock: LockState, audit: Write, rate_limit_key: str, once: Once | None
) -> None:
    changes = after_failure(lock, services.now_ms, services.settings)
    changed = services.store.aliases.set_attempts(alias, **changes) if changes else None
    services.store.commit(changed, audit, once=once)
    failures = services.store.counters.add("failures", rate_limit_key, _CLIENT_WINDOW_S)
    services.failures[rate_limit_key] = (services.now(), failures)


def _check_failures(services: Services, rate_limit_key: str) -> None:
    """Refuse whose log-ins failed too often in this minute, as known some seconds ago."""
    read, failures = services.failures.get(rate_limit_key, (0.0, 0))
    now = services.now()
    if now - read > _LOOK_AGAIN_S or int(now) // _CLIENT_WINDOW_S != int(read) // _CLIENT_WINDOW_S:
        if len(services.failures) > _REMEMBERED:  # addresses at our pages are without number
            services.failures.clear()
        failures = services.store.counters.get("failures", rate_limit_key, _CLIENT_WINDOW_S)
        services.failures[rate_limit_key] = (now, failures)
    if failures >= services.settings.client_failures:
        after = _CLIENT_WINDOW_S - int(now) % _CLIENT_WINDOW_S
        raise TooManyRequestsError("too_many_failures", "Too many failed log-ins; try again later.", after)
