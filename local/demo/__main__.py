"""``make demo``: build, deploy locally, drive every application, show a table, leave the suite up."""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from local.clients.person import DEMO_EMAIL, DEMO_PASSWORD
from local.demo.checks import Checks, Result
from local.deploy import STACK, SamError, build, deploy
from local.engine_process import EngineError, EngineProcess, disk_is_full
from local.suite import Suite
from ops.applications import contents
from ops.paths import ROOT
from ops.publish import publish

STATE = ROOT / ".local"


class Drive(Protocol):
    """A module of this folder, named as the application that it drives.

    Attributes:
        FLOW: What it follows, for the table.
        PAGE: Where to look, below the pages' address.
        STEPS: Its number of checks.
        BESIDE: May be absent. True of what waits for the clock and minds no faults that others inject: it is
            driven beside the others.
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


def main() -> int:
    """Run the demo; 0 if every flow passed."""
    parser = argparse.ArgumentParser(prog="local.demo", description=__doc__)
    parser.add_argument("--port", type=int, help="port of an engine that is not up yet (4566)")
    parser.add_argument(
        "--full", action="store_true", help="the long form: 100,000 posts through the social stream"
    )
    arguments = parser.parse_args()
    console = Console()
    started = time.perf_counter()
    try:
        with Progress(
            SpinnerColumn(), TextColumn("[bold]{task.description:<44.44}"), BarColumn(), MofNCompleteColumn(),
            TimeElapsedColumn(), console=console,
        ) as progress:  # fmt: skip
            suite = _up(progress, arguments.port, arguments.full)
            found = drives()
            with ThreadPoolExecutor(max_workers=1) as beside:
                waiting = {
                    name: beside.submit(_drive, progress, suite, name, module)
                    for name, module in found.items()
                    if getattr(module, "BESIDE", False)
                }
                results = [
                    waiting[name].result() if name in waiting else _drive(progress, suite, name, found[name])
                    for name in sorted(found, key=lambda name: name in waiting)
                ]
    except Exception as error:
        if not (isinstance(error, EngineError | SamError) or disk_is_full()):
            raise
        console.print(f"[red]The demo could not start:[/red] {error}", highlight=False)
        _show_full_disk(console)
        return 1

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
    console.print(f"Sign in to insights/ and auth/ as {DEMO_EMAIL} with {DEMO_PASSWORD}", highlight=False)


def _show_full_disk(console: Console) -> None:
    if full := disk_is_full():
        console.print(f"[red]What failed may be so because {full}.[/red]", highlight=False)


def _drive(progress: Progress, suite: Suite, name: str, module: Drive) -> Result:
    """Drive one application; a bar with a step for each check."""
    result = Result(name, module.FLOW, module.PAGE, f"{suite['WebUrl']}/{module.PAGE}")
    bar = progress.add_task(name, total=module.STEPS)
    checks = Checks(result, lambda what: progress.update(bar, advance=1, description=f"{name}: {what}"))
    with checks.timed():
        module.drive(suite, checks)
    done = len(result.checked) + len(result.failed)
    progress.update(bar, description=name, total=done, completed=done)
    return result


def _up(progress: Progress, port: int | None, full: bool) -> Suite:
    """Start the engine unless it is up, build, deploy and publish; a bar with a step for each."""
    bar = progress.add_task("engine", total=4)
    engine, remark = EngineProcess.find_or_start(STATE, port)
    if remark:
        progress.console.print(remark, highlight=False)
    progress.update(bar, advance=1, description="sam build")
    build(STATE / "build.log")
    progress.update(bar, advance=1, description="sam deploy")
    with engine.needed():
        outputs = deploy(engine, STATE / "deploy.log")
        progress.update(bar, advance=1, description="pages")
        publish(outputs, engine.client)
    progress.update(bar, advance=1, description="engine, build, deploy, pages")
    return Suite(engine, outputs, full=full)


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
    Path(STATE).mkdir(exist_ok=True)
    sys.exit(main())
