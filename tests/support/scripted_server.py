"""An HTTP server that does what a test says, misbehaves on demand, and keeps what it was sent.

Plain sockets, so that an answer may be cut short, late, in pieces, or none at all.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self
from zlib import crc32

__all__ = ["Request", "Script", "ScriptedServer", "answer"]


@dataclass(frozen=True)
class Request:
    """What came.

    Attributes:
        connection: Number of the connection, from 0.
        line: The request's first line.
        headers: By their names in lower case.
        body: The body.
    """

    connection: int
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Script:
    """What becomes of a request.

    Attributes:
        raw: Bytes to answer with, in pieces.
        close: Close the connection afterwards.
        delay: Seconds before the answer.
        gap: Seconds between pieces.
    """

    raw: list[bytes] = field(default_factory=list)
    close: bool = False
    delay: float = 0.0
    gap: float = 0.0


def answer(status: int, content: Any = None, *, close: bool = False, **headers: str) -> Script:
    """An answer of DynamoDB or KMS.

    Args:
        status: HTTP's.
        content: What is sent as JSON; bytes are sent as they are.
        close: Close the connection afterwards, without saying so.
        headers: Further headers, `_` for `-`.
    """
    body = content if isinstance(content, bytes) else json.dumps(content or {}).encode()
    head = {"content-length": str(len(body)), "x-amzn-requestid": "REQUEST", "x-amz-crc32": str(crc32(body))}
    head |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return Script([f"HTTP/1.1 {status} Text\r\n{lines}\r\n".encode() + body], close=close)


class ScriptedServer:
    """A server on a free port of the loopback interface while the context lasts.

    Args:
        decide: What becomes of a request; `script` sets a list in its place.
        tls: Serve TLS with this context.
    """

    def __init__(
        self, decide: Callable[[Request], Script] | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._decide = decide or self._next
        self._tls = tls
        self._scripts: list[Script] = []
        self._open: list[socket.socket] = []
        self.requests: list[Request] = []
        self.connections = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.url = f"http{'s' if self._tls else ''}://{'localhost' if self._tls else '127.0.0.1'}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # or the thread that waits would accept one more
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def script(self, *scripts: Script) -> None:
        """What becomes of the next requests; of those after them the last."""
        self._scripts, self.requests = list(scripts), []

    def _next(self, _: Request) -> Script:
        return self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                number, self.connections = self.connections, self.connections + 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError, ValueError), connection:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            with connection, connection.makefile("rb") as reader:
                while line := reader.readline().decode().strip():
                    headers = {}
                    while header := reader.readline().decode().strip():
                        name, _, value = header.partition(": ")
                        headers[name.lower()] = value
                    body = reader.read(int(headers.get("content-length", 0)))
                    request = Request(number, line, headers, body)
                    self.requests.append(request)
                    script = self._decide(request)
                    time.sleep(script.delay)
                    for piece in script.raw:
                        connection.sendall(piece)
                        time.sleep(script.gap)
                    if script.close:
                        connection.shutdown(socket.SHUT_RDWR)
                        return
