"""A table that was restored from a backup counts its region's writes anew; no write is lost by that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from local.memory_auth import TABLE
from local.memory_regions import Regions
from tests.unit.auth.regions.people import A, B, edit, record, signed_up

NAMES = ("given_name", "family_name", "nickname")


def restored(regions: Regions, lost: int) -> str:
    """Somebody of whom a region's table has lost some of its own edits, which the other region has."""
    person = signed_up(regions[A], "x@example.com", verified=True)
    assert regions.settle()
    table = regions[A].world.table.tables[TABLE]
    backup = dict(table)
    for name in NAMES[:lost]:
        edit(regions[A], person, **{name: "from before"})
    assert regions.settle()
    table.clear()
    table.update(backup)
    regions[A].changed()
    for name in (A, B):
        regions[name].world.now += 3600
    return person


def back_fill(regions: Regions, *names: str) -> None:
    """What `make replicate` does in some regions."""
    for name in names:
        for person in regions[name].users():
            regions[name].queues.put_back(f"U#{person}", "tables")


@pytest.mark.parametrize("order", [(A, B), (B, A), (A,), (B,)], ids=" ".join)
@pytest.mark.parametrize("lost", [1, 2])
def test_what_a_restored_table_lacks_comes_back(regions: Regions, lost: int, order: tuple[str, ...]) -> None:
    person = restored(regions, lost)
    back_fill(regions, *order)
    assert regions.settle()
    assert regions.differences() == []
    for name in (A, B):
        _, document = record(regions, name, person)
        assert document is not None
        assert [document[each] for each in NAMES[:lost]] == ["from before"] * lost


def write_in_a(regions: Regions, person: str) -> None:
    edit(regions[A], person, locale="pt")


def write_in_b(regions: Regions, person: str) -> None:
    edit(regions[B], person, country="PT")


@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("first", [A, B])
@pytest.mark.parametrize(
    "writes", [[write_in_a], [write_in_a, write_in_a], [write_in_a, write_in_b], [write_in_b]]
)
def test_nothing_of_a_restored_table_is_lost_either(
    regions: Regions, lost: int, first: str, writes: list[Callable[[Regions, str], None]]
) -> None:
    person = restored(regions, lost)
    for write in writes:
        write(regions, person)
        for name in (A, B) if first == A else (B, A):
            regions.pump(name)
    assert regions.settle()
    back_fill(regions, A, B)
    assert regions.settle()
    assert regions.differences() == []
    wanted = dict.fromkeys(NAMES[:lost], "from before")
    wanted |= {"locale": "pt"} if write_in_a in writes else {}
    wanted |= {"country": "PT"} if write_in_b in writes else {}
    for name in (A, B):
        _, document = record(regions, name, person)
        assert document is not None
        assert {each: document[each] for each in wanted} == wanted


def test_an_erasure_is_for_ever(regions: Regions) -> None:
    """Though the table that was restored has counted further since than the erasure did."""
    person = signed_up(regions[A], "x@example.com", verified=True)
    assert regions.settle()
    table = regions[A].world.table.tables[TABLE]
    backup = dict(table)
    assert regions[A].world.ask("DELETE", "/v1/users/{id}", "shop", person).status == 204
    assert regions.settle()
    table.clear()
    table.update(backup)
    regions[A].changed()
    for name in NAMES[:2]:
        edit(regions[A], person, **{name: "written since"})
    assert regions.settle()
    assert regions.differences() == []
    assert {record(regions, name, person)[0].status for name in (A, B)} == {"erased"}


def test_records_that_differ_by_the_same_writes_are_joined(regions: Regions) -> None:
    person = signed_up(regions[A], "x@example.com", verified=True)
    assert regions.settle()
    for name, field in ((A, "nickname"), (B, "locale")):
        services = regions[name].world.services
        user = services.store.users.get(person)
        assert user is not None
        document = services.open(user)
        document.edit({field: "x"}, services.now_ms, name)
        services.store.commit(services.seal(user, user, document)[1])
    assert regions.settle()
    assert regions.differences() == []
    for name in (A, B):
        _, document_there = record(regions, name, person)
        assert document_there is not None
        assert (document_there["nickname"], document_there["locale"]) == ("x", "x")
