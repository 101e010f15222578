"""Amazon EventBridge: targets that the emulator lacks, and dead-letter queues of targets."""

from __future__ import annotations

import base64
import json
import logging
import time
import uuid
from collections.abc import Callable
from typing import Any

from ministack.core.arn import parse_arn
from ministack.services import cloudwatch_logs, firehose, kinesis, lambda_svc, sns, sqs, stepfunctions
from ministack.services import eventbridge as service

from local.engine.delivery import to_queue
from local.engine.patching import pin, replaces

_logger = logging.getLogger(__name__)


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


@replaces(service, "_invoke_target", digest="550e304af080")
def _invoke_target(
    original: Callable[..., Any],
    target: dict[str, Any],
    event: dict[str, Any],
    rule: dict[str, Any],
    view: Any = None,
) -> None:
    """Firehose, Kinesis and CloudWatch Logs as targets; dead-letter queues of targets"""
    view = view or service._pattern_event_view(event)
    document = view.event_with_detail()
    arn = target.get("Arn", "")
    send = _TARGETS.get(arn.split(":")[2] if arn.count(":") >= 5 else "")
    if send is not None:
        delivered = send(target, _payload(target, rule, view), document)
    else:
        delivered = exists(arn) if arn.count(":") >= 5 else True
        if delivered:
            original(target, event, rule, view)
    if delivered:
        return
    _logger.warning("rule %s: target %s does not exist", (rule or {}).get("Name"), arn)
    dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn")
    if dead_letters:
        # AWS retries throttling and outages, for up to 24 hours; what is not there goes to the queue at once.
        why = {
            "RULE_ARN": (rule or {}).get("Arn", ""),
            "TARGET_ARN": arn,
            "ERROR_CODE": "NO_RESOURCE",
            "ERROR_MESSAGE": f"The target {arn} does not exist.",
            "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
            "RETRY_ATTEMPTS": "0",
        }
        attributes = {name: {"DataType": "String", "StringValue": text} for name, text in why.items() if text}
        to_queue(dead_letters, json.dumps(document), attributes)


pin(service, "_apply_input_transformer", "c975a360e47a")
pin(service, "_pattern_event_view", "a472224bb7b0")
pin(firehose, "_put_record", "6a7ed0471aef")
pin(kinesis, "_put_record", "010c2796f340")
pin(cloudwatch_logs, "_put_log_events", "acd4fda33a38")
