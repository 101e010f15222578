from dataclasses import dataclass
from typing import Annotated

import pytest

from shared.settings import EnvSettings, SettingsError, flag, positive_int, positive_number


@dataclass(frozen=True)
class Example(EnvSettings):
    table_name: str
    shards: Annotated[int, positive_int]
    rate: Annotated[float, positive_number] = 1.5
    verbose: bool = False


def test_variables_are_the_fields_in_capitals() -> None:
    environ = {"TABLE_NAME": "rides", "SHARDS": "4", "RATE": "0.5", "VERBOSE": "true", "OTHER": "x"}
    assert Example.from_env(environ) == Example("rides", 4, 0.5, True)


def test_defaults_stand_in_for_missing_and_empty_variables() -> None:
    assert Example.from_env({"TABLE_NAME": "rides", "SHARDS": "4", "RATE": ""}) == Example("rides", 4)


def test_every_missing_or_wrong_variable_is_named() -> None:
    with pytest.raises(SettingsError) as caught:
        Example.from_env({"TABLE_NAME": "", "SHARDS": "many", "RATE": "nan", "VERBOSE": "yes"})
    assert caught.value.problems == (
        "TABLE_NAME is missing",
        "SHARDS: must be a whole number above 0",
        "RATE: must be a number above 0",
        "VERBOSE: must be true or false",
    )


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABLE_NAME", "rides")
    monkeypatch.setenv("SHARDS", "2")
    assert Example.from_env().shards == 2


@pytest.mark.parametrize("text", ["0", "-1", "1.0", "٣", "", " 1"])
def test_whole_numbers_are_strict(text: str) -> None:
    with pytest.raises(ValueError, match="whole number"):
        positive_int(text)


def test_flags_are_strict() -> None:
    assert flag("true")
    assert not flag("false")
    with pytest.raises(ValueError, match="true or false"):
        flag("1")
