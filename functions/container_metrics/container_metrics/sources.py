"""The registry of metric sources: what can be sampled.

A source is any call that describes something and answers with numbers. Adding one is an entry of `SOURCES`,
and a statement in the function's role::

    SOURCES["dynamodb"] = Describe(
        service="dynamodb",
        operation="describe_table",
        arguments=lambda _, names: {"TableName": names[0]},
        gone=frozenset({"ResourceNotFoundException"}),
        state="Table.TableStatus",
        metrics={"Items": "Table.ItemCount", "Bytes": "Table.TableSizeBytes"},
        namespace="DynamoDB",
        dimension="TableName",
    )
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from .places import Place

__all__ = ["SOURCES", "Describe"]


@dataclass(frozen=True, kw_only=True)
class Describe:
    """How targets of one kind are read, and under which names their numbers are published.

    Attributes:
        service: The service's name in boto3.
        operation: The client's method.
        arguments: Arguments of the call for some targets, where they are; names have to be looked up there.
        at_most: How many targets one call takes.
        documents: JMESPath in the answer: a list with one document for each target that was found.
        name: JMESPath in a document: which target it describes. Empty if a call has one target alone.
        metrics: Name of each metric to the JMESPath of its number in a document.
        state: JMESPath in a document: its state; empty if there is none.
        alive: The one state in which the numbers mean something.
        failures: JMESPath in the answer: a list of [name or ARN, reason]; empty if it has none.
        gone: Error codes that mean that the target is missing.
        namespace: Namespace of the metrics; the function's role has to allow it.
        dimension: Name of the dimension whose value is the target's name.
        highest: Metrics of which the highest number of all targets is published under `StackName` too: an
            alarm that knows no targets can look at it.
    """

    service: str
    operation: str
    arguments: Callable[[Place, list[str]], dict[str, Any]]
    at_most: int = 1
    documents: str = "[@]"
    name: str = ""
    metrics: Mapping[str, str]
    state: str = ""
    alive: str = "ACTIVE"
    failures: str = ""
    gone: frozenset[str] = frozenset()
    namespace: str
    dimension: str
    highest: tuple[str, ...] = ()


@cache
def _queue_url(place: Place, name: str) -> str:
    return str(place.client("sqs").get_queue_url(QueueName=name)["QueueUrl"])


SOURCES: dict[str, Describe] = {
    "ecs": Describe(
        service="ecs",
        operation="describe_clusters",
        arguments=lambda _, names: {"clusters": names},
        at_most=100,  # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html
        documents="clusters",
        name="clusterName",
        state="status",
        failures="failures[].[arn, reason]",
        namespace="ECS",
        dimension="ClusterName",
        metrics={
            "RunningTask": "runningTasksCount",
            "PendingTask": "pendingTasksCount",
            "ActiveServices": "activeServicesCount",
            "RegisteredContainerInstances": "registeredContainerInstancesCount",
        },
        highest=("PendingTask",),
    ),
    "sqs": Describe(
        service="sqs",
        operation="get_queue_attributes",
        arguments=lambda place, names: {
            "QueueUrl": _queue_url(place, names[0]),
            "AttributeNames": ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        },
        gone=frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}),
        namespace="SQS",  # AWS/SQS is AWS's own
        dimension="QueueName",
        metrics={
            "MessagesVisible": "Attributes.ApproximateNumberOfMessages",
            "MessagesInFlight": "Attributes.ApproximateNumberOfMessagesNotVisible",
        },
    ),
}
