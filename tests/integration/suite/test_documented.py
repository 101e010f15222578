"""The commands that the papers tell people to type are run as they are typed, on an engine of the tests' own.

Not all of them: some need AWS, Docker or hours. `NOT_RUN` has a reason for each; `tests/unit/ops/` holds
those to what exists.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from local.demo.__main__ import drives
from local.engine_process import free_port
from local.suite import Suite
from ops.paths import ROOT
from tests.support.documented import Command, documented
from tests.support.interrupts import heed_interrupts
from tests.support.waiting import wait_until

# Those in blocks, and in README's table of commands.
COMMANDS = list(
    {
        command.words: command
        for command in documented()
        if command.to_type or (command.page == "README.md" and command.program == "make")
    }.values()
)
NOT_RUN = {
    "bench": "minutes to hours",
    "check": "a minute of linters; continuous integration runs it",
    "dashboards": "needs a domain of OpenSearch on AWS; tests run it on a server of their own",
    "deploy": "needs an account on AWS",
    "docs": "writes into the checkout; tests hold what it writes to the source",
    "documents-image": "needs Docker and a registry",
    "flink": "runs tests of its own, as `make test` does",
    "lighthouse": "needs Chromium and packages of npm, and writes into the checkout",
    "lists": "goes to the internet, and writes into the checkout",
    "lock": "goes to the internet, and writes into the checkout",
    "mutate-auth": "minutes; a test of its own holds its page to the rules",
    "mutate-template": "minutes; a test of its own holds its page to the rules",
    "operator": "needs a stack on AWS; test_operators.py runs it on the engine's",
    "pictures": "needs Chromium, and writes into the checkout",
    "replicate": "needs two regions; tests/integration/auth_regions/test_documented.py runs it there",
    "sam-local": "needs Docker",
    "search": "runs tests of its own, as `make test` does",
    "setup": "would make the environment anew that this test runs in",
    "test": "is what runs this test",
}
# Variables in the place of those that are shown, for what would take a minute or goes to the internet.
INSTEAD = {
    "feed": ["SECONDS=1"],
    "feed-posts": ["SECONDS=1"],
}
PAGE_OF_REGIONS = "docs/auth_regions.md"  # its commands need two regions, too: the same test runs them
KEYS = ("shop.pem", "support.pem", "bank.pem")  # public ones, of which the first is made as docs/auth.md says
# Those that end by Ctrl-C, and the word that says that they have begun.
UNTIL_CTRL_C = {"watch": "watching", "debug": "Invoke it"}
OTHER_PROGRAMS = {
    "aws": "needs an account on AWS, and the AWS CLI",
    "curl": "needs a domain of OpenSearch on AWS",
    "export": "the shell's own",
    "python": "the company of docs/auth_integration.md; test_company_example.py runs it",
    "sam": "needs an account on AWS; by hand what `make deploy` does",
}


def make(words: tuple[str, ...], state: Path, **options: str) -> subprocess.Popen[str]:
    """Begin a `make` on the engine of a folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MAKE"))}
    return subprocess.Popen(
        ["make", *words], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env=kept | {"SUITE_STATE": str(state)} | options, preexec_fn=heed_interrupts,
    )  # fmt: skip


def run(words: tuple[str, ...], state: Path, *, seconds: float = 120) -> str:
    """Run a `make` that has to succeed; what it said."""
    process = make(words, state)
    try:
        said, _ = process.communicate(timeout=seconds)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert process.returncode == 0, said
    assert not re.search(r"^Traceback", said, re.MULTILINE)  # a record in a log may tell of one
    assert said.replace("\n", "").replace("\t", "").isprintable(), "control characters where output is piped"
    return said


def adapted(command: Command, folder: Path) -> tuple[str, ...]:
    """The words of a command, on the local suite, with files of the test's own, and short."""
    words = tuple(word for word in command.words[1:] if not word.startswith("STACK="))
    for name in ("posts.jsonl", *KEYS):
        words = tuple(word.replace(name, str(folder / name)) for word in words)
    more = INSTEAD.get(command.targets[0], [])
    return (*words, *more)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What people have when they type: a file of posts, and a key as docs/auth.md makes it."""
    post = {"post_id": "p1", "user_id": "u1", "created_at": "2026-01-01T00:00:00Z", "text": "hello"}
    (tmp_path / "posts.jsonl").write_text(json.dumps(post) + "\n")
    if shutil.which("openssl"):
        for command in COMMANDS:
            if command.program == "openssl":
                subprocess.run(command.words, cwd=tmp_path, check=True, capture_output=True)
        for name in KEYS[1:]:
            shutil.copy(tmp_path / KEYS[0], tmp_path / name)
    return tmp_path


RUN = [
    command
    for command in COMMANDS
    if command.program == "make"
    and command.page != PAGE_OF_REGIONS
    and not {*command.targets} & {*NOT_RUN, *UNTIL_CTRL_C, "up", "down", "demo"}
    and "FOLLOW" not in command.variables
    and "LIVE" not in command.variables  # goes to the internet; tests feed from a server of their own
]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("command", RUN, ids=lambda command: " ".join(command.words)[:60])
def test_what_is_shown_works_as_typed(suite: Suite, folder: Path, command: Command) -> None:
    if any(name in command.text and not (folder / name).exists() for name in KEYS):
        pytest.skip("openssl is not installed")
    said = run(adapted(command, folder), suite.engine.directory)
    assert said.strip()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("target", sorted(UNTIL_CTRL_C))
def test_what_runs_until_ctrl_c_ends_with_it(suite: Suite, target: str, tmp_path: Path) -> None:
    if target == "debug" and importlib.util.find_spec("debugpy") is None:
        pytest.skip("debugpy is missing: `make setup`")
    command = next(
        each for each in COMMANDS if each.program == "make" and each.to_type and target in each.targets
    )
    process = make((*command.words[1:], f"LISTEN={free_port()}"), suite.engine.directory)
    assert process.stdout is not None
    try:
        wait_until(
            lambda: UNTIL_CTRL_C[target] in str(process.stdout and process.stdout.readline()), seconds=60
        )
    finally:
        os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert "Traceback" not in said


def test_every_command_is_run_or_has_a_reason() -> None:
    ours = {target for command in COMMANDS if command.program == "make" for target in command.targets}
    tested = {target for command in RUN for target in command.targets} | {*UNTIL_CTRL_C, "up", "demo", "down"}
    assert ours <= tested | {*NOT_RUN}
    assert not {*NOT_RUN} & tested
    programs = {command.program.removeprefix("HubTopicArn=$(").rpartition("/")[2] for command in COMMANDS}
    assert programs <= {"make", "pytest", "openssl", *OTHER_PROGRAMS}


@pytest.mark.timeout(900)
def test_up_demo_and_down_work_as_typed(tmp_path: Path) -> None:
    port = f"PORT={free_port()}"
    said = run(("up", port), tmp_path, seconds=400)
    try:
        assert "sign in  demo@example.org with " in said
        assert "sam deploy ..." in said
        status = run(("status",), tmp_path)
        assert status.splitlines() == said.splitlines()[-len(status.splitlines()) :]
        driven = run(("demo",), tmp_path, seconds=400)
        report = json.loads((tmp_path / "demo.json").read_text())
        applications = {each["application"]: each for each in report["applications"]}
        assert applications.keys() == drives().keys()
        assert all(each["ok"] and f"│ {name} " in driven for name, each in applications.items()), driven
    finally:
        assert "what it held is gone" in run(("down",), tmp_path)
