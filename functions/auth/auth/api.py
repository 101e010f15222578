"""The API of client companies: accounts, tokens, profiles, imports.

Trigger: API Gateway REST, proxy integration, `/v1/...` (openapi.yaml). API Gateway wants the company's API
    key, and keeps its usage plan.
Input: a signed request: `{"request": "<JWT>"}`, or the JWT in the header `Client-Assertion` where there is no
    body. The JWT is bound to method and path, and is good once.
Output: JSON, never cached.
On failure: JSON with a stable code (see `shared.http`) and the request's id; 429 and 503 say when to try
    again.
Idempotent: whatever a request changes is written together with the mark that it was answered; sent again
    under a new JWT it changes nothing that is changed already.
Recorded event: events/auth/api_login_unknown_client.json
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.http import (
    Answer,
    BadRequestError,
    Facts,
    HttpError,
    NotFoundError,
    Request,
    UnauthorizedError,
    json_answer,
    respond,
)
from shared.metrics import publishes_metrics
from shared.strict_json import is_shallow

from . import accounts
from .clients import SignedRequest
from .credentials.mfa import Code
from .exports import jobs as exports
from .identity import Kind
from .imports import jobs
from .services import Services, get_services

__all__ = ["handler"]

_LONGEST_VISITOR = 64
CHALLENGE = "client-request+jwt"
"""How requests are authenticated here, by the type of the JWT that does it; HTTP has no scheme for it."""

type Payload = dict[str, Any]
type Run = Callable[[Services, SignedRequest, Payload, str], tuple[int, Any]]


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        scope: What the client must be allowed.
        run: Does it: services, request, payload, and what stands for `{id}`; gives status and body.
        required: Members of the payload that must be there.
        optional: Members that may be there.
        free: Whether any further member is taken, and checked by the operation.
    """

    scope: str
    run: Run
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    free: bool = False


def _sign_up(services: Services, asked: SignedRequest, payload: Payload, _: str) -> tuple[int, Any]:
    profile = payload.get("profile", {})
    if not isinstance(profile, dict):
        raise BadRequestError("bad_request", "profile must be an object.")
    accounts.sign_up(services, payload["email"], payload["password"], profile, asked.client, asked.once)
    return 202, {"status": "mail_sent"}


def _verify(services: Services, asked: SignedRequest, payload: Payload, _: str) -> tuple[int, Any]:
    password = _text(payload, "password")
    return 200, accounts.verify(services, payload["token"], password, asked.client, asked.once)


def _log_in(services: Services, asked: SignedRequest, payload: Payload, _: str) -> tuple[int, Any]:
    email, phone = _text(payload, "email"), _text(payload, "phone")
    if (email is None) == (phone is None):
        raise BadRequestError("bad_request", "Either email or phone is needed.")
    kind: Kind = "phone" if email is None else "email"
    password, code, visitor = payload["password"], _code(payload, "totp"), _text(payload, "visitor")
    if visitor is not None and len(visitor) > _LONGEST_VISITOR:
        raise BadRequestError("bad_request", "visitor has more than 64 characters.")
    return 200, accounts.log_in(
        services, kind, email or phone or "", password, code, visitor, asked.client, asked.once
    )


def _refresh(services: Services, asked: SignedRequest, payload: Payload, _: str) -> tuple[int, Any]:
    return 200, services.sessions.refresh(payload["refresh_token"], asked.client, asked.once)[1]


def _log_out(services: Services, asked: SignedRequest, payload: Payload, _: str) -> tuple[int, Any]:
    services.sessions.revoke(payload["refresh_token"], asked.client.id, asked.once)
    return 204, None


def _forgot(services: Services, asked: SignedRequest, payload: Payload, _: str) -> tuple[int, Any]:
    accounts.forgot_password(services, payload["email"], asked.client, asked.once)
    return 202, {"status": "mail_sent"}


def _reset(services: Services, asked: SignedRequest, payload: Payload, _: str) -> tuple[int, Any]:
    accounts.reset_password(services, payload["token"], payload["password"], asked.client, asked.once)
    return 204, None


def _change(services: Services, asked: SignedRequest, payload: Payload, _: str) -> tuple[int, Any]:
    accounts.change_password(
        services, payload["access_token"], payload["current"], payload["password"], asked.client, asked.once
    )
    return 204, None


def _second_factor(services: Services, asked: SignedRequest, payload: Payload, _: str) -> tuple[int, Any]:
    code, current = _code(payload, "code"), _text(payload, "current")
    return 200, accounts.second_factor(
        services, payload["access_token"], payload["action"], code, current, asked.client, asked.once
    )


def _introspect(services: Services, asked: SignedRequest, payload: Payload, _: str) -> tuple[int, Any]:
    services.store.commit(once=asked.once)
    return 200, services.sessions.introspect(payload["token"])


def _revoke(services: Services, asked: SignedRequest, payload: Payload, _: str) -> tuple[int, Any]:
    services.sessions.revoke(payload["token"], asked.client.id, asked.once)
    return 200, {}


def _profile(services: Services, asked: SignedRequest, _: Payload, user: str) -> tuple[int, Any]:
    return 200, accounts.profile(services, user, asked.once)


def _edit(services: Services, asked: SignedRequest, payload: Payload, user: str) -> tuple[int, Any]:
    return 200, accounts.edit(services, user, payload, asked.client, asked.once)


def _erase(services: Services, asked: SignedRequest, _: Payload, user: str) -> tuple[int, Any]:
    accounts.erase(services, user, asked.client, asked.once)
    return 204, None


def _export(services: Services, asked: SignedRequest, _: Payload, user: str) -> tuple[int, Any]:
    return exports.begin(services, user, asked.client, asked.once)


def _export_state(services: Services, asked: SignedRequest, _: Payload, job: str) -> tuple[int, Any]:
    services.store.commit(once=asked.once)
    return 200, exports.state(services, job, asked.client)


def _merge(services: Services, asked: SignedRequest, payload: Payload, user: str) -> tuple[int, Any]:
    return 200, accounts.merge(services, user, _uuid(payload["other"]), asked.client, asked.once)


def _recover(services: Services, asked: SignedRequest, payload: Payload, user: str) -> tuple[int, Any]:
    second_factor = payload.get("second_factor", False)
    if not isinstance(second_factor, bool):
        raise BadRequestError("bad_request", "second_factor must be true or false.")
    answer = accounts.recover(
        services, user, _text(payload, "email"), asked.client, asked.once, second_factor=second_factor
    )
    return 200 if answer["state"] == "done" else 202, answer


def _import(services: Services, asked: SignedRequest, payload: Payload, _: str) -> tuple[int, Any]:
    dry_run = payload.get("dry_run", False)
    if not isinstance(dry_run, bool):
        raise BadRequestError("bad_request", "dry_run must be true or false.")
    return 202, jobs.begin(services, asked.client, asked.once, dry_run=dry_run)


def _import_state(services: Services, asked: SignedRequest, _: Payload, job: str) -> tuple[int, Any]:
    services.store.commit(once=asked.once)
    return 200, jobs.state(services, job, asked.client)


OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/v1/signup"): Operation("accounts", _sign_up, ("email", "password"), ("profile",)),
    ("POST", "/v1/verify"): Operation("accounts", _verify, ("token",), ("password",)),
    ("POST", "/v1/login"): Operation(
        "accounts", _log_in, ("password",), ("email", "phone", "totp", "recovery_code", "visitor")
    ),
    ("POST", "/v1/token/refresh"): Operation("accounts", _refresh, ("refresh_token",)),
    ("POST", "/v1/logout"): Operation("accounts", _log_out, ("refresh_token",)),
    ("POST", "/v1/password/forgot"): Operation("accounts", _forgot, ("email",)),
    ("POST", "/v1/password/reset"): Operation("accounts", _reset, ("token", "password")),
    ("POST", "/v1/password/change"): Operation("accounts", _change, ("access_token", "current", "password")),
    ("POST", "/v1/mfa/totp"): Operation(
        "accounts", _second_factor, ("access_token", "action"), ("code", "recovery_code", "current")
    ),
    ("POST", "/v1/introspect"): Operation("tokens", _introspect, ("token",)),
    ("POST", "/v1/revoke"): Operation("tokens", _revoke, ("token",)),
    ("GET", "/v1/users/{id}"): Operation("users:read", _profile),
    ("PATCH", "/v1/users/{id}"): Operation("users:write", _edit, free=True),
    ("DELETE", "/v1/users/{id}"): Operation("users:erase", _erase),
    ("GET", "/v1/users/{id}/export"): Operation("users:export", _export),
    ("GET", "/v1/users/export/{id}"): Operation("users:export", _export_state),
    ("POST", "/v1/users/{id}/merge"): Operation("users:merge", _merge, ("other",)),
    ("POST", "/v1/users/{id}/recovery"): Operation(
        "users:recover", _recover, optional=("second_factor", "email")
    ),
    ("POST", "/v1/users/import"): Operation("users:import", _import, optional=("dry_run",)),
    ("GET", "/v1/users/import/{id}"): Operation("users:import", _import_state),
}


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Answer:  # noqa: ARG001
    """Answer one request."""
    return respond(
        "auth", event, lambda facts: json_answer(*_serve(Request.of(event), facts)), on_error=_told
    )


def _told(error: HttpError) -> Answer:
    """The answer that tells of an error; RFC 9110, 15.5.2, wants a challenge with each 401."""
    challenge = {"WWW-Authenticate": CHALLENGE} if error.status == 401 else {}
    body = {"code": error.code, "message": error.message, "request_id": error.request_id}
    return json_answer(error.status, body, challenge | error.headers)


def _serve(request: Request, facts: Facts) -> tuple[int, Any]:
    operation = OPERATIONS.get((request.method, request.resource))
    if operation is None:
        raise NotFoundError("not_found", "There is nothing here.")
    if request.method in ("POST", "PATCH"):
        token = request.json().get("request")
    else:
        token = request.headers.get("client-assertion")
    if not isinstance(token, str):
        raise UnauthorizedError("invalid_client", "The request is not accepted.")
    services = get_services()
    asked = services.clients.request(token, request.method, request.path, request.api_key_id)
    facts["client"] = asked.client.id
    with services.store.remembering(asked.once):
        asked.client.need(operation.scope)
        _check(operation, asked.payload)
        target = request.parameters.get("id", "")
        return operation.run(services, asked, asked.payload, _uuid(target) if target else "")


def _check(operation: Operation, payload: Payload) -> None:
    if not is_shallow(payload):
        raise BadRequestError("bad_request", "The request is nested too deeply.")
    for name in operation.required:
        if not isinstance(payload.get(name), str):
            raise BadRequestError("bad_request", f"{name} is missing, or is no text.")
    if not operation.free and set(payload) - {*operation.required, *operation.optional}:
        raise BadRequestError("bad_request", "The request has a member that is not known here.")


def _text(payload: Payload, name: str) -> str | None:
    if name not in payload:
        return None
    value = payload[name]
    if not isinstance(value, str):
        raise BadRequestError("bad_request", f"{name} is no text.")
    return value


def _code(payload: Payload, name: str) -> Code | None:
    """The code of a second factor under its name, or a recovery code."""
    code, recovery = _text(payload, name), _text(payload, "recovery_code")
    if code is not None and recovery is not None:
        raise BadRequestError("two_codes", f"Either {name} or recovery_code is taken.")
    if recovery is not None:
        return Code(recovery, is_recovery=True)
    return None if code is None else Code(code)


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise NotFoundError("not_found", "There is no such thing.") from error
