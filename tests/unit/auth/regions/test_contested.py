"""Addresses that several accounts claim: who waits, and who becomes one."""

from __future__ import annotations

from auth.storage import Alias
from local.memory_regions import Regions
from tests.unit.auth.regions.people import A, B, imported, record, signed_up

ADA = "ada@one.example"


def waiting(regions: Regions, name: str) -> list[str]:
    services = regions[name].world.services
    return sorted(services.store.aliases.holding(services.alias("email", ADA)).waiting)


def test_first_ten_of_many_wait_for_an_address(regions: Regions) -> None:
    """An import may have thousands of lines with one address, such as that of nobody."""
    people = []
    for number in range(14):
        people.append(imported(regions[A], str(number), ADA))
        regions[A].world.now += 60
    assert regions.settle()
    assert not regions.differences()
    assert waiting(regions, A) == waiting(regions, B) == sorted(people[1:11])
    assert regions[A].world.ask("DELETE", "/v1/users/{id}", "shop", people[0]).status == 204
    assert regions.settle()
    text = Alias("email", record(regions, A, people[1])[0].email_index).text
    assert regions[A].owners()[text] == regions[B].owners()[text] == people[1]


def test_two_who_have_shown_an_address_are_one_once_the_other_region_answers(regions: Regions) -> None:
    people = [signed_up(regions[name], ADA, verified=True) for name in (A, B)]
    regions.pump(A)
    regions[A].out = {"dynamodb", "kms", "ssm"}
    regions.pump(B)
    assert "merged" not in {record(regions, B, each)[0].status for each in people}
    regions[A].out = set()
    assert regions.settle()
    assert not regions.differences()
    assert sorted(record(regions, B, each)[0].status for each in people) == ["active", "merged"]
