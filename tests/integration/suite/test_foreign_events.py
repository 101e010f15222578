"""Every function of the stack refuses what is not its trigger's, by one error, before it does anything."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.suite import Suite
from tests.support.stack import resources

SNS = {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "{}"}}]}
FOREIGN: list[dict[str, Any]] = [{}, {"Records": [{}]}, SNS, {"source": "aws.ec2", "detail": {}}]


@pytest.mark.parametrize("event", FOREIGN, ids=["empty", "no source", "SNS", "EC2"])
def test_every_function_refuses_a_foreign_event(suite: Suite, event: dict[str, Any]) -> None:
    found = resources(suite, "AWS::Lambda::Function")
    assert len(found) >= 16
    for name, function in found.items():
        answer = suite.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
        told = json.loads(answer["Payload"].read())
        assert isinstance(told, dict), name
        assert told.get("errorType") == "ForeignEventError", f"{name}: {told}"
