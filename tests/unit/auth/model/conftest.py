"""Where the model's tests are at home."""

from __future__ import annotations

import pytest

from local.memory_auth import World


@pytest.fixture
def home(world: World) -> World:
    """A world with two companies."""
    world.register("shop")
    world.register("group", company="*")
    return world
