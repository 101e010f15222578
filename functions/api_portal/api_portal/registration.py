"""Registers customers of AWS Marketplace: a subscription becomes a visitor's.

Trigger: API Gateway REST, proxy integration; `registrations` and `subscriptions` behind the Cognito
    authorizer of the visitors' pool (ID tokens).
Input: `POST /v1/marketplace`, a form with `x-amzn-marketplace-token`, which AWS Marketplace has a buyer's
    browser send; `POST /v1/registrations` with `{"token"}`; `GET /v1/subscriptions`.
Output: 303 to the page, which keeps the token behind `#`, where no server and no log sees it; 201 with the
    subscription, 200 if it is registered already; 200 with the visitor's subscriptions and what was
    metered.
On failure: JSON with a stable code (see `shared.http`). A token is good for four hours, as often as it is
    sent.
Idempotent: a subscription is registered by one visitor, on the condition that it is nobody's or theirs.
Recorded event: events/api_portal/registration_token.json
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from shared.clients import client
from shared.http import (
    CROSS_ORIGIN_HEADERS,
    Answer,
    BadRequestError,
    BusyError,
    ConflictError,
    Facts,
    GoneError,
    NotFoundError,
    Request,
    UnprocessableError,
    aws_errors_as_busy,
    json_answer,
    respond,
)
from shared.metrics import count, publishes_metrics
from shared.visitors import visitor_of

from .marketplace import full_arn, licence_of
from .settings import RegistrationSettings
from .subscription_storage import ChangingError, OtherVisitorError, Record, Subscription, SubscriptionStorage

__all__ = ["handler"]

FIELD = "x-amzn-marketplace-token"
MAX_TOKEN = 8192
SHOWN_HOURS = 48


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Answer:  # noqa: ARG001
    """Answer a request about subscriptions."""

    def serve(facts: Facts) -> Answer:
        with aws_errors_as_busy("Subscriptions cannot be served now; try again in a moment."):
            return _serve(event, facts)

    return respond("api_portal_registration", event, serve, headers=CROSS_ORIGIN_HEADERS)


def _serve(event: dict[str, Any], facts: Facts) -> Answer:
    request = Request.of(event)
    settings = RegistrationSettings.from_env()
    storage = SubscriptionStorage(settings.portal_table)
    routes: dict[tuple[str, str], Callable[[Request, Facts], Answer]] = {
        ("POST", "/v1/marketplace"): partial(_arrive, settings),
        ("POST", "/v1/registrations"): lambda request, facts: _register(
            settings, storage, visitor_of(event), request, facts
        ),
        ("GET", "/v1/subscriptions"): lambda _, facts: _list(storage, visitor_of(event), facts),
    }
    route = routes.get((request.method, request.resource))
    if route is None:
        raise NotFoundError("not_found", "There is nothing here.")
    return route(request, facts)


def _arrive(settings: RegistrationSettings, request: Request, facts: Facts) -> Answer:  # noqa: ARG001
    token = _token(request.form().get(FIELD))
    address = f"{settings.pages_url}/portal/#registration={quote(token, safe='')}"
    return {"statusCode": 303, "headers": {"Location": address}, "body": ""}


def _register(
    settings: RegistrationSettings, storage: SubscriptionStorage, visitor: str, request: Request, facts: Facts
) -> Answer:
    body = request.json()
    if body.keys() != {"token"}:
        raise BadRequestError("bad_request", "A registration has a token, and nothing else.")
    resolved = _resolve(_token(body["token"]))
    product = settings.product(resolved["ProductCode"])
    if product is None:
        raise UnprocessableError("unknown_product", "This product is not sold here.")
    # What a topic tells names customers, though their licences have ARNs, too.
    arn = "" if product.topic else full_arn(resolved.get("LicenseArn") or "")
    customer = "" if arn else resolved["CustomerIdentifier"].strip()
    given = Subscription(
        id=licence_of(arn) if arn else f"{product.code}:{customer}", product=product.code,
        plan=product.plan, visitor=visitor, account=resolved.get("CustomerAWSAccountId") or "",
        customer=customer, licence=arn,
    )  # fmt: skip
    try:
        before, after = storage.register(given, round(1000 * time.time()))
    except OtherVisitorError as error:
        raise ConflictError("other_visitor", "Somebody else registered this subscription.") from error
    except ChangingError as error:
        raise BusyError("busy", "The subscription is changing; try again in a moment.") from error
    is_new = before.visitor != visitor
    if is_new:
        count("SubscriptionsRegistered")
    facts |= {"subscription": after.id, "state": after.state, "is_new": is_new}
    return json_answer(201 if is_new else 200, {"subscription": _shown(after, storage)})


def _token(value: Any) -> str:
    """A registration token; a blank in it was a plus before a form took it."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TOKEN or not value.isascii():
        raise BadRequestError("invalid_token", "There is no registration token of AWS Marketplace.")
    return value


def _resolve(token: str) -> dict[str, Any]:
    """Whose subscription to what a token stands for."""
    try:
        return dict(client("meteringmarketplace").resolve_customer(RegistrationToken=token))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ExpiredTokenException":
            raise GoneError(
                "expired_token", "The link is older than four hours; ask for a new one."
            ) from error
        if code == "InvalidTokenException":
            raise BadRequestError("invalid_token", "AWS Marketplace does not know this token.") from error
        raise


def _list(storage: SubscriptionStorage, visitor: str, facts: Facts) -> Answer:
    found = storage.of_visitor(visitor)
    facts["subscriptions"] = len(found)
    return json_answer(200, {"subscriptions": [_shown(each, storage) for each in found]})


def _shown(subscription: Subscription, storage: SubscriptionStorage) -> dict[str, Any]:
    """A subscription as its visitor sees it; moments are seconds since the epoch, hours those of use."""
    facts = subscription.facts
    shown: dict[str, Any] = {
        "id": subscription.id,
        "plan": subscription.plan,
        "state": subscription.state,
        "since": (facts.began or facts.registered) / 1000,
        "usage": [_used(record) for record in storage.records(subscription.id, SHOWN_HOURS)],
    }
    return shown if facts.use_ends is None else shown | {"until": facts.use_ends / 1000}


def _used(record: Record) -> dict[str, Any]:
    return {"hour": record.hour, "quantity": record.quantity, "state": record.state}
