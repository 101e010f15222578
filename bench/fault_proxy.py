"""A proxy before DynamoDB that is slow, throttles and leaves items over, as the service does under load.

Emulators never return UnprocessedItems. This one decides about every `BatchWriteItem`; the rest passes::

    with FaultProxy(engine.endpoint) as proxy:
        proxy.behave(latency=0.005, unprocessed=0.3, seed=7)
        ... work through proxy.endpoint ...
        proxy.calls()

It runs in a process of its own (`python -m bench.fault_proxy TARGET`), so that it takes no time from who is
measured.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from local.clients.browse import session
from ops.paths import ROOT

__all__ = ["Behaviour", "FaultProxy"]

_LIMIT = 32 << 20  # bytes of a message
_THROTTLED = json.dumps(
    {
        "__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        "message": "injected",
    }
).encode()
_DUPLICATES = json.dumps(
    {
        "__type": "com.amazon.coral.validate#ValidationException",
        "message": "Provided list of item keys contains duplicates",
    }
).encode()


@dataclass
class Behaviour:
    """How the table behaves.

    Attributes:
        latency: Seconds that a call takes at least.
        unprocessed: Probability with which an item of a call comes back.
        throttled: Probability with which a whole call is refused.
        writes_per_second: What the table takes, with a burst of one second; 0 for no limit. A call of which
            nothing can be taken is refused.
        seed: Of the probabilities.
    """

    latency: float = 0.0
    unprocessed: float = 0.0
    throttled: float = 0.0
    writes_per_second: float = 0.0
    seed: int = 1


class FaultProxy:
    """A proxy on a free port of the loopback interface while the context lasts.

    Args:
        target: Address of the emulator.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._http = session()
        self.endpoint = ""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "bench.fault_proxy", self._target]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.endpoint = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def behave(self, **behaviour: float) -> None:
        """Behave like this (see `Behaviour`) from now on, and count from zero."""
        self._http.post(f"{self.endpoint}/_behave", json=behaviour).raise_for_status()

    def calls(self) -> int:
        """How many `BatchWriteItem` calls came since `behave`."""
        return int(self._http.post(f"{self.endpoint}/_calls").text)


class _Server:
    """What runs in the process."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._behave({})

    def _behave(self, behaviour: dict[str, float]) -> None:
        self._behaviour = Behaviour(**behaviour)  # type: ignore[arg-type]
        self._random = random.Random(self._behaviour.seed)
        self._tokens, self._filled = self._behaviour.writes_per_second, time.monotonic()
        self._calls = 0

    async def run(self) -> None:
        """Listen, print the address, serve until the process is ended."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_LIMIT)
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a client's connection with a connection to the emulator of its own."""
        there: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        try:
            while True:
                head, body = await _message(reader)
                answer: bytes | None = None
                left: dict[str, list[Any]] = {}
                if head.startswith(b"POST /_behave "):
                    self._behave(json.loads(body))
                    answer = _answer(b"200 OK", b"")
                elif head.startswith(b"POST /_calls "):
                    answer = _answer(b"200 OK", b"%d" % self._calls)
                elif b"DynamoDB_20120810.BatchWriteItem" in head:
                    self._calls += 1
                    await asyncio.sleep(self._behaviour.latency)
                    answer, body, left = self._decide(body)
                if answer is None:
                    there = there or await asyncio.open_connection(*self._target, limit=_LIMIT)
                    there[1].write(_with_length(head, body) + body)
                    head_back, content = await _message(there[0])
                    if left and b" 200 " in head_back.partition(b"\r\n")[0]:
                        content = json.dumps(json.loads(content) | {"UnprocessedItems": left}).encode()
                    answer = _with_length(head_back, content) + content
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is done
        finally:
            writer.close()
            if there:
                there[1].close()

    def _decide(self, body: bytes) -> tuple[bytes | None, bytes, dict[str, list[Any]]]:
        """An answer, or what is passed on and what comes back."""
        behaviour = self._behaviour
        if behaviour.throttled and self._random.random() < behaviour.throttled:
            return _error(_THROTTLED), body, {}
        if not behaviour.unprocessed and not behaviour.writes_per_second:
            return None, body, {}
        content = json.loads(body)
        [(table, requests)] = content["RequestItems"].items()
        keys = [json.dumps(request.get("PutRequest", {}).get("Item", {}).get("pk")) for request in requests]
        if len(set(keys)) < len(keys):
            return _error(_DUPLICATES), body, {}  # the service looks before it takes anything
        taken: list[Any] = []
        left: list[Any] = []
        for request in requests:
            (taken if self._takes_one() else left).append(request)
        if not taken:
            return _error(_THROTTLED), body, {}
        return (
            None,
            json.dumps(content | {"RequestItems": {table: taken}}).encode(),
            {table: left} if left else {},
        )

    def _takes_one(self) -> bool:
        rate = self._behaviour.writes_per_second
        if rate:
            now = time.monotonic()
            self._tokens, self._filled = min(rate, self._tokens + (now - self._filled) * rate), now
            if self._tokens < 1:
                return False
            self._tokens -= 1
        return self._random.random() >= self._behaviour.unprocessed


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of an HTTP message with a length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return head, await reader.readexactly(length)


def _with_length(head: bytes, body: bytes) -> bytes:
    """The head with the length of another body, and without the checksum of the first."""
    dropped = (b"content-length:", b"x-amz-crc32:")
    lines = [line for line in head.rstrip().split(b"\r\n") if not line.lower().startswith(dropped)]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", b""])


def _error(body: bytes) -> bytes:
    return _answer(b"400 Bad Request", body)


def _answer(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Type: application/x-amz-json-1.0\r\n\r\n" % status
    return _with_length(head, body) + body


if __name__ == "__main__":
    asyncio.run(_Server(sys.argv[1]).run())
