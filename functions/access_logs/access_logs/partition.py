"""Registers the partition of delivered rows with the table, once.

Trigger: SQS, S3's `ObjectCreated` notifications of the processed bucket, several messages at once.
Input: the key, `YYYY/MM/DD/HH/<name>`; other keys (errors/, quarantine/, results/) are ignored.
Output: an item of the look-up table (`PartitionSpec`, `PartitionPath`, `PartitionType`, `State`) and a
    partition of the Glue table.
On failure: the message alone fails, and comes back; in the end it is in the dead-letter queue. One that is
    not S3's goes there at once.
Idempotent: the item is claimed by a conditional write, the partition made, the item marked registered. A
    claim whose registration failed is registered by whoever comes next; a partition that is there already
    is a success.
Recorded event: events/access_logs/partition_rows_delivered.json
"""

from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.batches import BatchResponse
from shared.clients import client
from shared.metrics import count, publishes_metrics

from .notifications import StoredObject, each_object
from .partitions import Partition, partition_of
from .settings import PartitionSettings

__all__ = ["handler"]

logger = Logger()

_known: set[tuple[str, str]] = set()
"""Look-up tables and signatures of partitions that this process saw registered."""


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> BatchResponse:
    """Register the partitions of a batch of notifications."""
    settings = PartitionSettings.from_env()
    count("PartitionBatches")

    def register(stored: StoredObject, deadline: float) -> None:  # noqa: ARG001 - one short call after another
        partition = partition_of(stored.key, settings.partition_type)
        if partition and (settings.lookup_table, partition.spec) not in _known:
            _register(settings, partition, stored.bucket)
            _known.add((settings.lookup_table, partition.spec))

    return each_object(
        event,
        context,
        register,
        retry_seconds=settings.retry_seconds,
        dead_letter_queue_url=settings.dead_letter_queue_url,
    )


def _register(settings: PartitionSettings, partition: Partition, bucket: str) -> None:
    path = f"s3://{bucket}/{partition.path}"
    if _claim(settings, partition, path):
        return
    _create(settings, partition, path)
    client("dynamodb").update_item(
        TableName=settings.lookup_table,
        Key={"PartitionSpec": {"S": partition.spec}},
        UpdateExpression="SET #state = :registered",
        ExpressionAttributeNames={"#state": "State"},
        ExpressionAttributeValues={":registered": {"S": "registered"}},
    )
    logger.info("partition registered", partition=partition.spec)
    count("PartitionsRegistered")


def _claim(settings: PartitionSettings, partition: Partition, path: str) -> bool:
    """Claim a partition; whether it is registered already."""
    dynamodb = client("dynamodb")
    try:
        dynamodb.put_item(
            TableName=settings.lookup_table,
            Item={
                "PartitionSpec": {"S": partition.spec},
                "PartitionPath": {"S": path},
                "PartitionType": {"S": settings.partition_type.value},
                "State": {"S": "claimed"},
            },
            ConditionExpression="attribute_not_exists(PartitionSpec)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        response: dict[str, Any] = {**error.response}
        return bool(response.get("Item", {}).get("State", {}).get("S") == "registered")
    return False


def _create(settings: PartitionSettings, partition: Partition, path: str) -> None:
    """Make the partition of the Glue table, in the table's own format; it may be there."""
    glue = client("glue")
    table = glue.get_table(DatabaseName=settings.database, Name=settings.table)["Table"]
    try:
        glue.create_partition(
            DatabaseName=settings.database,
            TableName=settings.table,
            PartitionInput={
                "Values": list(partition.values),
                "StorageDescriptor": {**table["StorageDescriptor"], "Location": path},
            },
        )
    except glue.exceptions.AlreadyExistsException:
        logger.info("partition was there", partition=partition.spec)
