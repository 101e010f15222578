"""Read one setting of a samconfig environment: ``python -m ops.settings staging Architecture``.

``stack_name``, ``region`` and every parameter of the template are settings. A parameter that the environment
does not give has the template's default, a region the caller's.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

from ops.paths import ROOT
from ops.stacks import CommandError, region_of, reported

__all__ = ["overrides", "setting"]

CONFIG = ROOT / "samconfig.toml"
# "ParameterKey=ParameterValue" and "ParameterKey=...,ParameterValue=...": both forms are `sam deploy`'s,
# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-cli-command-reference-sam-deploy.html
_PAIR = re.compile(r"(?:ParameterKey=(\w+),ParameterValue=|(\w+)=)(.*)", re.DOTALL)


def overrides(environment: str) -> dict[str, str]:
    """Return the template parameters that a samconfig environment gives, in any form that SAM takes.

    Raises:
        CommandError: There is no such environment, or a form that is not read here (`file://`).
    """
    given = _options(environment).get("parameter_overrides", "")
    return dict(_pairs(given))


def setting(environment: str, name: str) -> str:
    """Return a setting of a samconfig environment.

    Raises:
        CommandError: There is no such environment or setting.
    """
    options = _options(environment)
    if name == "region":
        return region_of(options.get("region"))
    if name == "stack_name" and name in options:
        return str(options[name])
    given = overrides(environment)
    if name not in given:
        from ops.template import source  # imports the SAM translator: half a second, for a default alone

        spec = source()["Parameters"].get(name, {})
        if "Default" not in spec:
            raise CommandError(f"samconfig.toml's [{environment}] gives no {name}")
        return str(spec["Default"])
    return given[name]


def _options(environment: str) -> dict[str, Any]:
    """Return the options of `sam deploy`; a command's come before those of all commands, as in SAM."""
    try:
        config = tomllib.loads(CONFIG.read_text())
    except tomllib.TOMLDecodeError as error:
        raise CommandError(f"samconfig.toml: {error}") from error
    if not isinstance(config.get(environment), dict):
        known = ", ".join(name for name, value in config.items() if isinstance(value, dict))
        raise CommandError(f"samconfig.toml has no environment {environment!r}; it has {known}")
    commands = config[environment]
    return {
        name: value
        for command in ("global", "deploy")
        for name, value in commands.get(command, {}).get("parameters", {}).items()
    }


def _pairs(given: Any) -> Iterator[tuple[str, str]]:
    """The names and values of a text of pairs, of a list of such texts, or of a table."""
    if isinstance(given, dict):
        for name, value in given.items():
            yield name, ",".join(str(each) for each in value) if isinstance(value, list) else str(value)
        return
    if isinstance(given, list):
        for each in given:
            yield from _pairs(each)
        return
    try:
        words = shlex.split(given)
    except ValueError as error:
        raise CommandError(f"samconfig.toml's parameter_overrides {given!r}: {error}") from error
    for word in words:
        pair = _PAIR.fullmatch(word)
        if pair is None:
            raise CommandError(f"samconfig.toml's parameter_overrides: {word!r} is not Name=value")
        yield pair[1] or pair[2], pair[3]


@reported
def main() -> int:
    """Print the setting on the command line; 1 if there is none."""
    parser = argparse.ArgumentParser(prog="ops.settings", description=__doc__)
    parser.add_argument("environment", help="of samconfig.toml, such as staging")
    parser.add_argument("name", help="stack_name, region or a parameter of the template")
    arguments = parser.parse_args()
    print(setting(arguments.environment, arguments.name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
