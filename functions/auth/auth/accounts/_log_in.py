"""Logging in, and the second factor of who is logged in."""

from contextlib import suppress
from typing import Any, NamedTuple

from shared.http import BadRequestError, BusyError, ConflictError, TooManyRequestsError

from ..clients import Client
from ..credentials import mfa
from ..credentials.logins import attempted, limit_of, prove, recognise_device, unlock
from ..identity import Document, Kind, normalise_email, normalise_phone, recovery_of
from ..mail_jobs import notify
from ..services import Services
from ..storage import Alias, NoticeKind, Once, User, Write
from ..tokens import ACCOUNT, MOST_SESSIONS
from ._common import again, logged_in, main_alias, prove_again

__all__ = ["log_in", "second_factor"]

_CODES, _CODES_S = 5, 300  # that can be tried to confirm or end a second factor
_COUNTED_EACH = 12  # log-ins by one identifier


def log_in(
    services: Services,
    kind: Kind,
    identifier: str,
    password: str,
    code: mfa.Code | None,
    visitor: str | None,
    client: Client,
    once: Once,
) -> dict[str, Any]:
    """Tokens for somebody who knows a password; see `logins.prove` for what is refused, and how.

    Args:
        services: The services.
        kind: email or phone.
        identifier: The address or the number, as it was typed.
        password: The password.
        code: A code of the second factor, or a recovery code; None for none.
        visitor: By what the client tells its visitors apart, such as a network address: failures count for
            it then, and not for the client; None for nothing.
        client: Who gets the tokens.
        once: The request.

    Returns:
        The tokens, `user_id`, and `recovery_due` while a delayed reset waits: the person can stop it.
    """
    alias = _find_alias(services, kind, identifier)
    limit = limit_of(services, client, visitor)

    def run() -> dict[str, Any]:
        with attempted(services, alias, limit) as attempt:
            proof = prove(services, attempt, password, code, client.id, once, begun=1)
            family, began, answer = services.sessions.begin(proof.user, client, ACCOUNT, int(services.now()))
            audit = services.store.audit.add(proof.user.id, "login", client.id)
            device = recognise_device(services, attempt, proof, client.id)
            oldest = next(iter(attempt.ending), "")
            ended = services.store.sessions.delete(proof.user.id, oldest) if oldest else None
            services.store.commit(*proof.writes, began, ended, audit, *device, once=once)
        if len(attempt.ending) <= 1:
            _count_sessions(services, proof.user.id, family, alias)
        answer["user_id"] = proof.user.id
        recovery = recovery_of(proof.document)
        if recovery and recovery.is_pending(proof.user.epoch, services.now()):
            answer["recovery_due"] = recovery.due
        return answer

    return again(run)


def _count_sessions(services: Services, user: str, newest: str, alias: Alias) -> None:
    """End the oldest sessions of somebody who has too many, and note which end at the next log-ins.

    So most log-ins need not read the sessions.
    """
    with suppress(BusyError):  # the next log-in counts again
        left = services.sessions.trim(user, newest)
        ending = ([""] * (MOST_SESSIONS - len(left)) + left)[:_COUNTED_EACH]
        services.store.commit(services.store.aliases.note_ending(alias, ending))


def _find_alias(services: Services, kind: Kind, identifier: str) -> Alias:
    normalised = normalise_email(identifier) if kind == "email" else normalise_phone(identifier)
    return services.alias(kind, normalised)


def second_factor(
    services: Services,
    access_token: str,
    action: str,
    code: mfa.Code | None,
    current: str | None,
    client: Client,
    once: Once,
) -> dict[str, Any]:
    """Begin, confirm or end the second factor of who is logged in; their other sessions end with a change.

    Args:
        services: The services.
        access_token: The person's token.
        action: enrol, confirm, recovery_codes or disable.
        code: A code of the new secret to confirm, of the present one for new recovery codes and to disable,
            for which a recovery code does too.
        current: The password, to enrol.
        client: By whose server.
        once: The request.

    Returns:
        For `enrol` the secret and its `otpauth://` address; else the state, `enabled` or `disabled`, and the
        recovery codes where they are new.

    Raises:
        UnauthorizedError: The token is not good, or the password is wrong.
        BadRequestError: The code is wrong, the password is missing, or the action unknown.
        ConflictError: There is a second factor already, or none, or none was begun.
        TooManyRequestsError: Five codes were tried in five minutes.
    """

    def run() -> dict[str, Any]:
        user, session = logged_in(services, access_token, client)
        if action == "enrol":
            return _enrol(services, user, current, client, once)
        with services.store.counters.counted("totp", user.id, _CODES_S) as count:
            if count > _CODES:
                raise TooManyRequestsError("too_many_attempts", "Too many codes; try again later.", _CODES_S)
            return change(user, session)

    def change(user: User, session: str) -> dict[str, Any]:
        document = services.open(user)
        audit = services.store.audit.add(user.id, f"totp_{action}", client.id)
        made = _change_factor(services, user, document, action, code or mfa.Code(""))
        document.edit(made.changes, services.now_ms, services.region)
        after, moved = user, None
        if made.notices:
            after = user.but(epoch=services.new_epoch())
            moved = services.store.sessions.move(user.id, session, after.epoch)
        for notice in made.notices:
            notify(services, notice, user, client.id, audit)
        _, save = services.close(user, after, document)
        services.store.commit(save, made.write, moved, audit, once=once)
        return made.answer

    return again(run)


def _enrol(services: Services, user: User, current: str | None, client: Client, once: Once) -> dict[str, Any]:
    """Begin a second factor for who knows the password: a token that was stolen shuts nobody out."""
    if current is None:
        raise BadRequestError("password_missing", "The password is needed to begin a second factor.")
    with attempted(services, main_alias(user), limit_of(services, client, user.id)) as attempt:
        document = prove_again(services, attempt, user, current, client, once).document
        changes, answer = mfa.enrol(user, document, document["email"] or user.id, client.title)
        document.edit(changes, services.now_ms, services.region)
        _, save = services.close(user, user, document)
        audit = services.store.audit.add(user.id, "totp_enrol", client.id)
        services.store.commit(save, unlock(services, attempt.alias), audit, once=once)
    return answer


class _FactorChange(NamedTuple):
    """What changes about a second factor: an edit, the answer, the write that spends a code, and notices.

    Notices are of changes that count: each of them makes a new epoch.
    """

    changes: dict[str, Any]
    answer: dict[str, Any]
    write: Write | None = None
    notices: tuple[NoticeKind, ...] = ()


def _change_factor(
    services: Services, user: User, document: Document, action: str, code: mfa.Code
) -> _FactorChange:
    if action == "confirm":
        changes, write = mfa.confirm(services, user, document, code.text)
        made, codes = mfa.new_recovery_codes(services, document, changes["totp"])
        answer = {"state": "enabled", "recovery_codes": codes}
        return _FactorChange(changes | made, answer, write, ("factor_on",))
    if action == "recovery_codes":
        if not document["totp"]:
            raise ConflictError("no_second_factor", "There is no second factor.")
        redeemed = _redeem(services, user, document, mfa.Code(code.text))
        made, codes = mfa.new_recovery_codes(services, document, document["totp"])
        answer = {"state": "enabled", "recovery_codes": codes}
        return _FactorChange(made, answer, redeemed.write, ("new_recovery_codes",))
    if action == "disable":
        if not document["totp"]:
            return _FactorChange(mfa.disable(document), {"state": "disabled"})
        redeemed = _redeem(services, user, document, code)
        notices: tuple[NoticeKind, ...] = ("recovery_code_used",) if code.is_recovery else ()
        return _FactorChange(
            redeemed.changes | mfa.disable(document),
            {"state": "disabled"},
            redeemed.write,
            (*notices, "factor_off"),
        )
    raise BadRequestError("bad_request", "action must be enrol, confirm, recovery_codes or disable.")


def _redeem(services: Services, user: User, document: Document, code: mfa.Code) -> mfa.Redeemed:
    redeemed = mfa.redeem(services, user, document, code)
    if redeemed is None:
        raise BadRequestError("wrong_code", "The code is wrong, or was used before.")
    return redeemed
