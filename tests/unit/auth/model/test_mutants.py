"""The rules that are taken out are in the code, and the page says of each what notices."""

from __future__ import annotations

import pytest

from tests.unit.auth.model.mutants import DOCUMENT, MUTANTS, Mutant, spoiled


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.rule)
def test_rule_is_in_the_code_once(mutant: Mutant) -> None:
    assert spoiled(mutant)


def test_page_has_every_rule() -> None:
    page = DOCUMENT.read_text()
    missing = [mutant.rule for mutant in MUTANTS if f"| {mutant.rule} | `{mutant.module}` |" not in page]
    assert not missing, "Run `make mutate-auth`."
