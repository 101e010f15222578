"""Storage: the key schema of the users table, and the only access to it.

Keys, prefixes and attribute values are known here and nowhere else: the rest of the application gives and
takes the values below. Each private module is one kind of item; its docstring is the schema.

    Store               the table: `store.users`, `store.sessions`, ..., and `commit`
    Write               what `commit` takes
    Outbox              the local engine's table of mails that are not sent

Errors besides those of `errors`::

    LostRaceError       the condition of a write did not hold
"""

from ._aliases import Alias, Attempts, Holding
from ._audit import AuditEntry, NoticeKind
from ._browsers import BrowserSession, cookie_hash
from ._clients import ClientRecord
from ._codes import AuthorizationCode
from ._counters import CounterName
from ._dry_runs import AccountSummary, DryRunOwner
from ._export_jobs import ExportJob, ExportState
from ._grants import Grant
from ._import_jobs import LINE_RESULTS, ImportJob, ImportPart, ImportUpload, JobState, LineResult
from ._mail_tokens import MailKind, MailToken
from ._outbox import Outbox, OutboxMail
from ._requests import Once
from ._sessions import Session
from ._store import Store
from ._table import Change, LostRaceError, Write, change_of
from ._users import CLAIMED, SHOWN, User, UserStatus, user_key, user_of_key

__all__ = [
    "CLAIMED",
    "LINE_RESULTS",
    "SHOWN",
    "AccountSummary",
    "Alias",
    "Attempts",
    "AuditEntry",
    "AuthorizationCode",
    "BrowserSession",
    "Change",
    "ClientRecord",
    "CounterName",
    "DryRunOwner",
    "ExportJob",
    "ExportState",
    "Grant",
    "Holding",
    "ImportJob",
    "ImportPart",
    "ImportUpload",
    "JobState",
    "LineResult",
    "LostRaceError",
    "MailKind",
    "MailToken",
    "NoticeKind",
    "Once",
    "Outbox",
    "OutboxMail",
    "Session",
    "Store",
    "User",
    "UserStatus",
    "Write",
    "change_of",
    "cookie_hash",
    "user_key",
    "user_of_key",
]
