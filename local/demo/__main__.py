"""``make demo``: build, deploy locally, drive every application, show a table, leave the suite up."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from rich.console import Console
from rich.table import Table

from local.clients.person import DEMO_EMAIL, DEMO_PASSWORD
from local.commands import port_number, reported
from local.demo.checks import Checks, Result
from local.deploy import STACK, build
from local.engine_process import EngineProcess, disk_is_full
from local.live import put_again
from local.people import make_people
from local.progress import Bars, say
from local.suite import Suite, deploy_both
from ops.applications import contents, deployed_applications
from ops.paths import STATE
from ops.publish import publish


class Drive(Protocol):
    """A module of this folder, named as the application that it drives.

    Attributes:
        FLOW: What it follows, for the table.
        PAGE: Where to look, below the pages' address.
        STEPS: Its number of checks.
        BESIDE: May be absent. True of what waits for the clock and minds no faults that others inject: it is
            driven beside the others.
        NEEDS: May be absent. Outputs of the stack that not every deployment of the application has.
    """

    FLOW: str
    PAGE: str
    STEPS: int

    def drive(self, suite: Suite, checks: Checks) -> None:
        """Use the application, and check what it does."""


def drives() -> dict[str, Drive]:
    """Return the drives by application, in the template's order."""
    names = [application.folder for application in contents()]
    return {
        name: cast(Drive, import_module(f"local.demo.{name}"))
        for name in names
        if find_spec(f"local.demo.{name}")
    }


@reported
def main() -> int:
    """Run the demo; 0 if every flow passed."""
    parser = argparse.ArgumentParser(prog="local.demo", description=__doc__)
    parser.add_argument("--port", type=port_number, help="port of an engine that is not up yet (4566)")
    parser.add_argument(
        "--full", action="store_true", help="the long form: 100,000 posts through the social stream"
    )
    arguments = parser.parse_args()
    STATE.mkdir(exist_ok=True)
    console = Console()
    started = time.perf_counter()
    with Bars(console) as bars:
        suite = _up(bars, arguments.port, arguments.full)
        found = deployed(suite, drives())
        for name in drives().keys() - found.keys():
            say(console, f"{name}: skipped, as it is not deployed")
        results = _drive_all(bars, suite, found)
        if suite.second is not None:
            put_again(suite.second.result())  # however little was driven, both regions are up
    _show(console, results)
    report = {
        "stack": STACK,
        "seconds": round(time.perf_counter() - started, 1),
        "outputs": suite.outputs,
        "applications": [asdict(result) | {"ok": result.ok} for result in results],
    }
    try:
        (STATE / "demo.json").write_text(json.dumps(report, indent=2))
    except OSError as error:
        console.print(f"[red].local/demo.json is not written:[/red] {error}", highlight=False)
    up = suite.engine.answers()
    _show_state(console, results, up=up)
    _show_full_disk(console)
    console.print(f"{report['seconds']} s in all; the same as JSON in .local/demo.json", highlight=False)
    return 0 if results and all(result.ok for result in results) and up else 1


def deployed(suite: Suite, found: dict[str, Drive]) -> dict[str, Drive]:
    """Return those drives whose application is deployed: it, or what it needs, may be switched off."""
    on = deployed_applications(suite.outputs)
    return {
        name: module
        for name, module in found.items()
        if name in on and all(output in suite.outputs for output in getattr(module, "NEEDS", ()))
    }


def _drive_all(bars: Bars, suite: Suite, found: dict[str, Drive]) -> list[Result]:
    """Drive one application after another, and beside them those that wait for the clock."""
    waiting = {name: module for name, module in found.items() if getattr(module, "BESIDE", False)}
    ended: list[Result] = []

    def wait_for_the_clock() -> None:
        ended.extend(_drive(bars, suite, name, module) for name, module in waiting.items())

    # A daemon: Ctrl-C waits for no clock.
    beside = threading.Thread(target=wait_for_the_clock, daemon=True)
    beside.start()
    results = [_drive(bars, suite, name, module) for name, module in found.items() if name not in waiting]
    beside.join()
    return results + ended


def _show_state(console: Console, results: list[Result], *, up: bool) -> None:
    """Say where everything is; of an engine that has ended, only that."""
    if not up:
        console.print(
            "\n[red]The engine has ended by itself, and the suite with it: `make logs` shows why, "
            "`make demo` begins again.[/red]"
        )
        return
    console.print("\nThe suite is up; `make down` stops it.")
    for result in results:
        console.print(f"  {result.application}: {result.address}", soft_wrap=True, highlight=False)
    say(console, f"Sign in to the pages as {DEMO_EMAIL} with {DEMO_PASSWORD}")


def _show_full_disk(console: Console) -> None:
    if full := disk_is_full():
        console.print(f"[red]What failed may be so because {full}.[/red]", highlight=False)


def _drive(bars: Bars, suite: Suite, name: str, module: Drive) -> Result:
    """Drive one application; a bar with a step for each check."""
    result = Result(name, module.FLOW, module.PAGE, f"{suite['WebUrl']}/{module.PAGE}")
    bar = bars.begin(name, module.STEPS)
    checks = Checks(result, lambda what: bars.advance(bar, what))
    with checks.timed():
        module.drive(suite, checks)
    bars.end(bar)
    return result


def _up(bars: Bars, port: int | None, full: bool) -> Suite:
    """Start the engine unless it is up, build, deploy, publish, make people; a bar with a step for each."""
    bar = bars.begin("engine, build, deploy, pages", 4)
    engine, remark = EngineProcess.find_or_start(STATE, port)
    if remark:
        say(bars.console, remark)
    try:
        bars.advance(bar, "sam build")
        build(STATE / "build.log")
        bars.advance(bar, "sam deploy")
        with engine.needed():
            suite = deploy_both(engine, STATE)
            suite.full = full
            bars.advance(bar, "pages")
            publish(suite.outputs, engine.client)
            put_again(suite)
            make_people(suite)
    except KeyboardInterrupt:
        if engine.started_here:
            engine.stop()
        raise
    bars.end(bar)
    return suite


def _show(console: Console, results: list[Result]) -> None:
    table = Table(title="What the demo did", expand=False)
    for column, justify in (("application", "left"), ("flow", "left"), ("checked", "right"), ("ms", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    table.add_column("where to look")
    for result in results:
        count = f"[green]{len(result.checked)} ok" if result.ok else f"[red]{len(result.failed)} failed"
        table.add_row(result.application, result.flow, count, f"{result.milliseconds:.0f}", result.page)
    console.print(table)
    for result in results:
        for failure in result.failed:
            console.print(f"[red]{result.application}[/red]: {failure}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
