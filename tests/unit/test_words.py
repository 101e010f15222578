"""Words: plain English in the field's terms. What was coined here once, and what to write instead.

Every tracked text is read, names in code included: `_`, `-` and the humps of CamelCase part words.
CONTRIBUTING.md has the glossary for people.
"""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import PurePath
from typing import Any

import pytest

from ops.paths import ROOT
from ops.template import source

WORDS = {
    r"(?:rings?|rang|ringing)": "an alarm fires, or goes off",
    r"(?:give|gives|gave|given|giving) (?:\w+ )?up": "discard, stop, time out, or fail at every try",
    r"(?:bury|buries|buried|burying)": "send to the dead-letter queue",
    r"(?:hand(?:s|ed|ing)?) ?over": "send, invoke with, or pass; what is sent is a request",
    r"hand(?:s|ed|ing)? (?:\w+ )?back": "return",
    r"put(?:s|ting)? away": "quarantine",
    r"(?:bring|brings|brought) (?:\w+ )?home": "redrive",
    r"(?:un)?proved": "tested, checked, or measured",
    r"lies? where": "name the key schema, or the place",
    r"ask(?:s|ed|ing)? athena": "run a query",
    r"(?:of|than|to|not) ours": "name the thing: the suite's, the engine's, the function's",
    r"us(?:e|es|ed|ing) (?:\w+ )?up": "redeem a token; a quota is exceeded, memory is full",
    r"fates?": "result",
    r"mend(?:s|ed|ing)?": "fix, or repair",
    r"nobody here": "say what was not done, not who did not do it",
    r"last words": "the end of the log",
}
HEADINGS = {
    r"begin": "Getting started",
    r"set it up.*": "Getting started on AWS",
    r"ask(?:ing)?": "Queries",
    r"what (?:holds|is promised)": "Guarantees",
    r"where it ends|limits|unproved": "Limitations",
    r"numbers|how (?:fast|much it takes)": "Performance, Throughput, or Capacity",
    r"remove.*": "Uninstall",
    r"who may do what": "Access",
}
EXCEPT = {
    "CONTRIBUTING.md": "the glossary names what not to write",
    "CHANGELOG.md": "says what a metric was called",
    "tests/unit/test_words.py": "so does this test",
}
_READ = {".py", ".md", ".yaml", ".js", ".html"}
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BETWEEN = re.compile(r"[\s_\-#*/|>`]+")


@cache
def _files() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    names = [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
    return [name for name in names if PurePath(name).suffix in _READ or PurePath(name).name == "Makefile"]


def found(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, phrase and what to write instead, for every phrase that is on the list.

    Args:
        text: A file's.
    """
    pieces: list[str] = []
    lines: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        for word in _BETWEEN.split(_HUMP.sub(" ", line)):
            if word:
                pieces.append(word.lower())
                lines.append(number)
    flat = " ".join(pieces)
    for pattern, instead in WORDS.items():
        for match in re.finditer(rf"\b{pattern}\b", flat):
            yield lines[flat.count(" ", 0, match.start())], match[0], instead


def headings(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, heading and what to write instead, for a Markdown text's headings that are on the list."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        title = re.fullmatch(r"#+ (.+)", line)
        if not title or fenced:
            continue
        for pattern, instead in HEADINGS.items():
            if re.fullmatch(pattern, title[1], re.IGNORECASE):
                yield number, title[1], instead


def test_no_text_has_a_word_that_was_coined_here() -> None:
    wrong = []
    for name in _files():
        if name in EXCEPT:
            continue
        text = (ROOT / name).read_text()
        faults = [*found(text), *(headings(text) if name.endswith(".md") else [])]
        wrong += [f'{name}:{line}: "{phrase}": write instead: {instead}' for line, phrase, instead in faults]
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("# so that the alarm rings\n", ["rings"]),
        ("class HandOver:\n", ["hand over"]),
        ("import handover\n", ["handover"]),
        ('count("PostsBuried")\n', ["buried"]),
        ("def test_a_record_is_given_up() -> None:\n", ["given up"]),
        ("# Lambda gives\n    # it up.\n", ["gives it up"]),
        ("a key ring's strings, during spring, are bringing things\n", ["ring"]),
        ("a handbook, overhead, upgrades, amendments, fatal, burial, recommended\n", []),
    ],
)
def test_phrases_are_found_in_names_and_across_lines(text: str, phrases: list[str]) -> None:
    assert [phrase for _, phrase, _ in found(text)] == phrases


def test_headings_are_found_outside_of_code() -> None:
    assert list(headings("# Auth\n\n## What holds\n```console\n# limits\n```\n## Limits\n")) == [
        (3, "What holds", "Guarantees"),
        (7, "Limits", "Limitations"),
    ]


def test_exceptions_are_of_use() -> None:
    for name, reason in EXCEPT.items():
        assert list(found((ROOT / name).read_text())), f"{name} has no such word: no exception for {reason}"


def _sids(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "Effect" in value and "Sid" in value:
            yield value["Sid"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _sids(each)


def test_a_statement_is_named_by_an_imperative() -> None:
    """`ReadStream`, `AllowRulesToSend`: the first word is a verb, and not in the third person."""
    sids = set(_sids(source()["Resources"]))
    assert len(sids) > 50
    verbs = {_HUMP.split(sid)[0] for sid in sids}
    third = sorted(verb for verb in verbs if verb.endswith("s") and not verb.endswith("ss"))
    assert not third, f"write Read, not Reads: {', '.join(third)}"
