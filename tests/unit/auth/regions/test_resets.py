"""Resets that meet, in the other region, that the mailbox was let go, that they were stopped, or a grant."""

from __future__ import annotations

import random
from base64 import b32decode
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from auth.identity import Document, replaced_address
from local.memory_auth import World
from local.memory_regions import Region, Regions
from tests.unit.auth.regions.people import PASSWORD, A, B, imported, merge, record, signed_up

DAY = 86_400
OLD, NEW = "x@example.com", "y@example.com"
STRANGERS, OWNERS = "words of who has that mailbox", "words that the owner chose since"


def log_in(world: World, email: str, password: str, **more: str) -> int:
    return world.ask("POST", "/v1/login", "shop", email=email, password=password, **more).status


def token(world: World, kind: str, to: str) -> str:
    world.deliver()
    return [mail.token for mail in world.mails if (mail.kind, mail.to) == (kind, to)][-1]


def reset(region: Region, email: str, password: str) -> None:
    world = region.world
    assert world.ask("POST", "/v1/password/forgot", "shop", email=email).status == 202
    link = token(world, "reset", email)
    assert world.ask("POST", "/v1/password/reset", "shop", token=link, password=password).status == 204


def move(region: Region, user: str, old: str = OLD, new: str = NEW) -> None:
    """The person leaves an address for another one."""
    world = region.world
    assert world.ask("PATCH", "/v1/users/{id}", "shop", user, email=new).status == 200
    for kind, to in (("approve", old), ("email", new)):
        assert world.ask("POST", "/v1/verify", "shop", token=token(world, kind, to)).status == 200


def access(region: Region, email: str = OLD, password: str = PASSWORD) -> str:
    answer = region.world.ask("POST", "/v1/login", "shop", email=email, password=password)
    return str(answer.body["access_token"])


def code(region: Region, secret: str) -> str:
    return TOTP(b32decode(secret), 6, SHA1(), 30).generate(int(region.world.now)).decode()  # noqa: S303


def enrol(region: Region, password: str) -> str:
    """Somebody enrols a second factor."""
    world, shown = region.world, access(region, password=password)
    claims = {"access_token": shown, "current": password}
    secret = world.ask("POST", "/v1/mfa/totp", "shop", action="enrol", **claims).body["secret"]
    confirmed = world.ask(
        "POST", "/v1/mfa/totp", "shop", action="confirm", code=code(region, secret), **claims
    )
    assert confirmed.status == 200
    return str(secret)


def both(regions: Regions, check: Callable[[Region], int]) -> list[int]:
    return [check(regions[name]) for name in (A, B)]


# ---- by a mailbox that was let go


@pytest.mark.parametrize("then", ["nothing", "a second factor", "another password"])
def test_a_reset_by_a_mailbox_that_was_let_go_elsewhere_lets_nobody_in(regions: Regions, then: str) -> None:
    person = signed_up(regions[A], OLD, verified=True)
    assert regions.settle()
    move(regions[A], person)
    regions[B].world.now += 30
    reset(regions[B], OLD, STRANGERS)
    password = STRANGERS
    if then == "a second factor":
        enrol(regions[B], STRANGERS)
    if then == "another password":
        password = STRANGERS + "!"
        claims = {"access_token": access(regions[B], password=STRANGERS), "current": STRANGERS}
        assert (
            regions[B].world.ask("POST", "/v1/password/change", "shop", password=password, **claims).status
            == 204
        )
    assert regions.settle()
    assert regions.differences() == []
    for email in (OLD, NEW):
        assert both(regions, lambda region: log_in(region.world, email, password)) == [401, 401]  # noqa: B023
        assert both(regions, lambda region: log_in(region.world, email, PASSWORD)) == [401, 401]  # noqa: B023
    reset(regions[B], NEW, OWNERS)
    assert regions.settle()
    assert both(regions, lambda region: log_in(region.world, NEW, OWNERS)) == [200, 200]


def test_a_password_that_the_owner_chose_later_counts(regions: Regions) -> None:
    person = signed_up(regions[A], OLD, verified=True)
    assert regions.settle()
    move(regions[A], person)
    regions[B].world.now += 30
    reset(regions[B], OLD, STRANGERS)
    regions[A].world.now += 60
    reset(regions[A], NEW, OWNERS)
    assert regions.settle()
    assert regions.differences() == []
    assert both(regions, lambda region: log_in(region.world, NEW, OWNERS)) == [200, 200]
    assert both(regions, lambda region: log_in(region.world, NEW, STRANGERS)) == [401, 401]


def move_by_password(region: Region, user: str, new: str = NEW) -> None:
    """Somebody who knows the password changes the address, without the present mailbox."""
    claims = {"access_token": access(region), "current": PASSWORD}
    world = region.world
    assert world.ask("PATCH", "/v1/users/{id}", "shop", user, email=new, **claims).status == 200
    assert (
        world.ask("POST", "/v1/verify", "shop", token=token(world, "email", new)).body["state"] == "verified"
    )


def owner_of(region: Region, email: str) -> str | None:
    return region.owners().get(region.world.services.alias("email", email).text)


def test_a_change_of_address_by_a_password_that_had_been_reset_is_undone(regions: Regions) -> None:
    """In one region it would have been refused: the password is another one by then."""
    person = signed_up(regions[A], OLD, verified=True)
    assert regions.settle()
    reset(regions[A], OLD, OWNERS)
    regions[B].world.now += 60
    move_by_password(regions[B], person)
    assert regions.settle()
    assert regions.differences() == []
    assert both(regions, lambda region: log_in(region.world, OLD, OWNERS)) == [200, 200]
    assert [owner_of(regions[name], NEW) for name in (A, B)] == [None, None]
    assert owner_of(regions[A], OLD) == person


def test_a_change_of_address_stands_where_the_old_one_is_another_person_s(regions: Regions) -> None:
    """Who comes back to it would be one with whom it is now."""
    person = signed_up(regions[A], OLD, verified=True)
    assert regions.settle()
    reset(regions[A], OLD, OWNERS)
    regions[B].world.now += 60
    move_by_password(regions[B], person)
    another = signed_up(regions[B], OLD, verified=True)
    assert regions.settle()
    assert regions.differences() == []
    for name in (A, B):
        assert record(regions, name, another)[0].status == "active", "and not merged"
        assert owner_of(regions[name], OLD) == another
        assert owner_of(regions[name], NEW) == person


def test_a_change_of_address_that_its_mailbox_approved_stands(regions: Regions) -> None:
    person = signed_up(regions[A], OLD, verified=True)
    assert regions.settle()
    reset(regions[A], OLD, OWNERS)
    regions[B].world.now += 60
    move(regions[B], person)
    assert regions.settle()
    assert regions.differences() == []
    assert both(regions, lambda region: log_in(region.world, NEW, OWNERS)) == [200, 200]


def test_a_change_of_address_before_a_reset_makes_it_void(regions: Regions) -> None:
    person = signed_up(regions[A], OLD, verified=True)
    assert regions.settle()
    move_by_password(regions[B], person)
    regions[A].world.now += 60
    reset(regions[A], OLD, STRANGERS)
    assert regions.settle()
    assert regions.differences() == []
    for password in (STRANGERS, PASSWORD):
        assert both(regions, lambda region: log_in(region.world, NEW, password)) == [401, 401]  # noqa: B023
    assert [owner_of(regions[name], NEW) for name in (A, B)] == [person, person]


def test_who_comes_back_to_a_mailbox_elsewhere_resets_by_it(regions: Regions) -> None:
    person = signed_up(regions[A], OLD, verified=True)
    assert regions.settle()
    move(regions[A], person)
    move(regions[A], person, NEW, OLD)
    regions[B].world.now += 3600
    reset(regions[B], OLD, OWNERS)
    assert regions.settle()
    assert regions.differences() == []
    assert both(regions, lambda region: log_in(region.world, OLD, OWNERS)) == [200, 200]


def test_a_reset_of_an_address_that_a_merge_dropped_is_void(regions: Regions) -> None:
    """The address of an imported line that nobody has verified; the other account's is the main one since."""
    number = {"phone": "+41791234567", "phone_verified": True}
    owner = imported(regions[A], "9", NEW, email_verified=True, **number)
    line = imported(regions[A], "7", OLD, **number)
    assert regions.settle()
    merge(regions[A], line, owner)
    regions[B].world.now += 30
    reset(regions[B], OLD, STRANGERS)
    assert regions.settle()
    assert regions.differences() == []
    assert both(regions, lambda region: log_in(region.world, OLD, STRANGERS)) == [401, 401]
    reset(regions[B], NEW, OWNERS)
    assert regions.settle()
    assert both(regions, lambda region: log_in(region.world, NEW, OWNERS)) == [200, 200]


def test_a_late_password_of_a_merged_account_fills_none_that_was_taken_away(regions: Regions) -> None:
    number = {"phone": "+41791234567", "phone_verified": True}
    other = "l@example.com"
    person, ends = (signed_up(regions[A], each, verified=True) for each in (OLD, other))
    for each, email in (("1", OLD), ("2", other)):
        imported(regions[A], each, email, email_verified=True, **number)
    assert regions.settle()
    merge(regions[A], person, ends)
    move(regions[A], person)
    for name in (A, B):
        regions[name].world.now += 30
    reset(regions[B], OLD, STRANGERS)
    claims = {
        "access_token": access(regions[B], other),
        "current": PASSWORD,
        "password": "a thief's own words",
    }
    assert regions[B].world.ask("POST", "/v1/password/change", "shop", **claims).status == 204
    assert regions.settle()
    for email in (NEW, other):
        assert both(regions, lambda region: log_in(region.world, email, "a thief's own words")) == [401, 401]  # noqa: B023


def test_who_resets_and_then_lets_the_mailbox_go_keeps_the_password(regions: Regions) -> None:
    person = signed_up(regions[A], OLD, verified=True)
    assert regions.settle()
    reset(regions[A], OLD, OWNERS)
    move(regions[A], person)
    assert regions[B].world.ask("PATCH", "/v1/users/{id}", "shop", person, nickname="meanwhile").status == 200
    assert regions.settle()
    assert regions.differences() == []
    assert both(regions, lambda region: log_in(region.world, NEW, OWNERS)) == [200, 200]


FIELDS = ("secret", "totp", "given_name", "email_pending")


def after_some(base: Document, drawn: random.Random, region: str, at: int) -> Document:
    """What became of a document in a region: edits, and moves and resets of its mailbox."""
    made = Document.from_bytes(base.to_bytes())
    for _ in range(drawn.randint(0, 3)):
        at += drawn.randint(1, 50)
        what = drawn.choice(["edit", "edit", "move", "mail"])
        if what == "edit":
            made.edit({drawn.choice(FIELDS): drawn.choice([None, str(drawn.random())])}, at, region)
        elif what == "move":
            old, to = made["email"], drawn.choice("xyz")
            by_mail = drawn.random() < 0.5
            changes = {"email": to} | (replaced_address(made, old, at, by_mail=by_mail) if old != to else {})
            made.edit(changes, at, region)
        else:
            made.edit(
                {"reset": {"epoch": str(at), "address": made["email"], "index": made["email"]}}, at, region
            )
            made.edit({"secret": f"by mail {at}"}, at, region)
    return made


def test_what_two_regions_wrote_of_a_mailbox_comes_to_one_record() -> None:
    """A region may have joined what was older in the other one, or not: what both come to is joined again."""
    drawn = random.Random(19)
    base = Document()
    base.edit({"email": "x", "secret": "first", "given_name": "Ada"}, 1, "a")
    void = differ = 0
    for _ in range(4000):
        one, other = after_some(base, drawn, "a", 10), after_some(base, drawn, "b", 10)
        later = after_some(other, drawn, "b", 200)
        direct, in_two_steps = one.joined(later), one.joined(other).joined(later)
        assert later.joined(one).canonical() == direct.canonical()
        assert later.joined(one.joined(other)).canonical() == in_two_steps.canonical()
        both = direct.joined(in_two_steps)
        assert in_two_steps.joined(direct).canonical() == both.canonical()
        assert both.joined(both).canonical() == both.canonical()
        differ += direct.canonical() != in_two_steps.canonical()
        void += direct["secret"] is None and one["secret"] is not None and later["secret"] is not None
    assert void > 100, "resets by a mailbox that was let go"
    assert differ < 80, "of histories in which each region resets and moves now and then"


# ---- delayed resets


def asked(regions: Regions) -> tuple[str, str]:
    """Somebody with a second factor, of which a company asked for the delayed reset in the first region."""
    person = signed_up(regions[A], OLD, verified=True)
    secret = enrol(regions[A], PASSWORD)
    assert regions.settle()
    assert recover(regions[A], person) == (202, "pending")
    assert regions.settle()
    for name in (A, B):
        regions[name].world.now += DAY + 100
    return person, secret


def recover(region: Region, person: str) -> tuple[int, str]:
    answer = region.world.ask("POST", "/v1/users/{id}/recovery", "shop", person, second_factor=True)
    return answer.status, answer.body["state"]


def test_a_delayed_reset_is_carried_out_where_it_was_asked_for(regions: Regions) -> None:
    person, _ = asked(regions)
    assert recover(regions[A], person) == (200, "done")
    assert regions.settle()
    assert both(regions, lambda region: log_in(region.world, OLD, PASSWORD)) == [200, 200]


def test_a_delayed_reset_begins_anew_in_the_other_region(regions: Regions) -> None:
    person, _ = asked(regions)
    link = token(regions[A].world, "recovery", OLD)
    stopped = regions[A].world.ask("POST", "/v1/verify", "shop", token=link)
    assert (stopped.status, stopped.body["state"]) == (200, "cancelled")
    regions[B].world.now += 2
    assert recover(regions[B], person) == (202, "pending"), "it has not come yet that it was stopped"
    assert regions.settle()
    assert regions.differences() == []
    assert both(regions, lambda region: log_in(region.world, OLD, PASSWORD)) == [401, 401], "with the factor"
    assert recover(regions[A], person) == (202, "pending"), "asked for in the other region"
    regions[A].world.now += DAY + 100
    assert recover(regions[A], person) == (200, "done")


@pytest.mark.parametrize("stop", ["a new password", "a code of the factor"])
def test_a_delayed_reset_that_was_stopped_elsewhere_is_not_done(regions: Regions, stop: str) -> None:
    person, secret = asked(regions)
    b, password = regions[B], PASSWORD
    if stop == "a new password":
        reset(b, OLD, OWNERS)
        password = OWNERS
    else:
        assert log_in(b.world, OLD, PASSWORD, totp=code(b, secret)) == 200
    assert recover(regions[A], person) == (200, "done"), "it has not come yet"
    assert regions.settle()
    assert regions.differences() == []
    assert both(regions, lambda region: log_in(region.world, OLD, password)) == [401, 401]
    for region in (regions[A], b):
        region.world.now += 60
        assert log_in(region.world, OLD, password, totp=code(region, secret)) == 200


def test_a_session_of_a_reset_that_counts_no_more_ends_with_it(regions: Regions) -> None:
    person, secret = asked(regions)
    assert log_in(regions[B].world, OLD, PASSWORD, totp=code(regions[B], secret)) == 200, "which stops it"
    regions[A].world.now += 5
    assert recover(regions[A], person) == (200, "done")
    begun = regions[A].world.ask("POST", "/v1/login", "shop", email=OLD, password=PASSWORD)
    assert begun.status == 200, "without a code"
    assert regions.settle()
    refreshed = regions[A].world.ask(
        "POST", "/v1/token/refresh", "shop", refresh_token=begun.body["refresh_token"]
    )
    assert refreshed.status == 401


# ---- what was allowed before an account was begun anew


def test_grants_of_who_was_there_before_are_void_in_both_regions(regions: Regions) -> None:
    person = imported(regions[A], "7", OLD)
    assert regions.settle()
    store = regions[B].world.services.store
    store.commit(store.grants.add(person, "", "wiki", "r1", ["openid"]))
    reset(regions[A], OLD, OWNERS)
    assert store.grants.scopes(person, record(regions, B, person)[0].cleaned, "wiki", "r1") is not None
    assert regions.settle()
    cleaned = record(regions, B, person)[0].cleaned
    assert cleaned
    assert store.grants.scopes(person, cleaned, "wiki", "r1") is None
    assert store.grants.of_user(person, cleaned) == []


# ---- links of who has no log-in


def test_who_signed_up_in_both_regions_verifies_by_either_mail(regions: Regions) -> None:
    first = signed_up(regions[A], OLD)
    regions[A].world.now += 1
    regions[B].world.now += 1
    second = signed_up(regions[B], OLD)
    assert regions.settle()
    assert {record(regions, name, second)[0].status for name in (A, B)} == {"conflict"}
    link = token(regions[B].world, "verify", OLD)
    claims = {"token": link, "password": PASSWORD}
    assert regions[B].world.ask("POST", "/v1/verify", "shop", token=link, password="not that").status == 401
    assert regions[B].world.ask("POST", "/v1/verify", "shop", **claims).status == 200
    assert regions.settle()
    assert regions.differences() == []
    assert both(regions, lambda region: log_in(region.world, OLD, PASSWORD)) == [200, 200]
    assert {record(regions, name, first)[0].status for name in (A, B)} == {"conflict"}
    assert regions[B].world.ask("POST", "/v1/verify", "shop", **claims).status == 200, "answered again"
