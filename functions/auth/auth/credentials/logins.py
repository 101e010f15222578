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
from typing import Any, Literal

from shared.http import BusyError, ForbiddenError, HttpError, TooManyRequestsError, UnauthorizedError

from ..clients import Client
from ..identity import Document, known_addresses, recovery_of
from ..mail_jobs import notify
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
    "recognise_device",
    "stop_recovery",
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
        ending: For each session that may begin by the identifier before the person's are counted again, the
            session that ends for it; empty for none.
    """

    alias: Alias
    limit: RateLimit
    lock: LockState
    user: User | None
    document: Document
    started: float
    ending: tuple[str, ...] = ()


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
        yield Attempt(alias, limit, lock, user, document, started, attempts.ending)
    except Exception as error:
        if not (isinstance(error, HttpError) and error.status < 500) or isinstance(error, StaleSignInError):
            with suppress(BusyError):
                services.store.aliases.take_back(alias)
        raise


def prove(
    services: Services,
    attempt: Attempt,
    password: str,
    code: mfa.Code | None,
    client_id: str,
    once: Once | None,
    *,
    second_factor: bool = True,
    verifying: bool = False,
    begun: int = 0,
) -> Proof:
    """Prove by a password, and a code of the second factor if there is one, that somebody is a person.

    Args:
        services: The services.
        attempt: The log-in, from `attempted`.
        password: The password.
        code: A code of the second factor, or a recovery code; None if none was given.
        client_id: By whose server, or for which application.
        once: The request, for the trace that a refused one leaves.
        second_factor: Whether a code is asked for where there is a second factor.
        verifying: Whether the address is being verified by it: else an unverified one is refused.
        begun: Sessions that begin by it.

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
    hashes: dict[str, Any] = {}
    if verdict.upgrade:
        hashes = {f"old_hash.{verdict.old_hash}": None} if verdict.old_hash else {}
        hashes["secret"] = passwords.hash_password(password)
    return _proof(services, attempt, user, hashes, redeemed, client_id, begun)


def _proof(
    services: Services,
    attempt: Attempt,
    user: User,
    hashes: dict[str, Any],
    redeemed: mfa.Redeemed | None,
    client_id: str,
    begun: int = 0,
) -> Proof:
    """The proof of somebody who has shown who they are, with what follows from how they did.

    Who has a code of the authenticator app has not lost it: a reset of the second factor that waits is
    stopped.
    """
    document, writes = attempt.document, [unlock(services, attempt.alias, begun)]
    changes: dict[str, Any] = {}
    if redeemed is not None:
        changes |= redeemed.changes
        writes += [redeemed.write] if redeemed.write else []
        if redeemed.changes:
            entry = services.store.audit.add(user.id, "recovery_code", client_id)
            notify(services, "recovery_code_used", user, client_id, entry)
            writes.append(entry)
        elif (recovery := recovery_of(document)) and recovery.second_factor:
            stopped, entries = stop_recovery(services, user, document, client_id)
            changes |= stopped
            writes += entries
    if not changes and not hashes:
        # Or a password that was changed meanwhile lets in.
        return Proof(user, document, (*writes, services.store.users.unchanged(user)))
    if hashes:
        document.replace_hash(hashes)
    document.edit(changes, services.now_ms, services.region)
    user, save = services.close(user, user, document)
    return Proof(user, document, (*writes, save))


def stop_recovery(
    services: Services, user: User, document: Document, client_id: str
) -> tuple[dict[str, Any], list[Write]]:
    """The edit and the entry of the trail that stop a delayed reset; nothing if none waits.

    All mailboxes of the person are told, whichever of them stopped it.

    Raises:
        BusyError: The queue does not take the mails.
    """
    recovery = recovery_of(document)
    if recovery is None or not recovery.is_pending(user.epoch, services.now()):
        return {}, []
    entry = services.store.audit.add(user.id, "recovery_cancelled", client_id)
    addresses = known_addresses(document, user.email_index, services.now())
    notify(services, "recovery_cancelled", user, client_id, entry, *addresses)
    return {"recovery": recovery._replace(state="cancelled")._asdict()}, [entry]


def recognise_device(services: Services, attempt: Attempt, proof: Proof, client_id: str) -> list[Write]:
    """The writes by which a log-in's device is known from now on; its person is told if it was not.

    A device is what failed log-ins are counted for: the visitor whom a company names, or all of the company;
    at the pages it is the network address. A notice that cannot be sent is left to the next log-in.

    Args:
        services: The services.
        attempt: The log-in.
        proof: Who logged in; nothing happens unless they chose to be told.
        client_id: By whose server, or for which application.
    """
    if not proof.document["notify_new_device"]:
        return []
    known = services.store.devices.remember(proof.user.id, attempt.limit.key)
    if services.store.devices.exists(proof.user.id, attempt.limit.key):
        return [known]
    entry = services.store.audit.add(proof.user.id, "new_device", client_id)
    try:
        notify(services, "new_device", proof.user, client_id, entry)
    except BusyError:
        return []
    return [entry, known]


def _outcome(
    services: Services, attempt: Attempt, verdict: passwords.Verdict, code: mfa.Code | None
) -> tuple[Outcome, mfa.Redeemed | None]:
    """What became of a log-in, and what spends its code if it had to have a right one."""
    if attempt.lock.locked_ms:
        return "locked", None
    if attempt.user is None:
        return "unknown", None
    if not verdict.matched:
        return "wrong_password", None
    if not attempt.document["totp"] or code is None:
        return "ok", None
    redeemed = mfa.redeem(services, attempt.user, attempt.document, code)
    return ("wrong_code" if redeemed is None else "ok"), redeemed


def prove_code(services: Services, attempt: Attempt, code: mfa.Code, client_id: str, epoch: str) -> Proof:
    """Prove by a code of the second factor, after the password was right; for the arguments see `prove`.

    Args:
        services: The services.
        attempt: The log-in, from `attempted`.
        code: A code of the second factor, or a recovery code.
        client_id: For which application.
        epoch: The account's, at which the password was right.

    Raises:
        StaleSignInError: A credential was changed since.
        UnauthorizedError: The code is wrong or was redeemed before, or the identifier is locked.
    """
    user = attempt.user
    if user is not None and user.epoch != epoch:
        raise StaleSignInError
    redeemed = None
    if user is not None and not attempt.lock.locked_ms:
        redeemed = mfa.redeem(services, user, attempt.document, code)
    if user is None or redeemed is None:
        _note_failure(
            services, attempt, "locked" if attempt.lock.locked_ms else "wrong_code", client_id, None
        )
        raise UnauthorizedError("wrong_code", "The code is wrong, or was used before.")
    return _proof(services, attempt, user, {}, redeemed, client_id)


def unlock(services: Services, alias: Alias, begun: int = 0) -> Write:
    """The write that forgets the failures of an identifier, and its lock; and counts sessions that begin."""
    return services.store.aliases.forget_attempts(alias, begun=begun)


def _note_failure(
    services: Services, attempt: Attempt, outcome: Outcome, client_id: str, once: Once | None
) -> None:
    """Leave the traces of a failed log-in, and wait until it may be told."""
    subject = attempt.user.id if attempt.user else attempt.alias.text
    changes = after_failure(attempt.lock, services.now_ms, services.settings)
    wrong = None if attempt.lock.locked_ms else services.store.aliases.note_wrong(attempt.alias, **changes)
    entry = None
    if "locked" in changes and attempt.user and attempt.user.status == "active":
        entry = services.store.audit.add(subject, "lock", client_id)
        with suppress(BusyError):  # or an outage of the queue would keep the lock from closing
            notify(services, "locked", attempt.user, client_id, entry)
    services.store.commit(wrong, entry, once=once)
    with suppress(BusyError):  # only wrong ones come here: a 503 would take back what was wrong, and tell it
        services.store.audit.count(subject, "login", client_id, outcome)
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
