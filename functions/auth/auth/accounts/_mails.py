"""Mails with single-use tokens: asked for here, sent by `deliver`.

The token is drawn when the mail is asked for; the table keeps its hash. The queue is encrypted, a message
holds no personal data, and an answer is given only once the message is in the queue.
"""

import hashlib
import json
from secrets import token_urlsafe
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from ..clients import Client
from ..errors import BadRequestError, BusyError, TooManyRequestsError
from ..services import Services
from ..storage import Item, Write, write

__all__ = ["LIVES_S", "MailKind", "Order", "allowed", "invalid", "redeemed", "used"]

type MailKind = Literal["verify", "known", "reset", "email", "none"]
"""A new account; a sign-up of who has one; a forgotten password; a new address; nobody's."""

LIVES_S = {"verify": 86_400, "known": 3600, "reset": 3600, "email": 86_400, "none": 3600}
_WINDOW_S = 3600


class Order:
    """A mail that is to be sent.

    Args:
        services: The services.
        kind: Which mail; `none` costs the same and sends nothing.
        user: To whom; any text for `none`.
        index: Blind index of the address that it goes to: its token proves that address, and no other.
        client: The company in whose name.
    """

    def __init__(self, services: Services, kind: MailKind, user: str, index: str, client: Client) -> None:
        self._services, self._kind, self._user, self._client = services, kind, user, client
        self._index = index
        self._token = token_urlsafe(32)
        self._expires = int(services.now()) + LIVES_S[kind]

    @property
    def write(self) -> Write:
        """The write of the token's hash."""
        item: Item = {
            "kind": {"S": self._kind},
            "user": {"S": self._user},
            "index": {"S": self._index},
            "client": {"S": self._client.id},
            "expires": {"N": str(self._expires)},
        }
        return write((_key(self._token), "."), item, new=True)

    def send(self) -> None:
        """Put the order into the queue.

        Raises:
            BusyError: The queue does not take it.
        """
        message = {
            "kind": self._kind,
            "user": self._user,
            "token": self._token,
            "client": self._client.id,
            "expires": self._expires,
        }
        try:
            self._services.queue.send_message(
                QueueUrl=self._services.settings.mail_queue, MessageBody=json.dumps(message)
            )
        except (BotoCoreError, ClientError) as error:
            raise BusyError("busy", "The mail cannot be sent now; try again in a moment.") from error


def allowed(services: Services, alias: str) -> None:
    """Count a mail of an identifier, known or not.

    Raises:
        TooManyRequestsError: It has had its mails of this hour.
    """
    if services.store.count(f"mail#{alias}", _WINDOW_S) > services.settings.mails_per_hour:
        after = _WINDOW_S - int(services.now()) % _WINDOW_S
        raise TooManyRequestsError("too_many_mails", "Too many mails were asked for; try again later.", after)


def redeemed(services: Services, token: str, kinds: frozenset[str]) -> tuple[Item, bool]:
    """What a token of a mail stands for, and whether it was used before.

    Raises:
        BadRequestError: It is unknown, expired or for something else.
    """
    item = services.store.get(_key(token)) if len(token) <= 64 else None
    if item is None or item["kind"]["S"] not in kinds:
        raise invalid()
    return item, "used" in item


def invalid() -> BadRequestError:
    """Why a token of a mail does nothing, whatever the reason."""
    return BadRequestError("invalid_token", "The link is not valid, or no longer.")


def used(token: str) -> Write:
    """The write that uses a token up; fails if it was used before."""
    update: dict[str, Any] = {
        "Key": {"pk": {"S": _key(token)}, "sk": {"S": "."}},
        "UpdateExpression": "SET #used = :yes",
        "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(#used)",
        "ExpressionAttributeNames": {"#used": "used"},
        "ExpressionAttributeValues": {":yes": {"BOOL": True}},
    }
    return {"Update": update}


def _key(token: str) -> str:
    return "T#" + hashlib.sha256(token.encode()).hexdigest()
