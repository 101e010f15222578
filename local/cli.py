"""``make up | down | status | logs``: the engine and the suite on it, without the demo."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from local.deploy import STACK, SamError, build, deploy
from local.engine_process import EngineError, EngineProcess, disk_is_full, log_tail
from ops.paths import ROOT
from ops.publish import publish
from ops.stacks import CommandError, outputs_of

STATE = ROOT / ".local"


def up(port: int | None, console: Console) -> int:
    """Start the engine, deploy the suite, publish the pages."""
    with console.status("starting the engine"):
        engine, remark = EngineProcess.find_or_start(STATE, port)
    if remark:
        console.print(remark, highlight=False, soft_wrap=True)
    with console.status("sam build"):
        build(STATE / "build.log")
    with engine.needed():
        with console.status("sam deploy"):
            outputs = deploy(engine, STATE / "deploy.log")
        publish(outputs, engine.client)
        return status(console)


def down(console: Console) -> int:
    """Stop the engine and wipe what it held."""
    engine = EngineProcess.recorded(STATE)
    if engine is None:
        console.print("The engine is not up.")
    elif engine.stop():
        console.print("The engine is down; what it held is gone.")
    else:
        console.print(
            f"The engine had ended by itself; what it left is removed{engine.now_used_by()}.",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
    return 0


def status(console: Console) -> int:
    """Say whether the engine is up, and where everything is; 1 if it is down."""
    engine = EngineProcess.find(STATE)
    if engine is None:
        console.print("The engine is down. `make up` starts it.")
        return 1
    console.print(f"The engine is up at {engine.endpoint} (process {engine.pid}).", highlight=False)
    for name, value in sorted(outputs_of(STACK, engine.client).items()):
        console.print(f"  {name:<26} {value}", highlight=False, soft_wrap=True)
    if full := disk_is_full():
        console.print(f"What fails may do so because {full}.", style="red", highlight=False, soft_wrap=True)
    return 0


def logs(console: Console) -> int:
    """Print the log of an engine that ended by itself, the engine's, and the end of every function's log."""
    engine = EngineProcess.find(STATE)
    if engine is None:
        crashed = EngineProcess.recorded(STATE) is not None
        console.print(
            "The engine has ended by itself." if crashed else "The engine is down. `make up` starts it."
        )
    if kept := log_tail(STATE, crashed=True):
        _print_log(console, "the end of the log of an engine that had ended by itself", kept)
    if last := log_tail(STATE):
        _print_log(
            console, "the end of the engine's log" if engine else "the end of the last one's log", last
        )
    if engine is None:
        return 1
    client = engine.client("logs")
    for group in client.describe_log_groups()["logGroups"]:
        found = client.filter_log_events(logGroupName=group["logGroupName"], limit=1000)["events"][-50:]
        _print_log(console, group["logGroupName"], "\n".join(event["message"].rstrip() for event in found))
    return 0


def _print_log(console: Console, title: str, text: str) -> None:
    console.rule(title)
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def main() -> int:
    """Dispatch the command line."""
    parser = argparse.ArgumentParser(prog="local.cli", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status", "logs"])
    parser.add_argument("--port", type=int, help="port of an engine that is not up yet (4566)")
    arguments = parser.parse_args()
    console = Console()
    try:
        STATE.mkdir(exist_ok=True)
        if arguments.command == "up":
            return up(arguments.port, console)
        return {"down": down, "status": status, "logs": logs}[arguments.command](console)
    except Exception as error:
        full = disk_is_full()  # which shows in many ways
        if not (full or isinstance(error, EngineError | SamError | CommandError)):
            raise
        for line in filter(None, (str(error), full and f"Perhaps because {full}.")):
            console.print(line, style="red", highlight=False, markup=False, soft_wrap=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
