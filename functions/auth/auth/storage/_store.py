"""The users table by kinds of items, and the transaction in which they are written.

Whatever a request changes is written in one transaction, together with the request's own item
(`answered requests`): a signed request that is replayed, or two that race, change nothing.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

from shared.clients import small_client
from shared.http import BusyError, HttpError, UnauthorizedError

from ._aliases import Aliases
from ._audit import AuditTrail
from ._browsers import BrowserSessions
from ._clients import ClientRecords
from ._codes import AuthorizationCodes
from ._counters import Counters
from ._devices import Devices
from ._dry_runs import DryRuns
from ._export_jobs import ExportJobs
from ._grants import Grants
from ._import_jobs import ImportJobs
from ._import_lines import ImportLines
from ._leases import Leases
from ._mail_tokens import MailTokens
from ._requests import Once, answered
from ._sessions import Sessions
from ._table import LostRaceError, Table, Write
from ._totp_steps import TotpSteps
from ._users import Users

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["Store"]

_MAX_WRITES = 100  # of one transaction


class Store:
    """The users table.

    Args:
        dynamodb: A DynamoDB client.
        table: The table's name.
        now: Seconds since the epoch.

    Attributes:
        aliases: Whose an identifier is, and how its log-ins went.
        audit: The trail of who did what.
        browsers: Sessions in browsers.
        clients: Client companies.
        codes: Authorization codes.
        counters: What is counted in windows of time.
        devices: Devices that people logged in from.
        dry_runs: What a dry run of an import would have made.
        exports: Jobs of exports.
        grants: What a person granted to applications.
        import_lines: Lines of imports of several files that were taken.
        imports: Jobs of imports, and their parts.
        leases: Who does what only one may do at a time.
        mail_tokens: Single-use tokens of mails.
        sessions: Families of refresh tokens.
        totp_steps: Codes of second factors that were used.
        users: Accounts.
    """

    def __init__(self, dynamodb: "DynamoDBClient", table: str, now: Callable[[], float] = time.time) -> None:
        self._table = Table(dynamodb, table, now)
        self.aliases = Aliases(self._table)
        self.audit = AuditTrail(self._table)
        self.browsers = BrowserSessions(self._table)
        self.clients = ClientRecords(self._table)
        self.codes = AuthorizationCodes(self._table)
        self.counters = Counters(self._table)
        self.devices = Devices(self._table)
        self.dry_runs = DryRuns(self._table)
        self.exports = ExportJobs(self._table)
        self.grants = Grants(self._table)
        self.import_lines = ImportLines(self._table)
        self.imports = ImportJobs(self._table)
        self.leases = Leases(self._table)
        self.mail_tokens = MailTokens(self._table)
        self.sessions = Sessions(self._table)
        self.totp_steps = TotpSteps(self._table)
        self.users = Users(self._table)

    @classmethod
    def connect(cls, table: str) -> Self:
        """The table of that name in this region."""
        return cls(small_client("dynamodb"), table)

    @classmethod
    def elsewhere(cls, table: str, client: Callable[[str], Any]) -> Self:
        """The table of that name in another region, of which `client` gives a service's client."""
        return cls(client("dynamodb"), table)

    def ping(self) -> None:
        """Read something.

        Raises:
            BusyError: The table does not answer.
        """
        self.clients.get("health")

    def commit(self, *writes: Write | None, once: Once | None = None) -> None:
        """Write all or nothing.

        Args:
            writes: What is to be written; None is nothing.
            once: The request that causes it.

        Raises:
            UnauthorizedError: The request was answered before.
            LostRaceError: The condition of one of the writes does not hold.
            BusyError: The table throttles or cannot be reached; nothing is written.
        """
        wanted = [each for each in writes if each is not None]
        if once is not None:
            wanted.append(answered(once))
        if not wanted:
            return
        try:
            self._table.transact(wanted)
        except LostRaceError as error:
            if once is not None and len(wanted) - 1 in error.lost:
                raise UnauthorizedError("invalid_client", "The request is not accepted.") from error
            raise

    @contextmanager
    def remembering(self, once: Once | None) -> Iterator[None]:
        """Have a signed request be good once, too, where what is done within refuses it.

        Args:
            once: The request; None for none.
        """
        try:
            yield
        except HttpError as error:
            if once is not None and error.status < 500:
                with suppress(BusyError, UnauthorizedError):  # not now, or it was written with the refusal
                    self.commit(once=once)
            raise

    def commit_each(self, writes: Sequence[Write]) -> None:
        """Write many things of which each stands for itself, such as deletes."""
        for start in range(0, len(writes), _MAX_WRITES):
            self.commit(*writes[start : start + _MAX_WRITES])
