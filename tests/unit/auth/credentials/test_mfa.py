"""The second factor."""

from __future__ import annotations

from base64 import b32encode
from urllib.parse import parse_qs, urlsplit

import pytest

from auth.credentials import mfa
from auth.identity import Document
from auth.storage import User
from shared.http import ConflictError

RFC_SECRET = b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("at", "code"),
    # RFC 6238, appendix B, SHA-1: its codes have eight digits, ours are the last six of them.
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
    ],
)
def test_codes_are_those_of_the_standard(at: int, code: str) -> None:
    assert mfa.step_of(RFC_SECRET, code, at) == at // 30


def test_a_code_of_the_neighbouring_steps_is_taken_and_none_beyond() -> None:
    for seconds, taken in ((-60, False), (-30, True), (0, True), (30, True), (60, False)):
        assert (mfa.step_of(RFC_SECRET, "005924", 1234567890 + seconds) is not None) is taken, seconds


@pytest.mark.parametrize("code", ["", "28708", "2870822", "28708x", "２８７０８２", " 287082", "287082\n"])
def test_a_malformed_code_is_a_wrong_one(code: str) -> None:
    assert mfa.step_of(RFC_SECRET, code, 59) is None


def test_a_second_factor_counts_once_a_code_was_given() -> None:
    document, user = Document(), User("u", "active", epoch="e1")
    changes, shown = mfa.enrol(user, document, "ada@example.org", "The Shop")
    address = urlsplit(shown["uri"])
    assert (address.scheme, address.netloc, address.path) == (
        "otpauth",
        "totp",
        "/The%20Shop%3Aada%40example.org",
    )
    assert parse_qs(address.query)["secret"] == [shown["secret"]]
    assert "&issuer=The%20Shop&" in address.query
    document.edit(changes, 1, "eu")
    assert document["totp"] is None
    assert document["totp_pending"] == {"secret": shown["secret"], "epoch": "e1"}


def test_a_second_one_is_refused() -> None:
    document = Document({"totp": (RFC_SECRET, "1")})
    with pytest.raises(ConflictError):
        mfa.enrol(User("u", "active"), document, "ada", "shop")
