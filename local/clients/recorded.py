"""The recorded messages (events/event_hub/messages), about resources that exist on an engine.

Each is published as its service does, and as often as asked. What they are about is made before, with the
hub's tag, and they are rewritten to it: account and region, and ids that the engine generates. Resources have
names of their own in every set, so that sets can follow each other on one engine.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from datagen.office import docx, odt, paragraphs, rtf
from local.clients.hub import Owner
from local.clients.subscriber import Subscriber
from local.engine_process import ACCOUNT, REGION
from local.suite import Suite
from ops.paths import ROOT

__all__ = ["MESSAGES", "Recorded", "RecordedMessage", "calls", "clear_limits", "held", "settle"]

MESSAGES = ROOT / "events/event_hub/messages"
HEARTBEAT_S = 7_200
"""AWS's seconds: no hook ends before the messages are delivered."""

type Names = dict[str, str]

# What the recorded messages name.
_ACCOUNT, _REGION = "123456789012", "eu-west-1"
_TOKEN, _INSTANCE, _GROUP = "5d3c8e0a-9f64-4f0d-b1c2-7e6a5d4c3b2a", "i-0a1b2c3d4e5f60718", "shop-web"
_VAULT_JOB = "HkF9p6o7yjhFx-K3CGl6fuSm6VzW9T7esGQfco8nUXVYwS0jlb5gq1JZ55yHgt5vP54ZShjoQEXAMPLEjobID"
_TREE_HASH = "beb0fe31a1c7ca8c6c04d574ea906e3f97b31fdca7571defb5b44dca89b5af60"
_ARCHIVE_BYTES = 3_145_728
_SNOW_JOB = "JID3c1fe5d5-7f2b-4a90-9b59-6d0a8f5b2c11"
_RUN = "jr_6b0c2d4e8f1a3b5c7d9e0f2a4b6c8d0e2f4a6b8c0d2e4f6a8b0c2d4e6f8a0b2c"
_BUCKET, _ETAG = f"cv-inbox-{_ACCOUNT}", "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class RecordedMessage:
    """A recorded message, rewritten.

    Attributes:
        name: Of its file.
        way: How it comes: published into the topic, by EventBridge, or, where only SNS's message id tells an
            event from its repetition, as the notification that SNS puts into the queue.
        text: The message, the event, or the notification.
        subject: Of SNS.
    """

    name: str
    way: Literal["topic", "event", "notification"]
    text: str
    subject: str = ""


class Recorded:
    """The recorded messages, and the resources that they are about.

    Args:
        owner: Whose resources they are.

    Attributes:
        messages: All of them, by name.
        made: Names of the resources, by what they are.
    """

    def __init__(self, owner: Owner) -> None:
        self.owner, self.suite = owner, owner.suite
        self.made: Names = {}
        self._topic = Subscriber(self.suite.client, self.suite["HubTopicArn"])
        self._names: dict[str, Names] = {}
        self._uploads: dict[str, dict[str, Any]] = {}
        try:
            for make in (
                self._fleet, self._alarms, self._objects, self._documents, self._vault, self._snow_jobs,
                self._databases, self._replication, self._jobs, self._environment,
            ):  # fmt: skip
                make()
        finally:
            self._topic.end()
        self.messages = {path.stem: self._message(path) for path in sorted(MESSAGES.glob("*.json"))}

    def deliver(self, name: str) -> None:
        """Have a message come once."""
        message = self.messages[name]
        if message.way == "topic":
            self.owner.publish(message.text, message.subject)
        elif message.way == "event":
            address = f"{self.suite.engine.endpoint}/_engine/events"
            self.suite.http.post(address, data=f"[{message.text}]".encode()).raise_for_status()
        else:
            self.suite.client("sqs").send_message(
                QueueUrl=self.suite["HubEventsQueueUrl"], MessageBody=message.text
            )

    # ---------------------------------------------------------------- rewritten messages

    def _message(self, path: Path) -> RecordedMessage:
        event, name = json.loads(self._rewritten(path)), path.stem
        if "Records" not in event:
            return RecordedMessage(name, "event", json.dumps(event))
        record = event["Records"][0]
        if "body" in record:  # of a queue, with the notification in it, unless delivery is raw
            inner = json.loads(record["body"])
            sns = inner if "Message" in inner else {"Message": record["body"]}
            return RecordedMessage(
                name, "topic", self._same_uploads(sns["Message"]), sns.get("Subject") or ""
            )
        sns = record["Sns"]
        if name.startswith("elasticache"):
            envelope = {key.replace("Url", "URL"): value for key, value in sns.items()}
            return RecordedMessage(name, "notification", json.dumps(envelope))
        return RecordedMessage(name, "topic", sns["Message"], sns["Subject"] or "")

    def _same_uploads(self, text: str) -> str:
        """Give uploads their entity tags and sequencers, of which the recorded messages have one pair."""
        message = json.loads(text)
        for record in message.get("Records", []):
            record["s3"]["object"] |= self._uploads[record["s3"]["object"]["key"]]
        return json.dumps(message)

    def _rewritten(self, path: Path) -> str:
        """A file's text, whose names have no character that JSON escapes, however deep they are."""
        text = path.read_text()
        for old, new in self._names.get(path.stem, {}).items():
            text = text.replace(old, new)
        return text.replace(_ACCOUNT, ACCOUNT).replace(_REGION, REGION)

    def _rewrite(self, names: Names, *messages: str) -> None:
        for message in messages:
            self._names.setdefault(message, {}).update(names)

    def _published(self, *words: str) -> str:
        """What the topic got about something, as soon as it is there."""
        for _ in range(200):
            for text in self._topic.received():
                if all(word in text for word in words):
                    return text
            time.sleep(0.02)
        raise TimeoutError(f"the topic got nothing about {' '.join(words)}")

    # ---------------------------------------------------------------- resources

    def _fleet(self) -> None:
        launching = self.owner.group(transition="LAUNCHING", heartbeat_s=HEARTBEAT_S)
        self.owner.scale(launching, 1)
        [launched] = self.owner.instances(launching)
        terminating = self.owner.group(transition="TERMINATING", heartbeat_s=HEARTBEAT_S)
        self.owner.scale(terminating, 1)
        [ending] = self.owner.instances(terminating)
        self.owner.scale(terminating, 0)
        notified = self.owner.group()
        self.owner.scale(notified, 1)
        [told] = self.owner.instances(notified)
        self.made |= {
            "launching": launching, "launched": launched, "terminating": terminating, "ending": ending,
            "told": told,
        }  # fmt: skip
        self._rewrite(
            self._wait(launching, launched, "hub-launching"),
            "autoscaling_launch_lifecycle", "autoscaling_launch_lifecycle_text",
            "autoscaling_eventbridge_launch",
        )  # fmt: skip
        self._rewrite(self._wait(terminating, ending, "hub-terminating"), "autoscaling_terminate_lifecycle")
        self._rewrite(
            {_INSTANCE: told, _GROUP: notified},
            "autoscaling_notification_launch", "autoscaling_notification_terminate_error",
            "autoscaling_test",
        )  # fmt: skip

    def _wait(self, group: str, instance: str, hook: str) -> Names:
        told = json.loads(self._published(instance, "LifecycleActionToken"))
        return {
            _INSTANCE: instance, _GROUP: group, hook: told["LifecycleHookName"],
            _TOKEN: told["LifecycleActionToken"],
        }  # fmt: skip

    def _alarms(self) -> None:
        prefix = self.owner.prefix
        self.owner.profiling()
        for alarm, messages in {
            "shop-latency-unusual": ("alarm_anomaly_latency",),
            "shop-latency": ("alarm_elb_latency", "alarm_elb_latency_ok", "alarm_elb_insufficient"),
            "shop-alb-p95": ("alarm_alb_p95",),
        }.items():
            self._rewrite({alarm: f"{prefix}-{alarm}"}, *messages)
            self.made[alarm] = f"{prefix}-{alarm}"
        system = self.owner.file_system()
        self.made["file system"] = system
        self._rewrite(
            {"fs-0a1b2c3d4e5f60718": system, "genomics-io": f"{prefix}-genomics-io"},
            "alarm_efs_percent_io_limit", "alarm_eventbridge_efs",
        )  # fmt: skip
        check, connection = str(uuid.uuid4()), f"dxcon-{uuid.uuid4().hex[:8]}"
        for alarm, recorded, named, namespace, metric, dimension in (
            ("payments-healthy", "abcdef11-2222-3333-4444-555555fedcba", check, "AWS/Route53",
             "HealthCheckStatus", "HealthCheckId"),
            ("dx-dublin", "dxcon-ff1a2b3c", connection, "AWS/DX", "ConnectionState", "ConnectionId"),
        ):  # fmt: skip
            name = self.owner.alarm(namespace, metric, name=f"{prefix}-{alarm}", **{dimension: named})
            self.made |= {alarm: name, dimension: named}
            self._rewrite(
                {alarm: name, recorded: named},
                "alarm_route53_unhealthy", "alarm_route53_healthy", "alarm_direct_connect_down",
            )  # fmt: skip

    def _objects(self) -> None:
        bucket, key = self.owner.bucket("suite-local-archive"), f"{self.owner.prefix}/2011.tar"
        answer = self.suite.client("s3").put_object(Bucket=bucket, Key=key, Body=key.encode() * 1000)
        self.made["restored"] = f"restored/{bucket}/{key}"
        self._rewrite(
            {_BUCKET: bucket, "archive/2011.tar": key, _ETAG: answer["ETag"].strip('"')},
            "s3_restore_completed", "s3_eventbridge_restore",
        )  # fmt: skip

    def _documents(self) -> None:
        """Uploads, which S3 itself publishes too: the recorded messages are about the same ones."""
        folder, inbox = self.owner.prefix, self.suite["HubInboxBucketName"]
        body = docx(paragraphs("Dear Zoë"))
        for message, recorded, key, data in (
            ("s3_document_uploaded", "2026/r%C3%A9sum%C3%A9", "2026/résumé of Zoë & Co.docx", body),
            ("s3_document_uploaded_raw", "letters/plain.txt", "letters/plain.txt", b"Dear Zo\xc3\xab,\n"),
            ("s3_multipart_and_two_records", "a.odt", "a.odt", odt("<text:p>Dear Zoe</text:p>")),
            ("s3_multipart_and_two_records", "b.rtf", "b.rtf", rtf("Dear Zoe")),
        ):
            name = f"{folder}/{key}"
            self.suite.client("s3").put_object(Bucket=inbox, Key=name, Body=data)
            published = self._published(f"{folder}/{recorded}", "ObjectCreated")
            self.made[key] = name
            self._rewrite({_BUCKET: inbox, recorded: f"{folder}/{recorded}"}, message)
            uploaded = json.loads(published)["Records"][0]["s3"]["object"]
            self._uploads[uploaded["key"]] = uploaded

    def _vault(self) -> None:
        glacier, vault = self.suite.client("glacier"), "suite-local"
        archive = self.owner.retrieval(uuid.uuid4().bytes * (_ARCHIVE_BYTES // 16))
        inventory = str(
            glacier.initiate_job(
                accountId="-", vaultName=vault, jobParameters={"Type": "inventory-retrieval"}
            )["jobId"]
        )
        for job in (archive, inventory):
            self.owner.state("glacier", job, "Succeeded")
        described = {
            job: glacier.describe_job(accountId="-", vaultName=vault, jobId=job)
            for job in (archive, inventory)
        }
        self.made |= {"archive": f"glacier/{vault}/{archive}", "inventory": f"glacier/{vault}/{inventory}"}
        of_vault = {"vaults/backups": f"vaults/{vault}"}
        self._rewrite(
            of_vault | {_VAULT_JOB: archive, _TREE_HASH: described[archive]["SHA256TreeHash"]},
            "glacier_archive_retrieved",
        )
        size = str(described[inventory]["InventorySizeInBytes"])
        self._rewrite(of_vault | {_VAULT_JOB: inventory, "11693": size}, "glacier_inventory_retrieved")
        failed = base64.b32encode(uuid.uuid4().bytes).decode().strip("=")
        self._rewrite(of_vault | {_VAULT_JOB: failed}, "glacier_job_failed")
        self.made["failed vault job"] = failed

    def _snow_jobs(self) -> None:
        for message, state in (
            ("snowball_complete_text", "Complete"),
            ("snowball_in_transit_text", "InTransitToAWS"),
        ):
            job = self.owner.snow_job(self.owner.bucket("suite-local-imagery"))
            self.owner.state("snowball", job, state)
            self.made[state] = job
            self._rewrite({_SNOW_JOB: job}, message)

    def _databases(self) -> None:
        low, full = self.owner.database(200), self.owner.database(50)
        self.owner.state("rds", full, "storage-full")
        cluster, warehouse = self.owner.name("aurora"), self.owner.warehouse()
        cache = self.owner.cache(2, publishes=False)
        self.made |= {"low": low, "full": full, "cache": cache, "warehouse": warehouse, "aurora": cluster}
        self._rewrite({"social-primary": low}, "rds_low_storage_0089", "rds_eventbridge_0089")
        self._rewrite({"social-primary": full}, "rds_storage_full_0007")
        self._rewrite({"shop-aurora": cluster}, "rds_aurora_cluster_0227")
        for path in MESSAGES.glob("elasticache_*.json"):
            identifier = json.loads(path.read_text())["Records"][0]["Sns"]["MessageId"]
            self._rewrite({"shop-cache": cache, identifier: str(uuid.uuid4())}, path.stem)
        for path in MESSAGES.glob("redshift_*.json"):
            self._rewrite({"news-warehouse": warehouse}, path.stem)

    def _replication(self) -> None:
        encoding, fatal = self.owner.task(), self.owner.task()
        sns = json.loads((MESSAGES / "dms_task_failed_encoding.json").read_text())["Records"][0]["Sns"]
        self.owner.fail_task(encoding, json.loads(sns["Message"])["Event Message"])
        self.owner.state("dms", fatal, "running")
        self.made |= {"encoding": encoding, "fatal": fatal}
        self._rewrite(
            {"mssql-to-mysql": self._identifier(encoding), "A1B2C3D4E5F6G7H8I9J0K1L2M3": encoding[-26:]},
            "dms_task_failed_encoding", "dms_eventbridge_failed",
        )  # fmt: skip
        self._rewrite(
            {"mssql-to-mysql": self._identifier(fatal)}, "dms_task_failed_fatal", "dms_task_stopped"
        )

    def _identifier(self, task: str) -> str:
        answer = self.suite.client("dms").describe_replication_tasks(
            Filters=[{"Name": "replication-task-arn", "Values": [task]}]
        )
        return str(answer["ReplicationTasks"][0]["ReplicationTaskIdentifier"])

    def _jobs(self) -> None:
        glue = self.suite.client("glue")
        for message, *outcomes in (
            ("glue_job_failed", "FAILED", "SUCCEEDED"),
            ("glue_job_timeout", "TIMEOUT", "SUCCEEDED"),
            ("glue_job_stopped", "RUNNING", "SUCCEEDED"),
            ("glue_job_succeeded", "SUCCEEDED"),
        ):
            job, run = self.owner.job(*outcomes)
            if outcomes[0] == "RUNNING":
                glue.batch_stop_job_run(JobName=job, JobRunIds=[run])
            self.made[message] = job
            self._rewrite({"nightly-etl": job, _RUN: run}, message)

    def _environment(self) -> None:
        self.owner.build_project()
        environment = self.owner.name("env")
        self.made["environment"] = environment
        self._rewrite(
            {"shop-staging": environment, "3b1f6a0e-6c52-4f6e-9a8d-5e4d3c2b1a09": str(uuid.uuid4())},
            "beanstalk_created_text", "beanstalk_eventbridge_created", "beanstalk_health_text",
        )  # fmt: skip


# -------------------------------------------------------------------- the hub, from outside


@contextmanager
def held(suite: Suite) -> Iterator[None]:
    """Let the hub's queues fill: what is in them is then taken by many functions at once."""
    lambda_ = suite.client("lambda")
    queues = {suite[name].rpartition("/")[2] for name in ("HubEventsQueueUrl", "HubDocumentsQueueUrl")}
    mappings = [
        mapping["UUID"]
        for mapping in lambda_.list_event_source_mappings()["EventSourceMappings"]
        if mapping["EventSourceArn"].rpartition(":")[2] in queues
    ]
    for mapping in mappings:
        lambda_.update_event_source_mapping(UUID=mapping, Enabled=False)
    try:
        yield
    finally:
        for mapping in mappings:
            lambda_.update_event_source_mapping(UUID=mapping, Enabled=True)


def settle(suite: Suite, *, seconds: float = 120.0, quiet: float = 1.0) -> None:
    """Wait until the hub's queues have been empty for a while.

    Raises:
        TimeoutError: They have not, in so many seconds.
    """
    sqs, names = suite.client("sqs"), ("HubEventsQueueUrl", "HubLaterQueueUrl", "HubDocumentsQueueUrl")
    end, empty_since = time.monotonic() + seconds, time.monotonic()
    while time.monotonic() < end:
        waiting = sum(
            int(number)
            for name in names
            for key, number in sqs.get_queue_attributes(QueueUrl=suite[name], AttributeNames=["All"])[
                "Attributes"
            ].items()
            if key.startswith("ApproximateNumberOfMessages")
        )
        if waiting:
            empty_since = time.monotonic()
        elif time.monotonic() - empty_since > quiet:
            return
        time.sleep(0.05)
    raise TimeoutError("the hub's queues do not become empty")


def calls(suite: Suite) -> Counter[tuple[str, str, str]]:
    """How often the engine has allowed a role an action on a resource: `(role, action, resource)`."""
    rows = suite.http.get(f"{suite.engine.endpoint}/_engine/iam").json()
    return Counter(
        {(row["role"], row["action"], row["resource"]): row["times"] for row in rows if row["allowed"]}
    )


def clear_limits(suite: Suite) -> None:
    """Forget what took places of the reactions' rate limits, as an hour or a day does."""
    dynamodb, table = suite.client("dynamodb"), suite["HubLedgerTableName"]
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ProjectionExpression="pk"):
        for item in page["Items"]:
            if item["pk"]["S"].startswith("limit#"):
                dynamodb.delete_item(TableName=table, Key=item)
