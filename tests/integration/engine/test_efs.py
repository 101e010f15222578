"""EFS: UpdateFileSystem to elastic throughput, and what is refused."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.integration.engine.answers import refusal
from tests.integration.engine.doors import set_state
from tests.support.cloud import Cloud


def _system(cloud: Cloud, **settings: Any) -> str:
    answer = cloud.client("efs").create_file_system(CreationToken=cloud.name("token"), **settings)
    return str(answer["FileSystemId"])


def _mode(cloud: Cloud, identifier: str) -> str:
    found = cloud.client("efs").describe_file_systems(FileSystemId=identifier)["FileSystems"]
    return str(found[0]["ThroughputMode"])


def test_the_mode_changes_once_in_24_hours(cloud: Cloud) -> None:
    """API_UpdateFileSystem, TooManyRequests: "if you don't wait at least 24 hours"."""
    identifier = _system(cloud)
    update = partial(cloud.client("efs").update_file_system, FileSystemId=identifier)
    assert refusal(update, ThroughputMode="elastic") == ""
    assert refusal(update, ThroughputMode="elastic") == ""  # no change
    assert refusal(update, ThroughputMode="bursting").startswith("TooManyRequests")
    assert _mode(cloud, identifier) == "elastic"


def test_provisioned_throughput_grows_at_any_time_and_shrinks_once(cloud: Cloud) -> None:
    identifier = _system(cloud)
    update = partial(cloud.client("efs").update_file_system, FileSystemId=identifier)
    assert refusal(update, ThroughputMode="provisioned").startswith("BadRequest")
    assert refusal(update, ThroughputMode="provisioned", ProvisionedThroughputInMibps=10.0) == ""
    assert refusal(update, ProvisionedThroughputInMibps=20.0) == ""
    assert refusal(update, ProvisionedThroughputInMibps=15.0).startswith("TooManyRequests")
    assert refusal(update, ProvisionedThroughputInMibps=1025.0).startswith("ThroughputLimitExceeded")


def test_a_max_io_file_system_is_never_elastic(cloud: Cloud) -> None:
    """https://docs.aws.amazon.com/efs/latest/ug/performance.html#performancemodes"""
    identifier = _system(cloud, PerformanceMode="maxIO")
    update = partial(cloud.client("efs").update_file_system, FileSystemId=identifier)
    assert refusal(update, ThroughputMode="elastic").startswith("BadRequest")
    create = partial(cloud.client("efs").create_file_system, CreationToken=cloud.name("token"))
    assert refusal(create, PerformanceMode="maxIO", ThroughputMode="elastic").startswith("BadRequest")
    assert _mode(cloud, identifier) == "bursting"


def test_a_file_system_that_is_not_available_is_left_alone(cloud: Cloud) -> None:
    identifier = _system(cloud)
    update = partial(cloud.client("efs").update_file_system, ThroughputMode="elastic")
    assert set_state(cloud, "elasticfilesystem", identifier, "updating") == ""
    assert refusal(update, FileSystemId=identifier).startswith("IncorrectFileSystemLifeCycleState")
    assert refusal(update, FileSystemId="fs-00000000000000000").startswith("FileSystemNotFound")
    assert _mode(cloud, identifier) == "bursting"
