"""Resources that the event hub may act on, and what their services publish, as an owner has them.

Whatever the local engine publishes by itself is published so: alarms, Auto Scaling, ElastiCache, Glacier,
Snowball, DMS and Glue. What it has no publisher of (Elastic Beanstalk, RDS, Redshift, restored objects) is
published into the hub's topic in AWS's shape.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

from local.engine_process import REGION
from local.suite import Suite

__all__ = ["Owner", "letters"]

TAG = "event-hub"


class Owner:
    """Somebody whose resources have the hub's tag.

    Args:
        suite: The deployed suite.
        tagged: Whether they have it; else the hub has to leave them alone.
    """

    def __init__(self, suite: Suite, *, tagged: bool = True) -> None:
        self.suite = suite
        self.prefix = f"h{uuid.uuid4().hex[:10]}"
        self.value = "suite-local" if tagged else "nobody"
        self._numbers = iter(range(1, 1_000_000))

    def name(self, what: str) -> str:
        """A name that nothing else has."""
        return f"{self.prefix}-{what}-{next(self._numbers)}"

    def tags(self, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
        """The tag, in a service's spelling."""
        return [{key: TAG, value: self.value}]

    def publish(self, message: Mapping[str, Any] | str, subject: str | None = None, topic: str = "") -> None:
        """Publish into the hub's topic, or another, as a service does."""
        text = message if isinstance(message, str) else json.dumps(message)
        given = {"Subject": subject} if subject else {}
        self.suite.client("sns").publish(TopicArn=topic or self.suite["HubTopicArn"], Message=text, **given)

    def happen(self, source: str, detail_type: str, detail: Mapping[str, Any], *resources: str) -> None:
        """Have a service tell EventBridge."""
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": "000000000000",
            "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "region": REGION,
            "resources": list(resources),
            "detail": dict(detail),
        }
        address = f"{self.suite.engine.endpoint}/_engine/events"
        self.suite.http.post(address, json=[event]).raise_for_status()

    def state(self, service: str, resource: str, state: str, **more: str) -> None:
        """Set a state that on AWS only time or a fault brings."""
        address = f"{self.suite.engine.endpoint}/_engine/states"
        body = {"service": service, "resource": resource, "state": state, **more}
        self.suite.http.post(address, json=body).raise_for_status()

    # ---------------------------------------------------------------- Auto Scaling and Systems Manager

    def group(
        self,
        *,
        transition: str = "",
        heartbeat_s: int = 7200,
        notified: bool = False,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """An Auto Scaling group, with a hook that publishes, or whose launches are notified.

        Args:
            transition: Of the hook, `LAUNCHING` or `TERMINATING`; no hook by default.
            heartbeat_s: The hook's time-out, in AWS's seconds, which the engine scales.
            notified: Whether launches are notified.
            tags: Further ones.
        """
        autoscaling, name = self.suite.client("autoscaling"), self.name("group")
        autoscaling.create_launch_configuration(
            LaunchConfigurationName=name, ImageId="ami-12345678", InstanceType="t3.micro"
        )
        propagated = [
            {"Key": key, "Value": value, "PropagateAtLaunch": True}
            for key, value in {TAG: self.value, **(tags or {})}.items()
        ]
        autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchConfigurationName=name,
            MinSize=0,
            MaxSize=3,
            AvailabilityZones=[f"{REGION}a"],
            Tags=propagated,
        )
        if transition:
            autoscaling.put_lifecycle_hook(
                AutoScalingGroupName=name,
                LifecycleHookName="hub",
                LifecycleTransition=f"autoscaling:EC2_INSTANCE_{transition}",
                NotificationTargetARN=self.suite["HubTopicArn"],
                RoleARN="arn:aws:iam::000000000000:role/hook",
                HeartbeatTimeout=heartbeat_s,
            )
        if notified:
            autoscaling.put_notification_configuration(
                AutoScalingGroupName=name,
                TopicARN=self.suite["HubTopicArn"],
                NotificationTypes=["autoscaling:EC2_INSTANCE_LAUNCH"],
            )
        return name

    def scale(self, group: str, count: int) -> None:
        """Have a group launch or end instances."""
        self.suite.client("autoscaling").set_desired_capacity(
            AutoScalingGroupName=group, DesiredCapacity=count
        )

    def instances(self, group: str) -> dict[str, str]:
        """States of a group's instances by their ids."""
        [found] = self.suite.client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[group]
        )["AutoScalingGroups"]
        return {each["InstanceId"]: each["LifecycleState"] for each in found["Instances"]}

    def commands(self, instance: str) -> list[str]:
        """The comments of the commands that an instance got."""
        answer = self.suite.client("ssm").list_commands(InstanceId=instance)
        return [command["Comment"] for command in answer["Commands"]]

    # ---------------------------------------------------------------- alarms

    def alarm(self, namespace: str, metric: str, region: str = "", name: str = "", **dimensions: str) -> str:
        """An alarm that publishes into the hub's topic; its name."""
        cloudwatch, name = self._cloudwatch(region), name or self.name("alarm")
        topic = self.suite["HubTopicArn"]
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace=namespace,
            MetricName=metric,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            Statistic="Average",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1.0,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="ignore",  # nothing is measured: it stays as it is set
            AlarmActions=[topic],
            OKActions=[topic],
            InsufficientDataActions=[topic],
            Tags=self.tags(),
        )
        return name

    def set_alarm(self, name: str, state: str = "ALARM") -> None:
        """Have an alarm change its state."""
        self._cloudwatch("").set_alarm_state(AlarmName=name, StateValue=state, StateReason="of a test")

    def _cloudwatch(self, region: str) -> Any:
        return (
            self.suite.client("cloudwatch") if not region else self.suite.engine.client("cloudwatch", region)
        )

    # ---------------------------------------------------------------- what reactions act on

    def build_project(self) -> str:
        """The project that the stack's parameter names; made once."""
        codebuild, name = self.suite.client("codebuild"), "suite-local-ci"
        if not codebuild.batch_get_projects(names=[name])["projects"]:
            codebuild.create_project(
                name=name,
                source={"type": "NO_SOURCE", "buildspec": "version: 0.2"},
                artifacts={"type": "NO_ARTIFACTS"},
                environment={
                    "type": "LINUX_CONTAINER",
                    "image": "aws/codebuild/standard:7.0",
                    "computeType": "BUILD_GENERAL1_SMALL",
                },
                serviceRole="arn:aws:iam::000000000000:role/build",
                tags=[{"key": TAG, "value": "suite-local"}],
            )
        return name

    def environment_created(self) -> str:
        """Elastic Beanstalk creates an environment, and says so by SNS; its name."""
        environment = self.name("env")
        moment = datetime.now(UTC)
        self.publish(
            f"Timestamp: {moment:%a %b %d %H:%M:%S} UTC {moment.year}\n"
            f"Message: Successfully launched environment: {environment}\n\n"
            f"Environment: {environment}\nApplication: shop\n\n"
            f"Environment URL: http://{environment}.example.com\n"
            f"RequestId: {uuid.uuid4()}\nNotificationProcessId: {uuid.uuid4()}",
            f"AWS Elastic Beanstalk Notification - Successfully launched environment: {environment}",
        )
        return environment

    def builds_of(self, environment: str) -> list[str]:
        """Ids of the builds for an environment."""
        codebuild = self.suite.client("codebuild")
        ids = codebuild.list_builds_for_project(projectName=self.build_project())["ids"]
        builds = codebuild.batch_get_builds(ids=ids)["builds"] if ids else []
        return [
            build["id"]
            for build in builds
            for variable in build.get("environment", {}).get("environmentVariables", [])
            if (variable["name"], variable["value"]) == ("ENVIRONMENT_NAME", environment)
        ]

    def profiling(self) -> None:
        """The cluster and the task definition that the stack's parameters name; made once."""
        ecs = self.suite.client("ecs")
        found = ecs.describe_clusters(clusters=["suite-local-shop"])["clusters"]
        if not found or found[0]["status"] != "ACTIVE":
            ecs.create_cluster(clusterName="suite-local-shop")
            ecs.register_task_definition(
                family="suite-local-profile",
                containerDefinitions=[{"name": "profiler", "image": "profiler", "memory": 64}],
                tags=self.tags("key", "value"),
            )

    def profiled(self, alarm: str) -> list[str]:
        """ARNs of the profiling tasks for an alarm, by its name."""
        ecs = self.suite.client("ecs")
        arns = ecs.list_tasks(cluster="suite-local-shop")["taskArns"]
        tasks = ecs.describe_tasks(cluster="suite-local-shop", tasks=arns)["tasks"] if arns else []
        return [
            task["taskArn"]
            for task in tasks
            for override in task.get("overrides", {}).get("containerOverrides", [])
            for variable in override.get("environment", [])
            if variable["name"] == "ALARM_ARN" and variable["value"].endswith(f":alarm:{alarm}")
        ]

    def file_system(self, **settings: str) -> str:
        """A file system; its id."""
        answer = self.suite.client("efs").create_file_system(
            CreationToken=self.name("fs"),
            Tags=self.tags(),
            **({"PerformanceMode": "generalPurpose", "ThroughputMode": "bursting"} | settings),
        )
        return str(answer["FileSystemId"])

    def throughput(self, file_system: str) -> str:
        """A file system's throughput mode."""
        found = self.suite.client("efs").describe_file_systems(FileSystemId=file_system)["FileSystems"]
        return str(found[0]["ThroughputMode"])

    def database(self, gib: int = 100, name: str = "") -> str:
        """A database instance; its identifier."""
        name = name or self.name("db")
        self.suite.client("rds").create_db_instance(
            DBInstanceIdentifier=name,
            Engine="postgres",
            DBInstanceClass="db.t3.micro",
            AllocatedStorage=gib,
            MasterUsername="owner",
            MasterUserPassword=uuid.uuid4().hex,
            Tags=self.tags(),
        )
        return name

    def storage_is_low(
        self, database: str, event: str = "RDS-EVENT-0089", happened: str = "", topic: str = ""
    ) -> None:
        """RDS says by SNS that a database is low on storage."""
        self.publish(
            {
                "Event Source": "db-instance",
                "Event Time": happened or f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3],
                "Identifier Link": f"https://console.aws.amazon.com/rds/home#dbinstance:id={database}",
                "Source ID": database,
                "Source ARN": f"arn:aws:rds:{REGION}:000000000000:db:{database}",
                "Event ID": "http://docs.amazonwebservices.com/AmazonRDS/latest/UserGuide/"
                f"USER_Events.html#{event}",
                "Event Message": "The free storage capacity is low.",
            },
            "RDS Notification Message",
            topic,
        )

    def storage(self, database: str) -> tuple[int, int | None]:
        """A database's storage in GiB, and what is pending."""
        [found] = self.suite.client("rds").describe_db_instances(DBInstanceIdentifier=database)["DBInstances"]
        return found["AllocatedStorage"], found.get("PendingModifiedValues", {}).get("AllocatedStorage")

    def cache(self, nodes: int = 1, *, publishes: bool = True) -> str:
        """A cache cluster that publishes into the hub's topic; its id."""
        name = self.name("cache")
        topic = {"NotificationTopicArn": self.suite["HubTopicArn"]} if publishes else {}
        self.suite.client("elasticache").create_cache_cluster(
            CacheClusterId=name,
            Engine="memcached",
            CacheNodeType="cache.t3.micro",
            NumCacheNodes=nodes,
            Tags=self.tags(),
            **topic,
        )
        return name

    def add_node(self, cache: str, nodes: int) -> None:
        """Have a cache cluster so many nodes."""
        self.suite.client("elasticache").modify_cache_cluster(
            CacheClusterId=cache, NumCacheNodes=nodes, ApplyImmediately=True
        )

    def vault(self) -> str:
        """The vault that the stack's parameter names; its name."""
        glacier, name = self.suite.client("glacier"), "suite-local"
        glacier.create_vault(accountId="-", vaultName=name)
        glacier.set_vault_notifications(
            accountId="-",
            vaultName=name,
            vaultNotificationConfig={
                "SNSTopic": self.suite["HubTopicArn"],
                "Events": ["ArchiveRetrievalCompleted", "InventoryRetrievalCompleted"],
            },
        )
        return name

    def retrieval(self, data: bytes) -> str:
        """An archive whose retrieval is under way; the job's id."""
        glacier, vault = self.suite.client("glacier"), self.vault()
        archive = glacier.upload_archive(accountId="-", vaultName=vault, body=data)["archiveId"]
        job = glacier.initiate_job(
            accountId="-",
            vaultName=vault,
            jobParameters={"Type": "archive-retrieval", "ArchiveId": archive, "Tier": "Standard"},
        )
        return str(job["jobId"])

    def fetched(self, key: str) -> bytes | None:
        """An object of the hub's output bucket; none if it is not there."""
        s3 = self.suite.client("s3")
        try:
            return bytes(s3.get_object(Bucket=self.suite["HubOutputBucketName"], Key=key)["Body"].read())
        except s3.exceptions.NoSuchKey:
            return None

    def bucket(self, name: str) -> str:
        """A bucket that one of the stack's parameters names; made once."""
        self.suite.client("s3").create_bucket(Bucket=name)
        return name

    def restored(self, bucket: str, key: str, data: bytes) -> None:
        """S3 says by SNS that an archived object can be read."""
        s3 = self.suite.client("s3")
        etag = s3.put_object(Bucket=bucket, Key=key, Body=data)["ETag"].strip('"')
        record = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": REGION,
            "eventTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z",
            "eventName": "ObjectRestore:Completed",
            "s3": {
                "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                "object": {
                    "key": quote_plus(key),
                    "size": len(data),
                    "eTag": etag,
                    "sequencer": "0065A1B2C3D4E5F607",
                },
            },
            "glacierEventData": {
                "restoreEventData": {
                    "lifecycleRestorationExpiryTime": f"{datetime.now(UTC):%Y-%m-%d}T00:00:00.000Z",
                    "lifecycleRestoreStorageClass": "GLACIER",
                }
            },
        }
        self.publish({"Records": [record]}, "Amazon S3 Notification")

    def snow_job(self, bucket: str) -> str:
        """A job of Snowball that imports into a bucket; its id."""
        answer = self.suite.client("snowball").create_job(
            JobType="IMPORT",
            Resources={"S3Resources": [{"BucketArn": f"arn:aws:s3:::{bucket}"}]},
            RoleARN="arn:aws:iam::000000000000:role/import",
            Notification={"SnsTopicARN": self.suite["HubTopicArn"], "NotifyAll": True},
        )
        return str(answer["JobId"])

    def distributions(self, job: str) -> list[dict[str, Any]]:
        """The distributions whose caller reference is a job."""
        cloudfront = self.suite.client("cloudfront")
        listed = cloudfront.list_distributions()["DistributionList"].get("Items", [])
        found = [cloudfront.get_distribution(Id=each["Id"])["Distribution"] for each in listed]
        return [each for each in found if each["DistributionConfig"]["CallerReference"] == job]

    def warehouse(self) -> str:
        """A cluster of Redshift; its identifier."""
        name = self.name("warehouse")
        self.suite.client("redshift").create_cluster(
            ClusterIdentifier=name,
            NodeType="ra3.large",
            MasterUsername="owner",
            MasterUserPassword=f"Aa1{uuid.uuid4().hex}",
            Tags=self.tags(),
        )
        return name

    def warehouse_event(self, cluster: str, number: str, moment: datetime | None = None) -> None:
        """Redshift says something by SNS."""
        self.publish(
            {
                "Event Source": "cluster",
                "Resource": cluster,
                "Event Time": f"{moment or datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3],
                "Identifier Link": f"https://console.aws.amazon.com/redshift/home#cluster={cluster} ",
                "Severity": "INFO",
                "Category": ["Management"],
                "About this Event": "http://docs.aws.amazon.com/redshift/latest/mgmt/"
                f"working-with-event-notifications.html#REDSHIFT-EVENT-{number} ",
                "Event Message": f"Something about the cluster '{cluster}'.",
            },
            "[Amazon Redshift INFO]",
        )

    def task(self) -> str:
        """A replication task of DMS that runs; its ARN."""
        dms = self.suite.client("dms")
        arn = "arn:aws:dms:{}:000000000000:{}:X"
        created = dms.create_replication_task(
            ReplicationTaskIdentifier=self.name("task"),
            SourceEndpointArn=arn.format(REGION, "endpoint"),
            TargetEndpointArn=arn.format(REGION, "endpoint"),
            ReplicationInstanceArn=arn.format(REGION, "rep"),
            MigrationType="full-load-and-cdc",
            TableMappings=json.dumps({"rules": []}),
            Tags=self.tags(),
        )["ReplicationTask"]["ReplicationTaskArn"]
        dms.start_replication_task(ReplicationTaskArn=created, StartReplicationTaskType="start-replication")
        return str(created)

    def fail_task(self, arn: str, message: str) -> None:
        """Have a task fail."""
        self.state("dms", self._task(arn)["ReplicationTaskIdentifier"], "failed", message=message)

    def task_status(self, arn: str) -> str:
        """A task's status."""
        return str(self._task(arn)["Status"])

    def _task(self, arn: str) -> dict[str, Any]:
        answer = self.suite.client("dms").describe_replication_tasks(
            Filters=[{"Name": "replication-task-arn", "Values": [arn]}]
        )
        task: dict[str, Any] = answer["ReplicationTasks"][0]
        return task

    def orders(self, arn: str) -> list[dict[str, Any]]:
        """The orders for a task, as an encoder takes them from its queue; they are taken."""
        sqs, url = self.suite.client("sqs"), self.suite["HubEncoderQueueUrl"]
        found = []
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=2)
        for message in answer.get("Messages", []):
            order = json.loads(message["Body"])
            if order["task_arn"] == arn:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                found.append(order)
        return found

    def encoded(self, order: Mapping[str, Any]) -> None:
        """Tell the hub that an order is done, as an encoder does."""
        entry = {
            "Source": "hub.encoder",
            "DetailType": "Encoding Finished",
            "Detail": json.dumps({"task_arn": order["task_arn"], "token": order["token"]}),
        }
        self.suite.client("events").put_events(Entries=[entry])

    def job(self, *outcomes: str) -> tuple[str, str]:
        """A Glue job whose runs end so, one after another; its name, and the first run's id."""
        glue, name = self.suite.client("glue"), self.name("job")
        glue.create_job(
            Name=name,
            Role="arn:aws:iam::000000000000:role/glue",
            Command={"Name": "glueetl", "ScriptLocation": "s3://scripts/etl.py"},
            DefaultArguments={"--engine-outcome": ",".join(outcomes)},
            Tags={TAG: self.value},
        )
        return name, str(glue.start_job_run(JobName=name)["JobRunId"])

    def runs(self, job: str) -> list[str]:
        """The states of a job's runs, the first one first."""
        runs = self.suite.client("glue").get_job_runs(JobName=job)["JobRuns"]
        return [run["JobRunState"] for run in sorted(runs, key=lambda run: run["StartedOn"])]

    # ---------------------------------------------------------------- the hub's own

    def dead_letters(self) -> dict[str, str]:
        """Messages and actions that the hub has set aside, with their reasons; they stay."""
        return letters(self.suite, "HubDeadLetterQueueUrl") | letters(
            self.suite, "HubLaterDeadLetterQueueUrl"
        )

    def refused_documents(self) -> dict[str, str]:
        """Messages about documents that were refused, with the reasons; they stay."""
        return letters(self.suite, "HubDocumentsDeadLetterQueueUrl")

    def statuses(self) -> dict[str, dict[str, str]]:
        """What the status page gets, by the checks' names."""
        answer = self.suite.http.get(f"{self.suite['HubApiUrl']}/hub/status")
        answer.raise_for_status()
        return {check["name"]: check for check in answer.json()["checks"]}


def letters(suite: Suite, queue: str) -> dict[str, str]:
    """Messages of a dead-letter queue with their reasons; they stay.

    Args:
        suite: The deployed suite.
        queue: The output that has its URL.
    """
    sqs, url = suite.client("sqs"), suite[queue]
    found: dict[str, str] = {}
    handles = []
    # Hidden while they are read: those that are visible come again, the same ten.
    while messages := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=30, MessageAttributeNames=["reason"]
    ).get("Messages"):
        for message in messages:
            attributes = message.get("MessageAttributes", {})
            found[message["Body"]] = attributes.get("reason", {}).get("StringValue", "")
            handles.append(message["ReceiptHandle"])
    for handle in handles:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    return found
