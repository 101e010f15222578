import pytest

from local.memory_kms import Region


@pytest.fixture(scope="session")
def regions() -> tuple[Region, Region]:
    """Made once, as boto3's clients take a while."""
    return Region("eu-west-1"), Region("us-east-1")


@pytest.fixture(scope="session")
def region(regions: tuple[Region, Region]) -> Region:
    """For properties: hypothesis wants no fixture that starts anew with each test."""
    return regions[0]


@pytest.fixture
def europe(regions: tuple[Region, Region]) -> Region:
    regions[0].kms.reset()
    return regions[0]


@pytest.fixture
def america(regions: tuple[Region, Region]) -> Region:
    regions[1].kms.reset()
    return regions[1]
