"""Accounts that were taken over: kept whole, in whatever order, how often and from where they come."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from auth.identity import Document, origin_key, tick

REGIONS = ("eu", "us", "ap")
ACCOUNTS = "abcd"
ORIGIN = origin_key("shop", "1")
FIELDS = (
    "given_name", "secret", "phone", "phone_verified", "email", "email_verified", "totp", "recovery_code.f.1",
    f"old_hash.{ORIGIN}", f"company_id.{ORIGIN}", "email_also.x",
    "reset", "cleaned",
)  # fmt: skip


def document(now: int, region: str, **fields: Any) -> Document:
    made = Document()
    made.edit(fields, now, region)
    return made


def copy(of: Document) -> Document:
    return Document.from_bytes(of.to_bytes())


def shown(of: Document) -> dict[str, Any]:
    """What is read of a document."""
    return {name: (of[name], of.reading(name)) for name in sorted(of.names())}


def kept(of: Document) -> Any:
    """All that is in a document, whichever account came first."""
    return json.loads(of.to_bytes())


def paths(of: Document, account: str) -> list[str]:
    """Each account of a document's, with those within which it is."""

    def below(read: dict[str, Any], path: str) -> list[str]:
        taken = read.get("merged", {}).items()
        return [path, *(each for name, (_, within) in taken for each in below(within, path + name))]

    return below(kept(of), account)


class World:
    """Accounts in three regions: edits, merges, and joins of what two regions have of one account."""

    def __init__(self) -> None:
        self.held = {region: {each: Document() for each in ACCOUNTS} for region in REGIONS}
        self.writes = 0
        for each in ACCOUNTS:
            first = document(1, "eu", given_name=each)
            for region in REGIONS:
                self.held[region][each] = copy(first)

    def edit(self, region: str, account: str, name: str, now: int, *, removed: bool) -> None:
        self.writes += 1
        self.held[region][account].edit({name: None if removed else self.writes}, now, region)

    def merge(self, region: str, stays: str, ends: str, now: int) -> None:
        """As a region does that has both; elsewhere the account that ends can be edited, and come late."""
        if stays != ends:
            mine, other = self.held[region][stays], copy(self.held[region][ends])
            mine.absorb(stays, ends, other, tick(now, region, max(mine.latest, other.latest)))

    def hear(self, region: str, other: str, account: str) -> None:
        mine, theirs = self.held[region][account], self.held[other][account]
        self.held[region][account] = copy(mine.joined(theirs))

    def run(self, steps: list[tuple[Any, ...]]) -> None:
        for kind, *step in steps:
            if kind == "edit":
                region, account, name, now, removed = step
                self.edit(region, account, name, now, removed=removed)
            elif kind == "merge":
                self.merge(*step)
            else:
                self.hear(*step)


regions, accounts, times = st.sampled_from(REGIONS), st.sampled_from(ACCOUNTS), st.integers(1, 9)
edits = st.tuples(st.just("edit"), regions, accounts, st.sampled_from(FIELDS), times, st.booleans())
merges = st.tuples(st.just("merge"), regions, accounts, accounts, times)
hearings = st.tuples(st.just("hear"), regions, regions, accounts)
histories = st.lists(st.one_of(edits, edits, merges, hearings), max_size=24)
often = settings(max_examples=400, deadline=None, derandomize=True)


@given(histories)
@often
def test_joins_are_the_same_in_any_order_and_however_often(steps: list[Any]) -> None:
    """The laws of a join-semilattice (Shapiro et al., 2011, section 2.3), along histories."""
    world = World()
    world.run(steps)
    for account in ACCOUNTS:
        a, b, c = (world.held[region][account] for region in REGIONS)
        assert a.joined(b).to_bytes() == b.joined(a).to_bytes()
        assert kept(a.joined(a)) == kept(a)
        assert kept(a.joined(b).joined(b)) == kept(a.joined(b))
        assert a.joined(b).joined(c).to_bytes() == a.joined(b.joined(c)).to_bytes()


@given(histories)
@often
def test_bytes_are_read_as_they_were_written(steps: list[Any]) -> None:
    world = World()
    world.run(steps)
    for each in world.held["eu"].values():
        again = copy(each)
        assert again.to_bytes() == each.to_bytes()
        assert (shown(again), again.latest) == (shown(each), each.latest)


@given(st.lists(edits, max_size=12))
@often
def test_document_without_other_accounts_is_a_plain_table(steps: list[Any]) -> None:
    """Byte for byte as it was before accounts were kept: name to value and reading, as they were edited."""
    made, fields = Document(), dict[str, Any]()
    for number, (_, region, _, name, now, removed) in enumerate(steps):
        value = None if removed else number
        latest = max((reading for _, reading in fields.values()), default="")
        if fields.get(name, [None])[0] != value:
            fields[name] = [value, tick(now, region, latest)]
        made.edit({name: value}, now, region)
    assert made.to_bytes() == json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


@given(histories, st.dictionaries(st.sampled_from(FIELDS), st.none() | st.integers(900, 903), min_size=1))
@often
def test_edit_is_what_is_read_then_and_of_that_alone(steps: list[Any], changes: dict[str, Any]) -> None:
    world = World()
    world.run(steps)
    for account in ACCOUNTS:
        made = world.held["eu"][account]
        before, latest = shown(made), made.latest
        hashes = [name for name in changes if name.startswith("old_hash") and changes[name]]
        wanted = {name: value for name, value in changes.items() if name not in hashes}
        made.edit(wanted, 9, "eu")
        assert {name: made[name] for name in wanted} == wanted
        ages = {
            name: made.reading(name) for name in wanted if before.get(name, (None, ""))[0] != wanted[name]
        }
        assert all(reading > latest for reading in ages.values())
        if not {"secret", *hashes} & changes.keys():
            after = {name: made[name] for name in before if name not in changes}
            assert after == {name: before[name][0] for name in after}


@given(histories, accounts, accounts)
@often
def test_account_that_comes_again_changes_nothing(steps: list[Any], stays: str, ends: str) -> None:
    world = World()
    world.run(steps)
    if stays == ends:
        return
    made, other = world.held["eu"][stays], world.held["eu"][ends]
    world.merge("eu", stays, ends, 9)
    before = shown(made), kept(made)
    made.absorb(stays, ends, copy(other), tick(99, "eu", made.latest))
    assert (shown(made), kept(made)) == before


@given(histories, accounts, st.permutations(REGIONS), accounts)
@often
def test_records_of_an_account_come_to_the_same_in_any_order(
    steps: list[Any], ends: str, order: list[str], stays: str
) -> None:
    """Whichever region's record of it is the first, and whether they were joined before."""
    world = World()
    world.run(steps)
    if stays == ends:
        return
    records = {region: world.held[region][ends] for region in REGIONS}
    start, reading = world.held["eu"][stays], "7" * 12 + ".0000.eu"
    one, other, both = copy(start), copy(start), copy(start)
    for region in REGIONS:
        one.absorb(stays, ends, copy(records[region]), reading)
    for region in order:
        other.absorb(stays, ends, copy(records[region]), reading)
    a, b, c = records.values()
    both.absorb(stays, ends, a.joined(b).joined(c), reading)
    assert shown(one) == shown(other) == shown(both)


@given(histories)
@often
def test_account_is_never_within_itself_and_no_last_edit_is_lost(steps: list[Any]) -> None:
    world = World()
    world.run(steps)
    for region in REGIONS:
        for account in ACCOUNTS:
            made = world.held[region][account]
            for each in ACCOUNTS:
                world.merge(region, account, each, 9)
            for each in set(ACCOUNTS) - {account}:
                found, record = made.taken(each), world.held[region][each]
                assert found is not None
                assert all(path.count(name) == 1 for path in paths(made, account) for name in path)
                own = [name for name in record.names() if not record.same(Document(), name)]
                assert own
                for name in own:
                    assert found.same(found.joined(record), name)


@given(histories)
@often
def test_circle_comes_to_the_same_as_if_there_was_none(steps: list[Any]) -> None:
    """Two regions each merge the one account into the other. Whoever goes on is as if it had heard of all
    edits of itself first, and then taken the other one over at the earlier of the two times."""
    world = World()
    world.run(steps)
    here, there = world.held["eu"], world.held["us"]
    (a, b), (late, earlier) = (here["a"], there["b"]), ("5" * 12 + ".0000.eu", "4" * 12 + ".0000.us")
    straight = a.joined(there["a"])
    straight.absorb("a", "b", here["b"].joined(b), earlier)
    a.absorb("a", "b", copy(here["b"]), late)
    b.absorb("b", "a", copy(there["a"]), earlier)
    a.absorb("a", "b", copy(b), late)
    assert shown(a) == shown(straight)


@given(histories, st.lists(st.tuples(regions, accounts), min_size=1, max_size=6))
@often
def test_accounts_that_come_again_in_turn_change_nothing(
    steps: list[Any], comes: list[tuple[str, str]]
) -> None:
    world = World()
    world.run(steps)
    made, reading = copy(world.held["eu"]["a"]), "7" * 12 + ".0000.eu"
    after = list[Any]()
    for _ in range(4):
        for region, account in comes:
            if account != "a":
                made.absorb("a", account, copy(world.held[region][account]), reading)
        after.append((shown(made), kept(made)))
    assert after[-2] == after[-1]
    assert all(path.count(each) == 1 for path in paths(made, "a") for each in path)


def test_account_within_another_one_is_joined_there_when_it_comes_again() -> None:
    """And is no second time in the one that took over the other."""
    outer, middle, inner = (document(1, "eu", given_name=each) for each in ("a", "b", "c"))
    late = copy(inner)
    late.edit({"nickname": "late"}, 9, "us")
    middle.absorb("b", "c", inner, tick(2, "eu"))
    outer.absorb("a", "b", middle, tick(3, "eu"))
    outer.absorb("a", "c", late, tick(10, "eu"))
    assert paths(outer, "a") == ["a", "ab", "abc"]
    assert outer["nickname"] == "late"
