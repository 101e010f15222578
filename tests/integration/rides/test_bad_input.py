"""Every kind of bad input, and its documented outcome, through HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from local.clients.person import PersonAt
from local.clients.visitor import Visitor
from local.suite import Suite
from tests.support.waiting import wait_until

PLACES: dict[str, Any] = {
    "text": {"latitude": "60.1", "longitude": 24.9},
    "exponent in a text": {"latitude": "1e2", "longitude": 24.9},
    "hundred": {"latitude": 1e2, "longitude": 24.9},
    "beyond the pole": {"latitude": 91, "longitude": 24.9},
    "beyond the date line": {"latitude": 60.1, "longitude": 180.0001},
    "true": {"latitude": True, "longitude": 24.9},
    "null": {"latitude": None, "longitude": 24.9},
    "list": {"latitude": [60.1], "longitude": 24.9},
    "one of two": {"latitude": 60.1},
    "another town": {"latitude": 48.2082, "longitude": 16.3738},
    "just outside": {"latitude": 60.1942, "longitude": 24.9443},
    "too small for the table": {"latitude": 1e-200, "longitude": 24.9},
    "minus zero": {"latitude": -0.0, "longitude": 0},
    "three": {"latitude": 60.1, "longitude": 24.9, "height": 3},
    "text as a place": "60.1,24.9",
    "nothing": None,
}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_place_is_refused(visitor: Visitor, place: str) -> None:
    answer = visitor.request(PLACES[place])
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_place")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_json"),
        (b'{"id": "x", "pickup": {"latitude": NaN, "longitude": 24.9}}', 400, "bad_json"),
        (b"[]", 400, "bad_json"),
        (b"{}", 400, "bad_request"),
        (b'{"id": "<script>alert(1)</script>", "pickup": {}}', 400, "bad_request"),
        (b'{"id": "' + b"x" * 10_300 + b'"}', 413, "body_too_large"),
    ],
    ids=["cut", "NaN", "list", "empty", "script", "10 KB"],
)  # fmt: skip
def test_what_is_no_request_is_refused(suite: Suite, body: bytes, status: int, code: str) -> None:
    visitor = Visitor(suite)
    answer = visitor.ask("POST", "/v1/rides", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("after", ["", "x", "WzEsMl0=", "bnVsbA==", "WyIxIiwgMV0="])
def test_a_page_that_nobody_told_is_refused(visitor: Visitor, after: str) -> None:
    answer = visitor.ask("GET", "/v1/rides", params={"after": after})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_only_id_tokens_of_visitors_are_taken(suite: Suite, visitor: Visitor) -> None:
    operator = PersonAt(suite, "operator@example.org").token
    head, claims, _ = visitor.token.split(".")
    for token in (None, "x", visitor.tokens["AccessToken"], operator, f"{head}.{claims}.AAAA"):
        for method, path in (("GET", "/v1/rides"), ("POST", "/v1/rides"), ("POST", "/v1/rides/x/cancel")):
            assert visitor.ask(method, path, token=token).status_code == 401
    assert visitor.ask("GET", "/v1/rides").status_code == 200


def test_an_expired_token_is_refused(suite: Suite) -> None:
    visitor = Visitor(suite)
    people, pool = suite.client("cognito-idp"), suite["VisitorsUserPoolId"]
    client = people.create_user_pool_client(
        UserPoolId=pool, ClientName="short", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"],
        IdTokenValidity=1, TokenValidityUnits={"IdToken": "seconds"},
    )["UserPoolClient"]["ClientId"]  # fmt: skip
    token = people.admin_initiate_auth(
        UserPoolId=pool, ClientId=client, AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": visitor.email, "PASSWORD": visitor.password},
    )["AuthenticationResult"]["IdToken"]  # fmt: skip
    wait_until(
        lambda: visitor.ask("GET", "/v1/rides", token=token).status_code == 401, seconds=10, what="it expires"
    )
    people.delete_user_pool_client(UserPoolId=pool, ClientId=client)


def test_a_visitor_is_no_operator(suite: Suite, visitor: Visitor) -> None:
    url = f"{suite['InsightsApiUrl']}/v1/insights/overview"
    assert suite.http.get(url, headers={"Authorization": visitor.token}).status_code == 401
