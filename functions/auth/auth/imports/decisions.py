"""What becomes of a line of an import, decided alike in a run and in a dry run.

created    nobody had the address; or somebody had it unverified, and lost it to this verified line (`with`)
merged     an account has the address, verified on both: the line's password and profile join it
conflict   an account has the address (`with`), and it is not verified on both: the line becomes an account
           without a log-in, which a merge can join later
already    the line was imported before
erased     it was, and the person was erased since
refused    the line says something that cannot be; `code` names it
"""

from dataclasses import dataclass
from typing import Any

from shared.http import BadRequestError, GoneError, NotFoundError

from ..credentials import legacy
from ..identity import Document
from ..services import Records
from ..storage import AccountSummary, Alias, LineResult, User
from .lines import Line, account_id

__all__ = ["Accounts", "Decision", "decide", "summarised"]

_MAX_IDS = 50  # of one person: the record has to fit into an item of 400 KB


@dataclass(frozen=True)
class Decision:
    """What becomes of a line.

    Attributes:
        result: In a word.
        user: The account that the line is in, or becomes.
        other: The account that has the address, or loses it; empty for none.
        phone_taken: The account that has the phone number; empty if that is nobody else.
        claims_phone: Whether the account gets the phone number, to log in with.
    """

    result: LineResult
    user: str
    other: str = ""
    phone_taken: str = ""
    claims_phone: bool = False

    def report(self) -> dict[str, Any]:
        """The entry of the report."""
        members = {"user_id": self.user, "with": self.other, "phone_taken": self.phone_taken}
        return {"result": self.result} | {name: value for name, value in members.items() if value}


class Accounts:
    """The accounts that a line meets: those of the table.

    Args:
        records: The records.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._opened: dict[str, tuple[User, Document]] = {}

    def owner(self, alias: Alias) -> str | None:
        """Whose an identifier is; None for nobody's."""
        return self._records.store.aliases.owner(alias)

    def find(self, user: str) -> str | None:
        """The account that an id leads to; None if there never was one.

        Raises:
            GoneError: It was erased.
        """
        try:
            return self._records.find(user).id
        except NotFoundError:
            return None

    def open(self, user: str) -> tuple[User, Document]:
        """An account and what is known of the person, read once."""
        if user not in self._opened:
            found = self._records.find(user)
            self._opened[user] = found, self._records.open(found)
        return self._opened[user]

    def summary(self, user: str) -> AccountSummary:
        """What has to be known of an account."""
        return summarised(self._records, *self.open(user))


def summarised(records: Records, user: User, document: Document) -> AccountSummary:
    """What an import has to know of an account."""
    verified = {index for index, _ in document.family("email_also")}
    if document["email_verified"]:
        verified.add(user.email_index)
    return AccountSummary(
        frozenset(verified),
        user.phone_index,
        frozenset(account_id(records, company, person) for company, person in document.origins()),
        legacy.total_cost(document.old_hashes().values()),
    )


def decide(line: Line, accounts: Accounts) -> Decision:
    """What becomes of a line.

    Raises:
        BadRequestError: It cannot join the account that it belongs to.
    """
    try:
        known = accounts.find(line.account)
    except GoneError:
        return Decision("erased", "")
    if known is not None:
        return Decision("already", known)
    owner = accounts.owner(line.email)
    phone_owner = accounts.owner(line.phone) if line.phone else None
    is_verified = bool(line.document["phone_verified"])
    if owner is None:
        return Decision(
            "created", line.account, "", phone_owner or "", claims_phone=is_verified and phone_owner is None
        )
    theirs = accounts.summary(owner)
    if line.account in theirs.ids:
        return Decision("already", owner)
    if not line.document["email_verified"]:
        return Decision("conflict", line.account, owner, phone_owner or "")
    if line.email.index in theirs.verified:
        _check_join(line, theirs)
        claims = is_verified and phone_owner is None and not theirs.phone
        taken = phone_owner if phone_owner != owner else None
        return Decision("merged", owner, "", taken or "", claims_phone=claims)
    # Who loses the address loses the number too, unless another address is verified as theirs.
    taken = phone_owner if phone_owner != owner or theirs.verified else None
    return Decision("created", line.account, owner, taken or "", claims_phone=is_verified and taken is None)


def _check_join(line: Line, theirs: AccountSummary) -> None:
    if line.cost and theirs.cost + line.cost > 1000 * legacy.MAX_COST:
        # `passwords.verify` would never come to the dearest of them.
        raise BadRequestError("legacy_hashes_too_costly", "The person's old hashes cost too much together.")
    if len(theirs.ids) >= _MAX_IDS:
        raise BadRequestError("too_many_ids", f"The person has {_MAX_IDS} ids in companies' systems already.")
