"""What test_page.py runs in the copy, beside the page's own tests: the life of the application `hello`."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from local.demo.checks import Checks, Result
from local.deploy import STACK, deploy
from local.suite import Suite
from ops.paths import ROOT
from tests.support.permissions import function
from tests.support.stack import resources


def of_hello(suite: Suite) -> list[str]:
    return [name for name in resources(suite) if name.startswith("Hello")]


def test_function_answers_its_recorded_event(suite: Suite) -> None:
    event = (ROOT / "events/hello/greet_people.json").read_bytes()
    name = function(suite, "HelloGreet")
    answer = suite.client("lambda").invoke(FunctionName=name, Payload=event)
    assert json.loads(answer["Payload"].read()) == {"batchItemFailures": []}


def test_drive_checks_what_it_promises(suite: Suite) -> None:
    drive = import_module("local.demo.hello")
    result = Result("hello", drive.FLOW, drive.PAGE, suite["WebUrl"])
    checks = Checks(result, lambda _: None)
    with checks.timed():
        drive.drive(suite, checks)
    assert result.failed == []
    assert len(result.checked) == drive.STEPS


def test_switched_off_it_leaves_nothing_and_the_stack_can_be_deleted(suite: Suite, tmp_path: Path) -> None:
    assert "HelloGreetFunction" in of_hello(suite)
    outputs = deploy(suite.engine, tmp_path / "deploy.log", EnableHello="false")
    assert of_hello(suite) == []
    assert not [name for name in outputs if name.startswith("Hello")]

    s3, formation = suite.client("s3"), suite.client("cloudformation")
    for item in s3.list_objects_v2(Bucket=suite["WebBucketName"])["Contents"]:
        s3.delete_object(Bucket=suite["WebBucketName"], Key=item["Key"])
    formation.delete_stack(StackName=STACK)
    formation.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    with pytest.raises(ClientError, match="does not exist"):
        formation.describe_stacks(StackName=STACK)
