"""AWS Lambda: asynchronous invocation, with its retries, event age, destinations and dead-letter queues."""

from __future__ import annotations

import contextvars
import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from ministack.core.arn import parse_arn
from ministack.services import eventbridge, lambda_svc, sns

from local.engine.delivery import deliver, iso_time, permitted, scope, to_queue, to_topic
from local.engine.patching import pin, replaces
from local.engine.settings import SETTINGS

# AWS: the first retry comes after one minute, the second after two more.
_RETRY_SECONDS = (60.0, 120.0)
# AWS: throttled events come back with exponential back-off from 1 second to 5 minutes.
_FIRST_THROTTLE_SECONDS, _LONGEST_THROTTLE_SECONDS = 1.0, 300.0
_SIX_HOURS = 21600
_LARGEST_EVENT, _LARGEST_REQUEST = 1024 * 1024, 6 * 1024 * 1024


class _Event:
    """One queued event of one function."""

    def __init__(self, function: dict[str, Any], payload: Any) -> None:
        self.function, self.payload = function, payload
        self.config: dict[str, Any] = function.get("config") or function
        self.name: str = self.config["FunctionName"]
        self.arrived = time.time()
        self.tries = 0
        self.result: dict[str, Any] | None = None
        self.request_id = str(uuid.uuid4())
        name_and_qualifier = parse_arn(self.config["FunctionArn"]).resource.split(":")[1:]
        self.qualifier = name_and_qualifier[1] if len(name_and_qualifier) > 1 else "$LATEST"

    def run(self) -> None:
        """Invoke the function until it succeeds, or its settings say to stop."""
        spec = parse_arn(self.config["FunctionArn"])
        with scope(spec.account_id, spec.region):
            settings = self._settings()
            condition = self._invoke(settings)
            destinations = settings.get("DestinationConfig") or {}
            kind = "OnSuccess" if condition == "Success" else "OnFailure"
            if destination := (destinations.get(kind) or {}).get("Destination"):
                moment = time.gmtime()
                name = f"{time.strftime('%Y/%m/%d/%Y-%m-%dT%H.%M.%S', moment)}-{uuid.uuid4()}"
                deliver(
                    destination,
                    self._record(condition),
                    function=self.config,
                    condition="Success" if condition == "Success" else "Failure",
                    key=f"aws/lambda/async/{self.name}/{name}",
                )
            dead_letters = (self.config.get("DeadLetterConfig") or {}).get("TargetArn")
            if condition != "Success" and dead_letters and permitted(self.config, dead_letters):
                self._send_to_dlq(dead_letters)

    def _settings(self) -> dict[str, Any]:
        stored = (lambda_svc._functions.get(self.name) or self.function).get("event_invoke_configs") or {}
        # The settings of a function without a qualifier are those of $LATEST.
        keys = ("$LATEST", "") if self.qualifier == "$LATEST" else (self.qualifier,)
        found: dict[str, Any] = next((stored[key] for key in keys if key in stored), {})
        return found

    def _invoke(self, settings: dict[str, Any]) -> str:
        """Return the condition in which the event ended."""
        retries = settings.get("MaximumRetryAttempts")
        retries = 2 if retries is None else int(retries)
        age = float(settings.get("MaximumEventAgeInSeconds") or _SIX_HOURS) * SETTINGS.time_scale
        throttled = 0
        while True:
            base = lambda_svc._functions.get(self.name) or self.function
            if lambda_svc._reserved_concurrency(base, self.config) == 0:
                return "ZeroReservedConcurrency"
            result = lambda_svc._execute_function(self.function, self.payload)
            if result.get("throttle"):
                delay = min(_FIRST_THROTTLE_SECONDS * 2**throttled, _LONGEST_THROTTLE_SECONDS)
                throttled += 1
            else:
                self.tries += 1
                self.result = result
                if not result.get("error"):
                    return "Success"
                if self.tries > retries:
                    return "RetriesExhausted"
                delay = _RETRY_SECONDS[min(self.tries, len(_RETRY_SECONDS)) - 1]
            if time.time() + delay * SETTINGS.time_scale > self.arrived + age:
                return "EventAgeExceeded"
            time.sleep(delay * SETTINGS.time_scale)

    def _record(self, condition: str) -> dict[str, Any]:
        """Return the invocation record that destinations get."""
        arn = ":".join(self.config["FunctionArn"].split(":")[:7])
        record: dict[str, Any] = {
            "version": "1.0",
            "timestamp": iso_time(),
            "requestContext": {
                "requestId": self.request_id,
                "functionArn": f"{arn}:{self.qualifier}",
                "condition": condition,
                "approximateInvokeCount": self.tries,
            },
            "requestPayload": self.payload,
        }
        if self.result is not None:
            record["responseContext"] = {
                "statusCode": 200,
                "executedVersion": self.config.get("Version", "$LATEST"),
            }
            if condition != "Success":
                record["responseContext"]["functionError"] = "Unhandled"
            record["responsePayload"] = self.result.get("body")
        return record

    def _send_to_dlq(self, arn: str) -> None:
        """Send the event itself to the dead-letter queue or topic, and why it is there in attributes."""
        body = (self.result or {}).get("body")
        message = body.get("errorMessage", "") if isinstance(body, dict) else ""
        attributes = {
            "RequestID": {"DataType": "String", "StringValue": self.request_id},
            "ErrorCode": {"DataType": "Number", "StringValue": "200" if self.result else "429"},
            "ErrorMessage": {"DataType": "String", "StringValue": message[:1024] or "Rate Exceeded."},
        }
        send = to_queue if ":sqs:" in arn else to_topic
        send(arn, json.dumps(self.payload), attributes)


@replaces(lambda_svc, "_invoke", digest="ab193779e5c2")
async def _invoke(
    original: Callable[..., Any], name: str, event: Any, headers: dict[str, str], *rest: Any, **named: Any
) -> Any:
    """Payloads over 6 MB, of asynchronous invocations over 1 MB, are refused"""
    kind = headers.get("x-amz-invocation-type") or "RequestResponse"
    limit = _LARGEST_EVENT if kind == "Event" else _LARGEST_REQUEST
    size = len(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"))
    if size > limit:
        message = f"{size} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
        return lambda_svc.error_response_json("RequestEntityTooLargeException", message, 413)
    return await original(name, event, headers, *rest, **named)


@replaces(lambda_svc, "invoke_async_with_retry", digest="289fe4d3cbd4")
def _invoke_async(_original: Callable[..., Any], function: dict[str, Any], payload: Any) -> None:
    """Asynchronous events: AWS's retry times and age, throttled ones kept, destinations, dead letters"""
    run = contextvars.copy_context().run
    threading.Thread(
        target=run, args=(_Event(function, payload).run,), daemon=True, name="async-event"
    ).start()


@replaces(sns, "_deliver_to_lambda", digest="aa6b8a8c312e")
def _from_sns(
    _original: Callable[..., Any],
    endpoint: str,
    envelope: str,
    _topic_arn: str,
    subscription_arn: str,
    *_: Any,
) -> None:
    """SNS invokes functions asynchronously, with retries and dead-letter queues"""
    event = {
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription_arn,
        "EventSource": "aws:sns",
        "Sns": json.loads(envelope),
    }
    _invoke_by_arn(endpoint, {"Records": [event]})


@replaces(eventbridge, "_dispatch_to_lambda", digest="1f95adbaed3a")
def _from_eventbridge(_original: Callable[..., Any], arn: str, payload: str) -> None:
    """EventBridge invokes functions asynchronously, with retries and dead-letter queues"""
    _invoke_by_arn(arn, json.loads(payload))


def _invoke_by_arn(arn: str, event: Any) -> None:
    function, config, _ = lambda_svc._get_func_record_for_ref(arn)
    if function and config:
        lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), event)


pin(lambda_svc, "_get_func_record_for_ref", "492b4efe8f90")
pin(lambda_svc, "_execution_record_for_config", "632acaa44892")
pin(lambda_svc, "_put_event_invoke_config", "e53a9f8cbd9c")
pin(lambda_svc, "_reserved_concurrency", "ebec4b4bba77")
