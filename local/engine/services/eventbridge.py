"""Amazon EventBridge: checks of PutEvents, targets that the emulator lacks, dead-letter queues of targets."""

from __future__ import annotations

import base64
import json
import logging
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ministack.core import responses
from ministack.core.arn import parse_arn
from ministack.services import cloudwatch_logs, firehose, kinesis, lambda_svc, sns, sqs, stepfunctions
from ministack.services import eventbridge as service

from local.engine.delivery import may_invoke, to_queue, to_topic
from local.engine.patching import pin, replaces

__all__ = ["exists", "put"]

_logger = logging.getLogger(__name__)


# -------------------------------------------------------------------------------------------------- PutEvents

# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html: "the total entry size must
# be less than 1MB"; PutEventsRequestEntry: "Free-form string, with a maximum of 128 characters".
_LARGEST_REQUEST, _LONGEST_DETAIL_TYPE, _MOST_ENTRIES = 1024 * 1024, 128, 10
_REQUIRED = ("Source", "DetailType", "Detail")


def _size(entry: dict[str, Any]) -> int:
    """Return what counts of an entry, in bytes.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size: 14 bytes for
    the time, and the bytes of source, type, detail and resources in UTF-8.
    """
    texts = [entry.get(name) or "" for name in _REQUIRED] + (entry.get("Resources") or [])
    return (14 if entry.get("Time") else 0) + sum(len(str(text).encode()) for text in texts)


def _fault(entry: dict[str, Any]) -> tuple[str, str] | None:
    """Return code and message of what is wrong with an entry, if anything is."""
    for name in _REQUIRED:
        if not entry.get(name):
            return "InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument."
    if len(entry["DetailType"]) > _LONGEST_DETAIL_TYPE:
        return "InvalidArgument", "Parameter DetailType is not valid. Reason: DetailType is too long."
    if str(entry["Source"]).startswith("aws."):
        return "NotAuthorizedForSourceException", "Not authorized for the source."
    try:
        is_object = isinstance(json.loads(entry["Detail"]), dict)
    except ValueError:
        is_object = False
    return None if is_object else ("MalformedDetail", "Detail is malformed.")


def _seconds(given: Any) -> int:
    """Return an entry's time in seconds since 1970: a number, or a text of RFC 3339; now if there is none."""
    if not given:
        return int(time.time())
    if isinstance(given, str) and not given.replace(".", "", 1).isdigit():
        return int(datetime.fromisoformat(given).timestamp())
    return int(float(given))


@replaces(service, "_put_events", digest="ebcda0f38061")
def _put_events(
    _original: Callable[..., Any], request: dict[str, Any], allow_aws_source: bool = False
) -> Any:
    """PutEvents refuses entries that are malformed or too large, and keeps their time"""
    entries = request.get("Entries") or []
    if not 1 <= len(entries) <= _MOST_ENTRIES:
        bound = "less than or equal to 10" if entries else "greater than or equal to 1"
        return responses.error_response_json(
            "ValidationException",
            f"1 validation error detected: Value '{len(entries)}' at 'entries' failed to satisfy constraint: "
            f"Member must have length {bound}",
            400,
        )
    if sum(map(_size, entries)) >= _LARGEST_REQUEST:
        return responses.error_response_json(
            "ValidationException", "Total size of the entries in the request is over the limit.", 400
        )
    results = []
    for entry in entries:
        name, fault = service._event_bus_name_from_ref(entry.get("EventBusName", "default"))
        fault = fault or (None if allow_aws_source else _fault(entry))
        if fault:
            results.append(dict(zip(("ErrorCode", "ErrorMessage"), fault, strict=True)))
            continue
        event = {
            "EventId": str(uuid.uuid4()),
            "Source": entry.get("Source", ""),
            "DetailType": entry.get("DetailType", ""),
            "Detail": entry.get("Detail", "{}"),
            "EventBusName": name,
            "Time": _seconds(entry.get("Time")),
            "Resources": entry.get("Resources", []),
            "Account": responses.get_account_id(),
            "Region": responses.get_region(),
        }
        service._events_log_list().append(event)
        put(event)
        results.append({"EventId": event["EventId"]})
    failed = sum("ErrorCode" in result for result in results)
    return responses.json_response({"FailedEntryCount": failed, "Entries": results})


def put(event: dict[str, Any]) -> None:
    """Pass an event, as the emulator keeps it, to its bus's rules and archives."""
    view = service._pattern_event_view(event)
    service._dispatch_event(event, view)
    service._archive_event(event, view)


# ---------------------------------------------------------------------------------------------------- targets


def _value_at(document: Any, path: str) -> Any:
    for part in filter(None, path.removeprefix("$").split(".")):
        document = document.get(part) if isinstance(document, dict) else None
    return document


def _payload(target: dict[str, Any], rule: dict[str, Any], view: Any) -> str:
    """Return what a target gets: the event, a part of it, a constant, or a transformation."""
    event = view.event_with_detail()
    if target.get("InputTransformer"):
        return str(service._apply_input_transformer(target["InputTransformer"], rule, view))
    if target.get("Input"):
        return str(target["Input"])
    if target.get("InputPath"):
        return json.dumps(_value_at(event, target["InputPath"]))
    return json.dumps(event)


def _to_firehose(target: dict[str, Any], payload: str, _event: dict[str, Any]) -> bool:
    name = parse_arn(target["Arn"]).resource.split("/")[-1]
    data = base64.b64encode(payload.encode()).decode()
    return bool(firehose._put_record({"DeliveryStreamName": name, "Record": {"Data": data}})[0] == 200)


def _to_kinesis(target: dict[str, Any], payload: str, event: dict[str, Any]) -> bool:
    path = (target.get("KinesisParameters") or {}).get("PartitionKeyPath", "$.id")
    key = _value_at(event, path)
    record = {
        "StreamName": parse_arn(target["Arn"]).resource.split("/")[-1],
        "Data": base64.b64encode(payload.encode()).decode(),
        "PartitionKey": str(key or event["id"])[:256],
    }
    return bool(kinesis._put_record(record)[0] == 200)


def _to_logs(target: dict[str, Any], payload: str, _event: dict[str, Any]) -> bool:
    group = parse_arn(target["Arn"]).resource.removeprefix("log-group:").removesuffix(":*")
    if group not in cloudwatch_logs._log_groups:
        return False
    entry: dict[str, Any] = {"timestamp": int(time.time() * 1000), "message": payload}
    transformed = json.loads(payload) if payload.startswith("{") else {}
    if transformed.keys() == {
        "timestamp",
        "message",
    }:  # the form that a transformer for this target has to give
        message = transformed["message"]
        entry["message"] = message if isinstance(message, str) else json.dumps(message)
    stream = {"logGroupName": group, "logStreamName": str(uuid.uuid4())}
    cloudwatch_logs._create_log_stream(stream)
    return bool(cloudwatch_logs._put_log_events(stream | {"logEvents": [entry]})[0] == 200)


_TARGETS: dict[str, Callable[[dict[str, Any], str, dict[str, Any]], bool]] = {
    "firehose": _to_firehose,
    "kinesis": _to_kinesis,
    "logs": _to_logs,
}


def exists(arn: str) -> bool:
    """Tell whether a target that the emulator delivers to by itself is there."""
    name = parse_arn(arn).service
    if name == "sqs":
        return sqs._queue_by_arn(arn) is not None
    if name == "sns":
        return arn in sns._topics
    if name == "lambda":
        return lambda_svc._get_func_record_for_ref(arn)[0] is not None
    if name == "states":
        return stepfunctions._resolve_state_machine_arn(arn) is not None
    return True


def _may_send(arn: str, rule_arn: str) -> bool:
    """Tell whether the policy of a queue, topic or function lets EventBridge send what a rule matches.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html: a queue's policy may
    name the rule in a condition, a topic's policy may have no condition.
    """
    spec = parse_arn(arn)
    if spec.service == "sqs":
        return bool(sqs.queue_policy_allows(arn, "events.amazonaws.com", rule_arn, spec.account_id))
    if spec.service == "sns":
        return bool(sns.topic_policy_allows(arn, "events.amazonaws.com", "", ""))
    if spec.service == "lambda":
        return may_invoke(arn, "events.amazonaws.com", rule_arn)
    return True


def _refusal(arn: str, rule_arn: str) -> tuple[str, str] | None:
    """Return code and message of why a target that the emulator delivers to gets nothing, if it does not."""
    if arn.count(":") < 5:
        return None
    if not exists(arn):
        return "NO_RESOURCE", f"The target {arn} does not exist."
    if not _may_send(arn, rule_arn):
        return "NO_PERMISSIONS", f"The policy of {arn} does not allow {rule_arn} to send to it."
    return None


@replaces(service, "_dispatch_to_sns", digest="72c921fe20b6")
def _to_sns(_original: Callable[..., Any], arn: str, payload: str) -> None:
    """Messages of EventBridge to topics have no subject"""
    to_topic(arn, payload)


@replaces(service, "_invoke_target", digest="550e304af080")
def _invoke_target(
    original: Callable[..., Any],
    target: dict[str, Any],
    event: dict[str, Any],
    rule: dict[str, Any],
    view: Any = None,
) -> None:
    """Firehose, Kinesis and CloudWatch Logs as targets; policies and dead-letter queues of targets"""
    view = view or service._pattern_event_view(event)
    document = view.event_with_detail()
    arn, rule_arn = target.get("Arn", ""), (rule or {}).get("Arn", "")
    send = _TARGETS.get(arn.split(":")[2] if arn.count(":") >= 5 else "")
    refusal = None
    if send is None:
        refusal = _refusal(arn, rule_arn)
        if refusal is None:
            original(target, event, rule, view)
    elif not send(target, _payload(target, rule, view), document):
        refusal = "NO_RESOURCE", f"The target {arn} does not exist."
    if refusal is None:
        return
    code, message = refusal
    _logger.warning("rule %s: %s", (rule or {}).get("Name"), message)
    dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn")
    if dead_letters and _may_send(dead_letters, rule_arn):
        # AWS retries throttling and outages, for up to 24 hours; what is not there goes to the queue at once.
        why = {
            "RULE_ARN": rule_arn,
            "TARGET_ARN": arn,
            "ERROR_CODE": code,
            "ERROR_MESSAGE": message,
            "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
            "RETRY_ATTEMPTS": "0",
        }
        attributes = {name: {"DataType": "String", "StringValue": text} for name, text in why.items() if text}
        to_queue(dead_letters, json.dumps(document), attributes)


pin(sns, "topic_policy_allows", "2c5001e5af7e")
pin(sqs, "queue_policy_allows", "5de01aa09a4c")
pin(service, "_apply_input_transformer", "c975a360e47a")
pin(service, "_archive_event", "e4ec52f03a32")
pin(service, "_dispatch_event", "d1bfe064f602")
pin(service, "_pattern_event_view", "a472224bb7b0")
pin(firehose, "_put_record", "6a7ed0471aef")
pin(kinesis, "_put_record", "010c2796f340")
pin(cloudwatch_logs, "_put_log_events", "acd4fda33a38")
