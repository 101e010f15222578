"""Rules of the authentication, each taken away on purpose: the state machine or a named test has to notice.

`python -m tests.unit.auth.model.mutants` tries them all, writes docs/auth_model.md, and ends with 1 if one
was not caught; `--only WORD` tries those whose name has a word.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
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

_UNKNOWN = 70  # neither of pytest's codes
PACKAGE = ROOT / "functions/auth/auth"
DOCUMENT = ROOT / "docs/auth_model.md"
MACHINE = "tests/unit/auth/model/test_machine.py"
ATTEMPTS = "tests/unit/auth/credentials/test_attempts.py"
RULES = "tests/unit/auth/model/test_rules.py"


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
        "dict.fromkeys(left) | mfa.disable()", "dict.fromkeys(left)",
    ),
    Mutant(
        "starting clean takes the profile away", "accounts/_passwords.py", "[*PROFILE, ", "[",
    ),
    Mutant(
        "a further address verifies itself alone", "accounts/_passwords.py",
        ' and found.email_index == user.email_index\n', "\n",
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
        "who loses an address has no log-in", "accounts/_addresses.py",
        'loser.but(status="conflict", epoch=services.new_epoch())', "loser.but()",
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
        "*(write for alias in aliases for write in services.store.aliases.releases(alias, user.id)),\n", "\n",
    ),
    Mutant(
        "erasing ends sessions and grants", "accounts/_endings.py",
        "        services.store.commit_each(services.store.users.delete_belongings(user.id))\n"
        "\n    again(run)\n",
        "\n    again(run)\n",
    ),
    Mutant(
        "an erased account is at a new epoch", "accounts/_endings.py",
        "                epoch=services.new_epoch(),\n", "                epoch=user.epoch,\n",
    ),
    Mutant(
        "accounts are one only by what is verified on both", "identity/_merging.py",
        ' and one[f"{kind}_verified"] and other[f"{kind}_verified"]', "",
    ),
    Mutant(
        "a merge keeps the addresses of both", "accounts/_endings.py",
        "        for alias in dict.fromkeys(aliases)\n", "        for alias in list[Alias]()\n",
    ),
    Mutant(
        "a reset never unlocks and releases one alias", "accounts/_passwords.py",
        "for alias in aliases_of(after, document)]", "for alias in [*aliases_of(after, document), "
        'Alias("phone", user.phone_index)] if alias.index]',
    ),
    Mutant(
        "a password is changed by whose it is", "accounts/_passwords.py",
        "            if proof.user.id != user.id:", "            if False:",
    ),
    Mutant(
        "what was voided is not told as verified", "accounts/_registration.py",
        'elif found.kind == "verify" or is_main == (found.kind == "email"):', "elif True:",
    ),
]  # fmt: skip


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

    Raises:
        RuntimeError: It neither fails nor passes.
    """
    child = os.fork()
    if child == 0:
        code = _UNKNOWN
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):  # noqa: PTH123
            os.environ["AUTH_MODEL_SHRINK"] = "0"
            if mutant is not None:
                sys.meta_path.insert(0, _Finder(mutant))
            with suppress(BaseException):
                code = int(pytest.main(["-q", "-x", str(ROOT / test)]))
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"{test} ended with {code}")
    return code == pytest.ExitCode.TESTS_FAILED


def catch(mutant: Mutant) -> str | None:
    """The test that notices; None if none does."""
    return next((test for test in mutant.tests if fails(test, mutant)), None)


def document(caught: list[tuple[Mutant, str]]) -> str:
    """The page of the rules, and of what notices that one is missing."""
    lines = [
        "# What the model of accounts shows",
        "",
        "`tests/unit/auth/model/machine.py` drives the real code of accounts, sign-on, sessions and imports",
        "over parts in memory, in any order: an owner, a stranger who reads their own mailbox, and",
        "companies; answers that get lost, requests that are repeated, tokens that are used late, and",
        "services that fail in any call. After each step",
        "",
        "- the stranger has no way into the owner's account: no password, session, token, browser or code;",
        "- the owner gets in with what they enrolled last;",
        "- what was acknowledged is there: password, factor, address, profile;",
        "- no address counts as verified that its reader never confirmed;",
        "- nothing of an erased account works, or lies in the table.",
        "",
        "Recovery codes and the delayed reset have no steps in it yet.",
        "",
        "`AUTH_MODEL_EXAMPLES=5000 make test TESTS=tests/unit/auth/model` takes longer, and other ways.",
        "The table in memory is compared with the engine's, request by request, by",
        "`tests/integration/engine/test_memory_table.py`.",
        "",
        "Each row is a rule that was taken out of the code on purpose, and the test that noticed.",
        "`python -m tests.unit.auth.model.mutants` tries them again and writes this page.",
        "",
        "| rule | taken out of | noticed by |",
        "|---|---|---|",
    ]
    names = {MACHINE: "the state machine"}
    lines += [
        f"| {mutant.rule} | `{mutant.module}` | {names.get(test, f'`{Path(test).name}`')} |"
        for mutant, test in caught
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Try every mutant; 1 if one was not caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a word of the rules to try")
    given = parser.parse_args()
    tried = [mutant for mutant in MUTANTS if given.only in mutant.rule]
    for mutant in tried:
        spoiled(mutant)
    for test in sorted({test for mutant in tried for test in mutant.tests}):
        if fails(test, None):
            print(f"{test} fails with every rule in its place")  # noqa: T201
            return 1
    caught = []
    for mutant in tried:
        noticed = catch(mutant)
        print(f"{mutant.rule:<70} {noticed or 'NOT CAUGHT'}", flush=True)  # noqa: T201
        caught += [(mutant, noticed)] if noticed else []
    if len(caught) == len(MUTANTS):
        DOCUMENT.write_text(document(caught))
    return int(len(caught) < len(tried))


if __name__ == "__main__":
    sys.exit(main())
