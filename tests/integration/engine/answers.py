"""Reading answers in tests that have to fail, not to crash, on the bare emulator."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from tests.support.cloud import Cloud

__all__ = ["events_of", "only", "refusal", "subscribed"]


def only[T](found: Sequence[T]) -> T:
    """Return the one thing that was found."""
    assert len(found) == 1, f"{len(found)} instead of one: {found}"
    return found[0]


def refusal(call: Callable[..., Any], **arguments: Any) -> str:
    """Return code and message of the error with which a call is refused; empty if it is not."""
    try:
        call(**arguments)
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return ""


def subscribed(cloud: Cloud) -> tuple[str, str]:
    """Make a topic, and return its ARN and the URL of a queue that gets its messages in their envelope."""
    topic = cloud.client("sns").create_topic(Name=cloud.name("topic"))["TopicArn"]
    url, arn = cloud.queue()
    cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return str(topic), url


def events_of(cloud: Cloud, source: str, detail: dict[str, Any]) -> Callable[[], list[dict[str, Any]]]:
    """Listen to events on the default bus from now on; the function returns those since the last time."""
    url, arn = cloud.queue()
    rule = cloud.name("rule")
    pattern = {"source": [source], "detail": detail}
    cloud.client("events").put_rule(Name=rule, EventPattern=json.dumps(pattern))
    cloud.client("events").put_targets(Rule=rule, Targets=[{"Id": "t", "Arn": arn}])
    return lambda: [json.loads(body) for body in cloud.messages(url)]
