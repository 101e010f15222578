"""The example of docs/adding_an_application.md: its blocks, put into a copy of the repository."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from ops.paths import ROOT

__all__ = ["PAGE", "Block", "blocks", "copy_with_example", "put"]

PAGE = ROOT / "docs/adding_an_application.md"
# "`path`, place:" and a block of code
_BLOCK = re.compile(r"^`([^`\n]+)`(?:, ([^\n]+))?:\n\n(`{3,})\w+\n(.*?)^\3$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of the page.

    Attributes:
        path: The file that it is, or is added to.
        place: Where in the file, in the page's words; empty for the whole file.
        text: The block.
    """

    path: str
    place: str
    text: str

    def __str__(self) -> str:
        return ", ".join(filter(None, [self.path, self.place]))


def blocks() -> list[Block]:
    """Return the page's blocks, in its order."""
    return [Block(path, place, text) for path, place, _, text in _BLOCK.findall(PAGE.read_text())]


def copy_with_example(root: Path) -> None:
    """Copy the repository, without what is generated, and do all that the page says, unless somebody did.

    Args:
        root: Of the copy; is made.
    """
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(".*", "__pycache__", "node_modules", "results"))
    if not (root / "functions/hello").exists():
        for block in blocks():
            put(root, block)


def put(root: Path, block: Block) -> None:
    """Do with a block what the page says.

    Args:
        root: Of a copy of the repository.
        block: A block of the page.

    Raises:
        ValueError: The page names a place that is not there.
    """
    path = root / block.path
    if not block.place:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
    elif block.place == "at the end of `parameter_overrides` in `[local.deploy.parameters]`":
        head, section, rest = path.read_text().partition("[local.deploy.parameters]\n")
        given, found = re.subn(
            r'(?m)^(parameter_overrides = ".*)"$', rf'\1 {block.text.strip()}"', rest, count=1
        )
        if not found:
            raise ValueError(f"{block}: there is no such place")
        path.write_text(head + section + given)
    else:
        lines = path.read_text().splitlines()
        at, is_apart = _place(lines, block)
        lines[at:at] = [*([""] if is_apart else []), *block.text.splitlines()]
        path.write_text("\n".join(lines) + "\n")


def _place(lines: list[str], block: Block) -> tuple[int, bool]:
    """Before which line a block goes, and whether a blank line goes before it."""
    named = re.search("`(.+)`", block.place)
    name = named[1] if named else ""
    if block.place == "at the end of the contents":
        return lines.index("Resources:"), False
    if block.place == "at the end of the table of applications":
        return max(number for number, line in enumerate(lines) if line.startswith("| [")) + 1, False
    if block.place.startswith("before the heading"):
        return _without_blank(lines, lines.index(f"## {name}")), True
    return _end_of(lines, name)


def _end_of(lines: list[str], key: str) -> tuple[int, bool]:
    """Where the block of a key of YAML ends; entries of a section at the top are apart from each other."""
    start = next(number for number, line in enumerate(lines) if line.strip() == f"{key}:")
    indentation = len(lines[start]) - len(lines[start].lstrip())
    after = (
        number
        for number, line in enumerate(lines)
        if number > start and line and len(line) - len(line.lstrip()) <= indentation
    )
    return _without_blank(lines, next(after, len(lines))), indentation == 0


def _without_blank(lines: list[str], at: int) -> int:
    while not lines[at - 1]:
        at -= 1
    return at
