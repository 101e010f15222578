"""What the portal's role may do: give keys, and read none; where values of keys are: nowhere."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.clients.visitor import PortalVisitor
from local.suite import Suite
from tests.support.permissions import allowed, forget_decisions, refused, unused

PART = "PortalFunction"


@pytest.fixture(scope="module")
def gateway(suite: Suite) -> Any:
    """API Gateway with the credentials of the portal's role."""
    role, _ = allowed(suite, PART)
    arn = suite.client("iam").get_role(RoleName=role)["Role"]["Arn"]
    given = suite.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    made: Any = boto3.client(
        "apigateway", endpoint_url=suite.engine.endpoint, region_name="us-east-1",
        aws_access_key_id=given["AccessKeyId"], aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )  # fmt: skip
    return made


@pytest.fixture
def foreign_key(suite: Suite) -> Iterator[str]:
    """A key of the account that is not the portal's."""
    admin = suite.client("apigateway")
    made = admin.create_api_key(name=f"foreign-{uuid.uuid4().hex}", enabled=True, tags={"portal": "another"})
    yield made["id"]
    admin.delete_api_key(apiKey=made["id"])


def _is_denied(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"] in ("AccessDeniedException", "AccessDenied")
    return False


def test_role_reads_no_value_of_a_key(suite: Suite, visitor: PortalVisitor, gateway: Any) -> None:
    key = visitor.create_key().json()["id"]
    pages = suite.client("apigateway").get_paginator("get_api_keys").paginate()
    [own] = [each["id"] for page in pages for each in page["items"] if each["name"].endswith(key)]
    plan = suite["PortalFreeUsagePlanId"]
    assert _is_denied(lambda: gateway.get_api_key(apiKey=own, includeValue=True))
    assert _is_denied(lambda: gateway.get_api_key(apiKey=own))
    assert _is_denied(lambda: gateway.get_api_keys(includeValues=True))
    assert _is_denied(lambda: gateway.get_usage_plan_keys(usagePlanId=plan))
    assert _is_denied(lambda: gateway.get_usage_plan_key(usagePlanId=plan, keyId=own))
    # Putting a key into a plan tells its value; ours are in one.
    with pytest.raises(gateway.exceptions.ConflictException):
        gateway.create_usage_plan_key(usagePlanId=plan, keyId=own, keyType="API_KEY")


def test_role_changes_no_key_of_others(suite: Suite, gateway: Any, foreign_key: str) -> None:
    patch = [{"op": "replace", "path": "/enabled", "value": "false"}]
    assert _is_denied(lambda: gateway.update_api_key(apiKey=foreign_key, patchOperations=patch))
    assert _is_denied(lambda: gateway.delete_api_key(apiKey=foreign_key))
    assert suite.client("apigateway").get_api_key(apiKey=foreign_key)["enabled"] is True


def test_role_creates_keys_with_the_stacks_tag_alone(gateway: Any) -> None:
    assert _is_denied(lambda: gateway.create_api_key(name="untagged"))
    assert _is_denied(lambda: gateway.create_api_key(name="other", tags={"portal": "another"}))


def test_role_changes_no_plan(suite: Suite, gateway: Any) -> None:
    plan, other = suite["PortalFreeUsagePlanId"], suite["AuthUsagePlanId"]
    patch = [{"op": "replace", "path": "/quota/limit", "value": "9"}]
    assert _is_denied(lambda: gateway.update_usage_plan(usagePlanId=plan, patchOperations=patch))
    assert _is_denied(lambda: gateway.get_usage_plans())
    assert _is_denied(lambda: gateway.get_usage_plan(usagePlanId=other))
    assert _is_denied(lambda: gateway.create_usage_plan_key(usagePlanId=other, keyId="x", keyType="API_KEY"))


def flows(visitor: PortalVisitor) -> list[str]:
    """Use everything that the portal has for keys; the values that there were."""
    first = visitor.create_key().json()
    second = visitor.rotate(first["id"], hours=0).json()
    visitor.ask("GET", "/v1/plans")
    visitor.ask("GET", "/v1/usage", params={"plan": "free"})
    for value in (first["value"], second["value"]):
        visitor.fleet(value)
        visitor.variant(value, "300x300/no-such-image.jpg")
    visitor.revoke(second["id"])
    return [first["value"], second["value"]]


@pytest.fixture(scope="module")
def used(visitor: PortalVisitor) -> list[str]:
    return flows(visitor)


def test_allowed_actions_are_those_that_the_flows_use(
    suite: Suite, visitor: PortalVisitor, subscriber: PortalVisitor
) -> None:
    """Deleting is for keys that were left unfinished, or revoked long ago: unit tests do both."""
    forget_decisions(suite)
    flows(visitor)
    assert subscriber.create_key(plan="images").status_code == 201
    assert refused(suite, PART) == []
    assert unused(suite, PART) == {"apigateway:DELETE", "dynamodb:DeleteItem"}


def test_values_of_keys_are_in_no_log(suite: Suite, used: list[str]) -> None:
    logs = suite.client("logs")
    groups = [
        group["logGroupName"]
        for page in logs.get_paginator("describe_log_groups").paginate()
        for group in page["logGroups"]
    ]
    messages = [
        event["message"]
        for group in groups
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        for event in page["events"]
    ]
    assert any('"resource":"/v1/fleet"' in message for message in messages), "the calls are logged"
    found = [message for message in messages if any(value in message for value in used)]
    assert found == []
    assert not any("x-api-key" in message.lower() for message in messages)


def test_values_of_keys_are_in_no_table(suite: Suite, used: list[str]) -> None:
    dynamodb = suite.client("dynamodb")
    names = [name for page in dynamodb.get_paginator("list_tables").paginate() for name in page["TableNames"]]
    assert suite["PortalTableName"] in names
    for name in names:
        for page in dynamodb.get_paginator("scan").paginate(TableName=name, ConsistentRead=True):
            assert not [item for item in page["Items"] if any(value in repr(item) for value in used)], name
