"""Amazon SNS: envelopes as AWS writes them, HTTP endpoints with retries, dead-letter queues."""

from __future__ import annotations

import base64
import contextlib
import contextvars
import json
import logging
import math
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.responses import new_uuid
from ministack.services import lambda_svc, sqs
from ministack.services import sns as service
from ministack.services.cloudformation import provisioners

from local.engine.delivery import iso_time, may_invoke, scope, to_queue
from local.engine.patching import pin, replaces
from local.engine.services.sns_signatures import BASE_URL, signed
from local.engine.settings import SETTINGS

_logger = logging.getLogger(__name__)

type _Subscription = dict[str, Any]
type _Answer = tuple[int, dict[str, str], bytes]

# https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html, "Creating an HTTP/S delivery
# policy": its defaults, and "The total policy retry time for an HTTP/S endpoint cannot be greater than 3,600
# seconds."
_RETRIES: dict[str, Any] = {
    "numRetries": 3,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "numMaxDelayRetries": 0,
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "backoffFunction": "linear",
}
# https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.prepare.html: an endpoint has 15 seconds.
_TIMEOUT_SECONDS, _LEAST_TIMEOUT_SECONDS = 15.0, 1.0
_TOO_MANY_REQUESTS = 429


class DeliveryError(Exception):
    """A message did not reach its endpoint.

    ``permanent`` tells whether another try is of no use.
    """

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


# ------------------------------------------------------------------------------------------------ envelopes


def _attributes(attributes: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    return {
        name: {
            "Type": each.get("DataType", "String"),
            "Value": each.get("StringValue") or each.get("BinaryValue") or "",
        }
        for name, each in attributes.items()
    }


def _unsubscribe_url(subscription: _Subscription) -> str:
    return f"{BASE_URL}/?Action=Unsubscribe&SubscriptionArn={subscription['arn']}"


def _envelope(document: dict[str, Any], subscription: _Subscription, attributes: Mapping[str, Any]) -> str:
    """Return a signed message as a subscription's protocol gets it.

    Functions get other spellings, a subject and attributes even where there are none.
    """
    shown = document | {"UnsubscribeURL": _unsubscribe_url(subscription)}
    if subscription["protocol"] == "lambda":
        for name in ("SigningCert", "Unsubscribe"):
            shown[f"{name}Url"] = shown.pop(f"{name}URL")
        return json.dumps(shown | {"MessageAttributes": _attributes(attributes)})
    if shown["Subject"] is None:
        del shown["Subject"]
    if attributes:
        shown["MessageAttributes"] = _attributes(attributes)
    return json.dumps(shown)


@replaces(service, "_fanout", digest="984cdd91d64a")
def _fanout(
    _original: Callable[..., Any],
    topic_arn: str,
    message_id: str,
    message: str,
    subject: str,
    structure: str = "",
    attributes: dict[str, Any] | None = None,
    message_group_id: str = "",
    message_dedup_id: str = "",
) -> None:
    """Envelopes as AWS writes them, signed; failed deliveries go to the subscription's dead-letter queue"""
    topic = service._topic_by_arn_any_scope(topic_arn)
    if topic is None:
        return
    version, stamp = topic["attributes"].get("SignatureVersion") or "1", iso_time()
    documents: dict[str, dict[str, Any]] = {}
    for subscription in list(topic["subscriptions"]):
        text = service._resolve_message_for_protocol(message, structure, subscription["protocol"])
        if not subscription.get("confirmed") or not service._matches_filter_policy(
            subscription, attributes or {}, text
        ):
            continue
        body, raw = text, subscription["attributes"].get("RawMessageDelivery") == "true"
        if not raw:
            if text not in documents:
                unsigned = {
                    "Type": "Notification",
                    "MessageId": message_id,
                    "TopicArn": topic_arn,
                    "Subject": subject or None,
                    "Message": text,
                    "Timestamp": stamp,
                }
                documents[text] = signed(unsigned, version)
            body = _envelope(documents[text], subscription, attributes or {})
        notification = _Notification(topic, subscription, message_id, body, raw=raw)
        notification.attributes = dict(attributes or {})
        notification.fifo = {"message_group_id": message_group_id, "message_dedup_id": message_dedup_id}
        notification.send()


# ------------------------------------------------------------------------------------------------- delivery


class _Notification:
    """A message on its way to one subscription.

    Attributes:
        body: What the endpoint gets: the message itself if ``raw``, its envelope if not.
        attributes: Of the message.
        fifo: Group and deduplication id, for a queue.
    """

    def __init__(
        self, topic: dict[str, Any], subscription: _Subscription, message_id: str, body: str, *, raw: bool
    ) -> None:
        self.topic, self.subscription = topic, subscription
        self.message_id, self.body, self.raw = message_id, body, raw
        self.attributes: dict[str, Any] = {}
        self.fifo: dict[str, str] = {}

    def send(self) -> None:
        """Deliver: to queues at once, elsewhere in a thread, with the topic's account and region."""
        deliver = {"sqs": self._to_queue, "lambda": self._to_function, "http": self._to_url}
        protocol = "http" if self.subscription["protocol"] == "https" else self.subscription["protocol"]
        if protocol not in deliver:
            _logger.info("nothing is sent to %s here", self.subscription["protocol"])
            return

        def run() -> None:
            try:
                deliver[protocol]()
            except DeliveryError as error:
                _logger.warning("subscription %s: %s", self.subscription["arn"], error)
                self._dead_letter()

        arn = parse_arn(self.topic["arn"])
        with scope(arn.account_id, arn.region):
            if protocol == "sqs":
                run()
            else:
                in_scope = contextvars.copy_context().run
                threading.Thread(target=in_scope, args=(run,), daemon=True, name="sns").start()

    def _to_queue(self) -> None:
        arn, topic = self.subscription["endpoint"], self.topic["arn"]
        account = parse_arn(topic).account_id
        if sqs._queue_by_arn(arn) is None:
            raise DeliveryError(f"there is no queue {arn}", permanent=True)
        if not sqs.queue_policy_allows(arn, "sns.amazonaws.com", topic, account):
            raise DeliveryError(f"the policy of {arn} does not allow it", permanent=True)
        service._deliver_to_sqs(
            arn,
            self.body,
            self.raw,
            self.body,
            message_attributes=self.attributes,
            topic_arn=topic,
            **self.fifo,
        )

    def _to_function(self) -> None:
        arn = self.subscription["endpoint"]
        if lambda_svc._get_func_record_for_ref(arn)[0] is None:
            raise DeliveryError(f"there is no function {arn}", permanent=True)
        if not may_invoke(arn, "sns.amazonaws.com", self.topic["arn"]):
            raise DeliveryError(f"the policy of {arn} does not allow it", permanent=True)
        service._deliver_to_lambda(
            arn, self.body, self.topic["arn"], self.subscription["arn"], self.message_id, self.body, {}
        )

    def _to_url(self) -> None:
        headers = {
            "x-amz-sns-message-type": "Notification",
            "x-amz-sns-message-id": self.message_id,
            "x-amz-sns-topic-arn": self.topic["arn"],
            "x-amz-sns-subscription-arn": self.subscription["arn"],
        }
        if self.raw:
            headers["x-amz-sns-rawdelivery"] = "true"
        policy = _delivery_policy(self.topic, self.subscription)
        if content_type := (policy.get("requestPolicy") or {}).get("headerContentType"):
            headers["Content-Type"] = content_type
        _post_with_retries(self.subscription["endpoint"], self.body, headers, policy)

    def _dead_letter(self) -> None:
        policy = json.loads(self.subscription["attributes"].get("RedrivePolicy") or "{}")
        if queue := policy.get("deadLetterTargetArn"):
            topic = self.topic["arn"]
            account = parse_arn(topic).account_id
            attributes = self.attributes if self.raw else None
            if not sqs.queue_policy_allows(queue, "sns.amazonaws.com", topic, account):
                _logger.warning("%s may not send to %s, or it does not exist", topic, queue)
            elif not to_queue(queue, self.body, attributes):
                _logger.warning("dead-letter queue %s does not exist; its message is lost", queue)


def _delivery_policy(topic: dict[str, Any], subscription: _Subscription) -> dict[str, Any]:
    """Return the delivery policy of a subscription: its own, or what its topic says."""
    own: dict[str, Any] = json.loads(subscription["attributes"].get("DeliveryPolicy") or "{}")
    of_topic = json.loads(topic["attributes"].get("DeliveryPolicy") or "{}").get("http") or {}
    default: dict[str, Any] = {
        "healthyRetryPolicy": of_topic.get("defaultHealthyRetryPolicy"),
        "requestPolicy": of_topic.get("defaultRequestPolicy"),
    }
    if of_topic.get("disableSubscriptionOverrides"):
        return default
    return default | own


def _delays(policy: Mapping[str, Any]) -> Iterator[float]:
    """Yield the seconds to wait before each retry: at once, minimum, backing off, maximum."""
    retries: dict[str, Any] = _RETRIES | dict(policy.get("healthyRetryPolicy") or {})
    low, high = float(retries["minDelayTarget"]), float(retries["maxDelayTarget"])
    first, second, last = (
        int(retries[f"num{name}Retries"] or 0) for name in ("NoDelay", "MinDelay", "MaxDelay")
    )
    between = int(retries["numRetries"]) - first - second - last
    yield from [0.0] * first
    yield from [low] * second
    for step in range(between):
        share = step / (between - 1) if between > 1 else 0.0
        if retries["backoffFunction"] in ("exponential", "geometric"):
            yield low * (high / low) ** share if low else 0.0
        else:
            yield low + (high - low) * share
    yield from [high] * last


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())


def _post(url: str, body: str, headers: Mapping[str, str]) -> None:
    """Post a message to an endpoint once.

    Raises:
        DeliveryError: It was not taken. Time-outs, status 429 and 5xx are worth another try; the others are
            client-side errors, for which https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
            knows no retry.
    """
    parts = urllib.parse.urlsplit(url)
    sent = {"Content-Type": "text/plain; charset=UTF-8"} | dict(headers)
    sent["User-Agent"] = "Amazon Simple Notification Service Agent"
    if parts.username is not None:
        user = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        sent["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
        url = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    request = urllib.request.Request(url, body.encode(), sent)  # noqa: S310 - SNS takes http and https
    # However short a test's waiting times are, an endpoint has the time to answer.
    timeout = max(_TIMEOUT_SECONDS * SETTINGS.time_scale, _LEAST_TIMEOUT_SECONDS)
    try:
        _opener.open(request, timeout=timeout).close()
    except urllib.error.HTTPError as error:
        permanent = error.code < 500 and error.code != _TOO_MANY_REQUESTS
        raise DeliveryError(f"{url} answers {error.code}", permanent=permanent) from error
    except OSError as error:
        raise DeliveryError(f"{url} does not answer: {error}", permanent=False) from error


def _post_with_retries(url: str, body: str, headers: Mapping[str, str], policy: Mapping[str, Any]) -> None:
    """Post a message until it is taken, or until the policy's retries are exhausted.

    Raises:
        DeliveryError: Of the last try.
    """
    delays = _delays(policy)
    while True:
        try:
            return _post(url, body, headers)
        except DeliveryError as error:
            delay = next(delays, math.inf)
            if error.permanent or delay == math.inf:
                raise
        time.sleep(delay * SETTINGS.time_scale)


# --------------------------------------------------------------------------------------------- confirmation


@replaces(service, "_send_subscription_confirmation", digest="dd409e626068")
async def _confirm(_original: Callable[..., Any], topic_arn: str, subscription: _Subscription) -> None:
    """Confirmations of HTTP endpoints are signed, with an address that confirms, and retried"""
    _ask_to_confirm(topic_arn, subscription)


@replaces(service, "_subscribe", digest="db260c543268")
def _subscribe(original: Callable[[Any], _Answer], params: dict[str, Any]) -> _Answer:
    """Subscribing an endpoint again that has not confirmed yet asks it again"""
    topic = service._topics.get(service._p(params, "TopicArn")) or {"subscriptions": []}
    wanted = service._p(params, "Protocol"), service._p(params, "Endpoint")
    pending = [
        each
        for each in topic["subscriptions"]
        if (each["protocol"], each["endpoint"]) == wanted and not each["confirmed"]
    ]
    answer = original(params)
    if not pending or answer[0] != 200:
        return answer
    _ask_to_confirm(topic["arn"], pending[0])
    result = "<SubscribeResult><SubscriptionArn>pending confirmation</SubscriptionArn></SubscribeResult>"
    shown: _Answer = service._xml(200, "SubscribeResponse", result)
    return shown


@replaces(provisioners, "_sns_sub_create", digest="1d35ffdfbb89")
def _create(original: Callable[..., Any], logical_id: str, properties: dict[str, Any], stack: str) -> Any:
    """HTTP endpoints that CloudFormation subscribes are asked to confirm"""
    arn, attributes = original(logical_id, properties, stack)
    subscription = service._find_subscription(properties.get("TopicArn", ""), arn)
    if subscription is not None and not subscription["confirmed"]:
        subscription["token"] = new_uuid()
        _ask_to_confirm(properties["TopicArn"], subscription)
    return arn, attributes


provisioners._RESOURCE_HANDLERS["AWS::SNS::Subscription"]["create"] = provisioners._sns_sub_create


def _ask_to_confirm(topic_arn: str, subscription: _Subscription) -> None:
    text = (
        f"You have chosen to subscribe to the topic {topic_arn}.\n"
        "To confirm the subscription, visit the SubscribeURL included in this message."
    )
    _send_link("SubscriptionConfirmation", topic_arn, subscription, text)


def _send_link(kind: str, topic_arn: str, subscription: _Subscription, text: str) -> None:
    """Post a message with a link that confirms a subscription, by its token."""
    topic = service._topic_by_arn_any_scope(topic_arn)
    token, message_id = subscription["token"], new_uuid()
    document = {
        "Type": kind,
        "MessageId": message_id,
        "Token": token,
        "TopicArn": topic_arn,
        "Message": text,
        "SubscribeURL": f"{BASE_URL}/?Action=ConfirmSubscription&TopicArn={topic_arn}&Token={token}",
        "Timestamp": iso_time(),
    }
    body = json.dumps(signed(document, topic["attributes"].get("SignatureVersion") or "1"))
    headers = {
        "x-amz-sns-message-type": kind,
        "x-amz-sns-message-id": message_id,
        "x-amz-sns-topic-arn": topic_arn,
    }

    def run() -> None:
        try:
            _post_with_retries(subscription["endpoint"], body, headers, {})
        except DeliveryError as error:
            _logger.warning("%s of %s: %s", kind, subscription["arn"], error)

    threading.Thread(target=run, daemon=True, name="sns").start()


# Subscriptions that were ended, by the token that restores them.
_ended: dict[str, _Subscription] = {}


def _scope_of(arn: str) -> contextlib.AbstractContextManager[None]:
    """Return the scope of a resource: links have no credentials that would name a region."""
    if arn.count(":") < 5:
        return contextlib.nullcontext()
    spec = parse_arn(arn)
    return scope(spec.account_id, spec.region)


@replaces(service, "_confirm_subscription", digest="9cbdb0a3a4dc")
def _confirmed(original: Callable[[Any], _Answer], params: dict[str, Any]) -> _Answer:
    """Links that confirm a subscription work in each region, and restore one that was ended"""
    topic_arn, token = service._p(params, "TopicArn"), service._p(params, "Token")
    with _scope_of(topic_arn):
        topic = service._topics.get(topic_arn)
        subscription = _ended.pop(token, None)
        if subscription is not None and topic is not None and subscription["topic_arn"] == topic_arn:
            topic["subscriptions"].append(subscription)
            service._sub_arn_to_topic[subscription["arn"]] = topic_arn
        return original(params)


@replaces(service, "_unsubscribe", digest="07cdcd2f8e21")
def _unsubscribe(original: Callable[[Any], _Answer], params: dict[str, Any]) -> _Answer:
    """Links that end a subscription work in each region; HTTP endpoints get an UnsubscribeConfirmation"""
    # https://docs.aws.amazon.com/sns/latest/dg/http-unsubscribe-confirmation-json.html
    arn = service._p(params, "SubscriptionArn")
    with _scope_of(arn):
        topic_arn = service._sub_arn_to_topic.get(arn) or ""
        subscription = service._find_subscription(topic_arn, arn)
        answer = original(params)
        if subscription is not None and subscription["protocol"] in ("http", "https"):
            subscription |= {"token": new_uuid(), "confirmed": False}
            _ended[subscription["token"]] = subscription
            text = (
                f"You have chosen to deactivate subscription {arn}.\nTo cancel this operation and restore "
                "the subscription, visit the SubscribeURL included in this message."
            )
            _send_link("UnsubscribeConfirmation", topic_arn, subscription, text)
        return answer


pin(service, "_deliver_to_sqs", "f85849838cca")
pin(sqs, "queue_policy_allows", "5de01aa09a4c")
pin(service, "_resolve_message_for_protocol", "ce24ef525ae4")
