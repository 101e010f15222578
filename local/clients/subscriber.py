"""A queue that subscribes to a topic, as whoever is on call would."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

__all__ = ["Subscriber"]


class Subscriber:
    """What a topic tells its subscribers, from now on.

    Args:
        client: Makes boto3 clients by service name.
        topic: The topic's ARN.
    """

    def __init__(self, client: Callable[[str], Any], topic: str) -> None:
        self._sqs, self._sns = client("sqs"), client("sns")
        self._url = self._sqs.create_queue(QueueName=f"subscriber-{uuid.uuid4().hex[:8]}")["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        arn = attributes["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }  # fmt: skip
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})
        self._subscription = self._sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"},
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]  # fmt: skip
        self._received: list[str] = []

    def received(self) -> list[str]:
        """Return every text so far."""
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                self._received.append(message["Body"])
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return self._received

    def about(self, word: str) -> list[str]:
        """Return the texts so far in which a word stands."""
        return [text for text in self.received() if word in text]

    def end(self) -> None:
        """Unsubscribe."""
        self._sns.unsubscribe(SubscriptionArn=self._subscription)
        self._sqs.delete_queue(QueueUrl=self._url)
