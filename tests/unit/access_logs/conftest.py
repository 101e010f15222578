import base64
import copy
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from datagen.cloudfront_logs import REALTIME_FIELDS
from shared import clients
from tests.support.memory_dynamodb import MemoryDynamoDb

EVENTS = Path(__file__).parents[3] / "events" / "access_logs"


class MemoryS3:
    """Objects that were put, by key; `failing` while they cannot be."""

    def __init__(self) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {}
        self.failing = False

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **_: Any) -> None:  # noqa: N803
        assert Bucket == "failures"
        if self.failing:
            raise ClientError({"Error": {"Code": "SlowDown"}}, "PutObject")
        self.objects[Key] = [json.loads(line) for line in Body.splitlines()]


@pytest.fixture
def s3() -> MemoryS3:
    return MemoryS3()


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch, s3: MemoryS3) -> MemoryDynamoDb:
    tables = MemoryDynamoDb()
    secrets = SimpleNamespace(get_secret_value=lambda **_: {"SecretString": "sixteen bytes and more"})
    services = {"dynamodb": tables, "secretsmanager": secrets, "s3": s3}
    monkeypatch.setattr(clients, "_client", lambda service, _timeout: services[service])
    variables = {
        "PARTIALS_TABLE": "partials",
        "RESULTS_TABLE": "results",
        "FAILURES_BUCKET": "failures",
        "FIELDS": ",".join(reversed(REALTIME_FIELDS)),  # CloudFront sends them in its own order
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name in ("LATENESS", "VIEWER_ADDRESS", "ADDRESS_SECRET_ID", "PARTIAL_DAYS", "RESULT_DAYS"):
        monkeypatch.delenv(name, raising=False)
    return tables


@pytest.fixture
def context() -> SimpleNamespace:
    return SimpleNamespace(function_name="window", aws_request_id="1")


@pytest.fixture
def recorded() -> Callable[[str], dict[str, Any]]:
    def load(name: str) -> dict[str, Any]:
        event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
        return event

    return load


@pytest.fixture
def window_event(recorded: Callable[[str], dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """An event of records `(sequence number, arrival, data)`."""

    def build(
        records: Iterable[tuple[int, float, bytes]],
        state: dict[str, Any] | None = None,
        *,
        final: bool = False,
    ) -> dict[str, Any]:
        event = recorded("window_records")
        template = event["Records"][0]
        event |= {"Records": [], "state": state or {}, "isFinalInvokeForWindow": final}
        for number, arrival, data in records:
            record = copy.deepcopy(template)
            record["kinesis"] |= {
                "sequenceNumber": str(number),
                "approximateArrivalTimestamp": arrival,
                "data": base64.b64encode(data).decode(),
            }
            event["Records"].append(record)
        return event

    return build
