"""Fields of a profile: OpenID Connect Core's forms, and what is refused."""

from __future__ import annotations

import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import auth.identity
from auth.identity import PROFILE, checked
from shared.http import BadRequestError

GOOD = {"birthdate": "1815-12-10", "country": "PT", "locale": "pt-PT", "zoneinfo": "Europe/Lisbon"}


def code_of(name: str, value: str) -> str:
    with pytest.raises(BadRequestError) as refused:
        checked({name: value})
    return refused.value.code


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "x"},
        {"email": "a@example.org"},
        {"email_verified": "true"},
        {"given_name": ""},
        {"given_name": "x" * 101},
        {"given_name": "a\nb"},
        {"given_name": "\u202eevil"},
        {"given_name": 1},
        {"given_name": ["Ada"]},
        {"phone": "12"},
        {"phone": 12345678},
        {"country": "PRT"},
    ],
    ids=str,
)
def test_a_field_that_is_unknown_too_long_or_malformed_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError):
        checked(changes)


def test_good_fields_are_taken_and_null_removes() -> None:
    longest = {name: "x" * length for name, length in PROFILE.items()} | GOOD
    assert checked(longest) == longest
    assert checked({"phone": "+351 912 345 678", "name": None}) == {"phone": "+351912345678", "name": None}
    assert checked({"phone": None} | dict.fromkeys(GOOD)) == {"phone": None} | dict.fromkeys(GOOD)


# ZWNJ between Persian stem and suffix, ZWJ in Sinhala and in a sequence of emoji.
@pytest.mark.parametrize(
    "name",
    [
        "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
        "\u0dc1\u0dca\u200d\u0dbb\u0dd3",
        "\U0001f469\u200d\U0001f4bb",
    ],
)
@pytest.mark.parametrize("field", ["given_name", "family_name", "name", "nickname", "street_address"])
def test_a_name_may_be_spelt_with_joiners(field: str, name: str) -> None:
    assert checked({field: name}) == {field: name}


@pytest.mark.parametrize(
    "name", ["\u200c", "\u200d\u200c", "\u200bAda", "Ada\u2066", "\ufeffAda", "Ada\u202e", "a\u0000"]
)
def test_a_name_without_a_visible_sign_or_with_other_formats_is_refused(name: str) -> None:
    assert code_of("name", name) == "bad_field"


# OpenID Connect Core 1.0, 5.1: "represented as an ISO 8601-1 YYYY-MM-DD format. The year MAY be 0000,
# indicating that it is omitted. To represent only the year, YYYY format is allowed."
@given(st.dates())
def test_every_day_is_a_birthdate_and_so_is_its_year(day: datetime.date) -> None:
    for text in (day.isoformat(), day.isoformat()[:4], "0000" + day.isoformat()[4:]):
        assert checked({"birthdate": text}) == {"birthdate": text}


@pytest.mark.parametrize(
    "text",
    [
        "hello", "0000", "1999-02-29", "1999-13-01", "0000-02-30", "1999-1-1", "10.12.1815",
        "19991231", "199", "1999-W01-1", "1999-001", "\u0661\u0669\u0669\u0669", "-1999",
        "1999-12-1\u0661",
    ],
)  # fmt: skip
def test_what_is_no_date_and_no_year_is_no_birthdate(text: str) -> None:
    assert code_of("birthdate", text) == "birthdate_malformed"


def test_time_zones_are_those_of_the_installed_database() -> None:
    """Renew the file when this fails: `grep -v Factory .../tzdata/zones | LC_ALL=C sort`."""
    released = set(resources.files("tzdata").joinpath("zones").read_text().split()) - {"Factory"}
    listed = Path(auth.identity.__file__).with_name("time_zones.txt").read_text().split()
    assert listed == sorted(listed)
    assert set(listed) == released, "identity/time_zones.txt is not of the installed tzdata"
    for zone in ("Europe/Lisbon", "America/Argentina/Buenos_Aires", "Asia/Calcutta", "Etc/GMT+12", "UTC"):
        assert checked({"zoneinfo": zone})


@pytest.mark.parametrize(
    "text", ["Mars/X", "Factory", "europe/lisbon", "Europe/Lisbon ", "../../etc/passwd", "+01:00"]
)
def test_a_zone_that_is_not_listed_is_refused(text: str) -> None:
    assert code_of("zoneinfo", text) == "zoneinfo_unknown"


# The examples of RFC 5646, appendix A, and section 2.2.8's grandfathered tags.
@pytest.mark.parametrize(
    "tag",
    [
        "de", "fr", "ja", "i-enochian", "zh-Hant", "zh-Hans", "sr-Cyrl", "sr-Latn",
        "zh-cmn-Hans-CN", "cmn-Hans-CN", "zh-yue-HK", "yue-HK", "zh-Hans-CN", "sr-Latn-RS",
        "sl-rozaj", "sl-rozaj-biske", "sl-nedis", "de-CH-1901", "sl-IT-nedis",
        "hy-Latn-IT-arevela", "de-DE", "en-US", "es-419", "de-CH-x-phonebk",
        "az-Arab-x-AZE-derbend", "x-whatever", "qaa-Qaaa-QM-x-southern", "de-Qaaa", "sr-Latn-QM",
        "sr-Qaaa-RS", "en-US-u-islamcal", "zh-CN-a-myext-x-private", "en-a-myext-b-another",
        "en-GB-oed", "sgn-BE-FR", "zh-min-nan", "art-lojban", "no-nyn", "cel-gaulish", "fa-IR",
        "EN-us",
    ],
)  # fmt: skip
def test_a_locale_is_a_well_formed_language_tag(tag: str) -> None:
    assert checked({"locale": tag}) == {"locale": tag}


# RFC 5646, appendix A: "Some Invalid Tags: de-419-DE (two region tags); a-DE (use of a single-character
# subtag in primary position); ar-a-aaa-b-bbb-a-ccc (two extensions with same single-letter prefix)".
@pytest.mark.parametrize(
    "text",
    [
        "de-419-DE", "a-DE", "ar-a-aaa-b-bbb-a-ccc", "de-DE-1901-1901", "en_US", "english-",
        "-en", "en--US", "x", "en-a", "e", "en US", "en-\u0661\u0662\u0663", "i-unknown",
    ],
)  # fmt: skip
def test_what_is_no_language_tag_is_no_locale(text: str) -> None:
    assert code_of("locale", text) == "locale_malformed"


@pytest.mark.parametrize("text", ["pt", "P", "P1", "\u0391\u0392"])
def test_a_country_is_two_capital_letters(text: str) -> None:
    assert code_of("country", text) == "country_malformed"
