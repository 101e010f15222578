from dataclasses import asdict

import pytest

from bench import report
from bench.harness import Row


@pytest.mark.parametrize(
    ("value", "bar", "better", "ok"),
    [
        (1.0, 1.05, "lower", True),
        (1.1, 1.05, "lower", False),
        (44.9, 45, "higher", False),
        (9, None, "lower", True),
    ],
)
def test_a_row_knows_whether_it_reaches_its_bar(
    value: float, bar: float | None, better: str, ok: bool
) -> None:
    assert Row("a ratio", value, "x", bar, better).ok is ok  # type: ignore[arg-type]


def test_the_page_shows_value_bar_and_verdict() -> None:
    rows = [asdict(Row("a ratio", 1.1, "x", 1.05)), asdict(Row("a time", 7, "ms"))]
    page = report.render({"image_resizer": rows})
    assert "`make bench BENCH=image_resizer`: 0 of 1 bars reached." in page
    assert "| a ratio | 1.1 x | ≤ 1.05 | **missed** |" in page
    assert "| a time | 7 ms |  |  |" in page
