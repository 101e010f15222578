"""What publishers report, typed. A fact's `identity` is the fact's, not the message's.

A publisher may publish twice, and SNS and EventBridge both bring the same fact: two messages of one fact have
equal identities, whatever wraps them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

__all__ = [
    "MAX_OBJECT_KEY_BYTES",
    "AgreementChange",
    "AlarmChange",
    "CacheEvent",
    "DatabaseEvent",
    "EncodingFinished",
    "EnvironmentChange",
    "Fact",
    "GroupNotification",
    "Ignored",
    "JobRun",
    "LifecycleAction",
    "Metric",
    "ObjectCreated",
    "ObjectRestored",
    "SnowJobChange",
    "SubscriptionChange",
    "TaskEvent",
    "VaultJob",
    "WarehouseEvent",
]


MAX_OBJECT_KEY_BYTES = 1024
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message of a known shape about which there is nothing to do.

    Attributes:
        name: Which, as metrics and logs have it.
    """

    name: str

    @property
    def identity(self) -> str:
        """Nothing is done about it, so it needs none."""
        return ""


@dataclass(frozen=True, slots=True)
class LifecycleAction:
    """An instance waits in a lifecycle hook of its Auto Scaling group.

    Attributes:
        transition: On its way in, or out.
        group: Name of the Auto Scaling group.
        hook: Name of the lifecycle hook.
        instance: Id of the instance.
        token: Names this wait.
        began: When the wait began.
    """

    transition: Literal["launching", "terminating"]
    group: str
    hook: str
    instance: str
    token: str
    began: datetime

    @property
    def identity(self) -> str:
        """The token, a UUID that Auto Scaling generates for each action."""
        return f"lifecycle#{self.token}"


@dataclass(frozen=True, slots=True)
class GroupNotification:
    """An Auto Scaling group launched or ended an instance, or could not; nobody waits.

    Attributes:
        event: Such as `EC2_INSTANCE_LAUNCH`.
        group: Name of the group.
        instance: Id of the instance.
        activity: Id of the scaling activity.
        happened: When.
    """

    event: str
    group: str
    instance: str
    activity: str
    happened: datetime

    @property
    def identity(self) -> str:
        """The scaling activity."""
        return f"activity#{self.activity}"


@dataclass(frozen=True, slots=True)
class EnvironmentChange:
    """Something about an environment of Elastic Beanstalk.

    Attributes:
        created: Whether it is its creation that succeeded.
        application: Name of the application.
        environment: Name of the environment.
        happened: When, to the second: the text has no more.
        request_id: Of the request that created it; the text alone has it.
    """

    created: bool
    application: str
    environment: str
    happened: datetime
    request_id: str

    @property
    def identity(self) -> str:
        """The environment and the second; the event has no request id, so it cannot serve."""
        return f"environment#{self.application}/{self.environment}#{_stamp(self.happened)}"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that an alarm looks at.

    Attributes:
        namespace: Such as `AWS/ELB`.
        name: Such as `Latency`.
        dimensions: Values by names.
    """

    namespace: str
    name: str
    dimensions: dict[str, str]


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """An alarm of CloudWatch changed its state.

    Attributes:
        arn: The alarm's.
        name: The alarm's.
        state: The new state.
        changed: When, to the millisecond.
        metrics: What it looks at; not what a formula is made of. None of a composite alarm.
    """

    arn: str
    name: str
    state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
    changed: datetime
    metrics: tuple[Metric, ...]

    @property
    def identity(self) -> str:
        """The alarm, the moment and the state: two changes may fall into one millisecond."""
        return f"alarm#{self.arn}#{_stamp(self.changed)}#{self.state}"

    def dimension(self, namespace: str, name: str, dimension: str) -> str | None:
        """A dimension's value, if the alarm looks at a metric."""
        for metric in self.metrics:
            if metric.namespace == namespace and metric.name == name:
                return metric.dimensions.get(dimension)
        return None


@dataclass(frozen=True, slots=True)
class ObjectCreated:
    """An object came into a bucket. The queue of documents has these; the hub's own queue does nothing."""

    bucket: str
    key: str
    etag: str
    sequencer: str

    @property
    def identity(self) -> str:
        """The object as it was put."""
        return f"object#{self.bucket}/{self.key}#{self.etag}#{self.sequencer}"


@dataclass(frozen=True, slots=True)
class ObjectRestored:
    """An archived object can be read for some days.

    Attributes:
        bucket: The bucket.
        key: The key, decoded.
        etag: The object's entity tag.
        expires: Until when it can be read.
        version: Its version, in a bucket that has versions.
    """

    bucket: str
    key: str
    etag: str
    expires: datetime
    version: str

    @property
    def identity(self) -> str:
        """The object and this restoration of it."""
        return f"restored#{self.bucket}/{self.key}#{self.version}#{self.etag}#{_stamp(self.expires)}"


@dataclass(frozen=True, slots=True)
class VaultJob:
    """A job of a Glacier vault ended.

    Attributes:
        vault_arn: The vault.
        job_id: The job.
        action: What it fetched.
        succeeded: Whether it did; a failed job is completed, too.
        message: Why it failed.
        size: Bytes of the output.
        tree_hash: SHA-256 tree hash of the output, in hex; an inventory has none.
    """

    vault_arn: str
    job_id: str
    action: Literal["ArchiveRetrieval", "InventoryRetrieval"]
    succeeded: bool
    message: str
    size: int
    tree_hash: str | None

    @property
    def identity(self) -> str:
        """The job."""
        return f"vault#{self.job_id}"


@dataclass(frozen=True, slots=True)
class SnowJobChange:
    """A job of Snowball changed its state; the text does not say reliably to which."""

    job_id: str

    @property
    def identity(self) -> str:
        """The job."""
        return f"snow#{self.job_id}"


@dataclass(frozen=True, slots=True)
class DatabaseEvent:
    """An event of RDS.

    Attributes:
        source: What it is about.
        name: Identifier of the instance, or of the cluster.
        event: Such as `RDS-EVENT-0089`.
        happened: When.
    """

    source: str
    name: str
    event: str
    happened: datetime

    @property
    def identity(self) -> str:
        """Database, event and time."""
        return f"database#{self.name}#{self.event}#{_stamp(self.happened)}"


@dataclass(frozen=True, slots=True)
class CacheEvent:
    """An event of ElastiCache, such as `AddCacheNodeComplete`.

    Attributes:
        event: Without the prefix `ElastiCache:`.
        cluster: Id of the cache cluster.
        message_id: Of the message: the event itself has neither id nor time.
    """

    event: str
    cluster: str
    message_id: str

    @property
    def identity(self) -> str:
        """The message: two nodes added one after the other are told with the same words."""
        return f"cache#{self.cluster}#{self.event}#{self.message_id}"


@dataclass(frozen=True, slots=True)
class WarehouseEvent:
    """An event of Redshift.

    Attributes:
        cluster: The cluster's identifier.
        event: Its number, `2003`.
        happened: When.
    """

    cluster: str
    event: str
    happened: datetime

    @property
    def identity(self) -> str:
        """Cluster, event and time."""
        return f"warehouse#{self.cluster}#{self.event}#{_stamp(self.happened)}"


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """An event of a replication task of DMS.

    Attributes:
        task: Its ARN, or its identifier where the message has no ARN.
        event: Such as `DMS-EVENT-0078`.
        message: What DMS says.
        happened: When; by EventBridge when it was told.
    """

    task: str
    event: str
    message: str
    happened: datetime

    @property
    def identity(self) -> str:
        """The message's: which run failed, DMS is asked, since the messages of one failure differ in time."""
        return f"task#{self.task}#{self.event}#{_stamp(self.happened)}"


@dataclass(frozen=True, slots=True)
class EncodingFinished:
    """An encoder is done with the rows of a task's source.

    Attributes:
        task_arn: The task.
        token: From the encoder's order.
    """

    task_arn: str
    token: str

    @property
    def identity(self) -> str:
        """The order."""
        return f"encoded#{self.token}"


@dataclass(frozen=True, slots=True)
class JobRun:
    """A run of a Glue job ended.

    Attributes:
        job: Name of the job.
        run: Id of the run.
        state: `FAILED`, `TIMEOUT`, `STOPPED` or `SUCCEEDED`.
    """

    job: str
    run: str
    state: str

    @property
    def identity(self) -> str:
        """The run."""
        return f"run#{self.run}"


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """A customer's subscription on AWS Marketplace; what follows is the API portal's.

    Attributes:
        action: Such as `subscribe-success`.
        product: Code of the product.
        customer: Identifier of the customer, trimmed: AWS sends blanks before it.
    """

    action: str
    product: str
    customer: str

    @property
    def identity(self) -> str:
        """Customer, product and what changed."""
        return f"subscription#{self.product}#{self.customer}#{self.action}"


@dataclass(frozen=True, slots=True)
class AgreementChange:
    """An agreement or a licence of AWS Marketplace; what follows is the API portal's.

    Attributes:
        change: Such as `Purchase Agreement Created` or `License Updated`, without the role.
        agreement: Id of the agreement.
        licence: Id of the licence, `l-...`; agreements have none.
        request: Id of the request behind it.
    """

    change: str
    agreement: str
    licence: str
    request: str

    @property
    def identity(self) -> str:
        """The change without the role: a direct sale tells its proposer and its manufacturer."""
        return f"agreement#{self.agreement}#{self.change}#{self.request}"


type Fact = (
    Ignored
    | LifecycleAction
    | GroupNotification
    | EnvironmentChange
    | AlarmChange
    | ObjectCreated
    | ObjectRestored
    | VaultJob
    | SnowJobChange
    | DatabaseEvent
    | CacheEvent
    | WarehouseEvent
    | TaskEvent
    | EncodingFinished
    | JobRun
    | SubscriptionChange
    | AgreementChange
)


def _stamp(moment: datetime) -> str:
    """UTC, to the millisecond: what every publisher's time-stamps have at most."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%S") + f"{moment.microsecond // 1000:03}"
