"""Documents: fields with the time of their last edit."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auth.identity import Document, origin_key

EDITS = st.lists(
    st.tuples(st.dictionaries(st.sampled_from("abc"), st.none() | st.integers(0, 3)), st.integers(0, 99))
)


@given(EDITS)
def test_a_document_survives_being_stored(edits: list[tuple[dict[str, Any], int]]) -> None:
    document = Document()
    for changes, now in edits:
        document.edit(changes, now, "eu")
    again = Document.from_bytes(document.to_bytes())
    assert again.to_bytes() == document.to_bytes()
    assert again.latest == document.latest


@given(EDITS)
def test_a_field_has_its_last_value(edits: list[tuple[dict[str, Any], int]]) -> None:
    document, expected = Document(), dict[str, Any]()
    for changes, now in edits:
        document.edit(changes, now, "eu")
        expected |= changes
    assert {name: document[name] for name in expected} == expected


def test_an_edit_that_changes_nothing_leaves_the_clock_alone() -> None:
    document = Document()
    document.edit({"name": "Ada"}, 10, "eu")
    before = document.latest
    document.edit({"name": "Ada"}, 20, "eu")
    assert document.latest == before


def test_a_removal_is_an_edit_with_a_time_of_its_own() -> None:
    document = Document()
    document.edit({"name": "Ada"}, 10, "eu")
    before = document.latest
    document.edit({"name": None}, 20, "eu")
    assert document["name"] is None
    assert document.latest > before


def test_entries_of_a_family_are_told_apart() -> None:
    document = Document()
    document.edit(
        {"company.shop": {"id": "1"}, "company.bank": {"id": "2"}, "company.old": None, "companyx": 1},
        1,
        "eu",
    )
    assert dict(document.family("company")) == {"shop": {"id": "1"}, "bank": {"id": "2"}}


def test_a_profile_shows_no_secret() -> None:
    document = Document()
    document.edit(
        {"email": "a@example.org", "secret": "s", "totp": "t", "old_hash.shop": {}, "given_name": "Ada"},
        1,
        "eu",
    )
    assert document.profile() == {"given_name": "Ada", "email": "a@example.org", "email_verified": False}


def test_a_profile_shows_the_ids_in_companies_systems() -> None:
    document = Document()
    ids = {f"company_id.{origin_key('shop', person)}": True for person in ("2", "1", 'a"], b')}
    document.edit({"company.club": {}, "company.bank": {"id": "9"}, **ids}, 1, "eu")
    assert Document.from_bytes(document.to_bytes()).profile() == {
        "companies": {"club": {"ids": []}, "bank": {"ids": ["9"]}, "shop": {"ids": ["1", "2", 'a"], b']}}
    }


@given(st.text(max_size=5), st.text(max_size=5), st.text(max_size=5), st.text(max_size=5))
def test_no_two_origins_have_one_key(company: str, person: str, other: str, second: str) -> None:
    assert (origin_key(company, person) == origin_key(other, second)) == (
        (company, person) == (other, second)
    )
