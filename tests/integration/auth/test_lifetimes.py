"""Sessions end when their time is over, whatever is done to keep them: as docs/auth_security.md says."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from local.clients.sign_on import Application, Form, Visitor, told
from local.suite import Suite
from tests.integration.auth.conftest import Person

DAY_S = 86_400


def aged(suite: Suite, user: str, sort_key: str, attribute: str, seconds: int) -> None:
    """Make an item of a person older, as if time had gone by."""
    suite.client("dynamodb").update_item(
        TableName=suite["AuthUsersTableName"],
        Key={"pk": {"S": f"U#{user}"}, "sk": {"S": sort_key}},
        UpdateExpression="SET #attribute = #attribute - :seconds",
        ConditionExpression="attribute_exists(#attribute)",
        ExpressionAttributeNames={"#attribute": attribute},
        ExpressionAttributeValues={":seconds": {"N": str(seconds)}},
    )


def items(suite: Suite, user: str, prefix: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = suite.client("dynamodb").query(
        TableName=suite["AuthUsersTableName"],
        KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
        ExpressionAttributeValues={":pk": {"S": f"U#{user}"}, ":prefix": {"S": prefix}},
    )["Items"]
    return found


def family(tokens: dict[str, Any]) -> str:
    return f"R#{jwt.decode(tokens['access_token'], options={'verify_signature': False})['sid']}"


@pytest.mark.parametrize(("days", "status"), [(89, 200), (91, 401)])
def test_a_session_ends_after_ninety_days_however_often_it_is_refreshed(
    suite: Suite, person: Person, days: int, status: int
) -> None:
    tokens = person.tokens()
    tokens = person.shop.post("/v1/token/refresh", refresh_token=tokens["refresh_token"]).json()
    aged(suite, person.id, family(tokens), "began", days * DAY_S)
    answer = person.shop.post("/v1/token/refresh", refresh_token=tokens["refresh_token"])
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(("days", "status"), [(29, 200), (31, 401)])
def test_a_session_that_nobody_uses_for_thirty_days_ends(
    suite: Suite, person: Person, days: int, status: int
) -> None:
    tokens = person.tokens()
    aged(suite, person.id, family(tokens), "expires", days * DAY_S)
    answer = person.shop.post("/v1/token/refresh", refresh_token=tokens["refresh_token"])
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(("hours", "is_signed_in"), [(11, True), (13, False)])
def test_a_browser_is_signed_in_for_twelve_hours(
    suite: Suite, person: Person, hours: int, *, is_signed_in: bool
) -> None:
    app, visitor = Application(suite, "Clock", public=False), Visitor(suite)
    assert "code" in told(visitor.sign_in(app, person.email, person.password))
    [session] = items(suite, person.id, "S#")
    aged(suite, person.id, session["sk"]["S"], "expires", hours * 3600)
    answer = visitor.open(app.request(prompt="none"))
    assert ("code" in told(answer)) is is_signed_in, told(answer)


def test_consent_says_for_how_long_and_has_a_way_out(suite: Suite, person: Person) -> None:
    app, visitor = Application(suite, "Clock", public=False, trusted=False), Visitor(suite)
    page = visitor.sign_in(app, person.email, person.password, scope="openid offline_access")
    assert "while you are away, for 90 days at most" in page.text
    assert "remembered for as long as you have this account" in page.text
    assert '<a href="logout">Sign out</a>' in page.text
    question = visitor.get("/oauth2/logout")
    assert Form(question).action.endswith("/oauth2/logout/confirm")
    assert "signed out" in visitor.submit(question).text
    assert told(visitor.open(app.request(prompt="none")))["error"] == "login_required"
