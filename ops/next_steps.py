"""What to do after a deployment: the end of `make deploy`.

The template makes no people, and registers no application at the authentication: these are commands.
"""

from __future__ import annotations

import argparse
import sys

from ops.auth_clients import PAGE_CLIENT, is_registered
from ops.operators import GROUP
from ops.stacks import Client, Outputs, clients, outputs_of, reported

__all__ = ["main", "next_steps"]


def next_steps(stack: str, outputs: Outputs, client: Client) -> list[str]:
    """Return what is left to be done with a stack, a command and what it is for each."""
    steps = []
    people = client("cognito-idp")
    if not people.list_users_in_group(UserPoolId=outputs["UserPoolId"], GroupName=GROUP, Limit=1)["Users"]:
        steps.append(
            f"make operator STACK={stack} EMAIL=you@example.org   # the first who may sign in to the pages"
        )
    if "AuthApiUrl" in outputs and not is_registered(client, outputs, PAGE_CLIENT):
        steps.append(f"make clients STACK={stack} DO=add-page   # registers the page auth/ as an application")
    return steps


@reported
def main() -> int:
    """Print the steps for the stack on the command line."""
    parser = argparse.ArgumentParser(prog="ops.next_steps", description=__doc__)
    parser.add_argument("stack", help="name of the deployed stack")
    parser.add_argument("--region", help="AWS_REGION or the profile's by default")
    arguments = parser.parse_args()
    client = clients(arguments.region)
    outputs = outputs_of(arguments.stack, client)
    for number, step in enumerate(next_steps(arguments.stack, outputs, client)):
        print(f"{'next:' if number == 0 else '     '} {step}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
