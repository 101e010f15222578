"""Makes one flat document of one event of CloudTrail's, on its way through Firehose.

Trigger: Firehose, which transforms each batch of records (up to 3 MB of them) before it writes.
Input: events of EventBridge, base64; a call that nobody knows is a document like any other.
Output: for each record the document (see `documents`) and a line's end, or `ProcessingFailed`: Firehose then
    writes the record as it came to `errors/processing-failed/` of the bucket, and the others go on.
On failure: Firehose invokes again, three times; then the whole batch goes to the error prefix.
Idempotent: the same record makes the same document again, with the same `event_id`. What is delivered twice
    is in the bucket twice; the view has one row of it. `InstancesTerminated` counts an instance once in a
    batch; an event that comes again in another batch is counted again, so the alarm fires early, never late.
Recorded event: events/ec2_monitor/shape_calls.json
"""

from base64 import b64decode, b64encode
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.events import firehose_records
from shared.metrics import count, publishes_metrics

from .documents import document, encoded, read
from .errors import MalformedError
from .terminations import ended

__all__ = ["handler"]

logger = Logger()

MAX_ANSWER = 5_500_000
"""Characters of documents in an answer: Lambda returns 6 MB. What has no room is in the error prefix; a batch
of a megabyte comes near only if its parameters' names are far longer than their values."""


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Transform the records of a batch; each answer has its record's id."""
    results, terminated, malformed, room = [], set[str](), 0, MAX_ANSWER
    for record in firehose_records(event):
        try:
            call = read(b64decode(record["data"]))
            data = _line(call, room)
            room -= len(data)
            terminated |= ended(call)
            results.append({"recordId": record["recordId"], "result": "Ok", "data": data})
        except MalformedError as error:
            results.append({"recordId": record["recordId"], "result": "ProcessingFailed"})
            malformed += 1
            logger.warning("malformed", record_id=record["recordId"], reason=str(error))
        except Exception as error:  # the boundary of a record: the others go on
            results.append({"recordId": record["recordId"], "result": "ProcessingFailed"})
            malformed += 1
            logger.exception("failed", record_id=record["recordId"], reason=type(error).__name__)
    count("EventsShaped", len(results) - malformed)
    count("EventsMalformed", malformed)
    count("InstancesTerminated", len(terminated))
    return {"records": results}


def _line(call: dict[str, Any], room: int) -> str:
    """An event's document as Firehose takes it, if the answer has room for it."""
    data = b64encode(encoded(document(call))).decode()
    if len(data) > room:
        raise MalformedError("no room in the answer")
    return data
