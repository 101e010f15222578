from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from datagen.ec2_calls import encoded, recorded
from datagen.ec2_messages import sqs_event
from ec2_monitor import index
from ec2_monitor.documents import document
from shared import batches
from shared.settings import SettingsError
from shared.signed_http import Answer, UnreachableError

URL = "http://search.example"
DEAD_LETTERS = "http://sqs.example/dead"


class Context:
    """What the handler asks of Lambda's context."""

    def __init__(self, milliseconds: int = 60_000) -> None:
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


class Http:
    """Stands for the domain: answers in turn, notes what it is asked."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str]] = []

    def send(self, method: str, path: str, body: bytes, **_: Any) -> Answer:
        self.asked.append((method, path))
        answer = self.answers.pop(0) if self.answers else self.created(body)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @staticmethod
    def created(body: bytes) -> Answer:
        items = [{"create": {"status": 201}}] * (len(body.splitlines()) // 2)
        return Answer(200, json.dumps({"items": items}).encode())


class Queue:
    """Stands for SQS."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send_message(self, **message: Any) -> None:
        self.sent.append(message)


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    for name, value in {
        "SEARCH_URL": URL,
        "AWS_REGION": "eu-west-1",
        "DEAD_LETTER_QUEUE_URL": DEAD_LETTERS,
    }.items():
        monkeypatch.setenv(name, value)
    made = Queue()
    monkeypatch.setattr(batches, "client", lambda _: made)
    return made


def handle(
    monkeypatch: pytest.MonkeyPatch, http: Http, *bodies: str, milliseconds: int = 60_000
) -> list[int]:
    """Places of the messages that the handler reports."""
    monkeypatch.setattr(index, "SignedHttp", lambda *_: http)
    index._domain.cache_clear()
    answer = index.handler(sqs_event(list(bodies)), Context(milliseconds))  # type: ignore[arg-type]
    return [int(each["itemIdentifier"][-12:]) for each in answer["batchItemFailures"]]


def body(call: str = "StopInstances") -> str:
    return encoded(recorded("calls")[call]).decode()


TEMPLATE_PUT = Answer(200, b'{"acknowledged":true}')


def test_template_is_put_before_the_first_document_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    http = Http(TEMPLATE_PUT)
    assert handle(monkeypatch, http, body()) == []
    index.handler(sqs_event([body()]), Context())  # type: ignore[arg-type]
    assert http.asked == [("PUT", "/_template/log"), ("POST", "/log/_bulk"), ("POST", "/log/_bulk")]


@pytest.mark.parametrize("answer", [Answer(403, b""), Answer(400, b"{}"), UnreachableError("no one")])
def test_no_document_is_created_without_the_template(
    monkeypatch: pytest.MonkeyPatch, answer: Answer | Exception
) -> None:
    http = Http(answer)
    assert handle(monkeypatch, http, body(), body("RunInstances")) == [0, 1]
    assert http.asked == [("PUT", "/_template/log")]


def test_malformed_message_in_the_middle_is_dead_lettered_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, queue: Queue
) -> None:
    assert handle(monkeypatch, Http(TEMPLATE_PUT), body(), "{ nothing", body("RunInstances")) == []
    [message] = queue.sent
    assert (message["QueueUrl"], message["MessageBody"]) == (DEAD_LETTERS, "{ nothing")
    assert message["MessageAttributes"]["reason"]["StringValue"] == "no JSON"


def test_a_malformed_message_that_cannot_be_dead_lettered_comes_back(
    monkeypatch: pytest.MonkeyPatch, queue: Queue
) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "SendMessage")

    monkeypatch.setattr(queue, "send_message", refuse)
    assert handle(monkeypatch, Http(TEMPLATE_PUT), body(), "{ nothing", body("RunInstances")) == [1]


def test_a_record_that_fails_for_an_unknown_reason_comes_back_alone(
    monkeypatch: pytest.MonkeyPatch, queue: Queue
) -> None:
    good = document

    def broken(event: Any) -> Any:
        if event["detail"]["eventName"] == "RunInstances":
            raise ZeroDivisionError
        return good(event)

    monkeypatch.setattr(index, "document", broken)
    assert handle(monkeypatch, Http(TEMPLATE_PUT), body(), body("RunInstances"), body("CreateVpc")) == [1]
    assert queue.sent == []


def test_without_time_nothing_is_asked_and_everything_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    http = Http(TEMPLATE_PUT)
    assert handle(monkeypatch, http, body(), milliseconds=20_000) == [0]
    assert http.asked == []


def test_logs_and_dead_letters_quote_no_event(
    monkeypatch: pytest.MonkeyPatch, queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    error = {"type": "mapper_parsing_exception", "reason": "failed to parse 203.0.113.7 of alice"}
    refused = json.dumps({"items": [{"create": {"status": 400, "error": error}}]}).encode()
    handle(monkeypatch, Http(TEMPLATE_PUT, Answer(200, refused)), body())
    assert queue.sent[0]["MessageAttributes"]["reason"]["StringValue"] == "400 mapper_parsing_exception"
    [line] = caplog.records
    said = vars(line)
    assert said["reason"] == "400 mapper_parsing_exception"
    assert "alice" not in str(said)


def test_each_result_is_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    items = [
        {"create": {"status": 201}},
        {"create": {"status": 409}},
        {"create": {"status": 429, "error": {"type": "x"}}},
    ]
    answer = Answer(200, json.dumps({"items": items}).encode())
    handle(monkeypatch, Http(TEMPLATE_PUT, answer), body(), body(), body(), "[]")
    [line] = [line for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    counted = {name: value for name, value in json.loads(line).items() if name.startswith("Documents")}
    assert counted == {
        "DocumentsCreated": [1.0],
        "DocumentsKnown": [1.0],
        "DocumentsDelayed": [1.0],
        "DocumentsRefused": [1.0],
    }


def test_missing_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEARCH_URL")
    monkeypatch.delenv("DEAD_LETTER_QUEUE_URL")
    with pytest.raises(SettingsError, match=r"SEARCH_URL.*DEAD_LETTER_QUEUE_URL"):
        index.handler(sqs_event([]), Context())  # type: ignore[arg-type]
