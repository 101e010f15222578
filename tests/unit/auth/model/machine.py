"""Accounts under everything that an owner, a stranger and companies do to them, in any order.

The code is the real one, over parts in memory. What has to hold is said by a model that knows nothing of it:
who reads which mailbox, what was answered to whom, and which passwords and factors that makes. After each
step:

- a stranger has no way into an account of the owner: no password, session, token, browser or code;
- the owner gets in by what they enrolled last, by a recovery code, and by a delayed reset of a company, with
  the factor, its codes or the mailbox lost;
- no reset that the owner did not ask for is ever done: they read their mail once an hour, and stop it;
- what was acknowledged is there (password, factor, address, profile);
- no address counts as verified that its reader never confirmed;
- nothing of an erased account works, nor lies in the table;
- no change of a credential is in the trail without its mail, and no mail is sent of what is not.

Answers get lost, requests are sent again, tokens are used much later, and any call of a service may fail, be
answered too late, or be the process's last one.
"""

from __future__ import annotations

import hashlib
from base64 import b32decode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from local.memory_auth import TABLE, Answer, Crash, Fault, How, Mail, World
from shared.http import BusyError
from tests.unit.auth.model.browser import APP, BACK, Browser, redeem, refresh

__all__ = ["AccountsMachine"]

OWNER = ("owner@one.example", "owner@two.example")
STRANGER = ("stranger@one.example", "stranger@two.example")
OWNERS_PHONE, STRANGERS_PHONE = "+33612345678", "+33687654321"
HOUR_S, DAY_S = 3600, 86_400
RESET_IS_VOID_S = 9 * DAY_S  # a day of waiting, and seven in which it can be applied
NOTICES = {
    "reset": "new_password", "change": "new_password", "totp_confirm": "factor_on",
    "totp_recovery_codes": "new_recovery_codes", "recovery_code": "recovery_code_used",
    "recovery_done": "recovery_done", "recovery_cancelled": "recovery_cancelled", "new_device": "new_device",
}  # fmt: skip
"""For each entry of the trail the mail that must go with it."""
HOWS: list[How] = ["refused", "answer lost", "crash"]
LOST = (503, 504)

addresses = st.sampled_from(OWNER + STRANGER)
picks = st.integers(0, 20)
TOKENS = ("verify", "known", "reset", "email", "approve", "recovery")
faults = st.one_of(
    st.none(), st.none(), st.none(), st.builds(Fault, st.integers(0, 14), st.sampled_from(HOWS))
)  # fmt: skip
flags = st.booleans()


@dataclass
class Account:
    """An account that the owner has shown to be theirs, as the owner and the companies know it.

    Where an answer was lost there are several candidates, of which one is right.

    Attributes:
        mains: Its main address.
        further: Addresses of accounts that were merged into it.
        passwords: What logs in; the last one was enrolled last.
        factors: The secret of its second factor; None for none.
        names: The given name that companies were told is kept.
        codes: Recovery codes that are good for sure.
        spent: Those that are not, for sure.
        resets: Delayed resets that the owner wants: second factor, and address.
        id: Its id, once somebody was told.
    """

    mains: list[str]
    passwords: list[str]
    further: set[str] = field(default_factory=set)
    factors: list[str | None] = field(default_factory=lambda: [None])
    names: list[str | None] = field(default_factory=list)
    id: str = ""
    codes: list[str] = field(default_factory=list)
    spent: list[str] = field(default_factory=list)
    resets: set[tuple[bool, str]] = field(default_factory=set)

    def has_codes(self, codes: list[str]) -> None:
        """New recovery codes; those of before are good for nothing, or nobody knows."""
        self.spent = (self.spent + self.codes)[-12:]
        self.codes = codes


@dataclass
class Held:
    """A session that somebody holds: `tokens` as they were answered, at the API or at the application.

    `password` is the one that a stranger typed.
    """

    user: str
    tokens: dict[str, Any]
    at_app: bool = False
    password: str = ""


class AccountsMachine(RuleBasedStateMachine):
    """The actors' steps."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.fresh = count()
        self.accounts: list[Account] = []  # the owner's
        self.shown: set[str] = set()  # addresses that their readers confirmed
        self.perhaps: dict[str, list[str]] = {}  # by address, passwords whose answers were lost
        self.asked: set[str] = set()  # addresses that the owner asked to change to
        self.stolen: list[str] = []  # passwords that the stranger knows, and that are none of the owner's now
        self.leaked: list[str] = []  # the owner's present ones that the stranger knows
        self.held: dict[str, list[Held]] = {"owner": [], "stranger": []}
        self.pages: list[tuple[Browser, str]] = []  # of the stranger, with the password that was typed
        self.codes: list[tuple[str, str]] = []  # by actor
        self.erased: set[str] = set()
        self.enrolling: dict[str, str] = {}  # secret by actor
        self.strangers_codes: list[str] = []
        self.checked: dict[str, Any] = {}
        self.seen: dict[str, str] = {}
        self.reset_checked: dict[str, Any] = {}  # version of the record by user
        self.read: set[str] = set()  # tokens of mails about resets
        self.done: set[tuple[str, bool, str]] = set()  # resets that the owner wanted
        self.told: set[Any] = set()  # entries of the trail, and mails, that were looked at

    # ---- the companies' requests

    def register(self) -> None:
        self.world.register("shop")
        self.world.register("group", company="*")
        self.world.register(APP, redirect_uris=[BACK])

    @initialize(scenes=st.lists(st.sampled_from(["owner", "squatter", "stranger", "two"]), max_size=3))
    def begin_in_the_middle(self, scenes: list[str]) -> None:
        """What would take many steps to come to; each is steps of before."""
        self.register()
        for scene in scenes:
            if scene == "owner":
                self.sign_up("owner", OWNER[0], None, again=False)
                if self.mails("owner", "verify"):
                    self.owner_verifies(0, None, again=False)
                else:
                    self.owner_resets(0, None, again=False)
                self.owner_logs_in(0, None)
                if self.held["owner"]:
                    self.second_factor("owner", 0, None, again=False, action="enrol")
            elif scene == "squatter":  # of an address that is the owner's
                self.import_line(OWNER[0], verified=False, phone=True, fault=None)
                self.stranger_logs_in(0, OWNER[0], None)
                if self.held["stranger"]:
                    self.second_factor("stranger", 0, None, again=False, action="enrol")
                    self.second_factor("stranger", 0, None, again=False, action="confirm")
                self.forget(OWNER[0], None)
            elif scene == "stranger":
                self.import_line(STRANGER[0], verified=True, phone=True, fault=None)
                self.stranger_logs_in(0, STRANGER[0], None)
            else:
                self.import_line(OWNER[0], verified=True, phone=True, fault=None)
                self.import_line(OWNER[1], verified=True, phone=True, fault=None)

    def ask(self, fault: Fault | None, again: bool, send: Callable[[], Answer]) -> list[Answer]:
        """Send a request with a fault; after a lost answer, or when it is duplicated, once more without."""
        self.world.fault = Fault(fault.after, fault.how) if fault else None
        answers = [send()]
        self.world.fault = None
        if again:
            answers.append(send())
        return answers

    def password(self) -> str:
        return f"a long enough password no {next(self.fresh)}"

    def owned_at(self, address: str) -> Account | None:
        return next((each for each in self.accounts if address in (*each.mains, *each.further)), None)

    def mails(self, actor: str, *kinds: str) -> list[Mail]:
        mine = OWNER if actor == "owner" else STRANGER
        return [mail for mail in self.world.mails if mail.to in mine and mail.kind in kinds]

    def users(self) -> list[str]:
        """Ids of all accounts that there ever were, oldest first: companies know them."""
        places = self.world.table.tables[TABLE]
        return [pk.removeprefix("U#") for pk, sk in places if pk.startswith("U#") and sk == "."]

    def begins(self, address: str) -> None:
        """An account of the owner's, whose password is one of those that it may have."""
        self.accounts.append(Account([address], self.perhaps.pop(address)))

    def replaced(self, account: Account, password: str, *, sure: bool) -> None:
        """A new password of the owner's; the stranger learns the old ones once they are old for sure."""
        if sure:
            self.stolen += [each for each in account.passwords if each != password]
            account.passwords = [password]
        else:
            account.passwords.append(password)

    # ---- time, mails

    @rule(seconds=st.sampled_from([1, 31, 61, 301, 901, HOUR_S + 1, 25 * HOUR_S]))
    def wait(self, seconds: int) -> None:
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, before which the owner reads their mail, and stops resets that they do not want."""
        self.world.sleep(61)
        self.world.deliver()
        for mail in self.mails("owner", "recovery"):
            account = self.owned_at(mail.to)
            if mail.token in self.read or (account and account.resets):
                continue
            self.read.add(mail.token)
            answer = self.world.ask("POST", "/v1/verify", "shop", token=mail.token)
            assert answer.status == 200 or answer.code == "invalid_token", answer
        self.world.sleep(seconds)

    @rule()
    def deliver(self) -> None:
        self.world.deliver()

    # ---- signing up, and proving a mailbox

    @rule(actor=st.sampled_from(["owner", "stranger"]), address=addresses, fault=faults, again=flags)
    def sign_up(self, actor: str, address: str, fault: Fault | None, again: bool) -> None:
        if actor == "owner":
            address = OWNER[len(address) % 2]
        password = self.password()
        profile = {"given_name": actor, "phone": OWNERS_PHONE if actor == "owner" else STRANGERS_PHONE}
        answers = self.ask(fault, again, lambda: self.world.ask(
            "POST", "/v1/signup", "shop", email=address, password=password, profile=profile
        ))  # fmt: skip
        assert all(each.status in (202, 429, *LOST) for each in answers)
        if actor == "stranger":
            self.stolen.append(password)
        else:
            self.chosen = password
        self.world.deliver()

    chosen = ""

    @precondition(lambda self: self.chosen and self.mails("owner", "verify"))
    @rule(pick=picks, fault=faults, again=flags)
    def owner_verifies(self, pick: int, fault: Fault | None, again: bool) -> None:
        mails = self.mails("owner", "verify")
        mail = mails[-1 - pick % len(mails)]
        answers = self.ask(fault, again, lambda: self.world.ask(
            "POST", "/v1/verify", "shop", token=mail.token, password=self.chosen
        ))  # fmt: skip
        done = next((each.body["user_id"] for each in answers if each.status == 200), None)
        if any(each.id == done for each in self.accounts):
            return  # a link that was used is answered as it was then, also where the address was let go since
        if self.owned_at(mail.to) is None and (done or any(each.status in LOST for each in answers)):
            self.shown.add(mail.to)
            self.perhaps.setdefault(mail.to, []).append(self.chosen)
            if done:
                self.begins(mail.to)

    @precondition(lambda self: self.mails("stranger", "verify") and self.stolen)
    @rule(pick=picks, which=picks)
    def stranger_verifies(self, pick: int, which: int) -> None:
        mails = self.mails("stranger", "verify")
        mail = mails[-1 - pick % len(mails)]
        password = self.stolen[-1 - which % len(self.stolen)]
        if self.world.ask("POST", "/v1/verify", "shop", token=mail.token, password=password).status == 200:
            self.shown.add(mail.to)

    @rule(address=addresses, fault=faults)
    def forget(self, address: str, fault: Fault | None) -> None:
        [answer] = self.ask(fault, False, lambda: self.world.ask(
            "POST", "/v1/password/forgot", "shop", email=address
        ))  # fmt: skip
        assert answer.status in (202, 429, *LOST)
        self.world.deliver()

    @precondition(lambda self: self.mails("owner", "verify", "known", "reset"))
    @rule(pick=picks, fault=faults, again=flags)
    def owner_resets(self, pick: int, fault: Fault | None, again: bool) -> None:
        mails = self.mails("owner", "verify", "known", "reset")
        mail, password = mails[-1 - pick % len(mails)], self.password()
        answers = self.ask(fault, again, lambda: self.world.ask(
            "POST", "/v1/password/reset", "shop", token=mail.token, password=password
        ))  # fmt: skip
        done = any(each.status == 204 for each in answers)
        maybe = any(each.status in LOST for each in answers)
        account = self.owned_at(mail.to)
        if done and account is None:
            self.shown.add(mail.to)
            self.perhaps[mail.to] = [password]
            self.begins(mail.to)
        elif done and account is not None:
            self.replaced(account, password, sure=True)
        elif maybe and account is not None:
            self.replaced(account, password, sure=False)
        elif maybe:
            self.shown.add(mail.to)
            self.perhaps.setdefault(mail.to, []).append(password)

    @precondition(lambda self: self.mails("stranger", *TOKENS))
    @rule(pick=picks, fault=faults)
    def stranger_resets(self, pick: int, fault: Fault | None) -> None:
        mails = self.mails("stranger", *TOKENS)
        mail, password = mails[-1 - pick % len(mails)], self.password()
        self.stolen.append(password)
        answers = self.ask(fault, False, lambda: self.world.ask(
            "POST", "/v1/password/reset", "shop", token=mail.token, password=password
        ))  # fmt: skip
        if answers[0].status in (204, *LOST):
            self.shown.add(mail.to)

    # ---- logging in

    @precondition(lambda self: self.accounts)
    @rule(pick=picks, fault=faults)
    def owner_logs_in(self, pick: int, fault: Fault | None) -> None:
        account = self.accounts[pick % len(self.accounts)]
        self.pass_time(HOUR_S + 1)
        self.world.fault = fault
        answer = self.log_in(account.mains[-1], account.passwords[-1], account.factors[-1])
        self.world.fault = None
        if answer.status == 200:
            account.id = answer.body["user_id"]
            self.held["owner"].append(Held(account.id, answer.body))

    @precondition(lambda self: any(each.codes for each in self.accounts))
    @rule(pick=picks, which=picks, fault=faults, again=flags)
    def owner_uses_recovery_code(self, pick: int, which: int, fault: Fault | None, again: bool) -> None:
        accounts = [each for each in self.accounts if each.codes]
        account = accounts[pick % len(accounts)]
        code = account.codes.pop(which % len(account.codes))
        self.pass_time(HOUR_S + 1)
        answers = self.ask(fault, again, lambda: self.log_in(
            account.mains[-1], account.passwords[-1], None, recovery_code=code
        ))  # fmt: skip
        for answer in answers:
            if answer.status == 200:
                assert code not in account.spent, "a recovery code was good twice"
                account.id = answer.body["user_id"]
                self.held["owner"].append(Held(account.id, answer.body))
                account.spent.append(code)

    @precondition(lambda self: self.leaked)
    @rule(address=addresses, which=picks, guess=picks)
    def stranger_tries_recovery_code(self, address: str, which: int, guess: int) -> None:
        """Any code that the stranger might have seen, which all are spent, or of accounts of their own."""
        spent = [code for account in self.accounts for code in account.spent]
        codes = [*spent, *self.strangers_codes, "AAAAA-AAAAA"]
        password = self.leaked[-1 - which % len(self.leaked)]
        answer = self.log_in(address, password, None, recovery_code=codes[guess % len(codes)])
        if answer.status == 200:
            self.held["stranger"].append(Held(answer.body["user_id"], answer.body))

    def log_in(self, address: str, password: str, secret: str | None, **code: str) -> Answer:
        code |= {"totp": self.code(secret)} if secret else {}
        return self.world.ask("POST", "/v1/login", "shop", email=address, password=password, **code)

    def code(self, secret: str) -> str:
        totp = TOTP(b32decode(secret), 6, SHA1(), 30)  # noqa: S303
        return totp.generate(int(self.world.now)).decode()

    @precondition(lambda self: self.stolen)
    @rule(which=picks, address=addresses, fault=faults)
    def stranger_logs_in(self, which: int, address: str, fault: Fault | None) -> None:
        self.world.fault = fault
        password = self.stolen[-1 - which % len(self.stolen)]
        secret = self.enrolling.get("stranger")
        answer = self.log_in(address, password, None)
        if answer.code == "second_factor_required" and secret:
            self.world.sleep(31)
            answer = self.log_in(address, password, secret)
        self.world.fault = None
        if answer.status == 200:
            self.held["stranger"].append(Held(answer.body["user_id"], answer.body, password=password))

    @precondition(lambda self: self.accounts)
    @rule(pick=picks)
    def password_leaks(self, pick: int) -> None:
        account = self.accounts[pick % len(self.accounts)]
        if account.factors == [account.factors[-1]] and account.factors[-1]:  # else it is a way in
            self.leaked.append(account.passwords[-1])

    @precondition(lambda self: any(self.held.values()))
    @rule(actor=st.sampled_from(["owner", "stranger"]), pick=picks, fault=faults, again=flags)
    def refreshes(self, actor: str, pick: int, fault: Fault | None, again: bool) -> None:
        if not self.held[actor]:
            return
        held = self.held[actor][pick % len(self.held[actor])]
        token = held.tokens.get("refresh_token", "")
        for answer in self.ask(fault, again, lambda: (
            refresh(self.world, token) if held.at_app
            else self.world.ask("POST", "/v1/token/refresh", "shop", refresh_token=token)
        )):  # fmt: skip
            if answer.status == 200:
                self.held[actor].append(replace(held, tokens=answer.body))

    # ---- credentials of who is logged in

    @precondition(lambda self: self.held["owner"])
    @rule(pick=picks, fault=faults, again=flags)
    def owner_changes_password(self, pick: int, fault: Fault | None, again: bool) -> None:
        held = self.held["owner"][-1 - pick % len(self.held["owner"])]
        account = next((each for each in self.accounts if each.id == held.user), None)
        if account is None or held.at_app:
            return
        password = self.password()
        answers = self.ask(fault, again, lambda: self.world.ask(
            "POST", "/v1/password/change", "shop", access_token=held.tokens["access_token"],
            current=account.passwords[-1], password=password,
        ))  # fmt: skip
        if any(each.status == 204 for each in answers):
            self.replaced(account, password, sure=True)
        elif any(each.status in LOST for each in answers):
            self.replaced(account, password, sure=False)

    @precondition(lambda self: any(self.held.values()))
    @rule(
        actor=st.sampled_from(["owner", "stranger"]), pick=picks, fault=faults, again=flags,
        action=st.sampled_from(["enrol", "confirm", "confirm", "disable", "recovery_codes"]),
    )  # fmt: skip
    def second_factor(self, actor: str, pick: int, fault: Fault | None, again: bool, action: str) -> None:
        if not self.held[actor]:
            return
        held = self.held[actor][-1 - pick % len(self.held[actor])]
        account = next((each for each in self.accounts if each.id == held.user), None)
        present = account.factors[-1] if account else None
        secret = self.enrolling.get(actor) if action == "confirm" else present
        if action != "enrol" and not secret:
            return
        self.world.sleep(31)
        current = account.passwords[-1] if account and actor == "owner" else held.password
        code = {"code": self.code(str(secret))} if action != "enrol" else {"current": current}
        answers = self.ask(fault, again, lambda: self.world.ask(
            "POST", "/v1/mfa/totp", "shop", access_token=held.tokens["access_token"], action=action, **code
        ))  # fmt: skip
        done = [each for each in answers if each.status == 200]
        if action == "enrol":
            for each in done:
                self.enrolling[actor] = each.body["secret"]
        elif actor == "stranger":
            self.strangers_codes += [code for each in done for code in each.body.get("recovery_codes", [])]
        elif account is not None:
            self.factor_changed(account, action, secret, answers)

    def factor_changed(
        self, account: Account, action: str, secret: str | None, answers: list[Answer]
    ) -> None:
        done = [each for each in answers if each.status == 200]
        lost = any(each.status in LOST for each in answers)
        made = None if action == "disable" else secret
        if done:
            account.has_codes(done[-1].body.get("recovery_codes", []))
            account.factors = [made]
        elif lost:
            account.factors.append(made)
        if lost and answers[-1].status != 200:  # codes that were answered may count no more
            account.codes = []

    # ---- a new address

    @rule(pick=picks, address=addresses, fault=faults)
    def company_asks_for_address(self, pick: int, address: str, fault: Fault | None) -> None:
        if not (users := self.users()):
            return
        user = users[pick % len(users)]
        self.ask(fault, False, lambda: self.world.ask(
            "PATCH", "/v1/users/{id}", "shop", user, email=address
        ))  # fmt: skip
        self.world.deliver()

    @precondition(lambda self: any(self.held.values()))
    @rule(actor=st.sampled_from(["owner", "stranger"]), pick=picks, which=picks, fault=faults, shown=flags)
    def person_asks_for_address(
        self, actor: str, pick: int, which: int, fault: Fault | None, shown: bool
    ) -> None:
        if not self.held[actor]:
            return
        held = self.held[actor][-1 - pick % len(self.held[actor])]
        account = next((each for each in self.accounts if each.id == held.user), None)
        address = (OWNER if actor == "owner" else STRANGER + OWNER)[which % (2 if actor == "owner" else 4)]
        claims: dict[str, str] = {"email": address}
        if shown:
            mine = account.passwords if actor == "owner" and account else self.stolen
            secret = account.factors[-1] if actor == "owner" and account else self.enrolling.get("stranger")
            self.world.sleep(31)
            claims |= {"access_token": held.tokens["access_token"], "current": mine[-1] if mine else ""}
            claims |= {"totp": self.code(secret)} if secret else {}
        if actor == "owner" and account:
            self.asked.add(address)
        self.ask(fault, False, lambda: self.world.ask(
            "PATCH", "/v1/users/{id}", "shop", held.user, **claims
        ))  # fmt: skip
        self.world.deliver()

    @precondition(lambda self: self.world.mails)
    @rule(actor=st.sampled_from(["owner", "stranger"]), pick=picks, fault=faults, again=flags)
    def lets_address_in(self, actor: str, pick: int, fault: Fault | None, again: bool) -> None:
        """The owner follows the links of what they asked for, and of nothing else; the stranger all."""
        mails = [
            mail for mail in self.mails(actor, "email", "approve")
            if actor == "stranger"
            or (mail.to if mail.kind == "email" else self.named(mail)) in self.asked
        ]  # fmt: skip
        if not mails:
            return
        mail = mails[-1 - pick % len(mails)]
        answers = self.ask(fault, again, lambda: self.world.ask(
            "POST", "/v1/verify", "shop", token=mail.token
        ))  # fmt: skip
        if mail.kind == "email" and any(each.status in (200, *LOST) for each in answers):
            self.shown.add(mail.to)
        if actor == "stranger":
            return
        good = [each for each in answers if each.status == 200]
        done = next((each for each in good if each.body["state"] == "verified"), None)
        new = mail.to if mail.kind == "email" else self.named(mail)
        if done is not None:
            self.moved(done.body["user_id"], new, sure=True)
        elif any(each.status in LOST for each in answers):
            self.moved("", new, sure=False)

    def named(self, mail: Mail) -> str:
        """The address that a mail names."""
        return next((each for each in OWNER + STRANGER if each in mail.text), "")

    def moved(self, user: str, address: str, *, sure: bool) -> None:
        """An account of the owner's changed to an address, or perhaps did."""
        self.shown.add(address)
        for account in self.accounts:
            if sure and account.id == user and address not in account.further:
                account.mains = [address]
            elif not sure and self.owned_at(address) is None:
                account.mains.append(address)

    # ---- delayed resets

    @precondition(lambda self: self.users())
    @rule(
        pick=picks, address=st.none() | addresses, second_factor=flags, wanted=flags, fault=faults,
        again=flags,
    )  # fmt: skip
    def company_asks_for_reset(
        self,
        pick: int,
        address: str | None,
        second_factor: bool,
        wanted: bool,
        fault: Fault | None,
        again: bool,
    ) -> None:
        """Of whomever, as the company was deceived, or as the owner told; and again when it may be due."""
        users = self.users()
        user = self.at_the_end_of(users[pick % len(users)])
        account = next((each for each in self.accounts if each.id == user), None)
        wants = (second_factor, address or "")
        if wanted and account and not account.resets and address not in STRANGER:
            account.resets.add(wants)
            self.asked |= {address} if address else set()
        self.send_reset(user, account, wants, fault, again)

    @precondition(lambda self: any(each.resets for each in self.accounts))
    @rule(pick=picks, fault=faults, again=flags)
    def wanted_reset_is_done(self, pick: int, fault: Fault | None, again: bool) -> None:
        """The company sends it again, on the next day."""
        accounts = [each for each in self.accounts if each.resets]
        account = accounts[pick % len(accounts)]
        wants = next(iter(account.resets))
        self.send_reset(account.id, account, wants, None, again=False)
        self.pass_time(25 * HOUR_S)
        self.send_reset(account.id, account, wants, fault, again)

    def send_reset(
        self, user: str, account: Account | None, wants: tuple[bool, str], fault: Fault | None, again: bool
    ) -> None:
        claims: dict[str, Any] = {"second_factor": wants[0]} | ({"email": wants[1]} if wants[1] else {})
        before = len(self.world.mails)
        answers = self.ask(fault, again, lambda: self.world.ask(
            "POST", "/v1/users/{id}/recovery", "shop", user, **claims
        ))  # fmt: skip
        self.world.deliver()
        told = {mail.to for mail in self.world.mails[before:] if mail.kind == "recovery"}
        if account is None:
            return
        if told and len(account.mains) == 1 and answers[0].status == 202:
            assert {*account.mains, *account.further} <= told, "a mailbox is not told of a reset"
        done = any(each.status == 200 for each in answers)
        if wants not in account.resets:
            assert not done or (user, *wants) in self.done, "a reset was done that the owner did not want"
            return
        if done:
            account.resets.clear()
            self.done.add((user, *wants))
        if wants[0] and done:
            account.factors = [None]
            account.has_codes([])
        elif wants[0] and any(each.status in LOST for each in answers):
            account.factors.insert(0, None)
            account.codes = []
        if done and wants[1]:
            self.world.deliver()

    # ---- profiles, imports, merges, erasure

    @precondition(lambda self: any(each.id for each in self.accounts))
    @rule(pick=picks, fault=faults)
    def company_edits(self, pick: int, fault: Fault | None) -> None:
        known = [each for each in self.accounts if each.id]
        account, name = known[pick % len(known)], f"Name {next(self.fresh)}"
        [answer] = self.ask(fault, False, lambda: self.world.ask(
            "PATCH", "/v1/users/{id}", "shop", account.id, given_name=name
        ))  # fmt: skip
        if answer.status == 200:
            account.names = [name]
        elif answer.status in LOST and account.names:
            account.names.append(name)

    @rule(address=addresses, verified=flags, phone=flags, fault=faults)
    def import_line(self, address: str, verified: bool, phone: bool, fault: Fault | None) -> None:
        """A verified line is its reader's; what is not verified may have been typed by the stranger."""
        password, number = self.password(), next(self.fresh)
        owners = address in OWNER and verified
        line: dict[str, Any] = {
            "id": str(number), "email": address, "email_verified": verified, "company": "shop",
            "password_hash": hashlib.sha1(password.encode()).hexdigest(), "hash_scheme": "sha1",  # noqa: S324
        }  # fmt: skip
        if phone:
            line |= {"phone": OWNERS_PHONE if owners else STRANGERS_PHONE, "phone_verified": True}
        self.world.fault = fault
        try:
            result = self.world.take_line("*", **line)["result"]
        except (BusyError, Crash):
            result = "lost"
        self.world.fault = None
        assert result != "refused"
        if verified:
            self.shown.add(address)
        if not owners:
            self.stolen.append(password)
            return
        account = self.owned_at(address)
        if result in ("created", "merged") and account is None:
            self.perhaps.setdefault(address, []).append(password)
            self.begins(address)
        elif account is not None and result in ("merged", "lost"):
            account.passwords.insert(0, password)

    @precondition(lambda self: len(self.users()) > 1)
    @rule(pick=picks, other=picks, fault=faults, again=flags)
    def company_merges(self, pick: int, other: int, fault: Fault | None, again: bool) -> None:
        users = self.users()
        one, two = users[pick % len(users)], users[other % len(users)]
        ends = {self.at_the_end_of(one), self.at_the_end_of(two)}  # an id may lead to another account
        answers = self.ask(fault, again, lambda: self.world.ask(
            "POST", "/v1/users/{id}/merge", "group", one, other=two
        ))  # fmt: skip
        if any(each.status in LOST for each in answers) and not any(each.status == 200 for each in answers):
            answers = [self.world.ask("POST", "/v1/users/{id}/merge", "group", one, other=two)]
        stays = next((each.body["user_id"] for each in answers if each.status == 200), None)
        if stays is None:
            return
        first = next((each for each in self.accounts if each.id == stays), None)
        second = next((each for each in self.accounts if each.id in ends and each is not first), None)
        if first is None or second is None:
            return
        first.further |= {*second.mains, *second.further} - set(first.mains)
        first.passwords = second.passwords + first.passwords
        first.factors = second.factors + first.factors
        first.codes, first.spent, first.resets = [], [], set()
        first.names = []
        self.accounts.remove(second)

    @rule(pick=picks, fault=faults, again=flags)
    def company_erases(self, pick: int, fault: Fault | None, again: bool) -> None:
        users = self.users()
        if pick > 4 or not users:  # seldom
            return
        user = users[pick % len(users)]
        target = self.at_the_end_of(user)
        answers = self.ask(fault, again, lambda: self.world.ask("DELETE", "/v1/users/{id}", "shop", user))
        while not any(each.status == 204 for each in answers):  # the company sends it until it is done
            answers = self.ask(None, False, lambda: self.world.ask(
                "DELETE", "/v1/users/{id}", "shop", user
            ))  # fmt: skip
        self.erased |= {user, target}
        self.accounts = [each for each in self.accounts if self.gets_in(each, each.mains)]

    def at_the_end_of(self, user: str) -> str:
        answer = self.world.ask("GET", "/v1/users/{id}", "shop", user)
        return answer.body["user_id"] if answer.status == 200 else user

    # ---- single sign-on

    @rule(actor=st.sampled_from(["owner", "stranger"]), pick=picks, which=picks, fault=faults, at_once=flags)
    def signs_on(self, actor: str, pick: int, which: int, fault: Fault | None, at_once: bool) -> None:
        browser = Browser()
        browser.open(self.world)
        if actor == "owner" and self.accounts:
            self.pass_time(HOUR_S + 1)
            account = self.accounts[pick % len(self.accounts)]
            typed = {"email": account.mains[-1], "password": account.passwords[-1]}
        elif actor == "stranger" and (known := self.stolen + self.leaked):
            account = None
            typed = {"email": (OWNER + STRANGER)[pick % 4], "password": known[-1 - which % len(known)]}
        else:
            return
        browser.open(self.world)
        self.world.fault = fault
        browser.send(self.world, **typed)
        if account is not None and browser.action == "second-factor" and account.factors[-1]:
            browser.send(self.world, code=self.code(account.factors[-1]))
        self.world.fault = None
        if actor == "stranger":
            self.pages.append((browser, typed["password"]))
            if at_once:
                self.stranger_goes_on(0, None, at_once=True)
        elif browser.action == "consent" and browser.send(self.world, decision="allow") < 400:
            self.codes.append((actor, browser.code))
            if at_once:
                self.application_redeems(0, None, again=False)

    @precondition(lambda self: self.pages)
    @rule(pick=picks, fault=faults, at_once=flags)
    def stranger_goes_on(self, pick: int, fault: Fault | None, at_once: bool) -> None:
        """With the page that was left open, however long ago; codes are looked up over a shoulder."""
        browser, password = self.pages[-1 - pick % len(self.pages)]
        secrets = [self.enrolling["stranger"]] if "stranger" in self.enrolling else []
        if password not in self.leaked or all(password not in each.passwords for each in self.accounts):
            secrets += [each.factors[-1] for each in self.accounts if each.factors[-1]]
        self.world.fault = fault
        if browser.action == "consent":
            browser.send(self.world, decision="allow")
        elif browser.action == "second-factor" and secrets:
            browser.send(self.world, code=self.code(secrets[-1 - pick % len(secrets)]))
        self.world.fault = None
        if browser.code:
            self.codes.append(("stranger", browser.code))
            if at_once:
                self.application_redeems(0, None, again=False)

    @precondition(lambda self: self.codes)
    @rule(pick=picks, fault=faults, again=flags)
    def application_redeems(self, pick: int, fault: Fault | None, again: bool) -> None:
        actor, code = self.codes[-1 - pick % len(self.codes)]
        for answer in self.ask(fault, again, lambda: redeem(self.world, code)):
            if answer.status == 200:
                access = answer.body["access_token"]
                user = self.world.services.tokens.read_access(access)["sub"]
                self.held[actor].append(Held(user, answer.body, at_app=True))

    # ---- what has to hold

    def gets_in(self, account: Account, mains: list[str]) -> Answer | None:
        """The answer to a log-in with what was enrolled, once every wait and lock is over."""
        for address in reversed(mains):
            for password in reversed(account.passwords):
                for factor in reversed(account.factors):
                    with self.world.forked():
                        self.world.sleep(HOUR_S + 1)
                        answer = self.log_in(address, password, factor)
                    if answer.status == 200:
                        return answer
        return None

    def state(self) -> Any:
        """Everything on which the answers of the checks rest."""
        users = self.world.table.tables[TABLE]
        return {
            key: {name: item.get(name) for name in ("version", "epoch", "user", "number")}
            for key, item in users.items() if key[0][:2] in ("U#", "E#", "P#")
        } | {("stolen", str(len(self.stolen))): {}}  # fmt: skip

    @invariant()
    def holds(self) -> None:
        state = self.state()
        if state == self.checked:
            return
        self.checked = state
        for account in self.accounts:
            answer = self.gets_in(account, account.mains)
            assert answer, f"the owner does not get in at {account.mains}"
            account.id = answer.body["user_id"]
            for address in account.further:
                assert self.gets_in(account, [address]), f"the owner does not get in at {address}"
            self.profile_is_kept(account)
            self.codes_are_good(account)
        for account in self.accounts:
            version = self.world.table.tables[TABLE][f"U#{account.id}", "."].get("version")
            if self.reset_checked.get(account.id) != version:
                self.reset_checked[account.id] = version
                self.reset_lets_in(account)
        owned = {each.id for each in self.accounts}
        self.stranger_has_no_way_in(owned)
        self.leaked_password_is_not_enough()
        self.only_confirmed_addresses_are_verified()
        self.nothing_is_left_of_the_erased()
        self.every_change_has_its_mail()

    def codes_are_good(self, account: Account) -> None:
        """The first of the recovery codes lets in, once; one that is spent does not."""
        for code, wanted in [
            *((code, 200) for code in account.codes[:1]),
            *((code, 401) for code in account.spent[-1:]),
        ]:
            if account.factors != [account.factors[-1]] or not account.factors[-1]:
                continue
            if len(account.passwords) != 1:
                continue  # which of them is the password is not known
            with self.world.forked():
                self.world.sleep(HOUR_S + 1)
                for status in (wanted, 401):
                    answer = self.log_in(account.mains[-1], account.passwords[-1], None, recovery_code=code)
                    assert answer.status == status, f"a recovery code is {answer}"

    def reset_lets_in(self, account: Account) -> None:
        """Who lost the factor, its codes and the mailbox gets in: a company asks, twice, a day between."""
        if len(account.mains) != 1 or account.mains[0] not in OWNER:
            return
        new = OWNER[1 - OWNER.index(account.mains[0])]
        claims: dict[str, Any] = {"second_factor": True}
        lost_mailbox = self.owned_at(new) is None and new not in self.shown
        claims |= {"email": new} if lost_mailbox else {}
        if not lost_mailbox and account.factors == [None]:
            return
        path = "/v1/users/{id}/recovery"
        with self.world.forked():
            self.world.sleep(RESET_IS_VOID_S)  # one that somebody else asked for is over
            answer = self.world.ask("POST", path, "shop", account.id, **claims)
            if answer.code == "nothing_to_recover":
                return
            assert answer.status in (200, 202), f"no reset: {answer}"
            self.world.sleep(DAY_S - 60)
            if answer.status == 202:
                assert self.world.ask("POST", path, "shop", account.id, **claims).status == 202, "too soon"
                self.world.sleep(61)
            answer = self.world.ask("POST", path, "shop", account.id, **claims)
            assert answer.status == 200, f"no reset: {answer}"
            if lost_mailbox:
                self.world.deliver()
                token = [mail.token for mail in self.mails("owner", "email") if mail.to == new][-1]
                answer = self.world.ask("POST", "/v1/verify", "shop", token=token)
                assert answer.status == 200, f"the new address does not count: {answer}"
            address = new if lost_mailbox else account.mains[0]
            answers = [self.log_in(address, password, None) for password in reversed(account.passwords)]
            assert any(each.status == 200 for each in answers), f"a reset lets nobody in: {answers}"

    def every_change_has_its_mail(self) -> None:
        """In the queue or sent for each entry of the trail that tells of one; and sent for these alone."""
        entries = self.world.table.tables[TABLE]
        noticed = {(job["kind"], job["user"], job.get("trail")) for job in self.world.jobs.values()}
        for (pk, sk), item in entries.items():
            if pk.startswith("A#") and (pk, sk) not in self.told:
                self.told.add((pk, sk))
                kind = NOTICES.get(item["action"]["S"])
                assert not kind or (kind, pk[2:], sk) in noticed, f"{kind} was never sent"
        for mail in self.world.mails:
            if mail.message not in self.told and not mail.token:
                self.told.add(mail.message)
                job = self.world.jobs[mail.message]
                assert (f"A#{job['user']}", job["trail"]) in entries, f"{mail.kind} was sent, and never was"

    def profile_is_kept(self, account: Account) -> None:
        if account.names:
            with self.world.forked():
                shown = self.world.ask("GET", "/v1/users/{id}", "shop", account.id)
            name = shown.body["profile"].get("given_name")
            assert name in account.names, "an acknowledged edit is lost"

    def stranger_has_no_way_in(self, owned: set[str]) -> None:
        for held in self.held["stranger"]:
            for name in ("access_token", "refresh_token"):
                told = self.world.services.sessions.introspect(held.tokens.get(name, ""))
                assert not (told["active"] and told["sub"] in owned), f"the stranger's {name} is good"
        for browser, _ in self.pages:
            user = browser.user(self.world)
            assert not user or user not in owned, "the stranger is signed in in a browser"
        present = {each for account in self.accounts for each in account.passwords}
        for account in self.accounts:
            mains = account.mains
            if len(mains) > 1:  # it may have moved to one, or not: and where it did not, it has no account
                mains = [each for each in mains if self.gets_in(account, [each])]
            for address in (*mains, *account.further):
                for password in self.stolen[-4:]:
                    if password in present or self.owned_at(address) is not account:
                        continue
                    with self.world.forked():
                        self.world.sleep(HOUR_S + 1)
                        answer = self.log_in(address, password, None)
                    let_in = answer.status == 200 or answer.code == "second_factor_required"
                    assert not let_in, "a stranger's password is right"

    def leaked_password_is_not_enough(self) -> None:
        for account in self.accounts:
            for password in self.leaked[-2:]:
                if None not in account.factors:
                    with self.world.forked():
                        self.world.sleep(HOUR_S + 1)
                        answer = self.log_in(account.mains[-1], password, None)
                    assert answer.status != 200, "a password lets in without the factor"

    def only_confirmed_addresses_are_verified(self) -> None:
        for user in self.users():
            version = str(self.world.table.tables[TABLE][f"U#{user}", "."].get("version"))
            if self.seen.get(user) == version:
                continue
            self.seen[user] = version
            with self.world.forked():
                shown = self.world.ask("GET", "/v1/users/{id}", "shop", user)
            if shown.status == 200 and shown.body["profile"].get("email_verified"):
                address = shown.body["profile"]["email"]
                assert address in self.shown, f"nobody confirmed {address}, and it counts as verified"

    def nothing_is_left_of_the_erased(self) -> None:
        table = self.world.table.tables[TABLE]
        for user in self.erased:
            left = [key for key in table if key[0] == f"U#{user}" and key[1] != "."]
            theirs = [key for key, item in table.items() if item.get("user") == {"S": user}]
            left += [key for key in theirs if key[0][:2] in ("E#", "P#")]
            assert not left, f"{left} are left of an erased account"
            item = table[f"U#{user}", "."]
            assert set(item) <= {
                "pk", "sk", "status", "ts", "version", "origin", "epoch", "epoch_version", "merged_into",
                "taken",
            }  # fmt: skip
            assert {*item.get("taken", {"SS": [user]})["SS"]} <= {*self.users()}
        for held in (*self.held["owner"], *self.held["stranger"]):
            if held.user in self.erased:
                for name in ("access_token", "refresh_token"):
                    told = self.world.services.sessions.introspect(held.tokens.get(name, ""))
                    assert not told["active"], "a token of an erased account is good"
