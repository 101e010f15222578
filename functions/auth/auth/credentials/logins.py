"""Proving who somebody is by a password, and a second factor where there is one.

Whatever the reason, a refused log-in looks the same: one answer, the hash always computed, KMS always asked,
and never before a fixed time has passed, which is above the slowest hash that is accepted. Attempts are
counted for each identifier, known or not, before the password is looked at, and for each visitor or client
when they failed. An attempt that ends without a verdict, since KMS or the table is down, is taken back.
"""

import hmac
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

from shared.http import BusyError, ForbiddenError, HttpError, TooManyRequestsError, UnauthorizedError

from ..clients import Client
from ..identity import Document
from ..services import Services
from ..settings import AuthSettings
from ..storage import Alias, Attempts, Once, User, Write
from . import mfa, passwords

__all__ = [
    "Attempt",
    "LockState",
    "Outcome",
    "Proof",
    "RateLimit",
    "SecondFactorRequiredError",
    "StaleSignInError",
    "after_failure",
    "attempted",
    "judge",
    "limit_of",
    "prove",
    "prove_code",
    "unlock",
    "visitor_limit",
]

type Outcome = Literal["ok", "locked", "unknown", "wrong_password", "wrong_code"]
"""What became of a log-in, for the audit trail."""

_LONGEST_WAIT_S = 60
_WINDOW_S = 60
_LOOK_AGAIN_S = 5
_REMEMBERED = 1000
_LOG_IN = frozenset({"active", "unverified"})


class SecondFactorRequiredError(UnauthorizedError):
    """The password is right, and a code of the second factor is needed too.

    Attributes:
        epoch: The account's, at which the password was right.
    """

    def __init__(self, epoch: str) -> None:
        super().__init__("second_factor_required", "A code of the second factor is needed too.")
        self.epoch = epoch


class StaleSignInError(UnauthorizedError):
    """A credential was changed between the password and the code: it begins anew."""

    def __init__(self) -> None:
        super().__init__("stale_sign_in", "The account was changed meanwhile; start again.")


@dataclass(frozen=True)
class LockState:
    """How an identifier stands at a log-in.

    Attributes:
        failed: Log-ins in a row that did not succeed, this one included until it does.
        locked_ms: Time until which every log-in fails; milliseconds since the epoch, 0 if it is not locked.
    """

    failed: int
    locked_ms: int = 0


@dataclass(frozen=True)
class RateLimit:
    """For whom failed log-ins count, beside the identifier.

    Attributes:
        key: A client, or a pseudonym of a visitor.
        most: Failures in a minute.
    """

    key: str
    most: int


@dataclass(frozen=True)
class Attempt:
    """A log-in that is counted.

    Attributes:
        alias: The identifier's.
        limit: For whom a failure counts.
        lock: How the identifier stands.
        user: Whose it is; None if nobody can log in with it.
        document: What is known of them; empty for nobody.
        started: When it began, seconds since the epoch.
    """

    alias: Alias
    limit: RateLimit
    lock: LockState
    user: User | None
    document: Document
    started: float


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


def limit_of(services: Services, client: Client, visitor: str | None) -> RateLimit:
    """For whom the failures of a client's log-ins count: its visitor, if it says who, or all of the client.

    Args:
        services: The services.
        client: Whose server asks.
        visitor: What the client tells its visitors apart by, such as a network address; None if it does not.
    """
    if visitor is None:
        return RateLimit(client.id, services.settings.client_failures)
    return visitor_limit(services, f"{client.id}\0{visitor}")


def visitor_limit(services: Services, visitor: str) -> RateLimit:
    """The limit of one visitor; what tells visitors apart is kept as a pseudonym."""
    mac = hmac.digest(services.keyring.refresh_key(), b"visitor\0" + visitor.encode(), "sha256")
    return RateLimit(mac.hex()[:32], services.settings.visitor_failures)


def judge(attempts: Attempts, now_ms: int) -> LockState:
    """How an identifier stands.

    Args:
        attempts: What was counted.
        now_ms: Milliseconds since the epoch.

    Raises:
        TooManyRequestsError: It has to wait, or too many log-ins of it are under way; says for how long.
    """
    if attempts.wait_ms > now_ms:
        after = math.ceil((attempts.wait_ms - now_ms) / 1000)
        raise TooManyRequestsError("too_many_attempts", "Too many attempts; try again later.", after)
    if not attempts.counted:
        raise TooManyRequestsError("too_many_attempts", "Too many attempts; try again later.", 1)
    return LockState(attempts.failed, attempts.locked_ms if attempts.locked_ms > now_ms else 0)


def after_failure(lock: LockState, now_ms: int, settings: AuthSettings) -> dict[str, int]:
    """What a failed log-in changes, as `Aliases.note_wrong` takes it.

    Of log-ins side by side the last to end must not undo what another one decided: nothing is set back.
    """
    if lock.locked_ms:
        return {}
    if lock.failed >= settings.lock_attempts:
        return {"locked": now_ms + 1000 * settings.lock_seconds}
    if lock.failed > settings.free_attempts:
        wait_s = min(2 ** (lock.failed - settings.free_attempts), _LONGEST_WAIT_S)
        return {"wait": now_ms + 1000 * wait_s}
    return {}


@contextmanager
def attempted(services: Services, alias: Alias, limit: RateLimit) -> Iterator[Attempt]:
    """Count a log-in of an identifier, for as long as it takes until what follows from it is written.

    Args:
        services: The services.
        alias: The identifier's.
        limit: For whom a failure counts.

    Raises:
        TooManyRequestsError: The identifier, or whom a failure counts for, has to wait.
        BusyError: KMS or the table do not answer: for an identifier that nobody has, too.
    """
    started = services.now()
    _check_failures(services, limit)
    attempts = services.store.aliases.count_attempt(alias, services.settings.lock_attempts)
    lock = judge(attempts, services.now_ms)
    try:
        user = services.store.users.get(attempts.user) if attempts.user else None
        if user is None or user.status not in _LOG_IN:
            user, document = None, Document()
            services.probe()
        else:
            document = services.open(user)
        yield Attempt(alias, limit, lock, user, document, started)
    except Exception as error:
        if not (isinstance(error, HttpError) and error.status < 500) or isinstance(error, StaleSignInError):
            with suppress(BusyError):
                services.store.aliases.take_back(alias)
        raise


def prove(
    services: Services,
    attempt: Attempt,
    password: str,
    code: str | None,
    client_id: str,
    once: Once | None,
    *,
    second_factor: bool = True,
    verifying: bool = False,
) -> Proof:
    """Prove by a password, and a code of the second factor if there is one, that somebody is a person.

    Args:
        services: The services.
        attempt: The log-in, from `attempted`.
        password: The password.
        code: Six digits of the second factor; None if none were given.
        client_id: By whose server, or for which application.
        once: The request, for the trace that a refused one leaves.
        second_factor: Whether a code is asked for where there is a second factor.
        verifying: Whether the address is being verified by it: else an unverified one is refused.

    Returns:
        The proof; its writes are to be committed with whatever follows from it, within `attempted`.

    Raises:
        UnauthorizedError: Not shown: `invalid_credentials`, or `SecondFactorRequiredError`.
        ForbiddenError: Shown, and the address was never verified.
    """
    user, document = attempt.user, attempt.document
    verdict = passwords.verify(password, document["secret"], dict(document.family("old_hash")))
    outcome, redeemed = _outcome(services, attempt, verdict, code)
    if user is None or outcome != "ok":
        _note_failure(services, attempt, outcome, client_id, once)
        raise UnauthorizedError("invalid_credentials", "The name or the password is wrong.")

    if user.status == "unverified" and not verifying:
        services.store.commit(unlock(services, attempt.alias), once=once)
        raise ForbiddenError("unverified", "The e-mail address has not been verified yet.")
    if second_factor and document["totp"] and redeemed is None:
        services.store.commit(once=once)
        with suppress(BusyError):
            services.store.aliases.take_back(attempt.alias)
        raise SecondFactorRequiredError(user.epoch)
    writes = [unlock(services, attempt.alias)] + ([redeemed] if redeemed else [])
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
    services: Services, attempt: Attempt, verdict: passwords.Verdict, code: str | None
) -> tuple[Outcome, Write | None]:
    """What became of a log-in, and the write that redeems its code if it had to have a right one."""
    if attempt.lock.locked_ms:
        return "locked", None
    if attempt.user is None:
        return "unknown", None
    if not verdict.matched:
        return "wrong_password", None
    if not attempt.document["totp"] or code is None:
        return "ok", None
    redeemed = mfa.redeem(services, attempt.user, attempt.document["totp"], code)
    return ("wrong_code" if redeemed is None else "ok"), redeemed


def prove_code(services: Services, attempt: Attempt, code: str, client_id: str, epoch: str) -> Proof:
    """Prove by a code of the second factor, after the password was right; for the arguments see `prove`.

    Args:
        services: The services.
        attempt: The log-in, from `attempted`.
        code: Six digits of the second factor.
        client_id: For which application.
        epoch: The account's, at which the password was right.

    Raises:
        StaleSignInError: A credential was changed since.
        UnauthorizedError: The code is wrong or was redeemed before, or the identifier is locked.
    """
    user, document = attempt.user, attempt.document
    if user is not None and user.epoch != epoch:
        raise StaleSignInError
    redeemed = None
    if user is not None and document["totp"] and not attempt.lock.locked_ms:
        redeemed = mfa.redeem(services, user, document["totp"], code)
    if user is None or redeemed is None:
        _note_failure(
            services, attempt, "locked" if attempt.lock.locked_ms else "wrong_code", client_id, None
        )
        raise UnauthorizedError("wrong_code", "The code is wrong, or was used before.")
    unlocked = unlock(services, attempt.alias)
    return Proof(user, document, (unlocked, redeemed, services.store.users.unchanged(user)))


def unlock(services: Services, alias: Alias) -> Write:
    """The write that forgets the failures of an identifier, and its lock."""
    return services.store.aliases.forget_attempts(alias)


def _note_failure(
    services: Services, attempt: Attempt, outcome: Outcome, client_id: str, once: Once | None
) -> None:
    """Leave the traces of a failed log-in, and wait until it may be told."""
    subject = attempt.user.id if attempt.user else attempt.alias.text
    changes = after_failure(attempt.lock, services.now_ms, services.settings)
    wrong = None if attempt.lock.locked_ms else services.store.aliases.note_wrong(attempt.alias, **changes)
    services.store.commit(wrong, services.store.audit.add(subject, "login", client_id, outcome), once=once)
    key = attempt.limit.key
    with suppress(BusyError):  # only wrong ones come here: a 503 would take back what was wrong, and tell it
        services.failures[key] = (services.now(), services.store.counters.add("failures", key, _WINDOW_S))
    services.floor(attempt.started)


def _check_failures(services: Services, limit: RateLimit) -> None:
    """Refuse whose log-ins failed too often in this minute, as known some seconds ago."""
    read, failures = services.failures.get(limit.key, (0.0, 0))
    now = services.now()
    if now - read > _LOOK_AGAIN_S or int(now) // _WINDOW_S != int(read) // _WINDOW_S:
        if len(services.failures) > _REMEMBERED:  # visitors are without number
            services.failures.clear()
        failures = services.store.counters.get("failures", limit.key, _WINDOW_S)
        services.failures[limit.key] = (now, failures)
    if failures >= limit.most:
        after = _WINDOW_S - int(now) % _WINDOW_S
        raise TooManyRequestsError("too_many_failures", "Too many failed log-ins; try again later.", after)
