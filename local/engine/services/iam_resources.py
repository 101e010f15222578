"""AWS IAM: the tags of several services' resources, and the permissions that requests about several need.

A service that has a module of its own says both there: see :mod:`local.engine.authorization`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import autoscaling, codebuild, ec2, glue, iam, rds, tagging

from local.engine.authorization import Check, Request, permissions, tags
from local.engine.patching import PATCHES, Patch, pin, replaces

type _Tags = Mapping[str, str]
type _Collector = Callable[[], Iterable[tuple[str, list[dict[str, str]]]]]


# ----------------------------------------------------------------------------------------------------- tags


def _flat(found: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """Return a list of tags as an object; services write `Key` or `key`."""
    return {
        (each.get("Key") or each["key"]): each.get("Value", each.get("value", "")) for each in found or []
    }


def _collected(collect: _Collector) -> Callable[[str], _Tags]:
    def find(arn: str) -> _Tags:
        return next((_flat(found) for candidate, found in collect() if candidate == arn), {})

    return find


for _service in ("ecs", "elasticache", "elasticfilesystem"):
    tags(_service)(_collected(tagging._COLLECTORS[_service]))


@tags("autoscaling")
def _group(arn: str) -> _Tags:
    return _flat(autoscaling._tags.get(arn.rpartition("autoScalingGroupName/")[2]))


@tags("codebuild")
def _project(arn: str) -> _Tags:
    return _flat((codebuild._projects.get(arn.rpartition("/")[2]) or {}).get("tags"))


@tags("ec2")
def _instance(arn: str) -> _Tags:
    return _flat(ec2._tags.get(arn.rpartition("/")[2]))


@tags("glue")
def _job(arn: str) -> _Tags:
    job = glue._jobs.get(arn.rpartition("/")[2]) if ":job/" in arn else None
    found: _Tags = glue._tags.get(arn) or (job or {}).get("Tags") or {}
    return found


@tags("rds")
def _database(arn: str) -> _Tags:
    return _flat(rds._tags.get(arn))


# ---------------------------------------------------------------------------------------------- permissions


@permissions("ssm:SendCommand")
def _sending_command(request: Request) -> list[Check]:
    # https://docs.aws.amazon.com/systems-manager/latest/userguide/run-command-setting-up.html, "Restricting
    # Run Command access based on tags": one statement allows documents, another instances.
    document = request.document()
    name = str(document.get("DocumentName", ""))
    own = f"arn:aws:ssm:{request.region}:{request.account}:document/{name}"
    of_aws = f"arn:aws:ssm:{request.region}::document/{name}"
    reserved = name.lower().startswith(("aws", "amazon", "amzn"))  # CreateDocument takes no such name
    arn = name if name.startswith("arn:") else of_aws if reserved else own
    checks = [Check("ssm:SendCommand", arn)]
    checks += [Check("ssm:SendCommand", each) for each in _targets(request)]
    if role := document.get("ServiceRoleArn"):
        checks.append(Check("iam:PassRole", role, {"iam:PassedToService": "ssm.amazonaws.com"}))
    return checks


def _targets(request: Request) -> list[str]:
    """Return the ARNs of the nodes that a command is for; of tags that no instance has, that of all."""
    document = request.document()
    nodes = list(document.get("InstanceIds") or [])
    for target in document.get("Targets") or []:
        key, values = str(target.get("Key", "")), target.get("Values") or []
        if key.lower() == "instanceids":
            nodes += values
        elif key.startswith("tag:"):
            name = key.removeprefix("tag:")
            nodes += [node for node in ec2._instances if _flat(ec2._tags.get(node)).get(name) in values]
    return [
        request.arn("ssm", f"managed-instance/{node}")
        if node.startswith("mi-")
        else request.arn("ec2", f"instance/{node}")
        for node in nodes or ["*"]
    ]


@permissions(
    "autoscaling:CompleteLifecycleAction",
    "autoscaling:RecordLifecycleActionHeartbeat",
    "autoscaling:UpdateAutoScalingGroup",
)
def _of_group(request: Request) -> list[Check]:
    name = request.parameter("AutoScalingGroupName")
    group = autoscaling._asgs.get(name) or {}
    unknown = request.arn("autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{name}")
    action = f"autoscaling:{request.parameter('Action')}"
    return [Check(action, group.get("AutoScalingGroupARN") or unknown)]


@permissions("codebuild:StartBuild")
def _starting_build(request: Request) -> list[Check]:
    document = request.document()
    checks = [
        Check("codebuild:StartBuild", request.arn("codebuild", f"project/{document.get('projectName')}"))
    ]
    if role := document.get("serviceRoleOverride"):
        checks.append(Check("iam:PassRole", role, {"iam:PassedToService": "codebuild.amazonaws.com"}))
    return checks


@permissions("sts:AssumeRole")
def _assuming_role(request: Request) -> list[Check]:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html: the keys
    # sts:ExternalId and sts:RoleSessionName are there for identity policies, too. STS evaluates the trust
    # policy itself.
    keys = {"sts:ExternalId": "ExternalId", "sts:RoleSessionName": "RoleSessionName"}
    context = {key: request.parameter(name) for key, name in keys.items() if request.parameter(name)}
    return [Check("sts:AssumeRole", request.parameter("RoleArn"), context)]


@replaces(iam_evaluator, "_resolve_condition_key", digest="15e26964cd38")
def _condition_key(original: Callable[..., Any], key: str, context: Any) -> Any:
    """`aws:PrincipalArn` of an assumed role is the role's ARN"""
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html: "For IAM roles,
    # the request context returns the ARN of the role, not the ARN of the user that assumed the role."
    found = original(key, context)
    if key.lower() != "aws:principalarn" or ":assumed-role/" not in found:
        return found
    name = iam_evaluator._role_name_from_assumed_arn(found)
    role = iam._roles.get_scoped(context.principal_account, None, name)
    return role["Arn"] if role else found


def _trust_policy(arn: str) -> tuple[dict[str, Any], str] | None:
    """Return the trust policy of a role as a policy of a resource, and the role's account."""
    account, name = arn.split(":")[4], arn.rpartition("/")[2]
    role = iam._roles.get_scoped(account, None, name)
    if role is None:
        return None
    document = role["AssumeRolePolicyDocument"]
    policy = json.loads(document) if isinstance(document, str) else document
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    return policy | {"Statement": [{"Resource": "*"} | each for each in statements]}, account


# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html: "To allow a user to assume a role
# in the same account, you can do either of the following": a policy of the user, or "Add the user as a
# principal directly in the role's trust policy." The emulator finds a resource's policy by the names of a
# module and a function.
iam.trust_policy_for_arn = _trust_policy
iam_evaluator._RESOURCE_POLICY_LOOKUPS["sts"] = ("iam", "trust_policy_for_arn")
PATCHES.append(
    Patch(
        "ministack.core.iam_evaluator._RESOURCE_POLICY_LOOKUPS",
        "A role's trust policy that names a role of the account is enough to assume it",
    )
)

pin(iam_evaluator, "_resource_policy", "dec265f9a903")
pin(iam_evaluator, "combine_resource_policy", "3972f81213f8")
pin(tagging, "_collect_ecs", "793905e4ce12")
pin(tagging, "_collect_elasticache", "ca2812d6c4aa")
pin(tagging, "_collect_efs", "890d26355f7d")
