"""Drive of the event hub: services publish, and what follows is seen in other services."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from functools import partial
from shutil import which

from datagen.office import docx, paragraphs
from local.clients.hub import Owner
from local.clients.producer import Clicks
from local.clients.subscriber import Subscriber
from local.demo.checks import Checks
from local.suite import Suite
from local.waiting import wait

__all__ = ["FLOW", "PAGE", "STEPS", "drive"]

FLOW = "services → SNS, EventBridge → queue → react → services; documents → PDF"
PAGE = "status/"
STEPS = 19
_PATIENCE_S = 30.0


def drive(suite: Suite, checks: Checks) -> None:
    """Have each publisher publish into the real topic, and look at the services that the hub acts on."""
    owner = Owner(suite)
    updates = Subscriber(suite.client, suite["HubUpdatesTopicArn"])
    try:
        expected = _happen(owner, updates)
        for what, seen in expected.items():
            checks.true(what, wait(seen, _PATIENCE_S), "not seen in time")
    finally:
        updates.end()
    page = suite.http.get(f"{suite['WebUrl']}/{PAGE}")
    checks.equal("the status page is there", page.status_code, 200)


def _happen(owner: Owner, updates: Subscriber) -> dict[str, Callable[[], object]]:
    """Have everything happen; what has to be seen afterwards, and where."""
    seen: dict[str, Callable[[], object]] = {}
    group = owner.group(transition="LAUNCHING")
    owner.scale(group, 1)
    [instance] = owner.instances(group)
    seen["Auto Scaling, launch: the instance got its command"] = lambda: owner.commands(instance)
    seen["Auto Scaling, launch: the instance is in service"] = lambda: (
        owner.instances(group) == {instance: "InService"}
    )
    ending = owner.group(transition="TERMINATING")
    owner.scale(ending, 1)
    [leaving] = owner.instances(ending)
    owner.scale(ending, 0)
    seen["Auto Scaling, end: the instance copied its logs, and ended"] = lambda: (
        owner.commands(leaving) and leaving not in owner.instances(ending)
    )
    owner.build_project()
    environment = owner.environment_created()
    seen["Elastic Beanstalk: a build is started"] = lambda: owner.builds_of(environment)
    owner.profiling()
    latency = owner.alarm("AWS/ELB", "Latency", LoadBalancerName=owner.prefix)
    owner.set_alarm(latency)
    seen["Elastic Load Balancing: the profiling task runs"] = lambda: owner.profiled(latency)
    system = owner.file_system()
    owner.set_alarm(owner.alarm("AWS/EFS", "PercentIOLimit", FileSystemId=system))
    seen["EFS: the file system is elastic"] = lambda: owner.throughput(system) == "elastic"
    archive = os.urandom(9 * 1024 * 1024)
    job = owner.retrieval(archive)
    owner.state("glacier", job, "Succeeded")
    seen["Glacier: the archive is in the output bucket"] = lambda: (
        owner.fetched(f"glacier/suite-local/{job}") == archive
    )
    key = f"{owner.prefix}/2011.tar"
    owner.restored(owner.bucket("suite-local-archive"), key, archive[:100_000])
    seen["S3: the restored object is copied"] = lambda: (
        owner.fetched(f"restored/suite-local-archive/{key}") == archive[:100_000]
    )
    snow = owner.snow_job(owner.bucket("suite-local-imagery"))
    owner.state("snowball", snow, "Complete")
    seen["Snowball: CloudFront serves the bucket"] = lambda: len(owner.distributions(snow)) == 1
    database = owner.database(200)
    owner.storage_is_low(database)
    seen["RDS: the growth waits for the maintenance window"] = lambda: owner.storage(database) == (200, 220)
    cache = owner.cache(1)
    owner.add_node(cache, 2)
    seen["ElastiCache: the list of both nodes was pushed"] = lambda: any(
        len(json.loads(text)["nodes"]) == 2 for text in updates.about(cache)
    )
    _databases(owner, seen)
    connection = f"dxcon-{uuid.uuid4().hex[:8]}"
    owner.set_alarm(owner.alarm("AWS/DX", "ConnectionState", ConnectionId=connection))
    seen["Direct Connect: endpoints were told"] = lambda: updates.about(connection)
    health = owner.alarm(
        "AWS/Route53", "HealthCheckStatus", name=f"Checkout of shop {uuid.uuid4().hex[:4]}",
        HealthCheckId=str(uuid.uuid4()),
    )  # fmt: skip
    owner.set_alarm(health)
    seen["Route 53: the status page's record says down, then up"] = lambda: _down_and_up(owner, health)
    _documents(owner, seen)
    return seen


def _down_and_up(owner: Owner, health: str) -> bool:
    """Whether the status page's record of a health check went down; then the check is well again."""

    def state() -> object:
        return owner.statuses().get(health, {}).get("state")

    if state() != "down":
        return False
    owner.set_alarm(health, "OK")
    return bool(wait(lambda: state() == "up", _PATIENCE_S))


def _databases(owner: Owner, seen: dict[str, Callable[[], object]]) -> None:
    producer, warehouse = Clicks(owner.suite), owner.warehouse()
    owner.warehouse_event(warehouse, "2006")
    seen["Redshift: the clickstream is held while the cluster is resized"] = lambda: _resized(
        owner, producer, warehouse
    )
    task = owner.task()
    owner.fail_task(task, "Failed to convert from character set windows-1252 to utf8mb4. RECOVERABLE_ERROR.")

    def encoded() -> bool:
        for order in owner.orders(task):
            owner.encoded(order)
        return owner.task_status(task) in ("starting", "running")  # it starts for a minute

    seen["DMS: the source was encoded, and the task resumed"] = encoded
    job, _ = owner.job("FAILED", "SUCCEEDED")
    seen["Glue: a job is run again after an error, and succeeds"] = lambda: (
        owner.runs(job) == ["FAILED", "SUCCEEDED"]
    )


def _resized(owner: Owner, producer: Clicks, warehouse: str) -> bool:
    """Whether the producer was held; then the resize is over."""
    if not producer.held():
        return False
    owner.warehouse_event(warehouse, "3002")
    return bool(wait(lambda: not producer.held(), _PATIENCE_S))


def _documents(owner: Owner, seen: dict[str, Callable[[], object]]) -> None:
    """A letter as text, and as a Word document where LibreOffice is there."""
    suite = owner.suite
    letter = f"{owner.prefix}/letter.txt"
    suite.client("s3").put_object(
        Bucket=suite["HubInboxBucketName"], Key=letter, Body="Dear Zoë,\nhere is my résumé.\n".encode()
    )
    seen["S3: the document is a PDF"] = partial(_is_pdf, owner, letter)
    word = f"{owner.prefix}/letter.docx"
    suite.client("s3").put_object(
        Bucket=suite["HubInboxBucketName"], Key=word, Body=docx(paragraphs("Dear Zoë"))
    )
    if which("soffice"):
        seen["S3: the Word document is a PDF"] = partial(_is_pdf, owner, word)
    else:
        seen["S3: the Word document is refused by name, since there is no LibreOffice"] = lambda: (
            "needs_libreoffice" in owner.refused_documents().values()
        )


def _is_pdf(owner: Owner, key: str) -> bool:
    return (owner.fetched(f"pdf/{key}.pdf") or b"")[:5] == b"%PDF-"
