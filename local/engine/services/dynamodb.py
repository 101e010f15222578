"""Amazon DynamoDB: IAM sees the partition keys of the items that a request is about."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core import iam_actions
from ministack.services import dynamodb

from local.engine.authorization import conditions
from local.engine.patching import replaces

# Where a request, or an item of a transaction or of a batch, has its key.
_KEYS = ("Key", "Item")
_EQUALS = re.compile(r"(?P<name>#?[A-Za-z0-9_.-]+)\s*=\s*(?P<value>:[A-Za-z0-9_]+)")


class _ItemsTable(str):
    """The ARN of a table in a check of a transaction, which is of one item."""

    __slots__ = ("leading",)
    leading: list[str]


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except (ValueError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _partition_key(table: str, index: str = "") -> str:
    """Return the name of a table's, or an index's, partition key; empty if there is no such table."""
    found = dynamodb._tables.get(table.rpartition("table/")[2]) or {}
    schema = found.get("KeySchema") or []
    for each in [*(found.get("GlobalSecondaryIndexes") or []), *(found.get("LocalSecondaryIndexes") or [])]:
        if each["IndexName"] == index:
            schema = each["KeySchema"]
    return next((str(each["AttributeName"]) for each in schema if each["KeyType"] == "HASH"), "")


def _text(value: Any) -> str:
    return str(next(iter(value.values()))) if isinstance(value, dict) and value else ""


def _of_items(table: str, items: Iterator[Any] | list[Any]) -> list[str]:
    name = _partition_key(table)
    return [_text(item[name]) for item in items if isinstance(item, dict) and name in item]


def _of_query(request: dict[str, Any]) -> list[str]:
    """Return the partition key that a query names in one of its two forms."""
    name = _partition_key(str(request["TableName"]), str(request.get("IndexName") or ""))
    legacy = (request.get("KeyConditions") or {}).get(name) or {}
    names, values = (request.get(f"ExpressionAttribute{each}") or {} for each in ("Names", "Values"))
    found = legacy.get("AttributeValueList") or [
        values.get(match["value"])
        for match in _EQUALS.finditer(str(request.get("KeyConditionExpression") or ""))
        if names.get(match["name"], match["name"]) == name
    ]
    return [_text(each) for each in found]


def _of_batch(requested: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for table, wanted in requested.items():
        if isinstance(wanted, dict):
            found += _of_items(table, wanted.get("Keys") or [])
        for each in wanted if isinstance(wanted, list) else []:
            parts = [part.get(name) for part in each.values() for name in _KEYS]
            found += _of_items(table, parts)
    return found


def _leading_keys(request: dict[str, Any]) -> list[str]:
    """Return the partition keys that a request names; none if it names none, as a scan."""
    if isinstance(requested := request.get("RequestItems"), dict):
        return _of_batch(requested)
    if not isinstance(table := request.get("TableName"), str):
        return []
    return _of_items(table, [request.get(name) for name in _KEYS]) or _of_query(request)


@replaces(iam_actions, "dynamodb_service_context", digest="0f0021bdc8a3")
def _service_context(original: Callable[..., Any], body: bytes) -> Any:
    """IAM sees `dynamodb:LeadingKeys`: the partition keys of the items that a request is about"""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html:
    # "dynamodb:LeadingKeys: Represents the first key attribute of a table - in other words, the partition
    # key."
    found = _leading_keys(_decoded(body))
    return original(body) | ({"dynamodb:LeadingKeys": found} if found else {})


@replaces(iam_actions, "dynamodb_transaction_checks", digest="684e748338e8")
def _transaction_checks(
    original: Callable[..., Any], iam_action: str, body: bytes, region: str, account: str
) -> Any:
    """Each item of a transaction is authorized with its own partition key"""
    checks = original(iam_action, body, region, account)
    if not checks:
        return checks
    parts = [
        part
        for item in _decoded(body)["TransactItems"]
        if isinstance(item, dict)
        for member in iam_actions._DYNAMODB_TRANSACT_ITEM_ACTIONS
        if isinstance(part := item.get(member), dict) and isinstance(part.get("TableName"), str)
        if part["TableName"]
    ]
    found = []
    for (action, arn), part in zip(checks, parts, strict=True):
        table = _ItemsTable(arn)
        table.leading = _leading_keys(part)
        found.append((action, table))
    return found


@conditions("dynamodb")
def _item_keys(arn: str) -> dict[str, list[str]]:
    return {"dynamodb:leadingkeys": arn.leading} if isinstance(arn, _ItemsTable) and arn.leading else {}
