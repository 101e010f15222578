"""Which engine answers here: its random id, its process and its folder, at ``GET /_engine/identity``.

Ports and process ids are used again: who means one certain engine asks this before doing anything to it.
"""

from __future__ import annotations

import json
import os

from local.engine.asgi import App, Receive, Scope, Send, respond

__all__ = ["wrap"]

_PATH = "/_engine/identity"


def wrap(app: App, *, engine_id: str, directory: str) -> App:
    """Answer ``/_engine/identity``; pass all other requests on."""
    body = json.dumps({"id": engine_id, "pid": os.getpid(), "directory": directory}).encode()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == _PATH:
            await respond(send, 200, {"content-type": "application/json"}, body)
        else:
            await app(scope, receive, send)

    return application
