"""DynamoDB: what IAM sees of the items that a request is about.

"dynamodb:LeadingKeys: Represents the first key attribute of a table - in other words, the partition key. The
key name LeadingKeys is plural, even if the key is used with single-item actions. In addition, you must use
the ForAllValues modifier when using LeadingKeys in a condition":
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.engine.roles import as_role, refusal
from tests.support.cloud import Cloud

type _Call = Callable[[Any, str, str], Any]

_ACTIONS = [
    f"dynamodb:{name}"
    for name in (
        "GetItem", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem", "Query", "BatchGetItem",
        "BatchWriteItem",
    )
]  # fmt: skip


def _key(name: str) -> dict[str, Any]:
    return {"pk": {"S": name}, "sk": {"S": "."}}


def _item(name: str) -> dict[str, Any]:
    return _key(name) | {"owner": {"S": name}}


def _table(cloud: Cloud, region: str = "us-east-1") -> str:
    name = cloud.name("table")
    cloud.client("dynamodb", region).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk", "owner")
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "owner",
                "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return name


def _transaction(operation: str, key: str) -> Callable[[Any, str, str], Any]:
    """A transaction of an item that is allowed, and of another one."""

    def call(client: Any, table: str, name: str) -> Any:
        other: dict[str, Any] = {"TableName": table, key: _key(name)}
        if operation == "Update":
            other |= {"UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"S": "b"}}}
        if operation == "ConditionCheck":
            other |= {"ConditionExpression": "attribute_not_exists(no_such)"}
        first = {"Put": {"TableName": table, "Item": _item("U#first")}}
        return client.transact_write_items(TransactItems=[first, {operation: other}])

    return call


_CALLS: dict[str, _Call] = {
    "get": lambda client, table, name: client.get_item(TableName=table, Key=_key(name)),
    "put": lambda client, table, name: client.put_item(TableName=table, Item=_item(name)),
    "update": lambda client, table, name: client.update_item(TableName=table, Key=_key(name)),
    "delete": lambda client, table, name: client.delete_item(TableName=table, Key=_key(name)),
    "query": lambda client, table, name: client.query(
        TableName=table,
        KeyConditionExpression="#key = :key AND begins_with(sk, :dot)",
        ExpressionAttributeNames={"#key": "pk"},
        ExpressionAttributeValues={":key": {"S": name}, ":dot": {"S": "."}},
    ),
    "query with conditions of old": lambda client, table, name: client.query(
        TableName=table,
        KeyConditions={"pk": {"AttributeValueList": [{"S": name}], "ComparisonOperator": "EQ"}},
    ),
    "query of an index": lambda client, table, name: client.query(
        TableName=table,
        IndexName="owner",
        KeyConditionExpression="#key = :key",
        ExpressionAttributeNames={"#key": "owner"},
        ExpressionAttributeValues={":key": {"S": name}},
    ),
    "batch get": lambda client, table, name: client.batch_get_item(
        RequestItems={table: {"Keys": [_key("U#first"), _key(name)]}}
    ),
    "batch write": lambda client, table, name: client.batch_write_item(
        RequestItems={
            table: [{"PutRequest": {"Item": _item("U#first")}}, {"DeleteRequest": {"Key": _key(name)}}]
        }
    ),
    "transaction, put": _transaction("Put", "Item"),
    "transaction, update": _transaction("Update", "Key"),
    "transaction, delete": _transaction("Delete", "Key"),
    "transaction, check": _transaction("ConditionCheck", "Key"),
    "transaction, get": lambda client, table, name: client.transact_get_items(
        TransactItems=[{"Get": {"TableName": table, "Key": _key(each)}} for each in ("U#first", name)]
    ),
}


@pytest.mark.parametrize("call", _CALLS)
def test_a_role_reaches_the_partitions_that_it_may(cloud_with_iam: Cloud, call: str) -> None:
    table = _table(cloud_with_iam)
    arn = f"arn:aws:dynamodb:{cloud_with_iam.region}:{cloud_with_iam.account}:table/{table}"
    statement = {
        "Action": _ACTIONS,
        "Resource": [arn, f"{arn}/index/*"],
        "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["U#*", "E#*"]}},
    }
    client = as_role(cloud_with_iam, [statement], "dynamodb")
    assert refusal(lambda: _CALLS[call](client, table, "U#1")) == ""
    assert refusal(lambda: _CALLS[call](client, table, "E#1")) == ""
    assert refusal(lambda: _CALLS[call](client, table, "C#U#1")).startswith("AccessDenied")


def test_items_of_a_transaction_are_authorized_one_by_one(cloud_with_iam: Cloud) -> None:
    """What one statement allows for one item is not held against another item."""
    table = _table(cloud_with_iam)
    arn = f"arn:aws:dynamodb:{cloud_with_iam.region}:{cloud_with_iam.account}:table/{table}"
    statements = [
        {
            "Action": f"dynamodb:{action}",
            "Resource": arn,
            "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{prefix}#*"]}},
        }
        for action, prefix in (("PutItem", "U"), ("DeleteItem", "E"))
    ]
    client = as_role(cloud_with_iam, statements, "dynamodb")

    def write(put: str, deleted: str) -> str:
        items = [
            {"Put": {"TableName": table, "Item": _item(put)}},
            {"Delete": {"TableName": table, "Key": _key(deleted)}},
        ]
        return refusal(lambda: client.transact_write_items(TransactItems=items))

    assert write("U#1", "E#1") == ""
    assert write("E#2", "U#2").startswith("AccessDenied")


@pytest.mark.ours_only
def test_a_role_reaches_the_regions_that_it_may(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    near, far = _table(cloud), _table(cloud, "eu-west-1")
    arn = f"arn:aws:dynamodb:eu-west-1:{cloud.account}:table/{far}"
    statements = [{"Action": "dynamodb:PutItem", "Resource": arn}]
    there = as_role(cloud, statements, "dynamodb", region="eu-west-1")
    here = as_role(cloud, statements, "dynamodb")
    assert refusal(lambda: there.put_item(TableName=far, Item=_item("U#1"))) == ""
    assert refusal(lambda: there.put_item(TableName=near, Item=_item("U#1"))).startswith("AccessDenied")
    assert refusal(lambda: here.put_item(TableName=far, Item=_item("U#1"))).startswith("AccessDenied")
