"""Have what changes in functions/, layers/shared and web/ on the engine within a second: ``make watch``.

A source that does not compile is reported, and the old code stays. What is neither code of a function nor a
page needs `make up`: the template, OpenAPI documents, state machines, dependencies.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from local.commands import deployed_suite, second_suite
from local.functions import functions_of
from local.live import SHARED, put, syntax_error
from local.progress import say
from local.suite import Suite
from ops.paths import ROOT
from ops.publish import publish
from ops.stacks import CommandError

__all__ = ["add_arguments", "changes", "folder_of", "run", "state_of"]

_PAUSE_S = 0.15
_WEB = "web"
_MOST_NAMES = 8
type _State = dict[Path, tuple[int, int]]


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """It takes nothing."""


def state_of(folders: Iterable[Path]) -> _State:
    """Return time of change and size of every source below folders."""
    return {path: (stat.st_mtime_ns, stat.st_size) for folder in folders for path, stat in _walk(folder)}


def _walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.startswith((".", "__pycache__")) or entry.name.endswith(("~", ".pyc")):
            continue
        if entry.is_dir():
            yield from _walk(Path(entry.path))
        else:
            try:
                yield Path(entry.path), entry.stat()
            except FileNotFoundError:  # an editor's temporary file
                continue


def changes(before: _State, after: _State) -> set[Path]:
    """Return the files that are new, different or gone."""
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def folder_of(path: Path) -> str:
    """Return what is put for a file: `functions/<app>`, `layers/shared`, `web`; empty for none."""
    parts = path.relative_to(ROOT).parts
    if parts[0] == _WEB:
        return _WEB
    if path.suffix == ".yaml" or len(parts) < 3:
        return ""  # part of the template
    if parts[:3] == ("layers", "shared", "shared"):
        return SHARED
    return "/".join(parts[:2]) if parts[0] == "functions" else ""


def run(state: Path, _arguments: argparse.Namespace, console: Console) -> int:
    """Watch until Ctrl-C."""
    suite = deployed_suite(state)
    functions_of(suite)  # reads the template, once
    folders = [ROOT / "functions", ROOT / SHARED, ROOT / _WEB]
    before = state_of(folders)
    say(console, f"watching {len(before)} files of functions/, {SHARED}/ and {_WEB}/; Ctrl-C ends it")
    waiting: set[Path] = set()
    try:
        while True:
            time.sleep(_PAUSE_S)
            after = state_of(folders)
            if changed := changes(before, after):
                before = after
                waiting = _put(suite, waiting | changed, console)
    except KeyboardInterrupt:
        console.print()
        return 0


def _put(suite: Suite, changed: set[Path], console: Console) -> set[Path]:
    """Put what has changed on the engine; return the files that wait until sources compile."""
    begun = time.monotonic()
    moment = f"{datetime.now(UTC):%H:%M:%S}"
    others = sorted(path.relative_to(ROOT).as_posix() for path in changed if not folder_of(path))
    if others:
        say(console, f"{moment} {', '.join(others)}: `make up` deploys it")
    waiting: set[Path] = set()
    for folder in sorted({folder_of(path) for path in changed} - {""}):
        mine = {path for path in changed if folder_of(path) == folder}
        if wrong := syntax_error(sorted(path for path in mine if path.suffix == ".py")):
            say(console, f"{moment} {wrong}; the old code stays", "red")
            waiting |= mine
            continue
        try:
            done = _put_folder(suite, folder)
        except (CommandError, BotoCoreError, ClientError, OSError) as error:
            say(console, f"{moment} {error}", "red")
        else:
            say(console, f"{moment} {folder}: {done} ({time.monotonic() - begun:.1f} s)")
    return waiting


def _put_folder(suite: Suite, folder: str) -> str:
    """Put one folder; return what it is the code of."""
    if folder == _WEB:
        return f"{publish(suite.outputs, suite.engine.client)} objects"
    functions = put(suite.engine, functions_of(suite), folder)
    if (second := second_suite(suite)) is not None:
        put(suite.engine, functions_of(second), folder, second.region)
    if len(functions) > _MOST_NAMES:
        return f"{len(functions)} functions"
    return ", ".join(function.short for function in functions) or "no function that is deployed"
