"""States that on AWS only time or a fault brings: ``POST /_engine/states`` sets one, for tests.

The body is ``{"service": "rds", "resource": "<identifier>", "state": "storage-full"}``, with ``region`` where
it is not the default one, and what else a service takes. The answer is 400 with a reason where a service has
no such resource or state. Services register what they take with :func:`settable`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region

from local.engine.asgi import App, with_door
from local.engine.delivery import scope

__all__ = ["settable", "wrap"]

_PATH = "/_engine/states"

type Setter = Callable[[str, str, Mapping[str, Any]], None]

_setters: dict[str, Setter] = {}


def settable(service: str) -> Callable[[Setter], Setter]:
    """Register what sets a state of a service's resource.

    The function gets the resource's identifier, the state and the whole request; it raises LookupError for a
    resource that is not there, and ValueError for a state that the service does not have.
    """

    def register(setter: Setter) -> Setter:
        _setters[service] = setter
        return setter

    return register


def _set(request: Any) -> str:
    """Set a state; what is wrong with the request, if anything is."""
    if not isinstance(request, dict) or request.get("service") not in _setters:
        return f"the service must be one of {', '.join(sorted(_setters))}"
    resource, state = str(request.get("resource", "")), str(request.get("state", ""))
    with scope(get_account_id(), str(request.get("region") or get_region())):
        try:
            _setters[request["service"]](resource, state, request)
        except LookupError:
            return f"there is no {resource!r}"
        except ValueError as error:
            return str(error)
    return ""


def wrap(app: App) -> App:
    """Answer ``/_engine/states`` before the emulator."""
    return with_door(app, _PATH, _set)
