"""What the functions of the replication share: made once in a container, from the settings."""

from collections.abc import Callable
from functools import cache
from typing import Any, Literal

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from shared.clients import client
from shared.envelope import EnvelopeError
from shared.events import eventbridge_detail
from shared.http import BusyError

from .regions import Peer, Queues, Replication, connect, drain
from .services import get_records
from .settings import ReplicationSettings

__all__ = ["drained", "get_replication", "remaining_s"]

logger = Logger()

_ENDING_S = 5  # of the function's time, to put back what is not done, and to delete what is


@cache
def get_replication() -> tuple[Replication, Queues]:
    """The replication and the queues of this container.

    Raises:
        SettingsError: A variable is missing or wrong.
    """
    settings = ReplicationSettings.from_env()
    queues = Queues(client("sqs"), settings.writes_queue, settings.keys_queue, settings.dead_letter_queue_url)
    return Replication(get_records(), _find_peer()), queues


@cache
def _find_peer() -> Callable[[], Peer]:
    settings = ReplicationSettings.from_env()
    return connect(settings.peer_region, settings.region_parameter, settings.aws_region, settings.blind_index)


def remaining_s(context: LambdaContext) -> float:
    """Seconds that an invocation has left, less what it needs to end without a loss."""
    return max(0.0, context.get_remaining_time_in_millis() / 1000 - _ENDING_S)


def drained(
    event: dict[str, Any], context: LambdaContext, queue: Literal["tables", "keys"]
) -> dict[str, Any]:
    """Drain a queue while what its messages wait for answers.

    Args:
        event: A schedule's.
        context: The invocation's.
        queue: Which one.

    Returns:
        Counts of what became of messages; and `waits`, with what, if nothing was received because of it.

    Raises:
        ForeignEventError: The event is no schedule's.
    """
    eventbridge_detail(event, "aws.events")
    replication, queues = get_replication()
    waits: dict[str, str] = {}

    def is_well() -> bool:
        try:
            _probe(queue)
        except (BusyError, EnvelopeError, ClientError) as error:
            waits["waits"] = f"{type(error).__name__}: {error}"
            logger.warning("waits", queue=queue, reason=waits["waits"])
            return False
        return True

    counts = drain(
        replication,
        queues,
        queue,
        is_well=is_well,
        remaining_s=lambda: remaining_s(context),
    )
    return counts | waits


def _probe(queue: Literal["tables", "keys"]) -> None:
    """Ask what the messages of a queue wait for.

    Raises:
        BusyError: The other region, or this one's key, does not answer.
        EnvelopeError: The other region's key does not.
        ClientError: The other region's table refuses.
    """
    peer = _find_peer()()
    if queue == "tables":
        peer.probe_table()
    else:
        get_records().probe()
        peer.probe_key()
