"""docs/single_sign_on.md names the conformance suite's modules: each has its test, and each test its row."""

from __future__ import annotations

import ast
import re

from ops.paths import ROOT

TESTS = ROOT / "tests/integration/auth/test_oidc_conformance.py"
TABLE = ROOT / "docs/single_sign_on.md"
ROW = re.compile(
    r"\| (?P<plan>[^|]+) \| `(?P<module>oidcc-[a-z0-9-]+)` \| (?P<expected>[^|]+) \| (?P<result>[^|]+) \|"
)
RESULT = re.compile(r"(held|warning|not applicable|not supported)\b")


def rows() -> list[re.Match[str]]:
    return list(ROW.finditer(TABLE.read_text()))


def modules() -> list[str]:
    """The modules that are tested, in order."""
    functions = [node for node in ast.parse(TESTS.read_text()).body if isinstance(node, ast.FunctionDef)]
    names = [node.name for node in functions if node.name.startswith("test_")]
    return [name.removeprefix("test_").replace("_", "-") for name in names]


def test_every_module_of_the_table_has_its_test_and_every_test_its_row() -> None:
    listed = [row["module"] for row in rows()]
    assert listed == modules(), "the table of docs/single_sign_on.md and test_oidc_conformance.py differ"
    assert len(set(listed)) == len(listed)


def test_every_row_says_whether_the_module_holds() -> None:
    assert [row["module"] for row in rows() if not RESULT.match(row["result"])] == []
