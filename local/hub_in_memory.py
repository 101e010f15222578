"""An account in memory, with resources that are on the hub's allow-list and others that are not.

It has no rules of AWS's beyond what the reactions look at; it is there to write down each call that changes
something, and whose. The real calls are made in tests/integration/event_hub/. Tests and the benchmark put ten
thousand messages through it, for which the engine would need hours.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from event_hub.hub import Hub
from event_hub.ledger import BusyError, Claim, StatusRecord
from event_hub.settings import Config

__all__ = ["ALLOWED", "Account", "Change", "Clock", "MemoryLedger", "hub_of", "refusal"]

ALLOWED = "allowed"


def refusal(code: str, status: int = 400, operation: str = "Call") -> ClientError:
    """What boto3 raises."""
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )


@dataclass
class Change:
    """A call that changes something.

    Attributes:
        reaction: Whose role made it.
        call: `service.operation`.
        request: Its parameters.
    """

    reaction: str
    call: str
    request: dict[str, Any]


READS = ("describe", "list", "get", "batch_get", "head")


@dataclass
class Account:
    """Clients that answer from a table of tags, and write down what changes.

    Args:
        tags: Values of the tag `event-hub` by the names of resources.
        answers: Of calls, by `service.operation`; a function of the request.
        groups: Auto Scaling groups of instances, if another than the usual one.
        alarms: States of alarms by their names.
        distributions: Of CloudFront.
    """

    tags: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)
    alarms: dict[str, str] = field(default_factory=dict)
    distributions: list[dict[str, Any]] = field(default_factory=list)

    def client(self, reaction: str, service: str) -> Any:
        """A client of a service as a reaction's role."""
        return _Client(self, reaction, service)

    def call(self, reaction: str, service: str, operation: str, request: dict[str, Any]) -> Any:
        """Answer a call."""
        name = f"{service}.{operation}"
        if not operation.startswith(READS):
            self.changes.append(Change(reaction, name, request))
        answer = self.answers.get(name)
        return answer(request) if answer else _DEFAULTS[name](self, request)

    def tag(self, name: str) -> list[dict[str, str]]:
        """A resource's tags."""
        value = self.tags.get(name)
        return (
            []
            if value is None
            else [{"Key": "event-hub", "Value": value, "key": "event-hub", "value": value}]
        )


class _Client:
    def __init__(self, account: Account, reaction: str, service: str) -> None:
        self._account, self._reaction, self._service = account, reaction, service

    def get_paginator(self, operation: str) -> Any:
        return _Paginator(self, operation)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **request: self._account.call(self._reaction, self._service, operation, request)


class _Paginator:
    def __init__(self, client: _Client, operation: str) -> None:
        self._client, self._operation = client, operation

    def paginate(self, **request: Any) -> list[Any]:
        return [getattr(self._client, self._operation)(**request)]


_DEFAULTS: dict[str, Callable[[Account, dict[str, Any]], Any]] = {
    "autoscaling.describe_tags": lambda account, request: {
        "Tags": account.tag(request["Filters"][0]["Values"][0])
    },
    "autoscaling.describe_auto_scaling_instances": lambda account, request: {
        "AutoScalingInstances": [
            {"AutoScalingGroupName": account.groups.get(request["InstanceIds"][0], "shop-web")}
        ]
    },
    "cloudwatch.describe_alarms": lambda account, request: {
        "MetricAlarms": [
            {"StateValue": account.alarms[name]} for name in request["AlarmNames"] if name in account.alarms
        ]
    },
    "cloudfront.list_distributions": lambda account, request: {
        "DistributionList": {"Items": account.distributions}
    },
    "autoscaling.complete_lifecycle_action": lambda account, request: {},
    "autoscaling.record_lifecycle_action_heartbeat": lambda account, request: {},
    "ssm.send_command": lambda account, request: {"Command": {"CommandId": "c-1"}},
    "ssm.get_command_invocation": lambda account, request: {"Status": "Success"},
    "codebuild.batch_get_projects": lambda account, request: {
        "projects": [{"tags": account.tag(request["names"][0])}]
    },
    "codebuild.start_build": lambda account, request: {"build": {"id": "b"}},
    "ecs.describe_task_definition": lambda account, request: {
        "taskDefinition": {"containerDefinitions": [{"name": "profiler"}]},
        "tags": account.tag(request["taskDefinition"]),
    },
    "ecs.run_task": lambda account, request: {"failures": [], "tasks": [{"taskArn": "t"}]},
    "efs.describe_file_systems": lambda account, request: {
        "FileSystems": [
            {
                "Tags": account.tag(request["FileSystemId"]),
                "ThroughputMode": "bursting",
                "PerformanceMode": "generalPurpose",
                "LifeCycleState": "available",
            }
        ]
    },
    "efs.update_file_system": lambda account, request: {},
    "rds.describe_db_instances": lambda account, request: {
        "DBInstances": [
            {
                "TagList": account.tag(request["DBInstanceIdentifier"]),
                "DBInstanceStatus": "available",
                "AllocatedStorage": 100,
                "Engine": "postgres",
            }
        ]
    },
    "rds.modify_db_instance": lambda account, request: {},
    "elasticache.list_tags_for_resource": lambda account, request: {
        "TagList": account.tag(request["ResourceName"].rpartition(":")[2])
    },
    "elasticache.describe_cache_clusters": lambda account, request: {
        "CacheClusters": [
            {
                "CacheNodes": [
                    {
                        "CacheNodeId": "0001",
                        "CacheNodeStatus": "available",
                        "Endpoint": {"Address": "a", "Port": 11211},
                    }
                ]
            }
        ]
    },
    "redshift.describe_clusters": lambda account, request: {
        "Clusters": [{"Tags": account.tag(request["ClusterIdentifier"])}]
    },
    "lambda.list_event_source_mappings": lambda account, request: {
        "EventSourceMappings": [{"UUID": "u", "State": "Enabled"}]
    },
    "lambda.update_event_source_mapping": lambda account, request: {},
    "dms.describe_replication_tasks": lambda account, request: {
        "ReplicationTasks": [
            {
                "ReplicationTaskArn": f"arn:aws:dms:eu-west-1:123456789012:task:{_last(request)}",
                "ReplicationTaskIdentifier": _last(request),
                "Status": "failed",
                "ReplicationTaskStartDate": datetime(2026, 11, 20, tzinfo=UTC),
            }
        ]
    },
    "dms.list_tags_for_resource": lambda account, request: {
        "TagList": account.tag(request["ResourceArn"].rpartition(":")[2])
    },
    "dms.start_replication_task": lambda account, request: {},
    "sqs.send_message": lambda account, request: {},
    "sns.publish": lambda account, request: {},
    "cloudwatch.list_tags_for_resource": lambda account, request: {
        "Tags": account.tag(request["ResourceARN"].rpartition(":")[2])
    },
    "glue.get_tags": lambda account, request: {
        "Tags": {
            each["Key"]: each["Value"] for each in account.tag(request["ResourceArn"].rpartition("/")[2])
        }
    },
    "glue.start_job_run": lambda account, request: {"JobRunId": "jr_2"},
    "snowball.describe_job": lambda account, request: {
        "JobMetadata": {
            "JobState": "Complete",
            "JobType": "IMPORT",
            "Resources": {"S3Resources": [{"BucketArn": "arn:aws:s3:::imagery"}]},
        }
    },
    "cloudfront.create_distribution": lambda account, request: {
        "Distribution": {
            "Id": "E2",
            "DomainName": "d.example.com",
            "ARN": "arn:aws:cloudfront::1:distribution/E2",
        }
    },
    "glacier.get_job_output": lambda account, request: _missing("glacier"),
    "s3.create_multipart_upload": lambda account, request: {"UploadId": "upload"},
    "s3.head_object": lambda account, request: _missing("s3"),
}


def _last(request: dict[str, Any]) -> str:
    return str(request["Filters"][0]["Values"][0]).rpartition(":")[2]


def _missing(service: str) -> Any:
    raise refusal("NoSuchKey" if service == "s3" else "ResourceNotFoundException", 404)


class MemoryLedger:
    """The ledger's rules on a dictionary; tests/integration/event_hub/test_ledger.py holds both to them."""

    def __init__(self) -> None:
        self.claims: dict[str, dict[str, Any]] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self.limits: dict[str, dict[str, float]] = {}
        self.reasons: dict[str, tuple[str, bool]] = {}
        self._random = random.Random(1)

    def claim(self, key: str, now: datetime, owner: str = "") -> Any:
        """Claim an action, or say that it is done or postponed."""
        found = self.claims.get(key)
        if found and found["state"] != "failed":
            given = found["state"] == "postponed" and owner and found["owner"] == owner
            if not given and (found["state"] == "done" or found["until"] >= now.timestamp()):
                if found["state"] in ("done", "postponed"):
                    return found["state"]
                raise BusyError("claimed")
        name = f"{self._random.getrandbits(64):x}"
        self.claims[key] = {"state": "claimed", "owner": name, "until": now.timestamp() + 120}
        return Claim(key, name, 1)

    def _settle(self, claim: Claim, **values: Any) -> None:
        found = self.claims[claim.key]
        if found["owner"] == claim.owner and found["state"] == "claimed":
            found |= values

    def done(self, claim: Claim, result: Any, now: datetime) -> None:
        """Settle a claim as done."""
        self._settle(claim, state="done", result=json.loads(json.dumps(result)))

    def failed(self, claim: Claim, reason: str, now: datetime) -> None:
        """Give a claim back."""
        self._settle(claim, state="failed")

    def postponed(self, claim: Claim, owner: str, seconds: int, now: datetime) -> None:
        """Keep a claim for whoever goes on."""
        self._settle(claim, state="postponed", owner=owner, until=now.timestamp() + seconds + 3600)

    def result(self, key: str) -> Any:
        """What is kept of an action that is done."""
        found = self.claims.get(key, {})
        return found.get("result") if found.get("state") == "done" else None

    def within(self, scope: str, fact: str, *, most: int, seconds: int, now: datetime) -> bool:
        """Whether a fact gets one of the places of a scope."""
        taken = self.limits.setdefault(scope, {})
        for name in [name for name, at in taken.items() if at <= now.timestamp() - seconds]:
            del taken[name]
        if fact not in taken and len(taken) >= most:
            return False
        taken.setdefault(fact, now.timestamp())
        return True

    def remember(self, key: str, values: Any, condition: str = "", given: Any = None) -> bool:
        """Keep values; the condition counts as true."""
        self.items[key] = dict(values)
        return True

    def recall(self, key: str) -> dict[str, Any]:
        """What is kept."""
        return self.items.get(key, {})

    def next_version(self, key: str) -> int:
        """A number that is higher each time."""
        item = self.items.setdefault(key, {"version": 0})
        item["version"] += 1
        return int(item["version"])

    def status_of(self, check: str) -> tuple[str, str]:
        """Since when a check has its state, and which."""
        found = self.items.get(f"status#{check}", {"since": "", "state": ""})
        return found["since"], found["state"]

    def put_status(self, record: StatusRecord, *, again: bool = False) -> bool:
        """Keep a record, unless a newer one is there."""
        found = self.items.get(f"status#{record.check}")
        if found and (found["since"] > record.since or (found["since"] == record.since and not again)):
            return False
        self.items[f"status#{record.check}"] = {
            "since": record.since, "state": record.state, "name": record.name,
        }  # fmt: skip
        return True

    def set_reason(self, reason: str, opened: bool, happened: str) -> None:
        """Open or close a reason, unless it is older."""
        known = self.reasons.get(reason, ("", True))[0]
        if known < happened or (known == happened and not opened):
            self.reasons[reason] = (happened, opened)

    def open_reasons(self) -> list[str]:
        """The reasons that are open."""
        return sorted(name for name, (_, opened) in self.reasons.items() if opened)


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 9, 16, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def hub_of(account: Account, ledger: Any, config: Config, clock: Clock) -> Hub:
    """What actions get, with an account in memory behind it."""
    return Hub(
        config,
        ledger,
        lambda reaction, service, region: account.client(reaction, service),
        lambda service: account.client("own", service),
        clock,
    )
