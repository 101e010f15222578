"""The list of breached passwords, and the forms under which a password is looked up."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.credentials.breached import ENTRY, entry, forms, is_breached
from local.breached_list import ENTRIES, LIST, LIST_SHA256, build

WORDS = (
    "anchor", "basil", "copper", "drizzle", "ember", "fathom", "gravel", "harbour", "ivory", "juniper",
    "kestrel", "lantern", "meadow", "nimbus", "orchid", "pebble", "quarry", "rustic", "saffron", "timber",
    "umbrella", "velvet", "walnut", "yonder", "zephyr",
)  # fmt: skip


@pytest.mark.parametrize(
    "password",
    [
        "password", "12345678", "qwertyuiop", "iloveyou", "trustno1", "1qaz2wsx", "football",
        "manchesterunited", "123456789987654321", "q1w2e3r4t5y6u7i8", "1234567890qwerty",
    ],
)  # fmt: skip
def test_what_is_used_most_is_found(password: str) -> None:
    assert is_breached(password)


@pytest.mark.parametrize(
    "password",
    [
        "PASSWORD", "Ｐａｓｓｗｏｒｄ", "password2024", "2024password!", "Password12345678",
        "!!!! letmein !!!!", "passwordpassword", "PasswordPassword1", "password1password1", "monkeymonkeymon",
        "1234567890123456", "Dragon99!Dragon99!", "aaaaaaaaaaaaaaaa", "xkxkxkxkxkxkxkxk", "zq8zq8zq8zq8zq8",
        "   qwertyuiop   ",
    ],
)  # fmt: skip
def test_what_is_made_of_it_is_found(password: str) -> None:
    assert is_breached(password)


@pytest.mark.parametrize(
    "password",
    ["correct horse battery staple", "correcthorsebatterystaple", "Tr0ub4dor&3-and-more", "918273640517382"],
)
def test_what_is_long_and_not_used_is_not_found(password: str) -> None:
    assert not is_breached(password)


def test_no_passphrase_and_no_random_password_is_found_by_chance() -> None:
    rng = random.Random(20180221)
    phrases = (" ".join(rng.sample(WORDS, 3)) for _ in range(5000))
    joined = ("".join(rng.sample(WORDS, 3)).title() + str(rng.randrange(100)) for _ in range(5000))
    noise = (
        "".join(rng.choices("abcdefghijkmnpqrstuvwxyzACDEFGHJKLMNPQRTUVWXY34679", k=15)) for _ in range(5000)
    )
    assert [
        password for group in (phrases, joined, noise) for password in group if is_breached(password)
    ] == []


def test_the_list_is_sorted_without_repetitions_and_small() -> None:
    content = LIST.read_bytes()
    entries = [content[at : at + ENTRY] for at in range(0, len(content), ENTRY)]
    assert len(entries) == ENTRIES
    assert entries == sorted(set(entries))
    assert len(content) <= 400_000


def test_the_list_is_the_one_that_the_packages_give() -> None:
    assert hashlib.sha256(LIST.read_bytes()).hexdigest() == LIST_SHA256


def test_of_a_million_forms_that_are_not_on_the_list_one_at_most_looks_as_if() -> None:
    # With e entries of 5 bytes, a form is taken for one of them with probability e / 2^40.
    assert ENTRIES / 2 ** (8 * ENTRY) < 1e-6


def test_the_list_holds_the_first_that_no_earlier_one_covers() -> None:
    passwords = ["Password", "", "abc", "abab", "password1", "passwordpassword", "secret", "dragon", "monkey"]
    assert build(passwords, entries=3) == b"".join(sorted(map(entry, ["password", "secret", "dragon"])))


@given(st.lists(st.text(max_size=12)))
def test_the_list_does_not_depend_on_repetitions(passwords: list[str]) -> None:
    assert build(passwords) == build(passwords + passwords)


@given(st.text())
def test_forms_get_ever_shorter(password: str) -> None:
    found = forms(password)
    assert all(len(form) <= len(found[0]) for form in found)
    assert len(found) == len(set(found))


@given(st.text("abcdefghijklmnop", min_size=4), st.text("0123456789!?-_ "), st.text("0123456789!?-_ "))
def test_digits_and_signs_around_a_word_hide_nothing(word: str, before: str, after: str) -> None:
    assert word in forms(before + word.upper() + after)


@given(st.text("abcdefghijklmnop", min_size=1), st.integers(2, 5))
def test_a_repetition_hides_nothing(word: str, times: int) -> None:
    found = forms(word * times)
    assert any(word == form * (len(word) // len(form)) for form in found)
    assert min(found, key=len) in forms(word)
