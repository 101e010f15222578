"""What the roles of functions may do, and which of it was used: sufficiency and necessity."""

from __future__ import annotations

from typing import Any

from local.suite import Suite

__all__ = ["BY_LAMBDA", "allowed", "decisions", "forget_decisions", "function", "refused", "unused"]


def function(suite: Suite, part: str) -> str:
    """Return the name of the deployed function whose name contains ``part``."""
    pages = suite.client("lambda").get_paginator("list_functions").paginate()
    names = [each["FunctionName"] for page in pages for each in page["Functions"]]
    [name] = [name for name in names if part in name]
    return str(name)


def decisions(suite: Suite) -> list[dict[str, Any]]:
    """Return the engine's decisions about roles' requests (on AWS: CloudTrail)."""
    found: list[dict[str, Any]] = suite.http.get(f"{suite.engine.endpoint}/_engine/iam").json()
    return found


def forget_decisions(suite: Suite) -> None:
    """Begin a new record of decisions."""
    suite.http.delete(f"{suite.engine.endpoint}/_engine/iam").raise_for_status()


def allowed(suite: Suite, part: str) -> tuple[str, set[str]]:
    """Return the role of a function, and the actions of the role's inline policies."""
    configuration = suite.client("lambda").get_function_configuration(FunctionName=function(suite, part))
    role = str(configuration["Role"]).rpartition("/")[2]
    iam = suite.client("iam")
    actions: set[str] = set()
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        for statement in document["Statement"]:
            listed = statement["Action"]
            actions |= {listed} if isinstance(listed, str) else set(listed)
    return role, actions


def _of(decision: dict[str, Any]) -> str:
    return str(decision["role"]).rpartition("/")[2]


# What Lambda itself does in the name of a role: it writes the logs, and reads queues. The engine does both
# without asking; the rule `lambda_may_do_what_it_does` of tests/template looks at them.
_LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
_QUEUE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
BY_LAMBDA = _LOGS | _QUEUE


def unused(suite: Suite, part: str) -> set[str]:
    """Return what a function's role allows its code, and nothing used since the record began."""
    role, actions = allowed(suite, part)
    actions -= _LOGS | (_QUEUE if actions >= _QUEUE else set())
    return actions - {
        str(each["action"]) for each in decisions(suite) if each["allowed"] and _of(each) == role
    }


def refused(suite: Suite, part: str) -> list[dict[str, Any]]:
    """Return the requests that a function's role was refused since the record began."""
    role, _ = allowed(suite, part)
    return [each for each in decisions(suite) if not each["allowed"] and _of(each) == role]
