"""10,000 spoilt messages: whatever they name, nothing happens to what is not on the allow-list."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from event_hub.executor import Executor
from event_hub.react import react
from shared.batches import PermanentError, RetryableError
from tests.unit.event_hub.account import ALLOWED, Account, Clock, MemoryLedger, hub_of
from tests.unit.event_hub.messages import CONFIG, NAMES, bodies
from tests.unit.event_hub.test_executor import OURS, ROLES

MESSAGES = 10_000
STRANGERS = (
    "production", "db-2", "i-0fffffffffffffff0", "fs-0ffffffff", "other-bucket", "E9Z8", "../x", "*", "", ":",
    "arn:aws:rds:eu-west-1:123456789012:db:production", "shop-web2", "x" * 300,
    "JID00000000-0000-0000-0000-000000000000",
)  # fmt: skip
# What each call that changes something may name, and where it stands in the request.
NAMED = {
    "autoscaling.complete_lifecycle_action": ("AutoScalingGroupName", {"shop-web"}),
    "autoscaling.record_lifecycle_action_heartbeat": ("AutoScalingGroupName", {"shop-web"}),
    "codebuild.start_build": ("projectName", {"ci"}),
    "ecs.run_task": ("taskDefinition", {CONFIG.profile_task}),
    "efs.update_file_system": ("FileSystemId", {"fs-0a1b2c3d4e5f60718"}),
    "rds.modify_db_instance": ("DBInstanceIdentifier", {"social-primary"}),
    "lambda.update_event_source_mapping": ("UUID", {"u"}),
    "glue.start_job_run": ("JobName", {"nightly-etl"}),
    "sns.publish": ("TopicArn", {CONFIG.updates_topic, CONFIG.operations_topic}),
    "sqs.send_message": ("QueueUrl", {CONFIG.encoder_queue, "later-queue"}),
    "s3.create_multipart_upload": ("Bucket", {"output"}),
    "cloudfront.create_distribution": ("DistributionConfig", None),
    "ssm.send_command": ("DocumentName", {"AWS-RunShellScript"}),
}


def spoilt(value: Any, rng: random.Random) -> Any:
    """A document in which about one leaf in six is another's, or nothing."""
    if isinstance(value, dict):
        return {name: spoilt(inner, rng) for name, inner in value.items() if rng.random() > 0.01}
    if isinstance(value, list):
        return [spoilt(inner, rng) for inner in value]
    if isinstance(value, str) and value[:1] == "{":
        return json.dumps(spoilt(json.loads(value), rng))
    if rng.random() > 0.15:
        return value
    if isinstance(value, str):
        return rng.choice((*STRANGERS, value[:-1], value + "x", value.upper()))
    return rng.choice((None, True, -1, 0, 2**70, [], {}, "x"))


def test_no_action_outside_the_allow_list() -> None:
    rng, account, clock = random.Random(20261120), Account(dict.fromkeys(OURS, ALLOWED)), Clock()
    account.tags |= {"production": "others", "db-2": "others"}
    config = replace(CONFIG, profile_alarms=())
    texts = [body for name in NAMES for body in bodies(name)]
    refused = 0
    for number in range(MESSAGES):
        ledger = MemoryLedger()  # each message is new
        executor = Executor(hub_of(account, ledger, config, clock), ROLES, "later-queue")
        text = json.dumps(spoilt(json.loads(texts[number % len(texts)]), rng))
        before = len(account.changes)
        try:
            react(text, f"m-{number}", executor, config)
            for change in account.changes[before:]:
                if change.request.get("QueueUrl") == "later-queue":
                    executor.resume(json.loads(change.request["MessageBody"]))
        except PermanentError:
            refused += 1
        except (ClientError, RetryableError) as error:
            raise AssertionError(text) from error
    seen: dict[str, int] = {}
    for change in account.changes:
        member, allowed = NAMED[change.call]
        seen[change.call] = seen.get(change.call, 0) + 1
        assert allowed is None or change.request[member] in allowed, change
        if change.call == "ssm.send_command":
            assert change.request["Parameters"]["commands"][0].splitlines()[-1] in ("warm-cache", "copy-logs")
    assert seen.keys() == NAMED.keys()  # every kind of action was there to go wrong
    assert 0.1 < refused / MESSAGES < 0.9
