"""Registration by AWS Marketplace's token, on the engine's market and tables in memory."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import unquote

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from api_portal.registration import handler
from api_portal.subscription_storage import SubscriptionStorage
from local.engine.services.metering import Book, Product, Purchase
from local.memory_table import MemoryTable
from ops.paths import ROOT

from .conftest import PRODUCT, TOPIC

pytestmark = pytest.mark.usefixtures("deployed")

TOKEN = "dG9rZW4tb2YtYS1idXllcg=="  # of the recorded events
LICENCE = "l-e52ca6f38bf84d0fafb8802ca15ac11a"
ARN = f"arn:aws:license-manager::294406891311:license:{LICENCE}"


def recorded(name: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / f"events/api_portal/registration_{name}.json").read_text()))


def ask(event: dict[str, Any], visitor: str = "ada", **changes: Any) -> tuple[int, Any]:
    event = event | changes
    if "authorizer" in event["requestContext"]:
        event["requestContext"]["authorizer"]["claims"]["sub"] = visitor
    answer = handler(event, LambdaContext())
    return answer["statusCode"], json.loads(answer["body"]) if answer["body"] else answer["headers"]


def bought(
    book: Book, *, product: str = PRODUCT, arn: str = ARN, customer: str = "", age: float = 0
) -> Purchase:
    era: Any = "sns" if customer else "agreements"
    purchase = Purchase(
        Product(product, ("calls",), era), "210987654321", customer, "agmt-1", arn, time.time()
    )
    book.tokens[TOKEN] = (purchase, time.time() - age)
    return purchase


def test_browser_of_a_buyer_is_led_to_the_page() -> None:
    status, headers = ask(recorded("token"))
    assert status == 303
    assert headers["Location"] == "https://pages.example/portal/#registration=dG9rZW4tb2YtYS1idXllcg%3D%3D"
    assert unquote(headers["Location"].partition("=")[2]) == TOKEN
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("", 400, "invalid_token"),
        ("x-amzn-marketplace-token=", 400, "invalid_token"),
        ("token=abc", 400, "invalid_token"),
        ("x-amzn-marketplace-token=a&x-amzn-marketplace-token=b", 400, "invalid_request"),
        ("x-amzn-marketplace-token=" + "a" * 8193, 400, "invalid_token"),
        ("x-amzn-marketplace-token=" + "a" * 20_000, 413, "body_too_large"),
        ("x-amzn-marketplace-token=%ff", 400, "invalid_request"),
        ("x-amzn-marketplace-token=%0d%0aSet-Cookie:a", 303, None),
    ],
)
def test_form_without_a_token_leads_nowhere(body: str, status: int, code: str | None) -> None:
    found, answer = ask(recorded("token"), body=body)
    assert found == status
    assert answer.get("code") == code
    assert "\n" not in answer.get("Location", "")


def test_registration_makes_a_licence_the_visitors(book: Book, table: MemoryTable) -> None:
    bought(book)
    status, answer = ask(recorded("register"))
    assert status == 201
    shown = answer["subscription"]
    assert (shown["id"], shown["plan"], shown["state"], shown["usage"]) == (LICENCE, "fleet", "pending", [])
    again, same = ask(recorded("register"))
    assert (again, same) == (200, answer)
    status, listed = ask(recorded("subscriptions"))
    assert (status, listed) == (200, {"subscriptions": [shown]})
    found = SubscriptionStorage("portal", table).get(LICENCE)  # type: ignore[arg-type]
    assert found is not None
    assert (found.visitor, found.account, found.licence) == ("ada", "210987654321", ARN)
    assert TOKEN not in repr(table.tables)


def test_token_of_another_visitor_is_refused(book: Book) -> None:
    bought(book)
    assert ask(recorded("register"), "ada")[0] == 201
    status, answer = ask(recorded("register"), "bob")
    assert (status, answer["code"]) == (409, "other_visitor")
    assert ask(recorded("subscriptions"), "bob") == (200, {"subscriptions": []})


def test_product_with_a_topic_is_known_by_its_customer(
    book: Book, table: MemoryTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_TOPIC_ARN", TOPIC)
    bought(book, customer=" X01EXAMPLEX")
    status, answer = ask(recorded("register"))
    assert (status, answer["subscription"]["id"]) == (201, f"{PRODUCT}:X01EXAMPLEX")
    found = SubscriptionStorage("portal", table).get(f"{PRODUCT}:X01EXAMPLEX")  # type: ignore[arg-type]
    assert found is not None
    assert (found.customer, found.licence) == ("X01EXAMPLEX", "")


def test_licence_without_arn_in_front_is_registered_with_it(book: Book, table: MemoryTable) -> None:
    bought(book, arn=ARN.removeprefix("arn:"))
    ask(recorded("register"))
    found = SubscriptionStorage("portal", table).get(LICENCE)  # type: ignore[arg-type]
    assert found is not None
    assert found.licence == ARN


def test_registration_before_and_behind_the_events_is_active(book: Book, table: MemoryTable) -> None:
    storage = SubscriptionStorage("portal", table)  # type: ignore[arg-type]
    bought(book)
    ask(recorded("register"))
    assert storage.active("ada", "fleet") == []
    storage.learn(LICENCE, PRODUCT, "fleet", {"began": 1_795_166_142_000})
    [active] = storage.active("ada", "fleet")
    assert active.id == LICENCE
    assert storage.active("ada", "images") == storage.active("bob", "fleet") == []
    storage.learn(LICENCE, PRODUCT, "fleet", {"ending": 1_795_166_142_001})
    assert storage.active("ada", "fleet") == []


def test_token_that_is_old_unknown_or_of_another_product(book: Book) -> None:
    status, answer = ask(recorded("register"))
    assert (status, answer["code"]) == (400, "invalid_token")
    bought(book, age=4 * 3600 + 1)
    status, answer = ask(recorded("register"))
    assert (status, answer["code"]) == (410, "expired_token")
    bought(book, product="anotherproduct")
    status, answer = ask(recorded("register"))
    assert (status, answer["code"]) == (422, "unknown_product")


MALFORMED = [
    "", "null", "[]", "1", '"token"', "{}", '{"token": null}', '{"token": 1}', '{"token": ""}',
    '{"token": ["a"]}', '{"token": "é"}', '{"token": "a", "visitor": "bob"}',
    '{"token": "' + "a" * 8193 + '"}',
]  # fmt: skip


@pytest.mark.parametrize("body", MALFORMED)
def test_malformed_registration_is_refused(body: str) -> None:
    status, answer = ask(recorded("register"), body=body)
    assert status == 400
    assert answer["code"] in {"bad_json", "bad_request", "invalid_token"}


def test_without_an_id_token_nobody_registers() -> None:
    for event in (recorded("register"), recorded("subscriptions")):
        event["requestContext"]["authorizer"]["claims"]["token_use"] = "access"
        assert ask(event)[0] == 401
        del event["requestContext"]["authorizer"]
        assert ask(event)[0] == 401
