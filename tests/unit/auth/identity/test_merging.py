"""When two accounts are one person's, and what the one that stays takes over."""

from __future__ import annotations

from typing import Any

import pytest

from auth.identity import Document, origin_key, shared_identifier, taken_over


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
    assert taken_over(stays, ends, "index-of-b") == {
        "country": "PT",
        "phone": "+1",
        "phone_verified": None,
        "company.bank": {},
        f"company_id.{origin_key('bank', '2')}": True,
        f"company_id.{origin_key('shop', '9')}": True,
        f"old_hash.{origin_key('bank', '2')}": {"scheme": "bcrypt"},
        "email_also.index-of-b": "b@example.org",
    }


def test_a_password_is_taken_over_only_by_who_has_none() -> None:
    assert taken_over(document(), document(secret="s"), "")["secret"] == "s"
    assert "secret" not in taken_over(document(secret="mine"), document(secret="s"), "")


def test_every_id_and_hash_of_a_company_is_kept() -> None:
    """Of older records too, which had one of each: `company.<company>` and `old_hash.<company>`."""
    newer = document(
        **{f"company_id.{origin_key('shop', '1')}": True, f"old_hash.{origin_key('shop', '1')}": {"n": 1}}
    )
    older = document(**{"company.shop": {"id": "2"}, "old_hash.shop": {"n": 2}})
    for one, other in ((newer, older), (older, newer)):
        one.edit(taken_over(one, other, ""), 2, "eu")
        assert one.origins() == {("shop", "1"), ("shop", "2")}
        assert one.old_hashes() == {origin_key("shop", "1"): {"n": 1}, origin_key("shop", "2"): {"n": 2}}
        assert len(list(one.family("old_hash"))) == 2
        assert one.profile()["companies"] == {"shop": {"ids": ["1", "2"]}}
        assert taken_over(one, other, "") == {}
