"""Writes docs/benchmarks.md from the results in bench/results."""

import json
from pathlib import Path
from typing import Any

from bench.harness import RESULTS, ROOT

__all__ = ["render"]

HEAD = """\
# Benchmarks

Ours and the peers on the same work, in one run, on one core; CPU time, medians of interleaved runs. A ratio
below 1 means that ours needs less. `make bench` measures and writes this page.
"""


def render(results: dict[str, list[dict[str, Any]]]) -> str:
    """The page for the results of all benchmarks, by name."""
    parts = [HEAD]
    for name, rows in sorted(results.items()):
        bars = [row for row in rows if row["bar"] is not None]
        reached = sum(row["ok"] for row in bars)
        run = name.removesuffix("_bad_input")
        parts.append(f"## {name}\n\n`make bench BENCH={run}`: {reached} of {len(bars)} bars reached.\n")
        parts.append("| measure | value | bar | |\n|---|---:|---:|---|")
        for row in rows:
            sign = "≤" if row["better"] == "lower" else "≥"
            bar = verdict = ""
            if row["bar"] is not None:
                bar = f"{sign} {row['bar']:g}"
                verdict = "ok" if row["ok"] else "**missed**"
            parts.append(f"| {row['measure']} | {row['value']:g} {row['unit']} | {bar} | {verdict} |")
        parts.append("")
    return "\n".join(parts)


def main() -> None:
    """Read all results and write the page."""
    results = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    page: Path = ROOT / "docs" / "benchmarks.md"
    page.write_text(render(results))
    print(f"{page.relative_to(ROOT)}: {len(results)} benchmarks")


if __name__ == "__main__":
    main()
