"""An engine as a test sees it: real boto3 clients, and short ways to put functions and templates on it."""

from __future__ import annotations

import io
import json
import textwrap
import uuid
import zipfile
from functools import lru_cache
from typing import Any

from local.engine_process import ACCOUNT, REGION, EngineProcess

__all__ = ["Cloud"]


class Cloud:
    """Clients and shortcuts for one running engine."""

    account = ACCOUNT
    region = REGION

    def __init__(self, engine: EngineProcess) -> None:
        self.engine = engine
        self.endpoint = engine.endpoint

    @lru_cache  # noqa: B019 - a cloud lives as long as the test session
    def client(self, service: str, region: str = REGION) -> Any:
        """Return the boto3 client of ``service``."""
        return self.engine.client(service, region)

    def name(self, kind: str) -> str:
        """Return a fresh name for a resource."""
        return f"{kind}-{uuid.uuid4().hex[:10]}"

    def function(self, source: str, *, handler: str = "app.handler", **settings: Any) -> str:
        """Create a Lambda function from the text of its module ``app`` and return its name."""
        name = self.name("function")
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as package:
            package.writestr("app.py", textwrap.dedent(source))
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler=handler,
            Code={"ZipFile": archive.getvalue()},
            **{"Role": f"arn:aws:iam::{ACCOUNT}:role/any"} | settings,
        )
        return name

    def queue(self, **attributes: str) -> tuple[str, str]:
        """Create an SQS queue and return its URL and ARN."""
        name = self.name("queue")
        url = self.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"

    def messages(self, url: str) -> list[str]:
        """Receive and delete what is in a queue now; bodies."""
        bodies: list[str] = []
        while True:
            answer = self.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            if not answer.get("Messages"):
                return bodies
            for message in answer["Messages"]:
                bodies.append(message["Body"])
                self.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def invoke(self, function: str, event: Any = None) -> dict[str, Any]:
        """Invoke a function and return its answer with the payload decoded under ``payload``."""
        answer: dict[str, Any] = self.client("lambda").invoke(
            FunctionName=function, Payload=json.dumps(event or {}).encode()
        )
        answer["payload"] = json.loads(answer["Payload"].read() or b"null")
        return answer

    def deploy(self, template: dict[str, Any], **parameters: str) -> dict[str, str]:
        """Create a CloudFormation stack and return its outputs and ``StackName``."""
        name = self.name("stack")
        formation = self.client("cloudformation")
        formation.create_stack(
            StackName=name,
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        formation.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
        )
        return {"StackName": name} | self.outputs(name)

    def outputs(self, stack: str) -> dict[str, str]:
        """Return a stack's outputs."""
        description = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}
