from __future__ import annotations

import contextlib
import io
import zipfile

from local.suite import Suite


class Clicks:
    """What feeds a warehouse: a function with a queue, which the stack's parameter names."""

    def __init__(self, suite: Suite) -> None:
        self._lambda = suite.client("lambda")
        sqs = suite.client("sqs")
        url = sqs.create_queue(QueueName="suite-local-clicks")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("clicks.py", "def handler(event, context):\n    return None\n")
        with contextlib.suppress(self._lambda.exceptions.ResourceConflictException):
            self._lambda.create_function(
                FunctionName="suite-local-clicks",
                Runtime="python3.13",
                Role="arn:aws:iam::000000000000:role/clicks",
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
