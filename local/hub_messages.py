"""The recorded messages, as a queue delivers them, and a configuration with everything switched on."""

from __future__ import annotations

import json

from event_hub.envelopes import unwrapped
from event_hub.facts import Fact
from event_hub.publishers import facts_of
from event_hub.settings import Config
from ops.paths import ROOT

__all__ = ["CONFIG", "NAMES", "OWNED", "ROLES", "bodies", "facts"]

_MESSAGES = ROOT / "events/event_hub/messages"
NAMES = sorted(path.stem for path in _MESSAGES.glob("*.json"))

CONFIG = Config(
    account_id="123456789012",
    aws_region="eu-west-1",
    partition="aws",
    tag_value="allowed",
    operations_topic="arn:aws:sns:eu-west-1:123456789012:operations",
    updates_topic="arn:aws:sns:eu-west-1:123456789012:updates",
    output_bucket="output",
    encoder_queue="https://sqs.eu-west-1.amazonaws.com/123456789012/encoders",
    warm_command="warm-cache",
    logs_command="copy-logs",
    build_project="ci",
    profile_cluster="shop",
    profile_task="arn:aws:ecs:eu-west-1:123456789012:task-definition/profile:1",
    restore_buckets=("arn:aws:s3:::cv-inbox-123456789012",),
    vaults=("arn:aws:glacier:eu-west-1:123456789012:vaults/backups",),
    imagery_buckets=("imagery",),
    imagery_access_control="E1",
    producer_function="clicks",
)

ROLES = frozenset(
    {
        "notify", "fleet", "build", "profile", "throughput", "archive", "restore", "distribute", "grow",
        "nodes", "divert", "migrate", "status", "connection", "retry_run",
    }
)  # fmt: skip
"""Every reaction."""
OWNED = (
    "shop-web", "ci", "arn:aws:ecs:eu-west-1:123456789012:task-definition/profile:1", "fs-0a1b2c3d4e5f60718",
    "social-primary", "shop-cache", "news-warehouse", "mssql-to-mysql", "A1B2C3D4E5F6G7H8I9J0K1L2M3",
    "payments-healthy", "dx-dublin", "nightly-etl",
)  # fmt: skip
"""What the recorded messages are about and the hub may act on, by the tag."""


def bodies(name: str) -> list[str]:
    """A recorded message as bodies of the queue's messages."""
    event = json.loads((_MESSAGES / f"{name}.json").read_text())
    records = event.get("Records", [])
    if records and records[0].get("eventSource") == "aws:sqs":
        return [record["body"] for record in records]
    return [json.dumps(event)]


def facts(name: str) -> list[Fact]:
    """What a recorded message reports."""
    return [
        fact for body in bodies(name) for incoming in unwrapped(body, "m-1") for fact in facts_of(incoming)
    ]
