"""AWS Marketplace for sellers of SaaS: ResolveCustomer, BatchMeterUsage, and the market itself behind a door.

``POST /_engine/marketplace`` lists a product, buys it, changes and ends purchases, and refuses what comes
next; what is then published is what AWS publishes, to the default bus of us-east-1 or to the product's
topics. ``GET`` answers what was bought and metered. ``local/clients/marketplace.py`` speaks to it. All is in
the account of the engine: on AWS the topics are in one of Marketplace's own.
"""

from __future__ import annotations

import json
import secrets
import string
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from ministack.core import iam_actions
from ministack.core.responses import get_account_id
from ministack.services import sns

from local.engine.asgi import App, Receive, Scope, Send, read_body, respond
from local.engine.aws_events import emit
from local.engine.delivery import iso_time, to_topic
from local.engine.delivery import scope as in_account
from local.engine.new_services import Refusal, json_protocol, serve
from local.engine.patching import pin
from local.engine.services.metering import Book, MeteringError, Product, Purchase

__all__ = ["wrap"]

type Data = dict[str, Any]

pin(sns, "_create_topic", "54ac305cd220")

_PATH = "/_engine/marketplace"
_REGION = "us-east-1"  # events come there alone, and the topics are there
_SOURCE = "aws.agreement-marketplace"
_LICENSOR = "294406891311"  # AWS Marketplace's account in the ARNs of licences
_FAULTS = {
    "throttled": Refusal("ThrottlingException", "The calls to the API are throttled."),
    "internal": Refusal("InternalServiceErrorException", "An internal error has occurred.", 500),
    "disabled": Refusal("DisabledApiException", "The API is disabled in the Region."),
}
_book = Book()
_faults: list[Refusal] = []


# -------------------------------------------------------------------------------------------------- service


def _faultless[A](operation: Callable[[Data], A]) -> Callable[[Data], A]:
    """Give an operation the refusals that the door has ordered, and Marketplace's own."""

    def perform(request: Data) -> A:
        if _faults:
            raise _faults.pop(0)
        try:
            return operation(request)
        except MeteringError as error:
            raise Refusal(error.code, error.message) from error

    return perform


@_faultless
def _resolve_customer(request: Data) -> Data:
    purchase = _book.resolve(str(request.get("RegistrationToken") or ""), time.time())
    answer = {
        "CustomerAWSAccountId": purchase.account,
        "ProductCode": purchase.product.code,
        "LicenseArn": purchase.licence,
        "Metadata": {"AgreementId": purchase.agreement},
    }
    # "For new SaaS product integrations, the CustomerIdentifier field is not populated"
    return answer | ({"CustomerIdentifier": purchase.customer} if purchase.customer else {})


@_faultless
def _batch_meter_usage(request: Data) -> Data:
    return _book.meter(request, time.time())


# --------------------------------------------------------------------------------------------------- events


def _topic(kind: str, product: Product) -> str:
    return f"arn:aws:sns:{_REGION}:{get_account_id()}:aws-mp-{kind}-notification-{product.code}"


def _notify(purchase: Purchase, action: str, kind: str = "subscription", **more: str) -> None:
    """Publish one of the texts of https://docs.aws.amazon.com/marketplace/latest/userguide/saas-notification.html."""
    named = {"action": action, "customer-identifier": purchase.customer}
    text = json.dumps(named | {"product-code": purchase.product.code} | more, separators=(",", ":"))
    to_topic(_topic(kind, purchase.product), text)


def _announce(purchase: Purchase, event: str, roles: tuple[str, ...], **agreement: str) -> None:
    """Put an event on the bus for each of the seller's roles.

    Who sells directly is "Both manufacturer and proposer":
    https://docs.aws.amazon.com/marketplace/latest/userguide/saas-eventbridge-integration.html
    """
    detail: Data = {
        "requestId": str(uuid.uuid4()),
        "catalog": "AWSMarketplace",
        "agreement": {"id": purchase.agreement} | agreement,
        "product": {"code": purchase.product.code, "id": f"prod-{purchase.product.code}"},
        "acceptor": {"accountId": purchase.account},
        "proposer": {"accountId": get_account_id()},
        "offer": {"id": f"offer-{purchase.product.code}"},
    }
    if event.startswith("License"):
        detail["license"] = {"arn": purchase.licence}
    for role in roles:
        arn = f"arn:aws:aws-marketplace::aws:agreement:{purchase.agreement}"
        emit(_SOURCE, f"{event} - {role}", detail, [arn])


_BOTH, _MANUFACTURER = ("Proposer", "Manufacturer"), ("Manufacturer",)


def _publish_purchase(purchase: Purchase, request: Data) -> None:
    if purchase.product.era == "agreements":
        _announce(purchase, "Purchase Agreement Created", _BOTH, intent="NEW", status="ACTIVE")
        _announce(purchase, "License Updated", _MANUFACTURER)
        return
    offer = {"offer-identifier": f"offer-{purchase.product.code}"}
    if request.get("fails"):
        _notify(purchase, "subscribe-fail", **offer)
    else:
        trial = "true" if request.get("free_trial") else "false"  # it is text
        _notify(purchase, "subscribe-success", **offer, isFreeTrialTermPresent=trial)


# ----------------------------------------------------------------------------------------------------- door


def _list_product(request: Data) -> Data:
    product = Product(str(request["code"]), tuple(request["dimensions"]), request["era"])
    if product.era not in ("agreements", "sns"):
        raise ValueError("the era must be agreements or sns")
    _book.products[product.code] = product
    topics = {}
    if product.era == "sns":
        topics = {kind: _topic(kind, product) for kind in ("subscription", "entitlement")}
        for arn in topics.values():
            sns._create_topic({"Name": [arn.rpartition(":")[2]]})
    return {"code": product.code, "topics": topics}


def _letters(most: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(most))


def _customer(product: Product, account: str) -> str:
    """Return what identifies an account as customer of a product, the same at each purchase."""
    known = (each for each in _book.purchases.values() if each.product.code == product.code)
    found = next((each.customer for each in known if each.account == account), _letters(11))
    return found if product.era == "sns" else ""


def _buy(request: Data) -> Data:
    product = _book.products[request["product"]]
    purchase = Purchase(
        product=product,
        account=str(request["account"]),
        customer=_customer(product, str(request["account"])),
        agreement=f"agmt-{uuid.uuid4().hex[:25]}",
        licence=f"arn:aws:license-manager::{_LICENSOR}:license:l-{uuid.uuid4().hex}",
        since=float(request.get("since") or time.time()),
    )
    if request.get("fails"):
        purchase.deprovisioned = True
    _book.purchases[purchase.licence] = purchase
    if request.get("publish", True):
        _publish_purchase(purchase, request)
    return {
        "token": _issue_token(purchase, time.time()),
        "customer": purchase.customer,
        "account": purchase.account,
        "licence": purchase.licence,
        "agreement": purchase.agreement,
        "product": product.code,
    }


def _issue_token(purchase: Purchase, issued: float) -> str:
    token = _letters(64)
    _book.tokens[token] = (purchase, issued)
    return token


def _purchase(request: Data) -> Purchase:
    return _book.purchases[request["licence"]]


def _token(request: Data) -> Data:
    return {"token": _issue_token(_purchase(request), time.time() - float(request.get("age", 0)))}


def _amend(request: Data) -> Data:
    purchase = _purchase(request)
    if purchase.product.era == "agreements":
        _announce(purchase, "Purchase Agreement Amended", _BOTH, intent="AMEND", status="ACTIVE")
        _announce(purchase, "License Updated", _MANUFACTURER)
    else:
        _notify(purchase, "entitlement-updated", "entitlement")
    return {}


def _end(request: Data) -> Data:
    purchase = _purchase(request)
    purchase.ended = float(request.get("at") or time.time())
    if not request.get("publish", True):
        return {}
    if purchase.product.era == "agreements":
        _announce(purchase, "Purchase Agreement Ended", _BOTH, intent="NEW", status="CANCELLED")
    else:
        _notify(purchase, "unsubscribe-pending")
    return {}


def _deprovision(request: Data) -> Data:
    purchase = _purchase(request)
    purchase.deprovisioned = True
    if not request.get("publish", True):
        return {}
    if purchase.product.era == "agreements":
        _announce(purchase, "License Deprovisioned", _MANUFACTURER)
    else:
        _notify(purchase, "unsubscribe-success")
    return {}


def _refuse(request: Data) -> Data:
    number, kind = int(request["number"]), request["kind"]
    if kind == "unprocessed":
        _book.unprocessed = number
    else:
        _faults[:] = [_FAULTS[kind]] * number
    return {}


_ACTIONS: Mapping[str, Callable[[Data], Data]] = {
    "product": _list_product, "buy": _buy, "token": _token, "amend": _amend, "end": _end,
    "deprovision": _deprovision, "refuse": _refuse,
}  # fmt: skip


def _records() -> list[Data]:
    return [
        {
            "product": record.purchase.product.code,
            "account": record.purchase.account,
            "customer": record.purchase.customer,
            "licence": record.purchase.licence,
            "dimension": record.dimension,
            "hour": iso_time(record.hour, milliseconds=False),
            "quantity": record.quantity,
            "id": record.id,
            "sent": record.sent,
        }
        for record in _book.records.values()
    ]


def _acted(body: bytes) -> tuple[int, Data]:
    """Do what a request to the door says; status and answer."""
    try:
        request = json.loads(body)
        with in_account(get_account_id(), _REGION):
            return 200, _ACTIONS[request["action"]](request)
    except LookupError as error:
        return 400, {"message": f"there is no {error}"}
    except (TypeError, ValueError) as error:
        return 400, {"message": str(error)}


def wrap(app: App) -> App:
    """Answer `/_engine/marketplace` before the emulator."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != _PATH:
            await app(scope, receive, send)
            return
        found: tuple[int, Any]
        if scope["method"] == "GET":
            found = 200, {"records": _records()}
        elif scope["method"] == "POST":
            found = _acted(await read_body(receive))
        else:
            found = 405, {"message": "only GET and POST"}
        await respond(send, found[0], {"content-type": "application/json"}, json.dumps(found[1]).encode())

    return application


# IAM knows no resources of it: permissions are on `*`, which the emulator takes by itself.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsmarketplacemeteringservice.html
serve(
    "aws-marketplace",
    json_protocol({"ResolveCustomer": _resolve_customer, "BatchMeterUsage": _batch_meter_usage}),
    "Marketplace's metering: ResolveCustomer and BatchMeterUsage with their checks; usage counts once",
    target="AWSMPMeteringService",
)
iam_actions._BOTOCORE_SERVICE_MAP["aws-marketplace"] = ["meteringmarketplace"]
