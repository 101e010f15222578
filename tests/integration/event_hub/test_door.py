"""The door on the deployed suite: messages that the engine's SNS has signed, and changed ones."""

from __future__ import annotations

import json
import queue
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from local.deploy import STACK
from local.suite import Suite
from tests.support.waiting import wait_until


class Listener(ThreadingHTTPServer):
    """An endpoint that keeps what SNS sends to it, and what anybody asks it for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: queue.Queue[str] = queue.Queue()
        self.asked: list[str] = []
        self.base = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        self.server.bodies.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with Listener() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def signed(suite: Suite, listener: Listener) -> dict[str, str]:
    """Messages of the hub's topic as SNS sends them, by type: one of each."""
    sns = suite.client("sns")
    sns.subscribe(TopicArn=suite["HubTopicArn"], Protocol="http", Endpoint=listener.base)
    confirmation = listener.bodies.get(timeout=30)
    answer = sns.confirm_subscription(TopicArn=suite["HubTopicArn"], Token=json.loads(confirmation)["Token"])
    text = f"nobody's {uuid.uuid4()}"
    sns.publish(TopicArn=suite["HubTopicArn"], Message=text, Subject="Zoë")
    notification = next(body for body in iter(lambda: listener.bodies.get(timeout=30), "") if text in body)
    sns.unsubscribe(SubscriptionArn=answer["SubscriptionArn"])
    ended = listener.bodies.get(timeout=30)
    messages = (confirmation, notification, ended)
    return {json.loads(message)["Type"]: message for message in messages}


def post(suite: Suite, body: str) -> tuple[int, Any]:
    headers = {"Content-Type": "text/plain; charset=UTF-8"}
    answer = suite.http.post(f"{suite['HubApiUrl']}/hub/sns", data=body.encode(), headers=headers)
    return answer.status_code, answer.json()


def test_message_that_sns_has_signed_is_queued(suite: Suite, signed: dict[str, str]) -> None:
    assert post(suite, signed["Notification"]) == (200, {"result": "queued"})


@pytest.mark.parametrize(
    "change",
    [
        {"Message": "another"},
        {"Subject": "another"},
        {"Signature": "FAKE"},
        {"SignatureVersion": "3"},
        {"TopicArn": "arn:aws:sns:us-east-1:999999999999:suite-hub"},
        {"SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-00.pem"},
        {"Timestamp": "2026-01-01T00:00:00.000Z"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_message_that_was_changed_is_refused(
    suite: Suite, signed: dict[str, str], change: dict[str, str]
) -> None:
    status, answer = post(suite, json.dumps(json.loads(signed["Notification"]) | change))
    assert (status, answer["code"]) == (403, "not_verified")


def test_certificate_of_somebody_elses_host_is_not_fetched(
    suite: Suite, signed: dict[str, str], listener: Listener
) -> None:
    body = json.loads(signed["Notification"])
    address = f"{listener.base}/SimpleNotificationService-{'0' * 32}.pem"
    status, _ = post(suite, json.dumps(body | {"SigningCertURL": address}))
    assert status == 403
    assert listener.asked == []


def test_subscription_of_the_door_is_confirmed_and_its_messages_arrive(suite: Suite) -> None:
    sns, topic = suite.client("sns"), suite["HubTopicArn"]
    endpoint = f"{suite['HubApiUrl']}/hub/sns"
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint)
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    [arn] = [each["SubscriptionArn"] for each in listed if each["Endpoint"] == endpoint]

    def attributes() -> dict[str, str]:
        found: dict[str, str] = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        return found

    try:
        wait_until(
            lambda: attributes()["PendingConfirmation"] == "false", seconds=30, what="the confirmation"
        )
        # By the API, in the function's own name: SubscribeURL is not fetched.
        assert attributes()["ConfirmationWasAuthenticated"] == "true"
        sent = sns.publish(TopicArn=topic, Message="nobody's")["MessageId"]
        wait_until(lambda: taken(suite, sent), seconds=60, what="the message at the door")
    finally:
        sns.unsubscribe(SubscriptionArn=arn)


def taken(suite: Suite, message_id: str) -> bool:
    """Whether the door's log says that it took a message."""
    group = f"/{STACK}/event-hub"
    events = suite.client("logs").filter_log_events(logGroupName=group, filterPattern=f'"{message_id}"')
    lines = [json.loads(each["message"]) for each in events["events"] if "message_type" in each["message"]]
    return any(each.get("message_type") == "Notification" and each["status"] == 200 for each in lines)


def test_state_of_the_checks_is_public_and_has_no_ids(suite: Suite) -> None:
    record = {
        "name": "Shop",
        "state": "up",
        "since": "2026-11-20T09:15:00Z",
        "changed": "x",
        "published": "y",
    }
    item = {name: {"S": value} for name, value in record.items()}
    dynamodb, table = suite.client("dynamodb"), suite["HubLedgerTableName"]
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "status"}, "an-id": {"M": item}})
    try:
        answer = suite.http.get(f"{suite['HubApiUrl']}/hub/status")
    finally:
        dynamodb.delete_item(TableName=table, Key={"pk": {"S": "status"}})
    assert answer.json() == {"checks": [{"name": "Shop", "state": "up", "since": "2026-11-20T09:15:00Z"}]}
    assert answer.headers["Cache-Control"] == "public, max-age=15"
    assert "an-id" not in answer.text
