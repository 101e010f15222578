"""Sends the mails that the API asked for: by SES, or into the outbox table of the local engine.

Trigger: SQS, batches with partial responses.
Input: `{"kind", "user", "token", "client", "expires"}`, see `accounts`. No personal data is in the queue: the
    address comes from the record.
Output: a mail in the name of the client's company; nothing for the kind `none`.
On failure: the message comes back, eight times in 21 minutes, and ends in the dead-letter queue, whose alarm
    fires. A job whose token is not written yet comes back too, and is dropped once it cannot be any more.
Idempotent: a repeated message makes the same mail with the same token; the outbox holds it once.
Recorded event: events/auth/deliver_nobody.json
"""

import json
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.batches import BatchResponse, Message, QueueBatch, RetryableError
from shared.clients import client
from shared.http import GoneError, NotFoundError
from shared.metrics import publishes_metrics

from .clients import Client, find_client
from .services import Records, get_records
from .settings import DeliverSettings
from .storage import MailKind, Outbox, OutboxMail, User

__all__ = ["compose", "handler"]

logger = Logger()

_SUBJECTS: dict[MailKind, str] = {
    "verify": "Confirm your e-mail address",
    "email": "Confirm your new e-mail address",
    "known": "You already have an account",
    "reset": "Choose a new password",
    "approve": "Your e-mail address is to be changed",
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
    "approve": "A new e-mail address was entered for your account at {title}:\n\n{about}\n\n"
    "To change to it, and to let the present address go:\n\n{link}\n\n"
    "This is good for a day. If it was not you, do nothing: the present address stays.\n",
}
_RETRY_S = 5
_UNWRITTEN_MS = 40_000  # longer than the API's functions run, which write a token after they send its job


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> BatchResponse:  # noqa: ARG001
    """Send a batch of mails."""
    settings, records = DeliverSettings.from_env(), get_records()

    def deliver(message: Message) -> None:
        outcome = _deliver(records, settings, message, json.loads(message.body))
        logger.info("mail", message_id=message.id, outcome=outcome)

    return QueueBatch(event, retry_seconds=_RETRY_S).each(deliver)


def _deliver(records: Records, settings: DeliverSettings, message: Message, job: dict[str, Any]) -> str:
    kind: MailKind = job["kind"]
    if kind == "none":
        return "nobody"
    if job["expires"] < records.now():
        return "expired"  # its token is no longer good; people ask again
    token = records.store.mail_tokens.get(job["token"])
    if token is None and 1000 * records.now() - message.sent_ms < _UNWRITTEN_MS:
        raise RetryableError("the token is not written yet")
    if token is None:
        return "never written"
    try:
        user = records.find(token.user)
    except (NotFoundError, GoneError):
        return "gone"
    if user.epoch != token.epoch:
        return "void"  # as its token is
    address = _address_of(records, user, token.email_index)
    about = _address_of(records, user, token.about) if token.about else ""
    company = find_client(records.store, token.client)
    if address is None or about is None or company is None:
        return "gone"
    subject, text = compose(kind, job["token"], company, about)
    if settings.outbox:
        mail = OutboxMail(message.id, address, kind, subject, text, job["token"])
        Outbox.connect(settings.outbox).put(mail, records.now())
    else:
        client("sesv2").send_email(
            FromEmailAddress=settings.sender,
            Destination={"ToAddresses": [address]},
            Content={"Simple": {"Subject": {"Data": subject}, "Body": {"Text": {"Data": text}}}},
        )
    return kind


def _address_of(records: Records, user: User, index: str) -> str | None:
    """The address of a person that has a blind index; None if they have it no more."""
    document = records.open(user)
    pending = document["email_pending"]
    addresses = {user.email_index: document["email"], **dict(document.family("email_also"))}
    addresses |= {pending["index"]: pending["address"]} if isinstance(pending, dict) else {}
    return addresses.get(index)


def compose(kind: MailKind, token: str, company: Client, about: str = "") -> tuple[str, str]:
    """Subject and text of a mail.

    Args:
        kind: Which mail.
        token: Its single-use token.
        company: In whose name; its `links` say where the token is to be taken, else the bare token is shown.
        about: The new address that an `approve` lets in.
    """
    link = company.links.get("reset" if kind in ("known", "reset") else "verify", "{token}")
    return _SUBJECTS[kind], _TEXTS[kind].format(
        title=company.title, link=link.replace("{token}", token), about=about
    )
