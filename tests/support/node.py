"""JavaScript under Node.js: functions of CloudFront, and other people's packages.

Packages are installed once from `tests/interop/package-lock.json`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.npm import NpmError, installed
from ops.paths import ROOT

__all__ = ["INSTALLED", "Ask", "EdgeFunction", "edge_function", "install", "running"]

type Ask = Callable[[dict[str, Any]], dict[str, Any]]
"""Gives a script a job, and returns its answer."""
type EdgeFunction = Callable[[str, list[str]], dict[str, Any]]
"""Gives a viewer-request function a path and headers `Accept`; the request or response that it returns."""

SOURCE = ROOT / "tests/interop"
INSTALLED = ROOT / ".local/interop"


@contextmanager
def running(script: str) -> Iterator[Ask]:
    """Run a script of `tests/interop` that answers lines of JSON; skips the test without Node.js."""
    install()
    with _started(INSTALLED / script) as ask:
        yield ask


@contextmanager
def edge_function(code: str) -> Iterator[EdgeFunction]:
    """Run a viewer-request function of CloudFront; skips the test without Node.js.

    Events have the form of
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html.
    """
    if not shutil.which("node"):
        pytest.skip("no Node.js: 'apt install nodejs' or 'brew install node'")
    with _started(SOURCE / "cloudfront_function.mjs") as ask:

        def call(path: str, accept: list[str]) -> dict[str, Any]:
            header: dict[str, Any] = {"value": accept[0]} if accept else {}
            if len(accept) > 1:
                header["multiValue"] = [{"value": value} for value in accept]
            request = {
                "method": "GET",
                "uri": path,
                "querystring": {},
                "headers": {"accept": header} if accept else {},
                "cookies": {},
            }
            context = {"eventType": "viewer-request"}
            event = {"version": "1.0", "context": context, "viewer": {"ip": "::1"}, "request": request}
            return ask({"code": code, "event": event})

        yield call


@contextmanager
def _started(script: Path) -> Iterator[Ask]:
    with subprocess.Popen(
        ["node", script.name], cwd=script.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def ask(job: dict[str, Any]) -> dict[str, Any]:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
            return answer

        yield ask


def install() -> None:
    """Install what the lock file says, once; skips the test where that cannot be."""
    try:
        installed(SOURCE)
    except NpmError as error:
        pytest.skip(str(error))
