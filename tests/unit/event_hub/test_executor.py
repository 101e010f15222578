"""Actions are carried out once, within the guard rails, and a claim that fails is given back."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from event_hub.executor import Executor, is_permanent
from event_hub.facts import Fact
from event_hub.ledger import BusyError
from event_hub.react import react
from event_hub.settings import Config
from local.hub_in_memory import ALLOWED, Account, Clock, MemoryLedger, hub_of, refusal
from local.hub_messages import CONFIG, NAMES, OWNED, ROLES, bodies, facts
from shared.batches import PermanentError


class Bench:
    """An executor over an account in memory."""

    def __init__(
        self, config: Config = CONFIG, roles: frozenset[str] = ROLES, tags: str | None = ALLOWED
    ) -> None:
        self.account = Account(dict.fromkeys(OWNED, tags) if tags else {})
        self.ledger, self.clock, self.config = MemoryLedger(), Clock(), config
        self.executor = Executor(hub_of(self.account, self.ledger, config, self.clock), roles, "later-queue")

    def deliver(self, name: str) -> None:
        """Deliver a recorded message."""
        for body in bodies(name):
            react(body, "m-1", self.executor, self.config)

    def attempt(self, name: str) -> ClientError | None:
        """Deliver a recorded message, and what is later; the error for which it would come back."""
        try:
            self.deliver(name)
            self.later()
        except ClientError as error:
            return error
        return None

    def later(self) -> None:
        """Deliver what is in the queue of what is later."""
        waiting = [
            change for change in self.account.changes if change.request.get("QueueUrl") == "later-queue"
        ]
        self.account.changes = [change for change in self.account.changes if change not in waiting]
        for change in waiting:
            self.executor.resume(json.loads(change.request["MessageBody"]))

    def calls(self) -> list[str]:
        """Calls that changed something."""
        return [change.call for change in self.account.changes]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_changes_without_the_tag(name: str) -> None:
    bench = Bench(replace(CONFIG, restore_buckets=(), vaults=(), imagery_buckets=()), tags=None)
    bench.deliver(name)
    assert set(bench.calls()) <= {"sns.publish"}  # operators are told of what no reaction repairs
    assert all(change.reaction == "own" for change in bench.account.changes)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_changes_in_a_dry_run(name: str) -> None:
    bench = Bench(replace(CONFIG, dry_run=True))
    bench.deliver(name)
    assert bench.calls() == []


@pytest.mark.parametrize("name", NAMES)
def test_reaction_without_a_role_is_switched_off(name: str) -> None:
    bench = Bench(roles=frozenset())
    bench.deliver(name)
    assert bench.calls() == []


DONE_AT_ONCE = [
    name
    for name in NAMES
    if not name.startswith(("glacier_archive", "glacier_inventory", "s3_restore", "s3_eventbridge"))
]


@pytest.mark.parametrize("name", DONE_AT_ONCE)
def test_three_deliveries_have_one_effect(name: str) -> None:
    once, thrice = Bench(), Bench()
    once.deliver(name)
    once.later()
    for _ in range(3):
        thrice.deliver(name)
    for _ in range(2):
        thrice.later()
    assert thrice.calls() == once.calls()


@pytest.mark.parametrize(
    "names",
    [
        (
            "autoscaling_launch_lifecycle",
            "autoscaling_eventbridge_launch",
            "autoscaling_launch_lifecycle_text",
        ),
        ("autoscaling_launch_lifecycle", "autoscaling_notification_launch"),
        ("beanstalk_created_text", "beanstalk_eventbridge_created"),
        ("alarm_efs_percent_io_limit", "alarm_eventbridge_efs"),
        ("rds_low_storage_0089", "rds_eventbridge_0089"),
    ],
)
def test_sns_and_eventbridge_have_one_effect_together(names: tuple[str, ...]) -> None:
    once, both = Bench(), Bench()
    once.deliver(names[0])
    for name in names:
        both.deliver(name)
    assert both.calls() == once.calls()


def test_failed_task_is_ordered_once_by_arn_and_identifier() -> None:
    bench = Bench()
    task = {
        "ReplicationTaskArn": "arn:aws:dms:eu-west-1:123456789012:task:A1B2C3D4E5F6G7H8I9J0K1L2M3",
        "ReplicationTaskIdentifier": "mssql-to-mysql",
        "Status": "failed",
        "ReplicationTaskStartDate": "2026-11-20",
    }
    bench.account.answers["dms.describe_replication_tasks"] = partial(
        _answering, {"ReplicationTasks": [task]}
    )
    for name in ("dms_task_failed_encoding", "dms_eventbridge_failed"):
        bench.deliver(name)
    assert bench.calls() == ["sqs.send_message"]


@pytest.mark.parametrize("name", DONE_AT_ONCE)
def test_effect_that_failed_is_had_at_the_next_delivery(name: str) -> None:
    once = Bench()
    once.deliver(name)
    once.later()
    if not once.calls():
        return
    bench, kinds = Bench(), set(once.calls())
    for call in kinds:
        bench.account.answers[call] = partial(_fails_once, bench.account, call)
    failures = [error for _ in range(6) if (error := bench.attempt(name))]
    assert len(failures) == len(kinds)
    assert set(bench.calls()) == kinds
    repeated = {call for call in kinds if bench.calls().count(call) > once.calls().count(call)}
    assert repeated <= {"cloudfront.create_distribution"}  # its caller reference makes it one


def _fails_once(account: Account, call: str, _: dict[str, Any]) -> Any:
    del account.answers[call]
    account.changes.pop()
    raise refusal("ServiceUnavailable", 503)


def test_two_events_at_once_grow_a_database_once() -> None:
    bench = Bench()
    answer = bench.account.call(
        "grow", "rds", "describe_db_instances", {"DBInstanceIdentifier": "social-primary"}
    )

    def meanwhile(request: dict[str, Any]) -> Any:
        bench.account.answers["rds.describe_db_instances"] = partial(_answering, answer)
        with pytest.raises(BusyError):  # it comes back, and finds a growth that is pending
            bench.deliver("rds_storage_full_0007")
        return answer

    bench.account.answers["rds.describe_db_instances"] = meanwhile
    bench.deliver("rds_low_storage_0089")
    assert bench.calls() == ["rds.modify_db_instance"]


def test_call_that_aws_refuses_for_good_is_quarantined_and_can_be_tried_again() -> None:
    bench = Bench()

    def refuses(request: dict[str, Any]) -> Any:
        raise refusal("AccessDenied", 403, "ModifyDBInstance")

    bench.account.answers["rds.modify_db_instance"] = refuses
    with pytest.raises(PermanentError, match="GrowStorage: ModifyDBInstance: AccessDenied"):
        bench.deliver("rds_low_storage_0089")
    del bench.account.answers["rds.modify_db_instance"]
    bench.account.changes.clear()
    bench.deliver("rds_low_storage_0089")
    assert bench.calls() == ["rds.modify_db_instance"]


def test_instance_goes_on_although_its_command_is_refused() -> None:
    bench = Bench()

    def refuses(request: dict[str, Any]) -> Any:
        raise refusal("AccessDeniedException", 400, "SendCommand")

    bench.account.answers["ssm.send_command"] = refuses
    with pytest.raises(PermanentError, match="SendCommand: AccessDeniedException"):
        bench.deliver("autoscaling_launch_lifecycle")
    assert bench.calls()[-1] == "autoscaling.complete_lifecycle_action"


def test_late_agent_is_waited_for_with_heartbeats_until_the_hook_ends() -> None:
    bench = Bench()

    def unknown(request: dict[str, Any]) -> Any:
        raise refusal("InvalidInstanceId")

    bench.account.answers["ssm.send_command"] = unknown
    bench.deliver("autoscaling_launch_lifecycle")
    assert bench.calls() == [
        "ssm.send_command", "autoscaling.record_lifecycle_action_heartbeat", "sqs.send_message"
    ]  # fmt: skip
    bench.account.changes = [change for change in bench.account.changes if change.call == "sqs.send_message"]
    bench.clock.now = bench.clock.now.replace(hour=10)  # past lifecycle_seconds
    with pytest.raises(PermanentError, match="no command until the end of the wait"):
        bench.later()
    assert bench.calls()[-1] == "autoscaling.complete_lifecycle_action"


def test_second_delivery_does_not_overtake_a_late_agent() -> None:
    bench = Bench()
    bench.account.answers["ssm.send_command"] = _raising(refusal("InvalidInstanceId"))
    bench.deliver("autoscaling_launch_lifecycle")
    bench.deliver("autoscaling_eventbridge_launch")
    assert "autoscaling.complete_lifecycle_action" not in bench.calls()
    del bench.account.answers["ssm.send_command"]
    for _ in range(4):
        bench.later()
    assert bench.calls()[-1] == "autoscaling.complete_lifecycle_action"
    assert bench.calls().count("ssm.send_command") == 2


def test_lifecycle_action_that_is_over_counts_as_done() -> None:
    bench = Bench()
    error = refusal("ValidationError")
    error.args = ("No active Lifecycle Action found with instance ID i-0a1b2c3d4e5f60718",)
    bench.account.answers["autoscaling.complete_lifecycle_action"] = _raising(error)
    bench.deliver("autoscaling_launch_lifecycle")
    assert bench.ledger.result("complete#5d3c8e0a-9f64-4f0d-b1c2-7e6a5d4c3b2a") == {
        "command": "Success", "over": True
    }  # fmt: skip


def test_task_that_cannot_be_placed_is_tried_later_and_a_missing_one_is_not() -> None:
    for reason, permanent in (("RESOURCE:MEMORY", False), ("MISSING", True)):
        bench = Bench()
        answer = {"failures": [{"reason": reason}], "tasks": []}
        bench.account.answers["ecs.run_task"] = partial(_answering, answer)
        if permanent:
            with pytest.raises(PermanentError, match="RunTask: MISSING"):
                bench.deliver("alarm_elb_latency")
        else:
            bench.deliver("alarm_elb_latency")
            assert bench.calls()[-1] == "sqs.send_message"


def test_what_is_beyond_the_rate_is_done_later() -> None:
    bench = Bench()
    event = json.loads(bodies("beanstalk_eventbridge_created")[0])
    for number in range(25):
        event["detail"]["EnvironmentName"] = f"e{number}"
        react(json.dumps(event), "m", bench.executor, CONFIG)
    assert (bench.calls().count("codebuild.start_build"), bench.calls().count("sqs.send_message")) == (20, 5)
    bench.clock.now = bench.clock.now.replace(hour=11)
    bench.later()
    assert bench.calls().count("codebuild.start_build") == 25


def test_message_of_what_is_later_acts_once_though_it_comes_twice() -> None:
    bench = Bench()
    bench.deliver("glue_job_failed")
    [change] = bench.account.changes
    message = json.loads(change.request["MessageBody"])
    bench.executor.resume(message)
    bench.executor.resume(message)
    assert bench.calls().count("glue.start_job_run") == 1
    # and while the first still works
    bench = Bench()
    bench.deliver("glue_job_failed")
    message = json.loads(bench.account.changes[0].request["MessageBody"])

    def second(request: dict[str, Any]) -> Any:
        with pytest.raises(BusyError):
            bench.executor.resume(message)
        return {"JobRunId": "jr_2"}

    bench.account.answers["glue.start_job_run"] = second
    bench.executor.resume(message)
    assert bench.calls().count("glue.start_job_run") == 1


def test_second_hook_of_an_instance_is_completed_too() -> None:
    bench = Bench()
    bench.account.answers["ssm.send_command"] = _raising(refusal("InvalidInstanceId"))
    other = json.loads(bodies("autoscaling_eventbridge_launch")[0])
    other["detail"] |= {
        "LifecycleHookName": "b",
        "LifecycleActionToken": "0" * 8 + "-0000-4000-8000-" + "0" * 12,
    }
    bench.deliver("autoscaling_launch_lifecycle")
    react(json.dumps(other), "m", bench.executor, CONFIG)
    del bench.account.answers["ssm.send_command"]
    for _ in range(4):
        bench.later()
    hooks = [
        change.request["LifecycleHookName"]
        for change in bench.account.changes
        if change.call == "autoscaling.complete_lifecycle_action"
    ]
    assert sorted(hooks) == ["b", "hub-launching"]
    assert bench.calls().count("ssm.send_command") == 2  # one was refused


def test_instance_of_another_group_gets_no_command() -> None:
    bench = Bench()
    bench.account.groups["i-0a1b2c3d4e5f60718"] = "other"
    bench.deliver("autoscaling_notification_launch")
    assert bench.calls() == []


def test_same_failure_of_a_later_run_is_ordered_again() -> None:
    bench = Bench()
    event = json.loads(bodies("dms_eventbridge_failed")[0])
    for day in (20, 22):
        task = {
            "ReplicationTaskArn": event["resources"][0],
            "ReplicationTaskIdentifier": "mssql-to-mysql",
            "Status": "failed",
            "ReplicationTaskStartDate": f"2026-11-{day}",
        }
        bench.account.answers["dms.describe_replication_tasks"] = partial(
            _answering, {"ReplicationTasks": [task]}
        )
        event["time"] = f"2026-11-{day}T09:15:42Z"
        react(json.dumps(event), "m", bench.executor, CONFIG)
    assert bench.calls() == ["sqs.send_message"] * 2


def test_diversion_ends_although_the_clusters_tag_is_gone() -> None:
    bench = Bench()
    bench.deliver("redshift_maintenance_started")
    del bench.account.tags["news-warehouse"]
    bench.account.answers["lambda.list_event_source_mappings"] = partial(
        _answering, {"EventSourceMappings": [{"UUID": "u", "State": "Disabled"}]}
    )
    bench.deliver("redshift_maintenance_completed")
    assert [change.request["Enabled"] for change in bench.account.changes] == [False, True]


def test_mapping_that_is_being_changed_is_held_later() -> None:
    bench = Bench()
    bench.account.answers["lambda.list_event_source_mappings"] = partial(
        _answering, {"EventSourceMappings": [{"UUID": "u", "State": "Updating"}]}
    )
    bench.deliver("redshift_maintenance_started")
    assert bench.calls() == ["sqs.send_message"]


@pytest.mark.parametrize("now", ["OK", "ALARM"])
@pytest.mark.parametrize("order", [("OK", "ALARM"), ("ALARM", "OK")])
def test_two_states_of_one_instant_show_what_the_alarm_is_now(now: str, order: tuple[str, str]) -> None:
    bench = Bench()
    bench.account.alarms["payments-healthy"] = now
    sns = json.loads(bodies("alarm_route53_unhealthy")[0])
    message = json.loads(sns["Records"][0]["Sns"]["Message"])
    for state in order:
        sns["Records"][0]["Sns"]["Message"] = json.dumps(message | {"NewStateValue": state})
        react(json.dumps(sns), "m", bench.executor, CONFIG)
    [record] = [item for key, item in bench.ledger.items.items() if key.startswith("status#")]
    assert record["state"] == {"OK": "up", "ALARM": "down"}[now]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("rds_eventbridge_0089", {"region": "us-east-1"}),
        ("rds_eventbridge_0089", {"account": "999999999999"}),
        ("glue_job_failed", {"region": "eu-central-1"}),
    ],
)
def test_event_of_another_place_is_refused(name: str, change: dict[str, str]) -> None:
    bench = Bench()
    event = json.loads(bodies(name)[0]) | change
    with pytest.raises(PermanentError, match="of another account or region"):
        react(json.dumps(event), "m", bench.executor, CONFIG)
    assert bench.calls() == []


@pytest.mark.parametrize(
    ("name", "arn"),
    [
        ("rds_low_storage_0089", "arn:aws:sns:us-east-1:999999999999:theirs"),
        ("redshift_maintenance_started", "arn:aws:sns:us-east-1:123456789012:suite-hub"),
    ],
)
def test_message_of_a_topic_elsewhere_is_refused(name: str, arn: str) -> None:
    bench = Bench()
    event = json.loads(bodies(name)[0])
    event["Records"][0]["Sns"]["TopicArn"] = arn
    with pytest.raises(PermanentError, match="of another account or region"):
        react(json.dumps(event), "m", bench.executor, CONFIG)


def test_alarm_of_another_region_is_refused_unless_it_is_of_a_health_check() -> None:
    bench = Bench()
    text = bodies("alarm_elb_latency")[0].replace("cloudwatch:eu-west-1", "cloudwatch:us-east-1")
    with pytest.raises(PermanentError, match="of another account or region"):
        react(text, "m", bench.executor, CONFIG)
    bench.deliver("alarm_route53_unhealthy")
    assert any(key.startswith("status#") for key in bench.ledger.items)


def test_hook_of_codedeploy_is_left_alone() -> None:
    bench = Bench()
    event = json.loads(bodies("autoscaling_eventbridge_launch")[0])
    event["detail"]["LifecycleHookName"] = "CodeDeploy-managed-automatic-launch-deployment-hook-shop-1"
    react(json.dumps(event), "m", bench.executor, CONFIG)
    assert bench.calls() == []


def test_distribution_that_a_crash_left_is_found_and_told_of() -> None:
    bench = Bench()
    bench.account.answers["cloudfront.create_distribution"] = _raising(
        refusal("DistributionAlreadyExists", 409, "CreateDistribution")
    )
    comment = "Imported by JID3c1fe5d5-7f2b-4a90-9b59-6d0a8f5b2c11"
    bench.account.distributions = [
        {"Id": "E0", "Comment": "another", "DomainName": "x", "ARN": "y"},
        {"Id": "E9", "Comment": comment, "DomainName": "d9.example.com", "ARN": "arn:9"},
    ]
    bench.deliver("snowball_complete_text")
    assert "d9.example.com" in bench.account.changes[-1].request["Message"]


def test_status_shows_the_newer_of_an_out_of_order_pair() -> None:
    bench = Bench()
    for name in ("alarm_route53_healthy", "alarm_route53_unhealthy"):
        bench.deliver(name)
    [record] = [item for key, item in bench.ledger.items.items() if key.startswith("status#")]
    assert record["state"] == "up"


def test_message_of_the_hubs_own_that_is_none_is_quarantined() -> None:
    bench = Bench()
    for body in (
        {},
        {"actions": [{"action": "Exec"}], "fact": "x", "tries": 1, "owner": "y"},
        {"actions": 1},
    ):
        with pytest.raises(PermanentError, match="no message of the hub's own"):
            bench.executor.resume(body)


@pytest.mark.parametrize(
    ("code", "status", "permanent"),
    [
        ("ThrottlingException", 400, False), ("RequestLimitExceeded", 503, False),
        ("ValidationError", 400, True),
        ("InternalFailure", 500, False), ("AccessDenied", 403, True), ("ResourceInUseException", 400, False),
        ("ConflictException", 409, False), ("DBInstanceNotFound", 404, True),
    ],
)  # fmt: skip
def test_refusals_are_told_from_what_passes(code: str, status: int, permanent: bool) -> None:
    assert is_permanent(refusal(code, status)) is permanent


def test_every_fact_of_a_message_is_acted_on_though_one_is_refused() -> None:
    bench = Bench()
    record = json.loads(json.loads(bodies("s3_restore_completed")[0])["Records"][0]["Sns"]["Message"])[
        "Records"
    ][0]
    other = json.loads(json.dumps(record))
    other["s3"]["object"]["key"] = "second.tar"
    with pytest.raises(PermanentError, match="the object is gone"):
        react(json.dumps({"Records": [record, other]}), "m", bench.executor, CONFIG)
    assert len(bench.ledger.claims) == 2


def _answering(answer: Any, _: dict[str, Any]) -> Any:
    return answer


def _raising(error: Exception) -> Any:
    def raises(request: dict[str, Any]) -> Any:
        raise error

    return raises


def test_facts_are_frozen() -> None:
    found: list[Fact] = facts("rds_low_storage_0089")
    with pytest.raises(AttributeError):
        found[0].event = "x"  # type: ignore[misc, union-attr]
