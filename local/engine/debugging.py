"""A function that waits for a debugger: ``POST /_engine/debug`` with ``{"function", "port", "path"}``.

`path` is a folder that holds debugpy. The answer is lines of JSON: first where code and layers of the
function are, ``{"task_root", "opt"}``, then ``{"state"}`` whenever an invocation begins or ends. The function
is debugged for as long as the request lasts; then its process ends, paused or not.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from local.engine.asgi import App, Receive, Scope, Send, read_body, respond

__all__ = ["TIMEOUT_S", "Session", "claim", "wrap"]

_PATH = "/_engine/debug"
TIMEOUT_S = 86_400.0  # of a function that somebody looks at
_sessions: dict[str, Session] = {}
_claiming = threading.Lock()


class Process(Protocol):
    """One process of a function."""

    def kill_now(self) -> None:
        """End it, invoked or not."""


@dataclass(eq=False)
class Session:
    """One function that is debugged.

    Attributes:
        function: Its name.
        port: Where its process listens for debuggers.
        path: Folder with debugpy.
        process: The process that listens; there is one at a time, others run as always.
    """

    function: str
    port: int
    path: str
    process: Process | None = None
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    told: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    def environment(self) -> dict[str, str]:
        """Return what the function's process gets beside its own variables."""
        return {
            "PYTHONPATH": self.path,
            "_ENGINE_DEBUG_PORT": str(self.port),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else debugpy warns in the function's log
        }

    def tell(self, state: str) -> None:
        """Tell whoever debugs; from any thread."""
        self._loop.call_soon_threadsafe(self.told.put_nowait, state)


def claim(function: str, process: Process) -> Session | None:
    """Return the session that a new process of a function is debugged in; None if it runs as always."""
    with _claiming:
        session = _sessions.get(function)
        if session is None or session.process is not None:
            return None
        session.process = process
        return session


def release(session: Session) -> None:
    """Note that the process of a session has ended: the next one is debugged."""
    with _claiming:
        session.process = None


def wrap(app: App) -> App:
    """Serve ``/_engine/debug``; pass all other requests on."""

    async def debug(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != _PATH:
            await app(scope, receive, send)
            return
        try:
            asked = json.loads(await read_body(receive))
            function, session = _begin(asked)
        except (ValueError, KeyError, TypeError, OSError) as error:
            body = json.dumps({"message": f"this cannot be debugged: {error}"}).encode()
            await respond(send, 400, {"content-type": "application/json"}, body)
            return
        try:
            await _serve(session, _folders(function), receive, send)
        finally:
            _end(session)

    return debug


def _begin(asked: dict[str, Any]) -> tuple[dict[str, Any], Session]:
    from ministack.core import lambda_runtime as pool
    from ministack.services import lambda_svc

    name, port, path = str(asked["function"]), int(asked["port"]), Path(asked["path"])
    function: dict[str, Any] | None = lambda_svc._functions.get(name)
    if function is None:
        raise ValueError(f"there is no function {name}")
    if name in _sessions:
        raise ValueError(f"somebody debugs {name} already")
    if not (path / "debugpy/__init__.py").is_file():
        raise ValueError(f"{path} has no debugpy")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
    session = _sessions[name] = Session(name, port, str(path))
    pool.invalidate_worker(name)
    return function, session


def _folders(function: dict[str, Any]) -> dict[str, str]:
    from local.engine.services.lambda_worker import folders_of

    task_root, opt = folders_of(function["config"], function["code_zip"])
    return {"task_root": task_root, "opt": opt}


async def _serve(session: Session, folders: dict[str, str], receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"application/x-ndjson")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    gone = asyncio.ensure_future(receive())
    message: dict[str, str] = folders
    while not gone.done():
        body = json.dumps(message).encode() + b"\n"
        await send({"type": "http.response.body", "body": body, "more_body": True})
        told = asyncio.ensure_future(session.told.get())
        await asyncio.wait({gone, told}, return_when=asyncio.FIRST_COMPLETED)
        if not told.done():
            told.cancel()
            return
        message = {"state": told.result()}


def _end(session: Session) -> None:
    from ministack.core import lambda_runtime as pool

    del _sessions[session.function]
    with _claiming:
        process = session.process
    if process is not None:
        process.kill_now()
    pool.invalidate_worker(session.function)
