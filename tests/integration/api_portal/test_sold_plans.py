"""Keys of a plan that is sold: for subscribers, of their plan's APIs, with one meter."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from threading import Event, Thread

import pytest

from local.clients.visitor import PortalVisitor
from local.suite import Suite
from tests.integration.api_portal.conftest import FreePlan


def test_subscribers_key_opens_its_plans_api_alone(subscriber: PortalVisitor) -> None:
    made = subscriber.create_key(plan="images")
    assert made.status_code == 201
    value = made.json()["value"]
    assert made.json()["subscription"].startswith("l-")
    missing = subscriber.variant(value, "300x300/no-such-image.jpg")
    assert (missing.status_code, missing.json()["code"]) == (404, "original_not_found")
    closed = subscriber.fleet(value)
    assert (closed.status_code, closed.json()["code"]) == (403, "invalid_key")


def test_subscription_of_another_visitor_pays_nothing(
    visitor: PortalVisitor, subscriber: PortalVisitor
) -> None:
    subscription = subscriber.create_key(plan="images").json()["subscription"]
    refused = visitor.create_key(plan="images", subscription=subscription)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_subscribed")


def test_upgrade_leaves_no_gap(subscriber: PortalVisitor, fast: FreePlan) -> None:
    """A program asks all the time; it takes the new key when there is one."""
    free = subscriber.create_key().json()
    value, statuses, stop = [free["value"]], list[int](), Event()

    def program() -> None:
        while not stop.wait(0.12):  # the plan lets in ten a second
            statuses.append(subscriber.variant(value[-1], "300x300/no-such-image.jpg").status_code)

    running = Thread(target=program)
    running.start()
    upgraded = subscriber.rotate(free["id"], plan="images", hours=1)
    value.append(upgraded.json()["value"])
    stop.wait(0.5)
    stop.set()
    running.join(10)
    assert (upgraded.status_code, upgraded.json()["plan"]) == (201, "images")
    assert set(statuses) == {404}, "the key is let in, and there is no such image"
    assert len(statuses) > 3


@pytest.fixture
def two_meters(suite: Suite) -> Iterator[None]:
    """API Gateway meters the plan, too."""
    gateway, plan = suite.client("apigateway"), suite["PortalImagesUsagePlanId"]
    patch = {"op": "replace", "path": "/productCode", "value": "suitelocalimages"}
    gateway.update_usage_plan(usagePlanId=plan, patchOperations=[patch])
    yield
    remove = {"op": "remove", "path": "/productCode", "value": "suitelocalimages"}
    gateway.update_usage_plan(usagePlanId=plan, patchOperations=[remove])


def test_plan_with_two_meters_gives_no_key(subscriber: PortalVisitor, two_meters: None) -> None:
    key = str(uuid.uuid4())
    refused = subscriber.create_key(key, plan="images")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_meter")
    assert key not in subscriber.own_keys()
