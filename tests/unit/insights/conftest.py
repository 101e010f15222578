import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared import clients
from tests.support.memory_dynamodb import MemoryDynamoDb

EVENTS = Path(__file__).parents[3] / "events" / "insights"


@pytest.fixture(autouse=True)
def stack_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STACK_NAME", "suite")


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> MemoryDynamoDb:
    tables = MemoryDynamoDb()
    services = {"dynamodb": tables}
    monkeypatch.setattr(clients, "_client", lambda service, _timeout: services[service])
    monkeypatch.setenv("RESULTS_TABLE", "results")
    return tables


@pytest.fixture
def context() -> SimpleNamespace:
    return SimpleNamespace(function_name="insights", aws_request_id="1")


@pytest.fixture
def recorded() -> Callable[[str], dict[str, Any]]:
    def load(name: str) -> dict[str, Any]:
        event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
        return event

    return load
