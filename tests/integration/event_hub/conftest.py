from __future__ import annotations

import pytest

from local.clients.hub import Owner
from local.clients.producer import Clicks
from local.suite import Suite


@pytest.fixture
def owner(suite: Suite) -> Owner:
    """Somebody whose resources the hub may act on."""
    return Owner(suite)


@pytest.fixture
def stranger(suite: Suite) -> Owner:
    """Somebody whose resources have another value of the hub's tag."""
    return Owner(suite, tagged=False)


@pytest.fixture
def clicks(suite: Suite) -> Clicks:
    """The producer of the clickstream."""
    return Clicks(suite)
