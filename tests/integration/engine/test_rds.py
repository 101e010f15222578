"""RDS: storage grows by a tenth at least and never shrinks; pending changes; Aurora; states."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.integration.engine.answers import refusal
from tests.integration.engine.doors import set_state
from tests.support.cloud import Cloud

COMBINATION = "InvalidParameterCombination"


def _database(cloud: Cloud, **settings: Any) -> str:
    name = cloud.name("db")
    cloud.client("rds").create_db_instance(
        **({
            "DBInstanceIdentifier": name, "Engine": "mysql", "DBInstanceClass": "db.t3.micro",
            "AllocatedStorage": 100, "MasterUsername": "admin", "MasterUserPassword": "not-a-secret",
        } | settings)
    )  # fmt: skip
    return name


def _found(cloud: Cloud, name: str) -> dict[str, Any]:
    return dict(cloud.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])


def test_storage_shrinks_never_and_grows_by_a_tenth_at_least(cloud: Cloud) -> None:
    name = _database(cloud)
    modify = partial(cloud.client("rds").modify_db_instance, DBInstanceIdentifier=name, ApplyImmediately=True)
    for size in (50, 99, 101, 109):
        assert refusal(modify, AllocatedStorage=size).startswith(COMBINATION)
    assert _found(cloud, name)["AllocatedStorage"] == 100
    assert refusal(modify, AllocatedStorage=110) == ""
    assert _found(cloud, name)["AllocatedStorage"] == 110


def test_storage_cannot_grow_again_while_it_is_optimized(cloud: Cloud) -> None:
    name = _database(cloud)
    modify = partial(cloud.client("rds").modify_db_instance, DBInstanceIdentifier=name, ApplyImmediately=True)
    modify(AllocatedStorage=200)
    assert _found(cloud, name)["DBInstanceStatus"] == "storage-optimization"
    assert refusal(modify, AllocatedStorage=300).startswith(COMBINATION)
    assert refusal(modify, BackupRetentionPeriod=3) == ""


def test_a_change_for_the_window_stays_pending_beside_earlier_ones(cloud: Cloud) -> None:
    name = _database(cloud)
    modify = partial(cloud.client("rds").modify_db_instance, DBInstanceIdentifier=name)
    modify(AllocatedStorage=120)
    modify(DBInstanceClass="db.t3.small")
    found = _found(cloud, name)
    assert found["PendingModifiedValues"] == {"AllocatedStorage": 120, "DBInstanceClass": "db.t3.small"}
    assert (found["AllocatedStorage"], found["DBInstanceStatus"]) == (100, "available")
    modify(ApplyImmediately=True)  # applies what is pending, too
    found = _found(cloud, name)
    assert found["PendingModifiedValues"] == {}
    assert (found["AllocatedStorage"], found["DBInstanceClass"]) == (120, "db.t3.small")


def test_the_limit_of_autoscaling_is_kept_and_bounds_the_storage(cloud: Cloud) -> None:
    name = _database(cloud, MaxAllocatedStorage=200)
    modify = partial(cloud.client("rds").modify_db_instance, DBInstanceIdentifier=name, ApplyImmediately=True)
    assert refusal(modify, AllocatedStorage=300).startswith(COMBINATION)
    assert refusal(modify, AllocatedStorage=200) == ""
    assert _found(cloud, name)["MaxAllocatedStorage"] == 200


def test_storage_of_aurora_cannot_be_allocated(cloud: Cloud) -> None:
    cluster = cloud.name("cluster")
    cloud.client("rds").create_db_cluster(
        DBClusterIdentifier=cluster,
        Engine="aurora-mysql",
        MasterUsername="admin",
        MasterUserPassword="not-a-secret",
    )
    name = cloud.name("db")
    cloud.client("rds").create_db_instance(
        DBInstanceIdentifier=name,
        DBClusterIdentifier=cluster,
        Engine="aurora-mysql",
        DBInstanceClass="db.t3.medium",
    )
    modify = partial(cloud.client("rds").modify_db_instance, DBInstanceIdentifier=name)
    assert refusal(modify, AllocatedStorage=500).startswith(COMBINATION)


def test_a_full_instance_grows_and_a_busy_one_does_not(cloud: Cloud) -> None:
    name = _database(cloud)
    modify = partial(
        cloud.client("rds").modify_db_instance,
        DBInstanceIdentifier=name,
        AllocatedStorage=110,
        ApplyImmediately=True,
    )
    assert set_state(cloud, "rds", name, "backing-up") == ""
    assert refusal(modify).startswith("InvalidDBInstanceState")
    assert set_state(cloud, "rds", name, "storage-full") == ""
    assert _found(cloud, name)["DBInstanceStatus"] == "storage-full"
    assert refusal(modify) == ""


@pytest.mark.ours_only
def test_the_door_names_what_it_does_not_know(cloud: Cloud) -> None:
    name = _database(cloud)
    assert "there is no 'absent'" in set_state(cloud, "rds", "absent", "available")
    assert "storage-full" in set_state(cloud, "rds", name, "sleepy")
    assert "rds" in set_state(cloud, "nothing", name, "available")
