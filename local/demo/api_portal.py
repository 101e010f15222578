"""Drive of the API portal: a visitor gets a key, a program reaches its quota, it is rotated and revoked."""

from __future__ import annotations

import time
import uuid

from local.clients.visitor import PortalVisitor
from local.demo import api_portal_marketplace
from local.demo.checks import Checks
from local.suite import Suite

__all__ = ["FLOW", "PAGE", "STEPS", "drive"]

FLOW = "browser → API → key → plan → the suite's APIs"
PAGE = "portal/"
STEPS = 12 + api_portal_marketplace.STEPS
_QUOTA = 3  # with what comes after it, within the burst of five


def drive(suite: Suite, checks: Checks) -> None:
    """Sign up, ask with the key, reach the quota, rotate, revoke."""
    began = time.monotonic()
    visitor = PortalVisitor(suite)
    checks.equal("without a key an API is closed", visitor.fleet(None).status_code, 403)
    key = str(uuid.uuid4())
    created = visitor.create_key(key)
    value = created.json().get("value", "")
    checks.equal("a key is created, with its value", (created.status_code, len(value) >= 20), (201, True))
    first = visitor.fleet(value)
    checks.equal("it opens the API", (first.status_code, len(first.json()["unicorns"])), (200, 10))
    seconds = time.monotonic() - began
    checks.true("sign-up to the first answer takes 30 s at most", seconds <= 30, f"{seconds:.1f} s")
    again = visitor.create_key(key)
    checks.equal("the value is shown once", (again.status_code, again.json().get("value")), (200, None))
    listed = visitor.ask("GET", "/v1/keys").text
    checks.true("the list has no value", value not in listed and key in listed, listed)

    _reach_the_quota(suite, checks, visitor, value)

    rotated = visitor.rotate(key, hours=1).json()
    statuses = [visitor.fleet(each).status_code for each in (value, rotated["value"])]
    checks.equal("rotated, both keys are let in", statuses, [200, 200])
    visitor.revoke(rotated["id"])
    refused = visitor.fleet(rotated["value"])
    checks.equal(
        "a revoked key is refused", (refused.status_code, refused.json()["code"]), (403, "invalid_key")
    )
    stranger = PortalVisitor(suite)
    checks.equal("another visitor cannot revoke it", stranger.revoke(key).status_code, 404)
    api_portal_marketplace.buy_and_end(suite, checks)


def _reach_the_quota(suite: Suite, checks: Checks, visitor: PortalVisitor, value: str) -> None:
    """An operator sets a small quota while the key is in use, and sets it back."""
    gateway, plan = suite.client("apigateway"), suite["PortalFreeUsagePlanId"]
    limit = gateway.get_usage_plan(usagePlanId=plan)["quota"]["limit"]

    def set_quota(to: int) -> None:
        patch = {"op": "replace", "path": "/quota/limit", "value": str(to)}
        gateway.update_usage_plan(usagePlanId=plan, patchOperations=[patch])

    set_quota(_QUOTA)
    try:
        left = [visitor.fleet(value).status_code for _ in range(_QUOTA - 1)]
        over = visitor.fleet(value)
        usage = visitor.ask("GET", "/v1/usage", params={"plan": "free"}).json()
    finally:
        set_quota(limit)
    checks.equal("a key is let in up to its quota", left, [200] * (_QUOTA - 1))
    checks.equal(
        "over it, it is told to come back", (over.status_code, over.json()["code"]), (429, "quota_exceeded")
    )
    told = (usage["quota"]["limit"], usage["used"], usage["remaining"])
    checks.equal("usage against quota is told", told, (_QUOTA, _QUOTA, 0))
