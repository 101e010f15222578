"""Sends the mails that the API asked for: by SES, or into the outbox table of the local engine.

Trigger: SQS, batches with partial responses.
Input: `{"kind", "user", "token", "client", "expires"}` of a mail with a token, `{"kind", "user", "index",
    "client", "trail"}` of a notice; see `mail_jobs`. No personal data is in the queue: the address comes from
    the record.
Output: a mail in the name of the client's company; nothing for the kind `none`.
On failure: the message comes back, eight times in 21 minutes, and ends in the dead-letter queue, whose alarm
    fires; what no attempt will deliver goes there at once, with the reason. A job whose token or entry of the
    trail is not written yet comes back too, and is dropped once it cannot be any more.
Idempotent: a repeated message makes the same mail with the same token; the outbox holds it once.
Recorded event: events/auth/deliver_nobody.json, events/auth/deliver_notice_unwritten.json
"""

import json
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from shared.batches import BatchResponse, Message, PermanentError, QueueBatch, RetryableError
from shared.clients import client
from shared.http import GoneError, NotFoundError
from shared.metrics import publishes_metrics

from .clients import Client, find_client
from .identity import Document, known_addresses, recovery_of
from .mail_texts import MAIL_KINDS, NOTICE_KINDS, compose_mail, compose_notice, recovery_text
from .services import Records, get_records
from .settings import DeliverSettings
from .storage import MailKind, NoticeKind, Outbox, OutboxMail, User

__all__ = ["handler"]

logger = Logger()

_REFUSED = {"BadRequestException", "MessageRejected"}
"""Of SES's errors those that are of the mail itself
(https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html)."""
_RETRY_S = 5
_UNWRITTEN_MS = 40_000  # longer than the API's functions run, which write a token after they send its job


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> BatchResponse:  # noqa: ARG001
    """Send a batch of mails."""
    settings, records = DeliverSettings.from_env(), get_records()

    def deliver(message: Message) -> None:
        job = _job(message.body)
        outcome = (_deliver_notice if "trail" in job else _deliver)(records, settings, message, job)
        logger.info("mail", message_id=message.id, outcome=outcome)

    batch = QueueBatch(event, retry_seconds=_RETRY_S, dead_letter_queue_url=settings.dead_letter_queue_url)
    return batch.each(deliver)


def _job(body: str) -> dict[str, Any]:
    """What a message asks for.

    Raises:
        PermanentError: It is no job of a mail.
    """
    try:
        job = json.loads(body)
        if job["kind"] in NOTICE_KINDS and job["trail"] and job["user"] and job["index"]:
            return dict(job)
        if job["kind"] in (*MAIL_KINDS, "none") and int(job["expires"]):
            return dict(job)
    except (KeyError, TypeError, ValueError) as error:
        raise PermanentError("no job of a mail") from error
    raise PermanentError("no job of a mail of a known kind")


def _deliver(records: Records, settings: DeliverSettings, message: Message, job: dict[str, Any]) -> str:
    kind: MailKind = job["kind"]
    if kind == "none":
        return "nobody"
    if job["expires"] < records.now():
        return "expired"  # its token is no longer good; people ask again
    token = records.store.mail_tokens.get(job["token"])
    if token is None:
        return _unwritten(records, message)
    user = _user(records, token.user)
    if user is None:
        return "gone"
    if user.epoch != token.epoch:
        return "void"  # as its token is
    document = records.open(user)
    address = _address_of(records, user, document, token.email_index)
    about = _address_of(records, user, document, token.about) if token.about else ""
    company = find_client(records.store, token.client)
    if address is None or about is None or company is None:
        return "gone"
    recovery = recovery_of(document)
    if kind == "recovery" and recovery:
        about = recovery_text(recovery.email, second_factor=recovery.second_factor)
    link = _link(kind, job["token"], company)
    subject, text = compose_mail(kind, company.title, link, recovery.due if recovery else 0, about)
    return _send(records, settings, OutboxMail(message.id, address, kind, subject, text, job["token"]))


def _deliver_notice(
    records: Records, settings: DeliverSettings, message: Message, job: dict[str, Any]
) -> str:
    kind: NoticeKind = job["kind"]
    entry = records.store.audit.get(job["user"], job["trail"])
    if entry is None:
        return _unwritten(records, message)
    user = _user(records, job["user"])
    if user is None:
        return "gone"
    address = _address_of(records, user, records.open(user), job["index"])
    company = find_client(records.store, job["client"])
    if address is None or company is None:
        return "gone"
    subject, text = compose_notice(kind, company.title, entry.at)
    return _send(records, settings, OutboxMail(message.id, address, kind, subject, text, ""))


def _unwritten(records: Records, message: Message) -> str:
    """What becomes of a mail that tells of something that is not in the table.

    Raises:
        RetryableError: It may be written yet.
    """
    if 1000 * records.now() - message.sent_ms < _UNWRITTEN_MS:
        raise RetryableError("what the mail tells of is not written yet")
    return "never written"


def _user(records: Records, user: str) -> User | None:
    try:
        return records.find(user)
    except (NotFoundError, GoneError):
        return None


def _send(records: Records, settings: DeliverSettings, mail: OutboxMail) -> str:
    if settings.outbox:
        Outbox.connect(settings.outbox).put(mail, records.now())
    else:
        _send_by_ses(settings.sender, mail)
    return mail.kind


def _address_of(records: Records, user: User, document: Document, index: str) -> str | None:
    """The address of a person that has a blind index; None if they have it no more."""
    pending = document["email_pending"]
    addresses = known_addresses(document, user.email_index, records.now())
    addresses |= {pending["index"]: pending["address"]} if isinstance(pending, dict) else {}
    return addresses.get(index)


def _send_by_ses(sender: str, mail: OutboxMail) -> None:
    """Send a mail by SES.

    Raises:
        PermanentError: SES will refuse it at every attempt.
    """
    try:
        client("sesv2").send_email(
            FromEmailAddress=sender,
            Destination={"ToAddresses": [mail.to]},
            Content={"Simple": {"Subject": {"Data": mail.subject}, "Body": {"Text": {"Data": mail.text}}}},
        )
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _REFUSED:
            raise PermanentError(f"SES: {code}") from error
        raise


def _link(kind: MailKind, token: str, company: Client) -> str:
    """Where the token of a mail is to be taken; the bare token if the company has no such page."""
    link = company.links.get("reset" if kind in ("known", "reset") else "verify", "{token}")
    return link.replace("{token}", token)
