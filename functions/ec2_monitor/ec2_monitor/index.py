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
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from shared.batch_write import deadline_of
from shared.clients import client
from shared.signed_http import Answer, SignedHttp, UnreachableError

from .bulk import Entry, Fate, Outcome, create
from .documents import document, encoded, read
from .errors import MalformedError
from .settings import IndexSettings

__all__ = ["INDEX", "TEMPLATE", "handler"]

logger = Logger()
metrics = Metrics()

INDEX = "log"
TEMPLATE = Path(__file__).with_name("index_template.json")
MARGIN_S = 25.0  # a request that has begun may take 22 s
# The server waits up to a minute for a shard by itself, longer than we wait for the server.
_PARAMETERS = {"timeout": "10s", "filter_path": "items.*.status,items.*.error.type"}


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Create the documents of a batch of messages."""
    settings = IndexSettings.from_env()
    deadline = deadline_of(context, margin=MARGIN_S)
    entries: dict[str, Entry] = {}
    outcomes: dict[str, Outcome] = {}
    messages = {record["messageId"]: record for record in event["Records"]}
    for name, record in messages.items():
        try:
            made = document(read(record["body"]))
            entries[name] = Entry(made["event_id"], encoded(made))
        except MalformedError as error:
            outcomes[name] = Outcome(Fate.REFUSED, str(error))
        except Exception as error:  # the boundary of a record: the others go on
            logger.exception("failed", message_id=name, reason=type(error).__name__)
            outcomes[name] = Outcome(Fate.DELAYED, type(error).__name__)
    domain = _domain(settings.search_url, settings.aws_region)
    created = create(domain.bulk, list(entries.values()), goes_on=lambda: time.monotonic() < deadline)
    outcomes |= zip(entries, created, strict=True)
    failed = [name for name, outcome in outcomes.items() if not _settled(messages[name], outcome, settings)]
    _count(outcomes)
    return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}


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


def _settled(record: dict[str, Any], outcome: Outcome, settings: IndexSettings) -> bool:
    """Whether nothing is left to do for a message; what is refused is put into the dead-letter queue."""
    if outcome.fate in (Fate.CREATED, Fate.KNOWN):
        return True
    name = record["messageId"]
    logger.warning(outcome.fate.value, message_id=name, reason=outcome.reason)
    if outcome.fate is Fate.DELAYED:
        return False
    try:
        client("sqs").send_message(
            QueueUrl=settings.dead_letter_queue_url,
            MessageBody=record["body"],
            MessageAttributes={"reason": {"DataType": "String", "StringValue": outcome.reason}},
        )
    except (ClientError, BotoCoreError) as error:
        logger.warning("could not be put away", message_id=name, reason=type(error).__name__)
        return False
    return True


def _count(outcomes: dict[str, Outcome]) -> None:
    fates = [outcome.fate for outcome in outcomes.values()]
    for fate in Fate:
        name = f"Documents{fate.value.capitalize()}"
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=fates.count(fate))
    metrics.flush_metrics()
