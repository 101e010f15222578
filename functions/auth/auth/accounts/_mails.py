"""Mails with verification tokens: asked for here, sent by `deliver`.

The token is drawn when the mail is asked for; the table keeps its hash. `deliver` sends no mail whose token
is not there (see `mail_jobs`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from secrets import token_urlsafe

from shared.http import BadRequestError, GoneError, NotFoundError, TooManyRequestsError

from ..clients import Client
from ..identity import RECOVERY_GOOD_S
from ..mail_jobs import enqueue
from ..services import Services
from ..storage import CounterName, MailKind, MailToken, User, Write

__all__ = ["MailJob", "account_of", "counted", "find_token", "invalid_token"]

_LIVES_S: Mapping[MailKind, int] = {
    "verify": 86_400, "known": 3600, "reset": 3600, "email": 86_400, "approve": 86_400, "none": 3600,
}  # fmt: skip
_WINDOW_S = 3600


class MailJob:
    """A mail that is to be sent.

    Args:
        services: The services.
        kind: Which mail; `none` costs the same and sends nothing.
        user: To whom, as the record is when the token is written; None for `none`.
        index: Blind index of the address that it goes to: its token proves that address, and no other.
        client: The company in whose name.
        about: Blind index of the new address that an `approve` lets in.
    """

    def __init__(
        self,
        services: Services,
        kind: MailKind,
        user: User | None,
        index: str,
        client: Client,
        *,
        about: str = "",
    ) -> None:
        self._services = services
        self._token = token_urlsafe(32)
        lives = _LIVES_S.get(kind, services.settings.recovery_seconds + RECOVERY_GOOD_S)
        expires = int(services.now()) + lives
        name, epoch = (user.id, user.epoch) if user else (token_urlsafe(27), "")
        self._stands_for = MailToken(kind, name, index, client.id, expires, epoch, about)

    def send(self) -> Write:
        """Put the job into the queue; the write of the token's hash, with which the mail is sent.

        Raises:
            BusyError: The queue does not take it.
        """
        message = {
            "kind": self._stands_for.kind,
            "user": self._stands_for.user,
            "token": self._token,
            "client": self._stands_for.client,
            "expires": self._stands_for.expires,
        }
        enqueue(self._services, message)
        return self._services.store.mail_tokens.create(self._token, self._stands_for)


@contextmanager
def counted(services: Services, subject: str, name: CounterName = "mail") -> Iterator[None]:
    """Count a mail that is asked for within: unless an outage ends that.

    Args:
        services: The services.
        subject: The text of an identifier's alias, known or not; a person's id where a company asks. What
            strangers can cause counts apart: it must not keep a person from getting in.
        name: What is counted.

    Raises:
        TooManyRequestsError: It has had its mails of this hour.
    """
    with services.store.counters.counted(name, subject, _WINDOW_S) as count:
        if count > services.settings.mails_per_hour:
            after = _WINDOW_S - int(services.now()) % _WINDOW_S
            raise TooManyRequestsError(
                "too_many_mails", "Too many mails were asked for; try again later.", after
            )
        yield


def find_token(services: Services, token: str, kinds: frozenset[MailKind]) -> MailToken:
    """What a verification token stands for.

    Raises:
        BadRequestError: It is unknown, expired or for something else.
    """
    found = services.store.mail_tokens.get(token) if len(token) <= 64 else None
    if found is None or found.kind not in kinds:
        raise invalid_token()
    return found


def account_of(services: Services, found: MailToken) -> User:
    """The account that a verification token is of, if no credential of it was changed since.

    Raises:
        BadRequestError: One was, or the account has ended.
    """
    try:
        user = services.find(found.user)
    except (GoneError, NotFoundError) as error:
        raise invalid_token() from error
    if user.epoch != found.epoch:
        raise invalid_token()
    return user


def invalid_token() -> BadRequestError:
    """Why a verification token does nothing, whatever the reason."""
    return BadRequestError("invalid_token", "The link is not valid, or no longer.")
