"""People who may read the operators' pages: `make operator EMAIL=ada@example.org STACK=suite-prod`.

The user pool has no self-service sign-up. An administrator makes an operator, with their own AWS credentials:
Cognito mails an invitation with a temporary password to a new address, and the account joins the group
`operators`.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ops.stacks import outputs_of

__all__ = ["GROUP", "add_operator", "main", "remove_operator"]

GROUP = "operators"


def add_operator(people: Any, pool: str, email: str, **invitation: str) -> bool:
    """Have an account in the group of operators; whether the account is new.

    Args:
        people: The boto3 client of Cognito's user pools.
        pool: Id of the operators' pool.
        email: Whose.
        invitation: Further arguments of AdminCreateUser, such as ``MessageAction``.
    """
    new = True
    attributes = [{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}]
    try:
        people.admin_create_user(UserPoolId=pool, Username=email, UserAttributes=attributes, **invitation)
    except people.exceptions.UsernameExistsException:
        new = False
    people.admin_add_user_to_group(UserPoolId=pool, Username=email, GroupName=GROUP)
    return new


def remove_operator(people: Any, pool: str, email: str) -> bool:
    """Take an account out of the group and end its sessions; False if there is no such account."""
    with suppress(people.exceptions.UserNotFoundException):
        people.admin_remove_user_from_group(UserPoolId=pool, Username=email, GroupName=GROUP)
        people.admin_user_global_sign_out(UserPoolId=pool, Username=email)
        return True
    return False


def main() -> int:
    """Add or remove the operator on the command line; 1 if that cannot be."""
    parser = argparse.ArgumentParser(prog="ops.operators", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("email")
    parser.add_argument("--remove", action="store_true", help="take the person out of the group")
    arguments = parser.parse_args()
    client: Any = boto3.client
    try:
        pool = outputs_of(arguments.stack, client)["UserPoolId"]
        people = client("cognito-idp")
        if arguments.remove:
            known = remove_operator(people, pool, arguments.email)
            # An ID token that is out already stays good until it expires, an hour at most.
            told = "is no operator any more" if known else "has no account"
            print(f"{arguments.email} {told}", file=sys.stdout if known else sys.stderr)
            return 0 if known else 1
        new = add_operator(people, pool, arguments.email)
    except (BotoCoreError, ClientError) as error:
        print(f"{arguments.stack}: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.email} is an operator" + ("; Cognito has mailed an invitation" if new else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
