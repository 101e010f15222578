"""Amazon ECS: tasks that are pending or fail, client tokens, deleted clusters, permissions.

A cluster's tag ``engine:run-task-failure`` is a door for tests: with it RunTask starts nothing, and answers
that tag's value (such as ``RESOURCE:MEMORY``) as the reason of its failures.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import ecs as service

from local.engine.authorization import Check, Request, permissions
from local.engine.delivery import scope
from local.engine.idempotency import Mismatch, Replays
from local.engine.patching import pin, replaces

__all__ = ["described_clusters"]

_MOST_CLUSTERS = 100
_FAILURE = "engine:run-task-failure"
# "The time to live (TTL) for the RunTask client token is 24 hours":
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html
_runs = Replays(24 * 3600)


def _start_up_seconds(definition: dict[str, Any]) -> float:
    """Return how long a task's containers wait for those that they depend on to be healthy.

    Nothing runs here, so the start period of a health check stands for the time that it takes.
    """
    containers = {each["name"]: each for each in definition["containerDefinitions"]}
    awaited = {
        dependency["containerName"]
        for each in containers.values()
        for dependency in each.get("dependsOn") or []
        if dependency["condition"] == "HEALTHY"
    }
    checks = [containers[name].get("healthCheck") or {} for name in awaited]
    return max((float(check.get("startPeriod") or 0) for check in checks), default=0.0)


@replaces(service, "_run_task", digest="6e96d8f5a5b8")
def _run_task(original: Callable[..., Any], request: dict[str, Any]) -> Any:
    """A task is pending until the containers that others depend on are healthy"""
    answer = original(request)
    document = json.loads(answer[2])
    definition = service._task_defs.get(service._resolve_td_key(request.get("taskDefinition", "")))
    seconds = _start_up_seconds(definition) if definition and document.get("tasks") else 0.0
    if not seconds:
        return answer
    account, region = get_account_id(), get_region()
    for shown in document["tasks"]:
        task = service._tasks[shown["taskArn"]]
        task["lastStatus"] = shown["lastStatus"] = "PENDING"
        for container in [*task["containers"], *shown["containers"]]:
            container["lastStatus"] = "PENDING"
        task["startedAt"] = None
        shown.pop("startedAt", None)

        def run(task: dict[str, Any] = task) -> None:
            with scope(account, region):
                if task["lastStatus"] == "PENDING":
                    for container in task["containers"]:
                        container["lastStatus"] = "RUNNING"
                    service._mark_task_running(task["taskArn"], task)

        timer = threading.Timer(seconds, run)
        timer.daemon = True
        timer.start()
    return answer[0], answer[1], json.dumps(document).encode()


@replaces(service, "_run_task", digest="6e96d8f5a5b8")
def _run_task_once(original: Callable[..., Any], request: dict[str, Any]) -> Any:
    """RunTask: client tokens count once in a cluster, which has to exist; failures where there is no room"""
    request = dict(request)
    token = request.pop("clientToken", None)
    cluster = service._resolve_cluster_name(request.get("cluster", "default"))
    if cluster not in service._clusters:
        return error_response_json("ClusterNotFoundException", "Cluster not found.", 400)
    reason = _failure_of(cluster)
    if reason:
        return json_response({"tasks": [], "failures": [{"reason": reason}] * request.get("count", 1)})
    key = (get_account_id(), get_region(), cluster, token)
    try:
        answer = _runs.find(key, request) if token else None
    except Mismatch as mismatch:
        tasks = [task["taskArn"] for task in json.loads(mismatch.answer[2])["tasks"]]
        message = "The provided clientToken is already in use with a different RunTask request."
        return error_response_json("ConflictException", message, 400, {"resourceIds": tasks})
    if answer is None:
        answer = original(request)
        if token and answer[0] == 200:
            _runs.keep(key, request, answer)
    return answer


def _failure_of(cluster: str | None) -> str:
    """Return the reason for which a cluster places no tasks; empty if it does."""
    tags = service._tags.get((service._clusters.get(cluster) or {}).get("clusterArn"), [])
    return next((str(tag["value"]) for tag in tags if tag["key"] == _FAILURE), "")


@replaces(service, "_delete_cluster", digest="0ff8bca5ea39")
def _delete_cluster(original: Callable[..., Any], request: dict[str, Any]) -> Any:
    """A deleted cluster can be described for a while: it is inactive"""
    name = service._resolve_cluster_name(request.get("cluster", "default"))
    cluster = service._clusters.get(name)
    if cluster is not None and cluster["status"] == "INACTIVE":
        return error_response_json("ClusterNotFoundException", "Cluster not found.", 400)
    answer = original(request)
    if cluster is not None:
        service._clusters[name] = cluster
    return answer


@replaces(service, "_describe_clusters", digest="1a58e06797d7")
def _describe_clusters(original: Callable[..., Any], request: dict[str, Any]) -> Any:
    """DescribeClusters takes 100 clusters"""
    if len(request.get("clusters") or []) > _MOST_CLUSTERS:
        return error_response_json(
            "InvalidParameterException", f"Clusters cannot be more than {_MOST_CLUSTERS}.", 400
        )
    return original(request)


# The emulator's table of actions was made of the functions as they were.
for _action in (service._run_task, service._delete_cluster, service._describe_clusters):
    _name = "".join(word.title() for word in _action.__name__.split("_"))
    service._ACTION_MAP[_name] = _action


@permissions("ecs:DescribeClusters")
def _describing_clusters(request: Request) -> list[Check]:
    clusters = described_clusters(request.body, request.region, request.account)
    return [Check("ecs:DescribeClusters", arn) for arn in clusters]


def described_clusters(body: bytes, region: str, account: str) -> list[str]:
    """Return the ARNs of the clusters that a DescribeClusters request is about."""
    clusters = json.loads(body or b"{}").get("clusters") or ["default"]
    prefix = f"arn:aws:ecs:{region}:{account}:cluster/"
    return [each if each.startswith("arn:") else prefix + each for each in clusters]


def _cluster(request: Request) -> str:
    """Return the ARN of the cluster that a request is about."""
    name = service._resolve_cluster_name(request.document().get("cluster") or "default")
    return request.arn("ecs", f"cluster/{name}")


@permissions("ecs:RunTask", "ecs:StartTask")
def _running_task(request: Request) -> list[Check]:
    """Return the checks of RunTask: the task definition's revision, and each role that it passes to tasks.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
    """
    document = request.document()
    name = str(document.get("taskDefinition", ""))
    definition = service._task_defs.get(service._resolve_td_key(name)) or {}
    arn = definition.get("taskDefinitionArn") or request.arn("ecs", f"task-definition/{name}")
    roles = definition | (document.get("overrides") or {})
    action = "ecs:StartTask" if "containerInstances" in document else "ecs:RunTask"
    return [Check(action, arn, {"ecs:cluster": _cluster(request)}), *_passed(roles)]


@permissions("ecs:RegisterTaskDefinition")
def _registering(request: Request) -> list[Check]:
    document = request.document()
    family = request.arn("ecs", f"task-definition/{document.get('family')}:*")
    return [Check("ecs:RegisterTaskDefinition", family), *_passed(document)]


def _passed(document: dict[str, Any]) -> list[Check]:
    """Return the checks of the roles that tasks get: given by ARN, or by name."""
    context = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    roles = {str(document.get(name) or "") for name in ("taskRoleArn", "executionRoleArn")} - {""}
    prefix = f"arn:aws:iam::{get_account_id()}:role/"
    return [
        Check("iam:PassRole", role if role.startswith("arn:") else prefix + role, context)
        for role in sorted(roles)
    ]


@permissions("ecs:StopTask")
def _stopping(request: Request) -> list[Check]:
    return _of_tasks(request, "ecs:StopTask", [str(request.document().get("task", ""))])


@permissions("ecs:DescribeTasks")
def _describing_tasks(request: Request) -> list[Check]:
    return _of_tasks(request, "ecs:DescribeTasks", request.document().get("tasks") or [])


def _of_tasks(request: Request, action: str, tasks: list[str]) -> list[Check]:
    cluster = _cluster(request)
    prefix = f"task/{cluster.rpartition('/')[2]}/"
    context = {"ecs:cluster": cluster}
    return [
        Check(action, request.arn("ecs", each if each[:4] == "arn:" else prefix + each), context)
        for each in tasks
    ]


@permissions("ecs:ListTasks")
def _listing_tasks(request: Request) -> list[Check]:
    return [Check("ecs:ListTasks", "*", {"ecs:cluster": _cluster(request)})]


pin(service, "_mark_task_running", "42c41b2d19b9")
pin(service, "_put_cluster", "ffb913a6165a")
pin(service, "_recount_cluster", "3df63f5702ba")
