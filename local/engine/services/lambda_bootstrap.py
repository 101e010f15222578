"""Lambda's Python runtime as a function sees it; runs in the functions' interpreter, standard library alone.

Arguments: descriptor to answer on, path of the layers' merged folder (AWS: ``/opt``). Invocations come in as
JSON lines on standard input; what the function prints goes to standard output and error, which the
engine turns into log events.
"""

from __future__ import annotations

import decimal
import importlib
import json
import logging
import math
import os
import sys
import time
import traceback
from typing import Any, TextIO

# Lambda refuses larger answers of synchronous invocations.
_LARGEST_ANSWER = 6_291_556


class _Context:
    """The context object."""

    identity = None
    client_context = None
    tenant_id = None

    def __init__(self, invocation: dict[str, Any]) -> None:
        self.aws_request_id: str = invocation["request_id"]
        self.invoked_function_arn: str = invocation["function_arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline: float = invocation["deadline"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.time()) * 1000))

    def log(self, message: object) -> None:
        sys.stdout.write(str(message))


class _LogHandler(logging.Handler):
    """The root logger's handler, in the format that the function's LoggingConfig asks for."""

    request_id = ""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json
        formatter = logging.Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
        )
        formatter.converter = time.gmtime
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        record.aws_request_id = self.request_id
        if not self._as_json:
            print(self.format(record))
            return
        line = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": self.request_id,
        }
        if record.exc_info and record.exc_info[0]:
            line["errorType"] = record.exc_info[0].__name__
            line["errorMessage"] = str(record.exc_info[1])
            line["stackTrace"] = traceback.format_tb(record.exc_info[2])  # type: ignore[assignment]
        print(json.dumps(line))


class _InitError(Exception):
    """The handler cannot be loaded; carries AWS's error type."""

    def __init__(self, kind: str, message: str, stack: list[str]) -> None:
        super().__init__(message)
        self.kind, self.stack = kind, stack


def _load_handler() -> Any:
    module_name, _, name = os.environ["_HANDLER"].rpartition(".")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        raise _InitError("Runtime.ImportModuleError", message, []) from error
    except SyntaxError as error:
        message = f"Syntax error in module '{module_name}': {error}"
        raise _InitError(
            "Runtime.UserCodeSyntaxError", message, traceback.format_tb(error.__traceback__)[-1:]
        ) from error
    handler = getattr(module, name, None)
    if handler is None:
        raise _InitError("Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module_name}'", [])
    return handler


def _report_lineage() -> None:
    """Have botocore name the invocation's depth to the engine, which stops recursive loops as Lambda does.

    Only once the function has imported botocore itself: importing it here would cost every cold start 150 ms.
    """
    handlers = sys.modules.get("botocore.handlers")
    if handlers is None or hasattr(handlers, "_engine_lineage"):
        return

    def add_depth(params: dict[str, Any], **_: Any) -> None:
        params["headers"].setdefault("X-Ministack-Invoke-Depth", os.environ.get("_ENGINE_INVOKE_DEPTH", "0"))

    handlers._engine_lineage = True  # type: ignore[attr-defined]
    handlers.BUILTIN_HANDLERS.append(("before-call", add_depth))


def _debugger() -> Any:
    """Return debugpy, listening, in the process of a function that is debugged; None in all others."""
    port = os.environ.get("_ENGINE_DEBUG_PORT")
    if port is None:
        return None
    debugpy = importlib.import_module("debugpy")
    debugpy.listen(("127.0.0.1", int(port)))
    return debugpy


def _json_default(value: object) -> float:
    if isinstance(value, decimal.Decimal):
        return math.nan if value.is_nan() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _plain(value: Any) -> Any:
    """Return an answer as simplejson, which the runtime uses, reads it.

    Bytes are text in UTF-8, as keys too; named tuples are objects.
    """
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {
            name.decode() if isinstance(name, bytes) else name: _plain(each) for name, each in value.items()
        }
    as_object = getattr(value, "_asdict", None)
    if isinstance(value, tuple) and callable(as_object):
        return _plain(as_object())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _error(kind: str, message: str, request_id: str, stack: list[str], *, as_json: bool) -> dict[str, Any]:
    """Log an error as the runtime does and return the invocation's error payload."""
    error = {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": stack}
    if as_json:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        print(json.dumps({"timestamp": now, "log_level": "ERROR"} | error))
    else:
        trace = "Traceback (most recent call last):\n" + "".join(stack) if stack else ""
        print(f"[ERROR] {kind}: {message}\n{trace}".rstrip())
    return error


def _invoke(handler: Any, invocation: dict[str, Any], *, as_json: bool) -> dict[str, Any]:
    context = _Context(invocation)
    request_id = context.aws_request_id
    try:
        result = handler(invocation["event"], context)
    except Exception as error:  # noqa: BLE001 - every error of a function is its answer
        frames = traceback.format_tb(error.__traceback__)[1:]
        return {"error": _error(type(error).__name__, str(error), request_id, frames, as_json=as_json)}
    try:
        text = json.dumps(_plain(result), ensure_ascii=False, default=_json_default)
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, RecursionError):
            error = ValueError("Circular reference detected")
        message = f"Unable to marshal response: {error}"
        return {"error": _error("Runtime.MarshalError", message, request_id, [], as_json=as_json)}
    if len(text.encode(errors="surrogatepass")) > _LARGEST_ANSWER:
        message = f"Response payload size exceeded maximum allowed payload size ({_LARGEST_ANSWER} bytes)."
        return {"error": _error("Function.ResponseSizeTooLarge", message, request_id, [], as_json=as_json)}
    return {"result": text}


def _answer(stream: TextIO, message: dict[str, Any]) -> None:
    # Output first: whoever has read the answer then finds all of the output already written.
    sys.stdout.flush()
    sys.stderr.flush()
    stream.write(json.dumps(message) + "\n")
    stream.flush()


def main() -> None:
    """Load the handler, then answer invocations until standard input ends."""
    answers = os.fdopen(int(sys.argv[1]), "w")
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    # A function that reads standard input must not eat its next invocation.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, encoding="utf-8", errors="replace")  # type: ignore[union-attr]

    opt = sys.argv[2]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    # AWS's order: the function, then its layers, then the runtime.
    sys.path[:0] = [
        os.environ["LAMBDA_TASK_ROOT"],
        f"{opt}/python/lib/{version}/site-packages",
        f"{opt}/python",
    ]
    as_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"
    log_handler = _LogHandler(as_json=as_json)
    logging.getLogger().addHandler(log_handler)
    if as_json:
        logging.getLogger().setLevel(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "INFO"))
    sys.argv[:] = [""]

    debugger = _debugger()
    try:
        handler = _load_handler()
    except _InitError as error:
        _answer(answers, {"error": _error(error.kind, str(error), "", error.stack, as_json=as_json)})
        return
    except Exception as error:  # noqa: BLE001 - whatever the module raises while it loads
        frames = traceback.format_tb(error.__traceback__)[-1:]
        _answer(answers, {"error": _error(type(error).__name__, str(error), "", frames, as_json=as_json)})
        return
    _answer(answers, {"ready": True})

    for line in requests:
        invocation = json.loads(line)
        for name, value in invocation["environment"].items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        log_handler.request_id = invocation["request_id"]
        _report_lineage()
        if debugger is not None and not debugger.is_client_connected():
            debugger.wait_for_client()
        _answer(answers, _invoke(handler, invocation, as_json=as_json))


if __name__ == "__main__":
    main()
