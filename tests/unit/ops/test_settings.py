"""samconfig.toml is read as SAM reads it: its own parser is the oracle."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from samcli.cli.types import CfnParameterOverridesType

from ops import settings
from ops.paths import ROOT
from ops.settings import overrides, setting
from ops.stacks import CommandError


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "samconfig.toml"
    monkeypatch.setattr(settings, "CONFIG", path)
    return path


@pytest.mark.parametrize(
    "given",
    [
        '"A=1 B=2"',
        '""',
        '["A=1", "B=2"]',
        '["A=1 B=2", "C=3"]',
        "'A=\"a b\" B=c'",
        "\"A='a b'\"",
        "['A=\"a b\"', 'B=1']",
        "'A=\"\" B=1'",
        "'A=x=y,z'",
        "'A=a\\ b'",
        '\'A="x\\"y"\'',
        "'ParameterKey=A,ParameterValue=1 ParameterKey=B,ParameterValue=\"w x\"'",
        "['ParameterKey=A,ParameterValue=1', 'B=2']",
        '{A = "1", B = 2, C = ["x", "y"], D = true}',
    ],
)
def test_parameters_are_what_sam_reads(config: Path, given: str) -> None:
    config.write_text(f"[staging.deploy.parameters]\nparameter_overrides = {given}\n")
    expected = CfnParameterOverridesType().convert(tomllib.loads(f"v = {given}")["v"], None, None)
    assert overrides("staging") == expected


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("'A=1 b'", "'b' is not Name=value"),
        ("'file://staging.yaml'", "'file://staging.yaml' is not Name=value"),
        ('"A=\'a"', "No closing quotation"),
    ],
)
def test_what_is_not_read_is_refused(config: Path, given: str, says: str) -> None:
    config.write_text(f"[staging.deploy.parameters]\nparameter_overrides = {given}\n")
    with pytest.raises(CommandError, match=says):
        overrides("staging")


def test_parameter_not_given_has_the_default(config: Path) -> None:
    config.write_text('[staging.global.parameters]\nstack_name = "s"\n')
    assert setting("staging", "Architecture") == "arm64"
    assert overrides("staging") == {}


def test_stack_name_and_region_may_be_the_commands(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    config.write_text(
        '[a.global.parameters]\nstack_name = "all"\n[a.deploy.parameters]\nstack_name = "own"\n'
    )
    assert setting("a", "stack_name") == "own"
    assert setting("a", "region") == "eu-west-1"
    config.write_text('[a.deploy.parameters]\nregion = "eu-north-1"\n')
    assert setting("a", "region") == "eu-north-1"
    with pytest.raises(CommandError, match=r"\[a\] gives no stack_name"):
        setting("a", "stack_name")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("stagging", "stack_name"), "no environment 'stagging'; it has default, local, staging, prod"),
        (("version", "stack_name"), "no environment 'version'"),
        (("staging", "Architectur"), "[staging] gives no Architectur"),
    ],
)
def test_unknown_setting_is_one_line(arguments: tuple[str, str], says: str) -> None:
    command = [sys.executable, "-m", "ops.settings", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert says in line
