"""Rides through the API: from request to receipt, and whatever comes between."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from local.clients.visitor import SENATE_SQUARE, Visitor
from local.suite import Suite
from tests.conftest import Faults
from tests.support.waiting import wait_until

ORDER = ("requested", "assigned", "arriving", "riding", "done")
STATION = {"latitude": 60.1719, "longitude": 24.9414}


class Fleet:
    """The table of unicorns."""

    def __init__(self, suite: Suite) -> None:
        self._dynamodb, self.table = suite.client("dynamodb"), suite["RidesFleetTableName"]

    def unicorns(self) -> list[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]

    def taken(self, *rides: str) -> list[str]:
        """Which of some rides have a unicorn, as often as they have one: earlier ones may be under way."""
        found = [item["ride"]["S"].partition("#")[2] for item in self.unicorns() if "ride" in item]
        return [ride for ride in found if ride in rides]

    def clear(self) -> None:
        for item in self.unicorns():
            self._dynamodb.delete_item(TableName=self.table, Key={"name": item["name"]})

    def lease(self, name: str, until: int) -> None:
        """Have a unicorn be another ride's until a moment."""
        self._dynamodb.update_item(
            TableName=self.table, Key={"name": {"S": name}},
            UpdateExpression="SET #ride = :ride, #until = :until",
            ExpressionAttributeNames={"#ride": "ride", "#until": "until"},
            ExpressionAttributeValues={":ride": {"S": "lost#ride"}, ":until": {"N": str(until)}},
        )  # fmt: skip


@pytest.fixture
def fleet(suite: Suite) -> Iterator[Fleet]:
    """Nobody rides; the fleet is made anew by the first request."""
    found = Fleet(suite)
    found.clear()
    yield found
    found.clear()


# ---- one ride


def test_a_ride_goes_from_request_to_receipt(visitor: Visitor, fleet: Fleet) -> None:
    answer = visitor.request()
    assert answer.status_code == 202
    requested = answer.json()
    assert (requested["state"], requested["pickup"]) == ("requested", SENATE_SQUARE)
    ride = visitor.until(requested["id"], "assigned", seconds=20)
    assert "assigned" in ride["moments"]
    assert ride["unicorn"]["name"]
    assert fleet.taken(ride["id"]) == [ride["id"]]
    done = visitor.until(ride["id"])
    assert done["state"] == "done"
    moments = [done["moments"][state] for state in ORDER]
    assert moments == sorted(moments)
    assert done["moments"]["riding"] >= ride["arrives"] - 0.001
    assert done["moments"]["done"] >= ride["ends"] - 0.001
    # $2.50, and $1.20 for each of 1.5 km.
    assert done["receipt"] == {"cents": 430, "currency": "USD"}
    assert fleet.taken(ride["id"]) == []
    [waiting] = [item for item in fleet.unicorns() if item["name"]["S"] == ride["unicorn"]["name"]]
    assert float(waiting["place"]["M"]["latitude"]["N"]) == SENATE_SQUARE["latitude"]


def test_a_request_that_is_sent_twice_is_one_ride(visitor: Visitor, fleet: Fleet) -> None:
    ride = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: visitor.request(ride=ride), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [202]
    visitor.until(ride, "assigned")
    assert fleet.taken(ride) == [ride]
    assert visitor.request(STATION, ride).json()["code"] == "other_request"
    assert visitor.request(STATION, ride).status_code == 409


def test_two_visitors_may_choose_the_same_id(visitor: Visitor, other: Visitor, fleet: Fleet) -> None:
    ride = str(uuid.uuid4())
    assert (visitor.request(ride=ride).status_code, other.request(STATION, ride).status_code) == (202, 202)
    names = {each.until(ride, "assigned")["unicorn"]["name"] for each in (visitor, other)}
    assert len(names) == 2


def test_another_persons_ride_is_unknown(visitor: Visitor, other: Visitor, fleet: Fleet) -> None:
    ride = visitor.request().json()["id"]
    assert other.ask("GET", f"/v1/rides/{ride}").status_code == 404
    assert other.ask("POST", f"/v1/rides/{ride}/cancel").status_code == 404
    assert ride not in [each["id"] for each in other.ask("GET", "/v1/rides").json()["rides"]]
    assert visitor.until(ride, "assigned")["state"] != "cancelled"


# ---- many rides


@pytest.mark.timeout(300)
def test_a_hundred_requests_for_ten_unicorns(suite: Suite, fleet: Fleet) -> None:
    visitors = [Visitor(suite) for _ in range(10)]
    rides = [(visitor, str(uuid.uuid4())) for visitor in visitors for _ in range(10)]
    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda each: each[0].request(ride=each[1]).status_code, rides))
        assert set(answers) == {202}
        found = list(pool.map(lambda each: each[0].until(each[1], "assigned", seconds=200), rides))
    served = [ride for ride in found if "unicorn" in ride]
    unserved = [ride for ride in found if ride["state"] == "unserved"]
    assert len(served) + len(unserved) == 100
    assert len(served) >= 10
    assert all(ride["retry_after"] >= 5 for ride in unserved)
    # No unicorn had two rides at once: brute force over every pair of its rides.
    by_unicorn: dict[str, list[tuple[float, float, str]]] = {}
    for ride in served:
        span = (ride["moments"]["assigned"], ride["ends"], ride["id"])
        by_unicorn.setdefault(ride["unicorn"]["name"], []).append(span)
    assert len(by_unicorn) == 10
    twice = [
        (name, *pair)
        for name, spans in by_unicorn.items()
        for pair in pairwise(sorted(spans))
        if pair[0][1] > pair[1][0]
    ]
    assert twice == []


def test_history_is_newest_first_page_by_page(suite: Suite, fleet: Fleet) -> None:
    visitor = Visitor(suite)
    ids = [visitor.request().json()["id"] for _ in range(5)]
    first = visitor.ask("GET", "/v1/rides?limit=3").json()
    second = visitor.ask("GET", "/v1/rides", params={"limit": 3, "after": first["after"]}).json()
    assert [ride["id"] for ride in (*first["rides"], *second["rides"])] == ids[::-1]
    assert "after" not in second


# ---- cancelling


@pytest.mark.parametrize("state", ["requested", "assigned", "arriving"])
def test_a_cancelled_ride_frees_its_unicorn(visitor: Visitor, fleet: Fleet, state: str) -> None:
    ride = visitor.request().json()["id"]
    visitor.until(ride, state)
    cancelled = visitor.ask("POST", f"/v1/rides/{ride}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert visitor.ask("POST", f"/v1/rides/{ride}/cancel").status_code == 200
    wait_until(lambda: fleet.taken(ride) == [], seconds=10, what="the unicorn is free")
    assert visitor.ride(ride)["state"] == "cancelled"


def test_a_ride_that_has_begun_cannot_be_cancelled(visitor: Visitor, fleet: Fleet) -> None:
    ride = visitor.request().json()["id"]
    visitor.until(ride, "riding")
    late = visitor.ask("POST", f"/v1/rides/{ride}/cancel")
    assert (late.status_code, late.json()["code"]) == (409, "too_late")
    assert visitor.until(ride)["state"] == "done"


def test_cancellation_against_assignment_leaves_no_unicorn_behind(suite: Suite, fleet: Fleet) -> None:
    visitor = Visitor(suite)

    rides = [str(uuid.uuid4()) for _ in range(15)]

    def both(ride: str) -> str:
        visitor.request(ride=ride)
        return str(visitor.ask("POST", f"/v1/rides/{ride}/cancel").json()["state"])

    with ThreadPoolExecutor(5) as pool:
        states = Counter(pool.map(both, rides))
    assert states == {"cancelled": 15}
    executions = [execution_of(suite, visitor, ride) for ride in rides]
    assert {ended(suite, each) for each in executions} == {"SUCCEEDED"}
    assert fleet.taken(*rides) == []
    assert {visitor.ride(ride)["state"] for ride in rides} == {"cancelled"}


# ---- the state machine


def sub_of(suite: Suite, visitor: Visitor) -> str:
    """What the tables know a visitor by."""
    person = suite.client("cognito-idp").admin_get_user(
        UserPoolId=suite["VisitorsUserPoolId"], Username=visitor.email
    )
    [sub] = [each["Value"] for each in person["UserAttributes"] if each["Name"] == "sub"]
    return str(sub)


def start(suite: Suite, visitor: Visitor, ride: str) -> str:
    """Start a ride's state machine once more, under another name; the execution."""
    return str(
        suite.client("stepfunctions").start_execution(
            stateMachineArn=suite["RidesStateMachineArn"], name=uuid.uuid4().hex,
            input=json.dumps({"visitor": sub_of(suite, visitor), "ride": ride}),
        )["executionArn"]
    )  # fmt: skip


def execution_of(suite: Suite, visitor: Visitor, ride: str) -> str:
    """The execution that the API started for a ride."""
    name = hashlib.sha256(f"{sub_of(suite, visitor)}#{ride}".encode()).hexdigest()
    pages = suite.client("stepfunctions").get_paginator("list_executions")
    found = pages.paginate(stateMachineArn=suite["RidesStateMachineArn"])
    [arn] = [each["executionArn"] for page in found for each in page["executions"] if each["name"] == name]
    return str(arn)


def ended(suite: Suite, execution: str) -> str:
    states = suite.client("stepfunctions")

    def status() -> str:
        found = str(states.describe_execution(executionArn=execution)["status"])
        return "" if found == "RUNNING" else found

    return wait_until(status, seconds=60, what="the execution ends")


def test_a_machine_that_is_started_twice_takes_one_unicorn(
    suite: Suite, visitor: Visitor, fleet: Fleet
) -> None:
    ride = visitor.request().json()["id"]
    executions = [start(suite, visitor, ride) for _ in range(3)]
    visitor.until(ride, "assigned")
    assert fleet.taken(ride) == [ride]
    assert visitor.until(ride)["state"] == "done"
    assert {ended(suite, each) for each in executions} == {"SUCCEEDED"}


def test_a_machine_without_a_ride_fails_at_once(suite: Suite, visitor: Visitor) -> None:
    assert ended(suite, start(suite, visitor, str(uuid.uuid4()))) == "FAILED"


def test_a_unicorn_whose_ride_was_lost_is_assigned_again(visitor: Visitor, fleet: Fleet) -> None:
    visitor.until(visitor.request().json()["id"])
    names = [item["name"]["S"] for item in fleet.unicorns()]
    for name in names[:-1]:
        fleet.lease(name, 4_000_000_000)
    fleet.lease(names[-1], 1_000_000_000)
    assert visitor.until(visitor.request().json()["id"], "assigned")["unicorn"]["name"] == names[-1]
    second = visitor.until(visitor.request().json()["id"], "assigned")
    assert second["state"] == "unserved"
    assert second["retry_after"] >= 5


def test_a_ride_whose_machine_did_not_start_is_started_by_the_next_request(
    visitor: Visitor, fleet: Fleet, faults: Faults
) -> None:
    ride = str(uuid.uuid4())
    limit = {"status": 400, "type": "ExecutionLimitExceeded", "times": 1}
    faults.inject({"match": "states.StartExecution", **limit})
    refused = visitor.request(ride=ride)
    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    assert visitor.ride(ride)["state"] == "requested"
    assert visitor.request(ride=ride).status_code == 200
    assert visitor.until(ride, "assigned")["unicorn"]["name"]


@pytest.mark.timeout(240)
def test_a_ride_whose_step_fails_at_every_try_has_failed_and_its_unicorn_is_free(
    suite: Suite, visitor: Visitor, fleet: Fleet, faults: Faults
) -> None:
    states = suite.client("stepfunctions")
    running = {"stateMachineArn": suite["RidesStateMachineArn"], "statusFilter": "RUNNING"}
    # The refusals are this ride's alone.
    wait_until(
        lambda: not states.list_executions(**running)["executions"], seconds=60, what="earlier rides are over"
    )
    ride = visitor.request().json()["id"]
    visitor.until(ride, "arriving")
    refusal = {"status": 400, "type": "ValidationException", "times": 6}
    faults.inject({"match": "dynamodb.TransactWriteItems", **refusal})  # five of the step, one of its end
    failed = visitor.until(ride, seconds=120)
    assert failed["state"] == "failed"
    assert "riding" not in failed["moments"]
    assert fleet.taken(ride) == []
    assert ended(suite, execution_of(suite, visitor, ride)) == "FAILED"
    assert faults.hits() == [6]


def test_a_ride_ends_without_its_unicorn_if_that_is_anothers(visitor: Visitor, fleet: Fleet) -> None:
    """Its lease was over."""
    ride = visitor.request().json()["id"]
    name = visitor.until(ride, "arriving")["unicorn"]["name"]
    fleet.lease(name, 4_000_000_000)
    assert visitor.until(ride)["state"] == "done"
    [unicorn] = [item for item in fleet.unicorns() if item["name"]["S"] == name]
    assert unicorn["ride"]["S"] == "lost#ride"


def test_a_ride_whose_execution_was_stopped_has_failed_and_its_unicorn_is_free(
    suite: Suite, visitor: Visitor, fleet: Fleet
) -> None:
    ride = visitor.request().json()["id"]
    visitor.until(ride, "arriving")
    suite.client("stepfunctions").stop_execution(executionArn=execution_of(suite, visitor, ride))
    assert visitor.ride(ride)["state"] in ("arriving", "riding")
    suite.client("dynamodb").update_item(
        TableName=suite["RidesTableName"],
        Key={"visitor": {"S": sub_of(suite, visitor)}, "ride": {"S": ride}},
        UpdateExpression="SET ends = :long_ago",
        ExpressionAttributeValues={":long_ago": {"N": f"{time.time() - 1000:.3f}"}},
    )
    assert visitor.ride(ride)["state"] == "failed"
    assert fleet.taken(ride) == []
