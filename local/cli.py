"""``make up | down | status | logs | mails | watch | debug | shell``: the engine with the suite, and work."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import ModuleType

from rich.console import Console

from local import debug, logs, mails, shell, watch
from local.clients.person import DEMO_EMAIL, DEMO_PASSWORD
from local.commands import deployed_suite, port_number, reported, second_suite
from local.deploy import PEER, build
from local.engine_process import EngineProcess, disk_is_full
from local.live import put_again
from local.people import make_people
from local.progress import doing, say
from local.suite import deploy_both
from ops.paths import STATE
from ops.publish import publish

# Commands with a module of their own, which has `add_arguments` and `run`.
COMMANDS: dict[str, ModuleType] = {
    "logs": logs, "mails": mails, "watch": watch, "debug": debug, "shell": shell,
}  # fmt: skip
NEXT = {
    "make demo": "drives every application once",
    "make feed": "sends traffic for the insights; `make feed-posts` for the social stream",
    "make logs F=Resize": "shows what a function logs; `make status ALL=1` lists every address",
    "make watch": "has changed functions run within a second",
    "make down": "stops the suite and deletes its data",
}


def up(port: int | None, console: Console) -> int:
    """Start the engine, deploy the suite, publish the pages and make what they need.

    Interrupted, it stops the engine that it has started.
    """
    with doing(console, "starting the engine"):
        engine, remark = EngineProcess.find_or_start(STATE, port)
    if remark:
        say(console, remark)
    try:
        with doing(console, "sam build"):
            build(STATE / "build.log")
        with engine.needed():
            with doing(console, "sam deploy"):
                suite = deploy_both(engine, STATE)
            with doing(console, "publishing the pages"):
                publish(suite.outputs, engine.client)
                make_people(suite)
            if suite.second is not None:
                with doing(console, f"sam deploy in {PEER}"):
                    put_again(suite.second.result())
            put_again(suite)
    except KeyboardInterrupt:
        if engine.started_here:
            engine.stop()
        raise
    return status(console, everything=False)


def down(console: Console) -> int:
    """Stop the engine and wipe what it held."""
    engine = EngineProcess.recorded(STATE)
    if engine is None:
        console.print("The engine is not up.")
        return 0
    say(console, "Stopping the engine; that may take half a minute.")
    if engine.stop():
        console.print("The engine is down; what it held is gone.")
    else:
        say(console, f"The engine had ended by itself; what it left is removed{engine.now_used_by()}.")
    return 0


def status(console: Console, *, everything: bool) -> int:
    """Say where the suite is, how to sign in and what to do next; every address, too, if asked for."""
    suite = deployed_suite(STATE)
    say(console, f"The suite is up at {suite.engine.endpoint} (process {suite.engine.pid}).")
    say(console, f"  pages    {suite['WebUrl']}/")
    say(console, f"  sign in  {DEMO_EMAIL} with {DEMO_PASSWORD}")
    if everything:
        for each in filter(None, (suite, second_suite(suite))):
            say(console, f"{each.region}:")
            for name, value in sorted(each.outputs.items()):
                say(console, f"  {name:<26} {value}")
    else:
        console.print("Next:")
        for command, what in NEXT.items():
            say(console, f"  {command:<20} {what}")
    if full := disk_is_full():
        say(console, f"What fails may do so because {full}.", "red")
    return 0


def _port_remark(state: Path, port: int | None) -> str:
    """Say that the port that somebody gives to a command is not the engine's."""
    engine = EngineProcess.recorded(state) if port else None
    if engine is None or engine.port == port or not engine.answers():
        return ""
    return f"The engine of this checkout is at {engine.endpoint}, not at PORT={port}."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="local.cli", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--port", type=port_number, help="port of an engine that is not up yet (4566)")
    for name, what in (("up", up.__doc__), ("down", down.__doc__)):
        commands.add_parser(name, parents=[common], help=str(what).partition("\n")[0])
    shown = commands.add_parser("status", parents=[common], help="say where everything is")
    shown.add_argument("--all", action="store_true", help="every output of the stack")
    for name, module in COMMANDS.items():
        module.add_arguments(
            commands.add_parser(name, parents=[common], help=str(module.__doc__).partition("\n")[0])
        )
    return parser


@reported
def main() -> int:
    """Dispatch the command line."""
    arguments = _parser().parse_args()
    console = Console()
    STATE.mkdir(exist_ok=True)
    if arguments.command == "up":
        return up(arguments.port, console)
    if arguments.command == "down":
        return down(console)
    if remark := _port_remark(STATE, arguments.port):
        say(Console(stderr=True), remark)
    if arguments.command == "status":
        return status(console, everything=arguments.all)
    result: int = COMMANDS[arguments.command].run(STATE, arguments, console)
    return result


if __name__ == "__main__":
    sys.exit(main())
