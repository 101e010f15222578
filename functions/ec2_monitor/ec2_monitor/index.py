"""Creates a document in the OpenSearch index `log` for each event of CloudTrail's.

Trigger: SQS, which an EventBridge rule fills with events; up to 100 at once, with partial batch responses.
Input: events of EventBridge, as they came.
Output: documents of the index (see `documents`), created in bulk with the event's `eventID` as `_id`. The
    index template is put once a container, so that an index is never made without its mapping.
On failure: a message whose document the domain does not take for now comes back after the queue's
    visibility time-out; after the last try SQS puts it into the dead-letter queue. An event that is none of
    CloudTrail's, or whose document the index will never take, goes there at once, with the reason as
    attribute `reason`. The others of its batch are kept back by neither.
Idempotent: a document that is there is not created again (409), and counts as done.
Recorded event: events/ec2_monitor/index_calls.json
"""

import time
from functools import cache
from pathlib import Path
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.batch_write import deadline_of
from shared.batches import BatchResponse, QueueBatch
from shared.metrics import count, publishes_metrics
from shared.signed_http import Answer, SignedHttp, UnreachableError

from .bulk import Entry, Outcome, Result, create
from .documents import document, encoded, read
from .errors import MalformedError
from .settings import IndexSettings

__all__ = ["INDEX", "TEMPLATE", "handler"]

logger = Logger()

INDEX = "log"
TEMPLATE = Path(__file__).with_name("index_template.json")
MARGIN_S = 25.0  # a request that has begun may take 22 s
# The server waits up to a minute for a shard by itself, longer than we wait for the server.
_PARAMETERS = {"timeout": "10s", "filter_path": "items.*.status,items.*.error.type"}


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> BatchResponse:
    """Create the documents of a batch of messages."""
    settings = IndexSettings.from_env()
    deadline = deadline_of(context, margin=MARGIN_S)
    batch = QueueBatch(event, dead_letter_queue_url=settings.dead_letter_queue_url)
    entries: dict[str, Entry] = {}
    outcomes: dict[str, Outcome] = {}
    for message in batch.messages:
        try:
            made = document(read(message.body))
            entries[message.id] = Entry(made["event_id"], encoded(made))
        except MalformedError as error:
            outcomes[message.id] = Outcome(Result.REFUSED, str(error))
        except Exception as error:  # the boundary of a message: the others go on
            logger.exception("failed", message_id=message.id, reason=type(error).__name__)
            outcomes[message.id] = Outcome(Result.DELAYED, type(error).__name__)
    domain = _domain(settings.search_url, settings.aws_region)
    created = create(domain.bulk, list(entries.values()), goes_on=lambda: time.monotonic() < deadline)
    outcomes |= zip(entries, created, strict=True)
    # At the very end: what is sent to the dead-letter queue before a failure would be sent again after it.
    for message in batch.messages:
        outcome = outcomes[message.id]
        if outcome.result is Result.REFUSED:
            batch.quarantine(message, outcome.reason)
        elif outcome.result is Result.DELAYED:
            batch.fail(message, outcome.reason)
    results = [outcome.result for outcome in outcomes.values()]
    for result in Result:
        count(f"Documents{result.value.capitalize()}", results.count(result))
    return batch.response()


class _Domain:
    """The bulk requests of one domain; its template is put before the first."""

    def __init__(self, url: str, region: str) -> None:
        self._http = SignedHttp(url, "es", region)
        self._prepared = False

    def bulk(self, body: bytes) -> Answer:
        if not self._prepared:
            answer = self._http.send("PUT", f"/_template/{INDEX}", TEMPLATE.read_bytes())
            if answer.status != 200:
                raise UnreachableError(f"index template: {answer.status}")
            self._prepared = True
        return self._http.send(
            "POST",
            f"/{INDEX}/_bulk",
            body,
            parameters=_PARAMETERS,
            headers={"Content-Type": "application/x-ndjson"},
        )


@cache
def _domain(url: str, region: str) -> _Domain:
    return _Domain(url, region)
