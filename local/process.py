"""Start, find and stop an engine: used by the commands, the demo and the tests alike."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ACCOUNT", "REGION", "ROOT", "EngineError", "EngineProcess", "aws_environment", "free_port"]

ROOT = Path(__file__).resolve().parents[1]
ACCOUNT = "000000000000"
REGION = "us-east-1"
_MAKING = threading.Lock()  # boto3's default session makes one client at a time


class EngineError(RuntimeError):
    """The engine cannot be started or does not answer."""


def free_port() -> int:
    """Return a TCP port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def aws_environment(endpoint: str) -> dict[str, str]:
    """Return the environment with which AWS clients reach the engine at ``endpoint`` and nothing else."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        # No profile of the person who runs this is ever read: a mistake cannot touch a real account.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "2",
    }


@dataclass
class EngineProcess:
    """One running engine.

    Attributes:
        directory: Folder of its log, its state file and its private temporary folder.
        port: Port on 127.0.0.1.
        pid: Process id, also the id of its process group (its Lambda workers are in it).
    """

    directory: Path
    port: int
    pid: int
    _child: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Base URL of every AWS service."""
        return f"http://127.0.0.1:{self.port}"

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
            EngineError: The port is taken, or the engine ended or did not answer in time; says why.
        """
        directory.mkdir(parents=True, exist_ok=True)
        chosen = port or free_port()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", chosen))
            except OSError as error:
                raise EngineError(
                    f"port {chosen} is taken by {_owner(chosen)}; try PORT=<another>"
                ) from error
        temporary = Path(tempfile.mkdtemp(prefix="suite-engine-"))
        functions_python = ROOT / ".venv/functions/bin/python"
        # A clean environment: whatever the engine's process has leaks into every function.
        environment = {
            "PATH": f"{functions_python.parent}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            "TZ": "UTC",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
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
            **(settings or {}),
        }
        command = [str(ROOT / ".venv/engine/bin/python"), "-m", "local.engine", "--port", str(chosen)]
        command += ["--bare"] if bare else []
        command += ["--also-bind", also_bind] if also_bind else []
        with (directory / "engine.log").open("wb") as log:
            child = subprocess.Popen(
                command, cwd=temporary, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        engine = cls(directory, chosen, child.pid, child)
        engine._state_file.write_text(
            json.dumps(
                {"port": chosen, "pid": child.pid, "temporary": str(temporary), "also_bind": also_bind}
            )
        )
        end = time.monotonic() + timeout
        while not engine.answers():
            if child.poll() is not None or time.monotonic() > end:
                tail = (directory / "engine.log").read_text(errors="replace")[-2000:]
                engine.stop()
                raise EngineError(f"the engine did not start:\n{tail}")
            time.sleep(0.05)
        return engine

    @classmethod
    def find(cls, directory: Path) -> EngineProcess | None:
        """Return the engine that was started with ``directory`` if it still runs."""
        try:
            state = json.loads((directory / "engine.json").read_text())
        except (FileNotFoundError, ValueError):
            return None
        engine = cls(directory, state["port"], state["pid"])
        return engine if engine.answers() else None

    @property
    def _state_file(self) -> Path:
        return self.directory / "engine.json"

    def answers(self) -> bool:
        """Tell whether the engine's health page answers."""
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def client(self, service: str, region: str = REGION) -> Any:
        """Return the boto3 client of an AWS service on this engine, with an administrator's credentials.

        It never retries: a fault is to be seen.
        """
        import boto3
        from botocore.config import Config

        environment = aws_environment(self.endpoint)
        make: Any = boto3.client
        with _MAKING:
            return make(
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

    def state(self) -> dict[str, Any]:
        """Return what ``start`` wrote about this engine."""
        found: dict[str, Any] = json.loads(self._state_file.read_text())
        return found

    def stop(self) -> None:
        """End the engine and its workers, and wipe its temporary folder."""
        temporary = Path(self.state()["temporary"]) if self._state_file.exists() else None
        for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                break
            end = time.monotonic() + patience
            while time.monotonic() < end and _group_runs(self.pid, self._child):
                time.sleep(0.05)
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        self._state_file.unlink(missing_ok=True)


def _group_runs(group: int, child: subprocess.Popen[bytes] | None) -> bool:
    if child is not None:
        child.poll()  # reap, or a zombie counts as running
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _owner(port: int) -> str:
    """Say which process listens on ``port``, as well as this machine lets us know."""
    import psutil

    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    break
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        pass
    return "another process"
