"""What has to come of the recorded messages: written by hand from what AWS documents of each, not from code.

Counted are calls that change something, as the engine's own record of decisions about roles has them, so that
an effect that comes twice is seen although the service's state is the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["EFFECTS", "LATER", "Effect", "counted", "expected", "unexpected"]

type Calls = Mapping[tuple[str, str, str], int]


class Effect(NamedTuple):
    """Calls that change one thing.

    Attributes:
        role: Whose.
        action: IAM's name of the call.
        resource: End of the resource, with names of `Recorded.made`.
        times: How often, however often the messages come.
        messages: That have it: one fact in several forms, or several facts.
    """

    role: str
    action: str
    resource: str
    times: int
    messages: str


EFFECTS = (
    Effect("Fleet", "ssm:SendCommand", "instance/{launched}", 1, "launch by text, JSON and EventBridge"),
    Effect("Fleet", "ssm:SendCommand", "instance/{told}", 1, "notification of a launch"),
    Effect("Fleet", "ssm:SendCommand", "instance/{ending}", 1, "termination"),
    Effect("Fleet", "ssm:SendCommand", "document/AWS-RunShellScript", 3, "the document of those three"),
    Effect("Fleet", "autoscaling:CompleteLifecycleAction", "/{launching}", 1, "launch"),
    Effect("Fleet", "autoscaling:CompleteLifecycleAction", "/{terminating}", 1, "termination"),
    Effect("Fleet", "autoscaling:RecordLifecycleActionHeartbeat", "/{terminating}", 1, "termination"),
    Effect("Build", "codebuild:StartBuild", "project/suite-local-ci", 1, "creation by text and EventBridge"),
    Effect("Profile", "ecs:RunTask", "suite-local-profile:1", 3, "latency, p95, anomaly"),
    Effect("Throughput", "elasticfilesystem:UpdateFileSystem", "{file system}", 1, "by SNS and EventBridge"),
    Effect("Archive", "s3:PutObject", "{archive}", 3, "archive: upload begun, its one part, completed"),
    Effect("Archive", "s3:PutObject", "{inventory}", 3, "inventory: the same"),
    Effect("Restore", "s3:PutObject", "{restored}", 3, "restored by SNS and EventBridge: the same"),
    Effect("Distribute", "cloudfront:CreateDistribution", "*", 1, "import complete; none in transit"),
    Effect("Grow", "rds:ModifyDBInstance", "db:{low}", 1, "0089 by SNS and EventBridge"),
    Effect("Grow", "rds:ModifyDBInstance", "db:{full}", 1, "0007"),
    Effect("Nodes", "sns:Publish", "HubUpdatesTopic", 4, "node added by JSON and by text, removed, replaced"),
    Effect("Divert", "lambda:UpdateEventSourceMapping", "", 2, "2003 and 2006 divert; 2004 and 3002 replay"),
    Effect("Migrate", "sqs:SendMessage", "HubEncoderQueue", 1, "encoding failed by SNS and EventBridge"),
    Effect("Migrate", "dms:StartReplicationTask", "{encoding}", 1, "its source is encoded"),
    Effect("Connection", "sns:Publish", "HubUpdatesTopic", 1, "connection down"),
    Effect("RetryRun", "glue:StartJobRun", "job/{glue_job_failed}", 1, "FAILED"),
    Effect("RetryRun", "glue:StartJobRun", "job/{glue_job_timeout}", 1, "TIMEOUT"),
    Effect("RetryRun", "glue:StartJobRun", "job/{glue_job_stopped}", 1, "STOPPED"),
    Effect(
        "ReactFunction", "sns:Publish", "OperationsTopic", 5,
        "vault job failed, distribution made, Aurora low (0227), resize failed (3500), task failed for good",
    ),
)  # fmt: skip

LATER = ("alarm_route53_healthy", "redshift_maintenance_completed", "redshift_resize_completed_3002")
"""What ends what others of the messages begin."""

_READS = ("Describe", "List", "Get", "BatchGet", "Head")
_OWN = ("HubLaterQueue", "HubEventsQueue", "HubLedgerTable", "/event-hub", "/hub/Hub", ":role/")
"""Resources of the hub's own: what is postponed and kept, logs, roles that are assumed."""


def expected(made: Mapping[str, str]) -> dict[Effect, int]:
    """How often each effect has to be."""
    return {effect._replace(resource=effect.resource.format_map(made)): effect.times for effect in EFFECTS}


def counted(calls: Calls, made: Mapping[str, str]) -> dict[Effect, int]:
    """How often each effect is in a record of calls."""
    return {effect: sum(_of(effect, calls).values()) for effect in expected(made)}


def unexpected(calls: Calls, made: Mapping[str, str]) -> dict[tuple[str, str, str], int]:
    """Calls of the reactions, and of the function that assumes their roles, that change something else."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for effect in expected(made):
        seen.update(_of(effect, calls))
    return {
        call: times
        for call, times in calls.items()
        if call not in seen and _is_reactions(call[0]) and _changes(call[1]) and not _is_own(call[2])
    }


def _of(effect: Effect, calls: Calls) -> dict[tuple[str, str, str], int]:
    return {
        call: times
        for call, times in calls.items()
        if f"-Hub{effect.role}" in call[0] and call[1] == effect.action and _named(effect.resource, call[2])
    }


def _named(resource: str, arn: str) -> bool:
    """Whether an ARN is that of a resource; the stack's own have a random end."""
    return resource in arn if resource.startswith(("Hub", "Operations")) else arn.endswith(resource)


def _is_reactions(role: str) -> bool:
    return "-Hub" in role and not any(other in role for other in ("-HubDocuments", "-HubDoor"))


def _changes(action: str) -> bool:
    return not action.partition(":")[2].startswith(_READS)


def _is_own(resource: str) -> bool:
    return any(own in resource for own in _OWN)
