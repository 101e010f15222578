import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from datagen.pictures import jpeg
from shared import clients
from tests.unit.image_resizer.memory_s3 import MemoryS3

EVENTS = Path(__file__).parents[3] / "events" / "image_resizer"
WEBSITE = "http://pictures.s3-website.example.org"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> MemoryS3:
    bucket = MemoryS3()
    bucket.upload("blue_marble.jpg", jpeg(1000, 700))
    secrets = SimpleNamespace(get_secret_value=lambda **_: {"SecretString": "an HMAC key"})
    services = {"s3": bucket, "secretsmanager": secrets, "dynamodb": bucket.refusals}
    monkeypatch.setattr(clients, "_client", lambda service, *_, **__: services[service])
    variables = {
        "BUCKET": "pictures",
        "URL": WEBSITE,
        "REFUSALS_TABLE": "refusals",
        "PORTAL_USAGE_TABLE": "calls",
        "LADDER": "25,50,100,200,300,500,800,1200,1600,2400",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name in ("MAX_BYTES", "CACHE_CONTROL", "SIGNING_SECRET_ID"):
        monkeypatch.delenv(name, raising=False)
    return bucket


@pytest.fixture
def context() -> SimpleNamespace:
    return SimpleNamespace(
        function_name="resize", aws_request_id="1", get_remaining_time_in_millis=lambda: 10_000
    )


@pytest.fixture
def event() -> Callable[..., dict[str, Any]]:
    def recorded(name: str, key: str | None = None, **changes: Any) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
        if key is not None:
            loaded["queryStringParameters"] = {"key": key}
            loaded["multiValueQueryStringParameters"] = {"key": [key]}
        return loaded | changes

    return recorded
