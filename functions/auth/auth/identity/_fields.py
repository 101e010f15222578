"""Fields of a profile: which there are, and what each may say.

Names and forms are those of OpenID Connect Core 1.0, section 5.1, because applications read them as claims.
"""

import re
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from shared.http import BadRequestError

from ._identifiers import normalise_phone

__all__ = ["PROFILE", "checked"]

# Fields that a company may read and edit.
PROFILE = {
    "given_name": 100,
    "family_name": 100,
    "name": 200,
    "nickname": 100,
    "gender": 40,
    "birthdate": 10,
    "locale": 35,
    "zoneinfo": 60,
    "country": 2,
    "street_address": 300,
    "locality": 100,
    "postal_code": 20,
}
"""Name to longest value in characters."""

_JOINERS = str.maketrans("", "", "\u200c\u200d")
"""Zero width non-joiner and joiner: Persian and Indic scripts spell with them (Unicode Standard, 23.2)."""

_BIRTHDATE = re.compile(r"[0-9]{4}(-[0-9]{2}-[0-9]{2})?")
_COUNTRY = re.compile(r"[A-Z]{2}")

# RFC 5646, section 2.1, the rule `Language-Tag`: langtag, privateuse, grandfathered (irregular ones; the
# regular ones match langtag).
_LANGUAGE_TAG = re.compile(
    r"(?:(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})"  # language, extended language
    r"(?:-[a-z]{4})?"  # script
    r"(?:-(?:[a-z]{2}|[0-9]{3}))?"  # region
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)"
    r"(?P<extensions>(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*)"
    r"(?:-x(?:-[a-z0-9]{1,8})+)?"
    r"|x(?:-[a-z0-9]{1,8})+"
    r"|en-gb-oed|i-(?:ami|bnn|default|enochian|hak|klingon|lux|mingo|navajo|pwn|tao|tay|tsu)"
    r"|sgn-(?:be-fr|be-nl|ch-de))",
    re.IGNORECASE | re.ASCII,
)


def checked(changes: dict[str, Any]) -> dict[str, Any]:
    """Fields of a profile and `phone`, as they may be stored; None removes one.

    Raises:
        BadRequestError: A field is unknown, too long or malformed: `unknown_field`, `bad_field`,
            `phone_malformed`, `birthdate_malformed`, `locale_malformed`, `country_malformed`,
            `zoneinfo_unknown`.
    """
    good: dict[str, Any] = {}
    for name, value in changes.items():
        if name != "phone" and name not in PROFILE:
            raise BadRequestError("unknown_field", "The profile has a field that is not known.")
        if value is not None and not isinstance(value, str):
            raise BadRequestError("bad_field", "A field of the profile is not a text.")
        if value is not None and name == "phone":
            good[name] = normalise_phone(value)
            continue
        if value is not None:
            _check(name, value)
        good[name] = value
    return good


def _check(name: str, value: str) -> None:
    visible = value.translate(_JOINERS)
    if not (visible and len(value) <= PROFILE[name] and visible.isprintable()):
        raise BadRequestError("bad_field", "A field of the profile is empty, too long, or not printable.")
    if name in _FORMS:
        is_good, code, message = _FORMS[name]
        if not is_good(value):
            raise BadRequestError(code, message)


def _is_birthdate(text: str) -> bool:
    """Whether it is YYYY-MM-DD, with the year 0000 if that is left out, or YYYY."""
    if not _BIRTHDATE.fullmatch(text):
        return False
    year, _, day = text.partition("-")
    if not day:
        return year != "0000"
    try:  # 29 February is a day of the year that is left out
        date.fromisoformat(f"{'2000' if year == '0000' else year}-{day}")
    except ValueError:
        return False
    return True


def _is_language_tag(text: str) -> bool:
    """Whether it is a well-formed tag of BCP 47 (RFC 5646, section 2.2.9), without a repeated subtag.

    "The same variant subtag MUST NOT be used more than once" (2.2.5); "Each singleton subtag MUST appear at
    most one time" (2.2.6).
    """
    tag = _LANGUAGE_TAG.fullmatch(text)
    if tag is None:
        return False
    variants = (tag["variants"] or "").lower().split("-")[1:]
    singletons = [part for part in (tag["extensions"] or "").lower().split("-") if len(part) == 1]
    return len(variants) == len(set(variants)) and len(singletons) == len(set(singletons))


@cache
def _time_zones() -> frozenset[str]:
    """The names of the IANA Time Zone Database, 2026f, without `Factory`: Lambda's system may lack them."""
    return frozenset(Path(__file__).with_name("time_zones.txt").read_text().split())


def _is_time_zone(text: str) -> bool:
    return text in _time_zones()


def _is_country(text: str) -> bool:
    return _COUNTRY.fullmatch(text) is not None


_FORMS: dict[str, tuple[Callable[[str], bool], str, str]] = {
    "birthdate": (_is_birthdate, "birthdate_malformed", "birthdate is neither YYYY-MM-DD nor YYYY."),
    "country": (_is_country, "country_malformed", "country is not two capital letters of ISO 3166-1."),
    "locale": (_is_language_tag, "locale_malformed", "locale is not a language tag of BCP 47."),
    "zoneinfo": (_is_time_zone, "zoneinfo_unknown", "zoneinfo is no name of the IANA Time Zone Database."),
}
