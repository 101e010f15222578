"""``make docs``: renew the table of restored behaviours in docs/engine.md from the engine's own list."""

from __future__ import annotations

import subprocess

from ops.paths import ROOT

__all__ = ["PAGE", "with_table"]

PAGE = ROOT / "docs/engine.md"
_START, _END = "<!-- patches -->\n", "<!-- /patches -->"


def with_table(page: str) -> str:
    """Return the page with the table that the engine prints of itself."""
    listed = subprocess.run(
        [str(ROOT / ".venv/engine/bin/python"), "-m", "local.engine", "--list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    before, _, rest = page.partition(_START)
    after = rest.partition(_END)[2]
    return f"{before}{_START}\n| restored behaviour | place |\n|---|---|\n{listed}\n{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
