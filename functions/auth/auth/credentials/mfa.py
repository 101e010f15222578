"""The second factor: time-based one-time passwords (RFC 6238: SHA-1, six digits, 30 seconds), recovery codes.

A recovery code stands in for a one-time password, once. Each of the ten is a field of the document,
`recovery_code.<factor>.<list>.<number>`, that holds its HMAC: a code that is spent in one region and another
in a second one are edits of different fields, and what is spent stays so. The HMAC is by the key of the blind
indexes, which all regions have; of codes from before there were regions it is by the key of refresh tokens of
the region that drew them, and they are good there. A code has 50 random bits: a look-up secret needs 20, and
a limit on attempts below 64 (NIST SP 800-63B, section 5.1.2), which log-ins have.
"""

import hmac
import re
from base64 import b32decode, b32encode
from secrets import token_bytes, token_hex
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from shared.http import BadRequestError, ConflictError

from ..identity import Document, factor_key
from ..services import Services
from ..storage import Store, User, Write

__all__ = [
    "RECOVERY_CODES",
    "Code",
    "Redeemed",
    "codes_left",
    "confirm",
    "disable",
    "enrol",
    "new_recovery_codes",
    "redeem",
    "spend",
    "step_of",
]

STEP_S = 30
_DIGITS = 6
_DRIFT = 1  # steps that a phone's clock may be off (RFC 6238, section 5.2)

RECOVERY_CODES = 10
_FIELD = "recovery_code"
_GROUP = 5  # characters of base32, two groups of which are 50 bits
_LONGEST = 64
_LIST_BYTES = 4
_IGNORED = re.compile(r"[\s-]")


class Code(NamedTuple):
    """What somebody gives as their second factor.

    Attributes:
        text: As it was typed.
        is_recovery: Whether it is to be a recovery code; else it is one of the authenticator app.
    """

    text: str
    is_recovery: bool = False


class Redeemed(NamedTuple):
    """What has to be written for a code to be spent.

    Attributes:
        changes: An edit of the document: of a recovery code.
        write: A write beside it: of a one-time password.
    """

    changes: dict[str, Any]
    write: Write | None


def step_of(secret: str, code: str, now: float) -> int | None:
    """The step whose code it is, of the present one and its neighbours; None for a wrong code.

    Args:
        secret: The shared secret, base32.
        code: Six digits.
        now: Seconds since the epoch.
    """
    totp = TOTP(b32decode(secret), _DIGITS, SHA1(), STEP_S)  # noqa: S303 - what authenticator apps speak
    present = int(now) // STEP_S
    steps = range(present - _DRIFT, present + _DRIFT + 1)
    given = code.encode("utf-8", "surrogatepass")
    matching = [step for step in steps if hmac.compare_digest(totp.generate(step * STEP_S), given)]
    return matching[0] if matching else None


def redeem(services: Services, user: User, document: Document, code: Code) -> Redeemed | None:
    """What spends a code; None if it is wrong or was spent, or if there is no second factor.

    Of two who use one code at once, the one whose transaction comes second loses the race.
    """
    if not document["totp"]:
        return None
    if code.is_recovery:
        field = _field_of(services, document, code.text)
        return None if field is None else Redeemed({field: None}, None)
    write = _redeem_step(services, user, document["totp"], code.text)
    return None if write is None else Redeemed({}, write)


def _redeem_step(services: Services, user: User, secret: str, code: str) -> Write | None:
    """The write that redeems a code of a secret; None if it is wrong, or it or a later one was redeemed."""
    step = step_of(secret, code, services.now())
    if step is None or step <= services.store.totp_steps.last(user.id):
        return None
    return spend(services.store, user.id, step)


def spend(store: Store, user: str, step: int) -> Write:
    """The write that makes the codes of a step and of those before it no longer good."""
    return store.totp_steps.redeem(user, step, expires=(step + _DRIFT + 2) * STEP_S)


def enrol(user: User, document: Document, label: str, issuer: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Begin: a new secret, which counts once a code of it was given.

    Args:
        user: The person's record.
        document: Its document.
        label: What the authenticator shows beside the issuer.
        issuer: The group's name.

    Returns:
        The edit of the document, and what the person's authenticator needs.

    Raises:
        ConflictError: There is a second factor already.
    """
    if document["totp"]:
        raise ConflictError("already_enrolled", "There is a second factor already; disable it first.")
    secret = b32encode(token_bytes(20)).decode()
    query = urlencode(
        {"secret": secret, "issuer": issuer, "algorithm": "SHA1", "digits": _DIGITS, "period": STEP_S},
        quote_via=quote,  # apps show a plus sign as one
    )
    uri = f"otpauth://totp/{quote(f'{issuer}:{label}')}?{query}"
    return {"totp_pending": {"secret": secret, "epoch": user.epoch}}, {"secret": secret, "uri": uri}


def confirm(services: Services, user: User, document: Document, code: str) -> tuple[dict[str, Any], Write]:
    """The edit that makes a new secret count, and the write that redeems its code; see `new_recovery_codes`.

    Raises:
        ConflictError: None was begun, or a credential was changed since.
        BadRequestError: The code is wrong.
    """
    pending = document["totp_pending"]
    if not isinstance(pending, dict) or pending["epoch"] != user.epoch:
        raise ConflictError("not_enrolling", "No second factor was begun.")
    redeemed = _redeem_step(services, user, pending["secret"], code)
    if redeemed is None:
        raise BadRequestError("wrong_code", "The code is wrong, or was used before.")
    return {"totp": pending["secret"], "totp_pending": None}, redeemed


def disable(document: Document) -> dict[str, Any]:
    """The edit that ends a second factor, with its recovery codes."""
    codes = [f"{_FIELD}.{key}" for key, _ in document.family(_FIELD)]
    return {"totp": None, "totp_pending": None} | dict.fromkeys(codes)


def new_recovery_codes(
    services: Services, document: Document, secret: str
) -> tuple[dict[str, Any], list[str]]:
    """The edit that replaces all recovery codes, and the codes, which are shown once.

    Args:
        services: The services.
        document: The person's document.
        secret: That of the second factor.
    """
    codes = [_drawn() for _ in range(RECOVERY_CODES)]
    place, key = f"{_FIELD}.{factor_key(secret)}.{token_hex(_LIST_BYTES)}", services.keyring.blind_index_key()
    made = {f"{place}.{number}": _hash(key, code) for number, code in enumerate(codes)}
    return dict.fromkeys(_codes(document)) | made, codes


def codes_left(document: Document) -> int:
    """How many recovery codes are good."""
    return len(_codes(document))


def _codes(document: Document) -> dict[str, str]:
    """The HMACs of the recovery codes that are good, by their fields."""
    if not document["totp"]:
        return {}
    family = f"{_FIELD}.{factor_key(document['totp'])}"
    return {f"{family}.{key}": kept for key, kept in document.family(family)}


def _drawn() -> str:
    code = b32encode(token_bytes(2 * _GROUP)).decode()
    return f"{code[:_GROUP]}-{code[_GROUP : 2 * _GROUP]}"


def _field_of(services: Services, document: Document, code: str) -> str | None:
    """The field of a recovery code; None for one that is none, or no longer."""
    if len(code) > _LONGEST:
        return None
    keys = services.keyring.blind_index_key(), services.keyring.refresh_key()
    hashes = [_hash(key, code) for key in keys]
    found = [
        field
        for field, kept in _codes(document).items()
        if any(hmac.compare_digest(kept, each) for each in hashes)
    ]
    return found[0] if found else None


def _hash(key: bytes, code: str) -> str:
    text = _IGNORED.sub("", code).upper().encode("utf-8", "surrogatepass")
    return hmac.digest(key, b"recovery-code\0" + text, "sha256").hex()
