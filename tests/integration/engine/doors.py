"""The engine's door to states that on AWS only time or a fault brings."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

from tests.support.cloud import Cloud

__all__ = ["set_state"]


def set_state(cloud: Cloud, service: str, resource: str, state: str, **more: object) -> str:
    """Set a state by `/_engine/states`; the engine's complaint, if it has one."""
    body = {"service": service, "resource": resource, "state": state} | more
    request = urllib.request.Request(f"{cloud.endpoint}/_engine/states", json.dumps(body).encode())  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310
            return ""
    except urllib.error.HTTPError as error:
        return error.read().decode()
