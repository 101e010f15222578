"""The second factor: time-based one-time passwords (RFC 6238: SHA-1, six digits, 30 seconds)."""

import hmac
from base64 import b32decode, b32encode
from secrets import token_bytes
from typing import Any
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from shared.http import BadRequestError, ConflictError

from ..identity import Document
from ..services import Services
from ..storage import User, Write

__all__ = ["confirm", "disable", "enrol", "redeem", "step_of"]

STEP_S = 30
_DIGITS = 6
_DRIFT = 1  # steps that a phone's clock may be off (RFC 6238, section 5.2)


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
    matching = [step for step in steps if hmac.compare_digest(totp.generate(step * STEP_S), code.encode())]
    return matching[0] if matching else None


def redeem(services: Services, user: User, document: Document, code: str) -> Write | None:
    """The write that redeems a code; None if the code is wrong or was redeemed before."""
    step = step_of(document["totp"], code, services.now())
    if step is None or services.store.totp_steps.redeemed(user.id, step):
        return None
    return services.store.totp_steps.redeem(user.id, step, expires=(step + _DRIFT + 2) * STEP_S)


def enrol(document: Document, label: str, issuer: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Begin: a new secret, which counts once a code of it was given.

    Args:
        document: The person's document.
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
        {"secret": secret, "issuer": issuer, "algorithm": "SHA1", "digits": _DIGITS, "period": STEP_S}
    )
    uri = f"otpauth://totp/{quote(f'{issuer}:{label}')}?{query}"
    return {"totp_pending": secret}, {"secret": secret, "uri": uri}


def confirm(document: Document, code: str, now: float) -> dict[str, Any]:
    """The edit that makes a new secret count.

    Raises:
        ConflictError: None was begun.
        BadRequestError: The code is wrong.
    """
    pending = document["totp_pending"]
    if not pending:
        raise ConflictError("not_enrolling", "No second factor was begun.")
    if step_of(pending, code, now) is None:
        raise BadRequestError("wrong_code", "The code is wrong.")
    return {"totp": pending, "totp_pending": None}


def disable() -> dict[str, Any]:
    """The edit that ends a second factor."""
    return {"totp": None, "totp_pending": None}
