"""The page `web/images/` has a sentence for every code that the API may answer with."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ops.paths import ROOT

APPLICATION = ROOT / "functions/image_resizer"
# Of the shared library: what its last boundary answers with. Codes of bodies and forms concern other APIs.
BOUNDARY = ROOT / "layers/shared/shared/http/_answer.py"
OF_KEYS = {"invalid_key", "quota_exceeded"}  # of routes for programs, which the page does not call
WORDS = ROOT / "web/images/words.js"


def raised(source: str) -> Iterator[str]:
    """The first argument of every call of an error, if it looks like a code; other errors have text alone."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0]
            code = first.value if isinstance(first, ast.Constant) else None
            if name.endswith("Error") and isinstance(code, str) and re.fullmatch("[a-z_]+", code):
                yield code


def codes() -> set[str]:
    """Every code: of the function, of the last boundary, of the gateway."""
    sources = [*(APPLICATION / "image_resizer").rglob("*.py"), BOUNDARY]
    gateway = re.findall(r'"code":"(\w+)"', (APPLICATION / "openapi.yaml").read_text())
    return {code for path in sources for code in raised(path.read_text())} | set(gateway) - OF_KEYS


def test_every_code_has_a_sentence() -> None:
    words = dict(re.findall(r'^  (\w+): "(.+)",$', WORDS.read_text(), re.MULTILINE))
    assert words.keys() == codes()
    for code, sentence in words.items():
        assert re.fullmatch(r"[A-Z].{20,}\.", sentence), code
        assert "_" not in sentence, code


def test_codes_are_found_where_they_are_raised() -> None:
    assert {"malformed_size", "key_is_taken", "throttled", "internal", "too_large_for_format"} <= codes()
    assert list(
        raised(
            "raise http.BadRequestError('a_code', 'Text.')\nf('x')\nraise XError(code)\nValueError('is text')"
        )
    ) == ["a_code"]
