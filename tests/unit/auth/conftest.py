"""The authentication's services over parts in memory, with hashes that cost nothing."""

from __future__ import annotations

import pytest

from auth.credentials import argon2id
from local.memory_auth import World


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have argon2id take a fiftieth of a millisecond: what is tested is not how hard a hash is to guess."""
    monkeypatch.setattr(argon2id, "MEMORY", 8)
    monkeypatch.setattr(argon2id, "PASSES", 1)
    monkeypatch.setattr(argon2id, "PREFIX", "$argon2id$v=19$m=8,t=1,p=1$")


@pytest.fixture
def world(cheap_hashes: None) -> World:
    """Services over tables, KMS and queues in memory."""
    return World()
