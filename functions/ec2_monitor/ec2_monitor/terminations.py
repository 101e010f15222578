"""Which instances a call ended: one call can end a thousand."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["ended"]

_GONE = {"shutting-down", "terminated"}


def ended(event: Mapping[str, Any]) -> set[str]:
    """The instances that an event's call ended; none if it was refused, or is another call.

    Instances that were on their way already count no second time. An event whose answer CloudTrail left out
    counts what was asked for.

    Args:
        event: One of which `documents.document` could be made.
    """
    detail = event["detail"]
    if detail["eventName"] != "TerminateInstances" or detail.get("errorCode") is not None:
        return set()
    answer = detail.get("responseElements")
    if answer is None:
        return {each["instanceId"] for each in _instances(detail.get("requestParameters"))}
    return {
        each["instanceId"]
        for each in _instances(answer)
        if not (isinstance(before := each.get("previousState"), dict) and before.get("name") in _GONE)
    }


def _instances(node: object) -> Iterator[dict[str, Any]]:
    """The items of `instancesSet` that have an identifier."""
    for name in ("instancesSet", "items"):
        node = node.get(name) if isinstance(node, dict) else None
    for each in node if isinstance(node, list) else ():
        if isinstance(each, dict) and isinstance(each.get("instanceId"), str):
            yield each
