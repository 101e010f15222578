import base64
import copy
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from datagen.cloudfront_logs import REALTIME_FIELDS
from shared import clients
from tests.support.memory_dynamodb import MemoryDynamoDb

EVENTS = Path(__file__).parents[3] / "events" / "access_logs"


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> MemoryDynamoDb:
    tables = MemoryDynamoDb()
    secrets = SimpleNamespace(get_secret_value=lambda **_: {"SecretString": "sixteen bytes and more"})
    services = {"dynamodb": tables, "secretsmanager": secrets}
    monkeypatch.setattr(clients, "_client", lambda service, _timeout: services[service])
    variables = {
        "PARTIALS_TABLE": "partials",
        "RESULTS_TABLE": "results",
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
