"""Sends the mails that the API asked for: by SES, or into the outbox table of the local engine.

Trigger: SQS, batches with partial responses.
Input: `{"kind", "user", "token", "client", "expires"}`, see `accounts`. No personal data is in the queue: the
    address comes from the record.
Output: a mail in the name of the client's company; nothing for the kind `none`.
On failure: the message comes back, five times, and ends in the dead-letter queue, whose alarm fires.
Idempotent: a repeated message makes the same mail with the same token; the outbox holds it once.
Recorded event: events/auth/deliver_nobody.json
"""

import json
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.batches import BatchResponse, Message, QueueBatch
from shared.clients import client
from shared.http import GoneError, NotFoundError
from shared.metrics import publishes_metrics

from .clients import Client, find_client
from .services import Records, get_records
from .settings import DeliverSettings
from .storage import MailKind, Outbox, OutboxMail

__all__ = ["compose", "handler"]

logger = Logger()

_SUBJECTS: dict[MailKind, str] = {
    "verify": "Confirm your e-mail address",
    "email": "Confirm your new e-mail address",
    "known": "You already have an account",
    "reset": "Choose a new password",
}
_TEXTS: dict[MailKind, str] = {
    "verify": "Somebody, probably you, made an account with this address at {title}.\n"
    "To confirm that it is yours:\n\n{link}\n\nThis is good for a day. If it was not you, do nothing.\n",
    "email": "This address was entered as the new address of an account at {title}.\n"
    "To confirm that it is yours:\n\n{link}\n\nThis is good for a day. If it was not you, do nothing.\n",
    "known": "Somebody, probably you, wanted to make an account with this address at {title}.\n"
    "There is one already. If you forgot its password, or never finished, choose a new one:\n\n{link}\n\n"
    "This is good for an hour. If it was not you, do nothing.\n",
    "reset": "A new password for your account was asked for at {title}. To choose one:\n\n{link}\n\n"
    "This is good for an hour. If it was not you, do nothing: the old password stays.\n",
}


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> BatchResponse:  # noqa: ARG001
    """Send a batch of mails."""
    settings, records = DeliverSettings.from_env(), get_records()

    def deliver(message: Message) -> None:
        outcome = _deliver(records, settings, message.id, json.loads(message.body))
        logger.info("mail", message_id=message.id, outcome=outcome)

    return QueueBatch(event).each(deliver)


def _deliver(records: Records, settings: DeliverSettings, message_id: str, job: dict[str, Any]) -> str:
    kind: MailKind = job["kind"]
    if kind == "none":
        return "nobody"
    if job["expires"] < records.now():
        return "expired"  # its token is no longer good; people ask again
    try:
        user = records.find(job["user"])
    except (NotFoundError, GoneError):
        return "gone"
    document = records.open(user)
    address = document["email_pending"] if kind == "email" else document["email"]
    company = find_client(records.store, job["client"])
    if not address or company is None:
        return "gone"
    subject, text = compose(kind, job["token"], company)
    if settings.outbox:
        mail = OutboxMail(message_id, address, kind, subject, text, job["token"])
        Outbox.connect(settings.outbox).put(mail, records.now())
    else:
        client("sesv2").send_email(
            FromEmailAddress=settings.sender,
            Destination={"ToAddresses": [address]},
            Content={"Simple": {"Subject": {"Data": subject}, "Body": {"Text": {"Data": text}}}},
        )
    return kind


def compose(kind: MailKind, token: str, company: Client) -> tuple[str, str]:
    """Subject and text of a mail.

    Args:
        kind: Which mail.
        token: Its single-use token.
        company: In whose name; its `links` say where the token is to be taken, else the bare token is shown.
    """
    link = company.links.get("reset" if kind in ("known", "reset") else "verify", "{token}")
    return _SUBJECTS[kind], _TEXTS[kind].format(title=company.title, link=link.replace("{token}", token))
