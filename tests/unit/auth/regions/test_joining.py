"""Joins of two records of one account: the same for both orders, however often, and along real histories."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from auth.identity import Document, Kind, origin_key, tick
from auth.regions import Known, joined, order
from auth.storage import User

REGIONS = ("eu", "us")
OLD_HASH = f"old_hash.{origin_key('shop', '1')}"
FIELDS = ("given_name", "secret", OLD_HASH, "email", "email_verified", "totp")
vectors = st.dictionaries(st.sampled_from(REGIONS), st.integers(1, 4))


def content(known: Known) -> tuple[Any, ...]:
    user, document = known
    return (
        user.status, dict(user.version), user.merged_into, user.epoch, dict(user.epoch_version), user.ts,
        user.email_index, document and document.to_bytes(),
    )  # fmt: skip


def index(kind: Kind, text: str) -> str:
    """The blind index of an address or a number: itself, with its kind."""
    return f"{kind}:{text}"


def both_of(mine: Known, theirs: Known) -> Known:
    return joined(mine, theirs, index)


class Replicas:
    """An account in three places; each edit is of one of them, and of its region."""

    def __init__(self) -> None:
        document = Document()
        document.edit({"email": "a", "given_name": "first"}, 1, "eu")
        user = User(
            "u", "active", ts=document.latest, email_index=index("email", "a"), epoch="e0", origin="eu"
        )
        first = Known(user.written_in("eu"), document)
        self.held = {"eu": first, "us": first}
        self.writes = 0

    def edit(self, region: str, field: str, now: int, *, removed: bool, credential: bool) -> None:
        user, document = self.held[region]
        if document is None:
            return
        self.writes += 1
        left = Document.from_bytes(document.to_bytes())
        value = None if removed else f"{field} {self.writes}"
        left.edit({field: value}, now, region)
        after = user.but(ts=left.latest)
        if credential:
            after = after.but(epoch=f"e{self.writes}")
        main = index("email", left["email"]) if left["email"] else ""
        self.held[region] = Known(after.but(email_index=main).written_in(region), left)

    def erase(self, region: str) -> None:
        self.writes += 1
        user = self.held[region].user
        after = User("u", "erased", ts=tick(self.writes, region, user.ts), version=user.version)
        self.held[region] = Known(after.but(epoch=f"e{self.writes}").written_in(region), None)

    def told(self, region: str) -> None:
        """A region hears from the other one."""
        mine, theirs = self.held[region], self.held[REGIONS[1 - REGIONS.index(region)]]
        seen = order(mine.user.version, theirs.user.version)
        if seen == "same":
            assert content(mine) == content(theirs), "one version has one content"
        elif seen == "older":
            self.held[region] = theirs
        elif seen == "concurrent":
            self.held[region] = both_of(mine, theirs)


edits = st.tuples(
    st.sampled_from(REGIONS), st.sampled_from(FIELDS), st.integers(1, 9), st.booleans(), st.booleans()
)
steps = st.lists(st.one_of(edits, st.sampled_from(REGIONS)), max_size=14)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(steps=steps, erased=st.sampled_from(["", "", "", *REGIONS]))
def test_join_is_the_same_whoever_asks_and_however_often(steps: list[Any], erased: str) -> None:
    replicas = Replicas()
    for step in steps:
        if isinstance(step, str):
            replicas.told(step)
        else:
            region, field, now, removed, credential = step
            replicas.edit(region, field, now, removed=removed, credential=credential)
    if erased:
        replicas.erase(erased)
    one, other = replicas.held["eu"], replicas.held["us"]
    both = both_of(one, other)
    assert content(both) == content(both_of(other, one))
    assert content(both_of(both, both)) == content(both)
    assert content(both_of(both, one)) == content(both)
    assert content(both_of(other, both)) == content(both)
    assert not erased or both.user.status == "erased"
    if both.document is not None:
        main = both.document["email"]
        assert both.user.email_index == (index("email", main) if main else "")
    if both.document is not None and one.document and other.document:
        assert both.document.latest == max(one.document.latest, other.document.latest)


@given(st.lists(st.tuples(st.sampled_from(FIELDS), st.integers(1, 9), st.sampled_from(REGIONS)), max_size=9))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_documents_of_one_history_join_in_any_order(edits: list[tuple[str, int, str]]) -> None:
    documents = [Document(), Document(), Document()]
    for place, (field, now, region) in enumerate(edits):
        documents[place % 3].edit({field: f"{place}"}, now, region)
    a, b, c = documents
    assert a.joined(b).joined(c).to_bytes() == a.joined(b.joined(c)).to_bytes()
    assert a.joined(b).to_bytes() == b.joined(a).to_bytes()


@given(vectors, vectors)
def test_order_of_vectors_is_that_of_their_counts(mine: dict[str, int], theirs: dict[str, int]) -> None:
    no_more = all(mine.get(region, 0) <= theirs.get(region, 0) for region in REGIONS)
    no_less = all(mine.get(region, 0) >= theirs.get(region, 0) for region in REGIONS)
    told = {
        (True, True): "same",
        (True, False): "older",
        (False, True): "newer",
        (False, False): "concurrent",
    }
    assert order(mine, theirs) == told[no_more, no_less]


@given(st.lists(st.tuples(st.integers(0, 2**44), st.sampled_from(REGIONS)), min_size=2, max_size=20))
def test_clock_never_goes_back(walls: list[tuple[int, str]]) -> None:
    seen = ""
    for now, region in walls:
        later = tick(now, region, seen)
        assert later > seen
        seen = later


def known(region: str, count: int, epoch: str, document: Document) -> Known:
    version = {"eu": 1, region: count}
    user = User("u", "active", ts=document.latest, version=version, epoch=epoch, epoch_version={"eu": 1})
    return Known(user, document)


def document(now: int, region: str, **fields: Any) -> Document:
    made = Document()
    made.edit(fields, now, region)
    return made


def test_two_changes_of_credentials_make_both_epochs_void() -> None:
    one = known("eu", 2, "e1", document(1, "eu", email="a"))
    other = known("us", 1, "e2", document(1, "eu", email="a"))
    one = Known(one.user.but(epoch_version={"eu": 2}), one.document)
    other = Known(other.user.but(epoch_version={"eu": 1, "us": 1}), other.document)
    epoch = both_of(one, other).user.epoch
    assert epoch == both_of(other, one).user.epoch
    assert epoch not in ("e1", "e2")


def test_epoch_of_a_join_is_the_same_whichever_epochs_it_met_before() -> None:
    """A join that has seen one more epoch on its way is of the same version: and ends other sessions than
    an earlier join does."""

    def changed(count: int, epoch: str, version: dict[str, int]) -> Known:
        known_of = known("us" if "us" in version else "eu", count, epoch, document(1, "eu", email="a"))
        return Known(known_of.user.but(epoch=epoch, epoch_version=version), known_of.document)

    one = changed(3, "e1", {"eu": 3})
    older, newer = changed(2, "e2", {"eu": 1, "us": 2}), changed(3, "e3", {"eu": 1, "us": 3})
    straight, by_way = both_of(one, newer), both_of(both_of(one, older), newer)
    assert straight.user.epoch == by_way.user.epoch
    assert straight.user.version == by_way.user.version
    assert both_of(one, older).user.epoch != by_way.user.epoch


def test_edit_of_a_profile_leaves_the_newer_epoch() -> None:
    one = known("eu", 3, "new", document(3, "eu", email="a"))
    one = Known(one.user.but(epoch="new", epoch_version={"eu": 3}), one.document)
    other = known("us", 1, "old", document(1, "eu", email="a"))
    assert both_of(one, other).user.epoch == both_of(other, one).user.epoch == "new"


def test_old_hash_that_was_removed_stays_removed() -> None:
    removed = document(1, "eu", **{OLD_HASH: "hash"})
    removed.edit({OLD_HASH: None}, 2, "eu")
    again = document(9, "us", **{OLD_HASH: "the same password"})
    assert removed.joined(again)[OLD_HASH] is None
    assert again.joined(removed)[OLD_HASH] is None


def test_verified_belongs_to_the_address_that_was_verified() -> None:
    one = document(1, "eu", email="a", email_verified=True)
    other = document(5, "us", email="b")
    both = one.joined(other)
    assert (both["email"], both["email_verified"]) == ("b", None)


def test_what_did_not_know_that_the_mailbox_was_shown_counts_no_more() -> None:
    before = document(1, "eu", email="a", secret="old", given_name="Ada", locale="pt")
    shown, stranger = (Document.from_bytes(before.to_bytes()) for _ in range(2))
    shown.edit({"reset": "e1", "secret": "new"}, 5, "eu")
    stranger.edit({"secret": "stranger's", "totp": "stranger's", "given_name": "Stranger"}, 9, "us")
    clean = Document.from_bytes(shown.to_bytes())
    clean.edit({"cleaned": "e1", "given_name": None}, 6, "eu")
    for mine, given_name in ((shown, "Stranger"), (clean, None)):
        for both in (mine.joined(stranger), stranger.joined(mine)):
            assert [both[name] for name in ("secret", "totp", "given_name", "locale")] == [
                "new", None, given_name, "pt",
            ]  # fmt: skip
            both.edit({"secret": "newer"}, 10, "us")
            assert mine.joined(both)["secret"] == both.joined(mine)["secret"] == "newer"


def test_new_password_by_mail_stands_above_no_address_or_company() -> None:
    shown = document(1, "eu", **{"email": "a", "company.shop": {}})
    other = Document.from_bytes(shown.to_bytes())
    shown.edit({"reset": "e1", "secret": "new"}, 5, "eu")
    other.edit({"email": "b", "company.mill": {}, "given_name": "Ada"}, 9, "us")
    both = shown.joined(other)
    assert [both[name] for name in ("secret", "email", "company.mill", "given_name")] == [
        "new",
        "b",
        {},
        "Ada",
    ]


def test_value_that_is_set_again_beats_an_older_edit_elsewhere_if_it_is_set_anew() -> None:
    other = document(1, "eu", given_name="Ada")
    other.edit({"given_name": "Eve"}, 5, "us")
    for anew, then in ((False, "Eve"), (True, "Ada")):
        one = document(1, "eu", given_name="Ada")
        one.edit({"given_name": "Ada"}, 9, "eu", anew=anew)
        assert one.joined(other)["given_name"] == other.joined(one)["given_name"] == then


def test_code_that_was_spent_in_three_ways_joins_in_any_order() -> None:
    """What is final is so whatever a mailbox showed, and of two removals the later one is told."""
    code = "recovery_code.f1.l1.0"
    spent = document(3, "eu", **{code: "x"})
    spent.edit({code: None}, 4, "eu")
    shown = document(5, "us", **{code: "x", "reset": "e1"})
    both = document(4, "ap", **{code: "x", "reset": "e0"})
    both.edit({code: None}, 9, "ap")
    orders = list(itertools.permutations((spent, shown, both)))
    joins = {one.joined(other).joined(third).to_bytes() for one, other, third in orders}
    joins |= {one.joined(other.joined(third)).to_bytes() for one, other, third in orders}
    assert len(joins) == 1
    assert Document.from_bytes(joins.pop())[code] is None


def test_hash_imported_before_a_new_password_elsewhere_is_void() -> None:
    chosen = document(5, "eu", secret="new")
    one = known("eu", 4, "e4", chosen)
    one = Known(one.user.but(epoch="e4", epoch_version={"eu": 4}), chosen)
    key = '["shop", "1"]'
    for imported, kept in ((3, False), (7, True)):
        theirs = document(0, "us", **{f"old_hash.{key}": "old"})
        theirs.edit({f"company_id.{key}": True}, imported, "us")
        other = known("us", 1, "e0", theirs)
        for both in (both_of(one, other), both_of(other, one)):
            assert both.document is not None
            assert (both.document[f"old_hash.{key}"] is not None) == kept


def test_document_of_an_account_that_was_merged_elsewhere_waits_to_be_carried_over() -> None:
    edited = document(3, "eu", email="a", secret="new", given_name="Late")
    live = known("eu", 2, "e0", edited)
    ended = User("u", "merged", ts="1", version={"eu": 1, "us": 1}, merged_into="v", epoch="e1")
    for both in (both_of(live, Known(ended, None)), both_of(Known(ended, None), live)):
        assert (both.user.status, both.user.merged_into, both.user.unsettled) == ("merged", "v", True)
        assert not both.user.claims
        assert both.document is not None
        assert all(both.document.same(edited, name) for name in ("email", "secret", "given_name"))
