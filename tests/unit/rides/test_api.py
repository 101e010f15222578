"""What the API refuses before it asks a table, and what it does with a ride that nobody takes further."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ops.paths import ROOT
from rides import api
from rides.geography import Place
from rides.model import Ride, State
from shared.transactions import ConflictingWriteError


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


# ---- rides that nobody takes further


class OneRide(Nothing):
    """Storage with one ride; `after` is what somebody else makes of it before it can be ended."""

    ride_then: Ride
    after: Ride | None = None

    def ride(self, *_: str) -> Ride:
        return self.ride_then

    def end(self, ride: Ride, state: State, now: float) -> Ride:
        if self.after:
            type(self).ride_then = self.after
            raise ConflictingWriteError(frozenset({0}))
        assert ride is self.ride_then
        return replace(ride, state=state, moments={**ride.moments, state: now})


def look(monkeypatch: pytest.MonkeyPatch, ride: Ride, after: Ride | None = None) -> str:
    """The state of a ride, as its visitor is told."""
    monkeypatch.setattr(api, "Storage", type("", (OneRide,), {"ride_then": ride, "after": after}))
    status, answer = ask("api_unknown_ride")
    assert status == 200
    return str(answer["state"])


def a_ride(state: State, requested: float, ends: float = 0.0) -> Ride:
    """A ride that was requested, and should end, so many seconds from now."""
    now = time.time()
    moments = {"requested": now + requested}
    return Ride("ada", "1", state, Place(60.17, 24.94), moments, ends=now + ends if ends else 0.0)


@pytest.mark.parametrize(
    ("state", "requested", "ends"),
    [
        ("requested", -1000, 0),
        ("assigned", -2000, -1000),
        ("arriving", -2000, -1000),
        ("riding", -2000, -1000),
    ],
)
def test_a_ride_that_nobody_takes_further_has_failed(
    monkeypatch: pytest.MonkeyPatch, state: State, requested: float, ends: float
) -> None:
    assert look(monkeypatch, a_ride(state, requested, ends)) == "failed"


@pytest.mark.parametrize(
    ("state", "requested", "ends"),
    [
        ("requested", -600, 0),
        ("riding", -5000, -600),
        ("riding", -5000, 100),
        ("done", -5000, -4000),
        ("cancelled", -5000, 0),
    ],
)
def test_other_rides_stay_what_they_are(
    monkeypatch: pytest.MonkeyPatch, state: State, requested: float, ends: float
) -> None:
    assert look(monkeypatch, a_ride(state, requested, ends)) == state


def test_a_ride_that_goes_on_after_all_has_not_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(monkeypatch, a_ride("riding", -2000, -1000), a_ride("done", -2000, -1000)) == "done"


def test_a_ride_is_told_with_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    ride = a_ride("done", -5000, -4000)
    monkeypatch.setattr(api, "Storage", type("", (OneRide,), {"ride_then": ride}))
    _, answer = ask("api_unknown_ride")
    assert answer["now"] == pytest.approx(time.time(), abs=30)
