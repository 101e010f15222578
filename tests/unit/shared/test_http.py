"""Requests, answers and the last boundary of functions behind an API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from shared import http
from shared.events import ForeignEventError
from shared.http import (
    Answer,
    BusyError,
    Facts,
    HttpError,
    InternalError,
    MethodNotAllowedError,
    NotFoundError,
    ReasonError,
    json_answer,
    respond,
)
from shared.settings import SettingsError

EVENT = json.loads((Path(__file__).parents[3] / "events/auth/api_login_unknown_client.json").read_text())
REQUEST_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def answered(raised: Exception | None = None, **options: Any) -> tuple[int, dict[str, str], Any]:
    def serve(facts: Facts) -> Answer:
        facts["panel"] = "live"
        if raised:
            raise raised
        return json_answer(200, {"done": "é"})

    answer = respond("tests", EVENT, serve, **options)
    return answer["statusCode"], answer["headers"], json.loads(answer["body"])


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.msg == "request"]


def test_answer_is_json_that_nobody_caches_with_the_requests_id() -> None:
    status, headers, body = answered()
    assert (status, body) == (200, {"done": "é"})
    assert headers == {
        "Cache-Control": "no-store",
        "Content-Type": "application/json",
        "Strict-Transport-Security": "max-age=63072000",
        "X-Content-Type-Options": "nosniff",
        "X-Request-Id": REQUEST_ID,
    }


def test_answers_own_headers_win() -> None:
    made = respond(
        "tests",
        EVENT,
        lambda _: json_answer(200, {}, {"Cache-Control": "public"}),
        headers={"Access-Control-Allow-Origin": "*", "Cache-Control": "private"},
    )
    assert made["headers"]["Cache-Control"] == "public"
    assert made["headers"]["Access-Control-Allow-Origin"] == "*"


ERRORS = [getattr(http, name) for name in http.__all__ if name.endswith("Error")]
# RFC 9110, section 15, and RFC 6585 for 429
STATUSES = {400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429, 500, 501, 502, 503, 504}


def test_each_status_is_one_error() -> None:
    statuses = [kind.status for kind in ERRORS if "status" in vars(kind)]
    assert sorted(statuses) == sorted(STATUSES)


def test_errors_headers_are_those_of_rfc_9110() -> None:
    """Section 10.2.1: "An origin server MUST generate an Allow header field in a 405"."""
    refused = MethodNotAllowedError("method_not_allowed", "Only GET.", "GET")
    assert answered(refused)[1]["Allow"] == "GET"
    assert answered(BusyError("busy", "Not now.", 7))[1]["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (NotFoundError("unknown", "There is none."), 404, "unknown"),
        (BusyError("busy", "Not now."), 503, "busy"),
        (InternalError("storage_refused", "No."), 500, "storage_refused"),
        (SettingsError(("TABLE is missing",)), 500, "misconfigured"),
        (RuntimeError("alice@example.org"), 500, "internal"),
    ],
)
def test_whatever_is_raised_is_told_counted_and_logged_in_one_line(
    raised: Exception,
    status: int,
    code: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[str] = []
    monkeypatch.setattr(http._answer, "count", counted.append)
    told, headers, body = answered(raised)
    assert (told, body["code"], set(body)) == (status, code, {"code", "message"})
    assert "alice" not in json.dumps(body)
    assert headers["X-Request-Id"] == REQUEST_ID
    [line] = lines(caplog)
    assert (line["outcome"], line["status"], line["panel"]) == (code, status, "live")
    assert (line["api"], line["method"], line["resource"]) == ("tests", "POST", "/v1/login")
    assert (line["request_id"], counted) == (REQUEST_ID, [f"Error_{code}"])
    assert line["duration_ms"] >= 0
    traced = [record for record in caplog.records if record.exc_info]
    assert bool(traced) == (status == 500)
    assert all(vars(record)["request_id"] == REQUEST_ID for record in traced)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (None, ""),
        (ReasonError("the signature does not hold"), "the signature does not hold"),
        (EndpointConnectionError(endpoint_url="https://bucket/alice.jpg"), "EndpointConnectionError"),
        (
            ClientError({"Error": {"Code": "SlowDown", "Message": "alice"}}, "GetObject"),
            "ClientError SlowDown",
        ),
    ],
)
def test_cause_of_a_refusal_is_logged_without_quoting_the_request(
    cause: Exception | None, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = BusyError("busy", "Not now.")
    refusal.__cause__ = cause
    answered(refusal)
    assert lines(caplog)[0]["reason"] == reason
    noted = BusyError("busy", "Not now.")
    noted.add_note("of two keys")
    answered(noted)
    assert lines(caplog)[1]["reason"] == ["of two keys"]


def test_request_without_id_or_resource_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    answer = respond("tests", {"httpMethod": "GET"}, lambda _: json_answer(200))
    assert answer["headers"]["X-Request-Id"] == "-"
    assert lines(caplog)[0]["resource"] is None


def test_success_is_one_line_and_counts_no_error(caplog: pytest.LogCaptureFixture) -> None:
    answered()
    [line] = lines(caplog)
    assert (line["outcome"], line["status"], line["request_id"]) == ("ok", 200, REQUEST_ID)


def test_api_may_tell_errors_in_its_own_form() -> None:
    def page(error: HttpError) -> Answer:
        return {"statusCode": error.status, "headers": {"Content-Type": "text/html"}, "body": '"page"'}

    for raised in (NotFoundError("unknown", "There is none."), RuntimeError("a bug")):
        _, headers, body = answered(raised, on_error=page)
        assert (headers["Content-Type"], headers["X-Request-Id"], body) == ("text/html", REQUEST_ID, "page")


def test_what_is_no_request_is_refused() -> None:
    events: list[dict[str, Any]] = [{}, {"Records": []}, {"rawPath": "/", "version": "2.0"}]
    for event in events:
        with pytest.raises(ForeignEventError):
            respond("tests", event, lambda _: json_answer(200))


@given(st.integers(200, 599), st.text(max_size=20))
def test_answer_is_what_api_gateway_takes(status: int, text: str) -> None:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    #api-gateway-simple-proxy-for-lambda-output-format"""
    answer = json_answer(status, {"text": text})
    assert set(answer) == {"statusCode", "headers", "body"}
    assert json.loads(answer["body"]) == {"text": text}
    assert json_answer(204)["body"] == ""


def test_text_beyond_ascii_is_utf_8_and_no_escape() -> None:
    assert json_answer(200, {"name": "Zoë", "n": [1]})["body"] == '{"name":"Zoë","n":[1]}'
