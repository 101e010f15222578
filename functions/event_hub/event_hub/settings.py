"""The environment of the functions."""

from dataclasses import dataclass
from typing import Annotated

from shared.settings import EnvSettings, flag, names, positive_int

__all__ = ["Config", "ReactSettings"]


@dataclass(frozen=True)
class Config(EnvSettings):
    """What the stack's parameters say about reactions. What is not set, no reaction uses.

    Attributes:
        account_id: The stack's account.
        aws_region: The stack's region.
        partition: `aws`, or another partition.
        tag_value: Value of the tag `event-hub`, with which a resource is on the allow-list.
        dry_run: Plan, check and log, and change nothing.
        operations_topic: ARN of the topic by which operators are told.
        updates_topic: ARN of the topic whose HTTP endpoints get node lists and states of connections.
        output_bucket: Where fetched logs, archives and restored objects go.
        warm_command: What runs on a launched instance.
        logs_command: What runs on an instance that is about to end.
        lifecycle_seconds: Longest wait of an instance in a hook.
        poll_seconds: Between two looks at a command, or at what is not yet ready.
        build_project: CodeBuild project.
        profile_cluster: ECS cluster.
        profile_task: ARN of the task definition, with its revision.
        profile_subnets: For tasks with a network of their own.
        profile_security_groups: For tasks with a network of their own.
        profile_alarms: Further alarms by name, composite ones too.
        cool_down_seconds: Between two profiling tasks for one alarm.
        restore_buckets: ARNs of the buckets whose restored objects are copied.
        vaults: ARNs of Glacier vaults.
        imagery_buckets: Buckets that Snowball imports into and CloudFront serves.
        imagery_access_control: Id of CloudFront's origin access control.
        storage_cap_gib: Up to where storage of databases grows.
        storage_at_once: Whether it grows outside the maintenance window, too.
        producer_function: Name of the function that feeds Redshift's delivery stream from a queue.
        encoder_queue: URL of the queue from which encoders take orders.
        damping_seconds: Shortest time between two messages about one connection.
        job_retries: Of a Glue job within a day.
        job_delay_seconds: Before a retry.
    """

    account_id: str
    aws_region: str
    partition: str
    tag_value: str
    operations_topic: str
    updates_topic: str
    output_bucket: str
    encoder_queue: str
    dry_run: Annotated[bool, flag] = False
    warm_command: str = ""
    logs_command: str = ""
    lifecycle_seconds: Annotated[int, positive_int] = 900
    poll_seconds: Annotated[int, positive_int] = 15
    build_project: str = ""
    profile_cluster: str = ""
    profile_task: str = ""
    profile_subnets: Annotated[tuple[str, ...], names] = ()
    profile_security_groups: Annotated[tuple[str, ...], names] = ()
    profile_alarms: Annotated[tuple[str, ...], names] = ()
    cool_down_seconds: Annotated[int, positive_int] = 1800
    restore_buckets: Annotated[tuple[str, ...], names] = ()
    vaults: Annotated[tuple[str, ...], names] = ()
    imagery_buckets: Annotated[tuple[str, ...], names] = ()
    imagery_access_control: str = ""
    storage_cap_gib: Annotated[int, positive_int] = 1024
    storage_at_once: Annotated[bool, flag] = False
    producer_function: str = ""
    damping_seconds: Annotated[int, positive_int] = 60
    job_retries: Annotated[int, positive_int] = 3
    job_delay_seconds: Annotated[int, positive_int] = 60

    @property
    def region(self) -> str:
        """The stack's region."""
        return self.aws_region

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of the stack's account and region."""
        return f"arn:{self.partition}:{service}:{self.aws_region}:{self.account_id}:{resource}"


def roles(text: str) -> tuple[tuple[str, str], ...]:
    """Roles by reaction, `fleet=name,build=name`.

    Raises:
        ValueError: A pair has no reaction or no role.
    """
    pairs = [pair.partition("=") for pair in names(text)]
    if not all(name and role for name, _, role in pairs):
        raise ValueError("must be pairs of a reaction and a role")
    return tuple((name, role) for name, _, role in pairs)


@dataclass(frozen=True)
class ReactSettings(EnvSettings):
    """Settings of the react function besides `Config`.

    Attributes:
        ledger_table: Name of the ledger.
        later_queue_url: The queue of what is later.
        later_queue_arn: Its ARN, by which its messages are told from publishers'.
        dead_letter_queue_url: Where publishers' messages go that will fail at every attempt,
        later_dead_letter_queue_url: and where the hub's own do.
        role_path: What is before the names of roles: `role/<stack>/hub/`.
        roles: Names of the reactions' roles; a reaction without one is switched off.
    """

    ledger_table: str
    later_queue_url: str
    later_queue_arn: str
    dead_letter_queue_url: str
    later_dead_letter_queue_url: str
    role_path: str
    roles: Annotated[tuple[tuple[str, str], ...], roles]
