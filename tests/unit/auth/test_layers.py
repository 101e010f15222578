"""The packages of the authentication import each other in one direction, which docs/auth.md shows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.paths import ROOT

PACKAGE = ROOT / "functions/auth/auth"
SECTION = re.compile(r"## Packages\n(.*?)\n## ", re.DOTALL)
ROW = re.compile(r"^\| (`[^|]+) \|", re.MULTILINE)


def documented_layers() -> dict[str, int]:
    """Modules and packages by the row of the table in docs/auth.md, lowest first."""
    section = SECTION.search((ROOT / "docs/auth.md").read_text())
    assert section, "docs/auth.md has no section Packages"
    rows = ROW.findall(section[1])
    return {name: rank for rank, row in enumerate(rows) for name in re.findall(r"`(\w+)`", row)}


LAYERS = documented_layers()


def imported(path: Path, source: str) -> Iterator[tuple[int, list[str]]]:
    """Line and path of modules of this package that a module imports, in functions and for types too."""
    package = ["auth", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = base + (node.module.split(".") if node.module else [])
            yield from ((node.lineno, [*module, alias.name]) for alias in node.names)


def wrong_imports(path: Path, source: str) -> list[str]:
    """What a module imports and must not, a sentence each."""
    place = path.relative_to(PACKAGE)
    own = place.parts[0].removesuffix(".py")
    wrong = []
    for line, (root, *names) in imported(path, source):
        if root != "auth" or not names or names[0] == own:
            continue
        where = f"functions/auth/auth/{place}:{line}"
        if names[0] not in LAYERS:
            wrong.append(f"{where} imports {names[0]}, which the table of packages in docs/auth.md lacks.")
        elif LAYERS[names[0]] >= LAYERS[own]:
            wrong.append(
                f"{where} imports {names[0]}, which the table of packages in docs/auth.md"
                f" does not have above {own}."
            )
        private = [name for name in names[1:] if name.startswith("_")]
        if private:
            wrong.append(f"{where} imports the private module {private[0]} of the package {names[0]}.")
    return wrong


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def test_the_table_has_every_module_and_package() -> None:
    top = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    assert set(LAYERS) == top


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_imports_only_layers_below_its_own(path: Path) -> None:
    wrong = wrong_imports(path, path.read_text())
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("place", "line", "problem"),
    [
        ("storage/_users.py", "from ..services import Services", "imports services"),
        ("storage/_users.py", "import auth.accounts", "imports accounts"),
        ("tokens/_tokens.py", "if True:\n    from .. import sign_on", "imports sign_on"),
        ("accounts/_profiles.py", "def f():\n    from ..imports import lines", "imports imports"),
        ("accounts/_profiles.py", "from ..storage._users import User", "private module _users"),
        ("sign_on/grants.py", "from .. import nothing", "lacks"),
        ("services.py", "from .api import handler", "imports api"),
        ("oidc.py", "from auth.api import handler", "imports api"),
    ],
)
def test_a_wrong_import_is_seen(place: str, line: str, problem: str) -> None:
    [sentence] = wrong_imports(PACKAGE / place, line)
    assert problem in sentence


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("accounts/_profiles.py", "from ..storage import User"),
        ("accounts/_profiles.py", "from . import _mails as mails\nfrom ._common import again"),
        ("api.py", "from .accounts import log_in\nfrom auth.settings import AuthSettings\nimport json"),
    ],
)
def test_a_right_import_is_let_through(place: str, line: str) -> None:
    assert wrong_imports(PACKAGE / place, line) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_says_what_is_in_it(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))
