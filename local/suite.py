"""The deployed suite as the demo and the integration tests see it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import requests

from local.clients.browse import session
from local.deploy import STACK
from local.engine_process import REGION, EngineProcess
from ops.paths import ROOT, STATE
from ops.stacks import CommandError, outputs_of

__all__ = ["Suite", "suite_after"]


@dataclass(eq=False)
class Suite:
    """A running engine with the suite on it.

    Attributes:
        engine: Where it runs.
        outputs: The stack's outputs by name: the suite's public interface.
        http: Session for the websites and APIs.
        full: Whether the demo drives it in its long form.
        region: Where in it the stack is.
    """

    engine: EngineProcess
    outputs: dict[str, str]
    http: requests.Session = field(default_factory=session)
    full: bool = False
    region: str = REGION

    def __getitem__(self, output: str) -> str:
        return self.outputs[output]

    @lru_cache  # noqa: B019 - lives as long as the process
    def client(self, service: str) -> Any:
        """Return the boto3 client of ``service``, in this region, with an administrator's credentials."""
        return self.engine.client(service, self.region)


def suite_after(module: str, *arguments: str, port: int | None) -> Suite:
    """Run a command that brings this checkout's suite up; the suite.

    Args:
        module: Of the command.
        arguments: What it takes beside the port.
        port: Of an engine that is not up yet; the command's own default if None.

    Raises:
        CommandError: It fails, and has said why.
    """
    options = [] if port is None else ["--port", str(port)]
    done = subprocess.run([sys.executable, "-m", module, *arguments, *options], cwd=ROOT, check=False)
    engine = EngineProcess.find(STATE)
    if done.returncode or engine is None:
        raise CommandError(f"{module} failed: its own message says why.")
    return Suite(engine, outputs_of(STACK, engine.client))
