"""Follows what AWS Marketplace tells of subscriptions: keeps their state, and revokes the keys of those that
end.

Trigger: the queue `PortalEventsQueue`, with partial batch responses; an EventBridge rule and the products'
    topics of SNS fill it, and nobody else may.
Input: SNS's notifications and EventBridge's events of AWS Marketplace (see `marketplace`), in any order.
Output: the subscriptions' states in the portal's table; keys revoked.
On failure: a message that is malformed, of another topic or of another product goes to the dead-letter
    queue at once, with the reason as attribute `reason`. Any other comes back after 5 s, 10 s, 20 s and so
    on; after five receives SQS moves it there.
Idempotent: a state is a function of the facts, of each kind the latest (see `subscription`), and is written
    on the condition that nobody wrote it in between. Keys are revoked again at every message after the end.
Recorded event: events/api_portal/changes_agreements.json
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.batches import BatchResponse, Message, PermanentError, QueueBatch, RetryableError
from shared.http import BusyError
from shared.metrics import count, publishes_metrics

from .key_storage import KeyStorage
from .marketplace import AgreementEnd, CustomerChange, LicenceChange, Nothing, parse
from .revocation import revoke_keys
from .settings import ChangesSettings, MarketSettings, Product
from .subscription import ENDS, Kind
from .subscription_storage import ChangingError, SubscriptionStorage

__all__ = ["handler"]

logger = Logger()

RETRY_S = 5


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> BatchResponse:  # noqa: ARG001
    """Follow a batch of messages."""
    settings = ChangesSettings.from_env()
    storage = SubscriptionStorage(settings.portal_table)

    def follow(message: Message) -> None:
        try:
            _follow(message.body, settings, storage)
        except (BusyError, ChangingError) as error:
            raise RetryableError(f"others write: {type(error).__name__}") from error

    batch = QueueBatch(event, retry_seconds=RETRY_S, dead_letter_queue_url=settings.dead_letter_queue_url)
    return batch.each(follow)


def _follow(body: str, settings: MarketSettings, storage: SubscriptionStorage) -> None:
    change = parse(body)
    if isinstance(change, Nothing):
        _ignore(change.reason)
        return
    product = settings.product(change.product)
    if product is None:
        raise PermanentError("unknown product")
    if isinstance(change, CustomerChange):
        if change.topic != product.topic:
            raise PermanentError("another topic than the product's")
    elif product.topic:
        _ignore("the product's topic tells the same")
        return
    for subscription, facts in _facts_of(change, storage):
        _learn(settings, storage, subscription, product, facts)


def _ignore(reason: str) -> None:
    count("MarketplaceMessagesIgnored")
    logger.info("nothing follows", reason=reason)


def _facts_of(
    change: CustomerChange | LicenceChange | AgreementEnd, storage: SubscriptionStorage
) -> Iterator[tuple[str, dict[Kind, int]]]:
    """The subscriptions that a change is about, and what it tells of each."""
    match change:
        case CustomerChange():
            yield f"{change.product}:{change.customer}", {change.kind: change.moment}
        case LicenceChange():
            ended = storage.agreement_has(change.agreement, change.licence)
            known: dict[Kind, int] = {"ending": ended} if ended else {}
            yield change.licence, known | {change.kind: change.moment}
        case AgreementEnd():
            for licence in storage.agreement_ended(change.agreement, change.moment):
                yield licence, {"ending": change.moment}


def _learn(
    settings: MarketSettings, storage: SubscriptionStorage, subscription: str, product: Product,
    facts: Mapping[Kind, int],
) -> None:  # fmt: skip
    before, after = storage.learn(subscription, product.code, product.plan, facts)
    logger.info("facts", subscription=subscription, kinds=[*facts], before=before.state, after=after.state)
    if after.state == "active" and before.state != "active":
        count("SubscriptionsBegun")
    ends = [moment for kind, moment in facts.items() if kind in ENDS]
    if after.facts.use_ends is not None:
        revoke_keys(KeyStorage(settings.portal_table), subscription, time.time())
    elif ends:  # and it has begun again since: the keys of before stay revoked, whatever comes first
        revoke_keys(KeyStorage(settings.portal_table), subscription, time.time(), max(ends) / 1000)
