"""The documentation's table of bad input, and the codes that the package gives."""

import re
from pathlib import Path

import image_resizer
from shared import http

ROOT = Path(__file__).parents[3]


def test_the_documentation_names_every_code() -> None:
    package = Path(image_resizer.__file__).parent
    given = {
        code
        for module in (*package.rglob("*.py"), Path(http.__file__).with_name("_answer.py"))
        for code in re.findall(r'Error\(\s*"([a-z_]+)",\s+"', module.read_text())
    }
    table = (ROOT / "docs/image_resizer.md").read_text().partition("## Bad input")[2]
    rows = [row.split(" | ")[-1] for row in table.splitlines() if row.startswith("| ")]
    assert {code for row in rows for code in re.findall(r"`([a-z_]+)`", row)} == given
