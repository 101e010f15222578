"""Rules of the authentication, each taken away on purpose: the state machine or a named test has to notice.

`make mutate-auth` tries them all, writes docs/auth_model.md, and ends with 1 if one was not caught;
`--only WORD` tries those whose name has a word.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, replace
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import Any

import aws_encryption_sdk  # noqa: F401 - what takes long to import is imported once
import boto3  # noqa: F401
import jwt  # noqa: F401
import pytest

from ops.paths import ROOT
from tests.unit.auth.model import between_regions

_UNKNOWN = 70  # neither of pytest's codes
PACKAGE = ROOT / "functions/auth/auth"
DOCUMENT = ROOT / "docs/auth_model.md"
MACHINE = "tests/unit/auth/model/test_machine.py"
ADDRESSES = "tests/unit/auth/model/test_addresses.py"
ATTEMPTS = "tests/unit/auth/credentials/test_attempts.py"
RULES = "tests/unit/auth/model/test_rules.py"
SESSIONS = "tests/unit/auth/tokens/test_session_limit.py"
EXAMPLES = "30"
AT_ONCE = 2


@dataclass(frozen=True)
class Mutant:
    """A rule, and the source without it.

    Attributes:
        rule: What has to hold.
        module: The file, below `functions/auth/auth`.
        old: Text of the rule, which is there once.
        new: What stands there without it.
        tests: Which tests have to notice, cheapest first.
    """

    rule: str
    module: str
    old: str
    new: str
    tests: tuple[str, ...] = (RULES, MACHINE)


_EPOCHS = "a change of a credential ends it: "
MUTANTS = [
    Mutant(
        _EPOCHS + "tokens of mails", "accounts/_mails.py",
        "    if user.epoch != found.epoch:\n        raise invalid_token()\n", "",
    ),
    Mutant(
        _EPOCHS + "sessions", "tokens/_sessions.py",
        "session is None or person is None or session.epoch != person.epoch:",
        "session is None or person is None:",
    ),
    Mutant(
        _EPOCHS + "sessions in browsers", "sign_on/browsers.py",
        "person is None or session.epoch != person.epoch:", "person is None:",
    ),
    Mutant(
        _EPOCHS + "codes, where they are exchanged", "sign_on/grants.py",
        "            or user.epoch != found.epoch\n", "",
    ),
    Mutant(
        _EPOCHS + "half-done sign-ins", "credentials/logins.py",
        "    if user is not None and user.epoch != epoch:\n        raise StaleSignInError\n", "",
    ),
    Mutant(
        _EPOCHS + "pending second factors", "credentials/mfa.py",
        ' or pending["epoch"] != user.epoch', "",
    ),
    Mutant(
        "a new password makes a new epoch", "accounts/_passwords.py",
        'after = user.but(status="active", epoch=services.new_epoch())', 'after = user.but(status="active")',
    ),
    Mutant(
        "a changed password makes a new epoch", "accounts/_passwords.py",
        "after = user.but(epoch=services.new_epoch())", "after = user.but()",
    ),
    Mutant(
        "a second factor makes a new epoch", "accounts/_log_in.py",
        "after = user.but(epoch=services.new_epoch())", "after = user.but()",
    ),
    Mutant(
        "a new address makes a new epoch", "accounts/_addresses.py",
        "user.but(email_index=index, epoch=services.new_epoch())", "user.but(email_index=index)",
    ),
    Mutant(
        "the session that changes a credential goes on", "storage/_sessions.py",
        '"SET epoch = :epoch",', '"SET moved = :epoch",',
    ),
    Mutant(
        "verifying a sign-up needs its password", "credentials/logins.py",
        'if user is None or outcome != "ok":', 'if user is None or (outcome != "ok" and not verifying):',
    ),
    Mutant(
        "who proves the mailbox of a never verified account starts clean", "accounts/_passwords.py",
        "            after, released = _start_clean(services, after, document)\n", "            pass\n",
    ),
    Mutant(
        "starting clean takes the second factor away", "accounts/_passwords.py",
        "dict.fromkeys(left) | mfa.disable(document)", "dict.fromkeys(left)",
    ),
    Mutant(
        "starting clean takes the profile away", "accounts/_passwords.py", "[*PROFILE, ", "[",
    ),
    Mutant(
        "a new address needs the person's approval", "accounts/_addresses.py",
        'if pending["approved"] and pending["confirmed"]:', 'if pending["confirmed"]:',
    ),
    Mutant(
        "a new address needs its mailbox", "accounts/_addresses.py",
        'if pending["approved"] and pending["confirmed"]:', 'if pending["approved"]:',
    ),
    Mutant(
        "an approval is of one address", "accounts/_addresses.py",
        'let_in = found.about if found.kind == "approve" else found.email_index',
        'let_in = index if found.kind == "approve" else found.email_index',
    ),
    Mutant(
        "approving beside the request needs the person", "accounts/_profiles.py",
        "approved = shown_at == user.epoch", "approved = True",
    ),
    Mutant(
        "a verified address is nobody else's", "accounts/_addresses.py",
        'if document["email_verified"] or loser.email_index != alias.index:', "if False:",
    ),
    Mutant(
        "verified beats unverified", "accounts/_addresses.py",
        'if document["email_verified"] or loser.email_index != alias.index:', "if True:",
    ),
    Mutant(
        "who loses the only identifier has no log-in", "services.py",
        'return after.but(status="conflict")', "return after",
    ),
    Mutant(
        "who loses an address keeps what is verified", "services.py",
        "elif phone != taken and user.phone_index and self.store.aliases.owner(phone) == user.id:",
        "elif False:", (ADDRESSES,),
    ),
    Mutant(
        "an attempt without a verdict is taken back", "credentials/logins.py",
        "                services.store.aliases.take_back(alias)\n        raise\n",
        "                pass\n        raise\n", (ATTEMPTS,),
    ),
    Mutant(
        "failures that were told are not forgotten with those that died", "storage/_aliases.py",
        'else "SET #failed = if_not_exists(#wrong, :none) + :one"', 'else "SET #failed = :none + :one"',
        (ATTEMPTS,),
    ),
    Mutant(
        "no more than ten are tried at one time", "storage/_aliases.py",
        " AND #failed < :most", " AND :most = :most", (ATTEMPTS,),
    ),
    Mutant(
        "a failed counter takes nothing back", "credentials/logins.py",
        "    key = attempt.limit.key\n    with suppress(BusyError):",
        "    key = attempt.limit.key\n    if True:",
        (ATTEMPTS,),
    ),
    Mutant(
        "a code is good once", "credentials/mfa.py",
        "step is None or step <= services.store.totp_steps.last(user.id)", "step is None",
    ),
    Mutant(
        "steps only rise, in a race too", "storage/_totp_steps.py",
        '"attribute_not_exists(step) OR step < :step"', '"attribute_not_exists(step) OR step <> :step"',
    ),
    Mutant(
        "a log-in's transaction checks the record", "credentials/logins.py",
        "(*writes, services.store.users.unchanged(user))", "(*writes,)",
    ),
    Mutant(
        "a mail is sent only for what was written", "deliver.py",
        "    if token is None:\n        return _unwritten(records, message)\n", "",
    ),
    Mutant(
        "a mail of what is not written yet comes back", "deliver.py",
        '        raise RetryableError("what the mail tells of is not written yet")\n',
        '        return "never written"\n',
    ),
    Mutant(
        "erasing frees the addresses", "accounts/_endings.py",
        "written_in(records.region), user), *freed]\n\n\ndef merge(",
        "written_in(records.region), user)]\n\n\ndef merge(",
    ),
    Mutant(
        "erasing ends sessions and grants", "accounts/_endings.py",
        "        services.store.commit_each(services.store.users.delete_belongings(user.id))\n"
        "\n    again(run)\n",
        "\n    again(run)\n",
    ),
    Mutant(
        "an erased account is at a new epoch", "accounts/_endings.py",
        "merged_into=user.merged_into, epoch=records.new_epoch(),",
        "merged_into=user.merged_into, epoch=user.epoch,",
    ),
    Mutant(
        "accounts are one only by what is verified on both", "identity/_merging.py",
        ' and one[f"{kind}_verified"] and other[f"{kind}_verified"]', "",
    ),
    Mutant(
        "a merge keeps the addresses of both", "accounts/_endings.py",
        "        for alias in aliases_of(after, document)\n        if records",
        "        for alias in list[Alias]()\n        if records",
    ),
    Mutant(
        "a reset never unlocks and releases one alias", "accounts/_passwords.py",
        "for alias in aliases_of(after, document)]", "for alias in [*aliases_of(after, document), "
        'Alias("phone", user.phone_index)] if alias.index]',
    ),
    Mutant(
        "a password is changed by whose it is", "accounts/_common.py",
        "    if proof.user.id != user.id:", "    if False:",
    ),
    Mutant(
        "what was voided is not told as verified", "accounts/_registration.py",
        'elif found.kind == "verify" or is_main == (found.kind == "email"):', "elif True:",
    ),
    Mutant(
        "a recovery code is good once", "credentials/mfa.py",
        "Redeemed({field: None}, None)", "Redeemed({}, None)",
    ),
    Mutant(
        "an edit loses to the one that came before", "storage/_users.py",
        '"ConditionExpression": "version = :before AND #status = :status"',
        '"ConditionExpression": "version = :before AND #status = :status OR attribute_exists(pk)"',
    ),
    Mutant(
        "new recovery codes end the old ones", "credentials/mfa.py",
        "return dict.fromkeys(_codes(document)) | made, codes", "return made, codes",
    ),
    Mutant(
        "new recovery codes need a code of the app", "accounts/_log_in.py",
        "_redeem(services, user, document, mfa.Code(code.text))", "_redeem(services, user, document, code)",
    ),
    Mutant(
        "a delayed reset waits for a day", "accounts/_recovery.py",
        "        if services.now() < known.due:", "        if False:",
    ),
    Mutant(
        "a mailbox stops a reset", "accounts/_recovery.py", "    if changes:\n", "    if not user:\n",
    ),
    Mutant(
        "every mailbox is told of a reset", "accounts/_recovery.py",
        " for index in known]", " for index in [user.email_index]]",
    ),
    Mutant(
        "a code of the app stops a reset", "credentials/logins.py",
        "elif (recovery := recovery_of(document)) and recovery.second_factor:", "elif (recovery := None):",
    ),
    Mutant(
        "a change of a credential makes a reset void", "identity/_recoveries.py",
        " and self.epoch == epoch", "",
    ),
    Mutant(
        "a reset is void after a week", "identity/_recoveries.py",
        " and now <= self.due + RECOVERY_GOOD_S", "",
    ),
    Mutant(
        "a reset makes a new epoch", "accounts/_recovery.py",
        "after = user.but(epoch=services.new_epoch())", "after = user.but()",
    ),
    Mutant(
        "a reset takes the factor away", "accounts/_recovery.py",
        "        mfa.disable(document) if known.second_factor else {}\n", "        {}\n",
    ),
    Mutant(
        "a reset that is done is answered as first", "accounts/_recovery.py",
        'if known and known.state == "done" and known.epoch == user.epoch:', "if False:",
    ),
    Mutant(
        "one reset waits at a time", "accounts/_recovery.py",
        "            if known and known.is_pending(user.epoch, services.now()):", "            if False:",
    ),
    Mutant(
        "a company resets its own people", "accounts/_recovery.py",
        "if client.company not in (_EVERYBODY, *document.companies()):", "if False:",
    ),
    Mutant(
        "whom a company imported are its people", "identity/_documents.py",
        " | {company for company, _ in self.origins()}", "",
    ),
    Mutant(
        "an account without a log-in is not reset", "accounts/_recovery.py",
        'if user.status != "active":', "if False:",
    ),
    Mutant(
        "a token that stops a reset chooses no password", "accounts/_passwords.py",
        'frozenset({"reset", "known", "verify"})', 'frozenset({"reset", "known", "verify", "recovery"})',
    ),
    Mutant(
        "a session is of one registration", "tokens/_sessions.py",
        "if client is None or client.registration != session.registration:", "if client is None:",
    ),
    Mutant(
        "a session is for an audience that its client has", "tokens/_sessions.py",
        "return session if scopes and session.audience in client.resources else None", "return session",
    ),
    Mutant(
        "scopes that a client lost are not good", "tokens/_sessions.py",
        "if each in {ACCOUNT, *client.sign_on_scopes}]", "if each]", (ADDRESSES,),
    ),
    Mutant(
        "a code is of one registration", "sign_on/grants.py",
        "(found.client, found.registration) != (client.id, client.registration)", "found.client != client.id",
    ),
    Mutant(
        "consent is to one registration", "storage/_grants.py",
        'return "#".join((f"{_PREFIX}{client}", registration, cleaned)).rstrip("#")',
        'return "#".join((f"{_PREFIX}{client}", "", cleaned)).rstrip("#")',
    ),
    Mutant(
        "an application has the scopes that it is registered for", "sign_on/authorization.py",
        "if scope not in client.sign_on_scopes]:", "if scope not in SCOPES]:",
    ),
    Mutant(
        "the oldest of too many sessions ends at a log-in", "accounts/_log_in.py",
        "services.store.sessions.delete(proof.user.id, oldest) if oldest else None", "None",
    ),
    Mutant(
        "sessions that are too many end when they are counted", "tokens/_sessions.py",
        "for each in sessions[:-MOST_SESSIONS]]", "for each in sessions[:0]]", (SESSIONS, MACHINE),
    ),
    Mutant(
        "a line of a dry run meets the accounts of those before", "imports/importing.py",
        "            accounts.save(line.account, made)\n", "            pass\n",
    ),
    Mutant(
        "a line of a dry run meets the addresses of those before", "imports/importing.py",
        "            accounts.give(line.email, line.account)\n", "            pass\n",
    ),
    Mutant(
        "a notice is sent only for what was written", "deliver.py",
        "    if entry is None:\n        return _unwritten(records, message)\n", "",
    ),
    Mutant(
        "a changed password is told", "accounts/_passwords.py",
        '            notify(services, "new_password", after, client.id, audit)\n'
        "            # A password alone",
        "            # A password alone",
    ),
    Mutant(
        "a recovery code that was used is told", "credentials/logins.py",
        '            notify(services, "recovery_code_used", user, client_id, entry)\n', "",
    ),
    Mutant(
        "a reset that is done is told", "accounts/_recovery.py",
        '        notify(services, "recovery_done", after, client.id, audit, *told)\n', "",
    ),
    Mutant(
        "a change of a factor is told", "accounts/_log_in.py",
        "            notify(services, notice, user, client.id, audit)\n", "            pass\n",
    ),
    Mutant(
        "an address is changed of accounts with a log-in", "accounts/_profiles.py",
        "            _check_active(user)\n", "",
    ),
    Mutant(
        "asking again takes no approval away", "accounts/_addresses.py",
        '    approved = approved or before["approved"]\n', "",
    ),
    Mutant(
        "an approval is not of the next address", "accounts/_addresses.py",
        "if not isinstance(before, dict) or before | pending != before:", "if not isinstance(before, dict):",
    ),
    Mutant(
        "who stays has an address of their own", "accounts/_endings.py",
        "if user.email_index and records.store.aliases.owner(alias) not in {None, *merging}:", "if False:",
    ),
    Mutant(
        "an address that nobody showed ends with its account", "accounts/_endings.py",
        "lost = {*records.claims(user), *records.claims(other)} - {*after.claims}", "lost = set[str]()",
    ),
    Mutant(
        "a verified address comes first", "identity/_merging.py",
        'chosen = next(iter(verified), "") or next(', "chosen = next(", (ADDRESSES,),
    ),
    Mutant(
        "a password moves no account that was never verified", "accounts/_profiles.py",
        ' and bool(document["email_verified"])', "", (ADDRESSES,),
    ),
    Mutant(
        "an address is kept once", "accounts/_addresses.py",
        '            f"email_also.{index}": None,\n', "", (ADDRESSES,),
    ),
    Mutant(
        "mails of a reset count apart", "accounts/_recovery.py",
        'mails.counted(services, user.id, "recovery")', "mails.counted(services, f'E#{user.email_index}')",
        (ADDRESSES,),
    ),
    Mutant(
        "a merge that is done ends nothing", "accounts/_endings.py",
        "in {other.id, other_id} - {user.id}:", "in {other.id, other_id}:", (ADDRESSES,),
    ),
    Mutant(
        "browsers of a person are bounded", "sign_on/authorization.py",
        '            services.sessions.trim(shown.user.id, "")\n', "            pass\n", (ADDRESSES,),
    ),
    Mutant(
        "an outage counts no mail and no code", "storage/_counters.py",
        "                    self._add(name, subject, window, seconds, -1)\n", "                    pass\n",
    ),
    Mutant(
        "a second factor is begun with the password", "accounts/_log_in.py",
        "prove_again(services, attempt, user, current, client, once).document", "attempt.document",
    ),
    Mutant(
        "five mails an hour", "accounts/_mails.py",
        "        if count > services.settings.mails_per_hour:", "        if False:",
    ),
    Mutant(
        "five codes in five minutes", "accounts/_log_in.py",
        "            if count > _CODES:", "            if False:",
    ),
]  # fmt: skip
MUTANTS += [
    Mutant(f"between regions: {rule}", module, old, new, between_regions.TESTS)
    for rule, module, old, new in between_regions.BETWEEN_REGIONS
]


class _Mutated(SourceFileLoader):
    """Loads a module without the rule."""

    def __init__(self, name: str, path: str, mutant: Mutant) -> None:
        super().__init__(name, path)
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        return compile(spoiled(self._mutant), self.path, "exec")


class _Finder(MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._name = ".".join(("auth", *Path(mutant.module).with_suffix("").parts))

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        if fullname != self._name:
            return None
        place = str(PACKAGE / self._mutant.module)
        return spec_from_file_location(fullname, place, loader=_Mutated(fullname, place, self._mutant))


def spoiled(mutant: Mutant) -> str:
    """The module without the rule.

    Raises:
        ValueError: The text is not there, or not once.
        SyntaxError: What is left is no module.
    """
    source = (PACKAGE / mutant.module).read_text()
    if source.count(mutant.old) != 1 or mutant.old == mutant.new:
        raise ValueError(f"{mutant.rule}: the text is there {source.count(mutant.old)} times")
    without = source.replace(mutant.old, mutant.new)
    compile(without, mutant.module, "exec")
    return without


def fails(test: str, mutant: Mutant | None) -> bool:
    """Whether a test fails without a rule; in a process of its own, which loads the code anew.

    The machine runs few of its examples.

    Raises:
        RuntimeError: It neither fails nor passes.
    """
    child = os.fork()
    if child == 0:
        code = _UNKNOWN
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):  # noqa: PTH123
            os.environ |= {"AUTH_MODEL_SHRINK": "0", "AUTH_MODEL_EXAMPLES": EXAMPLES}
            os.environ |= {"AUTH_REGIONS_EXAMPLES": "20", "AUTH_REGIONS_SEEDS": "250"}
            if mutant is not None:
                sys.meta_path.insert(0, _Finder(mutant))
            with suppress(BaseException):
                code = int(pytest.main(["-q", "-x", str(ROOT / test)]))
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"{test} ended with {code}")
    return code == pytest.ExitCode.TESTS_FAILED


@dataclass(frozen=True)
class Caught:
    """What notices that a rule is missing.

    Attributes:
        mutant: The rule.
        test: The first test that notices; empty if none does.
        by_machine: Whether the state machine does, alone; None if that was not tried.
    """

    mutant: Mutant
    test: str
    by_machine: bool | None = None


def catch(mutant: Mutant) -> Caught:
    """What notices a mutant, cheapest first."""
    return Caught(mutant, next((test for test in mutant.tests if fails(test, mutant)), ""))


def catch_alone(mutant: Mutant) -> Caught:
    """The same, and whether the machine does alone."""
    return replace(catch(mutant), by_machine=fails(MACHINE, mutant))


def document(caught: list[Caught]) -> str:
    """The page of the rules, and of what notices that one is missing."""
    lines = [
        "# What the model of accounts shows",
        "",
        "`tests/unit/auth/model/machine.py` drives the real code of accounts, sign-on, sessions and imports",
        "over parts in memory, in any order: an owner, a stranger who reads their own mailbox, and",
        "companies, which can be deceived; answers that get lost, requests that are repeated, tokens that",
        "are used late, and services that fail in any call. After each step",
        "",
        "- the stranger has no way into the owner's account: no password, session, token, browser or code;",
        "- the owner gets in with what they enrolled last, with a recovery code once, and by a delayed",
        "  reset, also with factor, codes and mailbox lost;",
        "- no delayed reset that the owner stopped is done, whatever the stranger's mailbox gets;",
        "- what was acknowledged is there: password, factor, address, profile;",
        "- no address counts as verified that its reader never confirmed;",
        "- nothing of an erased account works, or lies in the table;",
        "- each change of a credential has its mail in the queue or sent, and nothing else has one.",
        "",
        "Two regions that write at once have a model of their own, `local/regions_model.py`: the same code",
        "in each, the replication between them, outages, disabled keys, skewed clocks, deaths, records late,",
        "twice and out of order. An oracle that knows nothing of versions remembers what a region had shown",
        "when somebody wrote, and once all has healed",
        "",
        "- both regions are equal: accounts, documents, owners of identifiers; queues are empty;",
        "- of each field there is a value that nobody replaced who had seen it; nothing replaced is back;",
        "- who was erased stays erased, with all that was theirs; a replaced password logs nobody in;",
        "- sessions of before a change of a credential are dead in both regions;",
        "- an identifier has one owner, verified before unverified; a verified address has one account;",
        "- whoever has shown that a mailbox is theirs has an account with it;",
        "- nobody is merged or erased with a person who had their address before, and let it go;",
        "- no password is good that was chosen by a mailbox which the other region had let go before.",
        "",
        "`AUTH_MODEL_EXAMPLES=5000 make test TESTS=tests/unit/auth/model` takes longer, and other ways.",
        "The table in memory is compared with the engine's, request by request, by",
        "`tests/integration/engine/test_memory_table.py`.",
        "",
        "Each row is a rule that was taken out of the code on purpose, and the first test that noticed.",
        "With every rule in its place no test fails.",
        *_alone(caught),
        "`make mutate-auth` tries all again and writes this page, with `MACHINE=1` also what the state",
        "machine notices alone.",
        "",
        "| rule | taken out of | noticed by |",
        "|---|---|---|",
    ]
    names = {MACHINE: "the state machine"}
    for each in caught:
        test = names.get(each.test, f"`{Path(each.test).name}`")
        too = ", the state machine too" if each.by_machine and each.test != MACHINE else ""
        lines.append(f"| {each.mutant.rule} | `{each.mutant.module}` | {test}{too} |")
    return "\n".join(lines) + "\n"


def _fails_with_all(test: str) -> bool:
    return fails(test, None)


def _alone(caught: list[Caught]) -> list[str]:
    """How many the machine notices, if that was tried."""
    if any(each.by_machine is None for each in caught):
        return []
    noticed = sum(bool(each.by_machine) for each in caught)
    return [f"Of {len(caught)} the state machine alone notices {noticed}, in {EXAMPLES} examples."]


def main() -> int:
    """Try every mutant; 1 if one was not caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a word of the rules to try")
    parser.add_argument("--machine", action="store_true", help="what the state machine notices alone, too")
    given = parser.parse_args()
    tried = [mutant for mutant in MUTANTS if given.only in mutant.rule]
    for mutant in tried:
        spoiled(mutant)
    caught = []
    named = sorted({*[MACHINE] * given.machine, *(test for mutant in tried for test in mutant.tests)})
    with multiprocessing.get_context("fork").Pool(AT_ONCE) as pool:
        if any(pool.map(_fails_with_all, named)):
            print(f"one of {named} fails with every rule in its place")  # noqa: T201
            return 1
        for each in pool.imap(catch_alone if given.machine else catch, tried):
            alone = "machine" if each.by_machine else ""
            print(f"{each.mutant.rule:<66} {alone:8} {each.test or 'NOT CAUGHT'}", flush=True)  # noqa: T201
            caught += [each] if each.test else []
    if len(caught) == len(MUTANTS):
        DOCUMENT.write_text(document(caught))
    return int(len(caught) < len(tried))


if __name__ == "__main__":
    sys.exit(main())
