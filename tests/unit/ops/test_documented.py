"""Every command that the papers show exists, and takes what it is given there.

Those that need no AWS and no hours are run by `tests/integration/suite/test_documented.py`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache

import botocore.session
import pytest
from botocore import xform_name

from ops.paths import ROOT
from tests.support.documented import Command, documented, help_of, targets

COMMANDS = documented()
# What is neither ours nor AWS's, and why people have it.
OTHERS = {
    "export": "the shell's",
    "openssl": "of every Unix",
    "curl": "of every Unix; 7.75 or later signs requests for AWS",
}
# Options of the AWS CLI itself, and what it adds to the services' operations.
OF_THE_CLI = {"cli-binary-format", "output", "query", "region", "profile", "endpoint-url"}
# Commands that are not operations, and options that it has in the place of an operation's parameters.
ITS_OWN = {
    ("s3", "cp"): {"recursive"},
    ("s3", "rm"): {"recursive"},
    ("cloudformation", "deploy"): {"template-file", "stack-name", "parameter-overrides", "capabilities"},
    ("acm", "wait"): {"certificate-arn"},
    ("sns", "subscribe"): {"topic-arn", "protocol", "notification-endpoint"},
    ("cloudfront", "create-invalidation"): {"distribution-id", "paths"},
}


def by_program(*programs: str) -> list[pytest.param]:  # type: ignore[valid-type]
    found = [command for command in COMMANDS if command.program.rpartition("/")[2] in programs]
    return [pytest.param(command, id=f"{command.page}: {' '.join(command.words)[:70]}") for command in found]


def test_every_program_is_known() -> None:
    known = {"make", "aws", "sam", "python", "pytest", *OTHERS}
    unknown = [
        c for c in COMMANDS if c.program.removeprefix("HubTopicArn=$(").rpartition("/")[2] not in known
    ]
    assert len(COMMANDS) > 150
    assert unknown == []


@pytest.mark.parametrize("command", by_program("make"))
def test_make_has_the_target_and_takes_the_variables(command: Command) -> None:
    helped = help_of()
    assert command.targets, command
    for target in command.targets:
        assert target in helped, f"there is no `make {target}`"
        unsaid = set(command.variables) - set(re.findall(r"\b([A-Z]+)=", helped[target]))
        assert not unsaid, f"`make help` does not say that `make {target}` takes {unsaid}"


@pytest.mark.parametrize(
    "words",
    sorted({command.words[1:] for command in COMMANDS if command.program == "make" and command.to_type}),
    ids=lambda words: " ".join(words)[:60],
)
def test_make_knows_how_to_run_it(words: tuple[str, ...]) -> None:
    """`make -n` reads the variables as the recipe does, and runs nothing."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", by_program("sam"))
def test_the_sam_cli_has_the_command_and_its_options(command: Command) -> None:
    assert not command.to_type or command.on_path or "/" in command.program, (
        f"`sam` is not on PATH: write .venv/tools/bin/sam, or make shell: {command.text}"
    )
    words = [word for word in command.words[1:] if re.fullmatch(r"[a-z][a-z-]+", word)][:2]
    subcommands = words if words[:1] in (["local"], ["remote"], ["list"]) else words[:1]
    helped = _sam_help(*subcommands)
    for option in (word for word in command.words if word.startswith("--")):
        assert option in helped, f"sam {' '.join(subcommands)} has no {option}"


@cache
def _sam_help(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "samcli", *words, "--help"], cwd=ROOT, capture_output=True, text=True,
        check=False, env=os.environ | {"SAM_CLI_TELEMETRY": "0", "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("command", by_program("aws"))
def test_aws_has_the_operation_and_its_parameters(command: Command) -> None:
    """As botocore's models have them, of which the AWS CLI makes its commands."""
    service, operation, *rest = command.words[1:]
    options = {word.removeprefix("--") for word in rest if word.startswith("--")} - OF_THE_CLI
    if (service, operation) in ITS_OWN:
        assert options <= ITS_OWN[service, operation]
        return
    model = botocore.session.get_session().get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in names, f"{service} has no {operation}"
    shape = model.operation_model(names[operation]).input_shape
    members = {xform_name(name, "-") for name in shape.members} if shape else set()
    assert {option.removeprefix("no-") for option in options} <= members


@pytest.mark.parametrize("command", by_program("python", "pytest"))
def test_our_programs_are_there_and_found(command: Command) -> None:
    assert command.program.startswith(".venv/tools/bin/"), f"not on PATH: {command.text}"
    if command.words[1] == "-m":
        done = subprocess.run(
            [sys.executable, "-m", command.words[2], "--help"], cwd=ROOT, capture_output=True, check=False
        )
        assert done.returncode == 0
    else:
        assert (ROOT / command.words[1]).exists()


def test_readme_has_every_target_and_no_other() -> None:
    table = (ROOT / "README.md").read_text().partition("### Commands")[2].partition("\n## ")[0]
    shown = set(re.findall(r"`make ([a-z-]+)", table))
    assert targets() == set(help_of()), "a target for people is .PHONY and has a line of help"
    assert shown == targets(), "README's table of commands and the Makefile"
