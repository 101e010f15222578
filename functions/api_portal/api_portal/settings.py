"""The environment of the portal's functions."""

from dataclasses import dataclass
from typing import Annotated

from shared.settings import EnvSettings, base_url, positive_int

__all__ = [
    "ApiSettings",
    "ChangesSettings",
    "MarketSettings",
    "MeteringSettings",
    "Product",
    "RegistrationSettings",
]


@dataclass(frozen=True, slots=True)
class Product:
    """A product of AWS Marketplace, and the plan that it is.

    Attributes:
        plan: The plan's name.
        code: The product's code.
        dimension: What calls are metered as by us; empty if API Gateway meters by itself.
        topic: ARN of the product's topic of SNS; empty for what has agreements.
        usage_plan: API Gateway's id of the plan.
    """

    plan: str
    code: str
    dimension: str
    topic: str
    usage_plan: str


@dataclass(frozen=True, kw_only=True)
class MarketSettings(EnvSettings):
    """What is sold: two plans, each sold only if it has a product code.

    Attributes:
        portal_table: Keys and subscriptions.
        images_product_code: Of the plan `images`.
        images_dimension: What its calls are metered as.
        images_topic_arn: Its product's topic.
        images_usage_plan: API Gateway's id of it.
        fleet_product_code: Of the plan `fleet`.
        fleet_dimension: What its calls are metered as.
        fleet_topic_arn: Its product's topic.
        fleet_usage_plan: API Gateway's id of it.
    """

    portal_table: str
    images_product_code: str = ""
    images_dimension: str = ""
    images_topic_arn: str = ""
    images_usage_plan: str = ""
    fleet_product_code: str = ""
    fleet_dimension: str = ""
    fleet_topic_arn: str = ""
    fleet_usage_plan: str = ""

    @property
    def products(self) -> tuple[Product, ...]:
        """What is sold."""
        every = (
            Product(
                "images", self.images_product_code, self.images_dimension, self.images_topic_arn,
                self.images_usage_plan,
            ),
            Product(
                "fleet", self.fleet_product_code, self.fleet_dimension, self.fleet_topic_arn,
                self.fleet_usage_plan,
            ),
        )  # fmt: skip
        return tuple(product for product in every if product.code)

    def product(self, code: str) -> Product | None:
        """The product with a code; None if it is not sold here."""
        return next((product for product in self.products if product.code == code), None)


@dataclass(frozen=True, kw_only=True)
class ApiSettings(MarketSettings):
    """Settings of the API: with what is free, and what is shown of what is sold.

    Attributes:
        free_usage_plan: API Gateway's id of the plan `free`, which everybody has.
        images_listing: Address of the page of the product of the plan `images`; empty: it is not shown.
        fleet_listing: Likewise, of the plan `fleet`.
        key_tag: What the tag `portal` of our keys says: the stack's name.
        images_api: The image resizer's REST API; empty where it is not deployed.
        rides_api: The rides' REST API; likewise.
        auth_api: The REST API of the authentication; likewise.
        event_hub_api: The event hub's REST API; likewise.
        on_aws: Whether API Gateway is AWS's, which makes SDKs.
    """

    free_usage_plan: str
    key_tag: str
    images_listing: str = ""
    fleet_listing: str = ""
    images_api: str = ""
    rides_api: str = ""
    auth_api: str = ""
    event_hub_api: str = ""
    on_aws: bool = False


@dataclass(frozen=True, kw_only=True)
class RegistrationSettings(MarketSettings):
    """Settings of the registration.

    Attributes:
        pages_url: Where the pages are.
    """

    pages_url: Annotated[str, base_url]


@dataclass(frozen=True, kw_only=True)
class ChangesSettings(MarketSettings):
    """Settings of what follows AWS Marketplace's events.

    Attributes:
        dead_letter_queue_url: Where a message goes that nobody understands.
    """

    dead_letter_queue_url: str


@dataclass(frozen=True, kw_only=True)
class MeteringSettings(MarketSettings):
    """Settings of the metering.

    Attributes:
        usage_table: Calls by key and hour.
        closing_seconds: How long after an hour of use its quantity is fixed; longer than any call takes.
    """

    usage_table: str
    closing_seconds: Annotated[int, positive_int] = 600
