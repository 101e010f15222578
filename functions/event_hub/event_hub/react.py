"""Reacts to what AWS services publish: parses messages, plans actions, and has them carried out once.

Trigger: two SQS queues, with partial batch responses: the events' queue, which the hub's topics, an
    EventBridge rule and the HTTP door fill; and the queue of what is later, which this function fills.
Input: messages in SNS's envelope, raw, or EventBridge's events (see `envelopes`); the hub's own messages.
Output: effects in other services, each as the role of its reaction; claims and records in the ledger.
On failure: a message that nobody understands, or whose action will never be done, goes to the dead-letter
    queue at once, with the reason as attribute `reason`. Any other comes back after 5 s, 10 s, 20 s and so
    on; after ten receives SQS moves it there.
Idempotent: an action is claimed in the ledger by the identity of its fact; client tokens go with it where AWS
    has them.
Recorded event: events/event_hub/react_launch.json
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.batches import BatchResponse, PermanentError, QueueBatch
from shared.clients import client, client_elsewhere
from shared.events import records_of
from shared.metrics import count, publishes_metrics

from .envelopes import MalformedError, unwrapped
from .executor import Executor
from .facts import AlarmChange, Fact, Ignored
from .hub import Hub
from .ledger import Ledger
from .publishers import facts_of
from .reactions import plan
from .settings import Config, ReactSettings

__all__ = ["handler", "react"]

logger = Logger()

RETRY_S = 5


@publishes_metrics
def handler(event: dict[str, Any], _: LambdaContext) -> BatchResponse:
    """React to a batch of messages."""
    settings, config = ReactSettings.from_env(), Config.from_env()
    executor = _executor(settings, config)
    # A mapping brings messages of one queue.
    later = any(
        record["eventSourceARN"] == settings.later_queue_arn for record in records_of(event, "aws:sqs")
    )
    url = settings.later_dead_letter_queue_url if later else settings.dead_letter_queue_url
    batch = QueueBatch(event, retry_seconds=RETRY_S, dead_letter_queue_url=url)
    if later:
        return batch.each(lambda message: executor.resume(_own(message.body)))
    return batch.each(lambda message: react(message.body, message.id, executor, config))


def react(body: str, message_id: str, executor: Executor, config: Config) -> None:
    """React to a message of a publisher.

    Args:
        body: The message.
        message_id: Of the queue.
        executor: Carries actions out.
        config: The stack's parameters.

    Raises:
        PermanentError: Nobody understands it, or an action will never be done.
        Exception: It has to come back.
    """
    try:
        facts = [
            (fact, incoming.origin) for incoming in unwrapped(body, message_id) for fact in facts_of(incoming)
        ]
    except MalformedError as error:
        count("MessagesMalformed")
        raise PermanentError(str(error)) from None
    failure: PermanentError | None = None
    for fact, origin in facts:
        name = type(fact).__name__
        chains = plan(fact, config)
        if not chains:
            logger.info("no action", fact=fact.name if isinstance(fact, Ignored) else name)
            count("FactsWithoutAction")
        elif not is_of_this_place(fact, origin, config):
            count("FactsOfOtherPlaces")
            failure = PermanentError(f"{name} of another account or region")
            continue
        for actions in chains:
            try:
                executor.run(actions, fact.identity)
            except PermanentError as error:  # what else the message tells is done
                failure = failure or error
    if failure is not None:
        raise failure


def is_of_this_place(fact: Fact, origin: tuple[str, str], config: Config) -> bool:
    """Whether a fact is about the stack's account and region: elsewhere other resources have the same names.

    An alarm says by its ARN where it is; those of Route 53 are in us-east-1.
    """
    here = (config.account_id, config.region)
    if isinstance(fact, AlarmChange):
        region, account = fact.arn.split(":")[3:5]
        health = fact.dimension("AWS/Route53", "HealthCheckStatus", "HealthCheckId") is not None
        return (account, region) == here or (health and (account, region) == (here[0], "us-east-1"))
    return origin in (here, ("", ""))


def _own(body: str) -> dict[str, Any]:
    try:
        message: dict[str, Any] = json.loads(body)
    except ValueError:
        raise PermanentError("no message of the hub's own") from None
    return message


@cache
def _executor(settings: ReactSettings, config: Config) -> Executor:
    hub = Hub(
        config,
        Ledger(settings.ledger_table, client("dynamodb")),
        _client_of(
            {
                reaction: f"arn:{config.partition}:iam::{config.account_id}:{settings.role_path}{role}"
                for reaction, role in settings.roles
            }
        ),
        lambda service: client(service),  # type: ignore[call-overload]
        lambda: datetime.now(UTC),
    )
    return Executor(hub, frozenset({"notify", *dict(settings.roles)}), settings.later_queue_url)


def _client_of(roles: Mapping[str, str]) -> Callable[[str, str, str], Any]:
    def client_of(reaction: str, service: str, region: str) -> Any:
        return client_elsewhere(
            service,
            region=region,
            role_arn=roles[reaction],
            session_name=f"event-hub-{reaction}".replace("_", "-"),
            read_timeout=20.0,
        )

    return client_of
