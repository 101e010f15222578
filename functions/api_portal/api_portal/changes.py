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
Recorded event: events/api_portal/changes_license_updated.json
"""

import time
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
from .subscription import Kind
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
    match change := parse(body):
        case Nothing():
            count("MarketplaceMessagesIgnored")
            logger.info("nothing follows", reason=change.reason)
        case CustomerChange():
            product = _product(settings, change.product)
            if change.topic != product.topic:
                raise PermanentError("another topic than the product's")
            subscription = f"{change.product}:{change.customer}"
            _learn(settings, storage, subscription, product, change.kind, change.moment)
        case LicenceChange():
            product = _product(settings, change.product)
            _learn(settings, storage, change.licence, product, change.kind, change.moment)
            ended = storage.agreement_has(change.agreement, change.licence)
            if ended is not None:
                _learn(settings, storage, change.licence, product, "ending", ended)
        case AgreementEnd():
            product = _product(settings, change.product)
            for subscription in storage.agreement_ended(change.agreement, change.moment):
                _learn(settings, storage, subscription, product, "ending", change.moment)


def _product(settings: MarketSettings, code: str) -> Product:
    product = settings.product(code)
    if product is None:
        raise PermanentError("unknown product")
    return product


def _learn(
    settings: MarketSettings, storage: SubscriptionStorage, subscription: str, product: Product, kind: Kind,
    moment: int,
) -> None:  # fmt: skip
    before, after = storage.learn(subscription, product.code, product.plan, kind, moment)
    logger.info("fact", subscription=subscription, kind=kind, before=before.state, after=after.state)
    if after.state == "active" and before.state != "active":
        count("SubscriptionsBegun")
    if after.facts.use_ends is not None:
        revoke_keys(KeyStorage(settings.portal_table), subscription, time.time())
