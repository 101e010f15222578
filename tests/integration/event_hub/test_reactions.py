"""Each reaction through the real topic, as its service publishes: the effect is seen in the service."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from local.clients.hub import Owner
from local.clients.producer import Clicks
from local.clients.subscriber import Subscriber
from local.suite import Suite
from tests.support.waiting import wait_until

QUIET_S = 1.5
"""As long nothing happens where nothing should."""


def until[T](look: Callable[[], T], what: str) -> T:
    """Wait for a look that finds something; what it finds."""
    return wait_until(look, seconds=30, what=what)


def test_launched_instance_is_warmed_and_goes_on(owner: Owner) -> None:
    group = owner.group(transition="LAUNCHING")
    owner.scale(group, 1)
    [instance] = owner.instances(group)
    until(lambda: owner.instances(group) == {instance: "InService"}, "the instance in service")
    assert owner.commands(instance) == ["event hub: warm"]


def test_agent_that_registers_late_gets_its_command(owner: Owner) -> None:
    # AWS's seconds, which the engine scales
    group = owner.group(transition="LAUNCHING", tags={"engine:ssm-registers-after": "90"})
    owner.scale(group, 1)
    [instance] = owner.instances(group)
    until(lambda: owner.commands(instance), "a command")
    until(lambda: owner.instances(group) == {instance: "InService"}, "the instance in service")
    assert owner.commands(instance) == ["event hub: warm"]


def test_launch_that_is_only_notified_is_warmed(owner: Owner) -> None:
    group = owner.group(notified=True)
    owner.scale(group, 1)
    [instance] = owner.instances(group)
    until(lambda: owner.commands(instance), "a command")
    assert owner.commands(instance) == ["event hub: warm"]


def test_ending_instance_copies_its_logs_and_ends(owner: Owner) -> None:
    group = owner.group(transition="TERMINATING")
    owner.scale(group, 1)
    [instance] = owner.instances(group)
    owner.scale(group, 0)
    until(lambda: instance not in owner.instances(group), "the end of the instance")
    assert owner.commands(instance) == ["event hub: logs"]


def test_strangers_instance_waits_and_gets_no_command(stranger: Owner) -> None:
    group = stranger.group(transition="LAUNCHING")
    stranger.scale(group, 1)
    [instance] = stranger.instances(group)
    time.sleep(QUIET_S)
    assert stranger.instances(group) == {instance: "Pending:Wait"}
    assert stranger.commands(instance) == []


def test_new_environment_is_built(owner: Owner) -> None:
    owner.build_project()
    environment = owner.environment_created()
    until(lambda: owner.builds_of(environment), "a build")
    assert len(owner.builds_of(environment)) == 1


@pytest.mark.parametrize(
    ("namespace", "metric", "dimension"),
    [
        ("AWS/ELB", "Latency", "LoadBalancerName"),
        ("AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer"),
    ],
)
def test_slow_load_balancer_is_profiled_once_in_the_cool_down(
    owner: Owner, namespace: str, metric: str, dimension: str
) -> None:
    owner.profiling()
    alarm = owner.alarm(namespace, metric, **{dimension: owner.prefix})
    owner.set_alarm(alarm)
    until(lambda: owner.profiled(alarm), "a task")
    for state in ("OK", "ALARM"):
        owner.set_alarm(alarm, state)
    time.sleep(QUIET_S)
    assert len(owner.profiled(alarm)) == 1


def test_file_system_at_its_limit_becomes_elastic(owner: Owner) -> None:
    system = owner.file_system()
    alarm = owner.alarm("AWS/EFS", "PercentIOLimit", FileSystemId=system)
    owner.set_alarm(alarm)
    until(lambda: owner.throughput(system) == "elastic", "elastic throughput")


def test_max_io_and_strangers_file_systems_stay_as_they_are(owner: Owner, stranger: Owner) -> None:
    systems = {
        owner.file_system(PerformanceMode="maxIO"): owner,
        stranger.file_system(): stranger,
    }
    for system, whose in systems.items():
        whose.set_alarm(whose.alarm("AWS/EFS", "PercentIOLimit", FileSystemId=system))
    time.sleep(QUIET_S)
    assert [whose.throughput(system) for system, whose in systems.items()] == ["bursting"] * 2


def test_retrieved_archive_is_in_the_output_bucket(owner: Owner) -> None:
    data = os.urandom(11 * 1024 * 1024 + 7)  # two parts, of which one is not whole
    job = owner.retrieval(data)
    owner.state("glacier", job, "Succeeded")
    key = f"glacier/suite-local/{job}"
    until(lambda: owner.fetched(key), "the archive")
    assert owner.fetched(key) == data


def test_restored_object_is_copied(owner: Owner) -> None:
    key, data = f"{owner.prefix}/2011 + é.tar", os.urandom(100_000)
    owner.restored(owner.bucket("suite-local-archive"), key, data)
    until(lambda: owner.fetched(f"restored/suite-local-archive/{key}"), "the copy")
    assert owner.fetched(f"restored/suite-local-archive/{key}") == data


def test_finished_import_gets_one_distribution(owner: Owner) -> None:
    job = owner.snow_job(owner.bucket("suite-local-imagery"))
    owner.state("snowball", job, "InTransitToAWS")
    time.sleep(0.5)
    assert owner.distributions(job) == []
    owner.state("snowball", job, "Complete")
    until(lambda: owner.distributions(job), "a distribution")
    [distribution] = owner.distributions(job)
    [origin] = distribution["DistributionConfig"]["Origins"]["Items"]
    assert origin["DomainName"] == "suite-local-imagery.s3.us-east-1.amazonaws.com"
    assert origin["OriginAccessControlId"]


def test_import_into_another_bucket_is_not_served(owner: Owner) -> None:
    job = owner.snow_job(owner.bucket(f"{owner.prefix}-other"))
    owner.state("snowball", job, "Complete")
    time.sleep(QUIET_S)
    assert owner.distributions(job) == []


def test_database_grows_in_its_maintenance_window(owner: Owner) -> None:
    database = owner.database(200)
    owner.storage_is_low(database)
    until(lambda: owner.storage(database) == (200, 220), "a pending growth")


def test_full_database_grows_at_once(owner: Owner) -> None:
    database = owner.database(50)
    owner.state("rds", database, "storage-full")
    owner.storage_is_low(database, "RDS-EVENT-0007")
    until(lambda: owner.storage(database)[0] == 60, "a growth")


def test_cache_nodes_are_pushed_with_rising_versions(owner: Owner, suite: Suite) -> None:
    subscriber = Subscriber(suite.client, suite["HubUpdatesTopicArn"])
    try:
        cache = owner.cache(1)
        until(lambda: len(subscriber.about(cache)) >= 1, "a list")
        owner.add_node(cache, 3)
        until(lambda: '"0003"' in "".join(subscriber.about(cache)), "the list of three")
        lists = [json.loads(text) for text in subscriber.about(cache)]
    finally:
        subscriber.end()
    newest = max(lists, key=lambda each: each["version"])
    assert [node["id"] for node in newest["nodes"]] == ["0001", "0002", "0003"]
    assert all(node["address"] and node["port"] for node in newest["nodes"])
    assert len({each["version"] for each in lists}) == len(lists)


def test_connection_that_flaps_is_told_of_twice_at_most(owner: Owner, suite: Suite) -> None:
    connection = f"dxcon-{uuid.uuid4().hex[:8]}"
    alarm = owner.alarm("AWS/DX", "ConnectionState", ConnectionId=connection)
    subscriber = Subscriber(suite.client, suite["HubUpdatesTopicArn"])
    try:
        for state in ("ALARM", "OK", "ALARM", "OK", "ALARM", "OK"):
            owner.set_alarm(alarm, state)
            time.sleep(0.02)
        until(lambda: '"up"' in "".join(subscriber.about(connection)), "that it is up")
        time.sleep(QUIET_S)
        told = [json.loads(text) for text in subscriber.about(connection)]
    finally:
        subscriber.end()
    assert told[-1]["state"] == "up"
    assert 1 <= len(told) <= 2


def test_warehouse_diverts_its_producer_as_long_as_a_reason_is_open(owner: Owner, clicks: Clicks) -> None:
    cluster, moment = owner.warehouse(), datetime.now(UTC)
    for number, seconds, held in (
        ("2003", 0, True), ("2006", 1, True), ("2004", 2, True), ("3500", 3, True), ("3002", 4, False),
    ):  # fmt: skip
        owner.warehouse_event(cluster, number, moment + timedelta(seconds=seconds))
        until(partial(lambda wanted: clicks.held() is wanted, held), f"{number}: held {held}")
        time.sleep(0.3)
        assert clicks.held() is held, number


def test_late_start_of_a_maintenance_that_is_over_diverts_nothing(owner: Owner, clicks: Clicks) -> None:
    cluster, moment = owner.warehouse(), datetime.now(UTC)
    owner.warehouse_event(cluster, "2004", moment)
    time.sleep(0.5)
    owner.warehouse_event(cluster, "2003", moment - timedelta(seconds=60))
    time.sleep(QUIET_S)
    assert clicks.held() is False


def test_failed_task_is_resumed_when_its_source_is_encoded(owner: Owner) -> None:
    task = owner.task()
    message = "Failed to convert from character set windows-1252 to utf8mb4. Error Level RECOVERABLE."
    owner.fail_task(task, message)
    found = until(lambda: owner.orders(task), "an order")
    assert owner.task_status(task) == "failed"
    owner.encoded(found[0])
    until(lambda: owner.task_status(task) == "running", "the task to run")
    time.sleep(0.5)
    assert owner.orders(task) == []


def test_task_that_failed_for_good_stays_so(owner: Owner, suite: Suite) -> None:
    subscriber = Subscriber(suite.client, operations_topic(suite))
    try:
        task = owner.task()
        owner.fail_task(task, "Endpoint initialization failed. Error Level FATAL.")
        until(lambda: subscriber.about("Endpoint initialization failed"), "word of it")
    finally:
        subscriber.end()
    assert owner.task_status(task) == "failed"
    assert owner.orders(task) == []


def operations_topic(suite: Suite) -> str:
    """The topic by which operators are told."""
    configuration = suite.client("lambda").get_function_configuration(
        FunctionName=suite["HubReactFunctionName"]
    )
    return str(configuration["Environment"]["Variables"]["OPERATIONS_TOPIC"])


def test_health_check_is_down_on_the_page_and_up_again(owner: Owner) -> None:
    check = str(uuid.uuid4())
    alarm = owner.alarm("AWS/Route53", "HealthCheckStatus", HealthCheckId=check)
    owner.set_alarm(alarm, "ALARM")
    until(lambda: owner.statuses().get(alarm, {}).get("state") == "down", "down")
    owner.set_alarm(alarm, "OK")
    until(lambda: owner.statuses()[alarm]["state"] == "up", "up")


def test_failed_job_is_retried_until_it_succeeds(owner: Owner) -> None:
    job, _ = owner.job("FAILED", "TIMEOUT", "SUCCEEDED")
    until(lambda: owner.runs(job) == ["FAILED", "TIMEOUT", "SUCCEEDED"], "the third run")


def test_job_fails_at_three_retries_and_no_more(owner: Owner, suite: Suite) -> None:
    subscriber = Subscriber(suite.client, operations_topic(suite))
    try:
        job, _ = owner.job("FAILED")
        until(lambda: subscriber.about(job), "word of it")
    finally:
        subscriber.end()
    assert owner.runs(job) == ["FAILED"] * 4
