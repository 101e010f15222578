"""Lighthouse's categories but performance, which depends on the machine: `make lighthouse` has that, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Playwright

from local.browser import chromium, pages
from local.lighthouse import CATEGORIES, Scorer, signed_in_browser
from local.lighthouse.__main__ import PAGE, with_table
from local.npm import NpmError, installed
from local.suite import Suite
from ops.paths import ROOT

STEADY = [category for category in CATEGORIES if category != "performance"]


@pytest.fixture(scope="module")
def scorer(suite: Suite, playwright: Playwright) -> Iterator[Scorer]:
    if chromium() is None:
        pytest.skip("no Chromium: 'apt install chromium' or 'brew install --cask google-chrome' gets it")
    try:
        installed(ROOT / "local/lighthouse")
    except NpmError as error:
        pytest.skip(str(error))
    with signed_in_browser(suite, playwright) as running:
        yield running


@pytest.mark.timeout(300)  # the first one installs Lighthouse
@pytest.mark.parametrize("path", pages())
def test_page_has_the_points(scorer: Scorer, path: str) -> None:
    score = scorer.score(path, "mobile", STEADY)
    assert score.scores.keys() == set(STEADY)
    assert score.is_good, (score.scores, score.faults)


def test_table_has_every_page() -> None:
    page = PAGE.read_text()
    missing = [path for path in pages() if page.count(f"| `/{path}` |") != 2]
    assert not missing, f"{missing}: run `make lighthouse`, which writes docs/page_quality.md"
    assert with_table(page, []) != page
