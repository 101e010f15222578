"""The deployed suite as the demo and the integration tests see it."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import requests

from local.clients.browse import session
from local.deploy import PEER, STACK, deploy, deploy_region
from local.engine_process import REGION, EngineProcess
from ops.paths import ROOT, STATE
from ops.stacks import CommandError, outputs_of

__all__ = ["Suite", "deploy_both", "suite_after"]


@dataclass(eq=False)
class Suite:
    """A running engine with the suite on it.

    Attributes:
        engine: Where it runs.
        outputs: The stack's outputs by name: the suite's public interface.
        http: Session for the websites and APIs.
        full: Whether the demo drives it in its long form.
        region: Where in it the stack is.
        second: The authentication in the second region, once it is deployed; None if nobody deploys it.
    """

    engine: EngineProcess
    outputs: dict[str, str]
    http: requests.Session = field(default_factory=session)
    full: bool = False
    region: str = REGION
    second: Future[Suite] | None = None

    def __getitem__(self, output: str) -> str:
        return self.outputs[output]

    @lru_cache  # noqa: B019 - lives as long as the process
    def client(self, service: str) -> Any:
        """Return the boto3 client of ``service``, in this region, with an administrator's credentials."""
        return self.engine.client(service, self.region)


def deploy_both(engine: EngineProcess, logs: Path) -> Suite:
    """Deploy the suite, and begin to deploy its authentication in a second region, which goes on beside.

    The second region copies the key of the blind indexes from the first one, and so comes after it.

    Args:
        engine: Where.
        logs: Folder for what `sam deploy` says.

    Returns:
        The suite; `second` gives the other region's once it is there, or raises what failed.

    Raises:
        EngineError: At the engine's address there is no engine any more, or another one.
        SamError: The deployment failed.
    """
    suite = Suite(engine, deploy(engine, logs / "deploy.log", AuthPeerRegion=PEER))
    if "AuthApiUrl" not in suite.outputs:
        return suite
    second: Future[Suite] = Future()

    def run() -> None:
        try:
            outputs = deploy_region(engine, logs / f"deploy-{PEER}.log", PEER, REGION)
        except BaseException as error:  # noqa: BLE001 - raised where somebody waits for it
            second.set_exception(error)
        else:
            second.set_result(Suite(engine, outputs, region=PEER))

    threading.Thread(target=run, daemon=True, name=f"deploy {PEER}").start()  # Ctrl-C does not wait for it
    suite.second = second
    return suite


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
