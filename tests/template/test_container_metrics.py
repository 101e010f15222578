"""The container metrics' part of the template: the definition, the roles, the schedule, the dashboard."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from cfnlint.api import lint_all
from jsonata import Jsonata

from container_metrics.publish import MISSING_METRIC, STACK_DIMENSION
from container_metrics.requests import INTERVAL_S, LONGEST_DELAY_S
from container_metrics.sources import SOURCES
from datagen import container_day
from datagen.container_day import DEFINITION, definition, states
from ops.paths import ROOT
from tests.support.template import references, source, transformed

RESOURCES = transformed("aws")["Resources"]
TEMPLATE = source()["Resources"]
STATES = dict(states(definition()))


def strings(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [text for value in node.values() for text in strings(value)]
    if isinstance(node, list):
        return [text for value in node for text in strings(value)]
    return [node] if isinstance(node, str) else []


# ---- the state machine


def problems(machine: dict[str, Any]) -> list[str]:
    """Return what cfn-lint says about a definition; of one that SAM takes from a file it says nothing."""
    properties = {"Definition": machine, "RoleArn": "arn:aws:iam::123456789012:role/any"}
    template = {"Resources": {"M": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}}
    return [found.message for found in lint_all(json.dumps(template)) if found.rule.id.startswith("E")]


def test_definition_is_what_the_states_language_asks_for() -> None:
    text = DEFINITION.read_text().replace("${Partition}", "aws").replace("${SampleFunction}", "sample")
    assert problems(json.loads(text)) == []


def test_a_broken_definition_would_be_found() -> None:
    broken = definition()
    del broken["States"]["Check"]["Choices"]
    assert problems(broken)


def machines(machine: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [state["ItemProcessor"] for state in machine["States"].values() if "ItemProcessor" in state]
    return [machine, *(each for one in inner for each in machines(one))]


def test_every_state_can_be_reached_and_every_transition_has_a_target() -> None:
    for machine in machines(definition()):
        reached, waiting = set[str](), [machine["StartAt"]]
        while waiting:
            name = waiting.pop()
            if name in reached:
                continue
            reached.add(name)
            state = machine["States"][name]
            following = [state, *state.get("Choices", []), *state.get("Catch", [])]
            waiting += [each["Next"] for each in following if "Next" in each]
            waiting += [state["Default"]] if "Default" in state else []
            ends = state.get("End") or state["Type"] in ("Succeed", "Fail", "Choice")
            assert ends != ("Next" in state), f"{name} either ends or goes on"
        assert reached == set(machine["States"])


def test_every_expression_is_jsonata_and_stays_within_the_reserved_variables() -> None:
    expressions = [text for text in strings(definition()) if text.startswith("{%")]
    assert len(expressions) > 15
    for text in expressions:
        assert text.endswith("%}")
        Jsonata.jsonata(text[2:-2])
        assert set(re.findall(r"\$states\.(\w+)", text)) <= {"input", "context", "result", "errorOutput"}


def test_every_substitution_is_given_and_every_given_one_is_used() -> None:
    properties = TEMPLATE["ContainerMetricsStateMachine"]["Properties"]
    used = set(re.findall(r"\$\{(\w+)\}", DEFINITION.read_text()))
    assert used == set(properties["DefinitionSubstitutions"])
    assert (ROOT / properties["DefinitionUri"]).samefile(DEFINITION)


def test_sources_that_are_refused_at_the_start_are_those_that_are_not_registered() -> None:
    given = TEMPLATE["ContainerMetricsStateMachine"]["Properties"]["DefinitionSubstitutions"]["Sources"]
    assert given.split(",") == list(SOURCES)
    assert given == container_day.SOURCES


def test_a_slot_is_retried_with_full_jitter_while_it_is_of_use() -> None:
    [retrier] = STATES["Sample"]["Retry"]
    assert {"UnavailableError", "Lambda.TooManyRequestsException", "Lambda.ServiceException"} <= set(
        retrier["ErrorEquals"]
    )
    assert retrier["JitterStrategy"] == "FULL"
    assert retrier["MaxDelaySeconds"] == LONGEST_DELAY_S
    assert retrier["MaxAttempts"] * retrier["MaxDelaySeconds"] <= INTERVAL_S
    payload = STATES["Sample"]["Arguments"]["Payload"]
    assert f"'last': $states.context.State.RetryCount = {retrier['MaxAttempts']}" in payload


def test_one_slot_never_fails_the_others() -> None:
    [catcher] = STATES["Sample"]["Catch"]
    assert catcher["ErrorEquals"] == ["States.ALL"]
    assert STATES[catcher["Next"]] == {"Type": "Pass", "End": True}


def test_an_express_execution_is_over_before_it_would_be_stopped() -> None:
    assert definition()["TimeoutSeconds"] < 300
    properties = TEMPLATE["ContainerMetricsStateMachine"]["Properties"]
    assert properties["Type"] == {"Ref": "ContainerMetricsWorkflow"}
    assert source()["Parameters"]["ContainerMetricsWorkflow"]["Default"] == "STANDARD"


# ---- roles: the local engine does not enforce those of Step Functions and of the scheduler


def test_state_machine_may_invoke_its_function_and_log_and_nothing_else() -> None:
    role = RESOURCES["ContainerMetricsStateMachineRole"]["Properties"]
    [policy] = role["Policies"]
    statements = {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]}
    assert set(statements) == {"InvokeSample", "WriteLogs"}
    assert statements["InvokeSample"]["Action"] == "lambda:InvokeFunction"
    assert references(statements["InvokeSample"]["Resource"], {"ContainerMetricsFunction"})
    assert all(action.startswith("logs:") for action in statements["WriteLogs"]["Action"])
    assert role.get("ManagedPolicyArns", []) == []


def test_schedule_may_start_the_state_machine_and_keep_what_failed_and_nothing_else() -> None:
    role = RESOURCES["ContainerMetricsScheduleRole"]["Properties"]
    [policy] = role["Policies"]
    found = {each["Action"]: each["Resource"] for each in policy["PolicyDocument"]["Statement"]}
    assert set(found) == {"states:StartExecution", "sqs:SendMessage"}
    assert references(found["states:StartExecution"], set(RESOURCES)) == {"ContainerMetricsStateMachine"}
    assert references(found["sqs:SendMessage"], set(RESOURCES)) == {"ContainerMetricsDeadLetterQueue"}
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert "aws:SourceAccount" in trust["Condition"]["StringEquals"]


def function_statements() -> dict[str, Any]:
    """The function's statements, by Sid or by condition."""
    [policy] = TEMPLATE["ContainerMetricsFunctionRole"]["Properties"]["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    return {each["Fn::If"][0] if "Fn::If" in each else each["Sid"]: each for each in statements}


def test_function_may_publish_to_the_namespaces_of_its_sources_alone() -> None:
    publishes = function_statements()["PublishSamples"]
    namespaces = publishes["Condition"]["StringEquals"]["cloudwatch:namespace"]
    assert set(namespaces) == {each.namespace for each in SOURCES.values()}


def test_clusters_are_allowed_by_name() -> None:
    """Names become ARNs by a delimiter: what it makes is spelled out here."""
    [condition, reads, otherwise] = function_statements()["ContainerMetricsHasClusters"]["Fn::If"]
    assert (condition, otherwise) == ("ContainerMetricsHasClusters", {"Ref": "AWS::NoValue"})
    [comma, joined] = reads["Resource"]["Fn::Split"]
    [nothing, [prefix, names]] = joined["Fn::Join"]
    delimiter, parameter = names["Fn::Join"]
    assert parameter == {"Ref": "ContainerMetricsClusters"}
    made = nothing.join([prefix, delimiter.join(["one", "two"])]).split(comma)
    assert made == ["arn:*:ecs:*:*:cluster/one", "arn:*:ecs:*:*:cluster/two"]
    assert reads["Condition"] == {"StringEquals": {"aws:RequestedRegion": {"Ref": "AWS::Region"}}}


def test_what_is_elsewhere_is_read_by_its_arn_and_by_the_roles_that_are_named() -> None:
    given = {
        "ContainerMetricsHasClusterArns": "ContainerMetricsClusterArns",
        "ContainerMetricsHasQueueArns": "ContainerMetricsQueueArns",
        "ContainerMetricsHasReaderRoles": "ContainerMetricsReaderRoles",
    }
    for condition, parameter in given.items():
        [_, statement, _] = function_statements()[condition]["Fn::If"]
        assert statement["Resource"] == {"Ref": parameter}


# ---- the example


def test_example_that_scales_a_service_looks_at_what_the_function_publishes() -> None:
    file = ROOT / "docs/examples/scale_a_service.yaml"
    assert [found for found in lint_all(file.read_text()) if found.rule.severity != "informational"] == []
    text = re.sub(r"!(Ref|Sub)", "", file.read_text())
    resources = yaml.safe_load(text)["Resources"]
    alarms = {
        name: each["Properties"]
        for name, each in resources.items()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert set(alarms) == {"BacklogAlarm", "IdleAlarm"}
    queues = SOURCES["sqs"]
    for alarm in alarms.values():
        assert alarm["Namespace"] == queues.namespace
        assert alarm["MetricName"] in queues.metrics
        assert [each["Name"] for each in alarm["Dimensions"]] == [queues.dimension]
        [action] = alarm["AlarmActions"]
        assert resources[action]["Type"] == "AWS::ApplicationAutoScaling::ScalingPolicy"


# ---- the schedule


def test_schedule_passes_the_scheduled_time_and_keeps_failed_starts() -> None:
    schedule = RESOURCES["ContainerMetricsSchedule"]["Properties"]
    assert schedule["ScheduleExpression"] == "cron(* * * * ? *)"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    target = schedule["Target"]
    assert '"scheduled": "<aws.scheduler.scheduled-time>"' in target["Input"]["Fn::Sub"][0]
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] < 115, "then the last slot is past"
    assert references(target["DeadLetterConfig"], {"ContainerMetricsDeadLetterQueue"})


def test_nothing_is_scheduled_until_something_is_named() -> None:
    parameters = source()["Parameters"]
    assert (
        parameters["ContainerMetricsClusters"]["Default"]
        == parameters["ContainerMetricsQueues"]["Default"]
        == ""
    )
    costly = {"AWS::Scheduler::Schedule", "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"}
    conditions = {
        each["Condition"]
        for name, each in RESOURCES.items()
        if name.startswith("ContainerMetrics") and each["Type"] in costly
    }
    assert conditions == {"ContainerMetricsScheduled"}, "nor is there anything that costs"


# ---- quiet, watched, shown


def test_function_logs_nothing_in_the_good_case() -> None:
    logging = RESOURCES["ContainerMetricsFunction"]["Properties"]["LoggingConfig"]
    assert (logging["ApplicationLogLevel"], logging["SystemLogLevel"]) == ("WARN", "WARN")
    assert logging["LogFormat"] == "JSON", "levels need it"
    code = ROOT / "functions/container_metrics/container_metrics"
    assert not re.search(r"logger\.(info|debug)\(", "".join(path.read_text() for path in code.glob("*.py")))


def test_alarm_fires_after_30_seconds_of_pending_tasks() -> None:
    alarm = TEMPLATE["ContainerMetricsPendingAlarm"]["Properties"]
    assert alarm["Period"] == {"Fn::If": ["ContainerMetricsByMinute", 60, 10]}
    assert alarm["EvaluationPeriods"] == {"Fn::If": ["ContainerMetricsByMinute", 1, 3]}
    [dimension] = alarm["Dimensions"]
    assert dimension["Name"] == STACK_DIMENSION
    assert alarm["MetricName"] in SOURCES["ecs"].highest


def test_alarm_of_whole_minutes_does_not_fire_for_one_pending_slot() -> None:
    """Every task is pending for a moment when it starts."""
    alarm = TEMPLATE["ContainerMetricsPendingAlarm"]["Properties"]
    assert alarm["Statistic"] == {"Fn::If": ["ContainerMetricsByMinute", "Minimum", "Maximum"]}


def widgets() -> list[dict[str, Any]]:
    fragment = yaml.safe_load((ROOT / "dashboards/container_metrics.yaml").read_text())
    body = json.loads(fragment["DashboardBody"]["Fn::Sub"])
    found: list[dict[str, Any]] = body["widgets"]
    return found


SEARCH = re.compile(r"SEARCH\('\{(\w+),([\w,]+)\} MetricName=(.+)', '\w+', (\d+)\)")


def test_dashboard_shows_metrics_that_the_function_publishes_at_their_resolution() -> None:
    shown = set()
    for widget in widgets():
        for metric in widget["properties"].get("metrics", []):
            if isinstance(metric[0], dict):
                found = SEARCH.fullmatch(metric[0]["expression"])
                assert found, metric
                namespace, dimensions, names, period = found.groups()
                assert int(period) == widget["properties"]["period"]
                shown |= {(namespace, dimensions, name) for name in re.findall(r'"(\w+)"', names)}
            else:
                assert metric[0] == "AWS/States"
    published = {
        (each.namespace, f"{each.dimension}{place}", name)
        for each in SOURCES.values()
        for name in (*each.metrics, MISSING_METRIC)
        for place in ("", ",Region,AccountId")
    }
    assert shown == published


def test_dashboard_names_resources_of_the_template() -> None:
    text = (ROOT / "dashboards/container_metrics.yaml").read_text()
    names = {name.split(".")[0] for name in re.findall(r"\$\{([\w.]+)\}", text)}
    assert names <= set(RESOURCES)
    assert {name for name in RESOURCES if re.fullmatch(r"ContainerMetrics\w+Alarm", name)} <= names


@pytest.mark.parametrize("target", ["aws", "local"])
def test_dashboard_is_in_the_template(target: str) -> None:
    dashboard = transformed(target)["Resources"]["ContainerMetricsDashboard"]["Properties"]
    assert json.loads(dashboard["DashboardBody"]["Fn::Sub"])["widgets"]


def test_a_cluster_of_the_stacks_own_is_local_alone() -> None:
    assert RESOURCES["ContainerMetricsCluster"]["Condition"] == "ContainerMetricsOnLocal"
    assert "ContainerMetricsClusters=suite-local-containers" in (ROOT / "samconfig.toml").read_text()
