"""Canonical email addresses and telephone numbers, and their blind index."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import idna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auth.identity import blind_index, normalise_email, normalise_phone
from shared.http import BadRequestError

KEY = bytes(range(32))


def refusal(normalise: Callable[[str], str], text: str) -> str:
    with pytest.raises(BadRequestError) as error:
        normalise(text)
    assert not text or text not in error.value.message
    return error.value.code


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("ann@example.com", "ann@example.com"),
        ("Ann.Smith@Example.COM", "ann.smith@example.com"),
        ("ann+shop@mail.example.co.uk", "ann+shop@mail.example.co.uk"),
        ("o'brien!#$%&*/=?^_`{|}~-@example.com", "o'brien!#$%&*/=?^_`{|}~-@example.com"),
        ("ann@123.com", "ann@123.com"),
        ("ann@münchen.de", "ann@xn--mnchen-3ya.de"),
        ("ann@MÜNCHEN.de", "ann@xn--mnchen-3ya.de"),
        ("ann@XN--MNCHEN-3YA.de", "ann@xn--mnchen-3ya.de"),
        ("ann@straße.de", "ann@xn--strae-oqa.de"),
        ("ann@пример.com", "ann@xn--e1afmkfd.com"),
        ("ann@сахар.рф", "ann@xn--80aa2cbv.xn--p1ai"),
        ("ann@ουτοπία.gr", "ann@xn--kxae4bafwg.gr"),
        ("ann@ドメイン名例.jp", "ann@xn--eckwd4c7cu47r2wf.jp"),
        ("ann@한국.kr", "ann@xn--3e0b707e.kr"),
        ("ann@दिल्ली.भारत", "ann@xn--j2bya4ch0f.xn--h2brj9c"),
    ],
)
def test_an_address_has_one_form(typed: str, canonical: str) -> None:
    assert normalise_email(typed) == canonical
    assert normalise_email(canonical) == canonical


@pytest.mark.parametrize(
    "domain", ["bücher.de", "straße.de", "łódź.pl", "пример.рф", "例え.jp", "한국.kr", "दिल्ली.भारत"]
)
def test_domains_are_encoded_as_by_the_reference_of_idna_2008(domain: str) -> None:
    assert normalise_email(f"ann@{domain}") == f"ann@{idna.encode(domain).decode()}"


@pytest.mark.parametrize(
    "address",
    [
        "", "@", "ann", "ann@", "@example.com", "ann@example", "ann@@example.com", "ann@evil.com@example.com",
        "ann @example.com", " ann@example.com", "ann@example.com ", "ann@exa mple.com", "ann@example.com\r\n",
        "ann\r\nBcc: x@example.com", "ann\0@example.com", "ann@example.com\x7f", "\u200bann@example.com",
        "ann@exam\u00adple.com", "ann@\u202emoc.elpmaxe", '"ann smith"@example.com', '"ann"@example.com',
        "ann@[127.0.0.1]", "ann@[IPv6:::1]", "ann@127.0.0.1", "ann@example..com", "ann@.example.com",
        "ann@example.com.", ".ann@example.com", "ann.@example.com", "a..nn@example.com", "ann@-example.com",
        "ann@example-.com", "ann@-ünchen.de", "ann@ex_ample.com", "ann@ab--cd.com", "ann@xn--abc-.com",
        "ann@xn--.com", "ann@xn---wgv71a.jp", "ann@xn--\u0430.com", "ann@xn--zzzzzzzzz99999.com",
        "ann@shop\u0660.com", "änn@example.com", "ann@\ud800.com", "\ud800@example.com", "ann@♥.com",
        "ann@例え。com",
        "<ann@example.com>", "ann@example.com,bob@example.com", f"ann@{'a' * 64}.com",
        f"ann@{'ü' * 60}.com",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    assert refusal(normalise_email, address) == "email_malformed"


@pytest.mark.parametrize(
    "address",
    [
        "ａnn@example.com",  # full width
        "ann@ｅxample.com",
        "ann＠example.com",
        "ann@ﬁnance.com",  # ligature
        "ann@\u212aelvin.com",  # the sign of kelvin, which folds to k
        "ann@mu\u0308nchen.de",  # decomposed
        "ann@аpple.com",  # the first letter is Cyrillic
        "ann@xn--pple-43d.com",  # the same
        "ann@аррӏе.com",  # all are
        "ann@xn--80ak6aa92e.com",  # the same
        "ann@ανα.com",  # Greek
        "ann@pаypal.example.com",
        "ann@example.cоm",
        "ann@ɡoogle.com",  # phonetic
        "ann@paypaı.com",  # no dot
        "ann@i\u0307nstagram.com",  # two dots
        "ann@日本shop.jp",
        f"ann@xn--{'\ufe8d\ufe8f'.encode('punycode').decode()}.com",  # Arabic letters in their isolated forms
    ],
)
def test_what_can_be_taken_for_another_address_is_refused(address: str) -> None:
    assert refusal(normalise_email, address) == "email_ambiguous"


def test_a_local_part_has_64_octets_at_most() -> None:
    assert normalise_email(f"{'a' * 64}@example.com")
    assert refusal(normalise_email, f"{'a' * 65}@example.com") == "email_too_long"
    assert refusal(normalise_email, f"{'ä' * 33}@example.com") == "email_too_long"


def test_an_address_has_254_octets_at_most_as_it_is_sent() -> None:
    domain = ".".join(["a" * 61] * 4)
    assert len(normalise_email(f"{'a' * 6}@{domain}")) == 254
    assert refusal(normalise_email, f"{'a' * 7}@{domain}") == "email_too_long"
    assert refusal(normalise_email, f"ann@{'.'.join(['bücher' * 7] * 5)}.de") == "email_too_long"


LOCAL = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,30}(\.[A-Za-z0-9_+-]{1,20})?", fullmatch=True)
LABEL = st.one_of(
    st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9]{0,20}[A-Za-z0-9])?", fullmatch=True),
    st.text("abcäöüéčřžđłø", min_size=1, max_size=20),
    st.text("абвгджзилмнтфшю", min_size=1, max_size=15),
    st.text("漢字ひらがなカタカナー", min_size=1, max_size=10),
)
TOP = st.sampled_from(["com", "DE", "co.uk", "рф", "みんな"])


@given(LOCAL, st.lists(LABEL, min_size=1, max_size=3), TOP)
def test_the_canonical_form_is_its_own_and_lower_case_ascii(local: str, labels: list[str], top: str) -> None:
    typed = f"{local}@{'.'.join(labels)}.{top}"
    try:
        email = normalise_email(typed)
    except BadRequestError as error:
        assert error.code == "email_ambiguous"  # noqa: PT017  # Cyrillic letters that all look Latin
        return
    assert normalise_email(email) == email == email.lower()
    assert email.isascii()
    assert normalise_email(typed.upper()) == email


@given(st.text() | st.from_regex(r".*@.*\..*"))
@example("a@xn--9999999999.com")
@example("a@xn--\ud800.com")
def test_any_text_is_brought_into_form_or_refused(text: str) -> None:
    try:
        email = normalise_email(text)
    except BadRequestError as error:
        assert error.code in {"email_malformed", "email_too_long", "email_ambiguous"}  # noqa: PT017
        return
    assert normalise_email(email) == email
    assert len(email) <= 254
    assert email.isascii()
    assert not any(character.isspace() or unicodedata.category(character) == "Cc" for character in email)


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789-аеорсхіüßσ\u0301漢", max_size=30))
def test_an_a_label_passes_only_if_its_unicode_form_does(rest: str) -> None:
    try:
        email = normalise_email(f"ann@xn--{rest}.com")
    except BadRequestError:
        return
    assert normalise_email(f"ann@{rest.encode().decode('punycode')}.com") == email


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("+420777123456", "+420777123456"),
        ("+420 777 123 456", "+420777123456"),
        ("+44 (20) 7946-0958", "+442079460958"),
        ("+49/89/123.456", "+4989123456"),
        ("+12345678", "+12345678"),
        ("+123456789012345", "+123456789012345"),
    ],
)
def test_a_number_has_one_form(typed: str, canonical: str) -> None:
    assert normalise_phone(typed) == canonical
    assert normalise_phone(canonical) == canonical


@pytest.mark.parametrize(
    "number",
    [
        "", "+", "777123456", "00420777123456", "+0420777123456", "+1234567", "+1234567890123456",
        "+44 (0)20 7946 0958", "+44(0 20)79460958", "+420777\n123456", "+420\t777123456", "+４２０777123456",
        "+٤٢٠777123456", "+420777123456 ext. 7", "+420777123456;ext=7", "++420777123456",
        "+1" + " " * 40 + "2345678",
    ],
)  # fmt: skip
def test_what_is_no_international_number_is_refused(number: str) -> None:
    assert refusal(normalise_phone, number) == "phone_malformed"


@given(st.text() | st.text("+0123456789 -./()", max_size=24))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        phone = normalise_phone(text)
    except BadRequestError:
        return
    assert normalise_phone(phone) == phone
    assert phone[0] == "+"
    assert 8 <= len(phone[1:]) <= 15
    assert phone[1:].isascii()
    assert phone[1:].isdigit()


def test_the_blind_index_is_hmac_sha256_of_kind_and_value() -> None:
    # printf 'email\0ann@example.com' | openssl mac -digest SHA256 -macopt hexkey:000102...1f HMAC
    assert blind_index(KEY, "email", "ann@example.com") == "dSGohcXuQZMpm5GG70Yut6Gct9N4hWt4Y0yfYQdvmr8"


def test_the_blind_index_differs_by_key_kind_and_value() -> None:
    indexes = {
        blind_index(KEY, "email", "a"),
        blind_index(KEY, "phone", "a"),
        blind_index(KEY, "email", "b"),
        blind_index(KEY[::-1], "email", "a"),
    }
    assert len(indexes) == 4
    assert all(len(index) == 43 and "=" not in index for index in indexes)
