"""What the pages carry of other people's work is what its publisher published."""

from __future__ import annotations

import json

import pytest

from ops.paths import ROOT
from tests.support.node import INSTALLED, SOURCE, install

VENDORED = ROOT / "web/vendor/uplot"
FILES = {"uPlot.iife.min.js": "dist", "uPlot.min.css": "dist", "LICENSE": "."}


def test_only_what_is_compared_is_vendored() -> None:
    assert {
        path.relative_to(ROOT / "web/vendor").as_posix()
        for path in VENDORED.parent.rglob("*")
        if path.is_file()
    } == {f"uplot/{name}" for name in FILES}


@pytest.mark.parametrize("name", FILES)
def test_vendored_file_is_that_of_the_npm_package(name: str) -> None:
    """npm compares the package with the hash of the lock file, and this test the files with the package's."""
    install()
    assert (VENDORED / name).read_bytes() == (
        INSTALLED / "node_modules/uplot" / FILES[name] / name
    ).read_bytes()


def test_version_is_pinned_and_named_in_the_notice() -> None:
    version = json.loads((SOURCE / "package.json").read_text())["dependencies"]["uplot"]
    assert f"(v{version})" in (VENDORED / "uPlot.iife.min.js").read_text()[:100]
    assert f"[uPlot](https://github.com/leeoniya/uPlot) {version}" in (ROOT / "NOTICE.md").read_text()
