"""Read one setting of a samconfig environment: ``python -m ops.settings staging Architecture``."""

from __future__ import annotations

import sys
import tomllib

from ops.paths import ROOT

__all__ = ["overrides", "setting"]


def overrides(environment: str) -> dict[str, str]:
    """Return the template parameters that a samconfig environment gives."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    given: str = config[environment]["deploy"]["parameters"]["parameter_overrides"]
    return dict(pair.split("=", 1) for pair in given.split())


def setting(environment: str, name: str) -> str:
    """Return a template parameter, or the stack's name, of a samconfig environment.

    Raises:
        KeyError: The environment or the setting is not there.
    """
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    stack: str = config[environment]["global"]["parameters"]["stack_name"]
    return {"stack_name": stack, **overrides(environment)}[name]


if __name__ == "__main__":
    print(setting(*sys.argv[1:]))
