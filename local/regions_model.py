"""A model of accounts that two regions write at once: what people and companies do, faults, and an oracle.

`RegionsModel.act` does one thing in one region through the API's own code, as `random.Random` or hypothesis
choose; `heal` ends all faults and lets everything be sent; `violations` says what does not hold then.

The oracle knows nothing of versions, clocks or joins. It sees what a write changed in the table of the region
that took it, and remembers of each written value which others that region had shown before: what somebody
had seen when they wrote is replaced, and must not come back; and what nobody had seen replaced must be there,
or another such value of that field. Values are told apart by being unique.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b32decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, NamedTuple, Protocol
from unittest import mock
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from auth.accounts import _registration
from auth.credentials import argon2id
from auth.identity import Document
from auth.regions import _queues
from auth.storage import User
from local.memory_auth import Answer, Crash, Fault, How
from local.memory_regions import NAMES, Region, Regions
from shared.http import BusyError

__all__ = ["ACTIONS", "HOWS", "Carrier", "RegionsModel", "Violation", "play", "repeatable"]

EMAILS = ("ada@one.example", "bob@two.example", "cyd@three.example", "dan@four.example")
PHONE = "+33612345678"
FIELDS = ("given_name", "family_name", "nickname")
LIVE = frozenset({"unverified", "active", "conflict"})
HOWS: list[How] = ["refused", "answer lost", "crash"]
LOST = (503, 504)
LONGEST_STEP_S, SHORTEST_STEP_S = 900, 31  # a code of a second factor is good for 30 s
_FAMILIES = {"secret", "totp", "recovery_code", "old_hash", "epoch", "reset", "cleaned", *FIELDS}
_PROOFS = {"secret": "reset", "totp": "reset", "recovery_code": "reset"} | dict.fromkeys(FIELDS, "cleaned")
"""What shows whose the mailbox is, and stands above what was changed by who had not seen it."""
_PASSWORDS = {"secret", "old_hash"}
_MEMBERSHIP = ("company", "company_id")


class Line(NamedTuple):
    """A line of an import, always the same for its id."""

    company: str
    email: str
    verified: bool
    phone: bool
    password: bool


LINES = (
    Line("shop", EMAILS[0], verified=True, phone=True, password=True),
    Line("mill", EMAILS[0], verified=True, phone=False, password=True),
    Line("shop", EMAILS[1], verified=True, phone=True, password=False),
    Line("mill", EMAILS[1], verified=False, phone=False, password=True),
    Line("shop", EMAILS[2], verified=True, phone=True, password=True),
    Line("mill", EMAILS[3], verified=False, phone=False, password=True),
)


class Violation(NamedTuple):
    """Something that does not hold."""

    kind: str
    text: str


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Have a model do the same each time, and fast: argon2id takes a fiftieth of a millisecond, ids are drawn
    from a seed, and what is replicated goes one by one."""
    ids = Random(seed)
    module: Any = argon2id
    with ExitStack() as changed:
        for name, value in {"MEMORY": 8, "PASSES": 1, "PREFIX": "$argon2id$v=19$m=8,t=1,p=1$"}.items():
            changed.enter_context(mock.patch.object(module, name, value))
        changed.enter_context(
            mock.patch.object(
                _registration, "uuid4", side_effect=lambda: UUID(int=ids.getrandbits(128), version=4)
            )
        )
        changed.enter_context(mock.patch.object(_queues, "_AT_ONCE", 1))
        changed.enter_context(mock.patch.object(_queues, "count"))
        yield


@dataclass(frozen=True)
class Write:
    """A value that somebody wrote.

    Attributes:
        number: Its place among all writes.
        account: Of which account.
        name: The field.
        value: As JSON; `null` where it was removed.
        seen: Numbers of the writes of that field that the region had shown before.
        action: By what.
        proofs: The same of the field that stands above it.
    """

    number: int
    account: str
    name: str
    value: str
    seen: frozenset[int]
    action: str
    proofs: frozenset[int]


_NOTHING = Write(-1, "", "", "null", frozenset(), "", frozenset())


@dataclass(frozen=True)
class Held:
    """A session of somebody, with the changes of credentials that its region had seen of the account."""

    here: str
    account: str
    token: str
    seen: frozenset[int]


@dataclass
class Oracle:
    """What was written, by whom, and what they had seen."""

    writes: list[Write] = field(default_factory=list)
    by_value: dict[tuple[str, str], int] = field(default_factory=dict)
    known: dict[tuple[str, str, str], set[int]] = field(default_factory=dict)  # region, account, field
    passwords: dict[str, str] = field(default_factory=dict)  # by hash
    void: dict[str, set[str]] = field(default_factory=dict)  # passwords by account
    erased: set[str] = field(default_factory=set)
    known_erased: set[str] = field(default_factory=set)  # with whom they had taken over, as was known there
    born_merged: set[str] = field(default_factory=set)  # of lines, whose profile nobody saw
    ends: set[tuple[str, str]] = field(default_factory=set)  # merges: the account, and which goes on
    verified: set[tuple[str, str]] = field(default_factory=set)  # account, index of the address
    left: set[tuple[str, str]] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)  # accounts whose main address was changed
    members: dict[str, set[str]] = field(default_factory=dict)  # ids in companies' systems by account
    shown: dict[int, dict[str, frozenset[int]]] = field(default_factory=dict)  # by a proof, of each field
    joined: dict[tuple[str, str], set[int]] = field(
        default_factory=dict
    )  # writes of epochs by account, epoch
    let_go: list[tuple[str, str, int]] = field(default_factory=list)  # account, index, write of its epoch
    come_back: list[tuple[str, str, int]] = field(default_factory=list)  # the same of an address that it got
    resets: dict[int, tuple[str, str, int]] = field(default_factory=dict)  # the same of resets by mail

    def observe(self, here: str, account: str, name: str, value: str) -> None:
        """A region shows a value."""
        if (number := self.by_value.get((name, value))) is not None:
            self.known.setdefault((here, account, name), set()).update({number}, self.writes[number].seen)

    def seen(self, here: str, accounts: set[str], name: str) -> frozenset[int]:
        """The writes of a field that a region has shown of accounts of one person."""
        return frozenset().union(*(self.known.get((here, each, name), ()) for each in accounts))

    def is_void(self, reset: int, people: set[str], *, surely: bool = False) -> bool:
        """Whether the main address was changed in the other region, neither knowing of the other.

        Args:
            reset: The write of the reset.
            people: The accounts of the person.
            surely: Whether that was before, too, and it was the account's mailbox that was let go.
        """
        whose, index, epoch = self.resets.get(reset, ("", "", -1))
        people = {whose} if surely else people
        return any(
            account in people and (gone == index or not surely)
            and other not in self.writes[epoch].seen and epoch not in self.writes[other].seen
            and (not surely or (other < epoch and not self._is_back(people, index, other, epoch)))
            for account, gone, other in self.let_go
        )  # fmt: skip

    def _is_back(self, people: set[str], index: str, gone: int, reset: int) -> bool:
        """Whether an address that was let go became one of the account's again before a reset."""
        return any(
            account in people and back == index and gone < write < reset
            for account, back, write in self.come_back
        )

    def note(self, here: str, accounts: set[str], account: str, name: str, value: str, action: str) -> None:
        """Somebody wrote a value; one that was written before only went from one account to another."""
        if value == "null" or (name, value) not in self.by_value:
            number = len(self.writes)
            seen = self.seen(here, accounts, name)
            proofs = self.seen(here, accounts, _PROOFS.get(name.split(".")[0], ""))
            self.writes.append(Write(number, account, name, value, seen, action, proofs))
            if value != "null":
                self.by_value[name, value] = number
            self.known.setdefault((here, account, name), set()).update({number}, seen)
        else:
            self.observe(here, account, name, value)


class Carrier(Protocol):
    """What carries writes from a region to the other one."""

    def pump(self, name: str, choose: Callable[[list[str]], list[str]] = ..., *, again: bool = False) -> None:
        """Take what was written in a region."""

    def drain(self, name: str) -> None:
        """Try again what failed."""

    def settle(self) -> bool:
        """Carry everything."""


class RegionsModel:
    """Two regions with their people.

    Args:
        carrier: What carries writes between them; None for the replication.
    """

    def __init__(self, carrier: Callable[[Regions], Carrier] | None = None) -> None:
        self.regions = Regions()
        self.carrier: Carrier = carrier(self.regions) if carrier else self.regions
        self.oracle = Oracle()
        self.held: list[Held] = []
        self.codes: list[tuple[str, str]] = []  # account, recovery code
        self.broken: list[Violation] = []
        self.action = ""
        self._looked: dict[tuple[str, str], User] = {}
        self._fresh = count()
        self._typed = ""
        self._skewed = False
        for name in NAMES:
            world = self.regions[name].world
            world.kms.reset()
            world.register("shop")
            world.register("mill")
            world.register("group", company="*")
            self.regions[name].changed()

    # ---- what may happen

    def act(self, action: str, here: int, one: int, two: int, fault: Fault | None = None) -> None:
        """Do something in a region, with a fault of one of its services if there is one.

        Args:
            action: Name of an action, see `ACTIONS`.
            here: Which region.
            one: Chooses a person, or what else there is to choose.
            two: Likewise.
            fault: The fault.
        """
        region = self.regions[NAMES[here % 2]]
        for each in NAMES:
            self.regions[each].world.now += SHORTEST_STEP_S + (one * 97 + two * 31) % LONGEST_STEP_S
        before = region.known()
        self.action = action
        region.world.fault = Fault(fault.after, fault.how) if fault else None
        try:
            ACTIONS[action](self, region, one, two)
        except (BusyError, Crash):
            pass  # an import that is sent again
        except _Unanswered as error:
            self.broken.append(Violation("no answer", f"{action}: {error}"))
        finally:
            region.world.fault = None
        region.world.deliver()
        self._compare(region, before)

    def pump(self, here: int, seed: int, fault: Fault | None = None, *, again: bool = False) -> None:
        """Have some of what was written be carried, in any order, maybe not for the last time."""
        name = NAMES[here % 2]

        def choose(stream: list[str]) -> list[str]:
            keys = list(dict.fromkeys(stream))
            taken = [key for place, key in enumerate(keys) if seed >> (place % 16) & 1]
            return taken[:: -1 if seed & 1 else 1]

        with self._fault(1 - here if seed & 2 else here, fault):
            self.carrier.pump(name, choose, again=again)
        self._look()

    def drain(self, here: int, fault: Fault | None = None) -> None:
        """Have the drains of a region run."""
        with self._fault(here, fault):
            self.carrier.drain(NAMES[here % 2])
        self._look()

    def settle(self) -> None:
        """Let all be carried that can be."""
        self.carrier.settle()
        self._look()

    def break_down(self, here: int, what: int) -> None:
        """A service of a region goes out, or all of it, or its key is disabled; or it comes back."""
        region = self.regions[NAMES[here % 2]]
        kms, key = region.world.kms, region.world.settings.kms_key
        faults: list[set[Any]] = [{"dynamodb"}, {"kms"}, {"ssm"}, {"sqs"}, {"dynamodb", "kms", "ssm"}]
        if what % 7 < len(faults):
            region.out ^= faults[what % 7]
        elif what % 7 == len(faults):
            kms.disabled ^= {key}
        else:
            region.out, kms.disabled = set(), set()

    def skew(self, here: int, seconds: int) -> None:
        """A region's clock is set."""
        self._skewed = True
        self.regions[NAMES[here % 2]].world.now += seconds

    def poison(self, here: int, what: int) -> None:
        """Somebody puts a message into a queue that is none."""
        bodies = ("", "[]", '{"key": 7}', '{"key": "X#1"}', '{"key": "U"}', "{}")
        queue = self.regions[NAMES[here % 2]].sqs
        body = bodies[what % len(bodies)]
        queue.send_message(QueueUrl=("tables", "keys")[what % 2], MessageBody=body)

    @contextmanager
    def _fault(self, here: int, fault: Fault | None) -> Iterator[None]:
        world = self.regions[NAMES[here % 2]].world
        world.fault = Fault(fault.after, fault.how) if fault else None
        try:
            yield
        finally:
            world.fault = None

    # ---- what the oracle sees

    def _compare(self, region: Region, before: dict[str, tuple[User, Document | None]]) -> None:
        """Note what an action changed in its region."""
        here, after = region.world.region, region.known()
        for account, (user, document) in after.items():
            was, old = before.get(account, (None, None))
            if user is was:
                continue
            if was is not None:
                self._observe(here, was, old)
            people = _members(after, account)
            if was is None and document is None:
                self.oracle.born_merged.add(account)
            if user.status == "erased":
                self.oracle.erased.add(account)
                self.oracle.known_erased |= people | (old.accounts() if old else set())
            self.oracle.ends.add((account, user.merged_into))
            if self.action == "import_line":  # a line fills what its account has not, of what was merged, too
                people &= {account} | (old.accounts() if old else set())
            for each in people & before.keys():
                self._observe(here, *before[each])
            self._note(here, people, (was, old), (user, document))
        self._typed = ""

    def _look(self) -> None:
        """Note what has come to the regions."""
        for here, region in self.regions.regions.items():
            for user, document in region.known().values():
                if self._looked.get((here, user.id)) is not user:
                    self._looked[here, user.id] = user
                    self._observe(here, user, document)
                    self._look_at_merge(region, user)

    def _look_at_merge(self, region: Region, user: User) -> None:
        """Two accounts that nobody merged are one person's only by an address that both have at that time."""
        if not user.merged_into or (user.id, user.merged_into) in self.oracle.ends:
            return
        self.oracle.ends.add((user.id, user.merged_into))
        known = region.known()
        if user.merged_into not in known:
            return
        current = self.oracle.verified - self.oracle.left
        merged = {each for each in known if user.id in _way(known, each)}
        others = _members(known, user.id) - merged
        seen = {owner for owner, _ in self.oracle.verified}
        shared = {index for owner, index in current if owner in merged}
        shared &= {index for owner, index in current if owner in others}
        # An account that was merged by the act that made it was never seen to have an address.
        if seen & merged and seen & others and not shared:
            self.broken.append(Violation("wrongly merged", f"{user.id} into {user.merged_into}"))

    def _observe(self, here: str, user: User, document: Document | None) -> None:
        for name, value in _values(document).items():
            self.oracle.observe(here, user.id, name, value)
        epochs = [json.dumps(epoch) for epoch in user.epoch.split("+")]
        for epoch in epochs:
            self.oracle.observe(here, user.id, "epoch", epoch)
        if any(("epoch", epoch) not in self.oracle.by_value for epoch in epochs):
            # Made by the replication, which has seen what there was then.
            place = (user.id, "epoch")
            there = {write.number for write in self.oracle.writes if (write.account, write.name) == place}
            known = self.oracle.known.setdefault((here, user.id, "epoch"), set())
            known |= self.oracle.joined.setdefault((user.id, user.epoch), there)

    def _note(
        self,
        here: str,
        people: set[str],
        was: tuple[User | None, Document | None],
        now: tuple[User, Document | None],
    ) -> None:
        (before, olden), (user, document) = was, now
        if document is None:
            self._note_epoch(here, people, before, user)
            return
        olds, news = _values(olden), _values(document)
        for name, value in news.items():
            if name.split(".")[0] in _PASSWORDS and value != "null":
                self.oracle.passwords.setdefault(value, self._typed)
        action = self.action
        if olds.get("secret") != news.get("secret") and _is_chosen(action):
            old = {self.oracle.passwords[value] for value in _hashes(olds)}
            if self.oracle.passwords.get(news.get("secret", "")) in old:
                action = "upgrade"
            else:
                self.oracle.void.setdefault(user.id, set()).update(old)
        first = [name for name in news if name in _PROOFS.values()]
        for name in dict.fromkeys([*first, *olds, *news]):
            if olds.get(name, "null") != news.get(name, "null"):
                self.oracle.note(here, people, user.id, name, news.get(name, "null"), action)
        self._note_proofs(here, people, olds, news)
        self._note_epoch(here, people, before, user)
        self._note_mailboxes(before, user, olden, document)
        shown, had = _verified(user, document), _verified(before, olden)
        self.oracle.verified |= {(user.id, index) for index in shown - had}
        self.oracle.left -= {(user.id, index) for index in shown - had}
        self.oracle.left |= {(user.id, index) for index in had - shown}
        if before is not None and before.email_index != user.email_index:
            self.oracle.moved.add(user.id)
        members = {name for name in document.names() if name.split(".")[0] in _MEMBERSHIP}
        self.oracle.members.setdefault(user.id, set()).update(members)

    def _note_proofs(self, here: str, people: set[str], olds: dict[str, str], news: dict[str, str]) -> None:
        """Remember what was there when somebody showed whose the mailbox is."""
        for name in ("reset", "cleaned"):
            if olds.get(name, "null") != news.get(name, "null"):
                shown = {each: self.oracle.seen(here, people, each) for each in olds.keys() | news.keys()}
                self.oracle.shown.setdefault(self.oracle.by_value[name, news[name]], shown)

    def _note_mailboxes(
        self, before: User | None, user: User, olden: Document | None, document: Document
    ) -> None:
        """Remember by which address somebody chose a password, and which they let go."""
        epoch = self.oracle.by_value.get(("epoch", json.dumps(user.epoch)))
        if before is None or olden is None or epoch is None:
            return
        reset = document["reset"]
        if reset != olden["reset"] and "index" in reset:
            number = self.oracle.by_value["reset", json.dumps(reset, sort_keys=True)]
            self.oracle.resets[number] = (user.id, reset["index"], epoch)
        then = {before.email_index, *dict(olden.family("email_also"))}
        now = {user.email_index, *dict(document.family("email_also"))}
        self.oracle.let_go += [(user.id, index, epoch) for index in sorted(then - now)]
        self.oracle.come_back += [(user.id, index, epoch) for index in sorted(now - then)]

    def _note_epoch(self, here: str, people: set[str], before: User | None, user: User) -> None:
        if before is None or before.epoch != user.epoch:
            action = "created" if before is None else self.action
            self.oracle.note(here, people, user.id, "epoch", json.dumps(user.epoch), action)

    # ---- people and companies

    def _password(self) -> str:
        return f"a long enough password no {next(self._fresh)}"

    def _pick(self, region: Region, choice: int, *statuses: str) -> tuple[User, Document] | None:
        """An account that this region has."""
        found = [
            (user, document)
            for user, document in region.known().values()
            if document is not None and user.status in (statuses or LIVE)
        ]
        return found[choice % len(found)] if found else None

    def _log_in(
        self, region: Region, choice: int, recovery_code: str = ""
    ) -> tuple[User, Document, str, Answer] | None:
        """Log somebody in with what this region knows of them."""
        picked = self._pick(region, choice, "active")
        if picked is None:
            return None
        user, document = picked
        hashes = _hashes(_values(document))
        if not hashes or not document["email"]:
            return None
        password = self._typed = self.oracle.passwords[hashes[choice % len(hashes)]]
        claims = {"email": document["email"], "password": password}
        if recovery_code:
            claims["recovery_code"] = recovery_code
        elif document["totp"]:
            claims["totp"] = _code(region, document["totp"])
        answer = self._ask(region, "POST", "/v1/login", "shop", **claims)
        if answer.status == 200:
            known = region.known()
            people = _members(known, answer.body["user_id"])
            for each in people:
                self._observe(region.world.region, *known[each])
            account = answer.body["user_id"]
            if all(
                ("epoch", json.dumps(each)) in self.oracle.by_value
                for each in known[account][0].epoch.split("+")
            ):
                seen = self.oracle.seen(region.world.region, {account}, "epoch")
                self.held.append(Held(region.world.region, account, answer.body["refresh_token"], seen))
        return user, document, password, answer

    def _ask(
        self, region: Region, method: str, path: str, client: str, /, of: str = "", **claims: Any
    ) -> Answer:
        answer = region.world.ask(method, path, client, of, **claims)
        if answer.status >= 500 and answer.status not in LOST:
            raise _Unanswered(f"{method} {path}: {answer}")
        return answer

    def _forget_session(self, answer: Answer) -> None:
        """A session that changes a credential goes on."""
        self.held = [held for held in self.held if held.token != answer.body["refresh_token"]]

    def sign_up(self, region: Region, one: int, two: int) -> None:
        """Somebody signs up."""
        self._typed = self._password()
        profile = {FIELDS[two % 3]: self._value()}
        email = EMAILS[one % len(EMAILS)]
        self._ask(region, "POST", "/v1/signup", "shop", email=email, password=self._typed, profile=profile)

    def _value(self) -> str:
        return f"Name {next(self._fresh)}"

    def _mail(self, region: Region, choice: int, *kinds: str) -> Any:
        region.world.deliver()
        found = [mail for mail in region.world.mails if mail.kind in kinds]
        return found[-1 - choice % min(len(found), 3)] if found else None

    def verify(self, region: Region, one: int, two: int) -> None:  # noqa: ARG002
        """Somebody verifies their sign-up."""
        if (mail := self._mail(region, one, "verify")) is None:
            return
        owner = region.owners().get(region.world.services.alias("email", mail.to).text, "")
        document = region.known().get(owner, (None, None))[1]
        if document is not None and document["secret"]:
            self._typed = self.oracle.passwords[json.dumps(document["secret"])]
            self._ask(region, "POST", "/v1/verify", "shop", token=mail.token, password=self._typed)

    def reset(self, region: Region, one: int, two: int) -> None:
        """Somebody chooses a new password by a mail, of now or of before."""
        if two % 4:
            email = EMAILS[one % len(EMAILS)]
            self._ask(region, "POST", "/v1/password/forgot", "shop", email=email)
            mail = self._mail(region, 0, "reset")
        else:
            mail = self._mail(region, one, "reset", "known", "verify")
        if mail is not None:
            self._typed = self._password()
            self._ask(region, "POST", "/v1/password/reset", "shop", token=mail.token, password=self._typed)

    def log_in(self, region: Region, one: int, two: int) -> None:  # noqa: ARG002
        """Somebody logs in; an old hash is replaced."""
        self._log_in(region, one)

    def change(self, region: Region, one: int, two: int) -> None:  # noqa: ARG002
        """Somebody changes their password."""
        found = self._log_in(region, one)
        if found and found[3].status == 200:
            self._forget_session(found[3])
            current, self._typed = self._typed, self._password()
            self._compare_log_in(region, current)
            self._ask(
                region, "POST", "/v1/password/change", "shop",
                access_token=found[3].body["access_token"], current=current, password=self._typed,
            )  # fmt: skip

    def _compare_log_in(self, region: Region, password: str) -> None:
        """Know a hash that the log-in has made."""
        for _, document in region.known().values():
            for value in _hashes(_values(document)):
                self.oracle.passwords.setdefault(value, password)

    def edit(self, region: Region, one: int, two: int) -> None:
        """A company edits a field of somebody's profile."""
        if picked := self._pick(region, one):
            value = None if two % 5 == 0 else self._value()
            changes = {FIELDS[two % 3]: value}
            self._ask(region, "PATCH", "/v1/users/{id}", "shop", of=picked[0].id, **changes)

    def edit_merged(self, region: Region, one: int, two: int) -> None:
        """A company edits somebody whose id it has had for long."""
        ids = sorted(region.known())
        if ids:
            value = {FIELDS[two % 3]: self._value()}
            self._ask(region, "PATCH", "/v1/users/{id}", "shop", of=ids[one % len(ids)], **value)

    def phone(self, region: Region, one: int, two: int) -> None:
        """A company edits somebody's phone number."""
        if picked := self._pick(region, one):
            number = PHONE if two % 2 else None
            self._ask(region, "PATCH", "/v1/users/{id}", "shop", of=picked[0].id, phone=number)

    def second_factor(self, region: Region, one: int, two: int) -> None:
        """Somebody begins a second factor, or ends it."""
        found = self._log_in(region, one)
        if not found or found[3].status != 200:
            return
        _, document, password, answer = found
        self._forget_session(answer)
        self._compare_log_in(region, password)
        for each in NAMES:
            self.regions[each].world.now += SHORTEST_STEP_S  # the code of the log-in is spent
        access = {"access_token": answer.body["access_token"]}
        path = "/v1/mfa/totp"
        if document["totp"]:
            code = _code(region, document["totp"])
            action = "disable" if two % 3 else "recovery_codes"
            told = self._ask(region, "POST", path, "shop", action=action, code=code, **access)
        else:
            told = self._ask(region, "POST", path, "shop", action="enrol", current=password, **access)
            if told.status == 200:
                code = _code(region, told.body["secret"])
                told = self._ask(region, "POST", path, "shop", action="confirm", code=code, **access)
        if told.status == 200:
            self.codes += [(answer.body["user_id"], code) for code in told.body.get("recovery_codes", ())]

    def recovery_code(self, region: Region, one: int, two: int) -> None:  # noqa: ARG002
        """Somebody logs in by a recovery code."""
        if self.codes:
            account, code = self.codes[one % len(self.codes)]
            people = [
                user.id for user, document in region.known().values() if document and user.status in LIVE
            ]
            if account in people:
                self._log_in_of(region, account, code)

    def _log_in_of(self, region: Region, account: str, code: str) -> None:
        active = [
            user.id for user, document in region.known().values() if document and user.status == "active"
        ]
        if account in active:
            self._log_in(region, active.index(account), code)

    def address(self, region: Region, one: int, two: int) -> None:
        """Somebody changes their main address, and confirms it."""
        found = self._log_in(region, one)
        if not found or found[3].status != 200:
            return
        self._compare_log_in(region, found[2])
        for each in NAMES:
            self.regions[each].world.now += SHORTEST_STEP_S
        document = found[1]
        claims: dict[str, Any] = {"access_token": found[3].body["access_token"], "current": found[2]}
        if document["totp"]:
            claims["totp"] = _code(region, document["totp"])
        claims["email"] = EMAILS[two % len(EMAILS)]
        told = self._ask(region, "PATCH", "/v1/users/{id}", "shop", of=found[3].body["user_id"], **claims)
        if told.status == 200 and (mail := self._mail(region, 0, "email")):
            self._ask(region, "POST", "/v1/verify", "shop", token=mail.token)

    def import_line(self, region: Region, one: int, two: int) -> None:  # noqa: ARG002
        """A company's line is imported."""
        number = one % len(LINES)
        line = LINES[number]
        members: dict[str, Any] = {
            "id": str(number), "company": line.company, "email": line.email, "email_verified": line.verified,
            "profile": {FIELDS[number % 3]: f"Imported {number}"},
        }  # fmt: skip
        if line.phone:
            members |= {"phone": PHONE, "phone_verified": True}
        if line.password:
            self._typed = f"the old password of line {number}"
            hashed = hashlib.sha1(self._typed.encode()).hexdigest()  # noqa: S324
            members |= {"password_hash": hashed, "hash_scheme": "sha1"}
        region.world.take_line("*", **members)

    def merge(self, region: Region, one: int, two: int) -> None:
        """The group merges two accounts."""
        ids = sorted(region.known())
        if len(ids) > 1:
            stays, ends = ids[one % len(ids)], ids[two % len(ids)]
            self._ask(region, "POST", "/v1/users/{id}/merge", "group", of=stays, other=ends)

    def erase(self, region: Region, one: int, two: int) -> None:  # noqa: ARG002
        """A company erases somebody."""
        ids = sorted(region.known())
        if ids:
            self._ask(region, "DELETE", "/v1/users/{id}", "shop", of=ids[one % len(ids)])

    def pass_on(self, region: Region, one: int, two: int) -> None:
        """Somebody is erased or has another address, and theirs becomes another person's."""
        if (picked := self._pick(region, one, "active")) is None or not picked[1]["email"]:
            return
        email = picked[1]["email"]
        if two % 2:
            self._ask(region, "DELETE", "/v1/users/{id}", "shop", of=picked[0].id)
        else:
            self.address(region, one, EMAILS.index(email) + 1 + two // 2 % (len(EMAILS) - 1))
        self.sign_up(region, EMAILS.index(email), two)
        self._compare_log_in(region, self._typed)
        self.verify(region, 0, 0)

    # ---- what has to hold in the end

    def heal(self) -> None:
        """End all faults, and let everything be carried."""
        for name in NAMES:
            region = self.regions[name]
            region.out, region.world.fault = set(), None
            region.world.kms.reset()
        if not self.carrier.settle():
            self.broken.append(Violation("no rest", self.regions.told()))

    def violations(self, *, poisons: int = 0) -> list[Violation]:
        """What does not hold after `heal`.

        Args:
            poisons: How many messages were put into queues that are none.
        """
        found = list(self.broken)
        found += [Violation("regions differ", text) for text in self.regions.differences()]
        for name in NAMES if self.carrier is self.regions else ():
            region = self.regions[name]
            dead = region.sqs.queues.get("dead", [])
            poisons -= len(dead)
            found += [
                Violation("dead letters", json.dumps(each))
                for each in dead
                if "MessageAttributes" not in each
            ]
            if self.regions.waiting(name):
                found.append(Violation("left in a queue", name))
        for region in self.regions.regions.values():
            found += _identifiers(region)
            found += self._people(region)
        if poisons > 0 and self.carrier is self.regions:  # one may be refused twice
            found.append(Violation("dead letters", f"{poisons} are missing"))
        return [*found, *self._sessions()]

    def _people(self, region: Region) -> Iterator[Violation]:
        known = region.known()
        for account in self.oracle.erased:
            if account not in known or known[account][0].status != "erased":
                yield Violation("erased came back", account)
        for account, (user, document) in known.items():
            if user.status == "erased" and not self._may_be_erased(known, account):
                yield Violation("wrongly erased", account)
            if user.status not in LIVE:
                yield from _ended(region, account)
            elif document is not None:
                people = _members(known, account)
                yield from self._fields(people, document)
                yield from self._passwords(people, document)
                missing = set().union(*(self.oracle.members.get(each, set()) for each in people))
                missing -= {name for name in document.names() if document[name] is not None}
                if missing:
                    yield Violation("lost write", f"{account}: {missing}")
        yield from self._mailboxes(region)

    def _may_be_erased(self, known: dict[str, tuple[User, Document | None]], account: str) -> bool:
        """Whether an account was erased, or taken over by one that was, or took over one that was."""
        ways = [_way(known, each) for each in self.oracle.erased if each in known]
        beyond = frozenset().union(*(way[1:] for way in ways))
        return account in self.oracle.known_erased or bool(beyond.intersection(_way(known, account)))

    def _fields(self, people: set[str], document: Document) -> Iterator[Violation]:
        values = _values(document)
        by_name: dict[str, list[Write]] = {}
        for write in self.oracle.writes:
            if write.account in people and write.name != "epoch":
                by_name.setdefault(write.name, []).append(write)
        for name, writes in by_name.items():
            if name in _PROOFS.values():
                continue  # of each account
            writes = self._without_void(people, writes)
            replaced = frozenset().union(*(write.seen for write in writes))
            allowed = [write for write in writes if write.number not in replaced]
            allowed = _without_upgrades(name, allowed)
            proofs = by_name.get(_PROOFS.get(name.split(".")[0], ""), [])
            if any(self.oracle.is_void(proof.number, people) for proof in proofs):
                allowed += self._without_resets(people, proofs, writes)
            allowed += self._stood_above(name, proofs, allowed)
            allowed += [write for write in self._of_erased(people) if write.name == name]
            value = values.get(name, "null")
            if (
                value == "null"
                and name.startswith("old_hash.")
                and any(_is_chosen(write.action) for write in by_name.get("secret", ()))
            ):
                continue  # a new password made it void, that did not know of it
            if value.startswith('"Imported') and people & self.oracle.born_merged:
                continue
            number = self.oracle.by_value.get((name, value))
            if value not in {write.value for write in allowed}:
                kind = "lost write" if number is None or number in replaced else "unexpected value"
                yield Violation(kind, f"{people}: {name} is {value}, of {allowed}; all are {writes}")

    def _without_void(self, people: set[str], writes: list[Write]) -> list[Write]:
        """Without replaced hashes of passwords that are void: a log-in replaces a hash, and no password."""
        void = self._void(people)
        return [
            write
            for write in writes
            if write.name != "secret"
            or _is_chosen(write.action)
            or self.oracle.passwords.get(write.value) not in void
        ]

    def _void(self, people: set[str]) -> set[str]:
        """Passwords that people have replaced."""
        return set[str]().union(*(self.oracle.void.get(each, set()) for each in people))

    def _of_erased(self, people: set[str]) -> list[Write]:
        """What was written of accounts that had taken people over, and were erased not knowing of that."""
        former = {end for account, end in self.oracle.ends if account in people} & self.oracle.erased
        return [write for write in self.oracle.writes if write.account in former]

    def _without_resets(self, people: set[str], proofs: list[Write], writes: list[Write]) -> list[Write]:
        """What counts where a reset was void: nothing, or what was there without it."""
        void = {proof.number for proof in proofs if self.oracle.is_void(proof.number, people)}
        left = [write for write in writes if not void & write.proofs]
        replaced = frozenset().union(*(write.seen for write in left))
        return [_NOTHING, *(write for write in left if write.number not in replaced)]

    def _stood_above(self, name: str, proofs: list[Write], allowed: list[Write]) -> list[Write]:
        """What counted where somebody showed whose the mailbox is, if others changed it not knowing that.

        What counted there may be what an earlier one stood above.
        """
        replaced = frozenset().union(*(proof.seen for proof in proofs))
        found: list[Write] = []
        for proof in proofs:
            if proof.number in replaced or all(proof.number in write.proofs for write in allowed):
                continue
            shown = [self.oracle.writes[each] for each in self.oracle.shown[proof.number].get(name, ())]
            older = frozenset().union(*(write.seen for write in shown))
            there = [write for write in shown if write.number not in older]
            earlier = [self.oracle.writes[each] for each in sorted(proof.seen)]
            there += self._stood_above(name, earlier, there)
            found += there or [_NOTHING]
        return found

    def _passwords(self, people: set[str], document: Document) -> Iterator[Violation]:
        void = self._void(people)
        if not self._skewed:
            void |= {
                self.oracle.passwords[write.value]
                for write in self.oracle.writes
                if write.name == "secret" and write.account in people and _is_chosen(write.action)
                if self._latest_resets_are_void(write, people)
            }
        good = {self.oracle.passwords.get(value, "?") for value in _hashes(_values(document))}
        if good & void:
            yield Violation("old password good", f"{people}: {good & void}")

    def _latest_resets_are_void(self, write: Write, people: set[str]) -> bool:
        """Whether a password was chosen under resets that were all void, or by one."""
        older = frozenset().union(*(self.oracle.writes[each].seen for each in write.proofs))
        latest = write.proofs - older
        return bool(latest) and all(self.oracle.is_void(each, people, surely=True) for each in latest)

    def _mailboxes(self, region: Region) -> Iterator[Violation]:
        """Who has shown that a mailbox is theirs has an account with it."""
        known, owners = region.known(), region.owners()
        for account, index in sorted(self.oracle.verified - self.oracle.left):
            if account not in known:
                yield Violation("lost write", f"{account} is missing")
                continue
            end = _end(known, account)
            people = _members(known, end.id) if end else set()
            if end is None or end.status not in LIVE or people & self.oracle.moved:
                continue
            if any((each, index) in self.oracle.left for each in people):
                continue
            owner = owners.get(f"E#{index}", "")
            if (
                owner not in known
                or index not in _verified(*known[owner])
                or known[owner][0].status != "active"
            ):
                yield Violation("locked out", f"{account} of E#{index}: {owner}")

    def _sessions(self) -> Iterator[Violation]:
        """A session is good unless a credential was changed that it has not seen."""
        for held in self.held[-6:]:
            region = self.regions[held.here]
            known = region.known()
            end = _end(known, held.account) if held.account in known else None
            epochs = [
                write
                for write in self.oracle.writes
                if write.account == held.account and write.name == "epoch"
            ]
            changes = {write.number for write in epochs if write.action != "created"}
            claims = {"refresh_token": held.token}
            good = region.world.ask("POST", "/v1/token/refresh", "shop", **claims).status == 200
            is_live = end is not None and end.id == held.account and end.status == "active"
            if good and (changes - held.seen or not is_live):
                yield Violation("session survives", f"{held}: {changes - held.seen}")


class _Unanswered(Exception):
    """An answer that says that something is wrong in the code."""


def _code(region: Region, secret: str) -> str:
    totp = TOTP(b32decode(secret), 6, SHA1(), 30)  # noqa: S303
    return totp.generate(int(region.world.now)).decode()


def _values(document: Document | None) -> dict[str, str]:
    """The fields that the oracle follows, as JSON."""
    if document is None:
        return {}
    names = [name for name in document.names() if name.split(".")[0] in _FAMILIES]
    return {name: json.dumps(document[name], sort_keys=True) for name in names}


def _hashes(values: dict[str, str]) -> list[str]:
    return [
        value
        for name, value in sorted(values.items())
        if name.split(".")[0] in _PASSWORDS and value != "null"
    ]


def _verified(user: User | None, document: Document | None) -> set[str]:
    """The addresses that are shown to be a person's, by their indexes."""
    if user is None or document is None:
        return set()
    main = {user.email_index} if document["email_verified"] and user.email_index else set()
    return main | {index for index, _ in document.family("email_also")}


def _way(known: dict[str, tuple[User, Document | None]], account: str) -> list[str]:
    """The accounts over which an id leads to its end."""
    way = [account]
    while (user := known[way[-1]][0]).merged_into in known.keys() - {*way}:
        way.append(user.merged_into)
    return way


def _end(known: dict[str, tuple[User, Document | None]], account: str) -> User | None:
    """The account that an id leads to; None for a chain without an end."""
    user = known[account][0]
    for _ in range(20):
        if not user.merged_into:
            return user
        if user.merged_into not in known:
            return None
        user = known[user.merged_into][0]
    return None


def _members(known: dict[str, tuple[User, Document | None]], account: str) -> set[str]:
    """The accounts that are one with an account."""
    end = _end(known, account)
    if end is None:
        return {account}
    return {each for each in known if (found := _end(known, each)) and found.id == end.id} | {account}


def _without_upgrades(name: str, writes: list[Write]) -> list[Write]:
    """Without replaced hashes of passwords that somebody changed elsewhere meanwhile."""
    if name != "secret":
        return writes
    chosen = {write.account for write in writes if _is_chosen(write.action)}
    return [write for write in writes if _is_chosen(write.action) or write.account not in chosen]


def _is_chosen(action: str) -> bool:
    return action in ("reset", "change")


def _ended(region: Region, account: str) -> Iterator[Violation]:
    """Nothing is left of an account that ended, and where it leads to ended with it if it was erased."""
    known = region.known()
    user, document = known[account]
    if document is not None:
        yield Violation("data of an ended account", account)
    if left := region.belongings(account):
        yield Violation("belongings of an ended account", f"{account}: {left}")
    end = _end(known, account)
    if end is None:
        yield Violation("merged into nothing", account)
    elif user.status == "erased" and end.status != "erased":
        yield Violation("erased came back", f"{account} is erased, and not {end.id}")


def _identifiers(region: Region) -> Iterator[Violation]:
    """Each identifier has one owner, and who has shown that it is theirs comes first."""
    known, owners = region.known(), region.owners()
    claimants: dict[str, list[str]] = {}
    for account, (user, document) in known.items():
        if user.status in LIVE and document is not None:
            for text in user.claims:
                claimants.setdefault(text, []).append(account)
            owns = [text for text in user.claims if owners.get(text) == account]
            if user.claims and (user.status == "conflict") == bool(owns):
                yield Violation("identifier", f"{account} is {user.status}, and has {owns}")
    for text, people in claimants.items():
        owner = owners.get(text)
        if owner not in people:
            yield Violation("identifier", f"{text} is {owner}'s, and claimed by {people}")
        shown = [each for each in people if text[0] == "P" or text[2:] in _verified(*known[each])]
        if shown and owner not in shown:
            yield Violation("identifier", f"{text} is {owner}'s, and shown by {shown}")
        if text[0] == "E" and len(shown) > 1:
            yield Violation("duplicate", f"{text} is verified of {shown}")
    for text in owners.keys() - claimants.keys():
        yield Violation("identifier", f"{text} is {owners[text]}'s, who does not claim it")


ACTIONS: dict[str, Callable[[RegionsModel, Region, int, int], None]] = {
    "sign_up": RegionsModel.sign_up,
    "verify": RegionsModel.verify,
    "reset": RegionsModel.reset,
    "log_in": RegionsModel.log_in,
    "change": RegionsModel.change,
    "edit": RegionsModel.edit,
    "edit_merged": RegionsModel.edit_merged,
    "phone": RegionsModel.phone,
    "second_factor": RegionsModel.second_factor,
    "recovery_code": RegionsModel.recovery_code,
    "address": RegionsModel.address,
    "import_line": RegionsModel.import_line,
    "merge": RegionsModel.merge,
    "erase": RegionsModel.erase,
    "pass_on": RegionsModel.pass_on,
}
"""What may be done, by name."""

_WEIGHTS = {
    "sign_up": 5, "verify": 6, "reset": 6, "log_in": 3, "change": 3, "edit": 6, "edit_merged": 3, "phone": 1,
    "second_factor": 3, "recovery_code": 3, "address": 4, "import_line": 8, "merge": 4, "erase": 1,
    "pass_on": 2,
}  # fmt: skip


def play(seed: int, steps: int, carrier: Callable[[Regions], Carrier] | None = None) -> list[Violation]:
    """Play a history that a seed draws, heal, and say what does not hold.

    Args:
        seed: Of all that is drawn; of three seeds one has no faults but delay, order and skewed clocks.
        steps: How many things happen.
        carrier: What carries writes between the regions; None for the replication.
    """
    drawn = Random(seed)
    with repeatable(seed):
        model, poisons = RegionsModel(carrier), 0
        for _ in range(steps):
            poisons += _step(model, drawn, faulty=seed % 3 > 0)
        model.heal()
        return model.violations(poisons=poisons)


def _step(model: RegionsModel, drawn: Random, *, faulty: bool) -> int:
    """One thing that happens; how many poisonous messages it leaves."""
    what, here, one, two = drawn.random(), drawn.randrange(2), drawn.randrange(64), drawn.randrange(64)
    seed, again = drawn.randrange(1 << 16), drawn.random() < 0.2
    fault = None
    if faulty and drawn.random() < 0.2:
        fault = Fault(drawn.randrange(14), drawn.choice(HOWS))
    if what < 0.6:
        [action] = drawn.choices([*_WEIGHTS], [*_WEIGHTS.values()])
        model.act(action, here, one, two, fault)
    elif what < 0.82:
        model.pump(here, seed, fault, again=again)
    elif what < 0.88:
        model.drain(here, fault)
    elif what < 0.91:
        model.settle()
    elif what < 0.94:
        model.skew(here, drawn.randrange(-3600, 3600))
    elif faulty and what < 0.98:
        model.break_down(here, one)
    elif faulty:
        model.poison(here, one)
        return 1
    return 0
