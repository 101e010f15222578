"""Sends accounts to the other region, joins what both have written, and settles what follows.

An account goes in one transaction with its identifiers: one that is free there becomes the account's, for one
that another account has it waits. Whose a contested identifier is, is decided in each region alike: who has
shown that it is theirs comes first, then who had it first. Two accounts that both have shown it are one
person's, and merged.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from botocore.exceptions import ClientError

from shared.envelope import EnvelopeError, KeyRefusedError, KeyUnavailableError
from shared.http import BusyError, InternalError

from ..accounts import erasure, merge_accounts
from ..identity import Document
from ..services import Records
from ..storage import SHOWN, Alias, Holding, LostRaceError, Store, User, UserStatus, Write, user_of_key
from ._joining import Known, Order, base_status, joined, joined_version, order
from ._peers import Peer

__all__ = [
    "KeyTroubleError",
    "NotYetError",
    "Replication",
    "TableTroubleError",
    "UnreplicableError",
]

type Outcome = Literal["sent", "known", "joined", "nothing"]
"""The other region has it now; it had it already, or something newer; both had written; there is no such."""

_RACES = 8
_MOST_WAITING = 10  # for an address: an import may have thousands of lines with one
_LIVE = frozenset({"unverified", "active", "conflict"})


class TableTroubleError(Exception):
    """A table does not take or give an account now."""


class KeyTroubleError(Exception):
    """A key does not wrap or unwrap an account now."""


class NotYetError(Exception):
    """Another account that this one refers to has not come from the other region yet."""


class UnreplicableError(Exception):
    """An account cannot be sent, now or ever; says why."""


class Replication:
    """Replicates accounts of this region.

    Args:
        records: The records of this region.
        find_peer: Gives the other region.
    """

    def __init__(self, records: Records, find_peer: Callable[[], Peer]) -> None:
        self._records, self._find_peer = records, find_peer
        self._store = records.store

    def replicate(self, key: str) -> Outcome:
        """Settle an account or an identifier in this region, and send an account to the other one.

        Args:
            key: Partition key of the account's or the alias's item; always the newest is taken.

        Raises:
            TableTroubleError: Not now, because of a table.
            KeyTroubleError: Not now, because of a key.
            NotYetError: Not before another account has come.
            UnreplicableError: Never.
        """
        try:
            return self._replicate(key)
        except BusyError as error:
            trouble = KeyTroubleError if error.code == "key_unavailable" else TableTroubleError
            raise trouble(error.code) from error
        except (KeyUnavailableError, KeyRefusedError) as error:
            raise KeyTroubleError(str(error)) from error
        except (EnvelopeError, InternalError) as error:
            if isinstance(error.__cause__, KeyRefusedError):  # such as to a role that is new
                raise KeyTroubleError(str(error.__cause__)) from error
            raise UnreplicableError(f"{type(error).__name__}: {error}") from error
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ValidationException":  # an item of more than 400 kB
                raise UnreplicableError(f"{code}: {error.response['Error'].get('Message')}") from error
            raise TableTroubleError(code) from error

    def _replicate(self, key: str) -> Outcome:
        if user := user_of_key(key):
            return self._replicate_user(user)
        self._settle_alias(Alias.of_text(key))
        return "nothing"

    def _replicate_user(self, user_id: str) -> Outcome:
        waits: NotYetError | None = None
        try:
            user = self._settle_user(user_id)
        except NotYetError as error:
            user, waits = self._store.users.get(user_id), error
        if user is None:
            return "nothing"
        for text in self._records.claims(user):
            self._settle_claim(Alias.of_text(text), user)
        outcome = self._send(user.id)
        if waits is not None:
            raise waits
        return outcome

    # ---- to the other region

    def _send(self, user_id: str) -> Outcome:
        peer = self._find_peer()
        outcome: Outcome = "sent"
        past: Mapping[str, int] = {}  # the version there that this one has gone past
        for _ in range(_RACES):
            mine = self._store.users.get(user_id)
            if mine is None:
                return "nothing"
            theirs = peer.store.users.get(user_id)
            seen = self._order(mine, theirs) if theirs and theirs.version != past else "newer"
            if seen in ("same", "older"):
                return outcome if outcome == "joined" else "known"
            try:
                if theirs is not None and seen in ("concurrent", "restored"):
                    self._join(mine, theirs, peer, restored=seen == "restored")
                    outcome, past = "joined", theirs.version if seen == "restored" else {}
                else:
                    self._put(mine, theirs, peer)
                    return outcome
            except LostRaceError:
                continue  # somebody wrote it meanwhile, here or there
        raise TableTroubleError("raced")

    def _order(self, mine: User, theirs: User) -> Order | Literal["restored"]:
        """How two records of an account stand to each other.

        A region that knows fewer writes of its own than the other one has a table that was restored from a
        backup, and counts writes anew: what the count says is void. So it is where two records differ by the
        same writes, which may have been joined in another order.
        """
        seen, own = order(mine.version, theirs.version), self._records.region
        differ = (mine.ts, mine.epoch) != (theirs.ts, theirs.epoch)
        differ = differ or ("" not in (mine.digest, theirs.digest) and mine.digest != theirs.digest)
        older, newer = (mine, theirs) if seen == "older" else (theirs, mine)
        undone = older.status == "erased" != newer.status  # an erasure is for ever
        fewer_here = mine.version.get(own, 0) < theirs.version.get(own, 0)
        fewer_there = any(
            count > theirs.version.get(region, 0) for region, count in mine.version.items() if region != own
        )
        is_restored = fewer_here or fewer_there or (seen == "same" and differ) or undone
        return "restored" if is_restored else seen

    def _put(self, mine: User, theirs: User | None, peer: Peer) -> None:
        sent = replace(mine, claims=self._records.claims(mine), unsettled=_follows(mine))
        if mine.sealed is not None:
            wrapped = self._records.envelope.wrap(mine.sealed, mine.context, peer.envelope)
            sent = replace(sent, sealed=wrapped)
        if mine.status == "merged" and self._is_erased_alone(mine, peer):
            self._send(mine.merged_into)  # and this account goes on
            raise LostRaceError(())
        peer.store.commit(*_arrival(peer.store, sent, theirs))

    def _is_erased_alone(self, mine: User, peer: Peer) -> bool:
        """Whether the account that took one over was erased there alone, by who did not know of that."""
        here, there = (store.users.get(mine.merged_into) for store in (self._store, peer.store))
        if here is not None and here.status == "erased":  # maybe before erasures knew whom they erased
            return False
        return there is not None and there.status == "erased" and mine.id not in there.taken

    def _join(self, mine: User, theirs: User, peer: Peer, *, restored: bool = False) -> None:
        """Write here what both say together; it goes to the other region as any write does.

        Args:
            mine: The account here.
            theirs: The account there.
            peer: The other region.
            restored: Whether one of the two counts anew, so that the join is a write of its own.
        """
        there = peer.open(theirs) if theirs.sealed else None
        here = self._known(mine)
        held = self._held(mine.id, (here.document, there), peer)
        known = joined(here, Known(theirs, there), self._records.index, held)
        if known.user.status == "erased":
            for document in (here.document, there):
                self._let_go(document, known.user.taken, peer)
        region = self._records.region
        made = known.user.written_in(region) if restored else replace(known.user, origin=region)
        if known.document is not None:
            made, _ = self._records.seal(mine, made, known.document)
        self._store.commit(*_arrival(self._store, made, mine))

    def _held(self, user_id: str, documents: Iterable[Document | None], peer: Peer) -> set[str]:
        """The addresses that an account replaced, and that are somebody else's by now in either region."""
        left = {
            key.partition(".")[0] for each in documents if each for key, _ in each.family("email_previous")
        }
        stores = (self._store, peer.store)
        owners = {index: {store.aliases.owner(Alias("email", index)) for store in stores} for index in left}
        return {index for index in left if owners[index] - {None, user_id}}

    def _let_go(self, document: Document | None, erased: frozenset[str], peer: Peer) -> None:
        """Have accounts go on that were taken over by one that is erased, by who did not know of them."""
        for account in sorted((document.accounts() if document else set()) - erased):
            copy = document.taken(account) if document else None
            here, there = self._store.users.get(account), peer.store.users.get(account)
            ended = [user for user in (here, there) if user and user.status == "merged"]
            if copy is None or not ended:
                continue
            for user, opened in ((here, self._records.open), (there, peer.open)):
                copy = copy.joined(opened(user)) if user and user.sealed else copy
            version = joined_version(*(user.version for user in (here, there) if user))
            made = User(account, base_status(copy), version=version, epoch=self._records.new_epoch())
            made = made.but(
                email_index=self._records.index("email", copy["email"]) if copy["email"] else "",
                phone_index=self._records.index("phone", copy["phone"]) if copy["phone"] else "",
            )
            made, _ = self._records.close(here, made, copy)
            self._store.commit(*_arrival(self._store, made, here))

    # ---- what follows in this region

    def _settle_user(self, user_id: str) -> User | None:
        """Do what an account's coming here asks for, once."""
        user = self._store.users.get(user_id)
        if user is not None and user.status not in _LIVE:  # also what was begun here, and died
            self._store.commit_each(self._store.users.delete_belongings(user.id))
        for _ in range(_RACES):
            if user is None or not user.unsettled:
                return user
            with suppress(LostRaceError):
                self._settle_once(user)
            user = self._store.users.get(user_id)
        raise TableTroubleError("raced")

    def _settle_once(self, user: User) -> None:
        end = self._end_of(user) if user.merged_into else user
        if user.status == "merged" and end.status == "erased" and user.id in end.taken:
            self._store.commit(*erasure(self._records, user))
        elif user.status == "merged" and user.sealed is not None:
            self._carry_over(user, end)
        elif user.status == "erased" and end.status in _LIVE:
            self._store.commit(*erasure(self._records, end))
            self._store.commit_each(self._store.users.delete_belongings(end.id))
        elif user.status in _LIVE:
            status = self._status(user) if user.status == "conflict" else user.status
            self._store.commit(self._store.users.note(user.but(status=status, unsettled=False), user))
        else:
            self._store.commit(self._store.users.note(user.but(unsettled=False), user))

    def _end_of(self, user: User) -> User:
        """The account that a merged one leads to. Of a circle, made by two regions that each merged the one
        into the other, the lowest id goes on.

        Raises:
            NotYetError: It has not come from the other region.
        """
        chain = [user]
        while chain[-1].merged_into:
            ids = [each.id for each in chain]
            if chain[-1].merged_into in ids:
                circle = chain[ids.index(chain[-1].merged_into) :]
                return self._revived(min(circle, key=lambda each: each.id))
            found = self._store.users.get(chain[-1].merged_into)
            if found is None:
                raise NotYetError(chain[-1].merged_into)
            chain.append(found)
        return chain[-1]

    def _revived(self, user: User) -> User:
        document = self._records.open(user) if user.sealed else Document()
        after = user.but(status="active", merged_into="", epoch=self._records.new_epoch(), unsettled=False)
        after, _ = self._records.close(user, after, document)
        self._store.commit(*_arrival(self._store, after, user))
        raise LostRaceError(())  # from the start, with what is there now

    def _carry_over(self, user: User, end: User) -> None:
        """Carry what was edited of a merged account elsewhere to the account that it was merged into."""
        document, theirs = self._records.open(end), self._records.open(user)
        _, writes = merge_accounts(self._records, end, document, user, theirs, late=True)
        self._store.commit(*writes)

    def _settle_claim(self, alias: Alias, user: User) -> None:
        """Decide whose an identifier is, if another account claims it too."""
        holding = self._store.aliases.holding(alias)
        if holding.user != user.id or holding.waiting or user.status == "conflict":
            self._settle_alias(alias, {user.id})

    def _settle_alias(self, alias: Alias, also: Iterable[str] = ()) -> None:
        for _ in range(_RACES):
            try:
                if self._decide(alias, {*also}):
                    return
            except LostRaceError:
                continue
        raise TableTroubleError("raced")

    def _decide(self, alias: Alias, also: set[str]) -> bool:
        """Give an identifier to whom it belongs; False if accounts were merged, which changes who that is."""
        before = self._store.aliases.holding(alias)
        ids = before.waiting | {*also} | ({before.user} if before.user else frozenset())
        people = [user for each in sorted(ids) if (user := self._store.users.get(each))]
        ranks = {
            user.id: self._records.claims(user).get(alias.text) for user in people if user.status in _LIVE
        }
        claimants = [user for user in people if ranks.get(user.id)]
        claimants.sort(key=lambda user: (ranks[user.id], user.id))
        shown = [
            user for user in claimants if alias.kind == "email" and str(ranks[user.id]).startswith(SHOWN)
        ]
        unreachable = None
        if len(shown) > 1:
            try:
                if self._are_newest(*shown[:2]):
                    self._merge(*shown[:2])
                    return False
            except BusyError as error:
                unreachable = error
        self._give(alias, before, claimants)
        if unreachable is not None:
            raise unreachable
        return True

    def _give(self, alias: Alias, before: Holding, claimants: list[User]) -> None:
        """Write whose an identifier is, and whom that leaves without a log-in, or gives one."""
        order_of = [user.id for user in claimants]
        after = Holding(order_of[0] if order_of else None, frozenset(order_of[1 : 1 + _MOST_WAITING]))
        if after != before:
            checks = [self._store.users.unchanged(user) for user in claimants[:1]]
            self._store.commit(self._store.aliases.hold(alias, before, after), *checks)
        for user in claimants:  # one by one: a transaction takes a hundred, and each is right by itself
            status = self._status(user)
            if status != user.status:
                self._store.commit(self._store.users.note(user.but(status=status), user))
            if status == "conflict":  # who has no log-in has no session
                self._store.commit_each(self._store.users.delete_belongings(user.id))

    def _status(self, user: User) -> UserStatus:
        """The status of an account here, by whether it has an identifier."""
        if not self._has_identifier(user):
            return "conflict"
        return base_status(self._records.open(user)) if user.status == "conflict" else user.status

    def _are_newest(self, *users: User) -> bool:
        """Whether the other region knows nothing newer of accounts, whose merge cannot be undone: one of them
        may have let its address go there, or be erased, and its address somebody else's.

        Raises:
            BusyError: The other region does not answer.
        """
        peer = self._find_peer()
        theirs = [peer.store.users.get(user.id) for user in users]
        return all(
            other is None or order(user.version, other.version) in ("same", "newer")
            for user, other in zip(users, theirs, strict=True)
        )

    def _merge(self, stays: User, ends: User) -> None:
        """Merge two accounts that both have shown that an address is theirs."""
        documents = [self._records.open(user) for user in (stays, ends)]
        _, writes = merge_accounts(self._records, stays, documents[0], ends, documents[1], late=True)
        audits = [self._store.audit.add(user.id, "merge", "") for user in (stays, ends)]
        self._store.commit(*writes, *audits)
        self._store.commit_each(self._store.users.delete_belongings(ends.id))

    def _has_identifier(self, user: User) -> bool:
        aliases = [Alias.of_text(text) for text in self._records.claims(user)]
        return any(self._store.aliases.owner(alias) == user.id for alias in aliases)

    def _known(self, user: User) -> Known:
        return Known(user, self._records.open(user) if user.sealed else None)


def _follows(mine: User) -> bool:
    """Whether something is to be done where an account comes to, besides writing it: what belongs to one that
    ended goes there too, and one without an identifier may have one there."""
    return mine.status == "conflict" or mine.status not in _LIVE


def _arrival(store: Store, after: User, before: User | None) -> list[Write]:
    """The writes by which an account comes into a table, with whose its identifiers are there."""
    writes, held, contested = [], 0, False
    for text in sorted({*after.claims, *_claims_before(before)}):
        alias = Alias.of_text(text)
        now = store.aliases.holding(alias)
        if text not in after.claims:
            then = Holding(None if now.user == after.id else now.user, now.waiting - {after.id})
        elif now.user in (None, after.id):
            then, held = Holding(after.id, now.waiting - {after.id}), held + 1
        else:
            then = Holding(now.user, now.waiting | {after.id})
        contested = contested or bool(then.waiting)
        if then != now:
            writes.append(store.aliases.hold(alias, now, then))
    if after.claims and not held:
        after = replace(after, status="conflict")
    if contested:  # and what came may change whose it is
        after = replace(after, unsettled=True)
    return [store.users.save(after, before), *writes]


def _claims_before(before: User | None) -> set[str]:
    """What an account may have had; one from before there were regions says no more than its main ones."""
    if before is None:
        return set()
    mains: list[Alias] = []
    if not before.epoch_version:
        mains += [Alias("email", before.email_index)] if before.email_index else []
        mains += [Alias("phone", before.phone_index)] if before.phone_index else []
    return {*before.claims, *(alias.text for alias in mains)}
