"""AWS IAM: a record of every decision about a role's request, at ``/_engine/iam``.

``GET`` answers a JSON list of ``{"role", "action", "resource", "allowed", "times"}``, each combination once.
``DELETE`` forgets them. With enforcement on, it tells a test which allowed actions no flow has used, and how
often a flow has used one.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import sts

from local.engine.asgi import App, Receive, Scope, Send, respond
from local.engine.authorization import checks_of, note_refusal, resource_context
from local.engine.patching import replaces

__all__ = ["wrap"]

_PATH = "/_engine/iam"
_decisions: Counter[tuple[str, str, str, bool]] = Counter()
_lock = threading.Lock()


@replaces(iam_evaluator, "enforce", digest="cf64b1ee5b09")
def _enforce(
    original: Callable[..., Any],
    access_key_id: str,
    iam_action: str,
    service: str,
    region: str,
    resource_arn: str = "*",
    service_context: dict[str, Any] | None = None,
) -> Any:
    """SQS batches need the single call's permission; decisions about roles are kept for `/_engine/iam`"""
    context = dict(service_context or {})
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
    if iam_action.startswith("sqs:"):
        iam_action = iam_action.removesuffix("Batch")
    for check in checks_of(iam_action, resource_arn, context):
        keys = resource_context(check.action, check.resource) | context | dict(check.context)
        denied = original(access_key_id, check.action, service, region, check.resource, keys)
        principal = (sts._sessions.get(access_key_id) or {}).get("Arn", "")
        if ":assumed-role/" in principal and not isinstance(denied, iam_evaluator.AuthError):
            role = principal.split(":assumed-role/")[1].split("/")[0]
            with _lock:
                _decisions[role, check.action, check.resource, denied is None] += 1
        if denied:
            note_refusal(check)
            return denied
    return None


def wrap(app: App) -> App:
    """Answer `/_engine/iam` before the emulator."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != _PATH:
            await app(scope, receive, send)
            return
        with _lock:
            if scope["method"] == "DELETE":
                _decisions.clear()
            rows = sorted(_decisions.items())
        names = ("role", "action", "resource", "allowed", "times")
        body = json.dumps([dict(zip(names, (*row, times), strict=True)) for row, times in rows]).encode()
        await respond(send, 200, {"content-type": "application/json"}, body)

    return application
