"""What an application may know of a person (OpenID Connect Core 1.0, section 5.3)."""

import re
from typing import Any

from shared.http import (
    Answer,
    ForbiddenError,
    GoneError,
    NotFoundError,
    Request,
    UnauthorizedError,
    json_answer,
)

from ..identity import milliseconds
from ..services import Services
from ..tokens import InvalidTokenError

__all__ = ["CLAIMS", "userinfo"]

CLAIMS = {
    "openid": {"sub": "sub"},
    "profile": {
        name: name
        for name in (
            "name", "given_name", "family_name", "nickname", "gender", "birthdate", "locale", "zoneinfo",
            "country",
        )
    },
    "email": {"email": "email", "email_verified": "email_verified"},
    "phone": {"phone_number": "phone", "phone_number_verified": "phone_verified"},
}  # fmt: skip
"""For each scope, claim to the field that it shows."""


def userinfo(services: Services, request: Request) -> Answer:
    """`GET` and `POST /oauth2/userinfo`.

    Raises:
        UnauthorizedError: There is no access token that is good now.
        ForbiddenError: It is one without the scope openid.
    """
    bearer = re.fullmatch(r"(?i:bearer) +([A-Za-z0-9._~+/-]+=*)", request.headers.get("authorization", ""))
    if bearer is None:
        error = UnauthorizedError(
            "invalid_request", "An access token is needed, in the header Authorization."
        )
        error.headers = {"WWW-Authenticate": "Bearer"}
        raise error
    try:
        claims = services.sessions.read(bearer[1])
    except InvalidTokenError as error:
        raise _invalid() from error
    scopes = claims["scope"].split()
    if "openid" not in scopes:
        refused = ForbiddenError("insufficient_scope", "The access token lacks the scope openid.")
        refused.headers = {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="openid"'}
        raise refused
    return json_answer(200, _shown(services, claims["sub"], scopes))


def _shown(services: Services, subject: str, scopes: list[str]) -> dict[str, Any]:
    try:
        user = services.find(subject)
        profile = services.open(user).profile()
    except (NotFoundError, GoneError) as error:
        raise _invalid() from error
    fields = {claim: field for scope in scopes for claim, field in CLAIMS.get(scope, {}).items()}
    shown = {claim: profile[field] for claim, field in fields.items() if field in profile}
    if "profile" in scopes:
        shown["updated_at"] = milliseconds(user.ts) // 1000
    return {"sub": subject} | shown


def _invalid() -> UnauthorizedError:
    error = UnauthorizedError("invalid_token", "The access token is not valid, or no longer.")
    error.headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return error
