"""docs/adding_an_application.md is right: a copy of the repository with its blocks passes, deploys, goes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.paths import ROOT
from ops.template import source
from tests.support.example import blocks, copy_with_example

TRIAL = Path(__file__).parent / "trial.py"
CHECKS = ["tests/unit/hello", "tests/unit/test_imports.py"]
CHECKS += [f"tests/template/test_{name}.py" for name in ("budget", "contents", "rules", "shapes", "template")]
CHECKS += ["tests/template/test_applications.py::test_applications_have_all_that_belongs_to_one"]
# Of the sets of switches those that have the application; a region is like another.
CHOSEN = "Hello or everything or not (set_of_switches or region)"


def run(root: Path, *command: str) -> None:
    """Run a command of the tools' environment in a copy; it has to succeed."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=root, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository after everything that the page says."""
    root = tmp_path_factory.mktemp("copy") / "suite"
    copy_with_example(root)
    (root / ".venv").symlink_to(ROOT / ".venv")
    run(root, "ops.budget")  # of `make docs`
    return root


@pytest.fixture
def hello_alone(copy: Path) -> Iterator[Path]:
    """The copy, with every other application off."""
    config = copy / "samconfig.toml"
    before = config.read_text()
    switches = {name: "false" for name in source()["Parameters"] if name.startswith("Enable")}
    given = " ".join(f"{name}={value}" for name, value in (switches | {"EnableHello": "true"}).items())
    config.write_text(re.sub(r'"Target=local .*"', f'"Target=local {given}"', before))
    yield copy
    config.write_text(before)


def test_code_follows_the_style(copy: Path) -> None:
    run(copy, "ruff", "check", ".")
    run(copy, "ruff", "format", "--check", ".")
    files = [block.path for block in blocks() if block.path.endswith(".py")]
    run(copy, "mypy", *files)


@pytest.mark.timeout(300)
def test_template_follows_the_rules_and_nothing_is_missing(copy: Path) -> None:
    run(copy, "pytest", *CHECKS, "-k", CHOSEN)


@pytest.mark.timeout(600)
def test_application_is_deployed_driven_switched_off_and_deleted(hello_alone: Path) -> None:
    shutil.copy(TRIAL, hello_alone / "tests/integration/hello/test_trial.py")
    run(hello_alone, "pytest", "tests/integration/hello")
