"""When two accounts are one person's, and what the one that stays takes over."""

from __future__ import annotations

from typing import Any

import pytest

from auth.identity import Document, joined_addresses, origin_key, shared_identifier, tick


def document(**fields: Any) -> Document:
    made = Document()
    made.edit(fields, 1, "eu")
    return made


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ({"email": "a", "email_verified": True}, {"email": "a", "email_verified": True}, "email"),
        ({"phone": "1", "phone_verified": True}, {"phone": "1", "phone_verified": True}, "phone"),
        ({"email": "a", "email_verified": True}, {"email": "a", "email_verified": False}, None),
        ({"email": "a", "email_verified": False}, {"email": "a", "email_verified": True}, None),
        ({"email": "a"}, {"email": "a"}, None),
        ({"email": "a", "email_verified": True}, {"email": "b", "email_verified": True}, None),
        ({"email_verified": True}, {"email_verified": True}, None),
        ({}, {}, None),
    ],
)
def test_only_what_is_verified_on_both_makes_two_accounts_one(
    one: dict[str, Any], other: dict[str, Any], shared: str | None
) -> None:
    assert shared_identifier(document(**one), document(**other)) == shared


def older(**fields: Any) -> Document:
    """A record from before a company had several ids of one person."""
    return Document.from_bytes(document(**fields).to_bytes())


def merge(stays: Document, ends: Document) -> None:
    stays.absorb("stays", "ends", ends, tick(2, "eu", stays.latest))


def test_what_is_there_stays_and_what_is_lacking_is_filled_in() -> None:
    stays = older(name="Ada", secret="s1", email="a@example.org", **{"company.shop": {"id": "1"}})
    ends = older(
        name="A. L.", country="PT", secret="s2", email="b@example.org", email_verified=True, phone="+1",
        **{"company.bank": {"id": "2"}, "company.shop": {"id": "9"}, "old_hash.bank": {"scheme": "bcrypt"}},
    )  # fmt: skip
    merge(stays, ends)
    assert stays.profile() == {
        "name": "Ada",
        "country": "PT",
        "email": "a@example.org",
        "email_verified": False,
        "phone": "+1",
        "phone_verified": False,
        "companies": {"shop": {"ids": ["1", "9"]}, "bank": {"ids": ["2"]}},
    }
    assert stays["secret"] == "s1"
    assert stays.old_hashes() == {origin_key("bank", "2"): {"scheme": "bcrypt"}}


def test_a_password_is_taken_over_only_by_who_has_none() -> None:
    for own, then in ((None, "s"), ("mine", "mine")):
        stays = document(**({"secret": own} if own else {}))
        merge(stays, document(secret="s"))
        assert stays["secret"] == then


@pytest.mark.parametrize(
    "name",
    ["email", "email_verified", "email_pending", "email_previous.x", "recovery", "totp_pending", "imported"],
)
def test_what_is_under_way_or_is_an_accounts_own_ends_with_it(name: str) -> None:
    stays = document(name="Ada")
    merge(stays, document(**{"email": "a@example.org", name: "theirs"}))
    assert stays[name] is None


@pytest.mark.parametrize("other_is_older", [True, False])
def test_every_id_and_hash_of_a_company_is_kept(*, other_is_older: bool) -> None:
    """Of older records too, which had one of each: `company.<company>` and `old_hash.<company>`."""
    one = older(
        **{f"company_id.{origin_key('shop', '1')}": True, f"old_hash.{origin_key('shop', '1')}": {"n": 1}}
    )
    other = older(**{"company.shop": {"id": "2"}, "old_hash.shop": {"n": 2}})
    stays, ends = (one, other) if other_is_older else (other, one)
    merge(stays, ends)
    assert stays.origins() == {("shop", "1"), ("shop", "2")}
    assert stays.old_hashes() == {origin_key("shop", "1"): {"n": 1}, origin_key("shop", "2"): {"n": 2}}
    assert stays.companies() == {"shop"}
    assert stays.profile()["companies"] == {"shop": {"ids": ["1", "2"]}}


def test_two_older_records_of_a_company_keep_both_ids_and_hashes() -> None:
    one, other = (older(**{"company.shop": {"id": each}, "old_hash.shop": {"n": each}}) for each in "12")
    merge(one, other)
    assert one.origins() == {("shop", "1"), ("shop", "2")}
    assert one.old_hashes() == {origin_key("shop", "1"): {"n": "1"}, origin_key("shop", "2"): {"n": "2"}}


def test_hash_that_was_removed_under_its_newer_name_stays_removed() -> None:
    read = older(**{"company.shop": {"id": "1"}, "old_hash.shop": {"n": 1}})
    read.edit({f"old_hash.{origin_key('shop', '1')}": None}, 2, "eu")
    again = older(**{"company.shop": {"id": "1"}, "old_hash.shop": {"n": 1}})
    for both in (read.joined(again), again.joined(read)):
        assert not both.old_hashes()


A, B, C = ({"email": f"{name}@example.org"} for name in "abc")


@pytest.mark.parametrize(
    ("one", "other", "main", "also"),
    [
        ((A, True), (B, True), "a", {"b"}),
        ((A, False), (B, True), "b", set()),
        ((A, True), (B, False), "a", set()),
        ((A, False), (B, False), "a", set()),
        ((A, False), (A, True), "a", set()),
        ((A, True), (A, False), "a", set()),
        ((None, False), (B, False), "b", set()),
        ((None, False), (None, False), "", set()),
    ],
)
def test_verified_address_comes_before_one_that_nobody_has_shown_to_be_theirs(
    one: Any, other: Any, main: str, also: set[str]
) -> None:
    documents, indexes = [], []
    for fields, good in (one, other):
        documents.append(document(**fields, email_verified=good) if fields else document())
        indexes.append(fields["email"][0] if fields else "")
    found, changes = joined_addresses(documents[0], indexes[0], documents[1], indexes[1])
    assert found == main
    documents[0].edit(changes, 2, "eu")
    assert documents[0]["email"] == (f"{main}@example.org" if main else None)
    assert bool(documents[0]["email_verified"]) is any(good for fields, good in (one, other) if fields)
    assert {index for index, _ in documents[0].family("email_also")} == also


def test_further_address_becomes_the_main_one_where_no_main_one_is_verified() -> None:
    one = document(**A, **{"email_also.c": "c@example.org"})
    main, changes = joined_addresses(one, "a", document(**B, **{"email_also.a": "a@example.org"}), "b")
    one.edit(changes, 2, "eu")
    assert (main, one["email"], one["email_verified"]) == ("c", "c@example.org", True)
    assert dict(one.family("email_also")) == {"a": "a@example.org"}
