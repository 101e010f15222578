"""Two regions, people in them, and what each of them has in the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local.clients.regions import SETTLED_S, Pair, Region
from local.deploy import build
from local.engine_process import EngineProcess
from tests.conftest import FAILURE_FLOOR_MS
from tests.integration.auth.conftest import Person, fresh_email, fresh_password, joined
from tests.support.waiting import wait_until


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The authentication in two regions of an engine of its own, with IAM enforcement on."""
    directory = tmp_path_factory.mktemp("pair")
    build(directory / "build.log")
    engine = EngineProcess.start(directory, iam=True, settings={"ENGINE_TIME_SCALE": "0.02"})
    try:
        yield Pair.deployed(engine, directory, AuthFailureFloorMs=str(FAILURE_FLOOR_MS))
    finally:
        engine.stop()


@pytest.fixture(autouse=True)
def settled(pair: Pair) -> Iterator[None]:
    """Whatever a test does, both regions have the same in the end, and no queue holds anything."""
    yield
    pair.inject()
    pair.settle(60)


def newcomer(region: Region) -> Person:
    """Somebody who has not signed up yet."""
    return Person(region.shop, fresh_email(), fresh_password())


def somebody(pair: Pair, region: Region, **profile: str) -> Person:
    """Somebody who signed up in a region, and whom the other one knows."""
    person = joined(newcomer(region), **profile)
    wait_until(
        lambda: pair.other(region).user(person.id), seconds=SETTLED_S, what="the account in the other region"
    )
    wait_until(
        lambda: (known := pair.other(region).user(person.id)) and known.status == "active",
        seconds=SETTLED_S, what="the verified account in the other region",
    )  # fmt: skip
    return person


def at(region: Region, person: Person) -> Person:
    """The same person at the shop's server in another region."""
    return Person(region.shop, person.email, person.password, person.id)


def profile_in(region: Region, user: str) -> dict[str, Any]:
    answer = region.shop.get(f"/v1/users/{user}")
    assert answer.status_code == 200, answer.text
    profile: dict[str, Any] = answer.json()["profile"]
    return profile


def lost(pair: Pair) -> str:
    """Somebody of the first region whom the second one does not know, with no record of the stream left."""
    person = somebody(pair, pair.a)
    pair.settle(60)
    user = pair.b.user(person.id)
    assert user is not None
    table = pair.b.suite.client("dynamodb")
    for key in (f"U#{person.id}", *user.claims):
        table.delete_item(TableName=pair.b.told["table"], Key={"pk": {"S": key}, "sk": {"S": "."}})
    assert pair.b.user(person.id) is None
    return person.id
