"""New passwords, hashes, and what it costs to check one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import argon2.low_level
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auth.credentials import argon2id, legacy
from auth.credentials.passwords import (
    LONGEST,
    Policy,
    Verdict,
    check_new,
    hash_password,
    needs_rehash,
    verify,
)
from ops.paths import ROOT
from shared.http import UnprocessableError

POLICY = Policy()
GOOD = "anchor basil copper"
NO = Verdict(matched=False)


@pytest.fixture(scope="module")
def secret() -> str:
    return hash_password(GOOD)


@pytest.fixture(scope="module")
def wrapped() -> dict[str, Any]:
    return legacy.wrap("*94BDCEBE19083CE2A1F959FD02F964C7AF4CFC29")  # MySQL, of "test"


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for every argon2id hash that is really computed, its memory in KiB."""
    computed: list[int] = []
    make, compare = argon2.low_level.hash_secret, argon2.low_level.verify_secret

    def counted_make(secret: bytes, salt: bytes, passes: int, memory: int, *rest: Any) -> bytes:
        computed.append(memory)
        return make(secret, salt, passes, memory, *rest)

    def counted_compare(phc: bytes, *rest: Any) -> bool:
        try:
            right = compare(phc, *rest)
        except argon2.exceptions.VerifyMismatchError:
            computed.append(argon2.extract_parameters(phc.decode()).memory_cost)
            raise
        computed.append(argon2.extract_parameters(phc.decode()).memory_cost)
        return right

    monkeypatch.setattr(argon2id, "hash_secret", counted_make)
    monkeypatch.setattr(argon2id, "verify_secret", counted_compare)
    return computed


def refusal(check: Callable[[], None]) -> str:
    with pytest.raises(UnprocessableError) as error:
        check()
    assert error.value.status == 422
    return error.value.code


def test_a_hash_has_the_parameters_that_owasp_recommends(secret: str) -> None:
    parameters = argon2.extract_parameters(secret)
    assert parameters.type is argon2.Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19456, 2, 1)
    assert (parameters.version, parameters.salt_len, parameters.hash_len) == (19, 16, 32)
    assert argon2.PasswordHasher().verify(secret, GOOD)


def test_two_hashes_of_one_password_differ(secret: str) -> None:
    assert hash_password(GOOD) != secret


@pytest.mark.parametrize(
    ("password", "second_factor", "code"),
    [
        ("fourteen chars", False, "password_too_short"),
        ("vlk9Qa7", True, "password_too_short"),
        ("", True, "password_too_short"),
        ("\ufdfa", True, "password_too_short"),  # one ligature, 18 characters in NFKC
        ("e\u0301" * 14, False, "password_too_short"),  # 28 characters that are 14
        ("x9" * 129, False, "password_too_long"),
        ("passwordpassword", False, "password_breached"),
        ("password", True, "password_breached"),
        ("Password2024!!!!", False, "password_breached"),
    ],
)
def test_a_weak_password_is_refused(password: str, second_factor: bool, code: str) -> None:
    assert refusal(lambda: check_new(password, POLICY, second_factor=second_factor)) == code


@pytest.mark.parametrize(
    ("password", "second_factor"),
    [
        ("anchor basil co", False),
        ("vlk9Qa7z", True),
        ("kůň žluťoučký je", False),
        ("zq" + "abcdefghij" * 25 + "7Kpl", False),
        ("      k      w      ", False),
    ],
)
def test_length_is_all_that_is_asked_for(password: str, second_factor: bool) -> None:
    check_new(password, POLICY, second_factor=second_factor)


def test_the_policy_is_configurable_up_to_what_can_be_verified() -> None:
    check_new("vlk9Qa7zXw", Policy(10, 10, 10), second_factor=False)
    assert (
        refusal(lambda: check_new("vlk9Qa7zXwP", Policy(10, 10, 10), second_factor=False))
        == "password_too_long"
    )
    with pytest.raises(ValueError, match="1024"):
        Policy(max_length=LONGEST + 1)


@pytest.mark.parametrize(
    "password",
    [
        "veronika.novakova",
        "Veronika.Novakova1990!",
        "veronika.novakova@example.com",
        "VERONIKA.NOVAKOVAveronika.novakova",
    ],
)
def test_a_name_of_the_person_is_no_password(password: str) -> None:
    names = ("veronika.novakova@example.com", "veronika.novakova")
    check_new(password, POLICY, second_factor=False)
    assert (
        refusal(lambda: check_new(password, POLICY, second_factor=False, identifiers=names))
        == "password_breached"
    )


def test_a_name_inside_a_password_is_no_harm() -> None:
    check_new(
        "veronika walks home", POLICY, second_factor=False, identifiers=("veronika@example.com", "veronika")
    )


def test_the_right_password_matches(secret: str) -> None:
    assert verify(GOOD, secret, {}) == Verdict(matched=True)


@pytest.mark.parametrize(
    "password", ["", "Anchor basil copper", GOOD + " ", GOOD[:-1], "\0", GOOD + "\0", "\ud800"]
)
def test_another_password_does_not(password: str, secret: str) -> None:
    assert verify(password, secret, {}) == NO


def test_a_password_is_the_same_from_every_keyboard() -> None:
    secret = hash_password("přílis\ufb01 žluťoučký")
    assert verify("p\u0072\u030ci\u0301lis\u0066\u0069 z\u030clut\u030couc\u030cky\u0301", secret, {}).matched


@given(st.text(max_size=80))
@settings(max_examples=15)
def test_every_text_can_be_a_password(password: str) -> None:
    secret = hash_password(password)
    assert verify(password, secret, {}).matched
    assert not verify(password + "x", secret, {}).matched


def test_a_hash_with_older_parameters_matches_and_is_to_be_renewed() -> None:
    old = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=2).hash(GOOD)
    assert verify(GOOD, old, {}) == Verdict(matched=True, upgrade=True)
    assert verify("wrong", old, {}) == NO


def test_only_a_hash_with_the_present_parameters_is_left_alone(secret: str) -> None:
    assert not needs_rehash(secret)
    for other in (secret.replace("t=2", "t=3"), secret.replace("argon2id", "argon2i"), "", "$2b$12$"):
        assert needs_rehash(other)


MALFORMED = (
    "", "x", "$argon2id$", argon2id.PREFIX, "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$aGFzaA",
    "$argon2id$v=19$m=99999999999,t=2,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA", "žluťoučký", "\ud800", "\0",
)  # fmt: skip


@pytest.mark.parametrize("stored", MALFORMED)
def test_a_malformed_hash_matches_nothing_and_costs_a_hash(stored: str, hashes: list[int]) -> None:
    assert verify(GOOD, stored, {}) == NO
    assert hashes == [19456]


@pytest.mark.parametrize("password", [GOOD, "", "x" * (LONGEST + 1), "x" * 1_000_000, "\0", "\ud800"])
def test_an_account_that_does_not_exist_costs_a_hash(password: str, hashes: list[int]) -> None:
    assert verify(password, None, {}) == NO
    assert hashes == [19456]


@pytest.mark.parametrize("password", ["", "wrong", GOOD, "x" * LONGEST, "x" * 1_000_000])
def test_any_password_costs_one_hash(password: str, secret: str, hashes: list[int]) -> None:
    assert verify(password, secret, {}).matched is (password == GOOD)
    assert hashes == [19456]


@pytest.mark.parametrize(
    ("password", "right"), [("test", True), ("", False), ("x" * 1_000_000, False), ("\0", False)]
)
def test_a_legacy_account_costs_a_hash_too(
    password: str, right: bool, wrapped: dict[str, Any], hashes: list[int]
) -> None:
    assert verify(password, None, {"shop": wrapped}).matched is right
    assert hashes == [19456]


@pytest.mark.parametrize(
    "malformed",
    [
        None,
        7,
        "text",
        [],
        {},
        {"algorithm": "once"},
        {"algorithm": "nothing", "parameters": {}, "argon2id": ""},
    ],
)
def test_a_malformed_legacy_hash_matches_nothing_and_costs_a_hash(malformed: Any, hashes: list[int]) -> None:
    assert verify("test", None, {"shop": malformed}) == NO
    assert hashes == [19456]


def test_what_is_too_long_is_never_right() -> None:
    assert verify("x" * LONGEST, hash_password("x" * LONGEST), {}).matched
    assert verify("x" * (LONGEST + 1), hash_password("x" * (LONGEST + 1)), {}) == NO


def test_the_verdict_names_the_legacy_hash_that_matched(secret: str, wrapped: dict[str, Any]) -> None:
    other = legacy.wrap("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=")  # of "password"
    hashes = {"shop": wrapped, "garage": other, "attic": None}
    assert verify("test", None, hashes) == Verdict(matched=True, old_hash="shop", upgrade=True)
    kept = Verdict(matched=True, old_hash="shop")
    assert verify("test", secret, hashes) == kept, "a hash of our own is not lost for another password"
    assert verify("password", None, hashes) == Verdict(matched=True, old_hash="garage", upgrade=True)
    assert verify(GOOD, secret, hashes) == Verdict(matched=True)
    assert verify("neither", secret, hashes) == NO


def test_many_legacy_hashes_cost_no_more_than_the_costliest_one(
    wrapped: dict[str, Any], hashes: list[int]
) -> None:
    slow = legacy.wrap("$P$F00000000u7TnjYFDkWQ8PqyTAnvnx0")  # phpass, 2^17 rounds
    many = {"cheap": wrapped} | {f"slow {number}": slow for number in range(9)}
    assert legacy.cost(slow) + 1 < legacy.MAX_COST < 2 * legacy.cost(slow) + legacy.cost(wrapped) + 1
    hashes.clear()
    assert verify("neither", None, many) == NO
    assert len(hashes) == 2
    assert verify("test", None, many).old_hash == "cheap"


def test_a_login_with_an_argon2id_hash_loads_no_library_for_others() -> None:
    code = (
        "import sys; from auth import identity; from auth.credentials import passwords;"
        "passwords.verify('x', passwords.hash_password('x'), {});"
        "print(*sorted({'bcrypt', 'passlib', 'auth.credentials.legacy',"
        "'auth.credentials.breached'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "functions/auth",
        env={"PYTHONPATH": str(ROOT / "layers/shared")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "\n"
