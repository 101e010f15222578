"""Dead letters, redrive, and what each role may do: with the engine's IAM enforcement on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.clients.hub import Owner, letters
from local.demo import event_hub as demo
from local.demo.checks import Checks, Result
from local.suite import Suite
from ops.paths import ROOT
from ops.redrive import sent_back
from tests.support.permissions import decisions, forget_decisions, refused, unused
from tests.support.waiting import wait_until

EVENTS = ROOT / "events/event_hub"
# Needed only if an upload is aborted, an object is missing or has versions, a distribution is there, or
# an alarm changed twice in a millisecond.
SELDOM = {
    "s3:AbortMultipartUpload",
    "s3:ListBucket",
    "s3:GetObjectVersion",
    "cloudfront:ListDistributions",
    "cloudwatch:DescribeAlarms",
}


def emptied(suite: Suite, output: str) -> None:
    suite.client("sqs").purge_queue(QueueUrl=suite[output])


def seen(look: Callable[[], object], what: str) -> None:
    wait_until(look, seconds=30, every=0.1, what=what)


def invoke(suite: Suite, event: dict[str, Any]) -> dict[str, Any]:
    answer = suite.client("lambda").invoke(
        FunctionName=suite["HubReactFunctionName"], Payload=json.dumps(event)
    )
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, result
    return result


@pytest.mark.parametrize("path", sorted(EVENTS.glob("react_*.json")), ids=lambda path: path.stem)
def test_recorded_event_leaves_no_failures(suite: Suite, path: Path) -> None:
    assert invoke(suite, json.loads(path.read_text())) == {"batchItemFailures": []}


def test_middle_message_is_set_aside_with_its_reason(suite: Suite) -> None:
    emptied(suite, "HubDeadLetterQueueUrl")
    event = json.loads((EVENTS / "react_middle_is_unknown.json").read_text())
    invoke(suite, event)
    assert letters(suite, "HubDeadLetterQueueUrl") == {"a text of nobody": "a text of no publisher"}


def test_middle_message_alone_comes_back(suite: Suite, faults: Any) -> None:
    faults.inject({"match": "dynamodb.UpdateItem", "rate": 1, "status": 500, "type": "InternalServerError"})
    event = json.loads((EVENTS / "react_middle_is_unknown.json").read_text())
    recorded = (EVENTS / "react_database.json").read_text()
    here = recorded.replace("eu-west-1", "us-east-1").replace("123456789012", "000000000000")
    failing = json.loads(here)["Records"][0]
    event["Records"][1] = failing
    answer = invoke(suite, event)
    assert answer == {"batchItemFailures": [{"itemIdentifier": failing["messageId"]}]}


def test_foreign_event_is_refused(suite: Suite) -> None:
    answer = suite.client("lambda").invoke(
        FunctionName=suite["HubReactFunctionName"], Payload=json.dumps({"detail": {}})
    )
    assert json.loads(answer["Payload"].read())["errorType"] == "ForeignEventError"


def test_redriven_message_has_its_effect_when_the_cause_is_gone(owner: Owner, suite: Suite) -> None:
    emptied(suite, "HubDeadLetterQueueUrl")
    name = owner.name("db")
    owner.storage_is_low(name)
    seen(lambda: letters(suite, "HubDeadLetterQueueUrl"), "a dead letter")
    [reason] = letters(suite, "HubDeadLetterQueueUrl").values()
    assert reason == "GrowStorage: DescribeDBInstances: DBInstanceNotFound"
    owner.database(100, name)
    assert sent_back(suite.client, suite["HubDeadLetterQueueUrl"], suite["HubEventsQueueUrl"], most=1) == 1
    seen(lambda: owner.storage(name) == (100, 110), "a pending growth")
    assert letters(suite, "HubDeadLetterQueueUrl") == {}


def test_publisher_cannot_forge_an_action_of_the_hubs_own(owner: Owner, suite: Suite) -> None:
    database = owner.database(100)
    action = {"action": "GrowStorage", "database": database, "identity": "forged"}
    forged = {"fact": "forged", "tries": 1, "owner": "", "actions": [action]}
    owner.publish(forged)
    suite.client("sqs").send_message(QueueUrl=suite["HubEventsQueueUrl"], MessageBody=json.dumps(forged))
    time.sleep(1.5)
    assert owner.storage(database) == (100, None)


def test_roles_suffice_and_none_is_wider_than_what_is_used(suite: Suite) -> None:
    forget_decisions(suite)
    result = Result("event_hub", "", "", "")
    demo.drive(suite, Checks(result, lambda _: None))
    assert result.failed == []
    iam = suite.client("iam")
    roles = iam.list_roles(PathPrefix="/suite-local/hub/")["Roles"]
    assert len(roles) == 14
    used: dict[str, set[str]] = {}
    for decision in decisions(suite):
        name = str(decision["role"]).rpartition("/")[2]
        if decision["allowed"]:
            used.setdefault(name, set()).add(decision["action"])
        else:
            assert name not in {role["RoleName"] for role in roles}, decision
    for role in roles:
        allowed: set[str] = set()
        for policy in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=policy)["PolicyDocument"]
            for statement in document["Statement"]:
                listed = statement["Action"]
                allowed |= {listed} if isinstance(listed, str) else set(listed)
        assert allowed - used.get(role["RoleName"], set()) <= SELDOM, role["RoleName"]
    for part in ("HubReactFunction", "HubDocumentsFunction"):
        assert refused(suite, part) == []
    # The dead-letter queues were not needed.
    assert unused(suite, "HubReactFunction") <= {"sqs:ChangeMessageVisibility", "sns:Publish"}
