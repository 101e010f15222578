"""AWS Database Migration Service: replication tasks that start, stop, fail and resume, without data.

`/_engine/states` (service ``dms``, resource the task's identifier or ARN) sets a task's state; ``failed`` and
``stopped`` send its event to EventBridge and to the topics of event subscriptions, with the ``message`` that
is given.
https://docs.aws.amazon.com/dms/latest/APIReference/API_StartReplicationTask.html
"""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable, Mapping
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region

from local.engine.authorization import Check, Request, permissions, tags
from local.engine.aws_events import emit
from local.engine.event_subscriptions import Event, Subscriptions, event_time
from local.engine.new_services import Refusal, json_protocol, serve, tag_list
from local.engine.publishing import DMS
from local.engine.states import settable
from local.engine.timing import later

__all__: list[str] = []

type Task = dict[str, Any]

_STARTS_AFTER = 60
_STARTABLE = ("ready", "stopped", "failed")
_KINDS = ("start-replication", "resume-processing", "reload-target")
_FILTERS = {
    "replication-task-arn": ("ReplicationTaskArn",),
    "replication-task-id": ("ReplicationTaskIdentifier",),
    "migration-type": ("MigrationType",),
    "endpoint-arn": ("SourceEndpointArn", "TargetEndpointArn"),
    "replication-instance-arn": ("ReplicationInstanceArn",),
}
_DETAILS = (
    "ReplicationTaskIdentifier", "SourceEndpointArn", "TargetEndpointArn", "ReplicationInstanceArn",
    "MigrationType", "TableMappings", "ReplicationTaskSettings", "CdcStartPosition", "CdcStopPosition",
)  # fmt: skip
# https://docs.aws.amazon.com/dms/latest/userguide/CHAP_EventBridge.html and CHAP_Events.html
_EVENTS = {
    "failed": ("DMS-EVENT-0078", "REPLICATION_TASK_FAILED", "Failure", "Replication task has failed."),
    "stopped": ("DMS-EVENT-0079", "REPLICATION_TASK_STOPPED", "StateChange", "Replication task has stopped."),
}

_subscriptions = Subscriptions(DMS, "ResourceAlreadyExistsFault", ("SNSInvalidTopicFault", 400))
_tasks: Any = AccountRegionScopedDict()  # ARN: task
_tags: dict[str, dict[str, str]] = {}


def _task(arn: str) -> Task:
    task: Task | None = _tasks.get(arn)
    if task is None:
        raise Refusal("ResourceNotFoundFault", f"Replication task {arn} not found.")
    return task


def _create(request: dict[str, Any]) -> dict[str, Any]:
    name = request["ReplicationTaskIdentifier"]
    if any(task["ReplicationTaskIdentifier"] == name for task in _tasks.values()):
        raise Refusal("ResourceAlreadyExistsFault", f"The replication task {name} already exists.")
    letters = "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(26))
    arn = f"arn:aws:dms:{get_region()}:{get_account_id()}:task:{letters}"
    _tasks[arn] = {name: request[name] for name in _DETAILS if name in request} | {
        "ReplicationTaskArn": arn, "Status": "ready", "ReplicationTaskCreationDate": time.time(),
    }  # fmt: skip
    _tags[arn] = {tag["Key"]: tag.get("Value", "") for tag in request.get("Tags") or []}
    return {"ReplicationTask": _tasks[arn]}


def _describe(request: dict[str, Any]) -> dict[str, Any]:
    found = list(_tasks.values())
    for each in request.get("Filters") or []:
        if each["Name"] not in _FILTERS:
            raise Refusal("InvalidParameterValueException", f"Unrecognized filter name: {each['Name']}")
        names, wanted = _FILTERS[each["Name"]], set(each["Values"])
        found = [task for task in found if wanted & {task[name] for name in names}]
    if not found and request.get("Filters"):
        raise Refusal("ResourceNotFoundFault", "No Tasks found matching filter")
    return {"ReplicationTasks": found}


def _start(request: dict[str, Any]) -> dict[str, Any]:
    task, kind = _task(request["ReplicationTaskArn"]), request["StartReplicationTaskType"]
    if kind not in _KINDS:
        raise Refusal("InvalidParameterValueException", f"Unknown start type {kind}")
    if task["Status"] not in _STARTABLE:
        message = f"Replication task {task['ReplicationTaskIdentifier']} is {task['Status']}."
        raise Refusal("InvalidResourceStateFault", message)
    # "start-replication is the only valid action that can be used for the first time a task [...] is run",
    # and of later times https://github.com/hashicorp/terraform-provider-aws/pull/24047; `cdc` starts again.
    if task["Status"] == "ready" and kind != "start-replication":
        raise Refusal("InvalidResourceStateFault", f"{kind} is not valid for a task that has never run.")
    if task["Status"] != "ready" and kind == "start-replication" and task["MigrationType"] != "cdc":
        message = "Start Type : START_REPLICATION, valid only for tasks running for the first time"
        raise Refusal("InvalidParameterCombinationException", message)
    for name in ("LastFailureMessage", "StopReason"):
        task.pop(name, None)
    task |= {"Status": "starting", "ReplicationTaskStartDate": time.time()}
    started = task["ReplicationTaskStartDate"]

    def run() -> None:
        if task["Status"] == "starting" and task["ReplicationTaskStartDate"] == started:
            task["Status"] = "running"

    later(_STARTS_AFTER, run)
    return {"ReplicationTask": task}


def _stop(request: dict[str, Any]) -> dict[str, Any]:
    task = _task(request["ReplicationTaskArn"])
    if task["Status"] not in ("starting", "running"):
        message = f"Replication task {task['ReplicationTaskIdentifier']} is not running: {task['Status']}."
        raise Refusal("InvalidResourceStateFault", message)
    _end(task, "stopped", "Stop Reason NORMAL")
    return {"ReplicationTask": task}


def _end(task: Task, state: str, message: str) -> None:
    """Take a task to its end, and send the event of it."""
    task["Status"] = state
    task["LastFailureMessage" if state == "failed" else "StopReason"] = message
    identifier, event_type, category, words = _EVENTS[state]
    name = task["ReplicationTaskIdentifier"]
    console = "https://console.aws.amazon.com/dms/v2/home"
    detail = {
        "eventId": identifier, "eventType": event_type, "category": category, "type": "REPLICATION_TASK",
        "detailMessage": message if message.startswith(words) else f"{words} {message}",
        "resourceLink": f"{console}?region={get_region()}#taskDetails/{name}",
    }  # fmt: skip
    emit("aws.dms", "DMS Replication Task State Change", detail, [task["ReplicationTaskArn"]])
    guide = "http://docs.aws.amazon.com/dms/latest/userguide/CHAP_Events.html"
    sent = {
        "Event Source": "replication-task", "Event Time": event_time(),
        "Identifier Link": f"{detail['resourceLink']} ", "SourceId": name,
        "Event ID": f"{guide}#{identifier} ", "Event Message": detail["detailMessage"],
        "Notification time": event_time(),
    }  # fmt: skip
    kind = "failure" if state == "failed" else "state change"
    _subscriptions.publish(
        Event("replication-task", name, task["ReplicationTaskArn"], kind, "DMS Notification Message", sent)
    )


def _subscribe(request: dict[str, Any]) -> dict[str, Any]:
    row = _subscriptions.create(
        request["SubscriptionName"], request["SnsTopicArn"], request.get("SourceType", ""),
        request.get("SourceIds") or [], request.get("EventCategories") or [],
    )  # fmt: skip
    return {"EventSubscription": row}


def _add_tags(request: dict[str, Any]) -> dict[str, Any]:
    _task(request["ResourceArn"])
    _tags[request["ResourceArn"]] |= {tag["Key"]: tag.get("Value", "") for tag in request["Tags"]}
    return {}


def _list_tags(request: dict[str, Any]) -> dict[str, Any]:
    arns = request.get("ResourceArnList") or [request["ResourceArn"]]
    return {
        "TagList": [tag | {"ResourceArn": arn} for arn in arns if _task(arn) for tag in tag_list(_tags[arn])]
    }


@settable("dms")
def _set_state(identifier: str, state: str, request: Mapping[str, Any]) -> None:
    task = next(
        (
            each
            for each in _tasks.values()
            if identifier in (each["ReplicationTaskIdentifier"], each["ReplicationTaskArn"])
        ),
        None,
    )
    if task is None:
        raise LookupError(identifier)
    if state in _EVENTS:
        _end(task, state, str(request.get("message", "")))
    elif state in ("ready", "starting", "running", "stopping", "modifying", "testing"):
        task["Status"] = state
    else:
        raise ValueError(f"a task cannot be {state!r}")


def _check(action: str, member: str) -> Callable[[Request], list[Check]]:
    return lambda request: [Check(action, request.document().get(member) or "*")]


for _action, _member in {
    "dms:StartReplicationTask": "ReplicationTaskArn",
    "dms:StopReplicationTask": "ReplicationTaskArn",
    "dms:AddTagsToResource": "ResourceArn",
    "dms:ListTagsForResource": "ResourceArn",
}.items():
    permissions(_action)(_check(_action, _member))


@tags("dms")
def _tags_of(arn: str) -> Mapping[str, str]:
    return _tags.get(arn, {})


serve(
    "dms",
    json_protocol(
        {
            "CreateReplicationTask": _create,
            "DescribeReplicationTasks": _describe,
            "StartReplicationTask": _start,
            "StopReplicationTask": _stop,
            "AddTagsToResource": _add_tags,
            "ListTagsForResource": _list_tags,
            "CreateEventSubscription": _subscribe,
        }
    ),
    "Replication tasks: started, resumed, reloaded and stopped where their state allows it; events",
    target="AmazonDMSv20160101",
)
