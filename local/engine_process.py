"""Start, find and stop an engine: used by the commands, the demo and the tests alike."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import psutil

from ops.paths import ROOT

__all__ = [
    "ACCOUNT",
    "REGION",
    "EngineError",
    "EngineProcess",
    "aws_environment",
    "clean_environment",
    "disk_is_full",
    "free_port",
    "log_tail",
]

ACCOUNT = "000000000000"
REGION = "us-east-1"
PORT = 4566
_DRAFT_PREFIX = "suite-starting-"
_STATE_FILE = "engine.json"
_LOCK_FILE = "engine.lock"
_LOG_FILE = "engine.log"
_CRASHED_LOG_FILE = "engine.crashed.log"
_RUNNING_FILE = "running"  # in an engine's temporary folder: locked for as long as its process lives
# What an engine with the suite takes of the temporary folder, and what a command notices the lack of.
_NEEDED_BYTES = 200_000_000
_FULL_BYTES = 20_000_000
_MAKING = threading.Lock()  # a session of boto3 makes one client at a time


class EngineError(RuntimeError):
    """The engine cannot be started or does not answer."""


def disk_is_full(*places: Path) -> str:
    """Say which of the folders that engine and commands write to has no room left; empty if none."""
    for place in places or (Path(tempfile.gettempdir()), ROOT):
        free = shutil.disk_usage(place).free
        if free < _FULL_BYTES:
            return (
                f"the disk of {place} is full ({free // 1_000_000} MB left): free some of it, and begin again"
            )
    return ""


def free_port() -> int:
    """Return a TCP port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environment() -> dict[str, str]:
    """Return this process's environment without anything of the person's AWS set-up."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def aws_environment(endpoint: str, region: str = REGION) -> dict[str, str]:
    """Return the environment with which AWS clients reach the engine at ``endpoint`` and nothing else."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        # No profile of the person who runs this is ever read: a mistake cannot touch a real account.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "2",
    }


@dataclass
class EngineProcess:
    """One running engine.

    Ports and process ids are used again, and state files outlive a crash. So an engine has a random id: it
    answers it, its command line and its workers' environments name it, and nothing is done to a port or to a
    process that does not prove to be the engine's. A copied checkout has a copy of the state file: file and
    engine name their directory, too, and in another one the file says nothing.

    Attributes:
        directory: Folder of its log and its state file.
        port: Port on 127.0.0.1.
        pid: Process id, also the id of its process group (its Lambda workers are in it).
        id: Random id, part of the name of its temporary folder.
        temporary: Its private temporary folder.
    """

    directory: Path
    port: int
    pid: int
    id: str = ""
    temporary: Path | None = None
    _child: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Base URL of every AWS service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def started_here(self) -> bool:
        """Whether this very process has started it."""
        return self._child is not None

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        port: int | None = None,
        bare: bool = False,
        iam: bool = True,
        also_bind: str = "",
        settings: dict[str, str] | None = None,
        timeout: float = 60.0,
    ) -> EngineProcess:
        """Start an engine and wait until it answers.

        Args:
            directory: Made if missing.
            port: A free one when None.
            bare: The emulator without patches.
            iam: Enforce IAM policies.
            also_bind: A further address, for containers on Docker's bridge.
            settings: Further environment variables (``ENGINE_...``).
            timeout: Seconds to wait for the first answer.

        Raises:
            EngineError: The port is taken, ``directory`` has an engine that runs, or the engine ended or did
                not answer in time; says why.
        """
        directory.mkdir(parents=True, exist_ok=True)
        with _locked(directory):
            if cls._found(directory) is not None:
                raise EngineError(f"an engine of {directory} is running already")
            if (crashed := cls.recorded(directory)) is not None:
                crashed._end()
                crashed._keep_log()
                crashed._remove_state()
            _remove_leftovers()
            return cls._start(directory, port, bare, iam, also_bind, settings or {}, timeout)

    @classmethod
    def _start(
        cls,
        directory: Path,
        port: int | None,
        bare: bool,
        iam: bool,
        also_bind: str,
        settings: dict[str, str],
        timeout: float,
    ) -> EngineProcess:
        chosen = port or free_port()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", chosen))
            except OSError as error:
                raise EngineError(
                    f"port {chosen} is taken by {_owner(chosen)}; try PORT=<another>"
                ) from error
        if (free := shutil.disk_usage(tempfile.gettempdir()).free) < _NEEDED_BYTES:
            raise EngineError(
                f"the engine needs {_NEEDED_BYTES // 1_000_000} MB in {tempfile.gettempdir()}, which has "
                f"{free // 1_000_000} MB left: free some of it, or set TMPDIR to a folder on another disk"
            )
        engine_id = secrets.token_hex(8)
        temporary, running = _make_temporary(engine_id)
        functions_python = ROOT / ".venv/functions/bin/python"
        # A clean environment: whatever the engine's process has leaks into every function.
        environment = {
            "PATH": f"{functions_python.parent}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            "TZ": "UTC",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",  # beside our own sources; the environment is compiled
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",  # listens on every interface
            "SFTP_ENABLED": "0",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "DOCKER_HOST": "unix:///nonexistent",
            "S3_DATA_DIR": str(temporary / "s3"),
            "STATE_DIR": str(temporary / "state"),
            "LOG_LEVEL": "WARNING",
            "AUTH": "true" if iam else "false",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "ENGINE_FUNCTIONS_PYTHON": str(functions_python),
            **settings,
        }
        command = [str(ROOT / ".venv/engine/bin/python"), "-m", "local.engine", "--port", str(chosen)]
        command += ["--id", engine_id, "--directory", str(directory.resolve())]
        command += ["--bare"] if bare else []
        command += ["--also-bind", also_bind] if also_bind else []
        with running, (directory / _LOG_FILE).open("wb") as log:
            child = subprocess.Popen(
                command, cwd=temporary, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, pass_fds=[running.fileno()],
            )  # fmt: skip
        engine = cls(directory, chosen, child.pid, engine_id, temporary, child)
        engine._write_state()
        end = time.monotonic() + timeout
        try:
            while not engine.answers():
                if child.poll() is not None or time.monotonic() > end:
                    raise EngineError(f"the engine did not start:\n{engine.log_tail(2000)}")  # noqa: TRY301
                time.sleep(0.05)
        except BaseException:  # Ctrl-C too
            engine._end()
            engine._remove_state()
            raise
        return engine

    @classmethod
    def find_or_start(cls, directory: Path, port: int | None) -> tuple[EngineProcess, str]:
        """Return the directory's engine, and a remark if it is up at another port than the one asked for.

        Raises:
            EngineError: As of :meth:`find` and :meth:`start`.
        """
        engine = cls.find(directory)
        if engine is None:
            return cls.start(directory, port=port or PORT), ""
        if port in (None, engine.port):
            return engine, ""
        return engine, f"The engine is up at {engine.endpoint}: PORT={port} counts after a `make down` only."

    @classmethod
    def recorded(cls, directory: Path) -> EngineProcess | None:
        """Return the engine that the state file in ``directory`` names, whether or not it still runs.

        None if there is no such file, or if it is another directory's: the copy of a checkout has one.

        Raises:
            EngineError: The state file does not name an engine.
        """
        path = directory / _STATE_FILE
        try:
            state = json.loads(path.read_text())
            engine = cls(
                directory, int(state["port"]), int(state["pid"]), str(state["id"]), Path(state["temporary"])
            )
            return engine if state["directory"] == str(directory.resolve()) else None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise EngineError(
                f"{path} names no engine ({type(error).__name__}: {error}): remove it; an engine that still "
                f"runs has `--directory {directory.resolve()}` in its command line"
            ) from error

    @classmethod
    def find(cls, directory: Path) -> EngineProcess | None:
        """Return the engine that was started with ``directory``, or None if it does not run any more.

        One that somebody is starting is waited for.

        Raises:
            EngineError: The state file does not name an engine, or the engine runs and does not answer.
        """
        if cls.recorded(directory) is None:
            return None
        with _locked(directory):
            return cls._found(directory)

    @classmethod
    def _found(cls, directory: Path) -> EngineProcess | None:
        engine = cls.recorded(directory)
        if engine is None or engine.answers():
            return engine
        if engine._is_alive():
            raise EngineError(
                f"the engine (process {engine.pid}) runs and does not answer at {engine.endpoint}; "
                "`make down` ends it"
            )
        return None

    def _write_state(self) -> None:
        state = {
            "id": self.id, "port": self.port, "pid": self.pid, "temporary": str(self.temporary),
            "directory": str(self.directory.resolve()),
        }  # fmt: skip
        new = self.directory / f"{_STATE_FILE}.new"
        new.write_text(json.dumps(state))
        new.replace(self.directory / _STATE_FILE)  # whole or not at all, whenever this process is killed

    def _remove_state(self) -> None:
        """Remove the state file if it is this engine's, not of one that was started since."""
        with suppress(EngineError):  # a damaged one is not an engine's, and stays for somebody to look at
            recorded = self.recorded(self.directory)
            if recorded is not None and recorded.id == self.id:
                (self.directory / _STATE_FILE).unlink()

    def _keep_log(self) -> None:
        """Keep the log of an engine that ended by itself: the next one begins a new one."""
        with suppress(FileNotFoundError):
            (self.directory / _LOG_FILE).replace(self.directory / _CRASHED_LOG_FILE)

    def log_tail(self, most: int = 4000) -> str:
        """Return the end of the engine's log."""
        return log_tail(self.directory, most)

    def answers(self) -> bool:
        """Tell whether this engine, and no other, answers at its port."""
        told = _identity_at(self.port)
        directory = str(self.directory.resolve())
        return bool(self.id) and (told.get("id"), told.get("directory")) == (self.id, directory)

    def require(self) -> None:
        """Raise :class:`EngineError` unless this engine, and no other, answers at its port."""
        if not self.answers():
            raise EngineError(f"the engine at {self.endpoint} has ended{_now_used_by(self.port)}")

    @contextmanager
    def needed(self) -> Iterator[None]:
        """Say that the engine has ended, if that is why what is done with it fails.

        Raises:
            EngineError: It has ended meanwhile.
        """
        try:
            yield
        except Exception:
            self.require()
            raise

    def client(self, service: str, region: str = REGION) -> Any:
        """Return the boto3 client of an AWS service on this engine, with an administrator's credentials.

        It never retries: a fault is to be seen.
        """
        from botocore.config import Config

        environment = aws_environment(self.endpoint)
        with _MAKING:
            return _session().client(
                service,
                endpoint_url=self.endpoint,
                region_name=region,
                aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
                config=Config(
                    retries={"max_attempts": 0}, s3={"addressing_style": "path"}, inject_host_prefix=False,
                    connect_timeout=5, read_timeout=60,
                ),
            )  # fmt: skip

    def stop(self) -> bool:
        """End the engine and its workers, wipe its temporary folder; False if none of them ran any more.

        Raises:
            EngineError: It could not be ended.
        """
        crashed = not self._is_alive()
        ran = self._end()
        if self.directory.is_dir():
            with _locked(self.directory):
                if crashed:
                    self._keep_log()
                self._remove_state()
        return ran

    def _end(self) -> bool:
        mine: set[psutil.Process] = set()
        for kill in (False, True):
            signalled: set[psutil.Process] = set()
            end = time.monotonic() + 5
            while time.monotonic() < end:
                mine |= set(self._processes())
                alive = {process for process in mine if _runs(process)}
                for process in alive - signalled:
                    _signal(process, kill=kill)
                if not alive:
                    break
                signalled |= alive
                time.sleep(0.05)
        if self._child is not None and mine:
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(5)  # or a zombie is left
        if self._processes() or self.answers():
            raise EngineError(f"the engine at {self.endpoint} (process {self.pid}) cannot be ended")
        if self.temporary is not None and self.temporary.name == _temporary_name(self.id):
            shutil.rmtree(self.temporary, ignore_errors=True)
        return bool(mine)

    def now_used_by(self) -> str:
        """Say who has the port since the engine ended, as the end of a sentence; empty if nobody has."""
        return _now_used_by(self.port)

    def _is_alive(self) -> bool:
        """Tell whether the engine's own process runs, answering or not."""
        return any(process.pid == self.pid for process in self._processes())

    def _processes(self) -> list[psutil.Process]:
        """Return the engine's process and its workers.

        The number of their group alone proves nothing: after a crash it may be a stranger's. A group whose
        leader has the id in its command line is the engine's; else those of it are that have the id in their
        environment, where a worker has its temporary folder.
        """
        if self._child is not None:
            self._child.poll()  # reap, or a zombie is left
        if not self.id:
            return []
        group = [process for process in psutil.process_iter() if _group_of(process) == self.pid]
        if any(process.pid == self.pid and self.id in _command(process) for process in group):
            return [process for process in group if _runs(process)]
        return [process for process in group if _temporary_name(self.id) in _environment(process)]


@cache
def _session() -> Any:
    """Return a session of boto3 that reads no profile, whatever AWS_PROFILE says."""
    import boto3
    import botocore.session

    # For each variable: its name in a profile, in the environment, its default, and a conversion.
    nothing = (None, None, None, None)
    no_file = (None, None, os.devnull, None)
    variables = {"profile": nothing, "config_file": no_file, "credentials_file": no_file}
    return boto3.Session(botocore_session=botocore.session.Session(session_vars=variables))


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Be the only one who starts, finds or forgets the engine of a directory; wait for whoever else does.

    The system releases the lock of a process that is killed.
    """
    with (directory / _LOCK_FILE).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another command that starts the engine of {directory}", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _group_of(process: psutil.Process) -> int | None:
    try:
        return os.getpgid(process.pid)
    except OSError:
        return None


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _environment(process: psutil.Process) -> str:
    try:
        return " ".join(process.environ().values())
    except psutil.Error:
        return ""


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(process: psutil.Process, *, kill: bool) -> None:
    with suppress(psutil.NoSuchProcess):
        try:
            process.kill() if kill else process.terminate()
        except psutil.AccessDenied as error:
            raise EngineError(f"process {process.pid} cannot be ended: {error}") from error


def _temporary_name(engine_id: str) -> str:
    return f"suite-engine-{engine_id}"


def log_tail(directory: Path, most: int = 4000, *, crashed: bool = False) -> str:
    """Return the end of the log of a directory's engine, or of the one before it that ended by itself."""
    path = directory / (_CRASHED_LOG_FILE if crashed else _LOG_FILE)
    return path.read_text(errors="replace")[-most:] if path.exists() else ""


def _make_temporary(engine_id: str) -> tuple[Path, IO[bytes]]:
    """Make an engine's temporary folder; the open file in it has to be passed to the engine's process.

    Its lock ends with the last process that has it, however that ends: the system keeps the account.
    """
    draft = Path(tempfile.mkdtemp(prefix=_DRAFT_PREFIX))
    running = (draft / _RUNNING_FILE).open("wb")
    fcntl.flock(running, fcntl.LOCK_EX)
    return draft.rename(draft.with_name(_temporary_name(engine_id))), running


def _remove_leftovers() -> None:
    """Remove the temporary folders of engines that were killed, whichever directory they were of."""
    for folder in Path(tempfile.gettempdir()).glob(_temporary_name("*")):
        with suppress(OSError), (folder / _RUNNING_FILE).open("rb") as running:
            fcntl.flock(running, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused: it runs
            shutil.rmtree(folder, ignore_errors=True)


def _identity_at(port: int) -> dict[str, Any]:
    """Return what the engine at a port says of itself; nothing if what answers is not an engine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/_engine/identity")
        answer = connection.getresponse()
        identity = json.loads(answer.read(4096)) if answer.status == 200 else {}
    except (OSError, ValueError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
    return identity if isinstance(identity, dict) else {}


def _now_used_by(port: int) -> str:
    with socket.socket() as probe:
        free = probe.connect_ex(("127.0.0.1", port)) != 0
    return "" if free else f"; port {port} is now used by {_owner(port)}"


def _owner(port: int) -> str:
    """Say what listens on ``port``, as well as this machine lets us know."""
    identity = _identity_at(port)
    if {"id", "directory", "pid"} <= identity.keys():
        return f"the engine of {identity['directory']} (process {identity['pid']})"
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    break
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        pass
    return "another process"
