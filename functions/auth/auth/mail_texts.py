"""The catalogue of mails: subjects and texts, in English.

`{title}` is the company's name, `{link}` its page with the token of the mail, or the bare token, and `{when}`
a time in UTC.
"""

from datetime import UTC, datetime

from .storage import MailKind, NoticeKind

__all__ = ["MAIL_KINDS", "NOTICE_KINDS", "compose_mail", "compose_notice", "recovery_text"]

_NOT_YOU = (
    "\nIf it was not you, choose a new password at {title} now: that ends every session and makes every link "
    "and code void. Then look whether your address and your second factor are still yours.\n"
)

_MAILS: dict[MailKind, tuple[str, str]] = {
    "verify": (
        "Confirm your e-mail address",
        "Somebody, probably you, made an account with this address at {title}.\n"
        "To confirm that it is yours:\n\n{link}\n\nThis is good for a day. If it was not you, do nothing.\n",
    ),
    "email": (
        "Confirm your new e-mail address",
        "This address was entered as the new address of an account at {title}.\n"
        "To confirm that it is yours:\n\n{link}\n\nThis is good for a day. If it was not you, do nothing.\n",
    ),
    "known": (
        "You already have an account",
        "Somebody, probably you, wanted to make an account with this address at {title}.\n"
        "There is one already. If you forgot its password, or never finished, choose a new one:\n\n{link}\n\n"
        "This is good for an hour. If it was not you, do nothing.\n",
    ),
    "reset": (
        "Choose a new password",
        "A new password for your account was asked for at {title}. To choose one:\n\n{link}\n\n"
        "This is good for an hour. If it was not you, do nothing: the old password stays.\n",
    ),
    "approve": (
        "Your e-mail address is to be changed",
        "A new e-mail address was entered for your account at {title}:\n\n{about}\n\n"
        "To change to it, and to let the present address go:\n\n{link}\n\n"
        "This is good for a day. If it was not you, do nothing: the present address stays.\n",
    ),
    "recovery": (
        "Your account is to be reset",
        "{title} was told that somebody, probably you, can no longer get into your account. From {when} on "
        "the company can change this:\n\n{about}\n\n"
        "If it was you, do nothing. If it was not you, or you need it no longer, stop it:\n\n{link}\n\n"
        "A new password stops it, too.\n",
    ),
}
_NOTICES: dict[NoticeKind, tuple[str, str]] = {
    "new_password": ("Your password was changed", "The password of your account was changed."),
    "new_address": (
        "Your e-mail address was changed",
        "The e-mail address of your account was changed. The old and the new one get this mail.",
    ),
    "factor_on": (
        "Your second factor was turned on",
        "From now on your account needs a code of an authenticator app besides the password.",
    ),
    "factor_off": (
        "Your second factor was turned off",
        "Your account needs no code besides the password any more.",
    ),
    "new_recovery_codes": (
        "You have new recovery codes",
        "New recovery codes were made for your account. The old ones are no longer good.",
    ),
    "recovery_code_used": (
        "A recovery code was used",
        "A recovery code was used in place of a code of your authenticator app. It is good no longer.",
    ),
    "locked": (
        "Log-ins to your account are locked for a while",
        "Too many log-ins with a wrong password or code were tried. Log-ins with this address or number are "
        "refused for a while. A new password by mail opens the lock.",
    ),
    "merged": (
        "Your accounts are one now",
        "Two accounts with the same verified address or telephone number were made one.",
    ),
    "recovery_done": (
        "Your account was reset",
        "The reset of your account that was asked for has been applied: the lost second factor was taken "
        "away, or a new e-mail address can be confirmed.",
    ),
    "recovery_cancelled": (
        "The reset of your account was stopped",
        "The reset of your account that was asked for will not be applied.",
    ),
    "new_device": (
        "A log-in from a new device",
        "Somebody, probably you, logged in to your account from where nobody did in the last 90 days.",
    ),
}

MAIL_KINDS = frozenset(_MAILS)
"""Mails with a token that can be composed."""
NOTICE_KINDS = frozenset(_NOTICES)
"""Mails without one."""


def compose_mail(kind: MailKind, title: str, link: str, due: int, about: str = "") -> tuple[str, str]:
    """Subject and text of a mail with a token.

    Args:
        kind: Which mail.
        title: In whose name.
        link: Where the token is to be taken, or the bare token.
        due: When a reset that is announced can be applied, seconds since the epoch; any for the other mails.
        about: The new address that an `approve` lets in; what a reset that is announced changes.
    """
    subject, text = _MAILS[kind]
    when = _shown(datetime.fromtimestamp(due, UTC))
    return subject, text.format(title=title, link=link, when=when, about=about)


def recovery_text(email: str, *, second_factor: bool) -> str:
    """What a delayed reset changes, a line each.

    Args:
        email: The main address that is to be; empty if it stays.
        second_factor: Whether the second factor and the recovery codes go.
    """
    factor = ["The second factor and its recovery codes are taken away."] if second_factor else []
    return "\n".join(factor + ([f"The e-mail address becomes {email}."] if email else []))


def compose_notice(kind: NoticeKind, title: str, at: str) -> tuple[str, str]:
    """Subject and text of a mail without a token.

    Args:
        kind: What happened.
        title: By which company or application.
        at: When; ISO 8601 in UTC.
    """
    subject, text = _NOTICES[kind]
    where = "\n\nWhen: {when}\nBy: {title}\n"
    return subject, (text + where + _NOT_YOU).format(title=title, when=_shown(datetime.fromisoformat(at)))


def _shown(when: datetime) -> str:
    return f"{when:%d %B %Y, %H:%M:%S} UTC"
