"""AWS Marketplace: metering as botocore's model has it, and a market whose sales are published as on AWS.

The records of events are those of AWS's pages, which the event hub has recorded, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from local.clients.marketplace import Marketplace, Purchase
from tests.integration.engine.answers import only, refusal
from tests.integration.engine.patience import awaited
from tests.integration.engine.roles import as_role
from tests.integration.engine.roles import refusal as code
from tests.support.cloud import Cloud

pytestmark = pytest.mark.ours_only  # the emulator does not have the service


@pytest.fixture
def market(cloud: Cloud) -> Marketplace:
    return Marketplace(cloud)


def _product(cloud: Cloud, market: Marketplace, **settings: Any) -> str:
    code_ = cloud.name("product")
    market.product(code_, ["calls", "bytes"], **settings)
    return code_


def _meter(cloud: Cloud, *records: dict[str, Any], **request: Any) -> dict[str, Any]:
    client = cloud.client("meteringmarketplace")
    return dict(client.batch_meter_usage(UsageRecords=list(records), **request))


def _usage(purchase: Purchase, quantity: int = 3, **members: Any) -> dict[str, Any]:
    return {
        "Timestamp": datetime.now(UTC), "Dimension": "calls", "Quantity": quantity,
        "CustomerAWSAccountId": purchase.account, "LicenseArn": purchase.licence,
    } | members  # fmt: skip


def _hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


# -------------------------------------------------------------------------------------------------- service


def test_a_token_names_the_buyer_of_a_new_listing(cloud: Cloud, market: Marketplace) -> None:
    bought = market.buy(_product(cloud, market), "123456789012")
    found = cloud.client("meteringmarketplace").resolve_customer(RegistrationToken=bought.token)
    # "the CustomerIdentifier field is not populated"
    assert "CustomerIdentifier" not in found
    assert (found["CustomerAWSAccountId"], found["ProductCode"]) == ("123456789012", bought.product)
    assert (found["LicenseArn"], found["Metadata"]["AgreementId"]) == (bought.licence, bought.agreement)


def test_a_token_names_the_customer_of_an_older_listing(cloud: Cloud, market: Marketplace) -> None:
    product = _product(cloud, market, era="sns")
    bought, again = (market.buy(product, "123456789012") for _ in range(2))
    found = cloud.client("meteringmarketplace").resolve_customer(RegistrationToken=bought.token)
    assert found["CustomerIdentifier"] == bought.customer == again.customer
    assert found["ProductCode"] == product
    assert bought.licence != again.licence


def test_tokens_expire_after_four_hours(cloud: Cloud, market: Marketplace) -> None:
    bought = market.buy(_product(cloud, market))
    resolve = cloud.client("meteringmarketplace").resolve_customer
    young = market.token(bought, timedelta(hours=3, minutes=59))
    assert resolve(RegistrationToken=young)["LicenseArn"] == bought.licence
    old = market.token(bought, timedelta(hours=4))
    assert refusal(resolve, RegistrationToken=old).startswith("ExpiredTokenException: ")
    assert refusal(resolve, RegistrationToken="unknown").startswith("InvalidTokenException: ")


def test_usage_is_metered_once_by_licence(cloud: Cloud, market: Marketplace) -> None:
    product = _product(cloud, market)
    bought, other = (market.buy(product) for _ in range(2))  # two agreements of one account
    answer = _meter(cloud, _usage(bought), _usage(other, 4), _usage(bought, 9, Dimension="bytes"))
    assert [each["Status"] for each in answer["Results"]] == ["Success"] * 3
    assert answer["UnprocessedRecords"] == []
    again = _meter(cloud, _usage(bought))["Results"][0]
    assert again["MeteringRecordId"] == answer["Results"][0]["MeteringRecordId"]
    assert only(_meter(cloud, _usage(bought, 5))["Results"])["Status"] == "DuplicateRecord"
    counted = {(each.dimension, each.hour): (each.quantity, each.sent) for each in market.records(bought)}
    assert counted == {("calls", _hour()): (3, 2), ("bytes", _hour()): (9, 1)}
    assert [each.quantity for each in market.records(other)] == [4]


def test_usage_is_metered_by_product_for_older_listings(cloud: Cloud, market: Marketplace) -> None:
    bought = market.buy(_product(cloud, market, era="sns"))
    record = {"Timestamp": datetime.now(UTC), "Dimension": "calls", "CustomerIdentifier": bought.customer}
    answer = _meter(cloud, record | {"Quantity": 2}, ProductCode=bought.product)
    assert only(answer["Results"])["UsageRecord"]["CustomerIdentifier"] == bought.customer
    assert only(market.records(bought)).customer == bought.customer
    refused = refusal(partial(_meter, cloud, _usage(bought), ProductCode=bought.product))
    assert refused.startswith("ValidationException: ProductCode must not be sent with LicenseArn")


def test_refusals_are_those_of_the_model(cloud: Cloud, market: Marketplace) -> None:
    bought = market.buy(_product(cloud, market), since=datetime.now(UTC) - timedelta(hours=9))
    client = cloud.client("meteringmarketplace")
    now = datetime.now(UTC)
    for wrong, expected in (
        ({"Dimension": "pages"}, client.exceptions.InvalidUsageDimensionException),
        ({"Timestamp": now - timedelta(hours=6)}, client.exceptions.TimestampOutOfBoundsException),
        ({"Timestamp": now + timedelta(minutes=1)}, client.exceptions.TimestampOutOfBoundsException),
        ({"Timestamp": now - timedelta(hours=11)}, client.exceptions.InvalidLicenseException),
        ({"CustomerAWSAccountId": "1"}, client.exceptions.InvalidLicenseException),
        ({"UsageAllocations": [{"AllocatedUsageQuantity": 2}]},
         client.exceptions.InvalidUsageAllocationsException),
    ):  # fmt: skip
        with pytest.raises(expected):
            _meter(cloud, _usage(bought), _usage(bought, **wrong))
    assert market.records(bought) == []
    with pytest.raises(client.exceptions.InvalidProductCodeException):
        _meter(cloud, {"Timestamp": now, "Dimension": "calls", "CustomerIdentifier": "x"}, ProductCode="x")
    five_hours_ago = now - timedelta(hours=5)
    assert _meter(cloud, _usage(bought, Timestamp=five_hours_ago))["Results"][0]["Status"] == "Success"


def test_usage_ends_an_hour_after_the_agreement(cloud: Cloud, market: Marketplace) -> None:
    product = _product(cloud, market)
    recent, past, gone = (market.buy(product) for _ in range(3))
    market.end(recent, at=datetime.now(UTC) - timedelta(minutes=59))
    market.end(past, at=datetime.now(UTC) - timedelta(minutes=61))
    market.end(gone)
    market.deprovision(gone)
    answer = _meter(cloud, _usage(recent), _usage(past), _usage(gone))
    assert [each["Status"] for each in answer["Results"]] == [
        "Success", "CustomerNotSubscribed", "CustomerNotSubscribed",
    ]  # fmt: skip


def test_records_and_calls_are_refused_on_demand(cloud: Cloud, market: Marketplace) -> None:
    bought = market.buy(_product(cloud, market))
    market.refuse_next(1, "unprocessed")
    answer = _meter(cloud, _usage(bought), _usage(bought, Dimension="bytes"))
    assert [each["Dimension"] for each in answer["UnprocessedRecords"]] == ["calls"]
    assert [each["UsageRecord"]["Dimension"] for each in answer["Results"]] == ["bytes"]
    market.refuse_next(1, "throttled")
    assert refusal(partial(_meter, cloud, _usage(bought))).startswith("ThrottlingException")
    market.refuse_next(1, "disabled")
    assert refusal(partial(_meter, cloud, _usage(bought))).startswith("DisabledApiException")
    assert _meter(cloud, *answer["UnprocessedRecords"])["Results"][0]["Status"] == "Success"


# -------------------------------------------------------------------------------------------------- market


def _listening(cloud: Cloud, product: str) -> Callable[[int], list[dict[str, Any]]]:
    """Listen to a product's events; the function waits for a number of them."""
    url, arn = cloud.queue()
    rule = cloud.name("rule")
    pattern = {"source": ["aws.agreement-marketplace"], "detail": {"product": {"code": [product]}}}
    cloud.client("events").put_rule(Name=rule, EventPattern=json.dumps(pattern))
    cloud.client("events").put_targets(Rule=rule, Targets=[{"Id": "t", "Arn": arn}])
    return lambda number: _awaited(cloud, url, number)


def _awaited(cloud: Cloud, url: str, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def enough() -> bool:
        found.extend(json.loads(body) for body in cloud.messages(url))
        return len(found) >= number

    awaited(cloud, enough, what=f"{number} messages")
    assert len(found) == number
    return found


def test_an_agreement_is_published_to_both_roles(cloud: Cloud, market: Marketplace) -> None:
    product = _product(cloud, market)
    events = _listening(cloud, product)
    bought = market.buy(product, "210987654321")
    proposer, manufacturer, licence = events(3)
    assert [each["detail-type"] for each in (proposer, manufacturer, licence)] == [
        "Purchase Agreement Created - Proposer", "Purchase Agreement Created - Manufacturer",
        "License Updated - Manufacturer",
    ]  # fmt: skip
    assert (proposer["region"], proposer["account"]) == ("us-east-1", cloud.account)
    assert proposer["resources"] == [f"arn:aws:aws-marketplace::aws:agreement:{bought.agreement}"]
    detail = proposer["detail"]
    assert detail["agreement"] == {"id": bought.agreement, "intent": "NEW", "status": "ACTIVE"}
    assert detail["acceptor"] == {"accountId": "210987654321"}
    assert detail["proposer"] == {"accountId": cloud.account}
    assert "license" not in detail
    assert licence["detail"]["license"] == {"arn": bought.licence}
    market.amend(bought)
    assert [each["detail-type"] for each in events(3)] == [
        "Purchase Agreement Amended - Proposer", "Purchase Agreement Amended - Manufacturer",
        "License Updated - Manufacturer",
    ]  # fmt: skip
    market.end(bought)
    ended = events(2)
    assert [each["detail-type"] for each in ended] == [
        "Purchase Agreement Ended - Proposer", "Purchase Agreement Ended - Manufacturer",
    ]  # fmt: skip
    assert {each["detail"]["agreement"]["status"] for each in ended} == {"CANCELLED"}
    market.deprovision(bought)
    gone = only(events(1))
    assert gone["detail-type"] == "License Deprovisioned - Manufacturer"
    assert gone["detail"]["license"] == {"arn": bought.licence}


def test_the_events_have_the_members_of_the_recorded_ones(cloud: Cloud, market: Marketplace) -> None:
    # of https://docs.aws.amazon.com/marketplace/latest/userguide/notifications-eventbridge.html
    product = _product(cloud, market)
    events = _listening(cloud, product)
    market.buy(product)
    members = {"requestId", "catalog", "agreement", "product", "acceptor", "proposer", "offer"}
    created, _, licence = events(3)
    assert set(created["detail"]) == members
    assert set(licence["detail"]) == members | {"license"}
    assert set(created) == {
        "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail",
    }  # fmt: skip


def test_older_listings_are_published_to_their_topics(cloud: Cloud, market: Marketplace) -> None:
    product = cloud.name("product")
    topics = market.product(product, ["calls"], era="sns")
    assert topics["subscription"].endswith(f":aws-mp-subscription-notification-{product}")
    url, arn = cloud.queue()
    for topic in topics.values():
        cloud.client("sns").subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
        )
    bought = market.buy(product)
    named = {"customer-identifier": bought.customer, "product-code": product}
    offer = {"offer-identifier": f"offer-{product}"}
    # https://docs.aws.amazon.com/marketplace/latest/userguide/saas-notification.html
    assert only(_awaited(cloud, url, 1)) == {
        "action": "subscribe-success", **named, **offer, "isFreeTrialTermPresent": "false",
    }  # fmt: skip
    market.buy(product, free_trial=True)
    assert only(_awaited(cloud, url, 1))["isFreeTrialTermPresent"] == "true"
    for act, action in (
        (market.amend, "entitlement-updated"), (market.end, "unsubscribe-pending"),
        (market.deprovision, "unsubscribe-success"),
    ):  # fmt: skip
        act(bought)
        assert only(_awaited(cloud, url, 1)) == {"action": action, **named}
    failed = market.buy(product, "111122223333", fails=True)
    assert only(_awaited(cloud, url, 1))["action"] == "subscribe-fail"
    assert _meter(cloud, _usage(failed))["Results"][0]["Status"] == "CustomerNotSubscribed"
    market.buy(product, publish=False)
    assert cloud.messages(url) == []


def test_the_market_says_what_it_does_not_know(cloud: Cloud, market: Marketplace) -> None:
    with pytest.raises(ValueError, match="there is no 'unknown'"):
        market.buy("unknown")
    with pytest.raises(ValueError, match="the era must be"):
        market.product(cloud.name("product"), ["calls"], era="other")  # type: ignore[arg-type]


def test_a_role_needs_the_permission_to_meter(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    market = Marketplace(cloud)
    bought = market.buy(_product(cloud, market))
    resolving, metering = (
        as_role(cloud, [{"Action": f"aws-marketplace:{action}", "Resource": "*"}], "meteringmarketplace")
        for action in ("ResolveCustomer", "BatchMeterUsage")
    )
    assert resolving.resolve_customer(RegistrationToken=bought.token)["LicenseArn"] == bought.licence
    assert code(partial(metering.resolve_customer, RegistrationToken=bought.token)).startswith("AccessDenied")
    assert metering.batch_meter_usage(UsageRecords=[_usage(bought)])["Results"][0]["Status"] == "Success"
    send = partial(resolving.batch_meter_usage, UsageRecords=[_usage(bought)])
    assert code(send).startswith("AccessDenied")
