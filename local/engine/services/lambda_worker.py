"""AWS Lambda: Python functions run in processes of their own, on an interpreter that has what Lambda's has.

The emulator's pool (who gets which worker, concurrency limits, reaping) stays; the worker behind it is this
module's: ``lambda_bootstrap`` on the functions' interpreter, spoken to over pipes without a thread or a poll,
so that a warm invocation costs a millisecond.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import selectors
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime as pool
from ministack.services import lambda_svc

from local.engine import debugging
from local.engine.patching import pin, replaces
from local.engine.settings import SETTINGS

__all__ = ["PythonWorker", "folders_of"]

_logger = logging.getLogger(__name__)

_BOOTSTRAP = Path(__file__).with_name("lambda_bootstrap.py")
# AWS: the function's module gets 10 s to load; a laptop that starts fifty at once gets more.
_INIT_SECONDS = 30.0
_MIB = 1024 * 1024
_extracting = threading.Lock()
_starting = threading.BoundedSemaphore(os.cpu_count() or 1)


class PythonWorker:
    """One execution environment of a Python function; has the attributes that the emulator's pool uses."""

    def __init__(self, func_name: str, config: dict[str, Any], code_zip: bytes) -> None:
        self.func_name = func_name
        self.config = config
        self.code_zip = code_zip
        self.in_use = False
        self.last_used = time.time()
        self.retired = False
        self._lock = threading.Lock()
        self._proc: subprocess.Popen[bytes] | None = None
        self._tmpdir: str | None = None
        self._answers = self._output = -1
        self._log = bytearray()
        self._init_error: dict[str, Any] | None = None
        self._debugged: debugging.Session | None = None

    def resident_bytes(self) -> int:
        """Return the process's resident memory, or an estimate where the system does not say."""
        if self._proc is None:
            return 0
        try:
            pages = int(Path(f"/proc/{self._proc.pid}/statm").read_text().split()[1])
        except OSError:
            return 60 * _MIB
        return pages * os.sysconf("SC_PAGE_SIZE")

    def invoke(
        self, event: Any, request_id: str, *, arn: str, environment: dict[str, str | None]
    ) -> dict[str, Any]:
        """Run one invocation.

        Returns:
            ``log`` and either ``result`` (the answer's JSON text) or ``error`` (the error payload).
        """
        with self._lock:
            if self._proc is None or self._proc.poll() is not None:
                self._spawn()
            if self._init_error is not None:
                answer: dict[str, Any] = {"error": self._init_error | {"requestId": request_id}}
                log = self._take_log()
                self._end()
                return answer | {"log": log}
            timeout = float(self.config.get("Timeout", 3))
            if (session := self._debugged) is not None:
                timeout = debugging.TIMEOUT_S
                session.tell(f"invoked: {request_id} waits for a debugger, unless one is attached")
            invocation = {
                "event": event,
                "request_id": request_id,
                "function_arn": arn,
                "deadline": time.time() + timeout,
                "environment": environment,
            }
            answer = self._exchange(json.dumps(invocation).encode() + b"\n", timeout, request_id)
            if session is not None:
                session.tell(f"ended: {request_id}")
            return answer | {"log": self._take_log()}

    def start(self) -> None:
        """Start the process, so that the next invocation finds it warm."""
        with self._lock:
            self._spawn()

    def _spawn(self) -> None:
        """Start the process and load the function's module in it."""
        self._end()
        self._tmpdir = tempfile.mkdtemp(prefix="function-")
        task_root, opt = folders_of(self.config, self.code_zip)
        self._debugged = debugging.claim(self.func_name, self)
        self._answers, answer_end = os.pipe()
        self._output, output_end = os.pipe()
        os.set_blocking(self._output, False)
        try:
            self._proc = subprocess.Popen(
                [SETTINGS.functions_python, "-P", str(_BOOTSTRAP), str(answer_end), opt],
                cwd=task_root,
                env=self._environment(task_root, opt),
                stdin=subprocess.PIPE,
                stdout=output_end,
                stderr=output_end,
                pass_fds=(answer_end,),
                bufsize=0,
            )
        finally:
            os.close(answer_end)
            os.close(output_end)
        ready = self._exchange(b"", _INIT_SECONDS, "")
        self._init_error = ready.get("error")

    def _environment(self, task_root: str, opt: str) -> dict[str, str]:
        """Return what AWS gives a function, and nothing of the engine's own environment."""
        config = self.config
        version = config.get("Version", "$LATEST")
        logging_config = config.get("LoggingConfig") or {}
        _, region = pool._account_region_from_function_config(config)
        name = config.get("FunctionName", "")
        environment = {
            "PATH": f"{Path(SETTINGS.functions_python).parent}:/usr/local/bin:/usr/bin:/bin:{opt}/bin",
            "LD_LIBRARY_PATH": f"{task_root}:{task_root}/lib:{opt}/lib",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            # AWS: an execution environment's /tmp is its own.
            "TMPDIR": str(self._tmpdir),
            "LAMBDA_TASK_ROOT": task_root,
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "_HANDLER": config.get("Handler", ""),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', '')}",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_FORMAT": logging_config.get("LogFormat", "Text"),
            "AWS_LAMBDA_LOG_LEVEL": logging_config.get("ApplicationLogLevel", "INFO"),
            "AWS_LAMBDA_LOG_GROUP_NAME": logging_config.get("LogGroup") or f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{uuid.uuid4().hex}",
            **pool.execution_credentials(config),
            # Not AWS's: where the engine answers, and no profile of the person who runs it.
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            pool.HOST_PREFIX_ENV: "true",
        }
        own = (config.get("Environment") or {}).get("Variables") or {}
        environment |= {
            key: value for key, value in own.items() if key not in pool._RESERVED_RUNTIME_ENV_VARS
        }
        return environment | (self._debugged.environment() if self._debugged else {})

    def _exchange(self, request: bytes, timeout: float, request_id: str) -> dict[str, Any]:
        """Send a request and return the answer; an error when the process ends or runs out of time."""
        process = self._proc
        assert process is not None  # noqa: S101
        assert process.stdin is not None  # noqa: S101
        end = time.monotonic() + timeout
        answer = bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(self._answers, selectors.EVENT_READ)
            ready.register(self._output, selectors.EVENT_READ)
            try:
                view = memoryview(request)
                while view:
                    view = view[process.stdin.write(view) :]
                while not answer.endswith(b"\n"):
                    events = ready.select(max(0.0, end - time.monotonic()))
                    if not events:
                        return self._failed(
                            "Sandbox.Timedout", f"Task timed out after {timeout:.2f} seconds", request_id
                        )
                    for key, _ in events:
                        if key.fd == self._answers:
                            chunk = os.read(key.fd, 1 << 20)
                            if not chunk:
                                return self._exited(request_id)
                            answer += chunk
                        elif not self._pump():
                            ready.unregister(self._output)
            except BrokenPipeError:
                return self._exited(request_id)
        decoded: dict[str, Any] = json.loads(answer)
        return decoded

    def _exited(self, request_id: str) -> dict[str, Any]:
        assert self._proc is not None  # noqa: S101
        status = self._proc.wait()
        how = "signal: killed" if status < 0 else f"exit status {status}"
        message = (
            f"Runtime exited with error: {how}" if status else "Runtime exited without providing a reason"
        )
        return self._failed("Runtime.ExitError", message, request_id)

    def _pump(self) -> bool:
        """Take over the output that is in its pipe now; False at its end.

        The bootstrap flushes the output before it answers: an answer means that all output is in the pipe.
        """
        while True:
            try:
                chunk = os.read(self._output, 1 << 20)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            self._log += chunk

    def _take_log(self) -> str:
        if self._output >= 0:
            self._pump()
        text = self._log.decode(errors="replace")
        self._log.clear()
        return text

    def _failed(self, kind: str, message: str, request_id: str) -> dict[str, Any]:
        """End a process that did not answer; log and return what Lambda logs and returns."""
        self._pump()
        self._end()
        line = f"RequestId: {request_id} Error: {message}"
        if kind == "Sandbox.Timedout":
            self._log += f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z} {request_id} {message}\n".encode()
        else:
            self._log += f"{line}\n".encode()
        return {"error": {"errorType": kind, "errorMessage": line}}

    def _end(self) -> None:
        """Kill the process, as Lambda does: at once."""
        process, self._proc = self._proc, None
        if process is not None:
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
        self._discard_tmpdir()

    def kill(self) -> None:
        """End this environment."""
        pool.kill_workers([self])

    def kill_now(self) -> None:
        """Kill the process even if it is invoked; the invocation fails."""
        if self._proc is not None:
            self._proc.kill()

    def _discard_tmpdir(self) -> None:
        if self._debugged is not None:
            debugging.release(self._debugged)
            self._debugged = None
        for name in ("_answers", "_output"):
            descriptor = getattr(self, name)
            if descriptor >= 0:
                os.close(descriptor)
            setattr(self, name, -1)
        if self._tmpdir:
            shutil.rmtree(self._tmpdir, ignore_errors=True)
            self._tmpdir = None


def folders_of(config: dict[str, Any], code_zip: bytes) -> tuple[str, str]:
    """Return the folders of a function's code and of its layers."""
    layers = [_layer(reference) for reference in config.get("Layers") or []]
    return _extracted([code_zip]), _extracted(layers)


def _layer(reference: str | dict[str, Any]) -> bytes:
    content: bytes | None = lambda_svc._resolve_layer_zip(reference)
    if content is None:
        raise RuntimeError(f"layer {reference} has no content")
    return content


def _extracted(archives: list[bytes]) -> str:
    """Return a folder with the archives' files, a later one's over an earlier one's; made once for all."""
    digest = hashlib.sha256(b"".join(hashlib.sha256(archive).digest() for archive in archives)).hexdigest()[
        :20
    ]
    folder = Path(tempfile.gettempdir()) / "function-code" / digest
    with _extracting:
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            for archive in archives:
                with zipfile.ZipFile(io.BytesIO(archive)) as content:
                    lambda_svc._extract_zip_preserving_mode(content, str(unfinished))
            unfinished.rename(folder)
    return str(folder)


def _end_longest_idle() -> None:
    """Keep the idle workers' resident memory within bounds."""
    doomed = []
    with pool._lock:
        idle = [
            (worker.last_used, worker, entries)
            for entries in pool._workers.values()
            for worker in entries
            if isinstance(worker, PythonWorker) and not worker.in_use
        ]
        resident = {worker: worker.resident_bytes() for _, worker, _ in idle}
        excess = sum(resident.values()) - SETTINGS.idle_workers_mb * _MIB
        for _, worker, entries in sorted(idle, key=lambda each: each[0]):
            if excess <= 0:
                break
            excess -= resident[worker]
            entries.remove(worker)
            doomed.append(worker)
    pool.kill_workers(doomed)


@replaces(pool, "_worker_class_for", digest="b5a23849280a")
def _worker_class(original: Callable[..., Any], config: dict[str, Any]) -> Any:
    """Functions run on a bare interpreter with the runtime's packages, environment and search path"""
    return PythonWorker if str(config.get("Runtime", "")).startswith("python") else original(config)


@replaces(pool, "kill_workers", digest="56a6df63f9bd")
def _kill_workers(original: Callable[..., Any], workers: list[Any]) -> None:
    """An invocation in flight finishes on the old code when its function is updated or deleted"""
    with pool._lock:
        idle = []
        for worker in workers:
            if isinstance(worker, PythonWorker) and worker.in_use:
                worker.retired = True
            else:
                idle.append(worker)
    original(idle)


def _lease(config: dict[str, Any], code_zip: bytes) -> tuple[Any, bool]:
    """Return a free worker or a new one, and whether it is new; as many start at once as there are cores.

    A burst would start one for each request, and none would be ready in time. Those that wait for their turn
    to start one take whichever becomes free before.
    """
    name, version = config["FunctionName"], config.get("Version", "$LATEST")
    key = pool._worker_key(name, config, version)
    while True:
        with pool._lock:
            for worker in pool._workers.get(key, ()):
                if not worker.in_use:
                    worker.in_use, worker.last_used = True, time.time()
                    return worker, False
        if not _starting.acquire(timeout=0.02):
            continue
        try:
            worker, how = pool.acquire_worker(name, config, code_zip, qualifier=version)
            if how == "spawn" and isinstance(worker, PythonWorker):
                with suppress(OSError, RuntimeError, zipfile.BadZipFile):  # the invocation will say why
                    worker.start()
        finally:
            _starting.release()
        return worker, how == "spawn"


@replaces(lambda_svc, "_execute_function_warm", digest="62b9218bef5b")
def _execute(original: Callable[..., Any], func: dict[str, Any], event: Any, request_id: str) -> Any:
    """Errors keep class and stack trace and leave the worker warm; no answer waits for logs"""
    config = func.get("config") or func
    if not func.get("code_zip") or not str(config.get("Runtime", "")).startswith("python"):
        return original(func, event, request_id)
    lambda_svc._ensure_reaper_thread()
    worker, cold = _lease(config, func["code_zip"])
    environment = {
        "_X_AMZN_TRACE_ID": lambda_svc._xray_trace_id_for_invocation(config),
        "_ENGINE_INVOKE_DEPTH": str(lambda_svc._invoke_depth.get()),
    }
    try:
        outcome = worker.invoke(event, request_id, arn=config.get("FunctionArn", ""), environment=environment)
    except (OSError, RuntimeError, zipfile.BadZipFile) as error:
        _logger.exception("function %s cannot start", config["FunctionName"])
        outcome = {"error": {"errorType": "Runtime.Unknown", "errorMessage": str(error)}, "log": str(error)}
    finally:
        worker.last_used = time.time()
        with pool._lock:
            worker.in_use = False
            retired = worker.retired
        if retired:
            pool.kill_workers([worker])
        elif cold:
            _end_longest_idle()
    if "error" in outcome:
        return {"body": outcome["error"], "error": True, "function_error": "Unhandled", "log": outcome["log"]}
    return {"body": json.loads(outcome["result"]), "log": outcome["log"]}


pin(pool, "acquire_worker", "5017d144adb5")
pin(pool, "_worker_key", "0537100beb43")
pin(pool, "execution_credentials", "cffaadc4f396")
pin(lambda_svc, "_resolve_layer_zip", "447d3c3ec42c")
pin(lambda_svc, "_extract_zip_preserving_mode", "4172b5aedece")
pin(lambda_svc, "_execute_function_dispatch", "f62cd259213e")
