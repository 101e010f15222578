"""Visitors of the deployed suite."""

from __future__ import annotations

import pytest

from local.clients.visitor import Visitor
from local.suite import Suite


@pytest.fixture(scope="module")
def visitor(suite: Suite) -> Visitor:
    return Visitor(suite)


@pytest.fixture(scope="module")
def other(suite: Suite) -> Visitor:
    return Visitor(suite)
