"""The metering on the engine's tables and market, stopped at each of its calls to AWS."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from api_portal import metering
from api_portal.metering import Meter, MeteringError
from api_portal.settings import MeteringSettings
from api_portal.subscription_storage import Subscription, SubscriptionStorage
from local.clients.buyer import DIMENSION, PRODUCTS, Plan, open_market
from local.clients.marketplace import Marketplace, Purchase
from local.metering_in_memory import Crash, Stop
from local.suite import Suite

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def market(suite: Suite) -> Marketplace:
    return open_market(suite)


@pytest.fixture
def settings(suite: Suite) -> MeteringSettings:
    return MeteringSettings(
        portal_table=suite["PortalTableName"], usage_table=suite["PortalUsageTableName"],
        images_product_code=PRODUCTS["images"], images_dimension=DIMENSION,
        images_usage_plan=suite["PortalImagesUsagePlanId"], fleet_product_code=PRODUCTS["fleet"],
        fleet_dimension=DIMENSION, fleet_usage_plan=suite["PortalFleetUsagePlanId"], closing_seconds=1,
    )  # fmt: skip


@pytest.fixture
def meter(suite: Suite, settings: MeteringSettings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """An invocation in this process; how many calls it made."""
    monkeypatch.setattr(metering, "count", lambda *_: None)  # there is no Lambda that publishes it

    def invoke(stop: Stop | None = None) -> int:
        stop = stop or Stop()
        clients = {
            name: stop.around(suite.client(service))
            for name, service in (
                ("dynamodb", "dynamodb"), ("gateway", "apigateway"), ("market", "meteringmarketplace"),
            )
        }  # fmt: skip
        Meter(settings, **clients).run()
        return stop.calls

    return invoke


def bought_and_used(suite: Suite, market: Marketplace, plan: Plan) -> Purchase:
    """A subscription since two hours ago: 3 calls in the hour before this one, 4 in the one before that."""
    now = datetime.now(UTC)
    account = f"{secrets.randbelow(10**12):012}"
    purchase = market.buy(PRODUCTS[plan], account, since=now - 2 * HOUR, publish=False)
    licence = purchase.licence.rpartition(":")[2]
    name = f"{PRODUCTS[plan]}:{purchase.customer}" if plan == "fleet" else licence
    dynamodb, began = suite.client("dynamodb"), round(1000 * (now - 2 * HOUR).timestamp())
    storage = SubscriptionStorage(suite["PortalTableName"], dynamodb)
    storage.learn(name, PRODUCTS[plan], plan, {"began": began})
    given = Subscription(
        name, PRODUCTS[plan], plan, visitor=account, account=account, customer=purchase.customer,
        licence="" if plan == "fleet" else purchase.licence,
    )  # fmt: skip
    storage.register(given, began)
    place = {"owner": f"subscription#{name}", "item": f"key#{name}", "visitor": account, "key": name}
    dynamodb.put_item(
        TableName=suite["PortalTableName"], Item={key: {"S": value} for key, value in place.items()}
    )
    for hours, calls in ((1, 3), (2, 4)):
        item = {"key": {"S": name}, "hour": {"S": f"{now - hours * HOUR:%Y-%m-%dT%H}"}}
        dynamodb.put_item(TableName=suite["PortalUsageTableName"], Item=item | {"calls": {"N": str(calls)}})
    return purchase


def billed(market: Marketplace, purchase: Purchase) -> list[int]:
    found = sorted(market.records(purchase), key=lambda record: record.hour)
    return [record.quantity for record in found]


@pytest.mark.parametrize("plan", ["images", "fleet"])
def test_crash_at_each_call_meters_each_hour_once(
    suite: Suite, market: Marketplace, meter: Callable[..., int], plan: Plan
) -> None:
    meter()  # what other tests left
    purchase = bought_and_used(suite, market, plan)
    calls = meter()
    assert billed(market, purchase) == [4, 3]
    assert calls > 8
    for behind in (False, True):
        for call in range(1, calls + 1):
            purchase = bought_and_used(suite, market, plan)
            with pytest.raises(Crash):
                meter(Stop(call, behind))
            meter()
            meter()
            assert billed(market, purchase) == [4, 3], f"call {call}, {behind}"


def test_more_subscriptions_than_a_call_takes(
    suite: Suite, market: Marketplace, meter: Callable[..., int]
) -> None:
    purchases = [bought_and_used(suite, market, "images") for _ in range(30)]
    meter()
    assert {tuple(billed(market, purchase)) for purchase in purchases} == {(4, 3)}


@pytest.mark.parametrize("kind", ["throttled", "internal", "disabled"])
def test_market_that_does_not_answer_is_asked_again(
    suite: Suite, market: Marketplace, meter: Callable[..., int], kind: str
) -> None:
    purchase = bought_and_used(suite, market, "images")
    market.refuse_next(50, kind)  # type: ignore[arg-type]
    with pytest.raises(MeteringError):
        meter()
    market.refuse_next(0, kind)  # type: ignore[arg-type]
    assert billed(market, purchase) == []
    time.sleep(0.1)
    meter()
    assert billed(market, purchase) == [4, 3]
