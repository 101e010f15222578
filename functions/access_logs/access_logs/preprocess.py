"""Turns an access log into enriched rows, and puts them on the delivery stream.

Trigger: SQS, S3's `ObjectCreated` notifications of the log bucket, several messages at once.
Input: the log that a message names, in any of CloudFront's forms; `s3:TestEvent` is ignored.
Output: rows in the order of `shared.access_log.COLUMNS`, packed into records of Firehose. Rows that cannot be
    taken go to `errors/rows/` of the processed bucket, a JSON document a line; a log that ends too early, is
    damaged or is none is copied to `quarantine/`, after its good rows were delivered.
On failure: the message alone fails, and comes back later and later; in the end it is in the dead-letter
    queue. One that is not S3's, or whose object is gone, goes there at once.
Idempotent: an object (key and ETag) that is done is not read again. What fails half-way is sent again as a
    whole; the views hold one row for each (filename, etag, linenumber).
Recorded event: events/access_logs/preprocess_log_created.json
"""

from collections.abc import Iterator
from functools import cache, partial
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.access_log import (
    AccessLog,
    AccessLogError,
    Layout,
    Rejected,
    UserAgents,
    pack,
    put_records,
)
from shared.batches import BatchResponse
from shared.metrics import count, publishes_metrics

from .addresses import address_privacy
from .errors import ReplacedError, StreamBusyError, UndeliveredError
from .ledger import Ledger
from .notifications import StoredObject, each_object
from .settings import PreprocessSettings
from .storage import distribution_of, open_log, quarantine, send, write_rejected

__all__ = ["handler"]

logger = Logger()

# Rows of one object that are written to the error prefix; all are counted.
MAX_REJECTED = 10_000
MAX_REJECTED_CHARACTERS = 4_000_000  # of them together: each can be six bytes as JSON


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> BatchResponse:
    """Take the logs of a batch of notifications."""
    settings = PreprocessSettings.from_env()

    def take(stored: StoredObject, deadline: float) -> None:
        seconds = context.get_remaining_time_in_millis() / 1000
        try:
            with Ledger(settings.ledger_table).turn(stored, seconds) as fresh:
                if fresh:
                    _preprocess(settings, stored, deadline)
                else:
                    count("ObjectsAlreadyDone")
        except ReplacedError:  # not done: the same content may come back
            count("ObjectsReplaced")

    return each_object(
        event,
        context,
        take,
        retry_seconds=settings.retry_seconds,
        dead_letter_queue_url=settings.dead_letter_queue_url,
    )


def _preprocess(settings: PreprocessSettings, stored: StoredObject, deadline: float) -> None:
    rejected: list[Rejected] = []

    room = MAX_REJECTED_CHARACTERS

    def reject(row: Rejected) -> None:
        nonlocal room
        room -= len(row.text)
        if len(rejected) < MAX_REJECTED and room >= 0:
            rejected.append(row)

    with open_log(stored) as body:
        log = AccessLog(
            body,
            filename=stored.key,
            distribution=distribution_of(stored.key),
            etag=stored.etag,
            agents=_agents(),
            layout=Layout(settings.fields) if settings.fields else None,
            privacy=address_privacy(settings.viewer_address, settings.address_secret_id),
            on_reject=reject,
        )
        rows = _Undamaged(log)
        result = put_records(
            partial(send, settings.stream), pack(rows), deadline=deadline, retry_on=(StreamBusyError,)
        )
    if not result.done:
        raise UndeliveredError(f"{result.accepted} records were taken in time, and there are more")
    if rejected:
        # Rows are written as they came: with addresses, so not if those are not to be stored.
        write_rejected(settings.processed_bucket, stored, rejected, settings.viewer_address == "keep")
    problem, reason = ("TruncatedLog", "the file ends too early") if log.partial else ("", "")
    if rows.error:
        problem, reason = type(rows.error).__name__, str(rows.error)
    count("ObjectsTaken")
    count("RowsDelivered", log.rows)
    count("RowsRejected", log.rejected)
    count("RecordsDelivered", result.accepted)
    if problem:
        quarantine(settings.processed_bucket, stored, problem, reason)
        logger.warning("quarantined", log_file=stored.key, problem=problem, reason=reason, rows=log.rows)
    count("ObjectsQuarantined", int(bool(problem)))
    logger.info(
        "preprocessed",
        log_file=stored.key,
        rows=log.rows,
        rejected=log.rejected,
        records=result.accepted,
    )


class _Undamaged:
    """The rows before the damage of a log; `error` says what it was."""

    def __init__(self, log: AccessLog) -> None:
        self._log = log
        self.error: AccessLogError | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._log
        except AccessLogError as error:
            self.error = error


@cache
def _agents() -> UserAgents:
    """One memo of user agents for all logs: it stays warm between invocations."""
    return UserAgents()
