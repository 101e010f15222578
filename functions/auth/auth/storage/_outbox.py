"""The outbox: mails that the local engine does not send, in a table of their own.

===========  ==============================================================
Item         a mail
Key          `id` S: the id of the queue's message
Attributes   `to` S, `kind` S, `subject` S, `text` S, `token` S (empty in a notice)
TTL          a day
Written by   deliver, on the local engine alone
===========  ==============================================================
"""

from typing import TYPE_CHECKING, NamedTuple, Self

from shared.clients import small_client

from ._audit import NoticeKind
from ._mail_tokens import MailKind

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["Outbox", "OutboxMail"]

_KEPT_S = 86_400


class OutboxMail(NamedTuple):
    """A mail that is not sent.

    Attributes:
        id: The id of the queue's message.
        to: The address.
        kind: Which mail.
        subject: Its subject.
        text: Its text.
        token: Its token; empty in a notice.
    """

    id: str
    to: str
    kind: MailKind | NoticeKind
    subject: str
    text: str
    token: str


class Outbox:
    """The table of mails that are not sent.

    Args:
        dynamodb: A DynamoDB client.
        table: The table's name.
    """

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb, self._table = dynamodb, table

    @classmethod
    def connect(cls, table: str) -> Self:
        """The table of that name in this region."""
        return cls(small_client("dynamodb"), table)

    def put(self, mail: OutboxMail, now: float) -> None:
        """Keep a mail; the same one again is kept once.

        Args:
            mail: The mail.
            now: Seconds since the epoch.
        """
        self._dynamodb.put_item(
            TableName=self._table,
            Item={
                "id": {"S": mail.id},
                "to": {"S": mail.to},
                "kind": {"S": mail.kind},
                "subject": {"S": mail.subject},
                "text": {"S": mail.text},
                "token": {"S": mail.token},
                "expires": {"N": str(int(now) + _KEPT_S)},
            },
        )
