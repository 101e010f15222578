"""What a client company can do with accounts.

Every operation can be sent again: what is done already is answered as if it had been done now. Operations
that lose a race against another edit of the same record begin anew.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from ..clients import Client
from ..credentials import mfa, passwords
from ..credentials.logins import opened, prove
from ..errors import (
    BadRequestError,
    BusyError,
    ConflictError,
    NotFoundError,
    TooManyRequestsError,
    UnauthorizedError,
)
from ..identity import PROFILE, Document, Kind, checked, normalise_email, normalise_phone
from ..services import Services
from ..storage import LostRaceError, Once, User
from ..tokens import InvalidTokenError
from ..tokens import _sessions as sessions
from . import _mails as mails
from . import _merging as merging

__all__ = [
    "change_password",
    "edit",
    "erase",
    "export",
    "forgot_password",
    "log_in",
    "merge",
    "profile",
    "reset_password",
    "second_factor",
    "sign_up",
    "verify",
]

_TRIES = 4
_CODES, _CODES_S = 5, 300  # that can be tried to confirm or end a second factor
SCOPE = "account"  # of tokens that a company's server gets for a person


def _again[T](operation: Callable[[], T]) -> T:
    """Run an operation, from its reads on, until it loses no race."""
    for _ in range(_TRIES):
        try:
            return operation()
        except LostRaceError:
            continue
    raise BusyError("busy", "The account is being changed right now; try again in a moment.")


def _policy(services: Services) -> passwords.Policy:
    return passwords.Policy(services.settings.password_min, services.settings.password_min_second_factor)


def sign_up(
    services: Services, email: str, password: str, changes: dict[str, Any], client: Client, once: Once
) -> None:
    """Make an account that counts once its address is verified.

    Nothing tells whether the address is known: if it is, its owner gets a mail that says so, with a way to
    choose a new password. Two who sign up with one address make one account.

    Args:
        services: The services.
        email: The address as it was typed.
        password: The password.
        changes: Fields of the profile, `PROFILE` and `phone`.
        client: By whose server.
        once: The request.

    Raises:
        BadRequestError: The address or a field of the profile is malformed.
        WeakPasswordError: The password is too short, too long or breached.
        TooManyRequestsError: The address has had its mails of this hour.
    """
    started = services.now()
    address = normalise_email(email)
    changes = checked(changes)
    local_part = address.partition("@")[0]
    passwords.check_new(password, _policy(services), second_factor=False, identifiers=(address, local_part))
    alias = f"E#{services.index('email', address)}"
    mails.allowed(services, alias)
    document = Document()
    known = {"email": address, "secret": passwords.hash_password(password), f"company.{client.company}": {}}
    document.edit(known | changes, services.now_ms, services.region)
    new = User(str(uuid4()), "unverified", None, alias[2:], _phone_index(services, document))
    new, save = services.close(None, new, document)
    order = mails.Order(services, "verify", new.id, alias[2:], client)
    try:
        services.store.commit(
            save,
            services.store.claim(alias, new.id),
            order.write,
            services.audit(new.id, "signup", client.id),
            once=once,
        )
    except LostRaceError:
        owner = services.store.owner(alias)
        order = mails.Order(services, "known" if owner else "none", owner or new.id, alias[2:], client)
        services.store.commit(
            order.write, services.audit(owner or alias, "signup", client.id, "known"), once=once
        )
    order.send()
    services.floor(started)


def verify(services: Services, token: str, client: Client, once: Once) -> str:
    """Use the token of a mail up: the address is the person's; returns whose.

    Raises:
        BadRequestError: The token is unknown, expired or for something else.
        ConflictError: The address became somebody else's meanwhile.
    """

    def run() -> str:
        item, done = mails.redeemed(services, token, frozenset({"verify", "email"}))
        user = services.find(item["user"]["S"])
        if done:
            services.store.commit(once=once)
            return user.id
        document = services.open(user)
        writes = []
        after = user
        if item["kind"]["S"] == "email":
            address = document["email_pending"]
            index = services.index("email", address) if address else ""
            if index != item["index"]["S"]:
                raise mails.invalid()
            owner = services.store.owner(f"E#{index}")
            if owner not in (None, user.id):
                raise ConflictError("address_taken", "The address belongs to another account.")
            writes.append(services.store.claim(f"E#{index}", user.id))
            writes += services.releases(f"E#{user.email_index}", user.id) if user.email_index != index else []
            document.edit({"email": address, "email_pending": None}, services.now_ms, services.region)
            after = user.but(email_index=index)
        elif user.email_index != item["index"]["S"]:
            raise mails.invalid()
        document.edit({"email_verified": True}, services.now_ms, services.region)
        if after.status == "unverified":
            after = after.but(status="active")
        _, save = services.close(user, after, document)
        audit = services.audit(user.id, "verify", client.id)
        services.store.commit(save, mails.used(token), audit, *writes, once=once)
        return user.id

    return _again(run)


def log_in(
    services: Services,
    kind: Kind,
    identifier: str,
    password: str,
    code: str | None,
    client: Client,
    once: Once,
) -> dict[str, Any]:
    """Tokens for somebody who knows a password; see `logins.prove` for what is refused, and how.

    Args:
        services: The services.
        kind: email or phone.
        identifier: The address or the number, as it was typed.
        password: The password.
        code: A code of the second factor, or None.
        client: Who gets the tokens.
        once: The request.
    """
    alias = _alias(services, kind, identifier)

    def run() -> dict[str, Any]:
        proof = prove(services, alias, password, code, client.id, once)
        _, began, answer = sessions.begin(services, proof.user.id, client.id, SCOPE, int(services.now()))
        audit = services.audit(proof.user.id, "login", client.id)
        services.store.commit(*proof.writes, began, audit, once=once)
        return answer | {"user_id": proof.user.id}

    return _again(run)


def _alias(services: Services, kind: Kind, identifier: str) -> str:
    normalised = normalise_email(identifier) if kind == "email" else normalise_phone(identifier)
    return f"{'E' if kind == 'email' else 'P'}#{services.index(kind, normalised)}"


def forgot_password(services: Services, email: str, client: Client, once: Once) -> None:
    """Send a mail with which a new password can be chosen; nothing tells whether the address is known.

    Raises:
        BadRequestError: The address is malformed.
        TooManyRequestsError: It has had its mails of this hour.
    """
    started = services.now()
    alias = f"E#{services.index('email', normalise_email(email))}"
    mails.allowed(services, alias)
    owner = services.store.owner(alias)
    order = mails.Order(services, "reset" if owner else "none", owner or str(uuid4()), alias[2:], client)
    services.store.commit(order.write, services.audit(owner or alias, "forgot", client.id), once=once)
    order.send()
    services.floor(started)


def reset_password(services: Services, token: str, password: str, client: Client, once: Once) -> None:
    """Choose a new password with the token of a mail; all sessions end, and the address is verified.

    Raises:
        BadRequestError: The token is unknown, expired, for something else, or was used for another password.
        WeakPasswordError: The password is too short, too long or breached.
    """

    def run() -> None:
        item, done = mails.redeemed(services, token, frozenset({"reset", "known"}))
        user = services.find(item["user"]["S"])
        if item["index"]["S"] not in (user.email_index, *_further(document := services.open(user))):
            raise mails.invalid()
        if done:
            if not passwords.verify(password, document["secret"], {}).matched:
                raise mails.invalid()
            services.store.commit(once=once)
        else:
            _set_password(services, document, password)
            after = user
            if user.status == "unverified":
                # Whoever signed up with it may have been somebody else: nothing of theirs stays.
                strangers = dict.fromkeys([*PROFILE, "phone", "phone_verified"])
                document.edit(strangers, services.now_ms, services.region)
                after = user.but(status="active", phone_index="")
            document.edit({"email_verified": True}, services.now_ms, services.region)
            _, save = services.close(user, after, document)
            audit = services.audit(user.id, "reset", client.id)
            unlocked = [opened(services, alias) for alias in _aliases(user, document)]
            services.store.commit(save, mails.used(token), *unlocked, audit, once=once)
        services.store.commit_each(sessions.end(services, user.id))  # at a retry too

    _again(run)


def _further(document: Document) -> list[str]:
    """The blind indexes of a person's further addresses."""
    return [index for index, _ in document.family("email_also")]


def _aliases(user: User, document: Document) -> list[str]:
    """The aliases that are a person's by their record."""
    aliases = [f"E#{user.email_index}"] if user.email_index else []
    aliases += [f"P#{user.phone_index}"] if document["phone_verified"] else []
    return aliases + [f"E#{index}" for index in _further(document)]


def change_password(
    services: Services, access_token: str, current: str, password: str, client: Client, once: Once
) -> None:
    """Replace the password of who is logged in; the other sessions end.

    Raises:
        UnauthorizedError: The token is not good, or the current password is wrong.
        WeakPasswordError: The new password is too short, too long or breached.
    """

    def run() -> None:
        user, session = _logged_in(services, access_token, client)
        alias = f"E#{user.email_index}" if user.email_index else f"P#{user.phone_index}"
        proof = prove(services, alias, current, None, client.id, once, second_factor=False)
        _set_password(services, proof.document, password)
        _, save = services.close(user, user, proof.document)
        audit = services.audit(user.id, "change", client.id)
        services.store.commit(save, opened(services, alias), audit, once=once)
        services.store.commit_each(sessions.end(services, user.id, session))

    _again(run)


def _set_password(services: Services, document: Document, password: str) -> None:
    address = document["email"] or ""
    passwords.check_new(
        password,
        _policy(services),
        second_factor=bool(document["totp"]),
        identifiers=(address, address.partition("@")[0]),
    )
    replaced = {f"old_hash.{company}": None for company, _ in document.family("old_hash")}
    secret = passwords.hash_password(password)
    document.edit({"secret": secret} | replaced, services.now_ms, services.region)


def _logged_in(services: Services, access_token: str, client: Client) -> tuple[User, str]:
    """The person of an access token that the client got at a log-in, and the session."""
    try:
        claims = services.tokens.read_access(access_token)
    except InvalidTokenError as error:
        raise UnauthorizedError("invalid_token", "The access token is not valid, or no longer.") from error
    user, session = claims["sub"], claims["sid"]
    if (
        claims["client_id"] != client.id
        or claims["scope"] != SCOPE  # who signs on to an application lets it read, and no more
        or services.store.get(f"U#{user}", f"R#{session}") is None
    ):
        raise UnauthorizedError("invalid_token", "The access token is not valid, or no longer.")
    found = services.find(user)
    if found.status != "active":
        raise UnauthorizedError("invalid_token", "The access token is not valid, or no longer.")
    return found, session


def second_factor(
    services: Services, access_token: str, action: str, code: str | None, client: Client, once: Once
) -> dict[str, str]:
    """Begin, confirm or end the second factor of who is logged in.

    Args:
        services: The services.
        access_token: The person's token.
        action: enrol, confirm or disable.
        code: A code of the new secret to confirm, of the present one to disable.
        client: By whose server.
        once: The request.

    Returns:
        For `enrol` the secret and its `otpauth://` address; else the state, `enabled` or `disabled`.

    Raises:
        UnauthorizedError: The token is not good.
        BadRequestError: The code is wrong, or the action unknown.
        ConflictError: There is a second factor already, or none was begun.
        TooManyRequestsError: Five codes were tried in five minutes.
    """

    def run() -> dict[str, str]:
        user, _ = _logged_in(services, access_token, client)
        if action != "enrol" and services.store.count(f"totp#{user.id}", _CODES_S) > _CODES:
            raise TooManyRequestsError("too_many_attempts", "Too many codes; try again later.", _CODES_S)
        document = services.open(user)
        spent = None
        if action == "enrol":
            changes, answer = mfa.enrol(document, document["email"] or user.id, client.title)
        elif action == "confirm":
            changes, answer = mfa.confirm(document, code or "", services.now()), {"state": "enabled"}
        elif action == "disable" and document["totp"]:
            spent = mfa.spend(services, user, document, code or "")
            if spent is None:
                raise BadRequestError("wrong_code", "The code is wrong, or was used before.")
            changes, answer = mfa.disable(), {"state": "disabled"}
        elif action == "disable":
            changes, answer = mfa.disable(), {"state": "disabled"}
        else:
            raise BadRequestError("bad_request", "action must be enrol, confirm or disable.")
        document.edit(changes, services.now_ms, services.region)
        _, save = services.close(user, user, document)
        audit = services.audit(user.id, f"totp_{action}", client.id)
        services.store.commit(save, spent, audit, once=once)
        return answer

    return _again(run)


def profile(services: Services, user_id: str, once: Once) -> dict[str, Any]:
    """What companies may see of a person."""
    services.store.commit(once=once)
    user = services.find(user_id)
    return _shown(user, services.open(user))


def _shown(user: User, document: Document) -> dict[str, Any]:
    return {"user_id": user.id, "status": user.status, "ts": user.ts, "profile": document.profile()}


def edit(
    services: Services, user_id: str, changes: dict[str, Any], client: Client, once: Once
) -> dict[str, Any]:
    """Change a profile: fields of `PROFILE`, `phone` and `email`; None removes one, though not the address.

    A new phone number counts as unverified. A new address counts once the token of its mail was used.

    Raises:
        BadRequestError: A field is unknown, too long or malformed.
        ConflictError: The address belongs to another account.
    """
    if not isinstance(changes.get("email", ""), str):
        raise BadRequestError("bad_field", "The address is not a text; it can be changed, and not removed.")
    address = normalise_email(changes["email"]) if "email" in changes else None
    changes = checked({name: value for name, value in changes.items() if name != "email"})

    def run() -> dict[str, Any]:
        user = services.find(user_id)
        document = services.open(user)
        writes = []
        after = user
        if "phone" in changes and changes["phone"] != document["phone"]:
            writes += services.releases(f"P#{user.phone_index}", user.id)
            changes["phone_verified"] = None
        order = None
        if address is not None and address != document["email"]:
            index = services.index("email", address)
            mails.allowed(services, f"E#{index}")
            changes["email_pending"] = address
            order = mails.Order(services, "email", user.id, index, client)
            writes.append(order.write)
        document.edit(
            {f"company.{client.company}": document[f"company.{client.company}"] or {}} | changes,
            services.now_ms,
            services.region,
        )
        after = user.but(phone_index=_phone_index(services, document))
        after, save = services.close(user, after, document)
        services.store.commit(save, *writes, services.audit(user.id, "edit", client.id), once=once)
        if order is not None:
            order.send()
        return _shown(after, document)

    return _again(run)


def _phone_index(services: Services, document: Document) -> str:
    return services.index("phone", document["phone"]) if document["phone"] else ""


def erase(services: Services, user_id: str, client: Client, once: Once) -> None:
    """Forget a person: what stays is a tombstone without data and without keys, for ever.

    The tombstone is a write like any other, so that it reaches every region and beats all that was before.

    Raises:
        NotFoundError: There never was such an account.
    """

    def run() -> None:
        user = services.store.user(user_id)
        while user is not None and user.merged_into:  # the id leads to the account of the same person
            user = services.store.user(user.merged_into)
        if user is None:
            raise NotFoundError("unknown_user", "There is no such account.")
        if user.status == "erased":
            services.store.commit(once=once)
        else:
            aliases = _aliases(user, services.open(user)) if user.sealed else []
            after = User(user.id, "erased", None, ts=services.reading(user.ts), version=user.version)
            services.store.commit(
                services.store.save(after.written_in(services.region), user),
                *(write for alias in aliases for write in services.releases(alias, user.id)),
                services.audit(user.id, "erase", client.id),
                once=once,
            )
        services.forget_belongings(user.id)  # last: no log-in can be written any more; at a retry too

    _again(run)


def export(services: Services, user_id: str, client: Client, once: Once) -> dict[str, Any]:
    """Everything that is known of a person, but for what proves who they are (hashes, secrets)."""
    user = services.find(user_id)
    document = services.open(user)
    services.store.commit(services.audit(user.id, "export", client.id), once=once)
    return {
        **_shown(user, document),
        "further_addresses": [address for _, address in document.family("email_also")],
        "pending_address": document["email_pending"],
        "second_factor": bool(document["totp"]),
        "legacy_passwords_of": [company for company, _ in document.family("old_hash")],
        "sessions": [
            {"client": item["client"]["S"], "began": int(item["began"]["N"]), "scope": item["scope"]["S"]}
            for _, item in sessions.of_person(services, user.id)
        ],
        "granted": [
            {"client": item["sk"]["S"][2:], "scopes": item["scopes"]["SS"]}
            for item in services.store.query(f"U#{user.id}", "G#")
        ],
        "same_identifier": [
            each
            for kind, index in (("email", user.email_index), ("phone", user.phone_index))
            for each in (services.store.sharing(kind, index) if index else ())
            if each != user.id
        ],
        "trail": [
            {
                "at": item["sk"]["S"].partition("#")[0],
                **{name: item[name]["S"] for name in ("action", "client", "outcome")},
            }
            for item in services.store.query(f"A#{user.id}")
        ],
    }


def merge(services: Services, user_id: str, other_id: str, client: Client, once: Once) -> dict[str, Any]:
    """Make one account of two that share an identifier which is verified on both.

    Args:
        services: The services.
        user_id: The account that stays.
        other_id: The account that is taken over; its id leads to the other one from then on.
        client: By whose server.
        once: The request.

    Raises:
        ConflictError: They share nothing, or it is not verified on both.
    """

    def run() -> dict[str, Any]:
        user, other = services.find(user_id), services.find(other_id)
        document = services.open(user)
        if user.id == other.id:
            services.store.commit(once=once)
            after = user
        else:
            after, writes = merging.merge(services, user, document, other, services.open(other))
            audits = [services.audit(each, "merge", client.id) for each in (user.id, other.id)]
            services.store.commit(*writes, *audits, once=once)
        if other_id != user_id:
            services.forget_belongings(other_id)  # at a retry too
        return _shown(after, document)

    return _again(run)
