"""Addresses that several accounts claim: who waits, and who becomes one."""

from __future__ import annotations

from auth.regions import replicate_each
from auth.storage import Alias
from local.memory_auth import Fault
from local.memory_regions import Regions
from tests.unit.auth.regions.people import PASSWORD, A, B, imported, record, signed_up

ADA, BOB = "ada@one.example", "bob@two.example"


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
    regions[A].world.fault = Fault(0, "refused")
    key = f"U#{people[0]}"
    assert replicate_each(regions.replications[B], regions[B].queues, [key]) == {key: "later"}
    assert "merged" not in {record(regions, B, each)[0].status for each in people}
    regions[A].world.fault = None
    assert regions.settle()
    assert not regions.differences()
    assert sorted(record(regions, B, each)[0].status for each in people) == ["active", "merged"]


def test_nobody_is_merged_into_who_has_another_address_elsewhere(regions: Regions) -> None:
    """Their old one is somebody else's by then, whose record comes first."""
    one = signed_up(regions[A], ADA, verified=True)
    assert regions.settle()
    world = regions[A].world
    login = world.ask("POST", "/v1/login", "shop", email=ADA, password=PASSWORD)
    world.ask(
        "PATCH", "/v1/users/{id}", "shop", one,
        access_token=login.body["access_token"], current=PASSWORD, email=BOB,
    )  # fmt: skip
    world.deliver()
    token = next(mail.token for mail in reversed(world.mails) if mail.kind == "email" and mail.to == BOB)
    assert world.ask("POST", "/v1/verify", "shop", token=token).status == 200
    other = signed_up(regions[A], ADA, verified=True)
    regions.pump(A, lambda keys: [key for key in keys if key == f"U#{other}"])
    for _ in range(3):
        regions.pump(B)
    assert regions.settle()
    assert not regions.differences()
    text = world.services.alias("email", ADA).text
    for name in (A, B):
        assert [record(regions, name, each)[0].status for each in (one, other)] == ["active", "active"]
        assert regions[name].owners()[text] == other
