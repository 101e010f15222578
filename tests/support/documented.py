"""The commands that README.md, the other papers and docs/ show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ops.paths import ROOT

__all__ = ["Command", "documented", "help_of", "targets"]

_BLOCK = re.compile(r"^(?P<indent> *)```(?:console|bash|sh|shell)\n(?P<text>.*?)^(?P=indent)```", re.M | re.S)
# Only what begins like a command: `make` alone may be a word.
_INLINE = re.compile(r"`((?:make [a-z]|python -m |sam [a-z]|aws [a-z]|\.venv/\w+/bin/)[^`]*)`")
_PLACEHOLDER = re.compile(r"<[\w -]+>")


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        page: Where it is shown.
        text: As it is shown, without prompt and comment.
        words: As a shell takes it apart, a placeholder `<name>` being the word `name`.
        on_path: Whether our tools are on PATH there: a line above has put them there.
        to_type: Whether people are to type it; inline code may only name it.
    """

    page: str
    text: str
    words: tuple[str, ...]
    on_path: bool
    to_type: bool

    @property
    def program(self) -> str:
        """What is run."""
        return self.words[0]

    @property
    def variables(self) -> dict[str, str]:
        """What is given as NAME=value."""
        return dict(word.split("=", 1) for word in self.words[1:] if re.match(r"[A-Z][A-Z_0-9]*=", word))

    @property
    def targets(self) -> list[str]:
        """The targets of a `make`."""
        return [word for word in self.words[1:] if "=" not in word and not word.startswith("-")]


def pages() -> list[Path]:
    """Return the pages that people read; CHANGELOG.md tells of the past."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def documented() -> list[Command]:
    """Return every command, each once a page."""
    found = [command for page in pages() if page.name != "CHANGELOG.md" for command in _of(page)]
    return list(dict.fromkeys(found))


def _of(page: Path) -> Iterator[Command]:
    text, name = page.read_text(), page.relative_to(ROOT).as_posix()
    for block in _BLOCK.finditer(text):
        on_path = False
        for line in _lines(block["text"]):
            for words in _apart(line):
                on_path |= words[0] == "export" and words[-1].startswith("PATH=$PWD/.venv/tools/bin:")
                yield Command(name, line, words, on_path, to_type=True)
    for inline in _INLINE.finditer(_BLOCK.sub("", text)):
        for words in _apart(inline[1]):
            yield Command(name, inline[1], words, on_path=False, to_type=False)


def _lines(block: str) -> Iterator[str]:
    """The command lines of a block, with what belongs to each: those after a prompt, if there are prompts."""
    rows = iter(block.splitlines())
    prompt = "$ " if re.search(r"^ *\$ ", block, re.M) else ""
    for row in rows:
        if not row.strip() or not row.strip().startswith(prompt):
            continue
        line = row.strip().removeprefix(prompt)
        while line.endswith("\\") or _is_open(line):
            line = f"{line.removesuffix(chr(92)).rstrip()} {next(rows).strip()}"
        yield line


def _is_open(line: str) -> bool:
    try:
        shlex.split(line, comments=True)
    except ValueError:
        return True
    return False


def _apart(line: str) -> Iterator[tuple[str, ...]]:
    """The words of each command of a line."""
    plain = _PLACEHOLDER.sub(lambda found: re.sub(r"\W", "", found[0]), line)
    lexer = shlex.shlex(plain, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set(";&|"):
            if words:
                yield tuple(words)
            words = []
        else:
            words.append(word)
    if words:
        yield tuple(words)


def help_of() -> dict[str, str]:
    """Return what `make help` says of each target."""
    rows = re.finditer(r"^([a-z-]+):.*?## (.*)$", (ROOT / "Makefile").read_text(), re.M)
    return {row[1]: row[2] for row in rows}


def targets() -> set[str]:
    """Return the Makefile's targets for people."""
    lines = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)
    return {target for line in lines for target in line.split()}
