"""The few pieces of ASGI that the engine's middlewares share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

__all__ = ["App", "Receive", "Scope", "Send", "read_body", "request_headers", "respond"]

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
