"""Amazon EFS: what UpdateFileSystem refuses.

https://docs.aws.amazon.com/efs/latest/ug/API_UpdateFileSystem.html and
https://docs.aws.amazon.com/efs/latest/ug/performance.html: Max I/O "is not supported for One Zone file
systems or file systems that use Elastic throughput".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import efs as service

from local.engine.authorization import Check, Request, permissions
from local.engine.delivery import iso_time
from local.engine.patching import replaces
from local.engine.settings import SETTINGS
from local.engine.states import settable

__all__: list[str] = []

type Body = dict[str, Any]

_MODES = ("bursting", "provisioned", "elastic")
_STATES = ("available", "creating", "updating", "deleting", "error")
# "if you don't wait at least 24 hours before either changing the throughput mode, or decreasing the
# Provisioned Throughput value"; "the throughput limit of 1024 MiB/s"
_BETWEEN_CHANGES = 24 * 3600
_MOST_THROUGHPUT = 1024.0
_changed_at: dict[str, float] = {}


def _mode_refusal(mode: str, performance: str, throughput: Any) -> tuple[int, str, str] | None:
    """Return why a file system cannot have a throughput mode, if so: status, code, message."""
    if mode not in _MODES:
        return 400, "BadRequest", f"The throughput mode must be one of {', '.join(_MODES)}."
    if mode == "elastic" and performance == "maxIO":
        return 400, "BadRequest", "Elastic throughput is not supported with the Max I/O performance mode."
    if (mode == "provisioned") != (throughput is not None):
        return 400, "BadRequest", "ProvisionedThroughputInMibps belongs to the throughput mode provisioned."
    if float(throughput or 0) > _MOST_THROUGHPUT:
        return 400, "ThroughputLimitExceeded", "The throughput limit of 1024 MiB/s has been reached."
    return None


@replaces(service, "_create_file_system", digest="9ef20b0e14a9")
def _create_file_system(original: Callable[..., Any], body: Body) -> Any:
    """A Max I/O file system has no elastic throughput"""
    refusal = _mode_refusal(
        body.get("ThroughputMode", "bursting"), body.get("PerformanceMode", "generalPurpose"),
        body.get("ProvisionedThroughputInMibps"),
    )  # fmt: skip
    return service._error(*refusal) if refusal else original(body)


def _update_refusal(system: Body, mode: str, throughput: Any) -> tuple[int, str, str] | None:
    identifier = system["FileSystemId"]
    if system["LifeCycleState"] != "available":
        message = f"File system '{identifier}' is {system['LifeCycleState']}."
        return 409, "IncorrectFileSystemLifeCycleState", message
    refusal = _mode_refusal(mode, system["PerformanceMode"], throughput)
    if refusal:
        return refusal
    until = _changed_at.get(identifier, 0.0) + _BETWEEN_CHANGES * SETTINGS.time_scale
    less = float(throughput or 0) < float(system.get("ProvisionedThroughputInMibps") or 0)
    if (mode != system["ThroughputMode"] or less) and time.time() < until:
        return 429, "TooManyRequests", (
            "You have reached the maximum number of throughput mode changes or provisioned throughput value "
            f"decreases. Wait until {iso_time(until, milliseconds=False)} and try again."
        )  # fmt: skip
    return None


@replaces(service, "_update_file_system", digest="d7f4e1a0f821")
def _update_file_system(original: Callable[..., Any], identifier: str, body: Body) -> Any:
    """UpdateFileSystem: refused in other states, for Max I/O, and twice in 24 hours"""
    system = service._file_systems.get(identifier)
    if system is None:
        return original(identifier, body)
    before = system["ThroughputMode"], system.get("ProvisionedThroughputInMibps")
    mode = body.get("ThroughputMode", before[0])
    throughput = body.get("ProvisionedThroughputInMibps", before[1] if mode == "provisioned" else None)
    refusal = _update_refusal(system, mode, throughput)
    if refusal:
        return service._error(*refusal)
    if mode != "provisioned":
        system.pop("ProvisionedThroughputInMibps", None)
    answer = original(identifier, body)
    if (mode, throughput) != before:
        _changed_at[identifier] = time.time()
    return answer


@permissions("elasticfilesystem:DescribeFileSystems")
def _describing(request: Request) -> list[Check]:
    system = request.parameter("FileSystemId") or "*"
    resource = request.arn("elasticfilesystem", f"file-system/{system}")
    return [Check("elasticfilesystem:DescribeFileSystems", resource)]


@settable("elasticfilesystem")
def _set_state(identifier: str, state: str, _request: Mapping[str, Any]) -> None:
    if state not in _STATES:
        raise ValueError(f"the state must be one of {', '.join(_STATES)}")
    service._file_systems[identifier]["LifeCycleState"] = state
