"""What an application has beside its code, found by its name; what is missing is said in a sentence.

An application is a folder of functions/ and a banner of template.yaml, named alike. A banner may run the code
of another's folder (Log streaming that of access_logs): it has everything else of its own.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from ops.applications import Application, contents, sections
from ops.paths import ROOT

__all__ = ["missing", "recorded_events"]

_DRIVE = ("FLOW", "PAGE", "STEPS", "drive")
_NO_DRIVES = {"__init__", "__main__", "checks"}


def recorded_events(function: Mapping[str, Any], root: Path = ROOT) -> list[Path]:
    """Return a function's recorded events: events/<app>/<module>_<case>.json.

    Args:
        function: A function of the template.
        root: Of the repository.
    """
    folder, module = _code(function)
    return sorted((root / "events" / folder).glob(f"{module}_*.json"))


def missing(root: Path = ROOT) -> Iterator[str]:
    """Yield a sentence for each thing that an application lacks, or that belongs to none.

    Args:
        root: Of the repository.
    """
    text = (root / "template.yaml").read_text()
    template = _parsed(text)
    applications = contents(text)[1:]  # Shared comes first
    folders = _folders(root / "functions")
    banners = {application.folder for application in applications}
    for folder in folders:
        yield from (f"{folder}: {problem}" for problem in _of_folder(root, folder, banners))
    for application in applications:
        found = [*_of_template(root, template, text, application), *_of_files(root, application)]
        if not _is_shown_by_others(template, application):
            found += [*_of_samconfig(root, application), *_of_flow(root, application)]
        yield from (f"{application.folder}: {problem}" for problem in found)
    yield from _of_nobody(root, folders, banners)


@lru_cache(maxsize=4)
def _parsed(text: str) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml_parse(text)
    return parsed


def _code(function: Mapping[str, Any]) -> tuple[str, str]:
    """Folder and module of a function's code."""
    properties = function["Properties"]
    return Path(properties["CodeUri"]).name, properties["Handler"].split(".")[1]


def _is_shown_by_others(template: Mapping[str, Any], application: Application) -> bool:
    """Tell whether an application is deployed with any of several others, and driven by their drives."""
    return "Fn::Or" in template["Conditions"].get(application.name, {})


def _tests(folder: Path) -> list[Path]:
    return sorted(folder.rglob("test_*.py"))


def _of_folder(root: Path, folder: str, banners: set[str]) -> Iterator[str]:
    package = f"functions/{folder}/{folder}/__init__.py"
    if not (root / package).exists():
        yield f"there is no {package}: nothing can import {folder}"
    if folder not in banners:
        title = folder.replace("_", " ").capitalize()
        yield f"the contents of template.yaml list no {title}: nothing deploys it"
    tests = _tests(root / "tests/unit" / folder)
    if not tests:
        yield f"there are no tests in tests/unit/{folder}/"
    elif not any(folder in _imported(path) for path in tests):
        yield f"no test in tests/unit/{folder}/ imports {folder}"


def _imported(path: Path) -> set[str]:
    """The packages that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def _of_template(
    root: Path, template: Mapping[str, Any], text: str, application: Application
) -> Iterator[str]:
    title, name, switch = application.title, application.name, application.switch
    resources = template["Resources"]
    functions = [
        each
        for each in sections("Resources", text).get(title, [])
        if resources[each]["Type"] == "AWS::Serverless::Function"
    ]
    if not functions:
        yield f"template.yaml has no function under the banner {title}: the contents promise one"
    if name not in sections("Conditions", text).get(title, []):
        yield f"template.yaml has no condition {name} under the title {title}"
    is_own = not _is_shown_by_others(template, application)
    if is_own and switch not in sections("Parameters", text).get(title, []):
        yield f"template.yaml has no parameter {switch} under the title {title}: it cannot be switched off"
    if title not in sections("Outputs", text):
        yield f"template.yaml has no output under the title {title}: nobody learns where it is"
    for each in functions:
        folder, module = _code(resources[each])
        if not recorded_events(resources[each], root):
            yield f"there is no events/{folder}/{module}_<case>.json: {each} has no recorded event"


def _of_files(root: Path, application: Application) -> Iterator[str]:
    if not (root / f"docs/{application.folder}.md").exists():
        yield f"there is no docs/{application.folder}.md"


def _of_samconfig(root: Path, application: Application) -> Iterator[str]:
    local = tomllib.loads((root / "samconfig.toml").read_text())["local"]["deploy"]["parameters"]
    if f"{application.switch}=true" not in local["parameter_overrides"].split():
        yield (
            f"samconfig.toml does not give {application.switch}=true in [local.deploy.parameters]: "
            "`make demo` and the tests deploy the suite without it"
        )


def _of_flow(root: Path, application: Application) -> Iterator[str]:
    """What goes with a flow of its own: a drive, tests on the deployed suite, a diagram, a row of README."""
    folder, title = application.folder, application.title
    drive = root / f"local/demo/{folder}.py"
    if not drive.exists():
        yield f"there is no local/demo/{folder}.py: `make demo` does not drive it"
    else:
        lacking = [name for name in _DRIVE if name not in _defined(drive)]
        yield from (f"local/demo/{folder}.py defines no {name}: `make demo` needs it" for name in lacking)
    if not _tests(root / "tests/integration" / folder):
        yield f"there are no tests in tests/integration/{folder}/"
    diagram = rf"^## {title}$(?:\n(?!## ).*)*\n```mermaid$"
    if not re.search(diagram, (root / "docs/architecture.md").read_text(), re.MULTILINE):
        yield f"docs/architecture.md has no diagram under the heading {title}"
    rows = [line for line in (root / "README.md").read_text().splitlines() if line.startswith("| [")]
    if not any(f"(docs/{folder}.md)" in row and f"`{application.switch}" in row for row in rows):
        yield f"the table of README.md has no row that names docs/{folder}.md and {application.switch}"


def _defined(path: Path) -> set[str]:
    """The names that a module defines."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        found |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return found


def _of_nobody(root: Path, folders: list[str], banners: set[str]) -> Iterator[str]:
    """Files and folders that are named like no application: of one that is gone, or misspelt."""
    for path in sorted((root / "local/demo").glob("*.py")):
        if path.stem not in banners | _NO_DRIVES:
            yield f"local/demo/{path.name} is named like no application: `make demo` does not run it"
    for folder in _folders(root / "events"):
        if folder not in folders:
            yield f"events/{folder} is named like no folder of functions/"
    yield from _strange_unit_tests(root, folders)
    yield from _unlisted_pages(root)


def _strange_unit_tests(root: Path, folders: list[str]) -> Iterator[str]:
    """Folders of unit tests that are named like nothing that they could test."""
    packages = {path.parent.name for path in root.glob("*/__init__.py")} | {"engine", "shared"}
    for folder in _folders(root / "tests/unit"):
        if folder not in {*folders, *packages}:
            yield f"tests/unit/{folder} is named like no folder of functions/ and no package"
    library = {path.stem for path in (root / "layers/shared/shared").iterdir()}
    for folder in _folders(root / "tests/unit/shared"):
        if folder not in library:
            yield f"tests/unit/shared/{folder} is named like no part of layers/shared/shared"


def _unlisted_pages(root: Path) -> Iterator[str]:
    """Pages to which nothing leads, or that no test opens."""
    for page in sorted(path.parent.name for path in (root / "web").glob("*/index.html")):
        if f'page: "{page}/' not in (root / "web/shared/applications.js").read_text():
            yield f"web/shared/applications.js does not list {page}/: the first page does not lead to it"
        if not _tests(root / "tests/browser" / page):
            yield f"there are no tests in tests/browser/{page}/, of the page {page}/"


def _folders(folder: Path) -> list[str]:
    """Names of the folders in a folder, hidden ones and caches left out."""
    if not folder.exists():
        return []
    return sorted(
        path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(("_", "."))
    )
