"""As much of API Gateway's keys and usage plans as the portal uses, in memory."""

# ruff: noqa: N803  # parameters are named as AWS names them

from __future__ import annotations

from typing import Any

from boto3 import client
from botocore.exceptions import ClientError

__all__ = ["MemoryGateway"]


class MemoryGateway:
    """Keys by id; plans by id, each with its keys and what GetUsagePlan answers."""

    def __init__(self, plans: dict[str, dict[str, Any]]) -> None:
        self.exceptions = client("apigateway", region_name="us-east-1").exceptions
        self.plans = plans
        self.members: dict[str, set[str]] = {plan: set() for plan in plans}
        self.keys: dict[str, dict[str, Any]] = {}
        self.usage: dict[str, list[list[int]]] = {}
        self.asked_usage: list[dict[str, str]] = []

    @property
    def working(self) -> set[str]:
        """The ids of the keys with which somebody who knows the value is let in."""
        attached = set().union(*self.members.values())
        return {key for key, made in self.keys.items() if made["enabled"] and key in attached}

    def create_api_key(self, **request: Any) -> dict[str, Any]:
        assert request["enabled"] is False, "a key that is let in before the table knows it"
        key = f"key{len(self.keys)}"
        self.keys[key] = {**request, "id": key, "value": f"value-of-{key}-abcd"}
        return dict(self.keys[key])

    def update_api_key(self, *, apiKey: str, patchOperations: list[dict[str, str]]) -> None:
        self._known(apiKey)
        [patch] = patchOperations
        assert (patch["op"], patch["path"]) == ("replace", "/enabled")
        self.keys[apiKey]["enabled"] = patch["value"] == "true"

    def delete_api_key(self, *, apiKey: str) -> None:
        self._known(apiKey)
        del self.keys[apiKey]
        for members in self.members.values():
            members.discard(apiKey)

    def create_usage_plan_key(self, *, usagePlanId: str, keyId: str, keyType: str) -> None:
        assert keyType == "API_KEY"
        self._known(keyId)
        if any(keyId in members for members in self.members.values()):
            raise self._error("ConflictException")
        self.members[usagePlanId].add(keyId)

    def get_usage_plan(self, *, usagePlanId: str) -> dict[str, Any]:
        return {"id": usagePlanId, **self.plans[usagePlanId]}

    def get_usage(self, **request: str) -> dict[str, Any]:
        self.asked_usage.append(request)
        key = request["keyId"]
        assert key, "the usage of everybody's keys"
        if key not in self.members[request["usagePlanId"]]:
            raise self._error("NotFoundException")
        return {"items": {key: self.usage[key]}} if key in self.usage else {"items": {}}

    def _known(self, key: str) -> None:
        assert key, "a request about the whole collection, which AWS refuses"
        if key not in self.keys:
            raise self._error("NotFoundException")

    def _error(self, code: str) -> ClientError:
        error: type[ClientError] = getattr(self.exceptions, code)
        return error({"Error": {"Code": code, "Message": ""}}, "Test")
