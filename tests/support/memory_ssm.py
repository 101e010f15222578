"""Parameters of SSM in memory: a real boto3 client, whose requests are answered before they leave it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

__all__ = ["MemorySsm"]


class _Raw(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self) -> list[bytes]:
        return [self.read()]


class MemorySsm:
    """The parameters of one region.

    Attributes:
        client: A boto3 client of it, that never tries twice.
        values: The parameters by name.
        fault: Code and HTTP status of what every call is answered with; None for none.
    """

    def __init__(self, region: str) -> None:
        self.values: dict[str, str] = {}
        self.fault: tuple[str, int] | None = None
        self.client: SSMClient = boto3.client(
            "ssm",
            region_name=region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            endpoint_url="https://ssm.invalid",
            config=Config(retries={"total_max_attempts": 1}),
        )
        answer: Any = self._answer  # the stubs expect a handler without an answer
        self.client.meta.events.register("before-send.ssm", answer)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        operation = request.headers["X-Amz-Target"].decode().partition(".")[2]
        answer, status = self._answered(operation, json.loads(request.body))
        return AWSResponse(request.url, status, HTTPHeaders(), _Raw(json.dumps(answer).encode()))

    def _answered(self, operation: str, asked: dict[str, Any]) -> tuple[dict[str, Any], int]:
        if self.fault is not None:
            code, status = self.fault
            return {"__type": code}, status
        name = asked["Name"]
        if operation == "PutParameter":
            if name in self.values and not asked["Overwrite"]:
                return {"__type": "ParameterAlreadyExists"}, 400
            self.values[name] = asked["Value"]
            return {"Version": 1}, 200
        assert operation == "GetParameter", operation
        if name not in self.values:
            return {"__type": "ParameterNotFound"}, 400
        return {"Parameter": {"Name": name, "Value": self.values[name]}}, 200
