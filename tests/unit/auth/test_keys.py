"""The custom resource that makes the secrets, answering a CloudFormation of the test's own."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from auth import keys
from local.serving import serving


@pytest.fixture
def answers() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Where to answer, and what was answered."""
    got: list[dict[str, Any]] = []

    class CloudFormation(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with serving(HTTPServer(("127.0.0.1", 0), CloudFormation)) as address:
        yield address, got


def create(address: str, monkeypatch: pytest.MonkeyPatch, refusals: Iterator[str | None]) -> list[float]:
    """Create the resource while calls are refused with these codes; the waits between tries."""
    waits: list[float] = []

    def make() -> None:
        if code := next(refusals):
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "PutParameter")

    monkeypatch.setattr(keys, "_make_missing", make)
    monkeypatch.setattr(time, "sleep", waits.append)
    event = {"RequestType": "Create", "ResponseURL": address}
    event |= {"StackId": "s", "RequestId": "r", "LogicalResourceId": "l"}
    context: Any = SimpleNamespace(function_name="keys", log_stream_name="stream")
    keys.handler(event, context)
    return waits


def test_a_role_that_is_not_known_yet_is_waited_for(
    answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = iter(["AccessDeniedException", "AccessDenied", None])
    assert create(answers[0], monkeypatch, refusals) == [1, 2]
    assert [answer["Status"] for answer in answers[1]] == ["SUCCESS"]


def test_a_refusal_for_good_fails_the_stack(
    answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = create(answers[0], monkeypatch, iter(["AccessDeniedException"] * 9))
    assert 30 <= sum(waits) < 50, "as long as roles take to spread, and within the function's 60 s"
    [answer] = answers[1]
    assert (answer["Status"], "ClientError" in answer["Reason"]) == ("FAILED", True)


def test_other_errors_are_not_waited_for(
    answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert create(answers[0], monkeypatch, iter(["KMSInvalidStateException"])) == []
    assert [answer["Status"] for answer in answers[1]] == ["FAILED"]
