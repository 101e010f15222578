"""What AWS's services do for their customers: put a message, an event or an object somewhere by ARN."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from ministack import app as emulator
from ministack.core import concurrency, iam_evaluator, lambda_runtime, responses
from ministack.core.arn import parse_arn
from ministack.services import eventbridge, lambda_svc, s3, sns, sqs

from local.engine.patching import pin

__all__ = ["deliver", "iso_time", "may_invoke", "permitted", "put_object", "scope", "to_queue", "to_topic"]

_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def scope(account: str, region: str) -> Iterator[None]:
    """Have the emulator's stores mean those of an account and a region, outside of any request."""
    account_token = responses._request_account_id.set(account)
    region_token = responses._request_region.set(region)
    try:
        yield
    finally:
        responses._request_account_id.reset(account_token)
        responses._request_region.reset(region_token)


def iso_time(seconds: float | None = None, *, milliseconds: bool = True) -> str:
    """Return a time (now when None) the way AWS's documents write it."""
    moment = time.time() if seconds is None else seconds
    fraction = f".{int(moment % 1 * 1000):03d}" if milliseconds else ""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + fraction + "Z"


def to_queue(arn: str, body: str, attributes: Mapping[str, Any] | None = None) -> bool:
    """Put a message into an SQS queue; False when there is none of that name."""
    queue = sqs._queue_by_arn(arn)
    if queue is None:
        return False
    now = time.time()
    queue["messages"].append(
        {
            "id": str(uuid.uuid4()),
            "body": body,
            "md5_body": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
            "md5_attrs": sqs._md5_msg_attrs(dict(attributes)) if attributes else "",
            "receipt_handle": None,
            "sent_at": now,
            "visible_at": now + sqs.queue_delay(queue),
            "receive_count": 0,
            "first_receive_at": None,
            "message_attributes": dict(attributes or {}),
            "sys": {"SenderId": responses.get_account_id(), "SentTimestamp": str(int(now * 1000))},
            "group_id": None,
            "dedup_id": None,
            "dedup_cache_key": None,
            "seq": None,
        }
    )
    concurrency.esm_wake.set()
    return True


def to_topic(arn: str, body: str, attributes: Mapping[str, Any] | None = None, *, subject: str = "") -> bool:
    """Publish to an SNS topic; False when there is none of that name."""
    if arn not in sns._topics:
        return False
    sns._fanout(arn, str(uuid.uuid4()), body, subject, "", dict(attributes or {}))
    return True


def put_object(bucket: str, key: str, body: bytes) -> bool:
    """Put an object (with its notifications), from a thread; False when there is no such bucket."""
    headers = {
        "content-type": "application/octet-stream",
        "content-length": str(len(body)),
        "host": "s3.localhost",
    }
    put = s3.handle_request("PUT", f"/{bucket}/{key}", headers, body, {}, internal=True)
    status: int = asyncio.run(put)[0]
    return status < 300


def _to_bus(arn: str, document: dict[str, Any], condition: str) -> bool:
    """Put an invocation record on an event bus, as Lambda's destinations do."""
    entry = {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {condition}",
        "Detail": json.dumps(document),
        "EventBusName": parse_arn(arn).resource.removeprefix("event-bus/"),
        "Resources": [arn, document["requestContext"]["functionArn"]],
    }
    answer = json.loads(eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)[2])
    return bool(answer["FailedEntryCount"] == 0)


_ACTIONS = {
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "s3": "s3:PutObject",
    "events": "events:PutEvents",
    "lambda": "lambda:InvokeFunction",
}


def permitted(function: Mapping[str, Any], arn: str, key: str = "") -> bool:
    """Tell whether a function's role may send to a destination; says so in the log if not.

    Args:
        function: The function's configuration.
        arn: The destination.
        key: The object's key, for a bucket.
    """
    if not emulator.AUTH:
        return True
    spec = parse_arn(arn)
    access_key = lambda_runtime.execution_credentials(function)["AWS_ACCESS_KEY_ID"]
    resource = f"{arn}/{key}" if key and spec.service == "s3" else arn
    region = spec.region or responses.get_region()
    # Looked up at the call: the record of decisions replaces it.
    refused = iam_evaluator.enforce(access_key, _ACTIONS[spec.service], spec.service, region, resource)
    if refused:
        _logger.warning(
            "the role of %s may not send to %s; the record is lost", function["FunctionName"], arn
        )
    return not refused


def may_invoke(arn: str, service: str, source_arn: str) -> bool:
    """Tell whether a function's policy lets a service invoke it for one of the service's resources.

    Args:
        arn: The function, or its version or alias.
        service: The principal, such as ``sns.amazonaws.com``.
        source_arn: The topic, rule or alarm.
    """
    if not emulator.AUTH:
        return True
    found = lambda_svc.function_policy_for_arn(":".join(arn.split(":")[:7]))
    context = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="lambda:InvokeFunction",
        resource_arn=arn,
        region=responses.get_region(),
        service_context={
            "aws:sourcearn": source_arn,
            "aws:sourceaccount": parse_arn(source_arn).account_id if source_arn else "",
        },
    )
    policy = found[0] if found else None
    return bool(iam_evaluator.evaluate_resource_policy(policy, context, service=service).decision == "Allow")


def deliver(
    arn: str, document: dict[str, Any], *, function: Mapping[str, Any], condition: str, key: str
) -> None:
    """Send an invocation record to a destination, with the permissions of the function's role.

    Args:
        arn: Queue, topic, function, event bus or bucket.
        document: The record.
        function: Configuration of the function that the record is about.
        condition: ``Success`` or ``Failure``, for an event bus.
        key: The object's key, for a bucket.
    """
    if not permitted(function, arn, key):
        return
    service = parse_arn(arn).service
    body = json.dumps(document)
    if service == "sqs":
        sent = to_queue(arn, body)
    elif service == "sns":
        sent = to_topic(arn, body)
    elif service == "s3":
        sent = put_object(parse_arn(arn).resource, key, body.encode())
    elif service == "events":
        sent = _to_bus(arn, document, condition)
    else:
        target, _, _ = lambda_svc._get_func_record_for_ref(arn)
        sent = target is not None
        if target is not None:
            lambda_svc.invoke_async_with_retry(target, document)
    if not sent:
        _logger.warning("destination %s does not exist; its record is lost", arn)


pin(iam_evaluator, "evaluate_resource_policy", "e49ce7161ad6")
pin(lambda_svc, "function_policy_for_arn", "25326cb5e156")
pin(lambda_runtime, "execution_credentials", "cffaadc4f396")
pin(sqs, "_queue_by_arn", "b4981875c818")
pin(sqs, "_act_send_message", "3abd766508c8")
pin(sns, "_fanout", "984cdd91d64a")
pin(s3, "handle_request", "0856144f19e7")
pin(eventbridge, "_put_events", "ebcda0f38061")
