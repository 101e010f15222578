"""Amazon RDS: what ModifyDBInstance does with storage, and the event of a full one.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.ModifyingExisting.ScalingUp.html: "you
must increase it by at least 10 percent. If you try to increase the value by less than 10 percent, you get an
error. You can't reduce the amount of storage on a volume", and "You can't make further storage modifications
for either six (6) hours or until storage optimization has completed on the instance, whichever is longer".
(The API reference says of less than 10 percent that it is rounded up.) The codes of these refusals are not
documented; InvalidParameterCombination is what RDS answers to other combinations of sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ministack.core.responses import get_region
from ministack.services import rds as service

from local.engine.aws_events import emit
from local.engine.delivery import iso_time
from local.engine.event_subscriptions import Event, Subscriptions
from local.engine.new_services import Refusal, to_xml
from local.engine.patching import pin, replaces
from local.engine.publishing import RDS
from local.engine.states import settable
from local.engine.timing import later

__all__: list[str] = []

type Instance = dict[str, Any]
type Parameters = dict[str, Any]

_subscriptions = Subscriptions(RDS, "SubscriptionAlreadyExist", ("SNSTopicArnNotFound", 404))
_OPTIMIZING = "storage-optimization"
_OPTIMIZED_AFTER = 6 * 3600
# ModifyDBInstance takes changes in these. The others are those that a test may want, of
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html
_MODIFIABLE = ("available", "storage-full", _OPTIMIZING)
_STATES = (*_MODIFIABLE, "backing-up", "modifying", "rebooting", "stopped", "failed")


def _storage_refusal(instance: Instance, parameters: Parameters) -> tuple[str, str] | None:
    """Return code and message of a refusal of a request to change the storage, if RDS refuses it."""
    wanted, now = int(service._p(parameters, "AllocatedStorage")), int(instance["AllocatedStorage"])
    combination = "InvalidParameterCombination"
    if str(instance["Engine"]).startswith("aurora"):
        return combination, "The storage of an Aurora cluster grows by itself and cannot be allocated."
    if instance["DBInstanceStatus"] == _OPTIMIZING and wanted != now:
        return combination, (
            "You can't currently modify the storage of this DB instance because the previous storage change "
            "is being optimized."
        )
    if wanted < now:
        return combination, f"The storage cannot be reduced from {now} to {wanted} GiB."
    if now < wanted and wanted * 10 < now * 11:
        return combination, f"The storage must be increased by at least 10 percent of {now} GiB."
    limit = int(
        service._p(parameters, "MaxAllocatedStorage") or instance.get("MaxAllocatedStorage") or wanted
    )
    if wanted > limit:
        return combination, "Max storage size must be greater than storage size"
    return None


@replaces(service, "_modify_db_instance", digest="05a4f3f74e13")
def _modify_db_instance(original: Callable[..., Any], parameters: Parameters) -> Any:
    """Storage grows by 10 percent at least, and once in six hours; what waits for its window stays pending"""
    instance = service._resolve_instance(service._p(parameters, "DBInstanceIdentifier"))
    if instance is None:
        return original(parameters)
    if instance["DBInstanceStatus"] not in _MODIFIABLE:
        message = f"Database instance is not in available state: it is {instance['DBInstanceStatus']}."
        return service._error("InvalidDBInstanceState", message, 400)
    refusal = _storage_refusal(instance, parameters) if service._p(parameters, "AllocatedStorage") else None
    if refusal:
        return service._error(*refusal, 400)
    before, limit, pending = (
        instance.get(name) for name in ("AllocatedStorage", "MaxAllocatedStorage", "PendingModifiedValues")
    )
    at_once = service._p(parameters, "ApplyImmediately") == "true"
    # "the modifications in this request and any pending modifications are [...] applied as soon as possible":
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
    if at_once and pending:
        instance |= pending
        instance["PendingModifiedValues"] = {}
    answer = original(parameters)
    if not at_once and pending:
        instance["PendingModifiedValues"] = pending | instance["PendingModifiedValues"]
    if limit and not service._p(parameters, "MaxAllocatedStorage"):
        instance["MaxAllocatedStorage"] = limit
    if instance["AllocatedStorage"] != before:
        _optimize(instance)
    if answer[0] != 200:
        return answer
    return service._single_instance_response("ModifyDBInstanceResponse", "ModifyDBInstanceResult", instance)


def _optimize(instance: Instance) -> None:
    """Have an instance optimize its storage for a while."""
    instance["DBInstanceStatus"] = _OPTIMIZING

    def end() -> None:
        if instance["DBInstanceStatus"] == _OPTIMIZING:
            instance["DBInstanceStatus"] = "available"

    later(_OPTIMIZED_AFTER, end)


@settable("rds")
def _set_state(identifier: str, state: str, _request: Mapping[str, Any]) -> None:
    if state not in _STATES:
        raise ValueError(f"the state must be one of {', '.join(_STATES)}")
    instance = service._instances[identifier]
    instance["DBInstanceStatus"] = state
    if state == "storage-full":
        _tell(instance, "RDS-EVENT-0007", "low storage", "The allocated storage has been exhausted")


def _tell(instance: Instance, event: str, category: str, message: str) -> None:
    """Send an event of https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html."""
    arn, happened = instance["DBInstanceArn"], iso_time()
    detail = {
        "EventCategories": [category],
        "SourceType": "DB_INSTANCE",
        "SourceArn": arn,
        "Date": happened,
        "Message": message,
        "SourceIdentifier": instance["DBInstanceIdentifier"],
        "EventID": event,
    }
    emit("aws.rds", "RDS DB Instance Event", detail, [arn])
    name, console = instance["DBInstanceIdentifier"], "https://console.aws.amazon.com/rds/home"
    sent = {
        "Event Source": "db-instance",
        "Event Time": happened.replace("T", " ").removesuffix("Z"),
        "Identifier Link": f"{console}?region={get_region()}#dbinstance:id={name}",
        "Source ID": name,
        "Source ARN": arn,
        "Event ID": f"http://docs.amazonwebservices.com/AmazonRDS/latest/UserGuide/USER_Events.html#{event}",
        "Event Message": message,
    }
    _subscriptions.publish(Event("db-instance", name, arn, category, "RDS Notification Message", sent))


def _create_event_subscription(parameters: Parameters) -> Any:
    """Answer CreateEventSubscription."""
    try:
        row = _subscriptions.create(
            service._p(parameters, "SubscriptionName"), service._p(parameters, "SnsTopicArn"),
            service._p(parameters, "SourceType"), service._parse_member_list(parameters, "SourceIds"),
            service._parse_member_list(parameters, "EventCategories"),
        )  # fmt: skip
    except Refusal as refusal:
        return service._error(refusal.code, refusal.message, refusal.status)
    names = {"SourceIdsList": "SourceId", "EventCategoriesList": "EventCategory"}
    answer = to_xml({"CreateEventSubscriptionResult": {"EventSubscription": row}}, names)
    return service._xml(200, "CreateEventSubscriptionResponse", answer)


service._ACTION_MAP |= {
    "ModifyDBInstance": service._modify_db_instance,
    "CreateEventSubscription": _create_event_subscription,
}

pin(service, "_single_instance_response", "0a7625aa98bd")
