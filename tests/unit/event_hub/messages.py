"""The recorded messages, as a queue delivers them, and a configuration with everything switched on."""

from __future__ import annotations

import json
from pathlib import Path

from event_hub.envelopes import unwrapped
from event_hub.facts import Fact
from event_hub.publishers import facts_of
from event_hub.settings import Config

ROOT = Path(__file__).parents[3] / "events/event_hub/messages"
NAMES = sorted(path.stem for path in ROOT.glob("*.json"))

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


def bodies(name: str) -> list[str]:
    """A recorded message as bodies of the queue's messages."""
    event = json.loads((ROOT / f"{name}.json").read_text())
    records = event.get("Records", [])
    if records and records[0].get("eventSource") == "aws:sqs":
        return [record["body"] for record in records]
    return [json.dumps(event)]


def facts(name: str) -> list[Fact]:
    """What a recorded message reports."""
    return [
        fact for body in bodies(name) for incoming in unwrapped(body, "m-1") for fact in facts_of(incoming)
    ]
