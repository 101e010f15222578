"""The stack that a command is for: one on AWS by name, or the suite on this checkout's engine."""

from __future__ import annotations

from local.deploy import STACK
from local.process import ROOT, EngineError, EngineProcess
from ops.stacks import Client, CommandError, Outputs, clients, outputs_of

__all__ = ["target"]

STATE = ROOT / ".local"


def target(stack: str | None, region: str | None = None) -> tuple[Client, Outputs]:
    """Return what gives boto3's clients, and the stack's outputs.

    Args:
        stack: A stack on AWS, with the caller's credentials; the local suite if None.
        region: The stack's; as for :func:`ops.stacks.region_of`.

    Raises:
        CommandError: There is no such stack, or no engine that runs.
    """
    if stack is not None:
        client = clients(region)
        return client, outputs_of(stack, client)
    try:
        engine = EngineProcess.find(STATE)
    except EngineError as error:
        raise CommandError(str(error)) from error
    if engine is None:
        raise CommandError("The engine is down. `make up` starts it.")
    return engine.client, outputs_of(STACK, engine.client)
