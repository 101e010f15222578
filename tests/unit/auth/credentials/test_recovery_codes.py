"""Recovery codes: how they are drawn, kept, told from wrong ones, and spent."""

from __future__ import annotations

import base64
import hmac
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.credentials import mfa
from auth.identity import Document, tick
from auth.storage import User

REGION = "eu-west-1"
REFRESH_KEY = b"r" * 32
FACTOR, OTHER_FACTOR = "JBSWY3DPEHPK3PXP", "GEZDGNBVGY3TQOJQ"
USER = User("3f0c6a52-7f0e-4b6e-9a37-2b7a5d3c9f10", "active")


def services(key: bytes = b"k" * 32) -> Any:
    """As far as recovery codes need them: the system's secret of what is derived."""
    return SimpleNamespace(
        keyring=SimpleNamespace(blind_index_key=lambda: key, refresh_key=lambda: REFRESH_KEY)
    )


def enrolled(factor: str = FACTOR) -> tuple[Document, list[str]]:
    document = Document()
    changes, codes = mfa.new_recovery_codes(services(), document, factor)
    document.edit(changes | {"totp": factor}, 1, REGION)
    return document, codes


def redeemed(document: Document, text: str, key: bytes = b"k" * 32) -> mfa.Redeemed | None:
    return mfa.redeem(services(key), USER, document, mfa.Code(text, is_recovery=True))


def test_a_code_is_fifty_random_bits_of_base32() -> None:
    """As another decoder reads it: ten characters of RFC 4648's alphabet are 50 bits, six bytes and a bit."""
    drawn = [code for _ in range(40) for code in mfa.new_recovery_codes(services(), Document(), FACTOR)[1]]
    assert len(set(drawn)) == 400
    bits = [int.from_bytes(base64.b32decode(code.replace("-", "") + "A" * 6)) >> 30 for code in drawn]
    ones = [sum(value >> place & 1 for value in bits) for place in range(50)]
    assert all(120 < count < 280 for count in ones), "each bit is drawn"


def test_the_document_has_no_code_and_nothing_to_look_one_up_by() -> None:
    document, codes = enrolled()
    text = document.to_bytes().decode()
    assert not any(code in text or code.replace("-", "") in text for code in codes)
    assert redeemed(document, codes[0], key=b"another key" * 3) is None


@given(st.integers(0, 9), st.data())
def test_case_blanks_and_hyphens_do_not_matter(number: int, data: st.DataObject) -> None:
    document, codes = enrolled()
    typed = "".join(
        data.draw(st.sampled_from(["", " ", "-", "\t", "--"])) + data.draw(st.sampled_from([c, c.lower()]))
        for c in codes[number]
    )
    found = redeemed(document, typed)
    assert found is not None
    [(field, value)] = found.changes.items()
    assert (field.split(".")[0], field.split(".")[3]) == ("recovery_code", str(number))
    assert (value, found.write) == (None, None)


@given(st.text(max_size=80))
def test_any_other_text_is_a_wrong_code(text: str) -> None:
    document, codes = enrolled()
    assert redeemed(document, text) is None
    assert redeemed(document, codes[0][:-1]) is None
    assert redeemed(document, codes[0] + codes[1]) is None


def test_a_spent_code_is_wrong_and_the_others_stay() -> None:
    document, codes = enrolled()
    found = redeemed(document, codes[4])
    assert found is not None
    document.edit(found.changes, 2, REGION)
    assert redeemed(document, codes[4]) is None
    assert [redeemed(document, code) is not None for code in codes].count(True) == 9
    assert mfa.codes_left(document) == 9


def test_codes_that_two_regions_spend_are_edits_of_different_fields() -> None:
    document, codes = enrolled()
    here, there = redeemed(document, codes[1]), redeemed(document, codes[2])
    assert here is not None
    assert there is not None
    assert set(here.changes).isdisjoint(there.changes)


def test_new_codes_and_the_end_of_the_factor_leave_no_old_one() -> None:
    document, codes = enrolled()
    document.edit(mfa.new_recovery_codes(services(), document, FACTOR)[0], 2, REGION)
    assert mfa.codes_left(document) == 10
    assert all(redeemed(document, code) is None for code in codes)
    document, codes = enrolled()
    document.edit(mfa.disable(document), 2, REGION)
    assert mfa.codes_left(document) == 0
    document.edit({"totp": FACTOR}, 3, REGION)
    assert all(redeemed(document, code) is None for code in codes)


def test_without_a_second_factor_no_code_is_good() -> None:
    document, codes = enrolled()
    document.edit({"totp": None}, 2, REGION)
    assert redeemed(document, codes[0]) is None


@pytest.mark.parametrize("own", [True, False], ids=["own factor", "no factor"])
def test_codes_come_with_the_factor_of_an_account_that_is_taken_over(own: bool) -> None:
    other, codes = enrolled(OTHER_FACTOR)
    document, its_codes = enrolled() if own else (Document(), [])
    document.absorb("stays", "ends", other, tick(5, REGION))
    assert (redeemed(document, codes[0]) is None) is own
    assert mfa.codes_left(document) == 10
    assert all(redeemed(document, code) for code in its_codes)
    for code in its_codes or codes:
        found = redeemed(document, code)
        assert found is not None
        document.edit(found.changes, 6, REGION)
    assert mfa.codes_left(document) == 0


def test_end_of_a_factor_that_was_taken_over_ends_its_codes() -> None:
    other, codes = enrolled(OTHER_FACTOR)
    document = Document()
    document.absorb("stays", "ends", other, tick(5, REGION))
    document.edit(mfa.disable(document), 7, REGION)
    assert document["totp"] is None
    document.edit({"totp": OTHER_FACTOR}, 8, REGION)
    assert not any(redeemed(document, code) for code in codes)


def older_hash(code: str) -> str:
    text = b"recovery-code\0" + code.replace("-", "").encode()
    return hmac.digest(REFRESH_KEY, text, "sha256").hex()


def test_codes_of_older_records_are_good() -> None:
    """They were `recovery_code.<number>`, of the one factor that there was, by the key of refresh tokens."""
    codes = [f"ABCDE-FGHI{letter}" for letter in "ABCDEFGHIJ"]
    record = Document()
    record.edit({f"recovery_code.{number}": older_hash(code) for number, code in enumerate(codes)}, 1, REGION)
    record.edit({"totp": FACTOR}, 1, REGION)
    read = Document.from_bytes(record.to_bytes())
    assert mfa.codes_left(read) == 10
    found = redeemed(read, codes[3])
    assert found is not None
    read.edit(found.changes, 2, REGION)
    again = Document.from_bytes(read.to_bytes())
    assert (mfa.codes_left(again), redeemed(again, codes[3])) == (9, None)
