"""Where the tests of the replication are at home."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.memory_regions import NAMES, Regions
from local.regions_model import repeatable


@pytest.fixture
def regions() -> Iterator[Regions]:
    """Two regions in memory, with a company each."""
    with repeatable(0):
        made = Regions()
        for name in NAMES:
            made[name].world.kms.reset()
            made[name].world.register("shop")
            made[name].world.register("group", company="*")
            made[name].changed()
        yield made
