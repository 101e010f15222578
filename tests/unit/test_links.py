"""Links in Markdown lead to files and headings that are there. Addresses on the web are not asked."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.paths import ROOT

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_FENCED = re.compile(r"^( *)```.*?^ *```$", re.DOTALL | re.MULTILINE)


def anchors(text: str) -> Iterator[str]:
    """Yield the anchors of a page's headings, as GitHub makes them."""
    seen: dict[str, int] = {}
    for title in re.findall(r"^#+ +(.+?) *$", _FENCED.sub("", text), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        seen[slug] = seen.get(slug, -1) + 1
        yield f"{slug}-{seen[slug]}" if seen[slug] else slug


def broken(page: Path, text: str) -> Iterator[str]:
    """Yield a sentence for each relative link of a page that leads nowhere."""
    for target in _LINK.findall(_CODE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if path and not there.exists():
            yield f"{target}: there is no {path}"
        elif anchor and anchor not in set(anchors(text if not path else there.read_text())):
            yield f"{target}: there is no such heading"


def pages() -> list[str]:
    """Every tracked Markdown file."""
    listed = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=ROOT, capture_output=True, check=True)
    return [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("name", pages())
def test_links_of_a_page_resolve(name: str) -> None:
    page = ROOT / name
    wrong = list(broken(page, page.read_text()))
    assert not wrong, f"{name}:\n" + "\n".join(wrong)


def test_broken_links_are_found() -> None:
    text = "[a](README.md#limitations) [b](no.md) [c](#here)\n# Here: `x_y`\n[d](#here-x_y) `[e](no)`\n"
    assert list(broken(ROOT / "page.md", text)) == [
        "no.md: there is no no.md",
        "#here: there is no such heading",
    ]
