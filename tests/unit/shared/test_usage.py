"""Calls with API keys are counted by key and hour, and never twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from ops.paths import ROOT
from shared import clients, usage

RECORDED = json.loads((ROOT / "events/rides/api_fleet.json").read_text())


class Table:
    """The one call on DynamoDB that counting makes; `failure` is raised instead of it."""

    def __init__(self) -> None:
        self.calls: dict[tuple[str, str, str], int] = {}
        self.expires: set[int] = set()
        self.minutes: set[str] = set()
        self.failure: Exception | None = None
        self.asked = 0

    def update_item(self, **request: Any) -> None:
        self.asked += 1
        if self.failure:
            raise self.failure
        assert request["UpdateExpression"] == "ADD calls :one, #minute :one SET expires = :expires"
        self.minutes.add(request["ExpressionAttributeNames"]["#minute"])
        values = request["ExpressionAttributeValues"]
        place = (request["TableName"], request["Key"]["key"]["S"], request["Key"]["hour"]["S"])
        self.calls[place] = self.calls.get(place, 0) + int(values[":one"]["N"])
        self.expires.add(int(values[":expires"]["N"]))


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    made = Table()

    def once(service: str, _timeout: float, attempts: int = clients.ATTEMPTS) -> Table:
        assert (service, attempts) == ("dynamodb", 1), "a write that is tried again may count twice"
        return made

    monkeypatch.setattr(clients, "_client", once)
    return made


def at(epoch_ms: int) -> dict[str, Any]:
    return {**RECORDED, "requestContext": {**RECORDED["requestContext"], "requestTimeEpoch": epoch_ms}}


def test_calls_of_an_hour_are_one_number(table: Table) -> None:
    usage.count_call("calls", RECORDED)
    usage.count_call("calls", RECORDED)
    assert table.calls == {("calls", "a1b2c3d4e5", "2026-11-23T20"): 2}


# `date -u -d 2026-11-28T03:59:59.999Z +%s%3N`, and a millisecond later
@pytest.mark.parametrize(
    ("epoch_ms", "hour", "minute"),
    [(1795838399999, "2026-11-28T03", "m59"), (1795838400000, "2026-11-28T04", "m00")],
)
def test_a_call_counts_for_the_hour_of_its_request(
    table: Table, epoch_ms: int, hour: str, minute: str
) -> None:
    usage.count_call("calls", at(epoch_ms))
    assert table.calls == {("calls", "a1b2c3d4e5", hour): 1}
    assert table.minutes == {minute}
    assert table.expires == {epoch_ms // 1000 + 3_456_000}  # 40 days


def test_nothing_is_counted_without_a_portal_or_a_key(table: Table) -> None:
    usage.count_call("", RECORDED)
    usage.count_call("calls", json.loads((ROOT / "events/rides/api_history.json").read_text()))
    assert table.asked == 0


@pytest.mark.parametrize(
    "failure",
    [
        ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "UpdateItem"),
        ReadTimeoutError(endpoint_url="x"),
    ],
)
def test_what_cannot_be_counted_is_told_and_served(
    table: Table, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[tuple[str, str]] = []
    monkeypatch.setattr(usage, "count_for", lambda *named: counted.append(named))
    table.failure = failure
    usage.count_call("calls", RECORDED)
    assert (table.asked, counted) == (1, [("api_portal", "CallsUncounted")])
