"""A shell whose tools work on the suite that is up: ``make shell``; or one line, ``DO='sam list ...'``.

It has our tools on PATH, the engine's address, credentials and region, our packages on PYTHONPATH, and
nothing of the person's own AWS set-up. `aws`, where it is installed, is told the address by its option: early
releases of version 1 do not read the variable.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path
from shlex import quote

from rich.console import Console

from local.commands import running
from local.engine_process import aws_environment, clean_environment
from local.progress import say
from ops.paths import ROOT

__all__ = ["add_arguments", "environment", "run"]

_AWS = 'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }\n'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--command", dest="line", help="run this line and end, with its status")


def environment(endpoint: str) -> dict[str, str]:
    """Return the environment of the shell."""
    clean = clean_environment()
    packages = [ROOT, ROOT / "layers/shared", *sorted((ROOT / "functions").iterdir())]
    return (
        clean
        | aws_environment(endpoint)
        | {
            "PATH": f"{ROOT / '.venv/tools/bin'}:{clean['PATH']}",
            "PYTHONPATH": ":".join(map(str, packages)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SAM_CLI_TELEMETRY": "0",
        }
    )


def run(state: Path, arguments: argparse.Namespace, console: Console) -> int:
    """Run the shell, or the line; its status."""
    engine = running(state)
    if arguments.line:
        command = ["bash", "-c", _AWS + arguments.line]
        return subprocess.run(command, env=environment(engine.endpoint), check=False).returncode
    say(console, f"A shell on the suite at {engine.endpoint}; `exit` leaves it.")
    with tempfile.TemporaryDirectory() as folder:
        shell = os.environ.get("SHELL", "bash")
        if Path(shell).name == "zsh":
            own = Path(os.environ.get("ZDOTDIR", Path.home())) / ".zshrc"
            (Path(folder) / ".zshrc").write_text(f"{_source(own)}{_AWS}PROMPT='(suite) '$PROMPT\n")
            more, command = {"ZDOTDIR": folder}, [shell, "-i"]
        else:
            (Path(folder) / "rc").write_text(
                f"{_source(Path.home() / '.bashrc')}{_AWS}PS1='(suite) '${{PS1-'$ '}}\n"
            )
            more, command = {}, ["bash", "--rcfile", str(Path(folder) / "rc"), "-i"]
        path = environment(engine.endpoint)["PATH"]
        with (Path(folder) / (".zshrc" if more else "rc")).open("a") as file:
            file.write(f"export PATH={quote(path)}\n")  # whatever the person's own file makes of it
        return subprocess.run(command, env=environment(engine.endpoint) | more, check=False).returncode


def _source(file: Path) -> str:
    return f"[ -f {quote(str(file))} ] && . {quote(str(file))}\n"
