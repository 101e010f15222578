"""What the functions of the application share: made once in a container, from the settings.

Records are opened and closed here: nothing else sees ciphertext.
"""

import hmac
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from shared.clients import client, small_client
from shared.envelope import Envelope, EnvelopeError, KeyUnavailableError
from shared.http import BusyError, GoneError, InternalError, NotFoundError

from .clients import Clients
from .identity import Document, Kind, blind_index, new_epoch, tick
from .settings import AuthSettings, KeySettings
from .storage import CLAIMED, SHOWN, Alias, Store, User, Write
from .tokens import Keyring, Sessions, Tokens

__all__ = ["Records", "Services", "aliases_of", "claims_of", "further_indexes", "get_records", "get_services"]

_MERGES = 1000
_HEALTH_S = 10
_DIGEST_BYTES = 15


def further_indexes(document: Document) -> list[str]:
    """The blind indexes of a person's further addresses."""
    return [index for index, _ in document.family("email_also")]


def aliases_of(user: User, document: Document) -> list[Alias]:
    """The aliases that are a person's by their record."""
    aliases = [Alias("email", user.email_index)] if user.email_index else []
    aliases += [Alias("phone", user.phone_index)] if user.phone_index and document["phone_verified"] else []
    aliases += [Alias("email", index) for index in further_indexes(document)]
    return list(dict.fromkeys(aliases))


def claims_of(user: User, document: Document) -> dict[str, str]:
    """The aliases of a person, as `User.claims` has them."""
    claims = {}
    for alias in aliases_of(user, document):
        is_main = alias == Alias("email", user.email_index)
        field = alias.kind if is_main or alias.kind == "phone" else f"email_also.{alias.index}"
        since = max(document.reading(name) for name in (field, "imported"))
        # Further addresses, and numbers, are claimed only once it was shown whose they are.
        claims[alias.text] = f"{SHOWN if not is_main or document['email_verified'] else CLAIMED}{since}"
    return claims


class Records:
    """Records and their documents.

    Args:
        store: The users table.
        envelope: Encrypts documents under this region's key.
        keyring: The system's secrets.
        region: This region.
        now: Seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        envelope: Envelope,
        keyring: Keyring,
        region: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.store, self.envelope, self.keyring, self.region, self.now = store, envelope, keyring, region, now

    @property
    def now_ms(self) -> int:
        """The wall clock, milliseconds since the epoch."""
        return int(1000 * self.now())

    def reading(self, seen: str) -> str:
        """A reading of this region's clock that is later than what was seen."""
        return tick(self.now_ms, self.region, seen)

    def new_epoch(self) -> str:
        """An epoch for an account of which a credential is changed."""
        return new_epoch(self.now_ms, self.region)

    def find(self, user: str) -> User:
        """A record that can be used, of the account itself or of the one that took it over.

        Raises:
            NotFoundError: There never was one.
            GoneError: It was erased.
            BusyError: The one that took it over has not come from another region yet; or each of two took the
                other over, in a region each, and it is not settled yet which one goes on.
        """
        found = self.end_of(user)
        if found is None:
            raise NotFoundError("unknown_user", "There is no such account.")
        if found.status == "erased":
            raise GoneError("erased", "The account was erased.")
        return found

    def end_of(self, user: str) -> User | None:
        """The account that an id leads to, erased or not; None if there never was one.

        Raises:
            BusyError: As `find` raises it.
        """
        found = self.store.users.get(user)
        for _ in range(_MERGES):
            if found is None or found.status == "erased" or not found.merged_into:
                return found
            found = self.store.users.get(found.merged_into)
            if found is None:
                break
        raise BusyError("busy", "The account is being merged; try again in a moment.")

    def open(self, user: User) -> Document:
        """The document of a record; one call to KMS.

        Raises:
            BusyError: KMS does not answer, or this region's key is disabled.
            InternalError: The record cannot be decrypted at all.
        """
        if user.sealed is None:
            raise GoneError("erased", "The account was erased.")
        try:
            return Document.from_bytes(self.envelope.decrypt(user.sealed, user.context))
        except KeyUnavailableError as error:
            raise _key_unavailable() from error
        except EnvelopeError as error:
            raise InternalError("unreadable", "The record cannot be read.") from error

    def claims(self, user: User) -> Mapping[str, str]:
        """The aliases that an account claims; a record from before there were regions is opened for them.

        Raises:
            BusyError: As `open` raises it.
        """
        if user.epoch_version or user.sealed is None:
            return user.claims
        return claims_of(user, self.open(user))

    def probe(self) -> None:
        """Ask KMS as `open` does, where there is nothing to open.

        Raises:
            BusyError: As `open` raises it.
        """
        try:
            self.keyring.probe()
        except BusyError as error:
            raise _key_unavailable() from error

    def close(self, before: User | None, after: User, document: Document) -> tuple[User, Write]:
        """A record with its document encrypted under a new data key, and its write; one call to KMS.

        Args:
            before: The record that was read; None for a new one.
            after: The record that is to be, with the status and the indexes that it shall have.
            document: Its document.

        Raises:
            BusyError: KMS does not answer, or this region's key is disabled.
        """
        made = replace(
            after,
            ts=document.latest,
            claims=claims_of(after, document),
            cleaned=document["cleaned"] or "",
            taken=frozenset(document.accounts()),
        ).written_in(self.region)
        return self.seal(before, made, document)

    def seal(self, before: User | None, made: User, document: Document) -> tuple[User, Write]:
        """The same for a record whose version is known already."""
        try:
            sealed = self.envelope.encrypt(document.to_bytes(), made.context)
        except KeyUnavailableError as error:
            raise BusyError(
                "key_unavailable", "The data cannot be written now; try again in a moment.", 5
            ) from error
        except EnvelopeError as error:
            raise InternalError("unwritable", "The record cannot be written.") from error
        digest = hmac.digest(self.keyring.blind_index_key(), document.canonical(), "sha256")
        made = replace(made, sealed=sealed, digest=b64encode(digest[:_DIGEST_BYTES]).decode())
        return made, self.store.users.save(made, before)

    def without_address(self, user: User, document: Document, taken: Alias | None = None) -> User:
        """The record of who loses an unverified main address to whom it was shown to belong.

        The document is edited. Who has another identifier that is verified keeps it, and the log-in; else the
        account is in `conflict`. Either way it has a new epoch.

        Args:
            user: The record.
            document: Its document.
            taken: An identifier that it loses too.
        """
        after = user.but(epoch=self.new_epoch())
        further = next(document.family("email_also"), None)
        changes: dict[str, Any] = {"email": None, "email_verified": None}
        phone = Alias("phone", user.phone_index)
        if further is not None:
            index, address = further
            changes = {"email": address, "email_verified": True, f"email_also.{index}": None}
            after = after.but(email_index=index)
        elif phone != taken and user.phone_index and self.store.aliases.owner(phone) == user.id:
            after = after.but(email_index="")
        else:
            return after.but(status="conflict")
        document.edit(changes, self.now_ms, self.region)
        return after

    def index(self, kind: Kind, normalised: str) -> str:
        """The blind index of an identifier."""
        return blind_index(self.keyring.blind_index_key(), kind, normalised)

    def alias(self, kind: Kind, normalised: str) -> Alias:
        """The alias of an identifier."""
        return Alias(kind, self.index(kind, normalised))


class Services(Records):
    """What the API and single sign-on work with.

    Args:
        settings: The function's settings.
        api: Base address of this region's API, `aud` of every client's request; `iss` of every token, unless
            the settings name an issuer that several regions share.
        store: The users table.
        envelope: Encrypts documents.
        keyring: The system's secrets.
        queue: An SQS client, for mails.
        now: Seconds since the epoch.
        sleep: Waits for seconds.
    """

    def __init__(
        self,
        settings: AuthSettings,
        api: str,
        store: Store,
        envelope: Envelope,
        keyring: Keyring,
        queue: Any,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(store, envelope, keyring, settings.aws_region, now)
        self.settings, self.api, self.queue, self.sleep = settings, api, queue, sleep
        self.issuer = settings.issuer or api
        self.tokens = Tokens(keyring, self.issuer, settings.access_token_seconds, now)
        self.clients = Clients(store, api, self.issuer, now)
        self.sessions = Sessions(
            store, self.tokens, self.clients.get, settings.refresh_idle_days, settings.refresh_days, now
        )
        # Failed log-ins of this minute by rate limit key: when they were read, and how many.
        self.failures: dict[str, tuple[float, int]] = {}
        self._checked: tuple[float, BusyError | None] = (0.0, None)

    def check_key(self) -> None:
        """Whether KMS unwraps under this region's key, as it was at most ten seconds ago.

        Raises:
            BusyError: It does not.
        """
        if self.now() - self._checked[0] >= _HEALTH_S:
            try:
                self.probe()
            except BusyError as error:
                self._checked = (self.now(), error)
            else:
                self._checked = (self.now(), None)
        if self._checked[1] is not None:
            raise self._checked[1]

    def floor(self, started: float) -> None:
        """Wait until an answer that must not tell why it took so long may be given.

        Args:
            started: When the request came, by this object's clock.
        """
        self.sleep(max(0.0, started + self.settings.failure_floor_ms / 1000 - self.now()))


def _key_unavailable() -> BusyError:
    return BusyError("key_unavailable", "The data cannot be read now; try again in a moment.", 5)


@cache
def get_records() -> Records:
    """The records of this container, for functions without an API.

    Raises:
        SettingsError: A variable is missing or wrong.
    """
    settings = KeySettings.from_env()
    return Records(*_parts(settings), settings.aws_region)


@cache
def get_services() -> Services:
    """The services of this container.

    Raises:
        SettingsError: A variable is missing or wrong.
        BusyError: The parameter with the API's address cannot be read.
    """
    settings = AuthSettings.from_env()
    store, envelope, keyring = _parts(settings)
    return Services(settings, keyring.api_address(), store, envelope, keyring, client("sqs"))


def _parts(settings: KeySettings) -> tuple[Store, Envelope, Keyring]:
    kms = small_client("kms")
    return (
        Store.connect(settings.table),
        Envelope(kms, settings.kms_key, settings.aws_region),
        Keyring(client("ssm"), kms, settings.kms_key, settings.secrets),
    )
