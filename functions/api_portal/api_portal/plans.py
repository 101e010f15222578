"""Plans: what is given and sold, its limits as API Gateway has them now, and its one meter.

A plan that is sold has one meter. With a dimension, the metering function tells AWS Marketplace of the calls
(BatchMeterUsage). Without one, API Gateway does that by itself, for a usage plan that carries the product
code and keys that carry the customer
(https://docs.aws.amazon.com/apigateway/latest/developerguide/sell-api-as-saas-on-aws-marketplace.html). With
both, a call would be billed twice; with neither, never.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shared.clients import client

from .settings import ApiSettings

if TYPE_CHECKING:
    from mypy_boto3_apigateway.type_defs import UsagePlanResponseTypeDef

__all__ = ["FREE", "Limits", "Meter", "Plan", "limits_of", "meter_problem", "plans_of"]

type Meter = Literal["none", "records", "gateway"]

FREE = "free"
"""The plan that needs no subscription."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan.

    Attributes:
        name: Its name in the API.
        title: For people.
        description: For people, a sentence.
        apis: The suite's APIs that it opens.
        gateway_id: The usage plan of API Gateway.
        product_code: AWS Marketplace's; empty: it is not sold.
        dimension: Of the product, which we meter; empty: API Gateway meters what is sold.
        listing: Address of the product's page; may be empty.
    """

    name: str
    title: str
    description: str
    apis: tuple[str, ...]
    gateway_id: str
    product_code: str = ""
    dimension: str = ""
    listing: str = ""

    @property
    def is_sold(self) -> bool:
        """Whether keys of it need a subscription on AWS Marketplace."""
        return bool(self.product_code)

    @property
    def meter(self) -> Meter:
        """Who tells AWS Marketplace of the calls."""
        if not self.product_code:
            return "none"
        return "records" if self.dimension else "gateway"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a usage plan of API Gateway says now; an operator may change it while it is in use.

    Attributes:
        rate: Requests a second; None for any number.
        burst: Requests at once; None for any number.
        quota: Requests of a key in a period; None for any number.
        period: `DAY`, `WEEK` or `MONTH`; empty without a quota.
        product_code: What API Gateway meters for; empty: nothing.
    """

    rate: float | None
    burst: int | None
    quota: int | None
    period: str
    product_code: str


def plans_of(settings: ApiSettings) -> dict[str, Plan]:
    """The plans of this deployment, by name, in the order in which they are shown."""
    opened = {"images": settings.images_usage_plan, "rides": settings.fleet_usage_plan}
    plans = (
        Plan(
            name=FREE,
            title="Free",
            description="Every API, to try it out.",
            apis=tuple(api for api, plan in opened.items() if plan),
            gateway_id=settings.free_usage_plan,
        ),
        Plan(
            name="images",
            title="Images",
            description="Variants of images, for a site with many.",
            apis=("images",),
            gateway_id=settings.images_usage_plan,
            product_code=settings.images_product_code,
            dimension=settings.images_dimension,
            listing=settings.images_listing,
        ),
        Plan(
            name="fleet",
            title="Fleet",
            description="Where the unicorns are, for an app that shows them.",
            apis=("rides",),
            gateway_id=settings.fleet_usage_plan,
            product_code=settings.fleet_product_code,
            dimension=settings.fleet_dimension,
            listing=settings.fleet_listing,
        ),
    )
    return {plan.name: plan for plan in plans if plan.gateway_id}


def limits_of(plan: Plan) -> Limits:
    """The limits as they are now.

    Raises:
        ClientError: API Gateway does not answer.
    """
    found: UsagePlanResponseTypeDef = client("apigateway").get_usage_plan(usagePlanId=plan.gateway_id)
    throttle, quota = found.get("throttle") or {}, found.get("quota") or {}
    return Limits(
        rate=throttle.get("rateLimit"),
        burst=throttle.get("burstLimit"),
        quota=quota.get("limit"),
        period=quota.get("period") or "",
        product_code=found.get("productCode") or "",
    )


def meter_problem(plan: Plan, carried: str) -> str:
    """What is wrong with the meter of a plan; empty if nothing is.

    Args:
        plan: As the deployment has it.
        carried: The product code that the usage plan carries at API Gateway; may be empty.
    """
    if plan.meter == "gateway":
        return (
            "" if carried == plan.product_code else "no meter: the usage plan does not carry the product code"
        )
    if carried:
        return "two meters" if plan.is_sold else "the usage plan carries a product code of no product"
    return ""
