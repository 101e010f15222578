"""What a plan lets a key do, by API Gateway's own enforcement, and what visitors see of it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from local.clients.visitor import PortalVisitor
from local.suite import Suite
from tests.integration.api_portal.conftest import FreePlan
from tests.support.waiting import wait_until


def value_of(visitor: PortalVisitor) -> tuple[str, str]:
    made = visitor.create_key().json()
    return made["id"], made["value"]


def usage(visitor: PortalVisitor) -> dict[str, object]:
    answer = visitor.ask("GET", "/v1/usage", params={"plan": "free"})
    assert answer.status_code == 200
    found: dict[str, object] = answer.json()
    return found


def test_rate_is_the_plans(visitor: PortalVisitor) -> None:
    _, value = value_of(visitor)
    answers = [visitor.fleet(value) for _ in range(20)]
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, 429}
    assert statuses[200] >= 5  # the burst, and what the rate gave meanwhile
    throttled = next(answer for answer in answers if answer.status_code == 429)
    assert throttled.json()["code"] == "throttled"
    assert int(throttled.headers["Retry-After"]) >= 1
    assert throttled.headers["Access-Control-Allow-Origin"] == "*"
    assert "Retry-After" in throttled.headers["Access-Control-Expose-Headers"]


def test_quota_is_a_keys_own_and_is_told(suite: Suite, fast: FreePlan) -> None:
    visitor = PortalVisitor(suite)
    (key, value), (_, second) = value_of(visitor), value_of(visitor)
    with fast.changed(limit=5):
        assert [visitor.fleet(value).status_code for _ in range(7)] == [200] * 5 + [429] * 2
        over = visitor.fleet(value)
        assert over.json()["code"] == "quota_exceeded"
        assert int(over.headers["Retry-After"]) >= 1
        assert visitor.fleet(second).status_code == 200
        found = usage(visitor)
        assert found["quota"] == {"limit": 5, "period": "MONTH"}
        assert (found["used"], found["remaining"]) == (6, 4)
        today = datetime.now(UTC).date().isoformat()
        assert found["days"][-1] == {"day": today, "used": 6}  # type: ignore[index]
        used = {each["id"]: each["used"] for each in found["keys"]}  # type: ignore[attr-defined]
        assert used[key] == 5


def test_quota_that_is_edited_while_in_use_counts_at_once(suite: Suite, fast: FreePlan) -> None:
    visitor = PortalVisitor(suite)
    _, value = value_of(visitor)
    with fast.changed(limit=3):
        assert [visitor.fleet(value).status_code for _ in range(4)] == [200, 200, 200, 429]
        fast.set(limit=5)
        assert [visitor.fleet(value).status_code for _ in range(3)] == [200, 200, 429]
        found = usage(visitor)
        assert (found["quota"], found["used"], found["remaining"]) == (
            {"limit": 5, "period": "MONTH"}, 5, 0,
        )  # fmt: skip
        fast.set(limit=2)
        assert visitor.fleet(value).status_code == 429
        assert usage(visitor)["remaining"] == 0
    wait_until(lambda: _shown(suite) == 1000, seconds=20, what="the old limit shown")


def _shown(suite: Suite) -> int:
    plans = suite.http.get(f"{suite['PortalApiUrl']}/v1/plans").json()["plans"]
    return int(plans[0]["quota"]["limit"])


def test_usage_of_another_visitor_is_not_told(suite: Suite, visitor: PortalVisitor, fast: FreePlan) -> None:
    _, value = value_of(visitor)
    visitor.fleet(value)
    stranger = PortalVisitor(suite)
    assert usage(stranger)["used"] == 0
    assert usage(stranger)["keys"] == []


def test_calls_that_were_answered_well_are_counted_for_the_meter(
    suite: Suite, visitor: PortalVisitor, fast: FreePlan
) -> None:
    key, value = value_of(visitor)
    assert [visitor.fleet(value).status_code for _ in range(3)] == [200] * 3
    assert visitor.variant(value, "300x300/no-such-image.jpg").status_code == 404
    keys = suite.client("apigateway").get_paginator("get_api_keys").paginate()
    [gateway_key] = [each["id"] for page in keys for each in page["items"] if each["name"].endswith(key)]
    found = suite.client("dynamodb").query(
        TableName=suite["PortalUsageTableName"], KeyConditionExpression="#key = :key",
        ExpressionAttributeNames={"#key": "key"}, ExpressionAttributeValues={":key": {"S": gateway_key}},
    )["Items"]  # fmt: skip
    assert sum(int(item["calls"]["N"]) for item in found) == 3
    hours = {f"{datetime.now(UTC):%Y-%m-%dT%H}"}
    assert {item["hour"]["S"] for item in found} & hours
