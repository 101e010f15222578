"""The few pieces of ASGI that the engine's middlewares share."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

__all__ = ["App", "Receive", "Scope", "Send", "read_body", "request_headers", "respond", "with_door"]

type Scope = dict[str, Any]
type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Send = Callable[[dict[str, Any]], Awaitable[None]]
type App = Callable[[Scope, Callable[..., Awaitable[Any]], Callable[..., Awaitable[None]]], Awaitable[None]]


def request_headers(scope: Scope) -> dict[str, str]:
    """Return the request's headers with lower-case names."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def read_body(receive: Receive) -> bytes:
    """Read a request's whole body."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":  # the client has gone
            return b"".join(parts)
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def respond(
    send: Send, status: int, headers: Mapping[str, str], body: bytes = b"", *, head: bool = False
) -> None:
    """Send a whole response; of a HEAD request's only the headers."""
    # An object's metadata header may be given twice, in two cases: the last one counts.
    wire = {name.lower(): value for name, value in headers.items()}
    if status not in (204, 304):
        wire.setdefault("content-length", str(len(body)))
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode("latin-1"), value.encode("utf-8")) for name, value in wire.items()],
        }
    )
    await send({"type": "http.response.body", "body": b"" if head else body, "more_body": False})


def with_door(app: App, path: str, take: Callable[[Any], str]) -> App:
    """Have POST of JSON to a path taken before the emulator sees it.

    Args:
        app: What serves all other requests.
        path: Of the door.
        take: Gets the decoded body; returns what is wrong with it, which is answered with 400.
    """

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != path:
            await app(scope, receive, send)
            return
        if scope["method"] != "POST":
            status, answer = 405, "only POST"
        else:
            try:
                answer = take(json.loads(await read_body(receive)))
            except ValueError:
                answer = "the body is not JSON"
            status = 400 if answer else 200
        body = json.dumps({"message": answer} if answer else {}).encode()
        await respond(send, status, {"content-type": "application/json"}, body)

    return application
