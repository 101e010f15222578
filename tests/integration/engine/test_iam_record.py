"""IAM enforcement for functions' roles, and the record of its decisions."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from local.engine_process import EngineProcess
from tests.support.cloud import Cloud
from tests.support.waiting import wait_until

_SOURCE = """
import boto3
def handler(event, context):
    client = boto3.client(event["service"])
    try:
        answer = getattr(client, event["operation"])(**event["arguments"])
    except Exception as error:
        return getattr(error, "response", {"Error": {"Code": str(error)}})["Error"]["Code"]
    return "allowed"
"""


@pytest.fixture(scope="module")
def enforced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    engine = EngineProcess.start(tmp_path_factory.mktemp("iam"), iam=True)
    yield Cloud(engine)
    engine.stop()


@pytest.fixture(scope="module")
def role_of_one(enforced: Cloud) -> dict[str, str]:
    """A function whose role allows one thing of each kind; names of that one and of another."""
    cloud = enforced
    names: dict[str, str] = {"role": cloud.name("role")}
    arns: dict[str, str] = {}
    for which in ("mine", "other"):
        names[f"{which}-bucket"] = cloud.name("bucket")
        cloud.client("s3").create_bucket(Bucket=names[f"{which}-bucket"])
        names[f"{which}-queue"], arns[f"{which}-queue"] = cloud.queue()
        key = cloud.client("kms").create_key()["KeyMetadata"]
        names[f"{which}-key"], arns[f"{which}-key"] = key["KeyId"], key["Arn"]
        names[f"{which}-function"] = cloud.name("callee")
        arns[f"{which}-function"] = (
            f"arn:aws:lambda:{cloud.region}:{cloud.account}:function:{names[f'{which}-function']}"
        )
    allowed = {
        "s3:GetObject": f"arn:aws:s3:::{names['mine-bucket']}/*",
        "sqs:SendMessage": arns["mine-queue"],
        "kms:Encrypt": arns["mine-key"],
        "lambda:InvokeFunction": arns["mine-function"],
        "dynamodb:Scan": "arn:aws:dynamodb:*:*:table/never",
    }
    statements = [
        {"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in allowed.items()
    ]
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    iam = cloud.client("iam")
    role = iam.create_role(RoleName=names["role"], AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=names["role"], PolicyName="p", PolicyDocument=policy)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("app.py", _SOURCE)
    names["caller"] = cloud.name("caller")
    for name in (names["caller"], names["mine-function"], names["other-function"]):
        cloud.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": archive.getvalue()},
            Timeout=15,
        )
    cloud.client("s3").put_object(Bucket=names["mine-bucket"], Key="k", Body=b"x")
    return names


_CALLS: dict[str, tuple[str, str, dict[str, str]]] = {
    "bucket": ("s3", "get_object", {"Bucket": "{}", "Key": "k"}),
    "queue": ("sqs", "send_message", {"QueueUrl": "{}", "MessageBody": "hi"}),
    "key": ("kms", "encrypt", {"KeyId": "{}", "Plaintext": "x"}),
    "function": ("lambda", "invoke", {"FunctionName": "{}", "InvocationType": "DryRun"}),
}


def _call(cloud: Cloud, names: dict[str, str], which: str, kind: str) -> str:
    service, operation, arguments = _CALLS[kind]
    filled = {name: text.format(names[f"{which}-{kind}"]) for name, text in arguments.items()}
    event = {"service": service, "operation": operation, "arguments": filled}
    answer: str = cloud.invoke(names["caller"], event)["payload"]
    return answer


def _record(cloud: Cloud, method: str = "GET") -> list[dict[str, Any]]:
    request = urllib.request.Request(f"{cloud.endpoint}/_engine/iam", method=method)  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        rows: list[dict[str, Any]] = json.loads(answer.read())
        return rows


@pytest.mark.parametrize("kind", _CALLS)
def test_a_role_reaches_its_own_and_nothing_else(
    enforced: Cloud, role_of_one: dict[str, str], kind: str
) -> None:
    assert _call(enforced, role_of_one, "mine", kind) == "allowed"
    assert _call(enforced, role_of_one, "other", kind).startswith("AccessDenied")


def test_a_batch_of_messages_needs_the_permission_to_send_one(
    enforced: Cloud, role_of_one: dict[str, str]
) -> None:
    for which, expected in (("mine", "allowed"), ("other", "AccessDenied")):
        entries = [{"Id": "1", "MessageBody": "hi"}]
        arguments = {"QueueUrl": role_of_one[f"{which}-queue"], "Entries": entries}
        event = {"service": "sqs", "operation": "send_message_batch", "arguments": arguments}
        assert enforced.invoke(role_of_one["caller"], event)["payload"].startswith(expected)


def test_the_record_shows_which_allowed_actions_were_used(
    enforced: Cloud, role_of_one: dict[str, str]
) -> None:
    assert _record(enforced, "DELETE") == []
    _call(enforced, role_of_one, "mine", "queue")
    _call(enforced, role_of_one, "mine", "queue")
    _call(enforced, role_of_one, "other", "bucket")
    rows = [row for row in _record(enforced) if row["role"] == role_of_one["role"]]
    decisions = {(row["action"], row["allowed"]) for row in rows}
    assert ("sqs:SendMessage", True) in decisions
    assert ("s3:GetObject", False) in decisions
    assert len(rows) == 2
    queue = next(row for row in rows if row["action"] == "sqs:SendMessage")
    assert queue["resource"].endswith(role_of_one["mine-queue"].rsplit("/", 1)[1])
    assert {row["action"]: row["times"] for row in rows} == {"sqs:SendMessage": 2, "s3:GetObject": 1}
    assert "dynamodb:Scan" not in {row["action"] for row in rows}


def test_a_failure_destination_needs_the_permission_of_the_functions_role(
    enforced: Cloud, role_of_one: dict[str, str]
) -> None:
    cloud, names = enforced, role_of_one
    cloud.messages(names["mine-queue"])  # those of other tests

    def decided(arn: str, allowed: bool) -> bool:
        return any(row["resource"] == arn and row["allowed"] is allowed for row in _record(cloud))

    for which in ("mine", "other"):
        arn = cloud.client("sqs").get_queue_attributes(
            QueueUrl=names[f"{which}-queue"], AttributeNames=["QueueArn"]
        )["Attributes"]["QueueArn"]
        cloud.client("lambda").put_function_event_invoke_config(
            FunctionName=names["caller"],
            MaximumRetryAttempts=0,
            DestinationConfig={"OnFailure": {"Destination": arn}},
        )
        cloud.client("lambda").invoke(FunctionName=names["caller"], InvocationType="Event", Payload=b"{}")
        wait_until(partial(decided, arn, which == "mine"), what=f"the decision about {arn}")
    assert len(wait_until(lambda: cloud.messages(names["mine-queue"]))) == 1
    assert cloud.messages(names["other-queue"]) == []
