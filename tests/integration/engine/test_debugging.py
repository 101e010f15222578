"""Functions that wait for a debugger, held against the Debug Adapter Protocol as a debugger speaks it.

https://microsoft.github.io/debug-adapter-protocol/specification
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.engine_process import free_port
from tests.support.cloud import Cloud
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.ours_only,
    pytest.mark.skipif(importlib.util.find_spec("debugpy") is None, reason="debugpy: `make setup`"),
]

SOURCE = """
import sys

def handler(event, context):
    number = event["number"]
    return [number + 1, context.get_remaining_time_in_millis() > 1000, sorted(sys.modules)]
"""
LINE = 6  # of `return`, where the number is known


class Debugger:
    """A client of the Debug Adapter Protocol."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._file = self._socket.makefile("rb")
        self._sent = 0

    def send(self, command: str, **arguments: Any) -> None:
        self._sent += 1
        request = {"seq": self._sent, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(request).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def until(self, fits: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        while True:
            length = 0
            while header := self._file.readline().strip():
                length = int(header.rpartition(b":")[2])
            message: dict[str, Any] = json.loads(self._file.read(length))
            if fits(message):
                return message

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        self.send(command, **arguments)
        answer = self.until(lambda each: each["type"] == "response" and each["command"] == command)
        assert answer["success"], answer
        body: dict[str, Any] = answer.get("body", {})
        return body

    def attach(self, source: str, line: int) -> None:
        """Attach with a breakpoint, as editors do."""
        self.ask("initialize", adapterID="debugpy", pathFormat="path")
        self.send("attach", justMyCode=False)
        self.until(lambda each: each.get("event") == "initialized")
        [point] = self.ask("setBreakpoints", source={"path": source}, breakpoints=[{"line": line}])[
            "breakpoints"
        ]
        assert point["verified"], point
        self.ask("configurationDone")

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class Session:
    """A request to the engine that debugs a function for as long as it lasts."""

    def __init__(self, cloud: Cloud, function: str, port: int, path: Path) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", cloud.engine.port, timeout=20)
        asked = {"function": function, "port": port, "path": str(path)}
        self._connection.request("POST", "/_engine/debug", json.dumps(asked))
        self._answer = self._connection.getresponse()
        self.status = self._answer.status

    def line(self) -> dict[str, str]:
        told: dict[str, str] = json.loads(self._answer.readline())
        return told

    def close(self) -> None:
        self._answer.close()
        self._connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder that has debugpy and nothing else."""
    specification = importlib.util.find_spec("debugpy")
    assert specification is not None
    assert specification.origin is not None
    (tmp_path / "debugpy").symlink_to(Path(specification.origin).parent)
    return tmp_path


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def invoke(cloud: Cloud, beside: ThreadPoolExecutor, function: str) -> Future[dict[str, Any]]:
    return beside.submit(cloud.invoke, function, {"number": 41})


def test_an_invocation_waits_stops_at_a_breakpoint_and_goes_on(
    cloud: Cloud, path: Path, beside: ThreadPoolExecutor
) -> None:
    function, port = cloud.function(SOURCE, Timeout=1), free_port()
    cloud.invoke(function, {"number": 1})  # a warm process, which does not serve the next one
    session = Session(cloud, function, port, path)
    source = f"{session.line()['task_root']}/app.py"
    answer = invoke(cloud, beside, function)
    assert "waits for a debugger" in session.line()["state"]
    time.sleep(1.5)
    assert not answer.done()  # though the function's time has run out
    debugger = Debugger(port)
    debugger.attach(source, LINE)
    stopped = debugger.until(lambda each: each.get("event") == "stopped")["body"]
    [frame, *_] = debugger.ask("stackTrace", threadId=stopped["threadId"])["stackFrames"]
    assert (frame["name"], frame["line"]) == ("handler", LINE)
    number = debugger.ask("evaluate", expression="number", frameId=frame["id"], context="watch")
    assert number["result"] == "41"
    debugger.ask("continue", threadId=stopped["threadId"])
    number_after, in_time, _ = answer.result(20)["payload"]
    assert (number_after, in_time) == (42, True)
    assert session.line()["state"].startswith("ended: ")
    debugger.close()
    session.close()


def test_the_end_of_debugging_ends_a_paused_invocation_and_leaves_nothing(
    cloud: Cloud, path: Path, beside: ThreadPoolExecutor
) -> None:
    function, port = cloud.function(SOURCE, Timeout=5), free_port()
    session = Session(cloud, function, port, path)
    session.line()
    answer = invoke(cloud, beside, function)
    session.line()
    session.close()
    assert answer.result(20)["payload"]["errorType"] == "Runtime.ExitError"
    number, in_time, modules = cloud.invoke(function, {"number": 1})["payload"]
    assert (number, in_time) == (2, True)
    assert "debugpy" not in modules

    def begin_again() -> Session | None:  # debugpy's own process leaves the port a moment later
        again = Session(cloud, function, port, path)
        if again.status == 200:
            return again
        again.close()
        return None

    again = wait_until(begin_again, seconds=20, what="another session")
    assert again
    again.close()


def test_one_invocation_is_debugged_and_others_run(
    cloud: Cloud, path: Path, beside: ThreadPoolExecutor
) -> None:
    function, port = cloud.function(SOURCE, Timeout=5), free_port()
    session = Session(cloud, function, port, path)
    session.line()
    waiting = invoke(cloud, beside, function)
    session.line()
    assert invoke(cloud, beside, function).result(20)["payload"][0] == 42
    assert not waiting.done()
    session.close()
    waiting.result(20)


def test_what_cannot_be_debugged_is_refused(cloud: Cloud, path: Path, tmp_path: Path) -> None:
    function = cloud.function(SOURCE)
    empty = tmp_path / "empty"
    empty.mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = [
            Session(cloud, "nothing", free_port(), path),
            Session(cloud, function, free_port(), empty),
            Session(cloud, function, taken.getsockname()[1], path),
        ]
    assert [session.status for session in refused] == [400, 400, 400]
    says = ["there is no function nothing", f"{empty} has no debugpy", "Address already in use"]
    for session, expected in zip(refused, says, strict=True):
        assert expected in session.line()["message"]
        session.close()
