"""Imports the lines of a job: a run changes accounts, a dry run only notes what it would have changed."""

from collections.abc import Callable
from typing import Any

from shared.http import BusyError, PermanentHttpError

from ..services import Records
from ..storage import AccountSummary, Alias, DryRunOwner, LostRaceError, User, UserStatus, Write
from .decisions import Accounts, Decision, decide, summarised
from .lines import Line, read

__all__ = ["DryRun", "Importer", "Note"]

_TRIES = 4

type Note = Callable[[Decision], Write | None]
"""What is written beside what becomes of a line, in the same transaction."""


def _no_note(_: Decision) -> None:
    """Write nothing beside it."""


class Importer:
    """Imports the lines of one job.

    Args:
        records: The records.
        company: The company of the importing client, or `*` for any.
    """

    def __init__(self, records: Records, company: str) -> None:
        self._records, self._company = records, company

    def take(self, text: bytes, note: Note = _no_note) -> dict[str, Any]:
        """Import a line; `result`, and `code`, `user_id`, `with`, `phone_taken` where there is such a thing.

        Args:
            text: The line, without its end.
            note: What to write beside it, if it changes anything.

        Raises:
            BusyError: Not now.
        """
        try:
            line = read(self._records, text, self._company)
            for _ in range(_TRIES):
                try:
                    return self._settle(line, note).report()
                except LostRaceError:
                    continue
        except PermanentHttpError as error:
            return {"result": "refused", "code": error.code}
        raise BusyError("busy", "An account is being changed right now.")

    def _settle(self, line: Line, note: Note) -> Decision:
        accounts = Accounts(self._records)
        decision = decide(line, accounts)
        if decision.result == "merged":
            self._join(line, decision, accounts, note)
        elif decision.result == "created" and decision.other:
            self._take_address(line, decision, accounts, note)
        elif decision.result in ("created", "conflict"):
            self._records.store.commit(*self._new(line, decision), note(decision))
        return decision

    def _new(self, line: Line, decision: Decision) -> list[Write]:
        """The writes of a new account."""
        records, aliases = self._records, self._records.store.aliases
        status: UserStatus = "active" if decision.result == "created" else "conflict"
        phone = line.phone.index if line.phone else ""
        new = User(line.account, status, None, line.email.index, phone, epoch=records.new_epoch())
        _, save = records.close(None, new, line.document)
        writes = [save, records.store.audit.add(line.account, "import", self._company)]
        if decision.result == "created":
            writes.append(aliases.claim(line.email, line.account, decision.other or None))
        if decision.claims_phone and line.phone:
            writes.append(aliases.claim(line.phone, line.account, decision.other or None))
        return writes

    def _take_address(self, line: Line, decision: Decision, accounts: Accounts, note: Note) -> None:
        """Make a new account of an address that another one has unverified, and loses.

        Whatever shows that somebody is the person of the latter is void by its new epoch.
        """
        records = self._records
        loser, theirs = accounts.open(decision.other)
        taken = line.phone if decision.claims_phone else None
        _, demoted = records.close(loser, records.without_address(loser, theirs, taken), theirs)
        audit = records.store.audit.add(loser.id, "demote", self._company)
        records.store.commit(demoted, *self._new(line, decision), audit, note(decision))
        records.store.commit_each(records.store.users.delete_belongings(loser.id))

    def _join(self, line: Line, decision: Decision, accounts: Accounts, note: Note) -> None:
        """Have a line join an account; the id that the line would have made leads to it.

        The account's epoch stays: an import must not end everybody's sessions, and its password proves the
        person of an address that is verified on both sides.
        """
        records = self._records
        owner, theirs = accounts.open(decision.user)
        theirs.absorb(owner.id, line.account, line.document, records.reading(theirs.latest))
        if line.phone and not owner.phone_index:
            filled = {name: line.document[name] for name in ("phone", "phone_verified")}
            theirs.edit(filled, records.now_ms, records.region)
            owner = owner.but(phone_index=line.phone.index)
        _, save = records.close(owner, owner, theirs)
        joined = User(
            line.account,
            "merged",
            None,
            ts=records.reading(""),
            merged_into=owner.id,
            epoch=records.new_epoch(),
        )
        claimed = None
        if decision.claims_phone and line.phone:
            claimed = records.store.aliases.claim(line.phone, owner.id)
        records.store.commit(
            save,
            records.store.users.save(joined.written_in(records.region), None),
            records.store.audit.add(owner.id, "import_merge", self._company),
            claimed,
            note(decision),
        )


class DryRun(Importer):
    """Says what would become of the lines of one job, and notes it for the lines that come later.

    Args:
        records: The records.
        company: The company of the importing client, or `*` for any.
        job: The job.
    """

    def __init__(self, records: Records, company: str, job: str) -> None:
        super().__init__(records, company)
        self._job = job

    def _settle(self, line: Line, note: Note) -> Decision:
        accounts = _DryAccounts(self._records, self._job)
        decision = decide(line, accounts)
        if decision.result == "merged":
            theirs = accounts.summary(decision.user)
            joined = theirs._replace(
                phone=theirs.phone or (line.phone.index if line.phone else ""),
                ids=theirs.ids | {line.account},
                cost=theirs.cost + line.cost,
            )
            accounts.save(decision.user, joined)
            accounts.save(line.account, AccountSummary(merged_into=decision.user))
        elif decision.result in ("created", "conflict"):
            made = summarised(self._records, self._user(line), line.document)
            accounts.save(line.account, made)
        if decision.result == "created":
            accounts.give(line.email, line.account)
        if decision.claims_phone and line.phone:
            accounts.give(line.phone, decision.user)
        if accounts.writes:
            self._records.store.commit(*accounts.writes, note(decision))
        return decision

    def _user(self, line: Line) -> User:
        return User(line.account, "active", None, line.email.index, line.phone.index if line.phone else "")


class _DryAccounts(Accounts):
    """The accounts that a line of a dry run meets: as its earlier lines would have left them."""

    def __init__(self, records: Records, job: str) -> None:
        super().__init__(records)
        self._job, self._dry_runs = job, records.store.dry_runs
        self._revisions: dict[Alias, int] = {}
        self.writes: list[Write] = []

    def owner(self, alias: Alias) -> str | None:
        found = self._dry_runs.owner(self._job, alias)
        if found is None:
            return super().owner(alias)
        self._revisions[alias] = found.revision
        return found.user or None

    def find(self, user: str) -> str | None:
        found = self._dry_runs.account(self._job, user)
        if found is None:
            return super().find(user)
        return found.merged_into or user

    def summary(self, user: str) -> AccountSummary:
        return self._dry_runs.account(self._job, user) or super().summary(user)

    def save(self, user: str, account: AccountSummary) -> None:
        """Note an account."""
        self.writes.append(self._dry_runs.save_account(self._job, user, account))

    def give(self, alias: Alias, user: str) -> None:
        """Note whose an identifier would be, that was looked at before; empty for nobody's."""
        owner = DryRunOwner(user, self._revisions.get(alias, 0))
        self.writes.append(self._dry_runs.save_owner(self._job, alias, owner))
