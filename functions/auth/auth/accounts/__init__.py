"""What a client company can do with accounts: sign up, log in, change, merge, export and erase.

Every operation can be sent again: what is done already is answered as if it had been done now. Operations
that lose a race against another edit of the same record begin anew.
"""

from ._accounts import (
    change_password,
    edit,
    erase,
    export,
    forgot_password,
    log_in,
    merge,
    profile,
    reset_password,
    second_factor,
    sign_up,
    verify,
)
from ._mails import MailKind

__all__ = [
    "MailKind",
    "change_password",
    "edit",
    "erase",
    "export",
    "forgot_password",
    "log_in",
    "merge",
    "profile",
    "reset_password",
    "second_factor",
    "sign_up",
    "verify",
]
