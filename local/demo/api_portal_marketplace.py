"""The API portal's drive on AWS Marketplace: a purchase, from its first event to the last record."""

from __future__ import annotations

import secrets

from local.clients.buyer import Buyer, open_market
from local.clients.marketplace import Marketplace, Purchase
from local.demo.checks import Checks
from local.suite import Suite
from local.waiting import wait
from ops.paths import ROOT

__all__ = ["STEPS", "buy_and_end"]

STEPS = 7
_CALLS = 3
_PATIENCE_S = 30.0
_SCHEDULED = ROOT / "events/api_portal/metering_schedule.json"


def buy_and_end(suite: Suite, checks: Checks) -> None:
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
    refused = wait(lambda: buyer.fleet(value).status_code == 403, _PATIENCE_S)
    checks.true("its key is refused", refused)
    metered = wait(lambda: _metered(suite, market, purchase), _PATIENCE_S)
    checks.equal("what was used is metered once", metered, [_CALLS])
    market.deprovision(purchase)


def _metered(suite: Suite, market: Marketplace, purchase: Purchase) -> list[int]:
    """What AWS Marketplace accepted; the schedule's five minutes are not waited for."""
    suite.client("lambda").invoke(
        FunctionName=suite["PortalMeteringFunctionName"], Payload=_SCHEDULED.read_bytes()
    )
    return [record.quantity for record in market.records(purchase)]
