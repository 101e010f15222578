"""The commands of docs/auth_regions.md are run as they are typed, in their order, on two regions."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.clients.regions import Pair, Region
from tests.integration.auth.conftest import Person
from tests.integration.auth_regions.conftest import lost, profile_in, somebody
from tests.integration.suite.test_documented import NOT_RUN, PAGE_OF_REGIONS, adapted, folder, run
from tests.support.documented import Command, documented

__all__ = ["folder"]

# `deploy` takes an account on AWS; the fixture `pair` does what it would.
RUN = [
    command
    for command in documented()
    if command.page == PAGE_OF_REGIONS
    and command.to_type
    and command.program == "make"
    and not {*command.targets} & ({*NOT_RUN} - {"replicate"})
]
REDRIVE = Command("README.md", "make redrive", ("make", "redrive"), on_path=False, to_type=True)


@pytest.fixture
def unregistered(pair: Pair) -> Iterator[None]:
    """No clients in either region, as after the deployment; afterwards those of the other tests again."""
    for region in pair:
        table = region.suite.client("dynamodb")
        for item in region.items("C#"):
            table.delete_item(TableName=region.told["table"], Key={"pk": item["pk"], "sk": item["sk"]})
    yield
    Pair(pair.engine, pair.regions)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("unregistered")
def test_what_the_page_shows_works_as_typed(pair: Pair, folder: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    said = [run(adapted(command, folder), pair.engine.directory) for command in (*RUN, REDRIVE)]
    assert len(said) >= 5
    told = "\n".join(said)
    assert "in us-east-1 and eu-west-1 alike" in told
    assert "1 clients are the same in us-east-1 and eu-west-1" in told
    assert "1 clients are copied to eu-west-1" in told
    assert "which is drained each minute" in told
    assert "0 messages were sent from" in told


def replicate(pair: Pair, folder: Path) -> None:
    """Send all accounts of the first region to the second, as the page says it."""
    [shown, *_] = [command for command in RUN if "replicate" in command.targets]
    assert "accounts are in" in run(adapted(shown, folder), pair.engine.directory)
    pair.settle(60)


def test_a_second_region_that_is_new_is_told_of_everybody(pair: Pair, folder: Path) -> None:
    person = lost(pair)
    replicate(pair, folder)
    assert pair.b.user(person) is not None


def edit(region: Region, person: Person, **changes: str) -> None:
    answer = region.shop.ask("PATCH", f"/v1/users/{person.id}", changes)
    assert answer.status_code == 200, answer.text


def test_a_restored_table_gets_back_what_the_other_region_has(pair: Pair, folder: Path) -> None:
    """The table of the second region goes back to an earlier state, and counts its writes anew from there."""
    region, kinds = pair.b, ("U#", "E#", "P#")
    edited, erased = somebody(pair, region), somebody(pair, region)
    pair.settle(60)
    backup = region.items(*kinds)
    edit(region, edited, nickname="of before")
    edit(region, edited, given_name="of before, too")
    assert region.shop.ask("DELETE", f"/v1/users/{erased.id}").status_code == 204
    newcomer = somebody(pair, region)
    pair.settle(60)

    table, name = region.suite.client("dynamodb"), region.told["table"]
    for item in region.items(*kinds):
        table.delete_item(TableName=name, Key={"pk": item["pk"], "sk": item["sk"]})
    for item in backup:
        table.put_item(TableName=name, Item=item)
    assert region.user(newcomer.id) is None
    edit(region, edited, locality="since")
    replicate(pair, folder)

    wanted = {"nickname": "of before", "given_name": "of before, too", "locality": "since"}
    for each in pair:
        assert wanted.items() <= profile_in(each, edited.id).items()
        user = each.user(erased.id)
        assert user is not None
        assert user.status == "erased"
        assert each.user(newcomer.id) is not None
