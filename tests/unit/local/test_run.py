"""Commands of `ops` on the local suite: the engine's environment, and nothing of the caller's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local import run
from local.deploy import STACK
from local.engine_process import EngineProcess, aws_environment

ENGINE = EngineProcess(Path("nowhere"), 4599, 1)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """Commands and their environments, in place of running them; each has the exit status 3."""
    noted: list[tuple[list[str], dict[str, str]]] = []

    def note(command: list[str], *, env: dict[str, str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        noted.append((command, env))
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(subprocess, "run", note)
    return noted


def test_command_gets_the_local_stack_and_the_engine_alone(
    ran: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EngineProcess, "find", lambda _: ENGINE)
    monkeypatch.setattr(sys, "argv", ["local.run", "ops.auth_clients", "add", "shop", "--title", "The Shop"])
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_SQS", "AWS_REGION"):
        monkeypatch.setenv(name, "the caller's")
    monkeypatch.setenv("KEPT", "as it is")
    assert run.main() == 3
    [(command, environment)] = ran
    assert command[1:] == ["-m", "ops.auth_clients", "--stack", STACK, "add", "shop", "--title", "The Shop"]
    of_aws = {name: value for name, value in environment.items() if name.startswith("AWS_")}
    assert of_aws == aws_environment(ENGINE.endpoint)
    assert environment["KEPT"] == "as it is"


def test_help_needs_no_engine(
    ran: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EngineProcess, "find", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["local.run", "ops.auth_clients", "--help"])
    assert run.main() == 3
    monkeypatch.setattr(sys, "argv", ["local.run", "ops.auth_clients", "list"])
    assert run.main() == 1
    assert len(ran) == 1
