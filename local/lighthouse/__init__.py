"""Lighthouse's scores of the pages, as an operator who is signed in sees them."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Playwright

from local.browser import MISSING, SWITCHES, chromium, sign_in
from local.clients.person import PersonAt
from local.engine_process import free_port
from local.npm import installed
from local.suite import Suite

__all__ = ["CATEGORIES", "FORMS", "LEAST", "LighthouseError", "Score", "Scorer", "signed_in_browser"]

LEAST = 95
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
FORMS = ("mobile", "desktop")
_TIMEOUT_S = 180


class LighthouseError(RuntimeError):
    """Lighthouse or its browser does not run here, or a page cannot be loaded."""


@dataclass(frozen=True)
class Score:
    """Of one page and form.

    Attributes:
        path: The page's address below the start page's.
        form: `mobile` (a slow phone, simulated) or `desktop`.
        scores: 0 to 100 by category.
        faults: The audits that took points, with what they found.
    """

    path: str
    form: str
    scores: dict[str, int]
    faults: list[str]

    @property
    def is_good(self) -> bool:
        """Whether no category is below what is wanted."""
        return all(score >= LEAST for score in self.scores.values())


@dataclass(frozen=True)
class Scorer:
    """A browser in which an operator is signed in.

    Attributes:
        port: Of its debugger.
        url: Of the start page, with its slash.
    """

    port: int
    url: str

    def score(self, path: str, form: str, categories: Sequence[str] = CATEGORIES) -> Score:
        """Score a page, given by its address below the start page's.

        Raises:
            NpmError: Lighthouse cannot be installed.
            LighthouseError: It cannot load the page, or fails itself.
        """
        job = {
            "port": self.port, "url": f"{self.url}{path}", "form": form, "categories": list(categories)
        }  # fmt: skip
        done = subprocess.run(
            ["node", "score.mjs", json.dumps(job)],
            cwd=installed(Path(__file__).parent), capture_output=True, text=True, check=False,
            timeout=_TIMEOUT_S,
        )  # fmt: skip
        if done.returncode:
            raise LighthouseError(f"Lighthouse fails at /{path}: {done.stderr.strip()[-300:]}")
        found = json.loads(done.stdout)
        if found["error"]:
            raise LighthouseError(f"/{path}: {found['error']}")
        return Score(path, form, found["scores"], found["faults"])


@contextmanager
def signed_in_browser(suite: Suite, playwright: Playwright) -> Iterator[Scorer]:
    """Run a browser with an operator's tab, from which the tabs that Lighthouse opens have their session.

    Raises:
        LighthouseError: There is no Chromium.
    """
    executable = chromium()
    if executable is None:
        raise LighthouseError(MISSING)
    operator = PersonAt(suite, "lighthouse@example.org")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="lighthouse-") as profile:
        # Lighthouse works in the browser's own context; `no_viewport` leaves it the emulation of screens.
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=executable, no_viewport=True,
            args=[*SWITCHES, f"--remote-debugging-port={port}"],
        )  # fmt: skip
        try:
            sign_in(context.new_page(), suite, operator.email, operator.password)
            yield Scorer(port, f"{suite['WebUrl']}/")
        finally:
            context.close()
