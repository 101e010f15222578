"""A buyer on AWS Marketplace: registers at the API portal, and has a key of what they bought."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import requests

from local.clients.marketplace import Marketplace, Purchase
from local.clients.visitor import PortalVisitor
from local.suite import Suite
from local.waiting import wait
from ops.settings import overrides

__all__ = ["DIMENSION", "PRODUCTS", "Buyer", "open_market"]

type Plan = Literal["images", "fleet"]

_GIVEN = overrides("local")
PRODUCTS: dict[Plan, str] = {
    "images": _GIVEN["PortalImagesProductCode"],
    "fleet": _GIVEN["PortalFleetProductCode"],
}
"""The products' codes; that of `images` has agreements, that of `fleet` a topic."""
DIMENSION = _GIVEN["PortalImagesDimension"]
_PATIENCE_S = 30.0


def open_market(suite: Suite) -> Marketplace:
    """The market, with the suite's products."""
    market = Marketplace(suite)
    market.product(PRODUCTS["images"], [DIMENSION])
    market.product(PRODUCTS["fleet"], [DIMENSION], "sns")
    return market


class Buyer(PortalVisitor):
    """Somebody who buys a product."""

    def arrive(self, token: str) -> str:
        """Come from AWS Marketplace as a browser does; the token that the page gets."""
        answer = self._suite.http.post(
            self._suite["PortalMarketplaceUrl"],
            data={"x-amzn-marketplace-token": token},
            allow_redirects=False,
        )
        answer.raise_for_status()
        return unquote(urlsplit(answer.headers["Location"]).fragment.removeprefix("registration="))

    def register(self, token: str) -> requests.Response:
        """Register what a token stands for."""
        return self.ask("POST", "/v1/registrations", json={"token": token})

    def subscriptions(self) -> dict[str, dict[str, Any]]:
        """The subscriptions, by id."""
        answer = self.ask("GET", "/v1/subscriptions")
        answer.raise_for_status()
        return {each["id"]: each for each in answer.json()["subscriptions"]}

    def once(self, subscription: str, state: str) -> dict[str, Any]:
        """Wait until a subscription is in a state; it as it is then, or as it still is."""
        wait(lambda: self.subscriptions()[subscription]["state"] == state, _PATIENCE_S)
        return self.subscriptions()[subscription]

    def subscribe(self, market: Marketplace, plan: Plan, **how: Any) -> tuple[Purchase, str]:
        """Buy a product, and register; the purchase, and the subscription's id."""
        purchase = market.buy(PRODUCTS[plan], **how)
        registered = self.register(self.arrive(purchase.token))
        registered.raise_for_status()
        subscription = str(registered.json()["subscription"]["id"])
        self.once(subscription, "active")
        return purchase, subscription
