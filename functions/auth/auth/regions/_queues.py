"""The queues of what could not be sent: T for a table that did not take it, K for a key that did not wrap it.

A message holds the key of an item, and since when it waits, `{"key": "U#<user>", "since": <seconds since the
epoch>}`: whoever takes it sends the newest.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from shared.metrics import count

from ..storage import Alias, user_of_key
from ._replication import (
    KeyTroubleError,
    NotYetError,
    Replication,
    TableTroubleError,
    UnreplicableError,
)

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["Queues", "Result", "drain", "replicate_each"]

logger = Logger()

type Result = Literal["sent", "known", "joined", "nothing", "later", "refused", "failed"]
"""What became of a key: see `Replication.replicate`; or it is in a queue, or in the dead-letter queue, or an
error that nobody foresaw came of it."""

_AT_ONCE = 8
_AGAIN_S = 60
_LONGEST_S = 14 * 86_400  # for an account that another one refers to: as long as its region may be out
_BATCH_S = 10  # with less left no batch is begun


@dataclass(frozen=True)
class Queues:
    """The queues, by their URLs.

    Attributes:
        sqs: An SQS client.
        tables: Of what a table did not take.
        keys: Of what a key did not wrap or unwrap.
        dead_letters: Of what can never be sent.
    """

    sqs: "SQSClient"
    tables: str
    keys: str
    dead_letters: str

    def put_back(self, key: str, queue: Literal["tables", "keys"], since: float | None = None) -> None:
        """Have a drain take an item later.

        Args:
            key: Partition key of the item.
            queue: Which queue.
            since: Since when it waits, seconds since the epoch; None for now.
        """
        body = json.dumps({"key": key, "since": int(time.time() if since is None else since)})
        delay = 0 if since is None else _AGAIN_S
        self.sqs.send_message(QueueUrl=getattr(self, queue), MessageBody=body, DelaySeconds=delay)

    def refuse(self, body: str, reason: str) -> None:
        """Set aside what can never be sent, with its reason as the attribute `reason`."""
        self.sqs.send_message(
            QueueUrl=self.dead_letters,
            MessageBody=body,
            MessageAttributes={"reason": {"DataType": "String", "StringValue": reason[:1000]}},
        )


def replicate_each(
    replication: Replication,
    queues: Queues,
    keys: Iterable[str],
    since: Mapping[str, float] | None = None,
    *,
    within_s: float | None = None,
) -> dict[str, Result]:
    """Replicate items side by side; what cannot be sent now is in a queue afterwards.

    Args:
        replication: Replicates.
        queues: The queues.
        keys: Partition keys of the items.
        since: Of those that waited already, since when; seconds since the epoch.
        within_s: Seconds after which what is not done goes into the queue of writes; None for no limit. A
            slow call may end later: it changes nothing that the next try would not.

    Returns:
        What became of each; `failed` where not even a queue took it.
    """
    waited = since or {}
    pool = ThreadPoolExecutor(_AT_ONCE)
    begun: dict[str, Future[Result]] = {
        key: pool.submit(_one, replication, queues, key, waited.get(key)) for key in dict.fromkeys(keys)
    }
    done = wait(begun.values(), within_s).done
    pool.shutdown(wait=False, cancel_futures=True)
    results = {
        key: future.result() if future in done else _put_off(queues, key, waited.get(key))
        for key, future in begun.items()
    }
    for name, word in _METRICS.items():
        if times := sum(result == name for result in results.values()):
            count(word, times)
    for key, result in results.items():
        if result == "later" and key in waited:  # of the queue it says nothing: the message is a new one
            count("ReplicationWaits", time.time() - waited[key], unit=MetricUnit.Seconds)
    return results


_METRICS: dict[Result, str] = {
    "sent": "ReplicationSent",
    "known": "ReplicationStale",
    "joined": "ReplicationConflicts",
    "later": "ReplicationFallbacks",
    "refused": "ReplicationRefused",
    "failed": "ReplicationFailed",
}


def _put_off(queues: Queues, key: str, since: float | None) -> Result:
    logger.warning("not sent", key=key, reason="no time left")
    try:
        queues.put_back(key, "tables", since)
    except (BotoCoreError, ClientError):
        return "failed"
    return "later"


def _one(replication: Replication, queues: Queues, key: str, since: float | None) -> Result:
    try:
        try:
            return replication.replicate(key)
        except TableTroubleError as error:
            logger.warning("not sent", key=key, reason=f"table: {error}")
            queues.put_back(key, "tables", since)
        except KeyTroubleError as error:
            logger.warning("not sent", key=key, reason=f"key: {error}")
            queues.put_back(key, "keys", since)
        except NotYetError as error:
            logger.info("waits", key=key, account=str(error))
            begun = time.time() if since is None else since
            if time.time() - begun > _LONGEST_S:
                queues.refuse(json.dumps({"key": key}), f"the account {error} has not come")
                return "refused"
            queues.put_back(key, "tables", begun)
        except UnreplicableError as error:
            logger.warning("refused", key=key, reason=str(error))
            queues.refuse(json.dumps({"key": key}), str(error))
            return "refused"
    except Exception:
        logger.exception("unexpected failure", key=key)
        return "failed"
    return "later"


def drain(
    replication: Replication,
    queues: Queues,
    queue: Literal["tables", "keys"],
    *,
    is_well: Callable[[], bool],
    remaining_s: Callable[[], float],
) -> dict[str, int]:
    """Replicate what a queue holds, until it is empty, trouble comes again, or time is over.

    A region that is out is no fault of a message: nothing is received while it is out, and what meets the
    trouble goes into the queue anew, so that its receipts count from the start. Five receipts that end in an
    error that nobody foresaw are a poisonous message, which the queue moves to the dead-letter queue.

    Args:
        replication: Replicates.
        queues: The queues.
        queue: Which one is drained.
        is_well: Whether what the messages wait for answers again.
        remaining_s: Seconds that are left, but for what putting back and deleting the last messages takes.

    Returns:
        Counts of what became of the messages.
    """
    counts: dict[str, int] = {}
    url = getattr(queues, queue)
    while remaining_s() > _BATCH_S and is_well():
        messages = _received(queues.sqs, url)
        if not messages:
            break
        keys: dict[str, str] = {}
        since: dict[str, float] = {}
        for message in messages:
            key, begun = _read(message["Body"])
            if key is None:
                queues.refuse(message["Body"], "no key of an account or an identifier")
                _delete(queues.sqs, url, message)
            else:
                keys[message["MessageId"]] = key
                since[key] = min(begun, since.get(key, begun))
        results = replicate_each(replication, queues, keys.values(), since, within_s=remaining_s())
        for message in messages:
            result = results.get(keys.get(message["MessageId"], ""), "failed")
            if message["MessageId"] in keys and result != "failed":
                _delete(queues.sqs, url, message)
                counts[result] = counts.get(result, 0) + 1
        if results and set(results.values()) <= {"later", "failed"}:
            break  # it is not the one or the other
    return counts


def _received(sqs: "SQSClient", queue: str) -> list[Any]:
    return list(sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", ()))


def _delete(sqs: "SQSClient", queue: str, message: Any) -> None:
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def _read(body: str) -> tuple[str | None, float]:
    """The key that a message holds, and since when it waits; no key if it is no message of this queue."""
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        read = json.loads(body)
        key, since = read["key"], float(read.get("since", time.time()))
        if user_of_key(key) or Alias.of_text(key):
            return key, since
    return None, 0.0
