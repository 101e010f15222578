"""AWS Marketplace through the deployed suite: buying, registering, using, metering, the end; both eras."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.clients.buyer import PRODUCTS, Buyer, Plan, open_market
from local.clients.marketplace import Marketplace, Purchase
from local.deploy import STACK
from local.suite import Suite
from ops.paths import ROOT
from shared.usage import HOUR, MINUTE
from tests.support.waiting import wait_until

SCHEDULE = (ROOT / "events/api_portal/metering_schedule.json").read_bytes()
PLANS: tuple[Plan, ...] = ("images", "fleet")


@pytest.fixture(scope="module")
def market(suite: Suite) -> Marketplace:
    return open_market(suite)


@pytest.fixture
def buyer(suite: Suite) -> Buyer:
    return Buyer(suite)


@pytest.fixture
def meter(suite: Suite) -> Callable[[], None]:
    """Invoke the metering as its schedule does."""

    def invoke() -> None:
        answer = suite.client("lambda").invoke(
            FunctionName=suite["PortalMeteringFunctionName"], Payload=SCHEDULE
        )
        assert "FunctionError" not in answer, answer["Payload"].read()

    return invoke


def account() -> str:
    return f"{secrets.randbelow(10**12):012}"


def closed(seconds: float = 2.5) -> None:
    """Wait until what was used is fixed after the end; the local suite waits two seconds."""
    time.sleep(seconds)


def test_subscription_from_purchase_to_the_last_record(
    suite: Suite, market: Marketplace, buyer: Buyer, meter: Callable[[], None]
) -> None:
    began = datetime.now(UTC)
    purchase, subscription = buyer.subscribe(market, "fleet", account=account())
    made = buyer.create_key(plan="fleet", subscription=subscription)
    assert made.status_code == 201
    value = made.json()["value"]
    assert [buyer.fleet(value).status_code for _ in range(3)] == [200, 200, 200]
    meter()
    assert market.records(purchase) == []  # the hour is not over
    market.end(purchase)
    assert buyer.once(subscription, "ending")["state"] == "ending"
    assert wait_until(lambda: buyer.own_keys()[made.json()["id"]]["state"] == "revoked")
    assert buyer.fleet(value).status_code == 403
    assert buyer.create_key(plan="fleet").json()["code"] == "not_subscribed"
    closed()
    meter()
    meter()  # again: nothing more comes of it
    [record] = market.records(purchase)
    assert (record.quantity, record.sent) == (3, 1)
    assert began - timedelta(hours=1) < record.hour <= began + timedelta(minutes=2)
    [shown] = buyer.subscriptions()[subscription]["usage"]
    assert (shown["quantity"], shown["state"]) == (3, "sent")
    market.deprovision(purchase)
    assert buyer.once(subscription, "ended")["state"] == "ended"


def test_licence_from_purchase_to_the_last_record(
    suite: Suite, market: Marketplace, buyer: Buyer, meter: Callable[[], None]
) -> None:
    purchase, subscription = buyer.subscribe(market, "images", account=account())
    assert subscription == purchase.licence.rpartition(":")[2]
    key = buyer.create_key(plan="images").json()
    _count(suite, _gateway_key(suite, subscription), 41)
    market.amend(purchase)
    market.end(purchase)
    assert buyer.once(subscription, "ending")["state"] == "ending"
    assert wait_until(lambda: buyer.own_keys()[key["id"]]["state"] == "revoked")
    assert buyer.variant(key["value"], "100/nothing.jpg").status_code == 403
    closed()
    meter()
    assert [(each.quantity, each.sent) for each in market.records(purchase)] == [(41, 1)]
    market.deprovision(purchase)
    assert buyer.once(subscription, "ended")["state"] == "ended"


def _gateway_key(suite: Suite, subscription: str) -> str:
    page = suite.client("dynamodb").query(
        TableName=suite["PortalTableName"],
        KeyConditionExpression="#owner = :owner AND begins_with(#item, :key)",
        ExpressionAttributeNames={"#owner": "owner", "#item": "item"},
        ExpressionAttributeValues={":owner": {"S": f"subscription#{subscription}"}, ":key": {"S": "key#"}},
    )  # fmt: skip
    [item] = page["Items"]
    return str(item["item"]["S"].removeprefix("key#"))


def _count(suite: Suite, key: str, calls: int) -> None:
    """Count calls as the functions do."""
    now = datetime.now(UTC)
    suite.client("dynamodb").update_item(
        TableName=suite["PortalUsageTableName"], Key={"key": {"S": key}, "hour": {"S": now.strftime(HOUR)}},
        UpdateExpression="ADD calls :n, #minute :n",
        ExpressionAttributeNames={"#minute": now.strftime(MINUTE)},
        ExpressionAttributeValues={":n": {"N": str(calls)}},
    )  # fmt: skip


def used_and_ended(suite: Suite, market: Marketplace, buyer: Buyer) -> tuple[Purchase, str]:
    """Buy the images, have seven calls counted, and end the agreement; the purchase, and the subscription."""
    purchase, subscription = buyer.subscribe(market, "images", account=account())
    buyer.create_key(plan="images")
    _count(suite, _gateway_key(suite, subscription), 7)
    market.end(purchase)
    buyer.once(subscription, "ending")
    return purchase, subscription


@pytest.mark.parametrize("plan", PLANS)
def test_events_before_the_registration(market: Marketplace, buyer: Buyer, plan: Plan) -> None:
    purchase = market.buy(PRODUCTS[plan], account())
    time.sleep(1)
    answer = buyer.register(purchase.token)
    assert answer.status_code == 201
    subscription = answer.json()["subscription"]["id"]
    assert buyer.once(subscription, "active")["plan"] == plan


@pytest.mark.parametrize("plan", PLANS)
def test_registration_before_the_events(market: Marketplace, buyer: Buyer, plan: Plan) -> None:
    purchase = market.buy(PRODUCTS[plan], account(), publish=False)
    answer = buyer.register(purchase.token)
    subscription = answer.json()["subscription"]["id"]
    assert answer.json()["subscription"]["state"] == "pending"
    assert buyer.create_key(plan=plan).json()["code"] == "not_subscribed"
    if plan == "images":
        market.amend(purchase)
        assert buyer.once(subscription, "active")["state"] == "active"


def test_payment_that_fails_gives_no_keys(market: Marketplace, buyer: Buyer) -> None:
    purchase = market.buy(PRODUCTS["fleet"], account(), fails=True)
    subscription = buyer.register(purchase.token).json()["subscription"]["id"]
    assert buyer.once(subscription, "failed")["state"] == "failed"
    assert buyer.create_key(plan="fleet").json()["code"] == "not_subscribed"


def test_two_licences_of_one_account_are_two(
    suite: Suite, market: Marketplace, buyer: Buyer, meter: Callable[[], None]
) -> None:
    one_account = account()
    bought = [buyer.subscribe(market, "images", account=one_account) for _ in range(2)]
    for number, (_, subscription) in enumerate(bought, 1):
        assert buyer.create_key(plan="images", subscription=subscription).status_code == 201
        _count(suite, _gateway_key(suite, subscription), 10 * number)
    market.end(bought[0][0])
    assert buyer.once(bought[0][1], "ending")["state"] == "ending"
    assert buyer.subscriptions()[bought[1][1]]["state"] == "active"
    market.end(bought[1][0])
    buyer.once(bought[1][1], "ending")
    closed()
    meter()
    assert [[each.quantity for each in market.records(purchase)] for purchase, _ in bought] == [[10], [20]]


def test_customer_who_subscribes_again_gets_keys_again(market: Marketplace, buyer: Buyer) -> None:
    one_account = account()
    purchase, subscription = buyer.subscribe(market, "fleet", account=one_account)
    market.end(purchase)
    buyer.once(subscription, "ending")
    market.deprovision(purchase)
    buyer.once(subscription, "ended")
    again, same = buyer.subscribe(market, "fleet", account=one_account)
    assert (same, again.customer) == (subscription, purchase.customer)
    assert buyer.create_key(plan="fleet").status_code == 201


def test_unprocessed_records_are_sent_again(
    suite: Suite, market: Marketplace, buyer: Buyer, meter: Callable[[], None]
) -> None:
    purchase, subscription = used_and_ended(suite, market, buyer)
    closed()
    market.refuse_next(25, "unprocessed")
    meter()
    market.refuse_next(0, "unprocessed")
    assert market.records(purchase) == []
    assert [each["state"] for each in buyer.subscriptions()[subscription]["usage"]] == ["pending"]
    meter()
    assert [each.quantity for each in market.records(purchase)] == [7]


def test_usage_that_is_refused_is_failed_and_counted(
    suite: Suite, market: Marketplace, buyer: Buyer, meter: Callable[[], None]
) -> None:
    purchase, subscription = used_and_ended(suite, market, buyer)
    market.deprovision(purchase, publish=False)  # before what was used could be told
    closed()
    meter()
    assert market.records(purchase) == []
    assert [each["state"] for each in buyer.subscriptions()[subscription]["usage"]] == ["failed"]
    failed = wait_until(lambda: _sum(suite, "MeteringRecordsFailed"))
    assert failed >= 1


def _sum(suite: Suite, metric: str) -> float:
    now = datetime.now(UTC)
    found = suite.client("cloudwatch").get_metric_statistics(
        Namespace=STACK, MetricName=metric, Dimensions=[{"Name": "service", "Value": "api_portal"}],
        StartTime=now - timedelta(hours=1), EndTime=now + timedelta(minutes=1), Period=3600,
        Statistics=["Sum"],
    )  # fmt: skip
    return float(sum(point["Sum"] for point in found["Datapoints"]))


def test_plan_with_two_meters_is_not_metered_by_us(
    suite: Suite, market: Marketplace, buyer: Buyer, meter: Callable[[], None]
) -> None:
    purchase, subscription = used_and_ended(suite, market, buyer)
    closed()
    gateway, plan = suite.client("apigateway"), suite["PortalImagesUsagePlanId"]
    code = {"path": "/productCode", "value": PRODUCTS["images"]}
    gateway.update_usage_plan(usagePlanId=plan, patchOperations=[{"op": "replace", **code}])
    try:
        meter()
    finally:
        gateway.update_usage_plan(usagePlanId=plan, patchOperations=[{"op": "remove", **code}])
    meter()
    assert market.records(purchase) == []
    assert [each["state"] for each in buyer.subscriptions()[subscription]["usage"]] == ["failed"]


# ------------------------------------------------------------------------------------------------- bad input


def dead_letter(suite: Suite, part: str) -> tuple[str, str]:
    """Body and reason of the dead letter that has a text in it."""
    sqs, url = suite.client("sqs"), suite["PortalDeadLetterQueueUrl"]

    def find() -> tuple[str, str] | None:
        found = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=1, MessageAttributeNames=["All"]
        ).get("Messages", [])
        for each in found:
            if part in each["Body"]:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
                return each["Body"], each["MessageAttributes"]["reason"]["StringValue"]
        return None

    found = wait_until(find)
    assert found is not None
    return found


def sent(suite: Suite, body: str) -> None:
    """Put a message into the queue, as only an administrator can."""
    suite.client("sqs").send_message(QueueUrl=suite["PortalEventsQueueUrl"], MessageBody=body)


def notification(purchase: Purchase, topic: str, action: str) -> str:
    message = {"action": action, "customer-identifier": purchase.customer, "product-code": purchase.product}
    return json.dumps(
        {
            "Type": "Notification", "MessageId": topic[-12:], "TopicArn": topic,
            "Message": json.dumps(message), "Timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}",
        }
    )  # fmt: skip


def test_notification_of_a_foreign_topic_is_a_dead_letter(
    suite: Suite, market: Marketplace, buyer: Buyer
) -> None:
    purchase, subscription = buyer.subscribe(market, "fleet", account=account())
    topic = f"arn:aws:sns:us-east-1:111122223333:aws-mp-subscription-notification-{purchase.product}"
    sent(suite, notification(purchase, topic, "unsubscribe-success"))
    _, reason = dead_letter(suite, purchase.customer)
    assert reason == "another topic than the product's"
    assert buyer.subscriptions()[subscription]["state"] == "active"


def test_topic_of_somebody_else_cannot_send_to_the_queue(
    suite: Suite, market: Marketplace, buyer: Buyer
) -> None:
    purchase, subscription = buyer.subscribe(market, "fleet", account=account())
    sns = suite.client("sns")
    topic = sns.create_topic(Name="forgers")["TopicArn"]
    queue = suite.client("sqs").get_queue_attributes(
        QueueUrl=suite["PortalEventsQueueUrl"], AttributeNames=["QueueArn"]
    )["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    message = {"action": "unsubscribe-success", "customer-identifier": purchase.customer}
    sns.publish(TopicArn=topic, Message=json.dumps(message | {"product-code": purchase.product}))
    market.amend(purchase)  # what comes behind it has come
    time.sleep(2)
    assert buyer.subscriptions()[subscription]["state"] == "active"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("no JSON, 1", "the message is not JSON"),
        ('{"nobody": "says this, 2"}', "neither SNS's nor AWS Marketplace's event"),
        (json.dumps({"Type": "Notification", "TopicArn": "3"}), "Message is missing, or too long"),
    ],
)  # fmt: skip
def test_malformed_message_is_a_dead_letter(suite: Suite, body: str, reason: str) -> None:
    sent(suite, body)
    assert dead_letter(suite, body[:20]) == (body, reason)


def test_event_of_an_unknown_product_is_a_dead_letter(suite: Suite) -> None:
    event = json.loads(_recorded("changes_agreements", 2))
    event["detail"]["product"]["code"] = "unknown0product"
    sent(suite, json.dumps(event))
    assert dead_letter(suite, "unknown0product")[1] == "unknown product"


def _recorded(name: str, place: int) -> str:
    event: dict[str, Any] = json.loads((ROOT / f"events/api_portal/{name}.json").read_text())
    return str(event["Records"][place]["body"])


def test_end_before_the_beginning_is_an_end(suite: Suite, market: Marketplace, buyer: Buyer) -> None:
    purchase = market.buy(PRODUCTS["fleet"], account(), publish=False)
    subscription = buyer.register(purchase.token).json()["subscription"]["id"]
    topic = f"arn:aws:sns:us-east-1:000000000000:aws-mp-subscription-notification-{purchase.product}"
    ends = json.loads(notification(purchase, topic, "unsubscribe-success"))
    sent(suite, json.dumps(ends))
    assert buyer.once(subscription, "ended")["state"] == "ended"
    earlier = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%S.000Z}"
    begins = json.loads(notification(purchase, topic, "subscribe-success")) | {"Timestamp": earlier}
    sent(suite, json.dumps(begins))
    time.sleep(2)
    assert buyer.subscriptions()[subscription]["state"] == "ended"


def test_token_of_another_visitor_is_refused(suite: Suite, market: Marketplace, buyer: Buyer) -> None:
    purchase, subscription = buyer.subscribe(market, "images", account=account())
    stranger = Buyer(suite)
    answer = stranger.register(purchase.token)
    assert (answer.status_code, answer.json()["code"]) == (409, "other_visitor")
    assert stranger.subscriptions() == {}
    again = buyer.register(purchase.token)
    assert (again.status_code, again.json()["subscription"]["id"]) == (200, subscription)
    stolen = stranger.create_key(plan="images", subscription=subscription)
    assert (stolen.status_code, stolen.json()["code"]) == (403, "not_subscribed")


def test_token_that_is_old_unknown_or_of_another_product(market: Marketplace, buyer: Buyer) -> None:
    purchase = market.buy(PRODUCTS["images"], account())
    old = market.token(purchase, timedelta(hours=4, seconds=1))
    market.product("anotherproduct", ["calls"])
    other = market.buy("anotherproduct", account()).token
    answers = [buyer.register(token) for token in (old, "made-up", other)]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (410, "expired_token"), (400, "invalid_token"), (422, "unknown_product"),
    ]  # fmt: skip


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"token": 1}', b'{"token": ""}', b"{}"])
def test_malformed_registration_is_refused(buyer: Buyer, body: bytes) -> None:
    answer = buyer.ask("POST", "/v1/registrations", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_nobody_registers_without_signing_in(suite: Suite, buyer: Buyer) -> None:
    assert buyer.ask("POST", "/v1/registrations", json={"token": "a"}, token=None).status_code == 401
    assert buyer.ask("GET", "/v1/subscriptions", token=None).status_code == 401
    form = suite.http.post(suite["PortalMarketplaceUrl"], data={"token": "a"}, allow_redirects=False)
    assert (form.status_code, form.json()["code"]) == (400, "invalid_token")


def test_events_of_services_cannot_be_forged(suite: Suite) -> None:
    event = json.loads(_recorded("changes_agreements", 2))
    entry = {
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
    }
    [result] = suite.client("events").put_events(Entries=[entry])["Entries"]
    assert result["ErrorCode"] == "NotAuthorizedForSourceException"
