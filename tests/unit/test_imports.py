"""What may import what: the table in docs/architecture.md, held against every import that there is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

from ops.paths import ROOT

PAGE = ROOT / "docs/architecture.md"
SECTION = "Layout and imports"
_ROW = re.compile(r"^\| `([^`]+)` \|([^|]*)\|", re.MULTILINE)
# `python -m ops.names` and `$(call on_stack,ops.redrive)`; not `bench.$$name`, which the shell alone knows.
_RUN = re.compile(r"(?:-m |on_stack,)([a-z_]+(?:\.[a-z0-9_]+)*)(?![\w.$])")


@cache
def table() -> dict[str, list[str]]:
    """The table: folder to the folders that it may import beside itself."""
    section = PAGE.read_text().partition(f"## {SECTION}\n")[2].partition("\n## ")[0]
    return {folder: re.findall("`([^`]+)`", allowed) for folder, allowed in _ROW.findall(section)}


@cache
def packages() -> dict[str, str]:
    """Our packages by the name that an import begins with, and the folder in which each is found."""
    apart = [ROOT / "layers/shared/shared", *(app / app.name for app in (ROOT / "functions").iterdir())]
    top = {folder.partition("/")[0] for folder in table()} - {"layers", "functions"}
    found = {path.name: path.parent.relative_to(ROOT).as_posix() for path in apart if path.is_dir()}
    return found | dict.fromkeys(top, "")


def place(module: str) -> str:
    """Where a module is, as a path without its ending; nothing if it is not the repository's."""
    name = module.partition(".")[0]
    if name not in packages():
        return ""
    return str(PurePosixPath(packages()[name], module.replace(".", "/")))


def covers(folder: str, path: str) -> bool:
    """Tell whether a path is in a folder; `<app>` stands for any one."""
    wanted, given = folder.split("/"), path.split("/")
    return len(wanted) <= len(given) and all(
        each in ("<app>", part) for each, part in zip(wanted, given, strict=False)
    )


def folder_of(path: str) -> str:
    """The row that is for a file: the one that says most of where it is."""
    return max((folder for folder in table() if covers(folder, path)), key=len, default="")


def imports(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and place of each of the repository's modules that a file imports, or runs by `python -m`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [place(alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = "/".join([*path.split("/")[: -node.level], *(node.module or "").split(".")]).rstrip("/")
            found = [f"{base}/{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found = [place(f"{node.module}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Call):
            found = [place(_imported_by_name(node)), place(_run(node.args))]
        elif isinstance(node, ast.List | ast.Tuple):
            found = [place(_run(node.elts))]
        else:
            continue
        yield from ((node.lineno, each) for each in found if each)


def _imported_by_name(call: ast.Call) -> str:
    """What `import_module` gets, as far as it is written there."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name != "import_module" or not call.args:
        return ""
    given = call.args[0]
    return _text(given.values[0] if isinstance(given, ast.JoinedStr) else given).rstrip(".")


def _run(words: list[ast.expr]) -> str:
    """The module that a command line runs."""
    texts = [_text(word) for word in words]
    return texts[texts.index("-m") + 1] if "-m" in texts[:-1] else ""


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def problems(path: str, source: str) -> list[str]:
    """A sentence for each import of a file that the table does not allow."""
    folder = folder_of(path)
    if not folder:
        return [f"{path}: its folder is not in the table of {SECTION!r} in docs/architecture.md"]
    bound = "/".join(path.split("/")[: folder.count("/") + 1])  # with the application's name for <app>
    allowed = [bound, *table()[folder]]
    return [
        f"{path}:{line} imports {found}, and {folder} may import {', '.join(allowed)} alone: see {SECTION!r} "
        "in docs/architecture.md"
        for line, found in imports(path, ast.parse(source))
        if not any(covers(each, found) for each in allowed)
    ]


def files() -> list[Path]:
    """Our Python files, wherever they are."""
    tops = sorted({ROOT / folder.partition("/")[0] for folder in table()})
    return [path for top in tops for path in sorted(top.rglob("*.py")) if "node_modules" not in path.parts]


def test_imports_follow_the_table() -> None:
    found = [
        problem for path in files() for problem in problems(str(path.relative_to(ROOT)), path.read_text())
    ]
    assert not found, "\n".join(found)


def test_every_folder_with_python_is_in_the_table() -> None:
    tops = {path.relative_to(ROOT).parts[0] for path in ROOT.glob("[!.]*/**/*.py")}
    listed = {folder.partition("/")[0] for folder in table()}
    assert tops <= listed, f"{tops - listed}: say in docs/architecture.md what they may import"


def test_makefile_runs_modules_that_are_there() -> None:
    ours = [(module, place(module)) for module in _RUN.findall((ROOT / "Makefile").read_text())]
    assert ("ops.redrive", "ops/redrive") in ours
    for module, path in ours:
        there = (ROOT / f"{path}.py", ROOT / path / "__main__.py")
        assert not path or any(file.exists() for file in there), f"the Makefile runs {module}: there is none"


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("layers/shared/shared/x.py", "import auth.keys"),
        ("functions/auth/auth/x.py", "from access_logs import ledger"),
        ("functions/auth/auth/x.py", "from ...insights.insights import api"),
        ("queries/x.py", "from ops import template"),
        ("ops/x.py", "def f():\n    from local import cli"),
        ("ops/x.py", "from datagen.pictures import jpeg"),
        ("datagen/x.py", "if TYPE_CHECKING:\n    from ops.stacks import Client"),
        ("local/x.py", "run([sys.executable, '-m', 'bench.report'])"),
        ("local/x.py", "run(sys.executable, '-m', 'tests.template.mutate')"),
        ("local/engine/x.py", "from local.suite import Suite"),
        ("local/engine/services/x.py", "import ops.paths"),
        ("local/engine/x.py", "import_module(f'local.demo.{name}')"),
        ("tests/support/x.py", "from tests.integration.auth.conftest import joined"),
        ("tests/integration/x.py", "from bench import harness"),
        ("bench/x.py", "import json, tests.support.totp"),
        ("scripts/x.py", ""),
    ],
)
def test_wrong_imports_are_found(path: str, source: str) -> None:
    [problem] = problems(path, source)
    assert "docs/architecture.md" in problem


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("functions/auth/auth/x.py", "from auth import keys\nfrom . import keys\nimport shared.settings"),
        ("datagen/x.py", "from ops import paths\nfrom ops.paths import ROOT\nimport numpy"),
        ("local/engine/x.py", "import_module(f'local.engine.{name}')"),
        ("local/x.py", "run([python, '-m', 'local.engine'])\nfrom datagen import pictures"),
        ("tests/unit/bench/x.py", "from bench import harness"),
        ("bench/x.py", "from local.demo import auth\nrun([python, '-m', 'pytest'])"),
    ],
)
def test_right_imports_are_not(path: str, source: str) -> None:
    assert problems(path, source) == []
