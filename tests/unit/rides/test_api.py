"""What the API refuses before it asks a table, and what it does with a ride that nobody takes further."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from ops.paths import ROOT
from rides import api


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RIDES_TABLE", "FLEET_TABLE", "STATE_MACHINE"):
        monkeypatch.setenv(name, name.lower())


class Nothing:
    """Storage that nobody may ask."""

    def __init__(self, *_: object) -> None:
        pass


def ask(name: str, **more: Any) -> tuple[int, dict[str, Any]]:
    """The answer to a recorded request, some of its members replaced."""
    event = json.loads((ROOT / f"events/rides/{name}.json").read_text())
    answer = api.handler(event | more, SimpleNamespace(function_name="rides"))  # type: ignore[arg-type]
    return answer["statusCode"], json.loads(answer["body"])


@pytest.mark.parametrize(
    "pickup",
    [
        {"latitude": 48.2082, "longitude": 16.3738},
        {"latitude": -90, "longitude": 0},
        {"latitude": 60.1942, "longitude": 24.9443},  # 2,513 m to the north
        {"latitude": 60.1716, "longitude": 24.8990},
    ],
)
def test_no_unicorn_flies_far_away(monkeypatch: pytest.MonkeyPatch, pickup: dict[str, float]) -> None:
    monkeypatch.setattr(api, "Storage", Nothing)
    body = json.dumps({"id": "6f1d2c3b-0a4e-4d5f-8b6c-7d8e9f0a1b2c", "pickup": pickup})
    status, answer = ask("api_request", body=body)
    assert (status, answer["code"]) == (400, "bad_place")


@pytest.mark.parametrize(
    "claims", [{"token_use": "access", "sub": "x"}, {"token_use": "id"}, {"sub": "x"}, {}, None]
)
def test_only_id_tokens_are_taken(monkeypatch: pytest.MonkeyPatch, claims: dict[str, str] | None) -> None:
    monkeypatch.setattr(api, "Storage", Nothing)
    status, answer = ask("api_history", requestContext={"requestId": "1", "authorizer": {"claims": claims}})
    assert (status, answer["code"]) == (401, "unauthorized")
