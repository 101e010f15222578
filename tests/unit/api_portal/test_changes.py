"""What follows AWS Marketplace's messages, on tables in memory."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from api_portal import changes, revocation
from api_portal.changes import handler
from api_portal.key_storage import Key, KeyStorage
from api_portal.subscription_storage import Subscription, SubscriptionStorage
from local.memory_table import MemoryTable
from ops.paths import ROOT
from shared.http import BusyError

from .conftest import PRODUCT, TOPIC, Queue

LICENCE = "l-e52ca6f38bf84d0fafb8802ca15ac11a"
NINE = 1_795_165_200.0  # 2026-11-20T09:00:00Z
CUSTOMER = f"{PRODUCT}:X01EXAMPLEX"

pytestmark = pytest.mark.usefixtures("deployed")


def recorded(name: str) -> list[dict[str, Any]]:
    event = json.loads((ROOT / f"events/api_portal/{name}.json").read_text())
    return list(event["Records"])


def told(place: int, minute: int) -> dict[str, Any]:
    """A recorded event of agreements, at another minute of the hour."""
    record = recorded("changes_agreements")[place]
    body = json.loads(record["body"]) | {"time": f"2026-11-20T09:{minute:02}:00Z"}
    return record | {"body": json.dumps(body)}


def follow(*records: dict[str, Any]) -> dict[str, Any]:
    return dict(handler({"Records": list(records)}, LambdaContext()))


def subscription(table: MemoryTable, name: str) -> Subscription | None:
    return SubscriptionStorage("portal", table).get(name)  # type: ignore[arg-type]


def test_recorded_agreement_begins_and_ends(table: MemoryTable, queue: Queue) -> None:
    assert follow(*recorded("changes_agreements")) == {"batchItemFailures": []}
    found = subscription(table, LICENCE)
    assert found is not None
    assert (found.state, found.plan) == ("ended", "fleet")
    assert queue.dead == []


# Updated, amended, ended, deprovisioned; a second licence event follows what is amended.
LIFE = [told(2, 1), told(3, 2), told(2, 3), told(4, 30), told(5, 50)]


def test_events_of_an_agreement_in_every_order_come_to_one_state(
    monkeypatch: pytest.MonkeyPatch, table: MemoryTable
) -> None:
    found = set()
    for order in permutations(LIFE):
        table.tables["portal"].clear()
        follow(*order)
        after = subscription(table, LICENCE)
        assert after is not None
        found.add((after.facts, after.state))
    assert len(found) == 1
    [(facts, state)] = found
    assert (state, facts.use_ends) == ("ended", 1_795_167_000_000)  # the agreement's end, 09:30


def test_thousand_shuffles_with_duplicates_come_to_one_state(table: MemoryTable) -> None:
    chance = random.Random(17)
    found = set()
    for _ in range(1_000):
        table.tables["portal"].clear()
        order = LIFE[:4] + chance.choices(LIFE[:4], k=chance.randint(0, 4))
        chance.shuffle(order)
        follow(*order)
        after = subscription(table, LICENCE)
        assert after is not None
        found.add((after.facts, after.state))
    assert {state for _, state in found} == {"ending"}
    assert len(found) == 1


def test_forged_message_in_the_middle_is_a_dead_letter_alone(
    monkeypatch: pytest.MonkeyPatch, table: MemoryTable, queue: Queue
) -> None:
    monkeypatch.setenv("FLEET_TOPIC_ARN", TOPIC)
    first, forged, last = recorded("changes_middle_is_forged")
    assert follow(first, forged, last) == {"batchItemFailures": []}
    assert queue.dead == [(forged["body"], "another topic than the product's")]
    found = subscription(table, CUSTOMER)
    assert found is not None
    assert (found.state, found.facts.ended) == ("ending", 0)


def test_every_recorded_notification(
    monkeypatch: pytest.MonkeyPatch, table: MemoryTable, queue: Queue
) -> None:
    monkeypatch.setenv("FLEET_TOPIC_ARN", TOPIC)
    states = []
    for record in recorded("changes_notifications"):
        table.tables["portal"].clear()
        follow(record)
        found = subscription(table, CUSTOMER)
        states.append(found.state if found else None)
    assert states == ["active", "failed", "ending", "ended", None]
    assert queue.dead == []


def test_unsubscribe_before_subscribe_is_an_end(monkeypatch: pytest.MonkeyPatch, table: MemoryTable) -> None:
    monkeypatch.setenv("FLEET_TOPIC_ARN", TOPIC)
    success, _, pending, unsubscribed, _ = recorded("changes_notifications")
    later = [
        each
        | {"body": json.dumps(json.loads(each["body"]) | {"Timestamp": f"2026-11-20T10:{minute}:00.000Z"})}
        for each, minute in ((pending, 10), (unsubscribed, 20))
    ]
    follow(*later, success)
    found = subscription(table, CUSTOMER)
    assert found is not None
    assert found.state == "ended"


def test_without_a_topic_no_notification_is_followed(table: MemoryTable, queue: Queue) -> None:
    follow(recorded("changes_notifications")[0])
    assert [reason for _, reason in queue.dead] == ["another topic than the product's"]
    assert not table.tables["portal"]


def test_product_with_a_topic_is_told_by_it_alone(
    monkeypatch: pytest.MonkeyPatch, table: MemoryTable
) -> None:
    monkeypatch.setenv("FLEET_TOPIC_ARN", TOPIC)
    follow(*recorded("changes_agreements"))
    assert not table.tables["portal"]


def test_unknown_product_is_a_dead_letter(
    monkeypatch: pytest.MonkeyPatch, table: MemoryTable, queue: Queue
) -> None:
    monkeypatch.setenv("FLEET_PRODUCT_CODE", "another")
    licence = recorded("changes_agreements")[2]
    assert follow(licence) == {"batchItemFailures": []}
    assert queue.dead == [(licence["body"], "unknown product")]
    assert not table.tables["portal"]


def test_table_that_does_not_answer_has_the_message_come_back(
    monkeypatch: pytest.MonkeyPatch, table: MemoryTable
) -> None:
    records = recorded("changes_agreements")[:3]
    monkeypatch.setattr(table, "get_item", lambda **_: (_ for _ in ()).throw(TimeoutError()))
    assert follow(*records) == {"batchItemFailures": [{"itemIdentifier": records[2]["messageId"]}]}


def test_keys_are_revoked_at_the_end_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    revoked: list[str] = []
    monkeypatch.setattr(changes, "revoke_keys", lambda *given: revoked.append(given[1]))
    follow(told(2, 1), told(3, 2))
    assert revoked == []
    follow(told(4, 30))
    assert revoked == [LICENCE]
    follow(told(4, 30))  # again, as a key may have been made meanwhile
    assert revoked == [LICENCE, LICENCE]


@pytest.mark.parametrize("begins_first", [False, True], ids=["in order", "beginning first"])
def test_keys_of_before_stay_revoked_when_it_begins_again(
    monkeypatch: pytest.MonkeyPatch, table: MemoryTable, begins_first: bool
) -> None:
    revoked: set[str] = set()
    monkeypatch.setattr(revocation, "revoke_key", lambda *given: revoked.add(given[2]))
    storage = KeyStorage("portal", table)  # type: ignore[arg-type]
    follow(told(2, 1))
    old = Key("ada", "old", "site", "fleet", LICENCE, "creating", NINE + 10 * 60, gateway_key="key0")
    new = replace(old, id="new", gateway_key="key1", created=NINE + 45 * 60)
    end, beginning = told(4, 30), told(2, 40)
    again = (beginning, end) if begins_first else (end, beginning)
    for key, events in ((old, again[:1]), (new, again[1:])):
        storage.begin(key, key.created)
        storage.record(key)
        storage.activate(key, key.created)
        follow(*events)
    follow(end)  # once more
    assert revoked == {"old"}


def test_key_that_is_being_created_has_the_end_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> None:
        raise BusyError("busy", "The key is being created.")

    monkeypatch.setattr(changes, "revoke_keys", busy)
    end = told(4, 30)
    assert follow(told(2, 1), end) == {"batchItemFailures": [{"itemIdentifier": end["messageId"]}]}


def test_two_writers_at_once_lose_no_fact(monkeypatch: pytest.MonkeyPatch, table: MemoryTable) -> None:
    storage = SubscriptionStorage("portal", table)  # type: ignore[arg-type]
    write = table.transact_write_items
    others = [("ending", 20), ("ended", 30)]

    def interfered(**request: Any) -> None:
        if others:
            kind, moment = others.pop()
            monkeypatch.setattr(table, "transact_write_items", write)
            storage.learn("s", "p", "fleet", {kind: moment})  # type: ignore[dict-item]
            monkeypatch.setattr(table, "transact_write_items", interfered)
        write(**request)

    monkeypatch.setattr(table, "transact_write_items", interfered)
    storage.learn("s", "p", "fleet", {"began": 10})
    found = storage.get("s")
    assert found is not None
    assert (found.facts.began, found.facts.ending, found.facts.ended) == (10, 20, 30)
