"""The one form of an email address or a telephone number under which an account is found.

Two spellings that a person takes for the same must not open two accounts, and two addresses that only look
the same must not lead to one. What has one sensible reading is brought into canonical form; what has not is
refused, and never repaired.

Email: the local part is a dot-atom of ASCII (RFC 5321; Amazon SES sends to no other), and is folded to lower
case. RFC 5321 lets a host tell `Ann@` from `ann@`, but no provider of note does, people do not remember how
they typed it last time, and two accounts with one mailbox are a way to take one over. Dots and plus signs
stay: what they mean is each provider's own business. The domain becomes A-labels (RFC 5890) in lower case. A
label in Unicode must be of one script, or of the scripts that Japanese and Korean mix (UTS 39, "highly
restrictive" without the mixtures with Latin); a Greek or Cyrillic one below a Latin top-level domain must
have a letter that looks like no Latin one. An A-label has to pass as the label that it stands for.

Telephone: E.164.
"""

import hmac
import re
import unicodedata
from base64 import urlsafe_b64encode
from typing import Literal

from shared.http import BadRequestError

__all__ = ["Kind", "blind_index", "normalise_email", "normalise_phone"]

type Kind = Literal["email", "phone"]

# RFC 5321, sections 4.5.3.1.1 and 4.5.3.1.3 (a path's 256 octets less its brackets).
_LONGEST_LOCAL = 64
_LONGEST_EMAIL = 254

_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"(?=.{1,63}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")

# Scripts by the first words of their characters' names. Armenian, Georgian and others that partly look like
# Latin are left out until somebody needs them.
_SCRIPTS = {
    "Latin": {"LATIN"},
    "Greek": {"GREEK"},
    "Cyrillic": {"CYRILLIC"},
    "Arabic": {"ARABIC"},
    "Hebrew": {"HEBREW"},
    "Devanagari": {"DEVANAGARI"},
    "Thai": {"THAI"},
    "Japanese": {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"},
    "Korean": {"CJK", "HANGUL"},
}
_LETTERS = {"Ll", "Lm", "Lo", "Mc", "Mn"}
# Beside accented ones: the Latin letters of European languages, and none of phonetic alphabets.
_LATIN = set("ßæðøþđħłŋœ")
_LATIN_LOOKALIKES = {"Greek": set("αηικνορτυω"), "Cyrillic": set("асԁеһіјӏорԛѕԝхуъьҽпгѵѡ")}
_NEUTRAL = set("0123456789-")

_SEPARATORS = str.maketrans("", "", " -./()")
_LONGEST_PHONE = 32
_PHONE = re.compile(r"\+[1-9][0-9]{7,14}")


def normalise_email(text: str) -> str:
    """The canonical form of an email address, in ASCII.

    Args:
        text: The address alone, as people type it.

    Raises:
        BadRequestError: `email_malformed`, `email_too_long`, or `email_ambiguous` (can be taken for another).
    """
    local, at, domain = text.rpartition("@")
    if len(text) > _LONGEST_EMAIL or len(local.encode("utf-8", "surrogatepass")) > _LONGEST_LOCAL:
        raise _too_long()
    if unicodedata.normalize("NFKC", text) != text:
        raise _ambiguous()
    local = local.lower()
    if not (at and _LOCAL.fullmatch(local)):
        raise _malformed()
    email = f"{local}@{_ascii_domain(domain.lower())}"
    if len(email) > _LONGEST_EMAIL:
        raise _too_long()
    return email


def normalise_phone(text: str) -> str:
    """The E.164 form of a telephone number: `+`, country code and number, 8 to 15 digits.

    Args:
        text: The number with its `+`; spaces, hyphens, dots, slashes and brackets are dropped.

    Raises:
        BadRequestError: `phone_malformed`.
    """
    phone = text.translate(_SEPARATORS)
    # A zero in brackets is dialled inside the country only: +44 (0)20 is not +44020.
    if len(text) > _LONGEST_PHONE or "(0" in text or not _PHONE.fullmatch(phone):
        raise BadRequestError("phone_malformed", "The telephone number is not in international format.")
    return phone


def blind_index(key: bytes, kind: Kind, normalised: str) -> str:
    """The key under which an account is found without telling what was looked for.

    Args:
        key: The secret of the deployment, 32 bytes.
        kind: Keeps an email from being found as a telephone number.
        normalised: What `normalise_email` or `normalise_phone` answered.

    Returns:
        HMAC-SHA-256 in base64url without padding, 43 characters.
    """
    mac = hmac.digest(key, f"{kind}\0{normalised}".encode(), "sha256")
    return urlsafe_b64encode(mac).rstrip(b"=").decode()


def _ascii_domain(domain: str) -> str:
    """The A-labels of a domain in lower case."""
    labels = [_unicode_label(label) for label in domain.split(".")]
    if len(labels) < 2 or labels[-1].isdigit():
        raise _malformed()
    scripts = [_script(label) for label in labels]
    for label, script in zip(labels, scripts, strict=True):
        lookalikes = _LATIN_LOOKALIKES.get(script)
        if lookalikes and scripts[-1] == "Latin" and set(label) - _NEUTRAL <= lookalikes:
            raise _ambiguous()
    return ".".join(_ascii_label(label) for label in labels)


def _unicode_label(label: str) -> str:
    """The label that an A-label stands for; any other label as it is."""
    if not label.startswith("xn--"):
        return label
    try:
        decoded = label.removeprefix("xn--").encode("ascii").decode("punycode")
    except ValueError:
        raise _malformed() from None
    if _ascii_label(decoded) != label:
        raise _malformed()
    return decoded


def _ascii_label(label: str) -> str:
    """The A-label of a label in Unicode; a label in ASCII as it is."""
    ascii_label = label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
    # Two hyphens in the third and fourth place are reserved for A-labels (RFC 5890, section 2.3.1).
    if not _LABEL.fullmatch(ascii_label) or label[2:4] == "--" or label[:1] == "-" or label[-1:] == "-":
        raise _malformed()
    return ascii_label


def _script(label: str) -> str:
    """The name of the script of a label in Unicode."""
    letters = set(label) - _NEUTRAL
    if not all(unicodedata.category(letter) in _LETTERS for letter in letters):
        raise _malformed()
    if unicodedata.normalize("NFKC", label.lower()) != label:
        raise _ambiguous()
    found = {unicodedata.name(letter, "?").split()[0] for letter in letters}
    script = next((script for script, words in _SCRIPTS.items() if found <= words), None)
    if script is None or (script == "Latin" and not all(map(_is_plain_latin, letters))):
        raise _ambiguous()
    return script


def _is_plain_latin(letter: str) -> bool:
    return letter in _LATIN or unicodedata.normalize("NFD", letter)[0].isascii()


def _malformed() -> BadRequestError:
    return BadRequestError("email_malformed", "This is not an email address.")


def _too_long() -> BadRequestError:
    return BadRequestError("email_too_long", "The email address is too long.")


def _ambiguous() -> BadRequestError:
    return BadRequestError("email_ambiguous", "The email address can be taken for another one.")
