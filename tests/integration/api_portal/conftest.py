"""Visitors of the portal, and plans whose limits a test sets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local.clients.marketplace import Marketplace
from local.clients.visitor import PortalVisitor
from local.suite import Suite
from ops.settings import overrides
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def visitor(suite: Suite) -> PortalVisitor:
    return PortalVisitor(suite)


@pytest.fixture(scope="module")
def other(suite: Suite) -> PortalVisitor:
    return PortalVisitor(suite)


class FreePlan:
    """The usage plan that everybody has, as an operator sees it."""

    def __init__(self, suite: Suite) -> None:
        self._gateway, self.id = suite.client("apigateway"), suite["PortalFreeUsagePlanId"]

    def set(self, **limits: float) -> None:
        """Set `rateLimit`, `burstLimit` or the quota's `limit`."""
        parts = {"rateLimit": "throttle", "burstLimit": "throttle", "limit": "quota"}
        patches = [
            {"op": "replace", "path": f"/{parts[name]}/{name}", "value": str(value)}
            for name, value in limits.items()
        ]
        self._gateway.update_usage_plan(usagePlanId=self.id, patchOperations=patches)

    @contextmanager
    def changed(self, **limits: float) -> Iterator[None]:
        """The plan with other limits, and as it was before."""
        found: dict[str, Any] = self._gateway.get_usage_plan(usagePlanId=self.id)
        before = {**found["throttle"], "limit": found["quota"]["limit"]}
        self.set(**limits)
        try:
            yield
        finally:
            self.set(**before)


@pytest.fixture
def free_plan(suite: Suite) -> FreePlan:
    return FreePlan(suite)


@pytest.fixture
def fast(free_plan: FreePlan) -> Iterator[FreePlan]:
    """The plan without a bound on the rate: what a test is about is something else."""
    with free_plan.changed(rateLimit=1000, burstLimit=1000):
        yield free_plan


@pytest.fixture(scope="module")
def subscriber(suite: Suite) -> PortalVisitor:
    """A visitor with a subscription to the plan `images`."""
    market = Marketplace(suite)
    market.product(overrides("local")["PortalImagesProductCode"], ["calls"])
    purchase = market.buy(overrides("local")["PortalImagesProductCode"])
    buyer = PortalVisitor(suite)
    registered = buyer.ask("POST", "/v1/registrations", json={"token": purchase.token})
    assert registered.status_code == 201, registered.text

    def is_active() -> bool:
        [found] = buyer.ask("GET", "/v1/subscriptions").json()["subscriptions"]
        return bool(found["state"] == "active")

    wait_until(is_active, seconds=30, what="an active subscription")
    return buyer
