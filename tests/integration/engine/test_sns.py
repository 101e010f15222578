"""SNS: envelopes and signatures as AWS has them, HTTP endpoints with retries, dead-letter queues.

`recorded/` has envelopes of AWS's form; the hub's signed messages show that the verification here is right.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import load_pem_x509_certificate

from ops.paths import ROOT
from tests.integration.engine.patience import awaited
from tests.support.cloud import Cloud

_RECORDED = Path(__file__).parent / "recorded"
_SIGNED = ROOT / "events/event_hub/sns_signed"
_ELSEWHERE = "eu-west-1"


def _recorded(name: str, folder: Path = _RECORDED) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return document


def _verified(message: dict[str, Any], certificate: bytes) -> bool:
    """Tell whether a signature is right: sns-verify-signature-of-message.html of AWS's developer guide."""
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    if message["Type"] == "Notification":
        names = [name for name in names if name not in ("SubscribeURL", "Token")]
    text = "".join(f"{name}\n{message[name]}\n" for name in names if message.get(name) is not None)
    key = load_pem_x509_certificate(certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    algorithm = {"1": hashes.SHA1(), "2": hashes.SHA256()}[message["SignatureVersion"]]  # noqa: S303
    try:
        key.verify(base64.b64decode(message["Signature"]), text.encode(), padding.PKCS1v15(), algorithm)
    except (InvalidSignature, ValueError):
        return False
    return True


def _certificate(cloud: Cloud, url: str) -> bytes:
    """Fetch the certificate that a message names; the engine's own address only."""
    assert url.startswith(f"http://127.0.0.1:{cloud.endpoint.rsplit(':', 1)[1]}/SimpleNotificationService-")
    return _follow(url)


def _follow(link: str) -> bytes:
    """Follow a link in a message; what it answers."""
    try:
        with urllib.request.urlopen(link) as answer:  # noqa: S310
            found: bytes = answer.read()
            return found
    except urllib.error.HTTPError as error:
        error.close()
        raise AssertionError(f"{link} answers {error.code}") from error


class _Endpoint:
    """An HTTP server: what it got, the statuses that it answers with, and after how many seconds."""

    def __init__(self) -> None:
        self.requests: list[tuple[float, dict[str, str], dict[str, Any]]] = []
        self.statuses: list[int] = []
        self.pauses: list[float] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = endpoint.statuses.pop(0) if endpoint.statuses else 200
                endpoint.requests.append((time.monotonic(), headers, json.loads(body)))
                time.sleep(endpoint.pauses.pop(0) if endpoint.pauses else 0)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.send_response(status)
                    self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hub/sns"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        return [body for _, _, body in list(self.requests) if body.get("Type", kind) == kind]


@pytest.fixture
def endpoint() -> Iterator[_Endpoint]:
    found = _Endpoint()
    yield found
    found.server.shutdown()
    found.server.server_close()


def _subscribed(
    cloud: Cloud, endpoint: _Endpoint, region: str = Cloud.region, **attributes: str
) -> tuple[str, str]:
    """Subscribe an endpoint to a new topic, and confirm as it is asked to; topic and subscription."""
    sns = cloud.client("sns", region)
    topic = sns.create_topic(Name=cloud.name("topic"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url, Attributes=attributes)
    awaited(cloud, lambda: endpoint.bodies("SubscriptionConfirmation"))
    [asked] = endpoint.bodies("SubscriptionConfirmation")
    assert b"<SubscriptionArn>" in _follow(asked["SubscribeURL"])
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    return topic, subscription["SubscriptionArn"]


@pytest.mark.ours_only
def test_the_verification_here_agrees_with_recorded_signatures(cloud: Cloud) -> None:
    certificate = (_SIGNED / "cert.pem").read_bytes()
    for path in _SIGNED.glob("ok_*.json"):
        message = _recorded(path.stem, _SIGNED)
        assert _verified(message, certificate)
        assert not _verified(message | {"Message": "forged"}, certificate)


def test_a_functions_envelope_is_the_recorded_one(cloud: Cloud) -> None:
    url, _ = cloud.queue()
    function = cloud.function(
        """
        import boto3, json, os
        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
        """,
        Environment={"Variables": {"QUEUE": url}},
    )
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=cloud.name("topic"))["TopicArn"]
    arn = f"arn:aws:lambda:{cloud.region}:{cloud.account}:function:{function}"
    subscription = sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)["SubscriptionArn"]
    sns.publish(TopicArn=topic, Message="first")
    [record] = json.loads(awaited(cloud, lambda: cloud.messages(url), bare=4)[0])["Records"]
    [recorded] = _recorded("sns_to_lambda")["Records"]
    assert record.keys() == recorded.keys()
    assert record["Sns"].keys() == recorded["Sns"].keys()
    assert (record["Sns"]["Subject"], record["Sns"]["MessageAttributes"]) == (None, {})
    assert record["Sns"]["UnsubscribeUrl"].endswith(f"/?Action=Unsubscribe&SubscriptionArn={subscription}")
    certificate = _certificate(cloud, record["Sns"]["SigningCertUrl"])
    assert _verified(record["Sns"], certificate)
    attributes = {
        "colour": {"DataType": "String", "StringValue": "red"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
    }
    sns.publish(TopicArn=topic, Message="second", Subject="of two", MessageAttributes=attributes)
    [record] = json.loads(awaited(cloud, lambda: cloud.messages(url))[0])["Records"]
    assert record["Sns"]["Subject"] == "of two"
    assert record["Sns"]["MessageAttributes"] == {
        "colour": {"Type": "String", "Value": "red"},
        "raw": {"Type": "Binary", "Value": "AAE="},
    }


def test_a_queues_envelope_is_the_recorded_one(cloud: Cloud) -> None:
    url, arn = cloud.queue()
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=cloud.name("topic"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="text", Subject="subject")
    envelope = json.loads(awaited(cloud, lambda: cloud.messages(url))[0])
    assert envelope.keys() == _recorded("sns_to_sqs").keys()
    assert _verified(envelope, _certificate(cloud, envelope["SigningCertURL"]))
    sns.publish(TopicArn=topic, Message="no subject")
    assert "Subject" not in json.loads(awaited(cloud, lambda: cloud.messages(url))[0])


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("region", [Cloud.region, _ELSEWHERE])
def test_an_http_endpoint_gets_signed_messages(
    cloud: Cloud, endpoint: _Endpoint, version: str, region: str
) -> None:
    topic, subscription = _subscribed(cloud, endpoint, region)
    [confirmation] = endpoint.bodies("SubscriptionConfirmation")
    assert confirmation.keys() == _recorded("ok_confirm_v2", _SIGNED).keys()
    assert _verified(confirmation, _certificate(cloud, confirmation["SigningCertURL"]))
    sns = cloud.client("sns", region)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue=version)
    published = sns.publish(TopicArn=topic, Message="ünï\ncode", Subject="subject")["MessageId"]
    awaited(cloud, lambda: endpoint.bodies("Notification"))
    _, headers, message = endpoint.requests[-1]
    assert message.keys() == _recorded("ok_v2_subject", _SIGNED).keys()
    assert (message["SignatureVersion"], message["MessageId"]) == (version, published)
    certificate = _certificate(cloud, message["SigningCertURL"])
    assert _verified(message, certificate)
    assert not _verified(message | {"Message": "forged"}, certificate)
    assert headers["x-amz-sns-message-type"] == "Notification"
    assert headers["x-amz-sns-message-id"] == published
    assert headers["x-amz-sns-topic-arn"] == topic
    assert headers["x-amz-sns-subscription-arn"] == subscription
    assert headers["user-agent"] == "Amazon Simple Notification Service Agent"


def test_an_endpoint_that_subscribes_again_is_asked_again(cloud: Cloud, endpoint: _Endpoint) -> None:
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=cloud.name("topic"))["TopicArn"]
    for number in (1, 2):
        answer = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url)
        assert answer["SubscriptionArn"] == "pending confirmation"
        awaited(cloud, lambda: len(endpoint.bodies("SubscriptionConfirmation")) == number)  # noqa: B023
    _follow(endpoint.bodies("SubscriptionConfirmation")[1]["SubscribeURL"])
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    answer = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url)
    assert answer["SubscriptionArn"] == subscription["SubscriptionArn"]


def test_a_link_ends_a_subscription_and_another_restores_it(cloud: Cloud, endpoint: _Endpoint) -> None:
    topic, subscription = _subscribed(cloud, endpoint, _ELSEWHERE)
    sns = cloud.client("sns", _ELSEWHERE)
    sns.publish(TopicArn=topic, Message="text")
    [message] = awaited(cloud, lambda: endpoint.bodies("Notification"))
    _follow(message["UnsubscribeURL"])
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
    [ended] = awaited(cloud, lambda: endpoint.bodies("UnsubscribeConfirmation"))
    assert ended.keys() == _recorded("ok_confirm_v2", _SIGNED).keys()
    assert _verified(ended, _certificate(cloud, ended["SigningCertURL"]))
    sns.publish(TopicArn=topic, Message="not sent")
    _follow(ended["SubscribeURL"])
    [restored] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert restored["SubscriptionArn"] == subscription
    sns.publish(TopicArn=topic, Message="sent")
    awaited(cloud, lambda: len(endpoint.bodies("Notification")) == 2)
    assert endpoint.bodies("Notification")[1]["Message"] == "sent"


def test_raw_messages_say_so_in_a_header(cloud: Cloud, endpoint: _Endpoint) -> None:
    policy = {"requestPolicy": {"headerContentType": "application/json"}}
    topic, _ = _subscribed(cloud, endpoint, RawMessageDelivery="true", DeliveryPolicy=json.dumps(policy))
    cloud.client("sns").publish(TopicArn=topic, Message='{"raw": true}')
    awaited(cloud, lambda: len(endpoint.requests) == 2)
    _, headers, body = endpoint.requests[1]
    assert body == {"raw": True}
    assert headers.get("x-amz-sns-rawdelivery") == "true"
    assert headers["content-type"] == "application/json"


def test_an_endpoint_that_does_not_answer_gets_another_try(cloud: Cloud, endpoint: _Endpoint) -> None:
    topic, _ = _subscribed(cloud, endpoint, DeliveryPolicy=json.dumps({"healthyRetryPolicy": _POLICY}))
    endpoint.pauses = [3.0]  # an endpoint of the tests has 15 seconds x 0.1
    cloud.client("sns").publish(TopicArn=topic, Message="text")
    awaited(cloud, lambda: len(endpoint.bodies("Notification")) == 2, bare=4)


_POLICY = {"numRetries": 3, "minDelayTarget": 1, "maxDelayTarget": 5}


def test_server_errors_are_retried_with_the_policys_delays(cloud: Cloud, endpoint: _Endpoint) -> None:
    url, arn = cloud.queue()
    topic, _ = _subscribed(
        cloud,
        endpoint,
        DeliveryPolicy=json.dumps({"healthyRetryPolicy": _POLICY}),
        RedrivePolicy=json.dumps({"deadLetterTargetArn": arn}),
    )
    endpoint.statuses = [503, 429, 500]
    cloud.client("sns").publish(TopicArn=topic, Message="text")
    awaited(cloud, lambda: len(endpoint.bodies("Notification")) == 4, bare=2)
    times = [at for at, _, body in endpoint.requests if body["Type"] == "Notification"]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    # Linear, from 1 to 5 seconds; the engine of the tests waits for a tenth of it.
    assert waits == pytest.approx([0.1, 0.3, 0.5], abs=0.09)
    assert len({json.dumps(body) for body in endpoint.bodies("Notification")}) == 1
    assert cloud.messages(url) == []


@pytest.mark.parametrize(("statuses", "tries"), [([500] * 9, 4), ([403, 200], 1), ([301, 200], 1)])
def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue(
    cloud: Cloud, endpoint: _Endpoint, statuses: list[int], tries: int
) -> None:
    url, arn = cloud.queue()
    topic, _ = _subscribed(
        cloud,
        endpoint,
        DeliveryPolicy=json.dumps({"healthyRetryPolicy": _POLICY}),
        RedrivePolicy=json.dumps({"deadLetterTargetArn": arn}),
    )
    endpoint.statuses = list(statuses)
    cloud.client("sns").publish(TopicArn=topic, Message="text")
    [dead] = awaited(cloud, lambda: cloud.messages(url), bare=2)
    assert len(endpoint.bodies("Notification")) == tries
    assert json.loads(dead) == endpoint.bodies("Notification")[0]


def test_messages_for_a_deleted_queue_go_to_the_dead_letter_queue(cloud: Cloud) -> None:
    dead, dead_arn = cloud.queue()
    url, arn = cloud.queue()
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=cloud.name("topic"))["TopicArn"]
    attributes = {
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn}),
        "RawMessageDelivery": "true",
    }
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    cloud.client("sqs").delete_queue(QueueUrl=url)
    sns.publish(TopicArn=topic, Message="text")
    assert awaited(cloud, lambda: cloud.messages(dead)) == ["text"]


def test_messages_for_a_deleted_function_go_to_the_dead_letter_queue(cloud: Cloud) -> None:
    dead, dead_arn = cloud.queue()
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=cloud.name("topic"))["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="lambda",
        Endpoint=f"arn:aws:lambda:{cloud.region}:{cloud.account}:function:{cloud.name('none')}",
        Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn})},
    )
    sns.publish(TopicArn=topic, Message="text")
    assert json.loads(awaited(cloud, lambda: cloud.messages(dead))[0])["Message"] == "text"


def test_confirmation_links_need_no_permission(cloud_with_iam: Cloud, endpoint: _Endpoint) -> None:
    topic, subscription = _subscribed(cloud_with_iam, endpoint, _ELSEWHERE)
    assert subscription.startswith(f"{topic}:")


def test_an_endpoint_that_cloudformation_subscribes_is_asked_to_confirm(
    cloud: Cloud, endpoint: _Endpoint
) -> None:
    topic = cloud.client("sns").create_topic(Name=cloud.name("topic"))["TopicArn"]
    properties = {"TopicArn": topic, "Protocol": "http", "Endpoint": endpoint.url}
    cloud.deploy({"Resources": {"Hook": {"Type": "AWS::SNS::Subscription", "Properties": properties}}})
    [asked] = awaited(cloud, lambda: endpoint.bodies("SubscriptionConfirmation"))
    _follow(asked["SubscribeURL"])
    cloud.client("sns").publish(TopicArn=topic, Message="text")
    assert awaited(cloud, lambda: endpoint.bodies("Notification"))[0]["Message"] == "text"
