"""Requests as API Gateway REST hands them over."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from shared.http import MAX_BODY_BYTES, BadRequestError, Request, TooLargeError, UnsupportedTypeError

EVENT = json.loads((Path(__file__).parents[3] / "events/auth/api_login_unknown_client.json").read_text())


def request(body: str | bytes = "", kind: str = "application/json", **members: Any) -> Request:
    event = EVENT | {"headers": {"Content-Type": kind}, "isBase64Encoded": isinstance(body, bytes)}
    event["body"] = b64encode(body).decode() if isinstance(body, bytes) else body
    return Request.of(event | members)


@pytest.mark.parametrize("letter", ["x", "\u00e9"], ids=["ASCII", "two bytes"])
def test_body_has_at_most_16_kib_however_it_is_written(letter: str) -> None:
    most = letter * (MAX_BODY_BYTES // len(letter.encode()))
    for body in (most, most.encode()):
        assert len(request(body).body) == MAX_BODY_BYTES
    for body in (most + letter, (most + letter).encode(), most * 100, (most * 100).encode()):
        with pytest.raises(TooLargeError):
            request(body)


def test_function_may_read_more_of_a_body() -> None:
    event = EVENT | {"body": "x" * 100_000}
    assert len(Request.of(event, max_bytes=100_000).body) == 100_000
    with pytest.raises(TooLargeError):
        Request.of(event, max_bytes=99_999)


def test_query_parameter_that_occurs_twice_is_told() -> None:
    values = {"a": ["1"], "b": ["1", "2"], "c": ["1", "1", "1"]}
    asked = request(
        multiValueQueryStringParameters=values, queryStringParameters={"a": "1", "b": "2", "c": "1"}
    )
    assert asked.repeated == {"b", "c"}


def test_headers_have_lower_case_names() -> None:
    assert request(headers={"X-Thing": "A"}).headers == {"x-thing": "A"}


def test_request_without_optional_members_is_read() -> None:
    bare = Request.of({"httpMethod": "GET", "path": "/", "resource": "/"})
    assert (bare.body, bare.query, bare.headers, bare.api_key_id, bare.source_ip) == (b"", {}, {}, None, "")


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "1", '{"a": 1, "a": 2}', '{"a": NaN}', '{"a": ' + "[" * 9 + "]" * 9 + "}"]
)
def test_body_that_is_no_shallow_object_of_strict_json_is_refused(body: str) -> None:
    with pytest.raises(BadRequestError):
        request(body).json()


def test_object_is_read() -> None:
    assert request('{"a": [1]}', "application/json; charset=utf-8").json() == {"a": [1]}


@pytest.mark.parametrize("kind", ["", "text/plain", "application/jsonx"])
def test_body_of_another_type_is_refused(kind: str) -> None:
    for read in (request("{}", kind).json, request("a=1", kind).form):
        with pytest.raises(UnsupportedTypeError):
            read()


FORM = "application/x-www-form-urlencoded"


def test_form_is_read() -> None:
    assert request("a=1&b=&c=x%20y+z", FORM).form() == {"a": "1", "b": "", "c": "x y z"}


@pytest.mark.parametrize("body", ["a=1&a=2", "&".join(f"a{n}=1" for n in range(51)), "a=%ff", b"a=\xff"])
def test_form_that_is_ambiguous_or_malformed_is_refused(body: str | bytes) -> None:
    with pytest.raises(BadRequestError):
        request(body, FORM).form()
