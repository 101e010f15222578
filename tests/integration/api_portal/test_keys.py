"""Keys through the portal, and what they open."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from datagen.pictures import jpeg
from local.clients.visitor import PortalVisitor
from local.deploy import STACK
from local.suite import Suite
from tests.integration.api_portal.conftest import FreePlan
from tests.support.waiting import wait_until


def made(visitor: PortalVisitor, **more: object) -> tuple[str, str]:
    """A new key: its id and value."""
    answer = visitor.create_key(**more)  # type: ignore[arg-type]
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], answer.json()["value"]


def test_new_key_opens_both_apis(suite: Suite, visitor: PortalVisitor, fast: FreePlan) -> None:
    _, value = made(visitor)
    fleet = visitor.fleet(value)
    assert fleet.status_code == 200
    assert {"name", "colour", "place", "is_free"} == fleet.json()["unicorns"][0].keys()
    name = f"portal-{uuid.uuid4().hex[:8]}.jpg"
    _upload(suite, name)
    variant = visitor.variant(value, f"300x300/{name}")
    assert variant.status_code == 200
    assert variant.json()["key"] == f"300x300/{name}"
    picture = suite.http.get(variant.json()["url"])
    assert (picture.status_code, picture.headers["Content-Type"]) == (200, "image/jpeg")


def _upload(suite: Suite, name: str) -> None:
    suite.client("s3").put_object(Bucket=suite["ImagesBucketName"], Key=name, Body=jpeg(1000, 700))


@pytest.mark.parametrize("value", [None, "", "x", "a" * 40])
def test_without_a_key_routes_are_closed(visitor: PortalVisitor, value: str | None) -> None:
    for answer in (visitor.fleet(value), visitor.variant(value, "300x300/x.jpg")):
        assert (answer.status_code, answer.json()["code"]) == (403, "invalid_key")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_pages_of_other_origins_may_send_keys(suite: Suite) -> None:
    for url in (f"{suite['RidesApiUrl']}/v1/fleet", f"{suite['ImagesApiUrl']}/v1/variants"):
        answer = suite.http.options(url, headers={"Origin": "https://example.org"})
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Headers"].lower() == "x-api-key"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_value_is_shown_once(visitor: PortalVisitor) -> None:
    key, value = made(visitor)
    again = visitor.create_key(key)
    assert (again.status_code, "value" in again.json()) == (200, False)
    listed = visitor.ask("GET", "/v1/keys")
    assert value not in listed.text
    assert visitor.own_keys()[key]["last4"] == value[-4:]
    assert visitor.create_key(key, name="another").json()["code"] == "other_request"


def test_requests_at_once_with_one_id_make_one_key(visitor: PortalVisitor, fast: FreePlan) -> None:
    key = str(uuid.uuid4())
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: visitor.create_key(key), range(4)))
    values = {answer.json()["value"] for answer in answers if answer.status_code == 201}
    assert len(values) == 1
    assert {answer.status_code for answer in answers} <= {200, 201, 503}
    assert visitor.create_key(key).status_code == 200
    assert visitor.fleet(values.pop()).status_code == 200


def test_a_visitor_has_several_keys_and_ten_at_most(suite: Suite) -> None:
    visitor = PortalVisitor(suite)
    found = dict(made(visitor, name=f"number {number}") for number in range(10))
    assert set(visitor.own_keys()) == set(found)
    assert len(set(found.values())) == 10
    refused = visitor.create_key()
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_keys")
    visitor.revoke(next(iter(found)))
    assert visitor.create_key().status_code == 201


def test_rotated_key_and_its_successor_both_work(visitor: PortalVisitor, fast: FreePlan) -> None:
    old, old_value = made(visitor)
    new = str(uuid.uuid4())
    rotated = visitor.rotate(old, new, hours=2)
    assert rotated.status_code == 201
    assert visitor.rotate(old, new, hours=2).status_code == 200
    assert [visitor.fleet(each).status_code for each in (old_value, rotated.json()["value"])] == [200, 200]
    shown = visitor.own_keys()
    assert shown[old]["ends"] == pytest.approx(time.time() + 2 * 3600, abs=60)
    assert "ends" not in shown[new]
    assert visitor.rotate(old).json()["code"] == "not_active"


def test_rotation_without_overlap_ends_the_old_key(visitor: PortalVisitor, fast: FreePlan) -> None:
    old, old_value = made(visitor)
    value = visitor.rotate(old, hours=0).json()["value"]
    assert (visitor.fleet(old_value).status_code, visitor.fleet(value).status_code) == (403, 200)


def test_revoked_key_is_refused(visitor: PortalVisitor, fast: FreePlan) -> None:
    key, value = made(visitor)
    assert visitor.fleet(value).status_code == 200
    assert visitor.revoke(key).json()["state"] == "revoked"
    wait_until(lambda: visitor.fleet(value).status_code == 403, seconds=60, what="the revoked key refused")
    assert visitor.fleet(value).json()["code"] == "invalid_key"
    assert visitor.revoke(key).status_code == 200
    assert visitor.own_keys()[key]["state"] == "revoked"


def test_key_that_an_operator_disabled_is_refused(
    suite: Suite, visitor: PortalVisitor, fast: FreePlan
) -> None:
    key, value = made(visitor)
    gateway = suite.client("apigateway")
    [found] = [each for each in _all_keys(suite) if each["name"].endswith(key)]
    assert found["tags"] == {"portal": STACK}
    patch = {"op": "replace", "path": "/enabled", "value": "false"}
    gateway.update_api_key(apiKey=found["id"], patchOperations=[patch])
    assert visitor.fleet(value).status_code == 403
    gateway.update_api_key(apiKey=found["id"], patchOperations=[{**patch, "value": "true"}])
    assert visitor.fleet(value).status_code == 200


def _all_keys(suite: Suite) -> list[dict[str, Any]]:
    pages = suite.client("apigateway").get_paginator("get_api_keys").paginate()
    return [key for page in pages for key in page["items"]]


def test_key_of_another_visitor_is_unknown(
    visitor: PortalVisitor, other: PortalVisitor, fast: FreePlan
) -> None:
    key, value = made(visitor)
    for answer in (other.revoke(key), other.rotate(key)):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_key")
    assert key not in other.own_keys()
    assert visitor.fleet(value).status_code == 200
    # The same id is another key of theirs.
    assert other.create_key(key).status_code == 201


def test_plans_say_what_is_given_and_sold(suite: Suite) -> None:
    answer = suite.http.get(f"{suite['PortalApiUrl']}/v1/plans")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "public, max-age=60")
    plans = {plan["name"]: plan for plan in answer.json()["plans"]}
    assert set(plans) == {"free", "images", "fleet"}
    assert plans["free"]["apis"] == ["images", "rides"]
    assert (plans["free"]["sold"], plans["free"]["meter"]) == (False, "none")
    assert plans["images"]["quota"] == {"limit": 100_000, "period": "MONTH"}
    assert plans["fleet"]["throttle"] == {"rate": 10, "burst": 20}


@pytest.mark.parametrize("plan", ["images", "fleet"])
def test_plan_without_a_subscription_gives_no_key(visitor: PortalVisitor, plan: str) -> None:
    answer = visitor.create_key(plan=plan)
    assert answer.status_code == 403
    assert answer.json()["code"] in ("not_subscribed", "not_sold")


def test_sdks_are_of_aws_alone(visitor: PortalVisitor) -> None:
    answer = visitor.ask("GET", "/v1/sdks/rides/javascript", headers={"Accept": "application/zip"})
    assert (answer.status_code, answer.json()["code"]) == (501, "only_on_aws")
