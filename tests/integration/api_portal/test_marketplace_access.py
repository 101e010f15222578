"""What the roles of the functions for AWS Marketplace may do: what a subscription needs, and no more."""

from __future__ import annotations

import json
import secrets
import time
import uuid
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.clients.buyer import Buyer, open_market
from local.suite import Suite
from ops.paths import ROOT
from tests.support.permissions import allowed, forget_decisions, refused, unused
from tests.support.waiting import wait_until

PARTS = ("PortalRegistrationFunction", "PortalSubscriptionsFunction", "PortalMeteringFunction")
SCHEDULE = (ROOT / "events/api_portal/metering_schedule.json").read_bytes()


def _as_role(suite: Suite, part: str, service: str) -> Any:
    """A client with the credentials of a function's role."""
    role, _ = allowed(suite, part)
    arn = suite.client("iam").get_role(RoleName=role)["Role"]["Arn"]
    given = suite.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    make: Any = boto3.client
    return make(
        service, endpoint_url=suite.engine.endpoint, region_name="us-east-1",
        aws_access_key_id=given["AccessKeyId"], aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )  # fmt: skip


def _life(suite: Suite) -> None:
    """Subscriptions from purchase to last record, a key that is rotated, a message that is malformed."""
    market, buyer = open_market(suite), Buyer(suite)
    purchase, subscription = buyer.subscribe(market, "fleet", account=f"{secrets.randbelow(10**12):012}")
    market.amend(purchase)
    licence, of_licence = buyer.subscribe(market, "images", account=f"{secrets.randbelow(10**12):012}")
    made = buyer.create_key(plan="fleet", subscription=subscription).json()
    buyer.rotate(made["id"], hours=1)
    assert buyer.fleet(made["value"]).status_code == 200
    # The hour of the rotation is over.
    table, owner = suite["PortalTableName"], next(iter(_owners(suite, made["id"])))
    suite.client("dynamodb").update_item(
        TableName=table, Key={"owner": {"S": owner}, "item": {"S": f"key#{made['id']}"}},
        UpdateExpression="SET #at = :past", ExpressionAttributeNames={"#at": "at"},
        ExpressionAttributeValues={":past": {"S": "2026-01-01T00:00:00Z"}},
    )  # fmt: skip
    _meter(suite)
    assert buyer.own_keys()[made["id"]]["state"] == "revoked"
    for each in (purchase, licence):
        market.end(each)
    buyer.once(subscription, "ending")
    buyer.once(of_licence, "ending")
    suite.client("sqs").send_message(QueueUrl=suite["PortalEventsQueueUrl"], MessageBody=uuid.uuid4().hex)
    time.sleep(2.5)  # the local suite fixes an hour two seconds after its end
    _meter(suite)
    assert wait_until(lambda: market.records(purchase))


def _owners(suite: Suite, key: str) -> set[str]:
    pages = suite.client("dynamodb").get_paginator("scan").paginate(TableName=suite["PortalTableName"])
    return {
        item["owner"]["S"] for page in pages for item in page["Items"] if item["item"]["S"] == f"key#{key}"
    }


def _meter(suite: Suite) -> None:
    name = suite["PortalMeteringFunctionName"]
    answer = suite.client("lambda").invoke(FunctionName=name, Payload=SCHEDULE)
    assert "FunctionError" not in answer, json.loads(answer["Payload"].read())


def test_allowed_actions_are_those_that_a_subscription_uses(suite: Suite) -> None:
    """Lambda itself sends an invocation that failed; a message that failed comes back sooner."""
    forget_decisions(suite)
    _life(suite)
    assert {part: refused(suite, part) for part in PARTS} == {part: [] for part in PARTS}
    assert {part: unused(suite, part) for part in PARTS} == {
        "PortalRegistrationFunction": set(),
        "PortalSubscriptionsFunction": {"sqs:ChangeMessageVisibility"},
        "PortalMeteringFunction": {"sqs:SendMessage"},
    }


@pytest.mark.parametrize("part", ["PortalRegistrationFunction", "PortalFunction", "PortalMeteringFunction"])
def test_nobody_but_rule_and_topics_sends_events(suite: Suite, part: str) -> None:
    sqs = _as_role(suite, part, "sqs")
    with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
        sqs.send_message(QueueUrl=suite["PortalEventsQueueUrl"], MessageBody="{}")


def test_metering_reads_no_keys_and_changes_no_foreign_one(suite: Suite) -> None:
    gateway = _as_role(suite, "PortalMeteringFunction", "apigateway")
    foreign = suite.client("apigateway").create_api_key(name=f"foreign-{uuid.uuid4().hex}", enabled=True)
    patch = [{"op": "replace", "path": "/enabled", "value": "false"}]
    try:
        with pytest.raises(ClientError, match="AccessDenied"):
            gateway.update_api_key(apiKey=foreign["id"], patchOperations=patch)
        with pytest.raises(ClientError, match="AccessDenied"):
            gateway.get_api_key(apiKey=foreign["id"], includeValue=True)
    finally:
        suite.client("apigateway").delete_api_key(apiKey=foreign["id"])


def test_registration_tokens_are_in_no_log_and_no_table(suite: Suite) -> None:
    market, buyer = open_market(suite), Buyer(suite)
    purchase, _ = buyer.subscribe(market, "images", account=f"{secrets.randbelow(10**12):012}")
    logs, dynamodb = suite.client("logs"), suite.client("dynamodb")
    group = "/suite-local/api_portal"
    messages = [
        event["message"]
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        for event in page["events"]
    ]
    assert any("api_portal_registration" in message for message in messages)
    assert not any(purchase.token in message for message in messages)
    pages = dynamodb.get_paginator("scan").paginate(TableName=suite["PortalTableName"])
    assert not any(purchase.token in json.dumps(page["Items"], default=str) for page in pages)
