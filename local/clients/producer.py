"""The producer of a warehouse's clickstream, as its owner has it."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile

from local.suite import Suite

__all__ = ["Clicks"]


class Clicks:
    """What feeds a warehouse: a function with a queue, which the stack's parameter names."""

    def __init__(self, suite: Suite) -> None:
        self._lambda = suite.client("lambda")
        sqs = suite.client("sqs")
        url = sqs.create_queue(QueueName="suite-local-clicks")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        code, iam = io.BytesIO(), suite.client("iam")
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName="suite-local-clicks", AssumeRolePolicyDocument=json.dumps(trust))
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("clicks.py", "def handler(event, context):\n    return None\n")
        with contextlib.suppress(self._lambda.exceptions.ResourceConflictException):
            self._lambda.create_function(
                FunctionName="suite-local-clicks",
                Runtime="python3.13",
                Role="arn:aws:iam::000000000000:role/suite-local-clicks",
                Handler="clicks.handler",
                Code={"ZipFile": code.getvalue()},
            )
        mappings = self._lambda.list_event_source_mappings(FunctionName="suite-local-clicks")[
            "EventSourceMappings"
        ]
        self._mapping = (
            mappings[0]
            if mappings
            else self._lambda.create_event_source_mapping(
                EventSourceArn=arn, FunctionName="suite-local-clicks"
            )
        )["UUID"]

    def held(self) -> bool:
        """Whether the queue holds what comes."""
        return self._lambda.get_event_source_mapping(UUID=self._mapping)["State"] in ("Disabled", "Disabling")
