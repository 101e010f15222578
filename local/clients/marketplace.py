"""AWS Marketplace on the engine: lists products, buys and ends, and tells what was metered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

import requests

from local.engine_process import EngineProcess

__all__ = ["Marketplace", "MeteredUsage", "Purchase"]


class HasEngine(Protocol):
    """What runs on an engine, such as the suite."""

    @property
    def engine(self) -> EngineProcess:
        """Where it runs."""


@dataclass(frozen=True)
class Purchase:
    """What a buyer has bought.

    Attributes:
        token: Registration token that the buyer's browser brings, for 4 hours from now.
        customer: Customer identifier; empty in the era of agreements.
        account: AWS account of the buyer.
        licence: Licence ARN.
        agreement: Id of the agreement.
        product: Product code.
    """

    token: str
    customer: str
    account: str
    licence: str
    agreement: str
    product: str


@dataclass(frozen=True)
class MeteredUsage:
    """Usage that Marketplace has accepted and bills.

    Attributes:
        product: Product code.
        account: Of the buyer.
        customer: Customer identifier; empty in the era of agreements.
        licence: Licence ARN.
        dimension: Of the product.
        hour: In which it was used.
        quantity: Used.
        id: MeteringRecordId.
        sent: How often it was sent; it counts once.
    """

    product: str
    account: str
    customer: str
    licence: str
    dimension: str
    hour: datetime
    quantity: int
    id: str
    sent: int


class Marketplace:
    """The market of one engine.

    Args:
        where: The engine, or what runs on it.
    """

    def __init__(self, where: EngineProcess | HasEngine) -> None:
        engine = where if isinstance(where, EngineProcess) else where.engine
        self._url = f"{engine.endpoint}/_engine/marketplace"

    def product(
        self, code: str, dimensions: Sequence[str], era: Literal["agreements", "sns"] = "agreements"
    ) -> dict[str, str]:
        """List a product; the ARNs of its topics by kind, subscription and entitlement, if it has them."""
        answer = self._post("product", code=code, dimensions=list(dimensions), era=era)
        return dict(answer["topics"])

    def buy(
        self, product: str, account: str = "210987654321", *, since: datetime | None = None,
        free_trial: bool = False, fails: bool = False, publish: bool = True,
    ) -> Purchase:  # fmt: skip
        """Buy a product, and publish that.

        Args:
            product: Product code.
            account: Of the buyer.
            since: When it is bought; now if None.
            free_trial: Of the era of SNS: whether it begins with a trial.
            fails: Of the era of SNS: the buyer cannot pay, and is not subscribed.
            publish: Whether events or notifications come of it.
        """
        times = {} if since is None else {"since": since.timestamp()}
        answer = self._post(
            "buy",
            product=product,
            account=account,
            free_trial=free_trial,
            fails=fails,
            publish=publish,
            **times,
        )
        return Purchase(**answer)

    def token(self, purchase: Purchase, age: timedelta = timedelta()) -> str:
        """Return another registration token, which was issued a time ago."""
        return str(self._post("token", licence=purchase.licence, age=age.total_seconds())["token"])

    def amend(self, purchase: Purchase) -> None:
        """Amend the agreement; of the era of SNS, update the entitlement."""
        self._post("amend", licence=purchase.licence)

    def end(self, purchase: Purchase, *, at: datetime | None = None, publish: bool = True) -> None:
        """End the agreement, now or earlier; usage is accepted for an hour from then."""
        times = {} if at is None else {"at": at.timestamp()}
        self._post("end", licence=purchase.licence, publish=publish, **times)

    def deprovision(self, purchase: Purchase, *, publish: bool = True) -> None:
        """Take the licence away, as AWS does an hour after the end: no usage is accepted any more."""
        self._post("deprovision", licence=purchase.licence, publish=publish)

    def records(self, purchase: Purchase | None = None) -> list[MeteredUsage]:
        """Return what was accepted, of one purchase or of all."""
        answer = requests.get(self._url, timeout=10)
        answer.raise_for_status()
        found = [
            MeteredUsage(**{**each, "hour": datetime.fromisoformat(each["hour"]).astimezone(UTC)})
            for each in answer.json()["records"]
        ]
        return [each for each in found if purchase is None or each.licence == purchase.licence]

    def refuse_next(
        self, number: int, kind: Literal["unprocessed", "throttled", "internal", "disabled"]
    ) -> None:
        """Have the next records come back unprocessed, or the next calls be refused; 0 ends it."""
        self._post("refuse", number=number, kind=kind)

    def _post(self, action: str, **members: Any) -> dict[str, Any]:
        answer = requests.post(self._url, json={"action": action, **members}, timeout=10)
        if answer.status_code == 400:
            raise ValueError(answer.json()["message"])
        answer.raise_for_status()
        return dict(answer.json())
