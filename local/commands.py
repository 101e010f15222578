"""What the local commands share: how they find the suite, what ports are, and how they report what fails."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from local.deploy import PEER, STACK, SamError
from local.engine_process import EngineError, EngineProcess, disk_is_full
from local.progress import say
from local.suite import Suite
from ops.stacks import CommandError, outputs_of

__all__ = ["deployed_suite", "port_number", "reported", "running", "second_suite"]

_DOWN = "The engine is down. `make up` starts it."
_INTERRUPTED = 130  # what shells give for SIGINT


def port_number(text: str) -> int:
    """Read the option `--port`.

    Raises:
        CommandError: It is not a port that a program may listen on.
    """
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65_536):
        raise CommandError(f"PORT={text} is not a port: a number from 1 to 65535 is")
    return int(text)


def running(state: Path) -> EngineProcess:
    """Return the engine of a checkout.

    Raises:
        CommandError: It does not run.
    """
    engine = EngineProcess.find(state)
    if engine is None:
        raise CommandError(_DOWN)
    return engine


def deployed_suite(state: Path) -> Suite:
    """Return the suite of a checkout.

    Raises:
        CommandError: The engine does not run, or nothing is deployed to it.
    """
    engine = running(state)
    try:
        return Suite(engine, outputs_of(STACK, engine.client))
    except CommandError as error:
        raise CommandError(
            f"The engine is up at {engine.endpoint}, without the suite. `make up` deploys it."
        ) from error


def second_suite(suite: Suite) -> Suite | None:
    """Return the authentication in the second region; None if it is not there."""
    with suppress(CommandError):
        outputs = outputs_of(STACK, functools.partial(suite.engine.client, region=PEER))
        return Suite(suite.engine, outputs, region=PEER)
    return None


def reported(command: Callable[[], int]) -> Callable[[], int]:
    """Have a command report what it cannot do, and being interrupted, without a traceback.

    A full disk shows in many ways: then whatever fails is reported.
    """

    @functools.wraps(command)
    def wrapped() -> int:
        console = Console(stderr=True)
        try:
            return command()
        except KeyboardInterrupt:
            say(console, "interrupted")
            return _INTERRUPTED
        except Exception as error:
            full = disk_is_full()
            known = EngineError | SamError | CommandError | BotoCoreError | ClientError | OSError
            if not (full or isinstance(error, known)):
                raise
            for line in filter(None, (str(error), full and f"Perhaps because {full}.")):
                say(console, line, "red")
            return 1

    return wrapped
