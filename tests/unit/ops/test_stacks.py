"""Which region commands use, and how they report what fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from botocore.exceptions import NoCredentialsError

from ops.stacks import CommandError, Outputs, clients, region_of, reported


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration file of AWS, and nothing of the environment's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    return tmp_path / "config"


def test_region_is_the_first_that_is_given(profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="set AWS_REGION"):
        region_of()
    profile.write_text("[default]\nregion = eu-west-1\n")
    assert region_of() == "eu-west-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert region_of() == "eu-west-2"
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert region_of() == "eu-west-3"
    assert region_of("eu-north-1") == "eu-north-1"


def test_clients_are_of_that_region(profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert clients()("sqs").meta.endpoint_url == "https://sqs.eu-west-3.amazonaws.com"
    assert clients("eu-north-1")("sqs").meta.region_name == "eu-north-1"


def test_output_that_is_missing_is_named() -> None:
    outputs = Outputs("suite-dev", {"WebUrl": "https://web"})
    assert outputs["WebUrl"] == "https://web"
    with pytest.raises(CommandError, match="suite-dev has no output UserPoolId"):
        outputs["UserPoolId"]


@pytest.mark.parametrize("error", [CommandError("one\nand two"), NoCredentialsError()])
def test_failure_is_one_line(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    @reported
    def command() -> int:
        raise error

    assert command() == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == " ".join(str(error).split()) + "\n"
