"""Every asynchronous edge: what fails comes back, and at last goes somewhere where somebody sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ops.template import Resource, Stack

from . import Verdict, rule
from ._iam import as_list, statements

FUNCTION, QUEUE, BUCKET = "AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::S3::Bucket"
MAPPING = "AWS::Lambda::EventSourceMapping"


def _timeout(function: Resource) -> int:
    return int(function.properties.get("Timeout", 3))


def mappings(stack: Stack, kind: str) -> Iterator[tuple[Resource, Resource, Resource]]:
    """Mappings whose source is a queue, or a stream; with the function and the source."""
    for mapping in stack.of(MAPPING):
        source = source_of(stack, mapping)
        function = stack.at(mapping.properties["FunctionName"], FUNCTION)
        if source and function and (source.kind == QUEUE) == (kind == "queue"):
            yield mapping, function, source


def source_of(stack: Stack, mapping: Resource) -> Resource | None:
    """The queue, stream or table that a mapping reads."""
    arn = str(mapping.properties["EventSourceArn"]).partition("/stream/")[0]
    return stack.at(arn) or stack.at(mapping.properties["EventSourceArn"])


def failure_destination(resource: Resource) -> Any:
    """Where a mapping, or a function's asynchronous configuration, sends what failed; None if nowhere."""
    return resource.properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")


@rule
def queue_sources_come_back_and_end(stack: Stack) -> Iterator[Verdict]:
    """A queue that a function reads redrives after 5 tries or more, and is visible again after 6 time-outs.

    "Set the queue's visibility timeout to at least six times your function timeout ... set the
    maxReceiveCount on the source queue's redrive policy to at least 5":
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    """
    for mapping, function, queue in mappings(stack, "queue"):
        redrive = queue.properties.get("RedrivePolicy", {})
        visibility, timeout = int(queue.properties.get("VisibilityTimeout", 30)), _timeout(function)
        if not stack.at(redrive.get("deadLetterTargetArn"), QUEUE):
            yield Verdict(queue.name, "has no redrive policy: a message that fails comes back for ever")
        if not 5 <= int(redrive.get("maxReceiveCount", 5)) <= 1_000:
            yield Verdict(
                queue.name, "sends messages to the dead-letter queue before the fifth try, or never"
            )
        if int(mapping.properties.get("BatchSize", 10)) > 10 and not mapping.properties.get(
            "MaximumBatchingWindowInSeconds"
        ):
            yield Verdict(mapping.name, "has batches of more than 10, which take a batching window")
        problem = (
            f"is visible again after {visibility} s; six times the {timeout} s of {function.name} are due"
        )
        yield Verdict(queue.name, problem if visibility < 6 * timeout else "")
        yield Verdict(mapping.name, _partial(mapping))


def _partial(mapping: Resource) -> str:
    partial = "ReportBatchItemFailures" in mapping.properties.get("FunctionResponseTypes", [])
    return "" if partial else "lacks ReportBatchItemFailures: one bad record would send back all"


# Mappings that try for as long as the stream has a record, and why.
PATIENT = {
    "AuthReplicateMapping": "fails only where no queue takes a record: all wait until one does",
}


@rule
def stream_sources_set_failures_aside(stack: Stack) -> Iterator[Verdict]:
    """A stream that a function reads is never stuck: bisecting, bounded tries or age, a failure destination.

    https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
    """
    for mapping, _, _ in mappings(stack, "stream"):
        properties = mapping.properties
        if not stack.at(failure_destination(mapping), QUEUE, BUCKET, "AWS::SNS::Topic"):
            yield Verdict(mapping.name, "has no failure destination: what fails to the last is lost")
        if not properties.get("StartingPosition"):
            yield Verdict(mapping.name, "does not say where in the stream it starts")
        if not properties.get("BisectBatchOnFunctionError"):
            yield Verdict(mapping.name, "does not bisect: one bad record takes its batch along")
        age = int(properties.get("MaximumRecordAgeInSeconds", -1))
        patient = mapping.name in PATIENT and 0 < age <= 86_400
        if not patient and not 0 <= int(properties.get("MaximumRetryAttempts", -1)) <= 10:
            yield Verdict(mapping.name, "tries for ever: bound MaximumRetryAttempts")
        yield Verdict(mapping.name, _partial(mapping))


@rule
def nothing_is_switched_off(stack: Stack) -> Iterator[Verdict]:
    """Mappings, rules and schedules are enabled, and no function has a bound on how often it runs at once.

    A reservation takes from the account's concurrency, which may be 10: a larger one is refused, and 0 stops
    the function.
    """
    for mapping in stack.of(MAPPING):
        enabled = str(mapping.properties.get("Enabled", "true")).lower() == "true"
        yield Verdict(mapping.name, "" if enabled else "is not enabled")
    for each in stack.of("AWS::Events::Rule", "AWS::Scheduler::Schedule"):
        disabled = str(each.properties.get("State", "ENABLED")) == "DISABLED"
        yield Verdict(each.name, "is disabled" if disabled else "")
    for function in stack.of(FUNCTION):
        reserved = "ReservedConcurrentExecutions" in function.properties
        yield Verdict(
            function.name, "reserves concurrency, which a new account does not have" if reserved else ""
        )


@rule
def schedules_are_written_rightly(stack: Stack) -> Iterator[Verdict]:
    """`rate(1 minute)`, `rate(5 minutes)`, `cron` of six fields; a rule has at most five targets.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
    """
    for each in stack.of("AWS::Events::Rule", "AWS::Scheduler::Schedule"):
        expression = each.properties.get("ScheduleExpression", "rate(1 minute)")
        rate = re.fullmatch(
            r"rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)", expression
        )
        cron = re.fullmatch(r"cron\(([^ ()]+ ){5}[^ ()]+\)", expression)
        yield Verdict(each.name, "" if rate or cron else f"has the schedule {expression}, which is none")
        yield Verdict(
            each.name, "has more than five targets" if len(each.properties.get("Targets", [])) > 5 else ""
        )


def rule_targets(stack: Stack) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Targets of EventBridge's rules."""
    for found in stack.of("AWS::Events::Rule"):
        for target in found.properties.get("Targets", []):
            yield found, target


@rule
def rules_and_schedules_have_a_dead_letter_queue(stack: Stack) -> Iterator[Verdict]:
    """What EventBridge or the Scheduler cannot deliver goes to a queue of this stack.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """
    edges = [(found, target, f"target {target.get('Id')}") for found, target in rule_targets(stack)]
    edges += [(each, each.properties["Target"], "target") for each in stack.of("AWS::Scheduler::Schedule")]
    for found, target, what in edges:
        there = stack.at(target.get("DeadLetterConfig", {}).get("Arn"), QUEUE)
        yield Verdict(
            found.name, "" if there else f"loses what its {what} does not take: add a DeadLetterConfig"
        )


def asynchronous(stack: Stack) -> Iterator[tuple[Resource, str]]:
    """Functions that somebody invokes without waiting, and who."""
    for arn, caller in (*_targets(stack), *_invoked(stack)):
        if function := stack.at(arn, FUNCTION):
            yield function, caller


def _targets(stack: Stack) -> Iterator[tuple[Any, str]]:
    """What rules, schedules, topics and buckets send to, and their names."""
    for found, target in rule_targets(stack):
        yield target["Arn"], found.name
    for schedule in stack.of("AWS::Scheduler::Schedule"):
        yield schedule.properties["Target"]["Arn"], schedule.name
    for subscription in stack.of("AWS::SNS::Subscription"):
        yield subscription.properties.get("Endpoint"), subscription.name
    for bucket in stack.of(BUCKET):
        for each in bucket.properties.get("NotificationConfiguration", {}).get("LambdaConfigurations", []):
            yield each["Function"], bucket.name


def _invoked(stack: Stack) -> Iterator[tuple[Any, str]]:
    """What functions may invoke, and the functions' names."""
    callers = {each.properties["Role"]: each.name for each in stack.of(FUNCTION)}
    for statement in statements(stack, "identity"):
        if "lambda:InvokeFunction" in statement.actions and statement.policy.owner.arn in callers:
            for resource in statement.resources:
                yield resource, callers[statement.policy.owner.arn]


@rule
def asynchronous_functions_have_a_destination(stack: Stack) -> Iterator[Verdict]:
    """A function that is invoked asynchronously keeps the events that it failed on.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    destinations = {
        each.properties["FunctionName"]: failure_destination(each)
        for each in stack.of("AWS::Lambda::EventInvokeConfig")
    }
    for function, invoker in asynchronous(stack):
        dead = function.properties.get("DeadLetterConfig", {}).get("TargetArn")
        kept = stack.at(dead, QUEUE) or stack.at(destinations.get(function.identifier), QUEUE)
        problem = f"loses the events of {invoker} that it fails on: add a failure destination"
        yield Verdict(function.name, "" if kept else problem)


def dead_letter_queues(stack: Stack) -> set[str]:
    """Queues where something ends that failed, whatever their names."""
    arns: list[Any] = [
        queue.properties.get("RedrivePolicy", {}).get("deadLetterTargetArn") for queue in stack.of(QUEUE)
    ]
    arns += [target.get("DeadLetterConfig", {}).get("Arn") for _, target in rule_targets(stack)]
    for schedule in stack.of("AWS::Scheduler::Schedule"):
        arns.append(schedule.properties["Target"].get("DeadLetterConfig", {}).get("Arn"))
    for each in stack.of(MAPPING, "AWS::Lambda::EventInvokeConfig"):
        arns.append(failure_destination(each))
    for function in stack.of(FUNCTION):
        arns.append(function.properties.get("DeadLetterConfig", {}).get("TargetArn"))
        arns.append(
            function.properties.get("Environment", {}).get("Variables", {}).get("DEAD_LETTER_QUEUE_URL")
        )
    return {queue.name for arn in arns if (queue := stack.at(arn, QUEUE))}


def _watched(stack: Stack, metric: str) -> set[str]:
    """What alarms on a metric look at: the values of their dimensions."""
    return {
        dimension["Value"]
        for alarm in stack.of("AWS::CloudWatch::Alarm")
        if alarm.properties.get("MetricName") == metric
        for dimension in alarm.properties.get("Dimensions", [])
    }


@rule
def dead_letters_are_seen(stack: Stack) -> Iterator[Verdict]:
    """Every dead-letter queue has an alarm on its first message, and keeps it for four days or more."""
    watched = _watched(stack, "ApproximateNumberOfMessagesVisible")
    for name in sorted(dead_letter_queues(stack)):
        queue = stack.resources[name]
        if queue.identifier.rpartition("/")[2] not in watched:
            yield Verdict(name, "is a dead-letter queue without an alarm on its messages")
        kept = _retention(queue)
        # "The expiration of a message is always based on its original enqueue timestamp",
        # sqs-dead-letter-queues.html
        longest = max((_retention(each) for each in _sources_of(stack, queue)), default=0)
        problem = f"forgets messages after {kept} s, four days and its source's {longest} s are due"
        yield Verdict(name, problem if kept < max(345_600, longest) else "")


def _retention(queue: Resource) -> int:
    return int(queue.properties.get("MessageRetentionPeriod", 345_600))


def _sources_of(stack: Stack, dead: Resource) -> list[Resource]:
    """The queues that redrive into a dead-letter queue, which has to be of their kind."""
    return [
        each
        for each in stack.of(QUEUE)
        if each.properties.get("RedrivePolicy", {}).get("deadLetterTargetArn") == dead.arn
    ]


@rule
def failure_buckets_are_seen(stack: Stack) -> Iterator[Verdict]:
    """A mapping whose failures go to a bucket counts them, and an alarm looks at the count.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#event-source-mapping-metrics
    """
    watched = _watched(stack, "OnFailureDestinationDeliveredEventCount")
    for mapping in stack.of(MAPPING):
        if not stack.at(failure_destination(mapping), BUCKET):
            continue
        if "EventCount" not in mapping.properties.get("MetricsConfig", {}).get("Metrics", []):
            yield Verdict(mapping.name, "does not count what it sets aside: add MetricsConfig EventCount")
        yield Verdict(
            mapping.name, "" if mapping.identifier in watched else "sets records aside without an alarm"
        )


@rule
def notified_queues_are_ready(stack: Stack) -> Iterator[Verdict]:
    """A bucket is made after the policy of the queue that it notifies: S3 tries whether it may send.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-notificationconfiguration.html
    """
    for bucket in stack.of(BUCKET):
        for each in bucket.properties.get("NotificationConfiguration", {}).get("QueueConfigurations", []):
            ready = any(
                policy.name in bucket.references
                for policy in stack.of("AWS::SQS::QueuePolicy")
                if (queue := stack.at(each["Queue"], QUEUE))
                and queue.identifier in policy.properties["Queues"]
            )
            yield Verdict(
                bucket.name, "" if ready else "is made before it may send: DependsOn the queue's policy"
            )


def _senders(stack: Stack) -> Iterator[tuple[str, str, Resource]]:
    """Service, its resource's ARN, and the queue that it sends to by the queue's own policy."""
    for found, target in rule_targets(stack):
        for arn in (target["Arn"], target.get("DeadLetterConfig", {}).get("Arn")):
            if queue := stack.at(arn, QUEUE):
                yield "events.amazonaws.com", found.arn, queue
    for bucket in stack.of(BUCKET):
        for each in bucket.properties.get("NotificationConfiguration", {}).get("QueueConfigurations", []):
            if queue := stack.at(each["Queue"], QUEUE):
                yield "s3.amazonaws.com", bucket.arn, queue


@rule
def queues_take_what_services_send(stack: Stack) -> Iterator[Verdict]:
    """A queue's policy lets in the rules and buckets that send to it."""
    for service, arn, queue in _senders(stack):
        let_in = any(
            service in statement.services
            and "sqs:SendMessage" in statement.actions
            and queue.arn in statement.resources
            and arn in statement.sources
            for statement in statements(stack, "resource")
            if queue.identifier in as_list(statement.policy.owner.properties.get("Queues", []))
        )
        yield Verdict(
            queue.name, "" if let_in else f"refuses {arn} of {service}: add it to the queue's policy"
        )


@rule
def functions_let_their_callers_in(stack: Stack) -> Iterator[Verdict]:
    """Whatever has a function as its target may invoke it."""
    permissions = [each.properties for each in stack.of("AWS::Lambda::Permission")]
    for found, target in rule_targets(stack):
        if function := stack.at(target["Arn"], FUNCTION):
            let_in = any(
                stack.at(each["FunctionName"]) is function
                and each["Principal"] == "events.amazonaws.com"
                and each.get("SourceArn") == found.arn
                for each in permissions
            )
            yield Verdict(
                function.name, "" if let_in else f"refuses {found.name}: add an AWS::Lambda::Permission"
            )
    for api in stack.of("AWS::ApiGateway::RestApi"):
        body = json.dumps(api.properties.get("Body", {}))
        for function in stack.of(FUNCTION):
            if f"{function.arn}/invocations" in body:
                let_in = any(
                    stack.at(each["FunctionName"]) is function
                    and each["Principal"] == "apigateway.amazonaws.com"
                    and f":{api.identifier}/" in each.get("SourceArn", "")
                    for each in permissions
                )
                yield Verdict(
                    function.name, "" if let_in else f"refuses {api.name}: add an AWS::Lambda::Permission"
                )
