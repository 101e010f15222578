"""The queues of what could not be sent: T for a table that did not take it, K for a key that did not wrap it.

A message holds the key of an item alone, `{"key": "U#<user>"}`: whoever takes it sends the newest.
"""

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from aws_lambda_powertools.logging import Logger

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
_NOT_YET_S = 30


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

    def put_back(self, key: str, queue: Literal["tables", "keys"], delay_s: int = 0) -> None:
        """Have a drain take an item later."""
        body = json.dumps({"key": key})
        self.sqs.send_message(QueueUrl=getattr(self, queue), MessageBody=body, DelaySeconds=delay_s)

    def refuse(self, body: str, reason: str) -> None:
        """Set aside what can never be sent, with its reason as the attribute `reason`."""
        self.sqs.send_message(
            QueueUrl=self.dead_letters,
            MessageBody=body,
            MessageAttributes={"reason": {"DataType": "String", "StringValue": reason[:1000]}},
        )


def replicate_each(replication: Replication, queues: Queues, keys: Iterable[str]) -> dict[str, Result]:
    """Replicate items side by side; what cannot be sent now is in a queue afterwards.

    Args:
        replication: Replicates.
        queues: The queues.
        keys: Partition keys of the items.

    Returns:
        What became of each; `failed` where not even a queue took it.
    """
    wanted = list(dict.fromkeys(keys))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        results = dict(zip(wanted, pool.map(lambda key: _one(replication, queues, key), wanted), strict=True))
    for name, word in _METRICS.items():
        if times := sum(result == name for result in results.values()):
            count(word, times)
    return results


_METRICS: dict[Result, str] = {
    "sent": "ReplicationSent",
    "known": "ReplicationStale",
    "joined": "ReplicationConflicts",
    "later": "ReplicationFallbacks",
    "refused": "ReplicationRefused",
    "failed": "ReplicationFailed",
}


def _one(replication: Replication, queues: Queues, key: str) -> Result:
    try:
        try:
            return replication.replicate(key)
        except TableTroubleError as error:
            logger.warning("not sent", key=key, reason=f"table: {error}")
            queues.put_back(key, "tables")
        except KeyTroubleError as error:
            logger.warning("not sent", key=key, reason=f"key: {error}")
            queues.put_back(key, "keys")
        except NotYetError as error:
            logger.info("waits", key=key, account=str(error))
            queues.put_back(key, "tables", _NOT_YET_S)
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
        remaining_s: Seconds that are left.

    Returns:
        Counts of what became of the messages.
    """
    counts: dict[str, int] = {}
    url = getattr(queues, queue)
    while remaining_s() > 0 and is_well():
        messages = _received(queues.sqs, url)
        if not messages:
            break
        keys: dict[str, str] = {}
        for message in messages:
            if (key := _key(message["Body"])) is None:
                queues.refuse(message["Body"], "no key of an account or an identifier")
                _delete(queues.sqs, url, message)
            else:
                keys[message["MessageId"]] = key
        results = replicate_each(replication, queues, keys.values())
        for message in messages:
            result = results.get(keys.get(message["MessageId"], ""), "failed")
            if message["MessageId"] in keys and result != "failed":
                _delete(queues.sqs, url, message)
                counts[result] = counts.get(result, 0) + 1
        if {"later", "failed"} & set(results.values()):
            break
    return counts


def _received(sqs: "SQSClient", queue: str) -> list[Any]:
    return list(sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", ()))


def _delete(sqs: "SQSClient", queue: str, message: Any) -> None:
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def _key(body: str) -> str | None:
    with suppress(ValueError, TypeError, KeyError):
        key = json.loads(body)["key"]
        if isinstance(key, str) and (user_of_key(key) or Alias.of_text(key)):
            return key
    return None
