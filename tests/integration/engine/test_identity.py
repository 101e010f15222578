"""Commands do nothing to an engine, a port or a process that does not prove to be their own."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from local import cli
from local.demo import __main__ as demo
from local.demo.checks import Checks
from local.deploy import SamError, deploy
from local.engine_process import EngineError, EngineProcess, free_port
from local.suite import Suite
from tests.support.cloud import Cloud
from tests.support.waiting import wait_until

type Start = Callable[..., EngineProcess]

STOPPING = "Stopping the engine; that may take half a minute.\n"


class Checkout:
    """One checkout's folder of state, and its commands."""

    def __init__(
        self, state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.state = state
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def run(self, command: str, port: int = 1) -> tuple[int, str]:
        """Run a command as ``make`` does; its exit status and what it printed."""
        module: Any = demo if command == "demo" else cli
        words = ["--port", str(port)] if command == "demo" else [command, "--port", str(port)]
        with self._monkeypatch.context() as patch:
            patch.setattr(module, "STATE", self.state)
            patch.setattr(sys, "argv", ["local", *words])
            patch.setenv("COLUMNS", "500")
            status: int = module.main()
        return status, "".join(self._capsys.readouterr())

    def record(self, **state: object) -> None:
        """Write a state file."""
        self.state.mkdir(exist_ok=True)
        directory = {"directory": str(self.state.resolve())}
        (self.state / "engine.json").write_text(json.dumps(directory | state))


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Checkout:
    return Checkout(tmp_path / "ours", monkeypatch, capsys)


@pytest.fixture
def start() -> Iterator[Start]:
    """Start engines that end with the test."""
    started: list[EngineProcess] = []

    def begin(directory: Path, **options: Any) -> EngineProcess:
        started.append(EngineProcess.start(directory, iam=False, **options))
        return started[-1]

    yield begin
    for engine in started:
        engine.stop()


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process group of somebody else."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def _crash(engine: EngineProcess) -> None:
    assert engine._child is not None
    engine._child.kill()
    engine._child.wait()


def _temporary(engine: EngineProcess) -> Path:
    assert engine.temporary is not None
    return engine.temporary


@pytest.mark.parametrize("bare", [False, True])
def test_an_engine_tells_its_identity(tmp_path: Path, start: Start, bare: bool) -> None:
    engine = start(tmp_path, bare=bare)
    told = requests.get(f"{engine.endpoint}/_engine/identity", timeout=5).json()
    assert told == {"id": engine.id, "pid": engine.pid, "directory": str(tmp_path.resolve())}
    assert EngineProcess.find(tmp_path) is not None
    with pytest.raises(EngineError, match="is running already"):
        EngineProcess.start(tmp_path)


def test_down_ends_the_engine_and_its_workers(ours: Checkout, start: Start) -> None:
    engine = start(ours.state)
    cloud = Cloud(engine)
    cloud.invoke(cloud.function("def handler(event, context): return 1"))
    group = engine._processes()
    assert len(group) == 2
    assert ours.run("down") == (0, STOPPING + "The engine is down; what it held is gone.\n")
    assert not [process for process in group if process.is_running() and process.status() != "zombie"]
    assert not _temporary(engine).exists()
    assert ours.run("down") == (0, "The engine is not up.\n")


def test_down_leaves_the_process_of_a_reused_pid(
    ours: Checkout, stranger: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    ours.record(id="0123456789abcdef", port=free_port(), pid=stranger.pid, temporary=str(tmp_path / "gone"))
    assert ours.run("down") == (0, STOPPING + "The engine had ended by itself; what it left is removed.\n")
    assert stranger.poll() is None


def test_a_state_file_of_a_stranger_wipes_nothing(ours: Checkout, tmp_path: Path) -> None:
    precious = tmp_path / "suite-engine-another"
    precious.mkdir()
    ours.record(id="0123456789abcdef", port=free_port(), pid=2**22, temporary=str(precious))
    ours.run("down")
    assert precious.exists()


def test_a_crashed_engine_is_tidied_at_the_next_start(ours: Checkout, start: Start) -> None:
    crashed = start(ours.state)
    _crash(crashed)
    assert EngineProcess.find(ours.state) is None
    status, printed = ours.run("logs")
    assert status == 1
    assert "has ended by itself" in printed
    assert _temporary(crashed).exists()
    start(ours.state)
    assert not _temporary(crashed).exists()


def test_what_killed_engines_of_other_folders_left_goes_at_a_start(start: Start, tmp_path: Path) -> None:
    crashed, running = start(tmp_path / "crashed"), start(tmp_path / "running")
    cloud = Cloud(crashed)
    cloud.client("s3").create_bucket(Bucket="left")
    cloud.client("s3").put_object(Bucket="left", Key="x", Body=b"x" * 10_000_000)
    _crash(crashed)
    shutil.rmtree(tmp_path / "crashed")  # as a test's folder: nobody knows of the engine any more
    start(tmp_path / "next")
    assert not _temporary(crashed).exists()
    assert _temporary(running).exists()
    assert Cloud(running).client("s3").list_buckets()["Buckets"] == []


def _log(engine: EngineProcess, line: str) -> None:
    with (engine.directory / "engine.log").open("a") as log:
        log.write(f"{line}\n")


@pytest.mark.parametrize("between", [[], ["down"]])
def test_the_log_of_a_crash_is_shown_until_the_next_one(
    ours: Checkout, start: Start, between: list[str]
) -> None:
    crashed = start(ours.state)
    _log(crashed, "the first one ends")
    _crash(crashed)
    for command in between:
        ours.run(command)
    status, printed = ours.run("logs")
    assert status == 1
    assert "the first one ends" in printed
    engine = start(ours.state)
    _log(engine, "the second one works")
    status, printed = ours.run("logs")
    assert status == 0
    assert printed.index("the end of the log of an engine that had ended by itself") < printed.index(
        "the first one ends"
    )
    assert printed.index("the first one ends") < printed.index("the second one works")
    assert ours.run("down")[0] == 0
    assert "the second one works" in ours.run("logs")[1]
    _crash(start(ours.state))
    ours.run("down")
    assert "the first one ends" not in ours.run("logs")[1]


def test_the_demo_does_not_call_a_killed_engine_up(
    ours: Checkout, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = start(ours.state)

    class Killing:
        FLOW, PAGE, STEPS = "flow", "page/", 1

        @staticmethod
        def drive(_suite: Suite, checks: Checks) -> None:
            checks.true("done", condition=True)
            _crash(engine)

    monkeypatch.setattr(demo, "_up", lambda *_: Suite(engine, {"WebUrl": "http://pages.example"}))
    monkeypatch.setattr(demo, "drives", lambda: {"one": Killing})
    monkeypatch.setattr(demo, "deployed", lambda _, found: found)
    status, printed = ours.run("demo", engine.port)
    assert status == 1
    assert "The engine has ended by itself, and the suite with it: `make logs` shows why" in printed
    assert "is up" not in printed
    assert "http://pages.example" not in printed


def test_an_engine_that_ends_during_a_deployment_is_named(
    ours: Checkout, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = start(ours.state)

    def sam(*_: object) -> None:
        _crash(engine)
        raise SamError("`sam deploy` failed with status 1")

    monkeypatch.setattr("local.deploy._sam", sam)
    with pytest.raises(EngineError, match=rf"the engine at {engine.endpoint} has ended"):
        deploy(engine, ours.state / "deploy.log")


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_full_disk_is_said_to_who_starts(
    ours: Checkout, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 7_000_000))
    status, printed = ours.run(command, free_port())
    assert status == 1
    assert "the engine needs 200 MB in " in printed
    assert "which has 7 MB left: free some of it, or set TMPDIR" in printed


def test_a_disk_that_fills_up_during_a_deployment_is_said(
    ours: Checkout, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = start(ours.state)

    def sam(*_: object) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
        raise SamError("`sam build` failed with status 1")

    monkeypatch.setattr("local.deploy._sam", sam)
    status, printed = ours.run("up", engine.port)
    assert status == 1
    assert "`sam build` failed with status 1" in printed
    assert "is full (0 MB left): free some of it" in printed


def test_workers_that_outlive_the_engine_are_ended(
    ours: Checkout, start: Start, stranger: subprocess.Popen[bytes]
) -> None:
    engine = start(ours.state)
    cloud = Cloud(engine)
    sleeper = cloud.function("import time\ndef handler(event, context): time.sleep(600)", Timeout=900)
    cloud.client("lambda").invoke(FunctionName=sleeper, InvocationType="Event", Payload=b"{}")
    [worker] = wait_until(lambda: psutil.Process(engine.pid).children(), what="the function's worker")
    _crash(engine)
    assert worker.is_running()
    assert ours.run("down")[0] == 0
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    assert not _temporary(engine).exists()
    assert stranger.poll() is None


def test_a_hung_engine_is_named_and_ended(ours: Checkout, start: Start) -> None:
    engine = start(ours.state)
    os.kill(engine.pid, signal.SIGSTOP)
    for command in ("up", "demo"):
        status, printed = ours.run(command, engine.port)
        assert status == 1
        assert f"the engine (process {engine.pid}) runs and does not answer at {engine.endpoint}" in printed
    assert ours.run("down") == (0, STOPPING + "The engine is down; what it held is gone.\n")
    assert engine._child is not None
    assert engine._child.wait(5) == -signal.SIGKILL


def test_two_checkouts_want_one_port(ours: Checkout, start: Start, tmp_path: Path) -> None:
    port = free_port()
    crashed = start(ours.state, port=port)
    _crash(crashed)
    theirs = start(tmp_path / "theirs", port=port)
    name = f"the engine of {(tmp_path / 'theirs').resolve()} (process {theirs.pid})"

    for command in ("up", "demo"):
        status, printed = ours.run(command, port)
        assert status == 1
        assert f"port {port} is taken by {name}; try PORT=<another>" in printed
    ours.record(id=crashed.id, port=port, pid=crashed.pid, temporary=str(crashed.temporary))
    assert ours.run("status") == (1, "The engine is down. `make up` starts it.\n")
    with pytest.raises(
        EngineError, match=r"the engine at http://.* has ended; port \d+ is now used by the eng"
    ):
        deploy(crashed, ours.state / "deploy.log")
    status, printed = ours.run("down")
    assert (status, printed) == (
        0,
        STOPPING
        + f"The engine had ended by itself; what it left is removed; port {port} is now used by {name}.\n",
    )
    assert theirs.answers()
    assert theirs.client("s3").list_buckets()["Buckets"] == []


def test_a_copied_checkout_has_no_engine(
    ours: Checkout,
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine = start(ours.state)
    copy = Checkout(tmp_path / "copy", monkeypatch, capsys)
    shutil.copytree(ours.state, copy.state)
    assert EngineProcess.find(copy.state) is None
    assert copy.run("status") == (1, "The engine is down. `make up` starts it.\n")
    assert copy.run("down") == (0, "The engine is not up.\n")
    another = start(copy.state)
    assert another.id != engine.id
    assert copy.run("down")[0] == 0
    assert engine.answers()
    assert EngineProcess.find(ours.state) is not None
    assert _temporary(engine).exists()


def test_two_starts_at_once_make_one_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    together = threading.Barrier(2)

    def begin(_: int) -> EngineProcess | EngineError:
        together.wait()
        try:
            return EngineProcess.start(tmp_path, iam=False)
        except EngineError as error:
            return error

    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(begin, range(2)))
    engines = [outcome for outcome in outcomes if isinstance(outcome, EngineProcess)]
    try:
        assert [str(outcome) for outcome in outcomes if isinstance(outcome, EngineError)] == [
            f"an engine of {tmp_path} is running already"
        ]
        assert (
            capsys.readouterr().err == f"waiting for another command that starts the engine of {tmp_path}\n"
        )
        recorded = EngineProcess.find(tmp_path)
        assert recorded is not None
        assert recorded.id == engines[0].id
    finally:
        for engine in engines:
            engine.stop()


def test_an_engine_that_starts_is_waited_for(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as thread:
        starting = thread.submit(EngineProcess.start, tmp_path, iam=False)
        try:
            wait_until((tmp_path / "engine.json").exists, what="the state file")
            found = EngineProcess.find(tmp_path)
            assert found is not None
            assert found.id == starting.result().id
        finally:
            starting.result().stop()


def test_stop_leaves_the_state_of_a_later_engine(ours: Checkout, start: Start) -> None:
    engine = start(ours.state)
    ours.record(id="0123456789abcdef", port=free_port(), pid=2**22, temporary="/nonexistent")
    engine.stop()
    later = EngineProcess.recorded(ours.state)
    assert later is not None
    assert later.id == "0123456789abcdef"


def test_an_unused_port_is_said(tmp_path: Path, start: Start) -> None:
    engine = start(tmp_path)
    for port in (None, engine.port):
        found, remark = EngineProcess.find_or_start(tmp_path, port)
        assert (found.id, remark) == (engine.id, "")
    found, remark = EngineProcess.find_or_start(tmp_path, engine.port + 1)
    assert found.id == engine.id
    assert remark == (
        f"The engine is up at {engine.endpoint}: PORT={engine.port + 1} counts after a `make down` only."
    )


class _Agreeable(http.server.BaseHTTPRequestHandler):
    """Answers everything with success, and is not an engine."""

    body = b"{}"

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"<html>", b'{"id": "another"}', b'{"id": "0123456789abcdef", "directory": "/"}']
)
def test_a_server_that_is_no_engine_is_left_alone(ours: Checkout, body: bytes) -> None:
    handler = type("Handler", (_Agreeable,), {"body": body})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        ours.record(id="0123456789abcdef", port=port, pid=2**22, temporary="/nonexistent")
        assert ours.run("status")[0] == 1
        status, printed = ours.run("up", port)
        assert status == 1
        assert f"port {port} is taken by" in printed
        ours.record(id="0123456789abcdef", port=port, pid=2**22, temporary="/nonexistent")
        status, printed = ours.run("down")
        assert status == 0
        assert f"port {port} is now used by" in printed
        server.shutdown()


def test_a_port_that_speaks_no_http_is_no_engine(ours: Checkout) -> None:
    def greet() -> None:
        while True:
            try:
                with listener.accept()[0] as connection:
                    connection.sendall(b"220 mail.example ESMTP\r\n")
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=greet, daemon=True).start()
        port = listener.getsockname()[1]
        ours.record(id="0123456789abcdef", port=port, pid=2**22, temporary="/nonexistent")
        assert ours.run("status") == (1, "The engine is down. `make up` starts it.\n")
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"port": 4566, "pid": 1}',
        '{"id": "a", "port": "x", "pid": 1, "temporary": "/", "directory": "/"}',
        '{"id": "a", "port": 4566, "pid": 1, "temporary": "/"}',
    ],
)
@pytest.mark.parametrize("command", ["up", "down", "status", "logs", "demo"])
def test_a_damaged_state_file_is_one_clear_line(ours: Checkout, content: str, command: str) -> None:
    ours.state.mkdir()
    (ours.state / "engine.json").write_text(content)
    status, printed = ours.run(command)
    assert status == 1
    [line] = [line for line in printed.splitlines() if "engine.json" in line]
    assert "names no engine" in line
    assert f"`--directory {ours.state.resolve()}`" in line


def test_a_failing_start_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="is not a number"):
        EngineProcess.start(tmp_path, settings={"ENGINE_TIME_SCALE": "fast"})
    assert EngineProcess.recorded(tmp_path) is None


def test_a_full_disk_explains_whatever_fails(
    ours: Checkout, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = start(ours.state)

    def refuse(*_: object) -> None:
        raise RuntimeError("An error occurred (InternalError)")

    monkeypatch.setattr(cli, "build", refuse)
    with pytest.raises(RuntimeError):
        ours.run("up", engine.port)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    status, printed = ours.run("up", engine.port)
    assert status == 1
    assert "(InternalError)\nPerhaps because the disk of " in printed
