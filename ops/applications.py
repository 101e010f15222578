"""The applications of template.yaml: its table of contents, its banners, and whose a logical id is.

>>> owner("ResizeFunctionRole").title
'Image resizer'
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache

import yaml

from ops.template import PATH

__all__ = ["Application", "contents", "deployed_applications", "owner", "sections"]

_BANNER = re.compile(r"  # ={10,} (.+)")


@dataclass(frozen=True)
class Application:
    """An application, or a part of one with a banner of its own.

    Attributes:
        title: As in its banner.
        prefixes: What its logical ids begin with.
    """

    title: str
    prefixes: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Its name in paths: of its code, if it has code of its own, and of its drive, tests and page."""
        return self.title.lower().replace(" ", "_")

    @property
    def name(self) -> str:
        """Its name in the template: of the condition on its resources."""
        return "".join(word.capitalize() for word in self.title.split())

    @property
    def switch(self) -> str:
        """The parameter that deploys it."""
        return f"Enable{self.name}"


@cache
def contents(text: str | None = None) -> tuple[Application, ...]:
    """Return what the table of contents lists, in its order; of this template, if no other is given."""
    lines = iter((text or PATH.read_text()).splitlines())
    found = []
    for line in lines:
        if line.startswith("# Contents"):
            break
    for line in lines:
        if not line.startswith("#"):
            break
        if line.startswith("#   "):
            title, prefixes, _ = re.split(r"\s{2,}", line.removeprefix("#   "), maxsplit=2)
            found.append(Application(title, tuple(prefixes.split())))
    return tuple(found)


def owner(logical_id: str) -> Application:
    """Return whose a logical id is: the application with the longest prefix that fits.

    Raises:
        LookupError: No application has such a prefix.
    """
    fitting = [
        (len(prefix), application)
        for application in contents()
        for prefix in application.prefixes
        if logical_id.startswith(prefix)
    ]
    if not fitting:
        raise LookupError(
            f"{logical_id} begins with no prefix of an application: see Contents in template.yaml"
        )
    return max(fitting, key=lambda each: each[0])[1]


def deployed_applications(outputs: Iterable[str]) -> set[str]:
    """Return the folders of the applications that a stack's outputs are of."""
    found = set()
    for output in outputs:
        with suppress(LookupError):  # one of no application alone, such as SignInUrl
            found.add(owner(output).folder)
    return found


def sections(section: str, text: str | None = None) -> dict[str, list[str]]:
    """Return the entries of a section of the template by the title that they stand under; "" for none.

    Args:
        section: `Resources`, whose titles are banners, or `Parameters`, `Conditions`, `Outputs`, whose titles
            are comments.
        text: Another template than template.yaml.
    """
    text = text or PATH.read_text()
    at, entries = _entries(text)[section]
    titles = {f"  # {application.title}": application.title for application in contents(text)}
    lines = text.splitlines()
    found: dict[str, list[str]] = {}
    title = ""
    for number in range(at + 1, max(entries) + 1):
        if section == "Resources":
            banner = _BANNER.match(lines[number])
            title = banner[1] if banner else title
        else:
            title = titles.get(lines[number], title)
        if number in entries:
            found.setdefault(title, []).append(entries[number])
    return found


@lru_cache(maxsize=4)
def _entries(text: str) -> dict[str, tuple[int, dict[int, str]]]:
    """The line of each section of a template, and its entries by theirs."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    return {
        key.value: (key.start_mark.line, {name.start_mark.line: name.value for name, _ in body.value})
        for key, body in (root.value if root else [])
        if isinstance(body, yaml.MappingNode)
    }
