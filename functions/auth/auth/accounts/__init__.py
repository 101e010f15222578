"""What a client company can do with accounts: sign up, log in, change, merge, export and erase.

Every operation can be sent again: what is done already is answered as if it had been done now. Operations
that lose a race against another edit of the same record begin anew.
"""

from ._endings import erase, erasure, merge, merge_accounts
from ._log_in import log_in, second_factor
from ._passwords import change_password, forgot_password, reset_password
from ._profiles import edit, profile
from ._recovery import recover
from ._registration import sign_up, verify

__all__ = [
    "change_password",
    "edit",
    "erase",
    "erasure",
    "forgot_password",
    "log_in",
    "merge",
    "merge_accounts",
    "profile",
    "recover",
    "reset_password",
    "second_factor",
    "sign_up",
    "verify",
]
