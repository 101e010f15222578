"""Every kind of bad input, and its documented outcome, through HTTP."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from local.clients.person import PersonAt
from local.clients.visitor import PortalVisitor
from local.suite import Suite

ID = str(uuid.UUID(int=17))
GOOD = {"id": ID, "name": "x", "plan": "free"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_json"),
        (b"{", 400, "bad_json"),
        (b"[]", 400, "bad_json"),
        (b"null", 400, "bad_json"),
        (b'"text"', 400, "bad_json"),
        (b"17", 400, "bad_json"),
        (b"true", 400, "bad_json"),
        (b'{"id": NaN}', 400, "bad_json"),
        (b"{}", 400, "bad_request"),
        (json.dumps({**GOOD, "value": "a" * 40}).encode(), 400, "bad_request"),
        (json.dumps({**GOOD, "plan": "gold"}).encode(), 404, "unknown_plan"),
        (json.dumps({**GOOD, "name": "x" * 5_000}).encode(), 413, "body_too_large"),
        (b"\xff\xfe", 400, "bad_json"),
    ],
)
def test_what_is_no_request_is_refused(visitor: PortalVisitor, body: bytes, status: int, code: str) -> None:
    answer = visitor.ask("POST", "/v1/keys", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert ID not in visitor.own_keys()


@pytest.mark.parametrize("value", [None, True, 1, 1.5, [], {}, "x" * 201])
@pytest.mark.parametrize("field", ["id", "name", "plan", "subscription"])
def test_value_of_a_wrong_type_is_refused(visitor: PortalVisitor, field: str, value: Any) -> None:
    answer = visitor.ask("POST", "/v1/keys", json={**GOOD, field: value})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize("key", ["x", "../../etc", ID, "%00"])
def test_key_that_is_none_is_unknown(visitor: PortalVisitor, key: str) -> None:
    for answer in (visitor.revoke(key), visitor.rotate(key)):
        assert answer.status_code == 404


@pytest.mark.parametrize(
    "query", [{}, {"plan": "gold"}, {"plan": "free", "from": "x"}, {"plan": ["free", "x"]}]
)
def test_usage_of_nothing_is_refused(visitor: PortalVisitor, query: dict[str, Any]) -> None:
    assert visitor.ask("GET", "/v1/usage", params=query).status_code in (400, 404)


def test_only_id_tokens_of_visitors_are_taken(suite: Suite, visitor: PortalVisitor) -> None:
    operator = PersonAt(suite, "operator@example.org").token
    head, claims, _ = visitor.token.split(".")
    routes = [("GET", "/v1/keys"), ("POST", "/v1/keys"), ("POST", "/v1/keys/x/revoke"), ("GET", "/v1/usage")]
    for token in (None, "x", visitor.tokens["AccessToken"], operator, f"{head}.{claims}.AAAA"):
        for method, path in routes:
            assert visitor.ask(method, path, token=token).status_code == 401
    assert visitor.ask("GET", "/v1/keys").status_code == 200


def test_unknown_routes_are_not_found(visitor: PortalVisitor) -> None:
    for method, path in (("GET", "/"), ("GET", "/v2/keys"), ("DELETE", "/v1/keys")):
        assert visitor.ask(method, path).status_code == 404
