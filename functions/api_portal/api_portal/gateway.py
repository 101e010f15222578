"""Keys at API Gateway: what the portal does with them.

A key is made disabled, and is known by its id; its value is told once, by `create`. Nothing here reads a
value back, and the function's role could not.
"""

from collections.abc import Mapping
from typing import Any

from shared.clients import client

__all__ = ["TAG", "attach", "create", "delete", "disable", "enable"]

TAG = "portal"
"""The tag by which the role of the function knows its own keys."""


def create(name: str, tags: Mapping[str, str], customer: str = "") -> tuple[str, str]:
    """Make a key that lets nobody in yet.

    "If you don't specify enabled, ... the key is disabled" is not relied on: it is said.

    Args:
        name: For operators; up to 1,024 characters.
        tags: Of the key.
        customer: Who is billed by API Gateway: a customer identifier of AWS Marketplace; may be empty.

    Returns:
        The key's id, and its value.

    Raises:
        ClientError: API Gateway refused.
    """
    billed: dict[str, Any] = {"customerId": customer} if customer else {}
    made = client("apigateway").create_api_key(
        name=name, enabled=False, generateDistinctId=True, tags=dict(tags), **billed
    )
    return made["id"], made["value"]


def attach(key: str, plan: str) -> None:
    """Put a new key into a usage plan; it may be there already, by a call that was tried again.

    Raises:
        ClientError: API Gateway refused.
    """
    gateway = client("apigateway")
    try:
        gateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    except gateway.exceptions.ConflictException:
        return


def enable(key: str) -> None:
    """Let a key in.

    Raises:
        ClientError: API Gateway refused.
    """
    _switch(key, "true")


def disable(key: str) -> None:
    """Let a key in no more; it may be gone already.

    Raises:
        ClientError: API Gateway refused.
    """
    gateway = client("apigateway")
    try:
        _switch(key, "false")
    except gateway.exceptions.NotFoundException:
        return


def delete(key: str) -> None:
    """Delete a key; it may be gone already.

    Raises:
        ClientError: API Gateway refused.
    """
    gateway = client("apigateway")
    try:
        gateway.delete_api_key(apiKey=key)
    except gateway.exceptions.NotFoundException:
        return


def _switch(key: str, to: str) -> None:
    patch = {"op": "replace", "path": "/enabled", "value": to}
    client("apigateway").update_api_key(apiKey=key, patchOperations=[patch])  # type: ignore[list-item]
