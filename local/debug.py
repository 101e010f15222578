"""Have the next invocation of a function wait for a debugger: ``make debug F=Resize``, until Ctrl-C.

The engine starts the function's process anew, with debugpy on its path and in no other process. Time does not
run out for it. When the command ends, however it ends, the function is as it was.
"""

from __future__ import annotations

import argparse
import http.client
import importlib.util
import json
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from local.commands import deployed_suite, port_number
from local.functions import Function, find, functions_of
from local.progress import say
from ops.paths import ROOT
from ops.stacks import CommandError

__all__ = ["add_arguments", "attach_configuration", "listen_port", "run"]

_PORT = 5678  # debugpy's own


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--function", help="short name, logical id or name of the function")
    parser.add_argument("--listen", type=listen_port, default=_PORT, help="port for the debugger")


def listen_port(text: str) -> int:
    """Read the option `--listen`.

    Raises:
        CommandError: It is not a port that a program may listen on.
    """
    try:
        return port_number(text)
    except CommandError:
        raise CommandError(f"LISTEN={text} is not a port: a number from 1 to 65535 is") from None


def attach_configuration(function: Function, port: int, folders: dict[str, str]) -> dict[str, Any]:
    """Return the configuration of VS Code that attaches to the function.

    Args:
        function: Which.
        port: Where its process listens.
        folders: Where the engine has its code and its layers: `task_root`, `opt`.
    """
    here = "${workspaceFolder}"
    mappings = {
        folders["task_root"]: f"{here}/{function.code.strip('/')}",
        f"{folders['opt']}/python/shared": f"{here}/layers/shared/shared",
    }
    return {
        "name": f"Attach to {function.short}",
        "type": "debugpy",
        "request": "attach",
        "connect": {"host": "127.0.0.1", "port": port},
        "pathMappings": [{"localRoot": ours, "remoteRoot": its} for its, ours in mappings.items()],
        "justMyCode": False,
    }


def run(state: Path, arguments: argparse.Namespace, console: Console) -> int:
    """Have the function wait for debuggers until Ctrl-C."""
    suite = deployed_suite(state)
    functions = functions_of(suite)
    if not arguments.function:
        known = ", ".join(function.short for function in functions)
        raise CommandError(f"say which function: make debug F=<one of {known}>")
    function = find(functions, arguments.function)
    specification = importlib.util.find_spec("debugpy")
    if specification is None or specification.origin is None:
        raise CommandError("debugpy is missing: `make setup` installs it")
    with tempfile.TemporaryDirectory() as folder:
        # Nothing else of our tools may be on the function's path.
        (Path(folder) / "debugpy").symlink_to(Path(specification.origin).parent)
        asked = {"function": function.name, "port": arguments.listen, "path": folder}
        connection = http.client.HTTPConnection("127.0.0.1", suite.engine.port, timeout=None)
        connection.request("POST", "/_engine/debug", json.dumps(asked))
        answer = connection.getresponse()
        if answer.status != 200:
            raise CommandError(json.loads(answer.read())["message"])
        _tell(console, function, arguments.listen, json.loads(answer.readline()))
        try:
            while line := answer.readline():
                say(console, json.loads(line)["state"])
            say(console, "the engine has ended")
        except KeyboardInterrupt:
            console.print()
        finally:
            connection.close()  # which undoes it
    say(console, f"{function.short} runs as before")
    return 0


def _tell(console: Console, function: Function, port: int, folders: dict[str, str]) -> None:
    configuration = {"version": "0.2.0", "configurations": [attach_configuration(function, port, folders)]}
    say(console, f"The next invocation of {function.short} waits for a debugger at 127.0.0.1:{port}.")
    say(console, f"In VS Code: {(ROOT / '.vscode/launch.json')} with")
    say(console, json.dumps(configuration, indent=2))
    say(console, "Invoke it, attach. Ctrl-C ends debugging; the function runs as before then.")
