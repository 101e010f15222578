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
from ..storage import Store, User, Write

__all__ = ["confirm", "disable", "enrol", "redeem", "spend", "step_of"]

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


def redeem(services: Services, user: User, secret: str, code: str) -> Write | None:
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
        {"secret": secret, "issuer": issuer, "algorithm": "SHA1", "digits": _DIGITS, "period": STEP_S}
    )
    uri = f"otpauth://totp/{quote(f'{issuer}:{label}')}?{query}"
    return {"totp_pending": {"secret": secret, "epoch": user.epoch}}, {"secret": secret, "uri": uri}


def confirm(services: Services, user: User, document: Document, code: str) -> tuple[dict[str, Any], Write]:
    """The edit that makes a new secret count, and the write that redeems its code.

    Raises:
        ConflictError: None was begun, or a credential was changed since.
        BadRequestError: The code is wrong.
    """
    pending = document["totp_pending"]
    if not isinstance(pending, dict) or pending["epoch"] != user.epoch:
        raise ConflictError("not_enrolling", "No second factor was begun.")
    redeemed = redeem(services, user, pending["secret"], code)
    if redeemed is None:
        raise BadRequestError("wrong_code", "The code is wrong, or was used before.")
    return {"totp": pending["secret"], "totp_pending": None}, redeemed


def disable() -> dict[str, Any]:
    """The edit that ends a second factor."""
    return {"totp": None, "totp_pending": None}
