"""What the Makefile makes of what people give; a recorder stands in the place of the SAM CLI."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ops.operators import GROUP
from ops.paths import ROOT
from shared.operators import GROUP as SHARED_GROUP

HOSTILE = [
    "o'brien@example.org",
    "a@b; touch x",
    "$(touch x)@b",
    "$(shell touch x)@b",
    "`touch x`@b",
    'a"b c@d',
]


def make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MAKE"))}
    return subprocess.run(
        ["make", *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env=kept | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull} | environment,
    )  # fmt: skip


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A program that prints its arguments, a line each."""
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("email", HOSTILE)
@pytest.mark.parametrize("where", ["command line", "environment"])
def test_operator_gets_the_words_that_are_given(python: Path, email: str, where: str) -> None:
    given = {"STACK": "it's", "EMAIL": email}
    pairs = [f"{name}={value}" for name, value in given.items()] if where == "command line" else []
    done = make("operator", f"PY={python}", *pairs, **(given if not pairs else {}))
    assert done.stdout.splitlines() == ["-m", "ops.operators", "--", "it's", email], done.stderr
    assert not (ROOT / "x").exists()


@pytest.mark.parametrize(("given", "removes"), [("0", False), ("no", False), ("", False), ("1", True)])
def test_remove_removes_only_if_it_says_so(python: Path, given: str, removes: bool) -> None:
    done = make("operator", f"PY={python}", "STACK=s", "EMAIL=a@b", f"REMOVE={given}")
    assert ("--remove" in done.stdout.splitlines()) == removes


def test_clients_takes_a_command_line(python: Path) -> None:
    done = make(
        "clients", f"PY={python}", "STACK=s", "DO=add shop --title \"The Shop\" --verify-link 'a?{t}&b'"
    )
    words = ["--stack", "s", "add", "shop", "--title", "The Shop", "--verify-link", "a?{t}&b"]
    assert done.stdout.splitlines() == ["-m", "ops.auth_clients", *words]


@pytest.mark.parametrize(
    ("target", "command"),
    [
        ("clients", ("ops.auth_clients", "list")),
        ("redrive", ("ops.redrive",)),
        ("replicate", ("ops.replicate",)),
    ],
)
def test_without_a_stack_commands_work_on_the_local_suite(
    python: Path, target: str, command: tuple[str, ...]
) -> None:
    module, *words = command
    local, named = (make(target, f"PY={python}", "DO=list", *given) for given in ((), ("STACK=s",)))
    assert local.stdout.split() == ["-m", "local.run", module, *words]
    assert named.stdout.split() == ["-m", module, "--stack", "s", *words]


@pytest.fixture
def sam(tmp_path: Path) -> Path:
    """A SAM CLI that writes down what it is called with, and fails."""
    path = tmp_path / "sam"
    path.write_text(
        f"#!/bin/sh\necho $AWS_REGION $AWS_DEFAULT_REGION $WHEELS $@ >>{tmp_path}/called\nexit 3\n"
    )
    path.chmod(0o755)
    return path


def deploy(sam: Path, environment: str, **variables: str) -> tuple[subprocess.CompletedProcess[str], str]:
    done = make("deploy", f"ENV={environment}", f"PATH={sam.parent}:{os.environ['PATH']}", **variables)
    called = sam.parent / "called"
    return done, called.read_text() if called.exists() else ""


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_deploy_tells_sam_the_region(sam: Path, variable: str) -> None:
    done, called = deploy(sam, "staging", **{variable: "eu-west-3"})
    assert done.returncode != 0
    assert called.startswith("eu-west-3 eu-west-3 arm64 build --config-env staging")
    assert len(called.splitlines()) == 1, "a build that failed is deployed"


@pytest.mark.parametrize(
    ("environment", "variables", "says"),
    [
        ("local", {"AWS_REGION": "eu-west-3"}, "[local] is not for AWS"),
        ("a; touch x", {"AWS_REGION": "eu-west-3"}, "no environment 'a; touch x'"),
        ("staging", {}, "no AWS region: set AWS_REGION"),
    ],
)
def test_deploy_is_refused_before_the_build(
    sam: Path, environment: str, variables: dict[str, str], says: str
) -> None:
    done, called = deploy(sam, environment, **variables)
    assert (done.returncode, called) == (2, "")
    [line, _] = done.stderr.splitlines()  # and make's own
    assert says in line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("up", "PORT=99999"), "PORT=99999 is not a port"),
        (("demo", "PORT=abc"), "PORT=abc is not a port"),
        (("logs", "SINCE=soon"), "SINCE=soon is not a time"),
        (("watch",), "The engine is down"),
        (("debug", "F=Resize"), "The engine is down"),
        (("shell",), "The engine is down"),
        (("feed-posts", "FILE=nothing.jsonl"), "The engine is down"),
        (("clients", "DO=remove nobody"), "The engine is down"),
        (("clients",), "say what: make clients DO=list"),
        (("bench", "BENCH=nope"), "there is no benchmark nope; there are access_logs "),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    done = make(*words, SUITE_STATE=str(tmp_path))
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) <= 2, "and make's own"
    assert "Traceback" not in done.stderr


def test_sam_local_without_docker_fails_with_a_line(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    done = make("sam-local", f"PATH={tmp_path}:{os.environ['PATH']}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "make sam-local needs Docker" in done.stderr.splitlines()[0]


def test_group_of_operators_is_the_functions() -> None:
    assert GROUP == SHARED_GROUP
