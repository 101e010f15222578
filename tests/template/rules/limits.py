"""Limits of CloudFormation, Lambda and the others that a stack must stay within."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ops import budget
from ops.template import Stack

from . import Verdict, rule


@rule
def stack_is_within_cloudformations_limits(stack: Stack) -> Iterator[Verdict]:
    """At most 450 of 500 resources, switched off or not, 200 outputs and parameters, 1 MB.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    """
    for what, count, most in (
        ("resources", stack.declared, budget.TOTAL),
        ("outputs", len(stack.outputs), 200),
        ("parameters", len(stack.parameters), 200),
        ("bytes", stack.size, 1_000_000),
    ):
        yield Verdict("The stack", f"has {count} {what}; {most} are the most" if count > most else "")


@rule
def functions_are_within_lambdas_limits(stack: Stack) -> Iterator[Verdict]:
    """Environment at most 4 KB, five layers, 900 s, a runtime and an architecture that Lambda has.

    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    for function in stack.of("AWS::Lambda::Function"):
        properties = function.properties
        variables = properties.get("Environment", {}).get("Variables", {})
        size = sum(len(f"{name}{value}".encode()) for name, value in variables.items())
        if size > 4_096:
            yield Verdict(function.name, f"has {size} bytes of environment; 4,096 are the most")
        if len(properties.get("Layers", [])) > 5:
            yield Verdict(function.name, "has more than five layers")
        built = properties.get("PackageType") == "Image" or properties.get("Runtime") == "python3.13"
        if not built or properties.get("Architectures") not in (["arm64"], ["x86_64"]):
            yield Verdict(function.name, "has a runtime or an architecture that the layers are not built for")
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
        if reserved := [name for name in variables if name.startswith("AWS_") and name != "AWS_ENDPOINT_URL"]:
            yield Verdict(function.name, f"sets {reserved[0]}, which Lambda reserves")
        if not 128 <= int(properties.get("MemorySize", 128)) <= 10_240:
            yield Verdict(function.name, "has a memory that Lambda does not offer")
        fits = 1 <= int(properties.get("Timeout", 3)) <= 900
        yield Verdict(function.name, "" if fits else "has a time-out beyond 900 s")


@rule
def payloads_are_within_their_size(stack: Stack) -> Iterator[Verdict]:
    """A schedule's input is JSON of at most 256 KB, and an alarm's expression has at most ten metrics.

    https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html and
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
    """
    for schedule in stack.of("AWS::Scheduler::Schedule"):
        text = schedule.properties["Target"].get("Input", "{}")
        try:
            json.loads(text)
            problem = "has an input of more than 256 KB" if len(text.encode()) > 262_144 else ""
        except ValueError:
            problem = "has an input that is not JSON"
        yield Verdict(schedule.name, problem)
    for alarm in stack.of("AWS::CloudWatch::Alarm"):
        count = len([each for each in alarm.properties.get("Metrics", []) if "MetricStat" in each])
        yield Verdict(alarm.name, f"looks at {count} metrics; ten are the most" if count > 10 else "")
