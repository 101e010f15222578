"""What the access-log tests share."""

import pytest

from shared.access_log import UserAgents


@pytest.fixture(scope="session")
def agents() -> UserAgents:
    """One look-up of user agents for all tests, as a function has one for all its invocations."""
    return UserAgents()
