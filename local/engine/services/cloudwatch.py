"""Amazon CloudWatch: alarms on a ticker, metric math, embedded metrics, the metrics of Lambda and SQS."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from ministack.core.arn import parse_arn
from ministack.services import cloudwatch, cloudwatch_logs, eventbridge, lambda_svc, sns, sqs
from ministack.services.cloudformation import provisioners

from local.engine.authorization import Check, Request, permissions
from local.engine.delivery import may_invoke, scope, to_topic
from local.engine.patching import pin, replaces
from local.engine.services import alarm_messages
from local.engine.services.metric_math import MathError, Series, evaluate

__all__ = ["start"]

_logger = logging.getLogger(__name__)

_TICK_SECONDS = 1.0
# AWS publishes queues' metrics every minute; less patience is asked for here.
_QUEUE_SECONDS = 5.0

_BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


# -------------------------------------------------------------------------------------------------- series


def _series(stat: dict[str, Any], start: float, end: float, anchor: float = 0.0) -> Series:
    """Return a metric's statistic per period; periods begin at multiples of their length after ``anchor``."""
    metric, period = stat["Metric"], float(stat["Period"])
    dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(metric.get("Dimensions") or []))
    points = cloudwatch._metrics.get((metric["Namespace"], metric["MetricName"], dimensions)) or []
    buckets: dict[float, list[Any]] = defaultdict(list)
    for point in list(points):
        if start <= point["Timestamp"] < end:
            buckets[(point["Timestamp"] - anchor) // period * period + anchor].append(point)
    answer: Series = {}
    for bucket, inside in buckets.items():
        value = cloudwatch._stat_value(cloudwatch._calc_stats(inside), stat["Stat"], inside)
        if value is not None:
            answer[bucket] = float(value)
    return answer


def _evaluate(
    queries: list[dict[str, Any]], start: float, end: float, anchor: float = 0.0
) -> dict[str, Series]:
    """Return the series of each query; expressions may use each other in any order.

    Raises:
        MathError: An expression is not understood, or refers to itself.
    """
    periods = [float(query["MetricStat"]["Period"]) for query in queries if query.get("MetricStat")]
    periods += [float(query["Period"]) for query in queries if query.get("Period")]
    step = max(periods, default=60.0)
    first = -((anchor - start) // step) * step + anchor
    starts = [first + index * step for index in range(max(0, int((end - first) / step + 0.999)))]
    done: dict[str, Series] = {
        query["Id"]: _series(query["MetricStat"], start, end, anchor)
        for query in queries
        if query.get("MetricStat")
    }
    metrics = list(done.values())
    waiting = {query["Id"]: query["Expression"] for query in queries if query.get("Expression")}
    while waiting:
        error: MathError | None = None
        progress = False
        for name, expression in list(waiting.items()):
            try:
                done[name] = evaluate(expression, done, starts, metrics)
            except MathError as reason:
                error = reason
                continue
            del waiting[name]
            progress = True
        if not progress:
            assert error is not None  # noqa: S101
            raise error
    return done


# -------------------------------------------------------------------------------------------------- alarms


def _queries(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what an alarm evaluates, as metric math."""
    if alarm.get("Metrics"):
        queries: list[dict[str, Any]] = alarm["Metrics"]
        return queries
    stat = {
        "Metric": {name: alarm.get(name) for name in ("Namespace", "MetricName", "Dimensions")},
        "Period": alarm.get("Period") or 60,
        "Stat": alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average",
    }
    return [{"Id": "m1", "MetricStat": stat}]


def _period(queries: list[dict[str, Any]]) -> float:
    """Return the length of an alarm's periods, in seconds."""
    return max(float((query.get("MetricStat") or query).get("Period") or 0) for query in queries) or 60.0


def _alarm_points(alarm: dict[str, Any], now: float) -> list[tuple[float, float | None]]:
    """Return start and value of an alarm's last periods, oldest first (None: no data)."""
    count = int(alarm.get("EvaluationPeriods") or 1)
    queries = _queries(alarm)
    returned = next((query["Id"] for query in queries if query.get("ReturnData", True)), queries[-1]["Id"])
    period = _period(queries)
    # The last period ends now: whoever waits for an alarm here has not a minute to spare for its end.
    begin = now - count * period
    series = _evaluate(queries, begin, now, anchor=begin)[returned]
    starts = [begin + index * period for index in range(count)]
    return [(start, series.get(start)) for start in starts]


def _next_state(alarm: dict[str, Any], values: list[float | None]) -> str | None:
    """Return the state that the values lead to; None keeps the present one."""
    breaches = _BREACHES.get(alarm.get("ComparisonOperator", ""))
    if breaches is None:
        return None
    missing = alarm.get("TreatMissingData") or "missing"
    if all(value is None for value in values):
        return {"missing": "INSUFFICIENT_DATA", "breaching": "ALARM", "notBreaching": "OK"}.get(missing)
    needed = int(alarm.get("DatapointsToAlarm") or len(values))
    threshold = float(alarm.get("Threshold") or 0)
    breaching = sum(
        missing == "breaching" if value is None else breaches(value, threshold) for value in values
    )
    if missing == "missing":
        # AWS looks further back for points in the place of missing ones: what is there decides.
        needed = min(needed, sum(value is not None for value in values))
    if breaching >= needed:
        return "ALARM"
    return None if missing == "ignore" and None in values else "OK"


@replaces(cloudwatch, "_evaluate_alarm", digest="a0b0acd3d432")
def _evaluate_alarm(_original: Callable[..., Any], alarm: dict[str, Any]) -> None:
    """Alarms look at their own dimensions, periods, datapoints, missing data, and metric math"""
    if not alarm.get("Metrics") and not (alarm.get("Namespace") and alarm.get("MetricName")):
        return
    if alarm.get("ThresholdMetricId"):  # anomaly detection: there is no band without training
        return
    try:
        points = _alarm_points(alarm, time.time() + 0.001)
    except MathError:
        _logger.exception("alarm %s", alarm["AlarmName"])
        return
    state, before = _next_state(alarm, [value for _, value in points]), alarm["StateValue"]
    if state is None or state == before:
        return
    reason = alarm_messages.reason(alarm, before, state, points)
    data = alarm_messages.reason_data(alarm, _period(_queries(alarm)), points)
    alarm |= {"StateValue": state, "StateReason": reason, "StateReasonData": data}
    cloudwatch._record_history(alarm["AlarmName"], before, state, reason, reason_data=json.loads(data))
    cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


_last_states: dict[str, dict[str, str]] = {}


@replaces(cloudwatch, "_set_alarm_state", digest="0fa9fef3bd18")
def _set_state(
    original: Callable[..., Any], params: Any, cbor_data: dict[str, Any], is_cbor: bool, is_json: bool = False
) -> Any:
    """SetAlarmState replaces the reason's data, also by none"""
    alarm = cloudwatch._alarms.get(cbor_data.get("AlarmName") or cloudwatch._p(params, "AlarmName"))
    if alarm is not None:
        alarm.pop("StateReasonData", None)
    return original(params, cbor_data, is_cbor, is_json)


@replaces(cloudwatch, "_dispatch_alarm_actions", digest="fcf47c0d1e6e")
def _act(_original: Callable[..., Any], alarm: dict[str, Any], before: str, state: str, _reason: str) -> None:
    """State changes reach topics, EventBridge and functions in the words of AWS, all with one time"""
    changed = alarm["StateUpdatedTimestamp"] = round(time.time(), 3)
    arn = alarm["AlarmArn"]
    configured = alarm_messages.timestamp(alarm["AlarmConfigurationUpdatedTimestamp"])
    previous = _last_states.get(arn, {})
    if previous.get("value") != before:  # an alarm of the same name was deleted
        previous = {"value": before, "timestamp": configured}
    queries = [] if "AlarmRule" in alarm else _queries(alarm)
    detail = alarm_messages.event_detail(alarm, queries, previous, changed=changed)
    _last_states[arn] = detail["state"]
    entry = {
        "Source": "aws.cloudwatch",
        "DetailType": "CloudWatch Alarm State Change",
        "Resources": [arn],
        "Detail": json.dumps(detail),
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
    actions = alarm.get(alarm_messages.ACTIONS[state]) if alarm.get("ActionsEnabled", True) else None
    period = _period(queries) if queries else 0
    for action in actions or []:
        if ":sns:" in action:
            account = parse_arn(arn).account_id
            if not sns.topic_policy_allows(action, "cloudwatch.amazonaws.com", arn, account):
                _logger.warning("alarm %s may not publish to %s", alarm["AlarmName"], action)
                continue
            message = alarm_messages.sns_message(alarm, before, changed=changed, period=period)
            to_topic(action, json.dumps(message), subject=alarm_messages.subject(alarm, state))
        elif ":lambda:" in action:
            _invoke(action, alarm, detail)


def _invoke(action: str, alarm: dict[str, Any], detail: dict[str, Any]) -> None:
    function, config, _ = lambda_svc._get_func_record_for_ref(action)
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
    if may_invoke(action, "lambda.alarms.cloudwatch.amazonaws.com", alarm["AlarmArn"]) and function:
        event = {
            "source": "aws.cloudwatch",
            "alarmArn": alarm["AlarmArn"],
            "accountId": parse_arn(alarm["AlarmArn"]).account_id,
            "time": detail["state"]["timestamp"],
            "region": parse_arn(alarm["AlarmArn"]).region,
            "alarmData": detail,
        }
        record = lambda_svc._execution_record_for_config(function, config)
        lambda_svc.invoke_async_with_retry(record, event)


@replaces(cloudwatch, "_put_metric_alarm", digest="953a67ff4bb1")
def _put_alarm(
    original: Callable[..., Any], params: Any, cbor_data: dict[str, Any], is_cbor: bool, is_json: bool = False
) -> Any:
    """PutMetricAlarm takes metric math and anomaly detection"""
    answer = original(params, cbor_data, is_cbor, is_json)
    if answer[0] == 200 and (is_cbor or is_json):
        alarm = cloudwatch._alarms[cbor_data["AlarmName"]]
        _complete(alarm, cbor_data)
        if cbor_data.get("Metrics"):
            _make_math(alarm, cbor_data["Metrics"])
            cloudwatch._evaluate_alarm(alarm)
    return answer


def _complete(alarm: dict[str, Any], given: dict[str, Any]) -> None:
    """Add what the emulator leaves out of an alarm."""
    alarm["AlarmConfigurationUpdatedTimestamp"] = round(time.time(), 3)
    for name in ("ThresholdMetricId", "EvaluateLowSampleCountPercentile"):
        if given.get(name):
            alarm[name] = given[name]
    if given.get("ThresholdMetricId"):
        alarm.pop("Threshold", None)


def _make_math(alarm: dict[str, Any], queries: list[dict[str, Any]]) -> None:
    """Turn a stored alarm into one on metric math: those have no metric of their own."""
    alarm["Metrics"] = queries
    for name in ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit"):
        alarm.pop(name, None)


@permissions("cloudwatch:PutMetricData")
def _putting_data(request: Request) -> list[Check]:
    return [Check("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": request.parameter("Namespace")})]


@permissions("cloudwatch:DescribeAlarms")
def _describing_alarms(request: Request) -> list[Check]:
    # "You can't return information about composite alarms if your cloudwatch:DescribeAlarms permission has a
    # narrower scope" than `*`; metric alarms can:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
    composite = "CompositeAlarm" in (request.document().get("AlarmTypes") or ())
    return [Check("cloudwatch:DescribeAlarms", "*" if composite else request.arn("cloudwatch", "alarm:*"))]


@permissions("cloudwatch:ListTagsForResource")
def _listing_tags(request: Request) -> list[Check]:
    arn = request.document().get("ResourceARN") or request.parameter("ResourceARN")
    return [Check("cloudwatch:ListTagsForResource", arn or "*")]


@replaces(provisioners, "_cw_metric_alarm_record", digest="4565fcede1eb")
def _alarm_record(original: Callable[..., Any], name: str, properties: dict[str, Any]) -> Any:
    """CloudFormation takes alarms on metric math and anomaly detection"""
    queries = properties.get("Metrics")
    if not queries:
        alarm = original(name, properties)
        _complete(alarm, properties)
        return alarm
    plain = {key: value for key, value in properties.items() if key != "Metrics"}
    alarm = original(name, {"Threshold": 0} | plain | {"Namespace": "-", "MetricName": "-"})
    _complete(alarm, properties)
    _make_math(alarm, [_typed(query) for query in queries])
    return alarm


def _typed(query: dict[str, Any]) -> dict[str, Any]:
    """Return a query of a template, whose numbers and flags may be texts, with the types of the API."""
    query = dict(query)
    if "ReturnData" in query:
        query["ReturnData"] = str(query["ReturnData"]).lower() == "true"
    if "Period" in query:
        query["Period"] = int(query["Period"])
    if "MetricStat" in query:
        query["MetricStat"] = query["MetricStat"] | {"Period": int(query["MetricStat"]["Period"])}
    return query


@replaces(cloudwatch, "_get_metric_data", digest="bf6a8e1132a2")
def _get_metric_data(
    original: Callable[..., Any], params: Any, cbor_data: dict[str, Any], is_cbor: bool, is_json: bool = False
) -> Any:
    """GetMetricData evaluates metric math, and answers the newest point first unless told otherwise"""
    if not (is_cbor or is_json):
        return original(params, cbor_data, is_cbor, is_json)
    queries = cbor_data.get("MetricDataQueries") or []
    begin, end = cloudwatch._parse_ts(cbor_data["StartTime"]), cloudwatch._parse_ts(cbor_data["EndTime"])
    try:
        found = _evaluate(queries, begin, end)
    except MathError as error:
        return cloudwatch._error("ValidationError", str(error), 400, use_json=is_json, use_cbor=is_cbor)
    descending = cbor_data.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    results = []
    for query in queries:
        if query.get("ReturnData", True):
            points = sorted(found[query["Id"]].items(), reverse=descending)
            results.append(
                {
                    "Id": query["Id"],
                    "Label": query.get("Label")
                    or (query.get("MetricStat") or {}).get("Metric", {}).get("MetricName")
                    or query["Id"],
                    "Timestamps": [cloudwatch._ts_iso(start) for start, _ in points],
                    "Values": [value for _, value in points],
                    "StatusCode": "Complete",
                }
            )
    if is_cbor:
        encoded = [cloudwatch._cbor_metric_data_result(result) for result in results]
        return cloudwatch._cbor_ok({"MetricDataResults": encoded})
    return cloudwatch._json_ok({"MetricDataResults": results})


# ----------------------------------------------------------------------------------------- embedded metrics


@replaces(cloudwatch_logs, "_append_log_events", digest="e47cae7a15a4")
def _append(original: Callable[..., Any], stream: Any, events: list[dict[str, Any]]) -> None:
    """Log lines in the embedded metric format become metrics"""
    original(stream, events)
    for event in events:
        message = event["message"]
        if '"_aws"' in message:
            try:
                _extract_metrics(json.loads(message))
            except (ValueError, KeyError, TypeError, AttributeError):
                _logger.warning("a log line looks like embedded metrics, and is not: %.200s", message)


def _extract_metrics(document: dict[str, Any]) -> None:
    timestamp = float(document["_aws"]["Timestamp"]) / 1000
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for names in directive.get("Dimensions") or [[]]:
            dimensions = {name: str(document[name]) for name in names}
            for metric in directive["Metrics"]:
                value = document[metric["Name"]]
                cloudwatch._store_datum(
                    directive["Namespace"],
                    metric["Name"],
                    dimensions,
                    timestamp,
                    metric.get("Unit", "None"),
                    None if isinstance(value, list) else value,
                    value if isinstance(value, list) else None,
                    None,
                    None,
                )


# ---------------------------------------------------------------------------------- the services' own metrics


@replaces(lambda_svc, "_execute_function_dispatch", digest="f62cd259213e")
def _dispatch(
    original: Callable[..., Any],
    function: dict[str, Any],
    config: dict[str, Any],
    event: Any,
    request_id: str,
    started: float,
) -> Any:
    """Lambda's metrics count invocations by every service, not those of the API alone"""
    result = original(function, config, event, request_id, started)
    dimensions = {"FunctionName": config["FunctionName"]}
    failed = 1 if isinstance(result, dict) and result.get("error") else 0
    cloudwatch.record_metric("AWS/Lambda", "Invocations", 1, "Count", dimensions)
    cloudwatch.record_metric("AWS/Lambda", "Errors", failed, "Count", dimensions)
    cloudwatch.record_metric("AWS/Lambda", "Throttles", 0, "Count", dimensions)
    milliseconds = (time.time() - started) * 1000
    cloudwatch.record_metric("AWS/Lambda", "Duration", milliseconds, "Milliseconds", dimensions)
    return result


@replaces(lambda_svc, "_emit_lambda_metrics", digest="3b6689d77cf6")
def _emit(
    _original: Callable[..., Any], function_name: str, duration_ms: float, error: bool, throttle: bool
) -> None:
    """A throttled invocation counts as a throttle, and once"""
    del error  # counted where the function ran
    if throttle and not duration_ms:
        cloudwatch.record_metric("AWS/Lambda", "Throttles", 1, "Count", {"FunctionName": function_name})


_QUEUE_METRICS = {
    "ApproximateNumberOfMessagesVisible": "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible": "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed": "ApproximateNumberOfMessagesDelayed",
}
# "A queue is considered active for up to six hours if it contains any messages or if any action accesses it":
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html
_ACTIVE_SECONDS = 6 * 3600.0
_ZERO_SECONDS = 60.0  # between zeros; every look would be many
_last_counts: dict[tuple[str, str], tuple[int, float, float]] = {}  # count, when not zero, when published


def _is_due(key: tuple[str, str], count: int) -> bool:
    """Tell whether a count of a queue is to be published now, and note it if so."""
    now = time.monotonic()
    last, busy, published = _last_counts.get(key, (0, -_ACTIVE_SECONDS, -_ACTIVE_SECONDS))
    if count:
        busy = now
    due = bool(count or last) or (now - busy < _ACTIVE_SECONDS and now - published >= _ZERO_SECONDS)
    _last_counts[key] = (count, busy, now if due else published)
    return due


def _publish_queues() -> None:
    """Publish the queues' depths; like AWS, not those of queues that have long been idle."""
    for (account, region, _), queue in sqs._queues.all_items():
        with scope(account, region):
            with sqs._queues_lock:
                sqs._refresh_counts(queue)
            for metric, attribute in _QUEUE_METRICS.items():
                count = int(queue["attributes"][attribute])
                key = (queue["attributes"]["QueueArn"], metric)
                if _is_due(key, count):
                    cloudwatch.record_metric("AWS/SQS", metric, count, "Count", {"QueueName": queue["name"]})
            oldest = min((message["sent_at"] for message in list(queue["messages"])), default=None)
            if oldest is not None:
                age = time.time() - oldest
                name = {"QueueName": queue["name"]}
                cloudwatch.record_metric("AWS/SQS", "ApproximateAgeOfOldestMessage", age, "Seconds", name)


def _tick() -> None:
    published = 0.0
    while True:
        time.sleep(_TICK_SECONDS)
        try:
            if time.monotonic() - published >= _QUEUE_SECONDS:
                published = time.monotonic()
                _publish_queues()
            for (account, region, _), alarm in cloudwatch._alarms.all_items():
                with scope(account, region):
                    cloudwatch._evaluate_alarm(alarm)
        except Exception:
            # Whatever one alarm or queue has met, the others still have to be looked at.
            _logger.exception("the alarms' ticker")


def start() -> None:
    """Evaluate alarms from now on."""
    threading.Thread(target=_tick, daemon=True, name="alarms").start()


pin(cloudwatch, "record_metric", "7f777bfbe523")
pin(cloudwatch, "_store_datum", "e0194e701d56")
pin(cloudwatch, "_calc_stats", "889e1bfc89dc")
pin(cloudwatch, "_stat_value", "cfaad9598233")
pin(cloudwatch, "_evaluate_parent_alarms", "24a65a9e43d5")
pin(sns, "topic_policy_allows", "2c5001e5af7e")
pin(sqs, "_refresh_counts", "5d0fb7b342d2")
