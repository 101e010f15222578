"""``python -m local.run ops.redrive``: run a command of ``ops`` on the suite of this checkout's engine.

Such a command works on a stack by name, with the environment that boto3 reads. Here that is the engine's: its
address, an administrator's credentials there, and nothing of the caller's own AWS set-up.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from local.deploy import STACK
from local.engine_process import EngineError, EngineProcess, aws_environment, clean_environment
from ops.paths import STATE
from ops.stacks import CommandError, reported

__all__ = ["main"]


def _engine_environment() -> dict[str, str]:
    """Return what AWS clients reach this checkout's engine with.

    Raises:
        CommandError: There is no engine that runs.
    """
    try:
        engine = EngineProcess.find(STATE)
    except EngineError as error:
        raise CommandError(str(error)) from error
    if engine is None:
        raise CommandError("The engine is down. `make up` starts it.")
    return aws_environment(engine.endpoint)


@reported
def main() -> int:
    """Run the command; its exit status."""
    parser = argparse.ArgumentParser(prog="local.run", description=__doc__)
    parser.add_argument("module", help="such as ops.redrive")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what it takes beside --stack")
    asked = parser.parse_args()
    command = [sys.executable, "-m", asked.module, "--stack", STACK, *asked.arguments]
    wants_help = not {"-h", "--help"}.isdisjoint(asked.arguments)
    environment = clean_environment() | ({} if wants_help else _engine_environment())
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
