"""Metering on tables and a market in memory: once for each subscription and hour, whatever stops it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from api_portal import metering
from api_portal.metering import MeteringError
from local.engine.services.metering import Product
from local.metering_in_memory import CODE, START, Crash, Stop, World

HOUR, MINUTE = 3600, 60
AFTER_AN_HOUR = START + HOUR + 11 * MINUTE
ERAS = ("agreements", "sns")


@pytest.fixture
def world() -> World:
    return World()


def told(world: World, subscription: str) -> list[tuple[str, str, str]]:
    """State, hour and reason of a subscription's records, newest first."""
    return [(each.state, each.hour, each.reason) for each in world.storage.records(subscription, 50)]


@pytest.mark.parametrize("era", ERAS)
def test_hour_is_metered_after_its_end_and_stamped_with_it(era: str) -> None:
    world = World(era)
    subscription = world.subscribe()
    world.now = START + 40 * MINUTE
    world.use(subscription, 7)
    world.now = START + HOUR + 9 * MINUTE
    world.meter()
    assert not world.billed
    world.now = AFTER_AN_HOUR
    world.meter()
    assert world.billed == {(subscription, "2026-11-20T10"): 7} == world.used
    [request] = world.market.requests
    assert ("ProductCode" in request) is (era == "sns")
    [record] = request["UsageRecords"]
    assert f"{record['Timestamp']:%H:%M:%S}" == "10:59:59"
    assert record.keys() - {"Timestamp", "Dimension", "Quantity"} == (
        {"CustomerIdentifier"} if era == "sns" else {"CustomerAWSAccountId", "LicenseArn"}
    )


def busy(era: str = "agreements") -> World:
    """Two subscriptions; one was used in two hours, and ends in a third; the other was used in one."""
    world = World(era)
    first, second = world.subscribe(1), world.subscribe(2)
    world.use(first, 3)
    world.use(second, 5)
    world.now += HOUR
    world.use(first, 4)
    world.now += HOUR + 20 * MINUTE
    world.use(first, 6)
    return world


def calls_of_an_invocation(world: World) -> int:
    stop = Stop()
    world.meter(stop)
    return stop.calls


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("later", [5 * MINUTE, HOUR + 5 * MINUTE], ids=["same hour", "next hour"])
def test_crash_at_each_call_meters_each_hour_once(era: str, behind: bool, later: int) -> None:
    world = busy(era)
    world.now += 50 * MINUTE
    calls = calls_of_an_invocation(world)
    assert world.billed == world.used
    assert calls > 10
    for call in range(1, calls + 1):
        world = busy(era)
        world.now += 50 * MINUTE
        with pytest.raises(Crash):
            world.meter(Stop(call, behind))
        world.now += later
        world.meter()
        assert world.billed == world.used, f"crash at call {call} of {calls}"
        assert not list(world.storage.pending(round(1000 * world.now)))


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
def test_other_dimension_after_a_crash_meters_each_hour_once(behind: bool) -> None:
    calls, call = 1, 0
    while (call := call + 1) <= calls:
        world = World()
        world.product = Product(CODE, ("calls", "requests"), "agreements")
        world.book.products[CODE] = world.product
        subscription = world.subscribe()
        world.use(subscription, 3)
        world.now = AFTER_AN_HOUR
        stop = Stop(call, behind)
        with suppress(Crash):
            world.meter(stop)
        calls = max(calls, stop.calls + (stop.calls == call))
        world.settings = replace(world.settings, images_dimension="requests")
        world.now += 5 * MINUTE
        world.meter()
        assert world.billed == world.used, call
    assert calls > 8


def test_use_while_it_crashed_is_of_its_own_hour(world: World) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    world.now = AFTER_AN_HOUR
    with pytest.raises(Crash):
        world.meter(Stop(1, behind=True, only="batch_meter_usage"))
    world.use(subscription, 100)
    world.meter()
    assert world.billed == {(subscription, "2026-11-20T10"): 3}
    world.now += HOUR
    world.meter()
    assert world.billed == world.used


def interrupt(client: object, call: str, happens: Callable[[], None]) -> None:
    """Have something happen before a client's next call of a name."""
    original = getattr(client, call)

    def interrupted(**request: Any) -> Any:
        setattr(client, call, original)
        happens()
        return original(**request)

    setattr(client, call, interrupted)


def test_two_invocations_at_once_meter_once(world: World) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    world.now = AFTER_AN_HOUR
    interrupt(world.market, "batch_meter_usage", world.meter)
    world.meter()
    assert world.billed == world.used
    assert told(world, subscription) == [("sent", "2026-11-20T10", "")]


def test_quantity_that_was_fixed_stays(world: World) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    late, world.now = world.now, AFTER_AN_HOUR

    def another() -> None:
        """Before the record is written another call is counted, and another invocation does it all."""
        world.now = late
        world.use(subscription, 1)
        world.now = AFTER_AN_HOUR
        world.meter()

    interrupt(world.table, "transact_write_items", another)
    world.meter()
    assert world.billed == world.used
    assert told(world, subscription) == [("sent", "2026-11-20T10", "")]


def test_record_that_was_sent_stays_sent(world: World) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    world.now = AFTER_AN_HOUR

    def another() -> None:
        """Another invocation sends the record, and then the licence is taken away."""
        world.meter()
        [purchase] = world.book.purchases.values()
        purchase.deprovisioned = True

    interrupt(world.market, "batch_meter_usage", another)
    world.meter()
    assert world.billed == world.used
    assert told(world, subscription) == [("sent", "2026-11-20T10", "")]


def test_unprocessed_records_are_sent_again(world: World) -> None:
    subscriptions = [world.subscribe(number) for number in (1, 2, 3)]
    for subscription in subscriptions:
        world.use(subscription, 2)
    world.now = AFTER_AN_HOUR
    world.book.unprocessed = 2
    world.meter()
    assert world.billed.total() == 2
    world.now += 5 * MINUTE
    world.meter()
    assert world.billed == world.used
    assert [len(request["UsageRecords"]) for request in world.market.requests] == [3, 2]


def test_more_records_than_a_call_takes(world: World) -> None:
    for number in range(60):
        world.use(world.subscribe(number), number + 1)
    world.now = AFTER_AN_HOUR
    world.meter()
    assert world.billed == world.used
    assert sorted(len(request["UsageRecords"]) for request in world.market.requests) == [10, 25, 25]


def test_two_licences_of_one_account_are_metered_apart(world: World) -> None:
    one, other = world.subscribe(1, account="210987654321"), world.subscribe(2, account="210987654321")
    world.use(one, 3)
    world.use(other, 4)
    world.now = AFTER_AN_HOUR
    world.meter()
    assert world.billed == {(one, "2026-11-20T10"): 3, (other, "2026-11-20T10"): 4}


def test_use_after_the_end_is_not_metered(world: World) -> None:
    subscription = world.subscribe()
    world.now += 20 * MINUTE
    world.use(subscription, 3)
    world.now += 10 * MINUTE
    world.end(subscription)
    world.now += HOUR
    world.use(subscription, 100)  # nobody can; if somebody could, it would be of another hour
    world.now += 2 * HOUR
    world.meter()
    assert world.storage.get(subscription).hour_closes is None  # type: ignore[union-attr]
    assert told(world, subscription) == [("failed", "2026-11-20T10", "CustomerNotSubscribed")]


def test_use_between_the_end_and_its_arrival_is_not_metered(world: World) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    world.now += 20 * MINUTE + 59
    world.use(subscription, 4)
    world.end(subscription)  # of which it is told half an hour later
    world.now += 1
    world.use(subscription, 100)
    world.now += 30 * MINUTE
    world.use(subscription, 100)
    world.meter()
    assert world.billed == {(subscription, "2026-11-20T10"): 7}


def test_keys_are_revoked_when_the_last_hour_closes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    revoked: list[str] = []
    monkeypatch.setattr(metering, "revoke_keys", lambda *given: revoked.append(given[1]))
    subscription, other = world.subscribe(1), world.subscribe(2)
    world.now += 2 * HOUR + 20 * MINUTE
    world.end(subscription)
    world.meter()
    assert revoked == []
    world.now += 11 * MINUTE
    world.meter()
    world.now += HOUR
    world.meter()
    assert revoked == [subscription] != [other]


def test_last_use_is_sent_within_the_hour_after_the_end(world: World) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    world.now += 30 * MINUTE
    world.end(subscription)
    world.now += 11 * MINUTE
    world.meter()
    assert world.billed == world.used
    assert f"{world.market.requests[0]['UsageRecords'][0]['Timestamp']:%H:%M:%S}" == "10:29:59"
    world.now += 5 * HOUR
    world.meter()
    assert len(world.market.requests) == 1


def test_subscription_that_begins_again_goes_on(world: World) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    world.now += 30 * MINUTE
    world.end(subscription)
    world.now += 2 * HOUR
    world.meter()
    [purchase] = world.book.purchases.values()
    purchase.ended = None
    world.storage.learn(subscription, CODE, "images", {"began": round(1000 * world.now)})
    world.use(subscription, 9)
    world.now += HOUR
    world.meter()
    assert ("sent", "2026-11-20T12", "") in told(world, subscription)


def test_amendment_loses_no_open_hour(world: World) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    world.now += 2 * HOUR + 5 * MINUTE
    world.storage.learn(subscription, CODE, "images", {"began": round(1000 * world.now)})
    world.use(subscription, 4)
    world.now += HOUR + 11 * MINUTE
    world.meter()
    assert world.billed == world.used


def test_record_older_than_six_hours_fails_and_is_not_sent(world: World) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    world.now += 8 * HOUR
    world.use(subscription, 4)
    world.now += HOUR + 11 * MINUTE
    world.meter()
    assert world.billed == {(subscription, "2026-11-20T18"): 4}
    assert told(world, subscription) == [("sent", "2026-11-20T18", ""), ("failed", "2026-11-20T10", "TooOld")]


def test_other_quantity_of_an_hour_fails(world: World) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    world.now = AFTER_AN_HOUR
    world.meter()
    [record] = world.storage.records(subscription, 1)
    place = f"subscription#{subscription}", f"record#calls#{record.hour}"
    changed = {"quantity": {"N": "99"}, "state": {"S": "pending"}, "due": {"S": "send"}, "at": {"S": "2026"}}
    world.table.tables["portal"][place] = world.table.tables["portal"][place] | changed
    world.meter()
    assert told(world, subscription) == [("failed", "2026-11-20T10", "DuplicateRecord")]
    assert world.billed == world.used


def test_one_record_that_the_market_refuses_keeps_no_other_back(world: World) -> None:
    subscriptions = [world.subscribe(number) for number in range(1, 8)]
    for subscription in subscriptions:
        world.use(subscription, 2)
    gone = world.book.purchases.popitem()[0]
    world.now = AFTER_AN_HOUR
    world.meter()
    assert told(world, gone.rpartition(":")[2]) == [("failed", "2026-11-20T10", "InvalidLicenseException")]
    assert world.billed == Counter({(each, "2026-11-20T10"): 2 for each in subscriptions[:-1]})


def answered_with(world: World, changes: dict[str, str]) -> None:
    """Have the market name records otherwise in its answer."""
    send = world.market.batch_meter_usage

    def otherwise(**request: Any) -> Any:
        answer = send(**request)
        for result in answer["Results"]:
            result["UsageRecord"] = {**result["UsageRecord"], **changes}
        return answer

    world.market.batch_meter_usage = otherwise  # type: ignore[method-assign]


def test_licence_is_known_by_its_arn_without_the_beginning(world: World) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    world.now = AFTER_AN_HOUR
    arn = world.storage.get(subscription).licence  # type: ignore[union-attr]
    answered_with(world, {"LicenseArn": arn.removeprefix("arn:")})
    world.meter()
    assert told(world, subscription) == [("sent", "2026-11-20T10", "")]


def test_result_of_no_record_keeps_nothing_back(world: World) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    world.now = AFTER_AN_HOUR
    answered_with(world, {"Dimension": "other"})
    world.meter()
    assert told(world, subscription) == [("pending", "2026-11-20T10", "")]


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "InternalServiceErrorException", "DisabledApiException"]
)
def test_call_that_fails_for_now_is_made_again(
    world: World, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    world.now = AFTER_AN_HOUR
    with monkeypatch.context() as patched:

        def refuse(**_: Any) -> Any:
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "BatchMeterUsage")

        patched.setattr(world.market, "batch_meter_usage", refuse)
        with pytest.raises(MeteringError):
            world.meter()
    assert told(world, subscription) == [("pending", "2026-11-20T10", "")]
    world.meter()
    assert world.billed == world.used


def test_plan_with_two_meters_is_not_metered_twice(world: World) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    world.gateway.product_code = CODE
    world.now = AFTER_AN_HOUR
    world.meter()
    assert not world.market.requests
    assert told(world, subscription) == [("failed", "2026-11-20T10", "TwoMeters")]
    world.gateway.product_code = ""
    world.use(subscription, 5)
    world.now += HOUR
    world.meter()
    assert world.billed == {(subscription, "2026-11-20T11"): 5}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"images_product_code": "other"}, "UnknownProduct"),
        ({"images_dimension": ""}, "NoMeter"),
    ],
)
def test_use_that_nobody_meters_any_more_is_told_of(
    world: World, changes: dict[str, str], reason: str
) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    world.settings = replace(world.settings, **changes)  # type: ignore[arg-type]
    world.now = AFTER_AN_HOUR
    world.meter()
    assert not world.market.requests
    assert told(world, subscription) == [("failed", "2026-11-20T10", reason)]


def test_what_api_gateway_meters_makes_no_record(world: World) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    world.settings = replace(world.settings, images_dimension="")
    world.gateway.product_code = CODE
    world.now = AFTER_AN_HOUR
    world.meter()
    assert told(world, subscription) == []


def test_last_use_of_an_application_that_is_switched_off_is_metered(world: World) -> None:
    subscription = world.subscribe()
    world.use(subscription, 3)
    world.settings = replace(world.settings, images_usage_plan="")
    world.now = AFTER_AN_HOUR
    world.meter()
    assert world.billed == world.used


def test_subscription_that_cannot_be_read_keeps_no_other_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = world.subscribe(1), world.subscribe(2)
    world.use(first, 3)
    world.use(second, 4)
    world.now = AFTER_AN_HOUR
    read = world.table.batch_get_item

    def refuse(**request: Any) -> Any:
        if first in str(request):
            raise ClientError({"Error": {"Code": "Throttled", "Message": ""}}, "BatchGetItem")
        return read(**request)

    with monkeypatch.context() as patched:
        patched.setattr(world.table, "batch_get_item", refuse)
        with pytest.raises(MeteringError):
            world.meter()
    assert world.billed == {(second, "2026-11-20T10"): 4}
    world.meter()
    assert world.billed == world.used


def test_failed_record_is_told_of_though_a_crash_comes_between(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_of: list[float] = []
    monkeypatch.setattr(
        metering,
        "count",
        lambda name, value=1: told_of.append(value) if name == "MeteringRecordsFailed" else None,
    )
    for call in range(1, 40):
        world = World()
        subscription = world.subscribe()
        world.use(subscription, 3)
        [purchase] = world.book.purchases.values()
        purchase.deprovisioned = True
        world.now = AFTER_AN_HOUR
        told_of.clear()
        try:
            world.meter(Stop(call, behind=True))
        except Crash:
            world.now += 5 * MINUTE
            told_of.clear()  # it died before it could tell
            world.meter()
        assert told_of == [1], call
        assert told(world, subscription) == [("failed", "2026-11-20T10", "CustomerNotSubscribed")]
    for _ in range(6):
        world.now += 5 * MINUTE
        world.meter()
    assert len(told_of) <= 4


def test_hours_without_use_make_no_record(world: World) -> None:
    subscription = world.subscribe()
    world.now += 30 * HOUR
    world.meter()
    assert told(world, subscription) == []
    assert world.storage.get(subscription).open_hour == "2026-11-21T15"  # type: ignore[union-attr]
