"""The door on its recorded events, and on messages that are signed now."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from event_hub import door, sns_certificates
from event_hub.door import MAX_BODY_BYTES, handler
from shared import clients

EVENTS = Path(__file__).parents[3] / "events/event_hub"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:suite-hub"
KEY = rsa.generate_private_key(65537, 2048)


class Aws:
    """What the door calls of SQS, SNS and DynamoDB; `error` is raised instead."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.confirmed: list[dict[str, Any]] = []
        self.item: dict[str, Any] = {}
        self.error: Exception | None = None

    def _fail(self) -> None:
        if self.error:
            raise self.error

    def send_message(self, **request: Any) -> None:
        self._fail()
        self.sent.append(request)

    def confirm_subscription(self, **request: Any) -> None:
        self._fail()
        self.confirmed.append(request)

    def get_item(self, **request: Any) -> dict[str, Any]:
        self._fail()
        assert request == {"TableName": "ledger", "Key": {"pk": {"S": "status"}}}
        return {"Item": self.item} if self.item else {}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    made = Aws()
    monkeypatch.setattr(clients, "_client", lambda _service, _timeout, **_: made)
    monkeypatch.setattr(door, "loader", lambda _endpoint: lambda _address: certificate())
    monkeypatch.setenv("TOPICS", TOPIC)
    monkeypatch.setenv("EVENTS_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/events")
    monkeypatch.setenv("LEDGER_TABLE", "ledger")
    monkeypatch.delenv("SNS_ENDPOINT", raising=False)
    return made


def certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 1, now - timedelta(1), now + timedelta(1))
    return builder.sign(KEY, SHA256()).public_bytes(Encoding.PEM)


def recorded(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"door_{name}.json").read_text())
    return event


def signed_now(name: str, **changes: Any) -> dict[str, Any]:
    """A recorded event whose message was signed just now, by the test's own key."""
    event = recorded(name)
    body = json.loads(event["body"]) | {"Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")}
    body |= changes
    names = ["Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{field}\n{body[field]}\n" for field in names if field in body)
    body["Signature"] = base64.b64encode(KEY.sign(text.encode(), PKCS1v15(), SHA256())).decode()
    return event | {"body": json.dumps(body, indent=1, ensure_ascii=False)}


def answered(event: dict[str, Any]) -> tuple[int, Any]:
    answer = handler(event, SimpleNamespace(function_name="door", aws_request_id="1"))  # type: ignore[arg-type]
    return answer["statusCode"], json.loads(answer["body"])


def signed_part(event: dict[str, Any]) -> dict[str, str]:
    """The members that SNS signs: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html"""
    body = json.loads(event["body"])
    names = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
    return {name: body[name] for name in names if name in body}


def test_notification_is_queued(aws: Aws) -> None:
    event = signed_now("notification", Message="Zoë, 東京 \U0001f600")
    assert answered(event) == (200, {"result": "queued"})
    [sent] = aws.sent
    assert json.loads(sent["MessageBody"]) == signed_part(event)
    assert sent["QueueUrl"].endswith("/events")


def test_body_in_base64_is_queued_as_text(aws: Aws) -> None:
    event = signed_now("notification")
    coded = event | {"isBase64Encoded": True, "body": base64.b64encode(event["body"].encode()).decode()}
    assert answered(coded) == (200, {"result": "queued"})
    assert json.loads(aws.sent[0]["MessageBody"]) == signed_part(event)


def test_what_is_not_signed_goes_no_further(aws: Aws) -> None:
    event = signed_now("notification")
    body = json.loads(event["body"]) | {"Records": [{"Sns": {"Message": "x"}}], "MessageAttributes": {"a": 1}}
    assert answered(event | {"body": json.dumps(body)}) == (200, {"result": "queued"})
    assert json.loads(aws.sent[0]["MessageBody"]) == signed_part(event)


def test_subscription_is_confirmed_for_its_owner_alone(aws: Aws) -> None:
    event = signed_now("confirmation")
    assert answered(event) == (200, {"result": "confirmed"})
    token = json.loads(event["body"])["Token"]
    assert aws.confirmed == [{"TopicArn": TOPIC, "Token": token, "AuthenticateOnUnsubscribe": "true"}]
    assert aws.sent == []


def test_unsubscription_is_logged_and_nothing_else(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    assert answered(signed_now("unsubscribed")) == (200, {"result": "logged"})
    assert (aws.sent, aws.confirmed) == ([], [])
    assert vars(caplog.records[-1])["message_type"] == "UnsubscribeConfirmation"


@pytest.mark.parametrize("name", ["notification", "confirmation", "unsubscribed", "forged"])
def test_recorded_messages_are_too_old_by_now(aws: Aws, caplog: pytest.LogCaptureFixture, name: str) -> None:
    status, body = answered(recorded(name))
    assert (status, body["code"]) == (403, "not_verified")
    assert vars(caplog.records[-1])["reason"] == "timestamp_old"
    assert "timestamp_old" not in json.dumps(body)
    assert (aws.sent, aws.confirmed) == ([], [])


@pytest.mark.parametrize(
    "change",
    [
        {"TopicArn": TOPIC + "x"},
        {"SigningCertURL": "https://evil.example/SimpleNotificationService-00.pem"},
        {"SignatureVersion": "1"},
        {"Type": "Hello"},
    ],
)
def test_refused_message_has_no_effect(aws: Aws, change: dict[str, Any]) -> None:
    status, body = answered(signed_now("notification", **change))
    assert (status, body["code"]) == (403, "not_verified")
    assert (aws.sent, aws.confirmed) == ([], [])


@pytest.mark.parametrize(
    "body", [None, "", "hello", "[]", "1", '{"Type": "Notification", "Type": "Notification"}', "\ufeff{}"]
)
def test_body_that_is_no_json_object_is_refused(aws: Aws, body: str | None) -> None:
    status, answer = answered(recorded("not_json") | {"body": body})
    assert (status, answer["code"]) == (400, "bad_json")


def test_json_in_another_encoding_is_refused(aws: Aws) -> None:
    coded = base64.b64encode('{"Type": "Notification"}'.encode("utf-16")).decode()
    assert answered(recorded("not_json") | {"body": coded, "isBase64Encoded": True})[0] == 400


def test_body_of_more_than_256_kb_is_not_read(aws: Aws) -> None:
    whole = signed_now("notification", Message="x" * 200_000)
    assert answered(whole) == (200, {"result": "queued"})
    status, answer = answered(whole | {"body": whole["body"] + " " * MAX_BODY_BYTES})
    assert (status, answer["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("name", ["notification", "confirmation", "status"])
@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "InternalError"}}, "Any"),
        EndpointConnectionError(endpoint_url="https://example.org"),
    ],
)
def test_service_that_fails_is_worth_another_try(aws: Aws, name: str, error: Exception) -> None:
    aws.error = error
    status, body = answered(recorded(name) if name == "status" else signed_now(name))
    assert (status, body["code"]) == (503, "busy")


def test_certificate_that_cannot_be_fetched_is_worth_another_try(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(_address: str) -> bytes:
        raise TimeoutError

    monkeypatch.setattr(door, "loader", lambda _endpoint: unavailable)
    assert answered(signed_now("notification"))[0] == 503


@pytest.mark.parametrize("code", ["InvalidParameter", "NotFound"])
def test_token_that_sns_refuses_is_not_sent_again(aws: Aws, code: str) -> None:
    aws.error = ClientError({"Error": {"Code": code}}, "ConfirmSubscription")
    status, body = answered(signed_now("confirmation"))
    assert (status, body["code"]) == (403, "token_refused")


def test_status_shows_no_ids_and_what_is_down_first(aws: Aws) -> None:
    def record(name: str, state: str) -> dict[str, Any]:
        values = {
            "name": name,
            "state": state,
            "since": "2026-11-20T09:15:00Z",
            "changed": "x",
            "published": "y",
        }
        return {"M": {member: {"S": value} for member, value in values.items()}}

    aws.item = {
        "pk": {"S": "status"},
        "id-1": record("api", "up"),
        "id-2": record("shop", "down"),
        "id-3": record("Checkout", "unknown"),
    }
    answer = handler(recorded("status"), SimpleNamespace())  # type: ignore[arg-type]
    assert answer["headers"]["Cache-Control"] == "public, max-age=15"
    assert json.loads(answer["body"]) == {
        "checks": [
            {"name": "shop", "state": "down", "since": "2026-11-20T09:15:00Z"},
            {"name": "Checkout", "state": "unknown", "since": "2026-11-20T09:15:00Z"},
            {"name": "api", "state": "up", "since": "2026-11-20T09:15:00Z"},
        ]
    }


def test_status_without_checks_is_an_empty_list(aws: Aws) -> None:
    assert answered(recorded("status")) == (200, {"checks": []})


def test_missing_settings_are_the_deployments_fault(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOPICS")
    assert answered(recorded("status"))[0] == 500


@pytest.mark.parametrize(("method", "path"), [("GET", "/hub/sns"), ("POST", "/hub/status"), ("GET", "/")])
def test_other_routes_are_not_there(aws: Aws, method: str, path: str) -> None:
    assert answered(recorded("status") | {"httpMethod": method, "resource": path})[0] == 404


def test_setting_alone_chooses_where_certificates_come_from() -> None:
    """AWS's template does not have it."""
    loaders: list[Callable[[str], bytes]] = [
        sns_certificates.loader(),
        sns_certificates.loader("http://127.0.0.1:4566"),
    ]
    assert loaders[0] is not loaders[1]
    with pytest.raises(OSError, match="https alone"):
        loaders[0]("http://127.0.0.1:4566/SimpleNotificationService-00.pem")
