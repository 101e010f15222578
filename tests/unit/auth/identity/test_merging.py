"""When two accounts are one person's, and what the one that stays takes over."""

from __future__ import annotations

from typing import Any

import pytest

from auth.identity import Document, joined_addresses, origin_key, shared_identifier, taken_over


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


def test_what_is_there_stays_and_what_is_lacking_is_filled_in() -> None:
    stays = document(name="Ada", secret="s1", email="a@example.org", **{"company.shop": {"id": "1"}})
    ends = document(
        name="A. L.", country="PT", secret="s2", email="b@example.org", email_verified=True, phone="+1",
        **{"company.bank": {"id": "2"}, "company.shop": {"id": "9"}, "old_hash.bank": {"scheme": "bcrypt"}},
    )  # fmt: skip
    assert taken_over(stays, ends) == {
        "country": "PT",
        "phone": "+1",
        "phone_verified": None,
        "company.bank": {},
        f"company_id.{origin_key('bank', '2')}": True,
        f"company_id.{origin_key('shop', '9')}": True,
        f"old_hash.{origin_key('bank', '2')}": {"scheme": "bcrypt"},
    }


def test_a_password_is_taken_over_only_by_who_has_none() -> None:
    assert taken_over(document(), document(secret="s"))["secret"] == "s"
    assert "secret" not in taken_over(document(secret="mine"), document(secret="s"))


def test_every_id_and_hash_of_a_company_is_kept() -> None:
    """Of older records too, which had one of each: `company.<company>` and `old_hash.<company>`."""
    newer = document(
        **{f"company_id.{origin_key('shop', '1')}": True, f"old_hash.{origin_key('shop', '1')}": {"n": 1}}
    )
    older = document(**{"company.shop": {"id": "2"}, "old_hash.shop": {"n": 2}})
    for one, other in ((newer, older), (older, newer)):
        one.edit(taken_over(one, other), 2, "eu")
        assert one.origins() == {("shop", "1"), ("shop", "2")}
        assert one.old_hashes() == {origin_key("shop", "1"): {"n": 1}, origin_key("shop", "2"): {"n": 2}}
        assert len(list(one.family("old_hash"))) == 2
        assert one.profile()["companies"] == {"shop": {"ids": ["1", "2"]}}
        assert taken_over(one, other) == {}


A, B, C = ({"email": f"{name}@example.org"} for name in "abc")


@pytest.mark.parametrize(
    ("one", "other", "main", "also", "lost"),
    [
        ((A, True), (B, True), "a", {"b"}, []),
        ((A, False), (B, True), "b", set(), ["a"]),
        ((A, True), (B, False), "a", set(), ["b"]),
        ((A, False), (B, False), "a", set(), ["b"]),
        ((A, False), (A, True), "a", set(), []),
        ((A, True), (A, False), "a", set(), []),
        ((None, False), (B, False), "b", set(), []),
        ((None, False), (None, False), "", set(), []),
    ],
)
def test_verified_address_comes_before_one_that_nobody_has_shown_to_be_theirs(
    one: Any, other: Any, main: str, also: set[str], lost: list[str]
) -> None:
    documents, indexes = [], []
    for fields, good in (one, other):
        documents.append(document(**fields, email_verified=good) if fields else document())
        indexes.append(fields["email"][0] if fields else "")
    found, changes, let_go = joined_addresses(documents[0], indexes[0], documents[1], indexes[1])
    assert (found, let_go) == (main, lost)
    documents[0].edit(changes, 2, "eu")
    assert documents[0]["email"] == (f"{main}@example.org" if main else None)
    assert bool(documents[0]["email_verified"]) is any(good for fields, good in (one, other) if fields)
    assert {index for index, _ in documents[0].family("email_also")} == also


def test_further_address_becomes_the_main_one_where_no_main_one_is_verified() -> None:
    one = document(**A, **{"email_also.c": "c@example.org"})
    main, changes, lost = joined_addresses(one, "a", document(**B, **{"email_also.a": "a@example.org"}), "b")
    one.edit(changes, 2, "eu")
    assert (main, one["email"], one["email_verified"], lost) == ("c", "c@example.org", True, ["b"])
    assert dict(one.family("email_also")) == {"a": "a@example.org"}
