"""What counts of two accounts that became one, where both may have been edited in two regions."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from auth.identity import Document, origin_key, tick

ORIGIN = origin_key("shop", "1")
HASH = f"old_hash.{ORIGIN}"
MERGE = tick(10, "eu")


def document(now: int, region: str, **fields: Any) -> Document:
    made = Document()
    made.edit(fields, now, region)
    return made


def copy(of: Document) -> Document:
    return Document.from_bytes(of.to_bytes())


def merged(stays: Document, ends: Document, at: str = MERGE) -> Document:
    made = copy(stays)
    made.absorb("stays", "ends", copy(ends), at)
    return made


@pytest.mark.parametrize("field", ["given_name", "phone", "company.shop"])
@pytest.mark.parametrize("when", [11, 99])
def test_edit_after_the_merge_counts_whichever_account_it_was_made_in(field: str, when: int) -> None:
    stays, ends = document(1, "eu", **{field: "first"}), document(2, "us", **{field: "second"})
    both = merged(stays, ends)
    assert both[field] == "first"
    ends.edit({field: "late"}, when, "us")
    assert merged(both, ends)[field] == "late"
    assert merged(stays, ends)[field] == "late"
    both.edit({field: "later still"}, 100, "eu")
    assert merged(both, ends)[field] == "later still"


def test_edit_before_the_merge_fills_only_what_is_lacking() -> None:
    stays, ends = document(1, "eu", given_name="Ada"), document(9, "us", given_name="A.", family_name="King")
    both = merged(stays, ends)
    assert (both["given_name"], both["family_name"]) == ("Ada", "King")
    both.edit({"family_name": None}, 11, "eu")
    assert both["family_name"] is None
    assert merged(both, ends)["family_name"] is None


def test_password_of_a_merged_account_replaces_none_even_if_it_is_later() -> None:
    stays, ends = document(1, "eu", secret="own"), document(2, "us", secret="theirs")
    ends.edit({"secret": "late"}, 20, "us")
    assert merged(stays, ends)["secret"] == "own"
    assert merged(document(1, "eu", email="a"), ends)["secret"] == "late"


def test_removal_after_the_merge_counts() -> None:
    stays, ends = document(1, "eu", email="a"), document(2, "us", given_name="Ada")
    both = merged(stays, ends)
    ends.edit({"given_name": None}, 11, "us")
    assert merged(both, ends)["given_name"] is None


def test_the_earlier_of_two_merges_says_what_is_late() -> None:
    """Whichever region merged first, and whichever record comes to which."""
    stays, ends = document(1, "eu", given_name="Ada"), document(1, "us", given_name="A.")
    late = copy(ends)
    late.edit({"given_name": "Late"}, 20, "us")
    early, later = merged(stays, late, tick(15, "us")), merged(stays, late, tick(25, "eu"))
    assert (early["given_name"], later["given_name"]) == ("Late", "Ada")
    for one, other in itertools.permutations((early, later)):
        assert one.joined(other)["given_name"] == "Late"


def test_the_earlier_of_two_opposite_merges_says_what_is_late() -> None:
    stays, ends = document(1, "eu", given_name="Ada"), document(1, "us", given_name="A.")
    late = copy(ends)
    late.edit({"given_name": "Late"}, 20, "us")
    late.absorb("ends", "stays", copy(stays), tick(15, "us"))
    both = copy(stays)
    both.absorb("stays", "ends", late, tick(25, "eu"))
    assert both["given_name"] == "Late"


def test_edits_of_both_accounts_are_late_through_another_one() -> None:
    """One that was taken over by one that was taken over."""
    first, second, third = (document(1, "eu", given_name=each) for each in ("one", "two", "three"))
    second.absorb("second", "third", copy(third), MERGE)
    first.absorb("first", "second", second, tick(12, "eu"))
    third.edit({"given_name": "late"}, 13, "us")
    first.absorb("first", "third", third, tick(14, "eu"))
    assert first["given_name"] == "late"
    assert first.taken("third") is not None


def test_second_factor_stays_whatever_becomes_of_the_other_accounts_one() -> None:
    factor = {"totp": "the owner's", "recovery_code.f1.0": "code"}
    for theirs in ({"totp": None}, {"totp": "another", "recovery_code.f2.0": "another"}):
        stays, ends = document(1, "eu", **factor), document(0, "us", totp="x")
        both = merged(stays, ends)
        ends.edit(theirs, 19, "us")
        for each in (merged(both, ends), merged(stays, ends)):
            assert {name: each[name] for name in factor} == factor


def test_second_factor_that_came_from_an_account_follows_it() -> None:
    codes = {"recovery_code.f1.0": "a", "recovery_code.f1.1": "b"}
    ends = document(1, "us", totp="secret", **codes)
    both = merged(document(2, "eu", email="a"), ends)
    ends.edit({"recovery_code.f1.0": None}, 15, "us")
    both = merged(both, ends)
    assert [both[name] for name in ("totp", *codes)] == ["secret", None, "b"]
    ends.edit({"totp": None, "recovery_code.f1.1": None}, 16, "us")
    both = merged(both, ends)
    assert [both[name] for name in ("totp", *codes)] == [None, None, None]


def test_second_factor_that_was_ended_does_not_come_back_with_a_merge() -> None:
    stays = document(1, "eu", totp="own")
    stays.edit({"totp": None}, 5, "eu")
    assert merged(stays, document(4, "us", totp="older"))["totp"] is None
    assert merged(stays, document(6, "us", totp="newer"))["totp"] == "newer"


def test_code_that_was_spent_in_either_region_is_spent() -> None:
    ends = document(1, "us", **{"totp": "secret", "recovery_code.f1.0": "a"})
    here = merged(document(2, "eu", email="a"), ends)
    here.edit({"recovery_code.f1.0": None}, 12, "eu")
    assert merged(here, ends)["recovery_code.f1.0"] is None
    ends.edit({"recovery_code.f1.0": None}, 5, "us")
    there = merged(document(2, "eu", email="a"), ends)
    assert here.joined(there)["recovery_code.f1.0"] is None


def test_code_that_was_spent_before_one_of_two_merges_of_an_account_is_spent() -> None:
    """Two regions merged it into an account each, and these were merged then."""
    third = document(1, "us", **{"totp": "secret", "recovery_code.f1.0": "a"})
    first, second = document(2, "eu", email="a"), document(2, "us", email="b")
    first.absorb("first", "third", copy(third), MERGE)
    third.edit({"recovery_code.f1.0": None}, 5, "us")
    second.absorb("second", "third", third, MERGE)
    first.absorb("first", "second", second, tick(12, "eu"))
    assert (first["totp"], first["recovery_code.f1.0"]) == ("secret", None)


@pytest.mark.parametrize("whose", ["stays", "ends"])
def test_hash_that_was_removed_of_either_account_is_removed_for_ever(whose: str) -> None:
    fields = {HASH: "hash", f"company_id.{ORIGIN}": True}
    removed, again = document(1, "eu", **fields), document(9, "us", **fields)
    removed.edit({HASH: None}, 2, "eu")
    both = merged(removed, again) if whose == "stays" else merged(again, removed)
    assert both[HASH] is None
    assert not both.old_hashes()


@pytest.mark.parametrize(
    ("chosen", "imported", "kept"),
    [
        pytest.param({"stays": 20}, 15, False, id="survivor's new password, after the merge"),
        pytest.param({"stays": 9}, 5, True, id="survivor's password of before the merge"),
        pytest.param({"stays": 20}, 25, True, id="imported after the new password"),
        pytest.param({"ends": 8}, 5, False, id="own new password, that did not know of it"),
        pytest.param({"ends": 20}, 15, False, id="own new password, after the merge"),
        pytest.param({"ends": 4}, 5, True, id="imported after the own password"),
    ],
)
def test_hash_is_void_after_a_new_password_that_did_not_know_of_it(
    chosen: dict[str, int], imported: int, kept: bool
) -> None:
    people = {"stays": document(1, "eu", email="a"), "ends": document(1, "us", email="b")}
    for name, when in chosen.items():
        people[name].edit({"secret": "new"}, when, "eu")
    line = document(0, "us", **{HASH: "hash"})
    line.edit({f"company_id.{ORIGIN}": True}, imported, "us")
    both = merged(people["stays"], people["ends"].joined(line))
    assert bool(both.old_hashes()) is kept


def test_hash_that_a_new_password_removed_stays_removed_wherever_the_line_comes_again() -> None:
    """Even if the line was imported after the password was chosen, in a region that did not know of it."""
    line = document(1, "eu", **{HASH: "hash", f"company_id.{ORIGIN}": True})
    reset = copy(line)
    reset.edit({"secret": "new", HASH: None}, 5, "eu")
    again = document(9, "us", **{HASH: "hash", f"company_id.{ORIGIN}": True})
    for both in (reset.joined(again), merged(reset, again), merged(again, reset)):
        assert not both.old_hashes()


@pytest.mark.parametrize("when", [8, 20])
def test_replaced_hash_is_void_with_the_account_that_it_came_from(when: int) -> None:
    """A log-in to the account that goes on replaces it, and its person chooses a password elsewhere."""
    ends = document(0, "us", **{HASH: "hash"})
    ends.edit({f"company_id.{ORIGIN}": True}, 5, "us")
    both = merged(document(1, "eu", email="a"), ends)
    both.replace_hash({"secret": "replaced", HASH: None})
    assert merged(both, ends)["secret"] == "replaced"
    ends.edit({"secret": "new", HASH: None}, when, "us")
    assert merged(both, ends)["secret"] == "new"


def test_password_that_a_person_chose_is_void_with_no_hash() -> None:
    ends = document(0, "us", **{HASH: "hash"})
    ends.edit({f"company_id.{ORIGIN}": True}, 5, "us")
    both = merged(document(1, "eu", email="a"), ends)
    both.edit({"secret": "own", HASH: None}, 15, "eu")
    ends.edit({"secret": "late", HASH: None}, 20, "us")
    assert merged(both, ends)["secret"] == "own"


def test_account_that_two_took_over_is_the_same_in_both() -> None:
    """The one that has it as it was before does not bring back what was removed."""
    first, second = document(2, "eu", email="a"), document(2, "us", email="b")
    third = document(1, "us", totp="factor", given_name="Ada", phone="+1")
    first.absorb("first", "third", copy(third), MERGE)
    third.edit(dict.fromkeys(("totp", "given_name", "phone")), 5, "us")
    second.absorb("second", "third", third, MERGE)
    one, other = copy(first), copy(first)
    one.absorb("first", "second", copy(second), tick(12, "eu"))
    other.absorb("first", "second", document(2, "us", email="b"), tick(12, "eu"))
    late = document(2, "eu", email="a")
    late.absorb("first", "second", copy(second), tick(12, "us"))
    for both in (one, other.joined(late), late.joined(other)):
        assert [both[name] for name in ("totp", "given_name", "phone")] == [None, None, None]


def test_late_edits_that_a_proof_of_the_mailbox_did_not_know_of_count_no_more() -> None:
    stays, ends = document(1, "eu", email="a"), document(2, "us", given_name="Ada", totp="own")
    both = merged(stays, ends)
    both.edit({"reset": "e1", "cleaned": "e1", "secret": "new"}, 15, "eu")
    ends.edit({"secret": "stranger's", "given_name": "Stranger", "totp": "stranger's"}, 20, "us")
    late = merged(both, ends)
    assert [late[name] for name in ("secret", "given_name", "totp")] == ["new", "Ada", "own"]
    stays.edit({"reset": "e1", "secret": "new"}, 15, "eu")
    without = merged(stays, document(1, "us", given_name="Ada"), tick(12, "eu"))
    ends = document(1, "us", given_name="Ada")
    ends.edit({"totp": "stranger's"}, 20, "us")
    assert merged(without, ends)["totp"] is None


def test_late_edits_that_a_proof_of_the_mailbox_knew_of_stay() -> None:
    stays, ends = document(1, "eu", email="a"), document(2, "us", given_name="Ada")
    ends.edit({"given_name": "Late", "totp": "factor", "recovery_code.f1.0": "code"}, 15, "us")
    both = merged(stays, ends)
    both.edit({"reset": "e1", "cleaned": "e1", "secret": "new"}, 20, "eu")
    names = ("secret", "given_name", "totp", "recovery_code.f1.0")
    assert [both[name] for name in names] == ["new", "Late", "factor", "code"]


def test_replaced_hash_loses_to_a_new_password() -> None:
    ended = document(1, "us", secret="old", **{HASH: "hash"})
    ended.replace_hash({"secret": "upgraded", HASH: None})
    reset = document(2, "eu", secret="new")
    assert ended.joined(reset)["secret"] == "new"
    assert reset.joined(ended)["secret"] == "new"


def test_number_and_what_is_said_of_it_are_of_one_account() -> None:
    stays = document(1, "eu", phone="+1")
    ends = document(2, "us", phone="+2", phone_verified=True)
    both = merged(stays, ends)
    assert (both["phone"], both["phone_verified"]) == ("+1", None)
    lacking = merged(document(1, "eu", email="a"), ends)
    assert (lacking["phone"], lacking["phone_verified"]) == ("+2", True)
    lacking.edit({"phone": "+3", "phone_verified": True}, 12, "eu")
    assert (lacking["phone"], lacking["phone_verified"]) == ("+3", True)
    only = merged(document(1, "eu", email="a"), document(1, "us", phone="+4"))
    only.edit({"phone_verified": True}, 12, "eu")
    assert (only["phone"], only["phone_verified"]) == ("+4", True)
