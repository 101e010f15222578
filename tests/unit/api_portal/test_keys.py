"""The life of keys, with crashes and failures at each step of it."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from api_portal import gateway, keys
from api_portal.key_storage import LEASE_S, Key, KeyStorage
from api_portal.plans import Plan
from local.memory_table import MemoryTable
from shared import clients
from shared.http import BusyError, ConflictError, ForbiddenError, HttpError, NotFoundError
from tests.unit.api_portal.memory_gateway import MemoryGateway

NOW = 1_795_838_400.0
FREE = Plan("free", "Free", "", ("images", "rides"), "plan0")
RECORDS = Plan("images", "Images", "", ("images",), "plan1", "product1", "calls")
GATEWAY = Plan("fleet", "Fleet", "", ("rides",), "plan2", "product2")
UNSOLD = Plan("unsold", "Unsold", "", ("rides",), "plan3")


class Crash(BaseException):
    """The function is gone."""


class Service:
    """A client whose calls are counted; before or after one of them something happens."""

    def __init__(self, line: Line, real: Any) -> None:
        self._line, self._real = line, real

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        return self._line.call(name, found) if name in CALLS else found


CALLS = {
    "get_item", "update_item", "delete_item", "transact_write_items", "create_api_key", "update_api_key",
    "delete_api_key", "create_usage_plan_key", "get_usage_plan",
}  # fmt: skip


class Line:
    """All calls of a function, in their order."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.stop: tuple[int, bool, BaseException] | None = None

    def call(self, name: str, real: Any) -> Any:
        def made(**request: Any) -> Any:
            number = len(self.calls)
            self.calls.append(name)
            if self.stop and self.stop[:2] == (number, False):
                raise self.stop[2]
            answer = real(**request)
            if self.stop and self.stop[:2] == (number, True):
                raise self.stop[2]
            return answer

        return made


class Subscriptions:
    """Who has which subscription now; `ending` is active when it is asked for the first time alone."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], list[Any]] = {}
        self.ends_after = -1

    def active(self, visitor: str, plan: str) -> list[Any]:
        if self.ends_after == 0:
            return []
        self.ends_after -= 1
        return self.found.get((visitor, plan), [])

    def add(self, visitor: str, plan: str, name: str) -> None:
        subscription = SimpleNamespace(id=name, customer=f"customer of {name}", plan=plan, account="")
        self.found.setdefault((visitor, plan), []).append(subscription)


class World:
    """The portal in memory."""

    def __init__(self) -> None:
        self.table = MemoryTable({"portal": ("owner", "item")})
        self.gateway = MemoryGateway(
            {"plan0": {}, "plan1": {}, "plan2": {"productCode": "product2"}, "plan3": {}}
        )
        self.line = Line()
        self.subscriptions = Subscriptions()
        self.storage = KeyStorage("portal", Service(self.line, self.table))  # type: ignore[arg-type]
        self.plans = {plan.name: plan for plan in (FREE, RECORDS, GATEWAY, UNSOLD)}
        self.services = keys.Services(self.storage, self.subscriptions, self.plans, "suite")  # type: ignore[arg-type]

    def create(self, wanted: Key) -> tuple[Key, str]:
        return keys.create(self.services, wanted)

    def known(self) -> dict[str, str]:
        """What the table knows of API Gateway's keys: their states by id."""
        items = self.table.tables["portal"].values()
        return {
            item["gateway_key"]["S"]: item["state"]["S"] for item in items if "gateway_key" in item
        }  # fmt: skip


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(clients, "_client", lambda *_, **__: Service(made.line, made.gateway))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return made


def wanted(plan: str = "free", *, visitor: str = "ada", now: float = NOW, **more: Any) -> Key:
    return Key(visitor, str(uuid.uuid4()), "my site", plan, "", "creating", now, **more)


def refusal(create: Any, kind: type[HttpError]) -> str:
    with pytest.raises(kind) as raised:
        create()
    return raised.value.code


# ---- creating


def test_key_works_and_its_value_is_told_once(world: World) -> None:
    asked = wanted()
    key, value = world.create(asked)
    assert (key.state, key.last4) == ("active", value[-4:])
    assert world.gateway.working == {key.gateway_key}
    assert world.gateway.keys[key.gateway_key]["tags"] == {"portal": "suite"}
    assert world.create(asked) == (key, "")
    assert len(world.gateway.keys) == 1


def test_value_is_in_no_table(world: World) -> None:
    _, value = world.create(wanted())
    assert value not in repr(world.table.tables)


@pytest.mark.parametrize("change", [{"name": "other"}, {"plan": "images"}, {"replaces": "x"}, {"hours": 3}])
def test_same_id_with_another_request_is_refused(world: World, change: dict[str, Any]) -> None:
    asked = wanted()
    world.create(asked)
    assert refusal(lambda: world.create(replace(asked, **change)), ConflictError) == "other_request"
    assert len(world.gateway.keys) == 1


def steps(world: World, asked: Key) -> int:
    world.create(asked)
    return len(world.line.calls)


PATHS = {
    "free": ("free", False),
    "with a subscription": ("images", False),
    "rotated": ("free", True),
}


def prepared(world: World, path: str) -> tuple[Key, float]:
    """What is asked for on a path, and when; what has to be there before is."""
    plan, rotates = PATHS[path]
    world.subscriptions.add("ada", "images", "l-1")
    if not rotates:
        return wanted(plan), NOW
    old, _ = world.create(wanted(now=NOW - 60))
    world.line.calls.clear()
    return wanted(plan, replaces=old.id, hours=24), NOW


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("path", PATHS)
def test_crash_at_any_step_leaves_no_unknown_key_that_works(
    monkeypatch: pytest.MonkeyPatch, path: str, *, after: bool
) -> None:
    number, stopped = 0, True
    while stopped:
        world = World()
        monkeypatch.setattr(clients, "_client", lambda *_, made=world, **__: Service(made.line, made.gateway))
        asked, now = prepared(world, path)
        world.line.stop = (number, after, Crash())
        try:
            world.create(asked)
            stopped = False
        except Crash:
            world.line.stop = None
            known = world.known()
            assert world.gateway.working <= set(known), f"step {number}: {world.line.calls}"
            # A key that nobody can have seen begins anew; one that is active stays, without its value.
            again, value = world.create(replace(asked, created=now + LEASE_S + 1))
            assert again.state == "active"
            assert bool(value) or known.get(again.gateway_key) == "active"
            assert again.gateway_key in world.gateway.working
            active = {gateway for gateway, state in world.known().items() if state == "active"}
            assert world.gateway.working == active
        number += 1
    assert number > 8


@pytest.mark.parametrize("path", PATHS)
def test_what_fails_can_be_tried_again_at_once(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    failure = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": ""}}, "Test")
    number, failed = 0, True
    while failed:
        world = World()
        monkeypatch.setattr(clients, "_client", lambda *_, made=world, **__: Service(made.line, made.gateway))
        asked, _ = prepared(world, path)
        world.line.stop = (number, False, failure)
        try:
            world.create(asked)
            failed = False
        except ClientError:
            world.line.stop = None
            key, value = world.create(asked)
            assert value
            assert key.gateway_key in world.gateway.working
        number += 1
    assert number > 8


def test_one_attempt_at_a_time(world: World) -> None:
    asked = wanted()
    world.storage.begin(asked, NOW)
    later = replace(asked, created=NOW + LEASE_S - 1)
    assert refusal(lambda: world.create(later), BusyError) == "busy"
    assert world.gateway.keys == {}
    assert refusal(lambda: keys.revoke(world.storage, "ada", asked.id, NOW + 1), BusyError) == "busy"


def test_eleventh_key_is_refused_and_leaves_nothing(world: World) -> None:
    made = [world.create(wanted(now=NOW + number))[0] for number in range(keys.MAX_ACTIVE)]
    assert refusal(lambda: world.create(wanted()), ConflictError) == "too_many_keys"
    assert len(world.storage.of_visitor("ada")) == len(world.gateway.keys) == keys.MAX_ACTIVE
    world.create(wanted(visitor="grace"))
    keys.revoke(world.storage, "ada", made[0].id, NOW)
    world.create(wanted())


def test_keys_that_were_revoked_long_ago_are_forgotten(world: World) -> None:
    world.subscriptions.add("ada", "images", "l-1")
    for plan in ("free", "images"):
        old, _ = world.create(wanted(plan))
        keys.revoke(world.storage, "ada", old.id, NOW)
    recent, _ = world.create(wanted(now=NOW + keys.KEPT_S - 1))
    assert len(world.storage.of_visitor("ada")) == 3
    last, _ = world.create(wanted(now=NOW + keys.KEPT_S + 1))
    assert {key.id for key in world.storage.of_visitor("ada")} == {recent.id, last.id}
    assert set(world.gateway.keys) == {recent.gateway_key, last.gateway_key}
    assert world.storage.of_subscription("l-1") == []


def test_key_that_was_revoked_before_it_was_made_is_forgotten(world: World) -> None:
    asked = wanted()
    world.storage.begin(asked, NOW)
    keys.revoke(world.storage, "ada", asked.id, NOW + LEASE_S + 1)
    last, value = world.create(wanted(now=NOW + LEASE_S + keys.KEPT_S + 2))
    assert value
    assert [key.id for key in world.storage.of_visitor("ada")] == [last.id]


def test_keys_that_are_kept_are_bounded(world: World) -> None:
    for number in range(keys.MAX_KEPT):
        key, _ = world.create(wanted(now=NOW + number))
        keys.revoke(world.storage, "ada", key.id, NOW + number)
    assert refusal(lambda: world.create(wanted(now=NOW + 1000)), ConflictError) == "too_many_keys"


def test_oldest_revoked_keys_make_room_once_they_are_metered(world: World) -> None:
    revoked = []
    for number in range(keys.MAX_REVOKED + 3):
        key, _ = world.create(wanted(now=NOW + number))
        keys.revoke(world.storage, "ada", key.id, NOW + number)
        revoked.append(key.id)
    world.create(wanted(now=NOW + keys.METERED_S))  # to the second: nothing is older than a day
    assert {*revoked} <= {key.id for key in world.storage.of_visitor("ada")}
    world.create(wanted(now=NOW + keys.METERED_S + 1.5))  # two are, and one of the three is beyond the newest
    left = {key.id for key in world.storage.of_visitor("ada")}
    assert {*revoked} - left == set(revoked[:2])


def test_call_that_was_tried_again_is_no_conflict(world: World) -> None:
    key, _ = world.create(wanted())
    gateway.attach(key.gateway_key, "plan0")
    assert world.gateway.members["plan0"] == {key.gateway_key}


# ---- plans


def test_plan_that_is_not_there_is_unknown(world: World) -> None:
    assert refusal(lambda: world.create(wanted("gold")), NotFoundError) == "unknown_plan"


def test_plan_without_a_product_gives_no_keys(world: World) -> None:
    world.subscriptions.add("ada", "unsold", "l-1")
    assert refusal(lambda: world.create(wanted("unsold")), ForbiddenError) == "not_sold"


def test_plan_needs_a_subscription_of_the_visitors_own(world: World) -> None:
    world.subscriptions.add("grace", "images", "l-1")
    assert refusal(lambda: world.create(wanted("images")), ForbiddenError) == "not_subscribed"
    other = replace(wanted("images"), subscription="l-1")
    assert refusal(lambda: world.create(other), ForbiddenError) == "not_subscribed"
    assert world.gateway.keys == {}


def test_subscription_that_is_named_pays(world: World) -> None:
    world.subscriptions.add("ada", "images", "l-1")
    world.subscriptions.add("ada", "images", "l-2")
    asked = replace(wanted("images"), subscription="l-2")
    key, _ = world.create(asked)
    assert key.subscription == "l-2"
    assert world.storage.of_subscription("l-2") == [("ada", key.id, key.gateway_key)]
    assert world.storage.of_subscription("l-1") == []


def test_subscription_that_ends_meanwhile_leaves_no_key_that_works(world: World) -> None:
    world.subscriptions.add("ada", "images", "l-1")
    world.subscriptions.ends_after = 1
    assert refusal(lambda: world.create(wanted("images")), ForbiddenError) == "not_subscribed"
    assert world.gateway.working == set()
    assert [key.state for key in world.storage.of_visitor("ada")] == ["revoked"]


@pytest.mark.parametrize(
    ("plan", "carried", "refused"),
    [
        ("free", "", False),
        ("free", "product1", True),
        ("images", "", False),
        ("images", "product1", True),  # BatchMeterUsage, and API Gateway beside it
        ("fleet", "product2", False),
        ("fleet", "", True),  # nobody meters
        ("fleet", "product1", True),
    ],
)
def test_plan_has_one_meter(world: World, plan: str, carried: str, *, refused: bool) -> None:
    gateway_id = world.plans[plan].gateway_id
    world.gateway.plans[gateway_id] = {"productCode": carried} if carried else {}
    world.subscriptions.add("ada", plan, "l-1")
    if refused:
        assert refusal(lambda: world.create(wanted(plan)), ConflictError) == "wrong_meter"
        assert world.gateway.keys == {}
    else:
        world.create(wanted(plan))


def test_api_gateway_bills_the_customer_only_where_it_meters(world: World) -> None:
    customers = {}
    for plan in ("free", "images", "fleet"):
        world.subscriptions.add("ada", plan, "l-1")
        key, _ = world.create(wanted(plan))
        customers[plan] = world.gateway.keys[key.gateway_key].get("customerId")
    assert customers == {"free": None, "images": None, "fleet": "customer of l-1"}


def test_licence_that_api_gateway_cannot_bill_gets_no_key(world: World) -> None:
    world.subscriptions.add("ada", "fleet", "l-1")
    [subscription] = world.subscriptions.found["ada", "fleet"]
    subscription.customer = ""  # the era of licences has none
    assert refusal(lambda: world.create(wanted("fleet")), ConflictError) == "wrong_meter"
    assert world.gateway.keys == {}


# ---- rotating and revoking


def test_rotated_key_works_until_it_ends(world: World) -> None:
    old, _ = world.create(wanted())
    new, value = world.create(wanted(now=NOW + 60, replaces=old.id, hours=2))
    assert value
    assert world.gateway.working == {old.gateway_key, new.gateway_key}
    ends = NOW + 60 + 2 * 3600
    assert keys.own(world.storage, "ada", old.id).ends == ends
    assert world.storage.rotated(ends - 1) == []
    assert world.storage.rotated(ends) == [("ada", old.id)]
    keys.revoke(world.storage, "ada", old.id, ends)
    assert world.gateway.working == {new.gateway_key}
    assert world.storage.rotated(ends + 999) == []


def test_rotation_without_overlap_revokes_at_once(world: World) -> None:
    old, _ = world.create(wanted())
    new, _ = world.create(wanted(replaces=old.id, hours=0))
    assert world.gateway.working == {new.gateway_key}
    assert keys.own(world.storage, "ada", old.id).state == "revoked"


def test_rotation_tells_the_value_though_the_old_key_cannot_be_revoked_yet(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = world.create(wanted())
    failure = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": ""}}, "UpdateApiKey")

    def refuse(_: str) -> None:
        raise failure

    with monkeypatch.context() as patched:
        patched.setattr(gateway, "disable", refuse)
        new, value = world.create(wanted(replaces=old.id, hours=0))
    assert value
    assert new.gateway_key in world.gateway.working
    assert world.storage.rotated(NOW) == [("ada", old.id)]  # the schedule revokes it


def test_upgrade_is_a_rotation_into_another_plan(world: World) -> None:
    world.subscriptions.add("ada", "images", "l-1")
    old, _ = world.create(wanted())
    new, _ = world.create(wanted("images", replaces=old.id, hours=1))
    assert world.gateway.members["plan0"] == {old.gateway_key}
    assert world.gateway.members["plan1"] == {new.gateway_key}
    assert world.gateway.working == {old.gateway_key, new.gateway_key}


def test_key_is_replaced_once(world: World) -> None:
    old, _ = world.create(wanted())
    world.create(wanted(replaces=old.id, hours=1))
    assert refusal(lambda: world.create(wanted(replaces=old.id, hours=1)), ConflictError) == "not_active"
    assert len(world.gateway.keys) == 2


def test_two_rotations_at_once_replace_a_key_once(world: World) -> None:
    old, _ = world.create(wanted())
    second = wanted(replaces=old.id, hours=1)
    real, raced = world.table.transact_write_items, list[World]()

    def first_comes_another(**request: Any) -> Any:
        if not raced:
            raced.append(world)
            world.create(wanted(replaces=old.id, hours=1))
        return real(**request)

    world.table.transact_write_items = first_comes_another  # type: ignore[method-assign]
    assert refusal(lambda: world.create(second), ConflictError) == "not_active"
    assert world.storage.key("ada", second.id) is None
    assert len(world.gateway.working) == 2


def test_ten_keys_can_all_be_rotated_and_no_more(world: World) -> None:
    made = [world.create(wanted())[0] for _ in range(keys.MAX_ACTIVE)]
    newer = [world.create(wanted(replaces=old.id, hours=1))[0] for old in made]
    third = wanted(replaces=newer[0].id, hours=1)
    assert refusal(lambda: world.create(third), ConflictError) == "too_many_keys"


def test_key_of_another_visitor_is_unknown(world: World) -> None:
    key, _ = world.create(wanted())
    revoke = lambda: keys.revoke(world.storage, "grace", key.id, NOW)  # noqa: E731
    assert refusal(revoke, NotFoundError) == "unknown_key"
    rotation = wanted(visitor="grace", replaces=key.id, hours=1)
    assert refusal(lambda: world.create(rotation), NotFoundError) == "unknown_key"
    assert world.gateway.working == {key.gateway_key}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_crash_while_revoking_is_repaired_by_the_next_attempt(world: World, *, after: bool) -> None:
    for number in range(3):
        key, _ = world.create(wanted())
        world.line.stop = (len(world.line.calls) + number, after, Crash())
        with pytest.raises(Crash):
            keys.revoke(world.storage, "ada", key.id, NOW)
        world.line.stop = None
        assert keys.revoke(world.storage, "ada", key.id, NOW).state == "revoked"
        assert key.gateway_key not in world.gateway.working


def test_key_that_an_operator_deleted_can_be_revoked(world: World) -> None:
    key, _ = world.create(wanted())
    world.gateway.delete_api_key(apiKey=key.gateway_key)
    assert keys.revoke(world.storage, "ada", key.id, NOW).state == "revoked"


def test_key_that_was_left_unfinished_can_be_revoked(world: World) -> None:
    asked = wanted()
    world.line.stop = (6, True, Crash())
    with pytest.raises(Crash):
        world.create(asked)
    world.line.stop = None
    assert keys.revoke(world.storage, "ada", asked.id, NOW + LEASE_S + 1).state == "revoked"
    assert world.gateway.working == set()
    assert world.create(asked)[1] == ""
