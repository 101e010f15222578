"""Actions are carried out once, within the guard rails, and a claim that fails is given back."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from event_hub.executor import Executor, is_permanent
from event_hub.facts import Fact
from event_hub.react import react
from event_hub.settings import Config
from shared.batches import PermanentError
from tests.unit.event_hub.account import ALLOWED, Account, Clock, MemoryLedger, hub_of, refusal
from tests.unit.event_hub.messages import CONFIG, NAMES, bodies, facts

ROLES = frozenset(
    {
        "notify", "fleet", "build", "profile", "throughput", "archive", "restore", "distribute", "grow",
        "nodes", "divert", "migrate", "status", "connection", "retry_run",
    }
)  # fmt: skip
OURS = (
    "shop-web", "ci", "arn:aws:ecs:eu-west-1:123456789012:task-definition/profile:1", "fs-0a1b2c3d4e5f60718",
    "social-primary", "shop-cache", "news-warehouse", "mssql-to-mysql", "A1B2C3D4E5F6G7H8I9J0K1L2M3",
    "payments-healthy", "dx-dublin", "nightly-etl",
)  # fmt: skip


class Bench:
    """An executor over an account in memory."""

    def __init__(
        self, config: Config = CONFIG, roles: frozenset[str] = ROLES, tags: str | None = ALLOWED
    ) -> None:
        self.account = Account(dict.fromkeys(OURS, tags) if tags else {})
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
    with pytest.raises(PermanentError, match="did not register in time"):
        bench.later()
    assert bench.calls()[-1] == "autoscaling.complete_lifecycle_action"


def test_second_delivery_does_not_overtake_a_late_agent() -> None:
    bench = Bench()
    bench.account.answers["ssm.send_command"] = _raising(refusal("InvalidInstanceId"))
    bench.deliver("autoscaling_launch_lifecycle")
    bench.deliver("autoscaling_eventbridge_launch")
    assert "autoscaling.complete_lifecycle_action" not in bench.calls()
    del bench.account.answers["ssm.send_command"]
    bench.later()
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


def test_rate_limit_sets_what_is_beyond_it_aside() -> None:
    bench = Bench()
    event = json.loads(bodies("beanstalk_eventbridge_created")[0])
    for number in range(25):
        event["detail"]["EnvironmentName"] = f"e{number}"
        with nullcontext() if number < 20 else pytest.raises(PermanentError, match="builds within an hour"):
            react(json.dumps(event), "m", bench.executor, CONFIG)
    assert bench.calls().count("codebuild.start_build") == 20
    bench.clock.now = bench.clock.now.replace(hour=11)
    react(json.dumps(event), "m", bench.executor, CONFIG)
    assert bench.calls().count("codebuild.start_build") == 21


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
