"""What the feeders begin with: the suite that is up, and somebody to look at what they feed."""

from __future__ import annotations

from local.clients.person import DEMO_EMAIL, DEMO_PASSWORD, PersonAt
from local.commands import deployed_suite
from local.suite import Suite
from ops.applications import owner
from ops.paths import STATE
from ops.stacks import CommandError

__all__ = ["suite_to_feed"]


def suite_to_feed(output: str) -> Suite:
    """Return the suite that is up, and print where to look at it.

    Args:
        output: Names the stream that will be fed.

    Raises:
        CommandError: None is up, or the application of the stream is not deployed.
    """
    suite = deployed_suite(STATE)
    application = owner(output)
    if output not in suite.outputs:
        raise CommandError(f"{application.switch} is off: set it in [local] of samconfig.toml, and `make up`")
    PersonAt(suite, DEMO_EMAIL, DEMO_PASSWORD)
    page = f"{suite['WebUrl']}/insights/?app={application.folder}"
    print(f"Look at it: {page} (sign in as {DEMO_EMAIL}, {DEMO_PASSWORD})")
    return suite
