"""People who may read the operators' pages: `make operator EMAIL=ada@example.org STACK=suite-prod`.

The user pool has no self-service sign-up. An administrator makes an operator, with their own AWS credentials:
Cognito mails an invitation with a temporary password to a new address, and the account joins the group
`operators`. The password lasts as long as the pool's policy says (7 days by default); the same command has
another one mailed to somebody who has not used it.
"""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import suppress
from functools import partial
from typing import Any

from ops.stacks import CommandError, clients, outputs_of, reported

__all__ = ["GROUP", "add_operator", "main", "remove_operator"]

# As in layers/shared/shared/operators.py; a unit test holds them equal.
GROUP = "operators"


def add_operator(people: Any, pool: str, email: str) -> str:
    """Have an account in the group of operators; what Cognito has mailed, or nothing.

    Args:
        people: The boto3 client of Cognito's user pools.
        pool: Id of the operators' pool.
        email: Whose.
    """
    mailed = "an invitation"
    attributes = [{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}]
    # DesiredDeliveryMediums: "Specify EMAIL if email will be used to send the welcome message. [...] The
    # default value is SMS"; MessageAction: "Set to RESEND to resend the invitation message to a user that
    # already exists, and to reset the temporary-password duration with a new temporary password":
    # https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_AdminCreateUser.html
    invite = partial(
        people.admin_create_user, UserPoolId=pool, Username=email, DesiredDeliveryMediums=["EMAIL"]
    )
    try:
        invite(UserAttributes=attributes)
    except people.exceptions.UsernameExistsException:
        mailed = ""
        known = people.admin_get_user(UserPoolId=pool, Username=email)
        if known["UserStatus"] == "FORCE_CHANGE_PASSWORD":
            invite(MessageAction="RESEND")
            mailed = "another invitation: nobody had signed in with the first"
    people.admin_add_user_to_group(UserPoolId=pool, Username=email, GroupName=GROUP)
    return mailed


def remove_operator(people: Any, pool: str, email: str) -> bool:
    """Take an account out of the group and end its sessions; False if there is no such account."""
    with suppress(people.exceptions.UserNotFoundException):
        people.admin_remove_user_from_group(UserPoolId=pool, Username=email, GroupName=GROUP)
        people.admin_user_global_sign_out(UserPoolId=pool, Username=email)
        return True
    return False


@reported
def main() -> int:
    """Add or remove the operator on the command line; 1 if that cannot be."""
    parser = argparse.ArgumentParser(prog="ops.operators", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("email")
    parser.add_argument("--region", help="AWS_REGION or the profile's by default")
    parser.add_argument("--remove", action="store_true", help="take the person out of the group")
    arguments = parser.parse_args()
    email = arguments.email
    if not re.fullmatch(r"[^\s@]+@[^\s@]+", email):
        raise CommandError(f"{email!r} is not an e-mail address")
    client = clients(arguments.region)
    outputs = outputs_of(arguments.stack, client)
    pool, people = outputs["UserPoolId"], client("cognito-idp")
    if arguments.remove:
        if not remove_operator(people, pool, email):
            raise CommandError(f"{email} has no account")
        # An ID token that is out already stays good until it expires, an hour at most.
        print(f"{email} is no longer an operator")
        return 0
    page = f"{outputs['WebUrl']}/insights/"
    mailed = add_operator(people, pool, email)
    print(f"{email} is an operator of {page}" + (f"; Cognito has mailed {mailed}" if mailed else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
