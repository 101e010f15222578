"""What the feeders begin with: the suite that is up, and somebody to look at what they feed."""

from __future__ import annotations

from local.clients.person import DEMO_EMAIL, DEMO_PASSWORD, PersonAt
from local.deploy import STACK
from local.engine_process import EngineError, EngineProcess
from local.suite import Suite
from ops.paths import ROOT
from ops.stacks import CommandError, outputs_of

__all__ = ["suite_to_feed"]


def suite_to_feed() -> Suite | None:
    """Return the suite that is up, and print where to look at it; None, with a sentence, if none is."""
    try:
        engine = EngineProcess.find(ROOT / ".local")
        if engine is None:
            print("The engine is down. `make up` starts it.")
            return None
        suite = Suite(engine, outputs_of(STACK, engine.client))
    except (EngineError, CommandError) as error:
        print(error)
        return None
    PersonAt(suite, DEMO_EMAIL, DEMO_PASSWORD)
    print(f"Look at it: {suite['WebUrl']}/insights/ (sign in as {DEMO_EMAIL}, {DEMO_PASSWORD})")
    return suite
