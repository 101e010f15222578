"""Spoilt messages through the hub, with an account in memory behind it: what changes that must not?"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace

from datagen.spoilt_messages import spoilt_messages
from event_hub.executor import Executor
from event_hub.react import react
from local.hub_in_memory import ALLOWED, Account, Change, Clock, MemoryLedger, hub_of
from local.hub_messages import CONFIG, NAMES, OWNED, ROLES, bodies
from shared.batches import PermanentError

__all__ = ["NAMED", "Fuzzed", "fuzz"]

_LATER = "later-queue"
_COMMANDS = (CONFIG.warm_command, CONFIG.logs_command)

# What each call that changes something may name, and where it stands in the request.
NAMED: dict[str, tuple[str, frozenset[str]]] = {
    "autoscaling.complete_lifecycle_action": ("AutoScalingGroupName", frozenset({"shop-web"})),
    "autoscaling.record_lifecycle_action_heartbeat": ("AutoScalingGroupName", frozenset({"shop-web"})),
    "codebuild.start_build": ("projectName", frozenset({"ci"})),
    "ecs.run_task": ("taskDefinition", frozenset({CONFIG.profile_task})),
    "efs.update_file_system": ("FileSystemId", frozenset({"fs-0a1b2c3d4e5f60718"})),
    "rds.modify_db_instance": ("DBInstanceIdentifier", frozenset({"social-primary"})),
    "lambda.update_event_source_mapping": ("UUID", frozenset({"u"})),
    "glue.start_job_run": ("JobName", frozenset({"nightly-etl"})),
    "sns.publish": ("TopicArn", frozenset({CONFIG.updates_topic, CONFIG.operations_topic})),
    "sqs.send_message": ("QueueUrl", frozenset({CONFIG.encoder_queue, _LATER})),
    "s3.create_multipart_upload": ("Bucket", frozenset({"output"})),
    "cloudfront.create_distribution": ("DistributionConfig", frozenset()),  # see _is_allowed
    "ssm.send_command": ("DocumentName", frozenset({"AWS-RunShellScript"})),
}


@dataclass
class Fuzzed:
    """What came of it.

    Attributes:
        messages: How many there were.
        refused: Of them, how many were set aside.
        changes: Calls that changed something, by their names.
        outside: Calls on what is not on the allow-list.
    """

    messages: int = 0
    refused: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    outside: list[Change] = field(default_factory=list)


def fuzz(count: int, seed: int) -> Fuzzed:
    """Have spoilt messages come, each to a hub that has seen none.

    Raises:
        Exception: A message crashes the hub, or would come back for ever.
    """
    account, clock, result = Account(dict.fromkeys(OWNED, ALLOWED)), Clock(), Fuzzed()
    account.tags |= {"production": "others", "db-2": "others"}
    config = replace(CONFIG, profile_alarms=())
    texts = [body for name in NAMES for body in bodies(name)]
    for number, text in enumerate(spoilt_messages(texts, count, seed)):
        executor = Executor(hub_of(account, MemoryLedger(), config, clock), ROLES, _LATER)
        before = len(account.changes)
        result.messages += 1
        try:
            react(text, f"m-{number}", executor, config)
            for change in account.changes[before:]:
                if change.request.get("QueueUrl") == _LATER:
                    executor.resume(json.loads(change.request["MessageBody"]))
        except PermanentError:
            result.refused += 1
    result.changes.update(change.call for change in account.changes)
    result.outside = [change for change in account.changes if not _is_allowed(change)]
    return result


def _is_allowed(change: Change) -> bool:
    if change.call == "cloudfront.create_distribution":
        origins = change.request["DistributionConfig"]["Origins"]["Items"]
        return [origin["DomainName"] for origin in origins] == ["imagery.s3.eu-west-1.amazonaws.com"]
    if change.call not in NAMED:
        return False
    member, names = NAMED[change.call]
    if change.call == "ssm.send_command":
        [command] = change.request["Parameters"]["commands"]
        return change.request[member] in names and command.splitlines()[-1] in _COMMANDS
    return change.request[member] in names
