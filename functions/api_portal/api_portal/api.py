"""Gives visitors keys to the suite's APIs, and tells of plans and usage.

Trigger: API Gateway REST, proxy integration; behind the Cognito authorizer of the visitors' pool (ID tokens),
    but for the plans, which everybody may see.
Input: `GET /v1/plans`; `GET` and `POST /v1/keys`, `POST /v1/keys/{id}/rotate`, `POST /v1/keys/{id}/revoke`;
    `GET /v1/usage?plan=...&from=...&to=...`; `GET /v1/sdks/{api}/{type}`.
Output: plans, keys, usage; 201 with the value of a new key, which nothing tells again; an archive. Visitors
    see their own keys alone: others are 404.
On failure: JSON with a stable code (see `shared.http`); 503 is worth another try, with the same id.
Idempotent: a key is known by the client's id: requested again it is the same key, without its value; with
    another name, plan or subscription 409. What an attempt left unfinished is deleted by the next one (see
    `keys`). A revoked key is revoked again.
Recorded event: events/api_portal/api_plans.json, api_create_key.json
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.http import (
    CROSS_ORIGIN_HEADERS,
    Answer,
    BadRequestError,
    Facts,
    NotFoundError,
    Request,
    aws_errors_as_busy,
    json_answer,
    respond,
)
from shared.metrics import publishes_metrics
from shared.visitors import id_of, is_id, visitor_of

from . import keys
from .key_storage import Key, KeyStorage
from .plans import Limits, Plan, limits_of, plans_of
from .sdks import sdk_answer
from .settings import ApiSettings
from .subscription_storage import SubscriptionStorage
from .usage import MAX_DAYS, quota_shown, shown, usage_of

__all__ = ["handler"]

MAX_BODY_BYTES = 4_096
MAX_NAME = 60
MAX_HOURS = 168
DEFAULT_HOURS = 24
LIMITS_SEEN_S = 5.0
"""How long limits that everybody may see are kept: API Gateway answers few requests about itself."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request of a visitor's, and what it takes to answer it."""

    request: Request
    visitor: str
    services: keys.Services
    settings: ApiSettings
    facts: Facts


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Answer:  # noqa: ARG001
    """Answer a request about plans and keys."""

    def serve(facts: Facts) -> Answer:
        with aws_errors_as_busy("The portal cannot answer now; try again in a moment."):
            return _serve(event, facts)

    return respond("api_portal", event, serve, headers=CROSS_ORIGIN_HEADERS)


def _serve(event: dict[str, Any], facts: Facts) -> Answer:
    request = Request.of(event, max_bytes=MAX_BODY_BYTES)
    settings = ApiSettings.from_env()
    plans = plans_of(settings)
    if (request.method, request.resource) == ("GET", "/v1/plans"):
        return _plans(plans)
    visitor = visitor_of(event)
    route = _ROUTES.get((request.method, request.resource))
    if route is None:
        raise NotFoundError("not_found", "There is nothing here.")
    table = settings.portal_table
    services = keys.Services(KeyStorage(table), SubscriptionStorage(table), plans, settings.key_tag)
    return route(_Asked(request, visitor, services, settings, facts))


# ---- plans

_seen: dict[str, tuple[float, Limits]] = {}


def _seen_limits(plan: Plan) -> Limits:
    """Limits as they were a moment ago."""
    now = time.monotonic()
    since, limits = _seen.get(plan.gateway_id, (-LIMITS_SEEN_S, None))
    if limits is None or now - since >= LIMITS_SEEN_S:
        limits = limits_of(plan)
        _seen[plan.gateway_id] = now, limits
    return limits


def _plans(plans: Mapping[str, Plan]) -> Answer:
    shown_plans = [_plan_shown(plan, _seen_limits(plan)) for plan in plans.values()]
    return json_answer(200, {"plans": shown_plans}, {"Cache-Control": "public, max-age=60"})


def _plan_shown(plan: Plan, limits: Limits) -> dict[str, Any]:
    return {
        "name": plan.name,
        "title": plan.title,
        "description": plan.description,
        "apis": list(plan.apis),
        "throttle": {"rate": limits.rate, "burst": limits.burst},
        "quota": quota_shown(limits),
        "sold": plan.is_sold,
        "meter": plan.meter,
        "listing": plan.listing,
    }


# ---- keys


def _list(asked: _Asked) -> Answer:
    found = asked.services.keys.of_visitor(asked.visitor)
    asked.facts["keys"] = len(found)
    return json_answer(200, {"keys": [_key_shown(key) for key in found]})


def _create(asked: _Asked) -> Answer:
    body = asked.request.json()
    _refuse_fields(body, {"id", "name", "plan"}, {"subscription"})
    wanted = Key(
        asked.visitor, id_of(body["id"]), _name_of(body["name"]), _word_of(body["plan"], "plan"),
        _word_of(body.get("subscription", ""), "subscription"), "creating", _now(),
    )  # fmt: skip
    return _created(asked, wanted)


def _rotate(asked: _Asked) -> Answer:
    body = asked.request.json()
    _refuse_fields(body, {"id"}, {"plan", "subscription", "hours"})
    old = _own(asked)
    new_id = id_of(body["id"])
    if new_id == old.id:
        raise BadRequestError("bad_request", "The new key has an id of its own.")
    plan = _word_of(body.get("plan", old.plan), "plan")
    subscription = body.get("subscription", old.subscription if plan == old.plan else "")
    wanted = Key(
        asked.visitor, new_id, old.name, plan, _word_of(subscription, "subscription"), "creating", _now(),
        replaces=old.id, hours=_hours_of(body.get("hours", DEFAULT_HOURS)),
    )  # fmt: skip
    return _created(asked, wanted)


def _created(asked: _Asked, wanted: Key) -> Answer:
    key, value = keys.create(asked.services, wanted)
    asked.facts.update(plan=key.plan, is_new=bool(value))
    if not value:
        return json_answer(200, _key_shown(key))
    return json_answer(201, {**_key_shown(key), "value": value})


def _revoke(asked: _Asked) -> Answer:
    key = keys.revoke(asked.services.keys, asked.visitor, _own(asked).id, _now())
    return json_answer(200, _key_shown(key))


def _own(asked: _Asked) -> Key:
    key = asked.request.parameters.get("id", "")
    return keys.own(asked.services.keys, asked.visitor, key if is_id(key) else "-")


def _key_shown(key: Key) -> dict[str, Any]:
    """A key as its visitor sees it, without its value; moments are seconds since the epoch."""
    told: dict[str, Any] = {
        "id": key.id,
        "name": key.name,
        "plan": key.plan,
        "subscription": key.subscription,
        "state": key.state,
        "last4": key.last4,
        "created": key.created,
    }
    if key.ends:
        told["ends"] = key.ends
    return told


# ---- usage and SDKs


def _usage(asked: _Asked) -> Answer:
    query = asked.request.query
    plan = asked.services.plans.get(query.get("plan", ""))
    if plan is None:
        raise NotFoundError("unknown_plan", "There is no such plan.")
    today = datetime.now(UTC).date()
    last = _day_of(query.get("to", today.isoformat()))
    first = _day_of(query.get("from", last.replace(day=1).isoformat()))
    if not 0 <= (last - first).days < MAX_DAYS:
        raise BadRequestError("bad_request", f"from and to are 1 to {MAX_DAYS} days, in this order.")
    since = datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()
    own = [
        key
        for key in asked.services.keys.of_visitor(asked.visitor)
        if key.plan == plan.name
        and key.gateway_key  # without one, a request is of everybody's usage
        and key.state != "creating"
        and not 0 < key.revoked < since
    ]
    asked.facts["keys"] = len(own)
    usages = [usage_of(plan, key, first, last) for key in own]
    return json_answer(200, shown(plan, limits_of(plan), first, last, usages))


def _sdk(asked: _Asked) -> Answer:
    parameters = asked.request.parameters
    return sdk_answer(asked.settings, parameters.get("api", ""), parameters.get("type", ""))


_ROUTES: dict[tuple[str, str], Callable[[_Asked], Answer]] = {
    ("GET", "/v1/keys"): _list,
    ("POST", "/v1/keys"): _create,
    ("POST", "/v1/keys/{id}/rotate"): _rotate,
    ("POST", "/v1/keys/{id}/revoke"): _revoke,
    ("GET", "/v1/usage"): _usage,
    ("GET", "/v1/sdks/{api}/{type}"): _sdk,
}


# ---- what a request says


def _now() -> float:
    return round(time.time(), 3)


def _refuse_fields(body: Mapping[str, Any], needed: set[str], optional: set[str]) -> None:
    if not needed <= body.keys() <= needed | optional:
        sentence = f"The body has {_listed(needed)}; it may have {_listed(optional)}; and nothing else."
        raise BadRequestError("bad_request", sentence)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _name_of(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_NAME or not value.isprintable():
        raise BadRequestError("bad_request", f"name must be 1 to {MAX_NAME} characters that can be printed.")
    return value.strip()


def _word_of(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > 200 or not value.isprintable():
        raise BadRequestError("bad_request", f"{name} must be a text.")
    return value


def _hours_of(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_HOURS:
        raise BadRequestError("bad_request", f"hours must be a whole number from 0 to {MAX_HOURS}.")
    return value


def _day_of(text: str) -> date:
    """A day, `2026-11-28`; the other forms of ISO 8601 are refused."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise BadRequestError("bad_request", "A day is written as 2026-11-28.")
    return day
