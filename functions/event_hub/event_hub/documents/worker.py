"""Encodes documents that were uploaded to PDF.

Trigger: SQS, a message at a time, with partial batch responses. The queue gets what S3 publishes.
Input: S3's `ObjectCreated` notifications by SNS, raw or not, or EventBridge's `Object Created`; the documents
    (`.doc`, `.docx`, `.odt`, `.rtf`, `.txt`) from the input bucket. `s3:TestEvent` and other events are
    ignored by name.
Output: `<prefix>/<key>.pdf` in the output bucket.
On failure: a message comes back, later each time. One whose document is refused (see `errors.Reason`), or
    that is not S3's, goes to the dead-letter queue at once, with the reason; its other documents are encoded.
Idempotent: by the key and the sequencer of the upload, which are in the PDF's metadata: a PDF is stored where
    there is none, or in the place of an earlier upload's. What the worker did not make is never overwritten.
Recorded event: events/event_hub/documents_uploaded.json
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.batches import BatchResponse, Message, PermanentError, QueueBatch
from shared.metrics import count, publishes_metrics

from ..envelopes import MalformedError, unwrapped
from ..facts import Fact, ObjectCreated
from ..publishers import facts_of
from . import encoding
from .errors import ChangingError, OutOfTimeError, RefusedError, ReplacedError
from .libreoffice import TIMEOUT_S
from .settings import DocumentSettings
from .storage import Upload, fetch, is_made, made_pdf, output_key, store

__all__ = ["handler"]

RESERVE_S = 25.0  # to fetch the document, to look at the PDF, and to store it
TRIES = 3  # of which one may meet an earlier upload's PDF, and one what another delivery made


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> BatchResponse:
    """Encode the documents of a batch of messages."""
    settings = DocumentSettings.from_env()

    def take(message: Message) -> None:
        refused: PermanentError | None = None
        for fact in _facts(message):
            if not isinstance(fact, ObjectCreated):
                count("EventsIgnored")
                continue
            if context.get_remaining_time_in_millis() / 1000 < TIMEOUT_S + RESERVE_S:
                raise OutOfTimeError("too little time is left to begin")
            try:
                _encode(settings, Upload(fact.bucket, fact.key, fact.etag, fact.sequencer))
            except PermanentError as error:  # the message's other documents come first
                count("DocumentsRefused")
                refused = error
        if refused:
            raise refused

    batch = QueueBatch(
        event,
        retry_seconds=settings.retry_seconds,
        dead_letter_queue_url=settings.dead_letter_queue_url,
    )
    return batch.each(take)


def _facts(message: Message) -> list[Fact]:
    """What a message reports.

    Raises:
        PermanentError: It is not S3's, nor any other publisher's.
    """
    try:
        return [fact for incoming in unwrapped(message.body, message.id) for fact in facts_of(incoming)]
    except MalformedError as error:
        raise PermanentError(str(error)) from error


def _encode(settings: DocumentSettings, upload: Upload) -> None:
    """Have the PDF of an upload, or of a later one, stored."""
    if upload.bucket != settings.input_bucket:
        raise RefusedError("foreign_bucket")
    key = output_key(settings.output_prefix, upload.key)
    made: bytes | None = None
    for _ in range(TRIES):
        there = made_pdf(settings.output_bucket, key)
        if is_made(there, upload):
            count("DocumentsAlreadyDone")
            return
        if made is None:
            try:
                original = fetch(upload, settings.max_bytes)
            except ReplacedError:
                count("DocumentsReplaced")
                return
            made = encoding.encoded(original, upload.key)
        if store(settings.output_bucket, key, made, upload, there):
            count("DocumentsEncoded")
            return
    raise ChangingError("another PDF came before this one")
