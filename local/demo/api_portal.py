"""Drive of the API portal: a visitor gets a key, a program reaches its quota, it is rotated and revoked."""

from __future__ import annotations

import secrets
import time
import uuid

from local.clients.buyer import Buyer, open_market
from local.clients.marketplace import Marketplace, Purchase
from local.clients.visitor import PortalVisitor
from local.demo.checks import Checks
from local.suite import Suite
from local.waiting import wait
from ops.paths import ROOT

__all__ = ["FLOW", "PAGE", "STEPS", "drive"]

FLOW = "browser → API → key → plan → the suite's APIs → usage → AWS Marketplace"
PAGE = "portal/"
STEPS = 19
_QUOTA = 3  # with what comes after it, within the burst of five
_CALLS = 3
_PATIENCE_S = 30.0
_SCHEDULED = ROOT / "events/api_portal/metering_schedule.json"


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
    _buy_and_end(suite, checks)


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


def _buy_and_end(suite: Suite, checks: Checks) -> None:
    """Buy the plan `fleet`, register, call with a key, unsubscribe, and read what was metered."""
    market, buyer = open_market(suite), Buyer(suite)
    purchase, subscription = buyer.subscribe(market, "fleet", account=f"{secrets.randbelow(10**12):012}")
    checks.equal("a purchase is registered", buyer.subscriptions()[subscription]["state"], "active")
    stranger = Buyer(suite).register(purchase.token)
    checks.equal("its token is no other visitor's", stranger.json().get("code"), "other_visitor")
    created = buyer.create_key(plan="fleet", subscription=subscription)
    value = created.json().get("value", "")
    checks.equal("it gives a key of its plan", created.status_code, 201)
    called = [buyer.fleet(value).status_code for _ in range(_CALLS)]
    checks.equal("the key opens the API", called, [200] * _CALLS)
    market.end(purchase)
    checks.equal("the end is known", buyer.once(subscription, "ending")["state"], "ending")
    key = created.json().get("id", "")
    wait(lambda: buyer.own_keys()[key]["state"] == "revoked", _PATIENCE_S)
    checks.equal("its key is refused", buyer.fleet(value).status_code, 403)
    metered = wait(lambda: _metered(suite, market, purchase), _PATIENCE_S)
    checks.equal("what was used is metered once", metered, [_CALLS])
    market.deprovision(purchase)


def _metered(suite: Suite, market: Marketplace, purchase: Purchase) -> list[int]:
    """What AWS Marketplace accepted; the schedule's five minutes are not waited for."""
    suite.client("lambda").invoke(
        FunctionName=suite["PortalMeteringFunctionName"], Payload=_SCHEDULED.read_bytes()
    )
    return [record.quantity for record in market.records(purchase)]
