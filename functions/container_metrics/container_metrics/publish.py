"""Publishes readings to CloudWatch."""

from collections.abc import Iterable, Iterator
from itertools import batched
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError

from shared.clients import client

from .describe import unavailable
from .errors import BadRequestError, UnavailableError
from .readings import Reading
from .sources import SOURCES

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef

__all__ = ["MISSING_METRIC", "STACK_DIMENSION", "data", "put"]

MISSING_METRIC = "MissingSamples"
STACK_DIMENSION = "StackName"
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
_DATA_A_CALL = 1000
_RESOLUTION_S = 1


def _datum(reading: Reading, dimension: str, value: str, metric: str, number: float) -> "MetricDatumTypeDef":
    return {
        "MetricName": metric,
        "Dimensions": [{"Name": dimension, "Value": value}],
        "Timestamp": reading.slot,
        "Value": number,
        "Unit": "Count",
        "StorageResolution": _RESOLUTION_S,
    }


def data(reading: Reading, stack: str) -> Iterator["MetricDatumTypeDef"]:
    """The data of a reading, all at its slot: numbers of targets, the highest of the stack, what is missing.

    Args:
        reading: Numbers of one source at one slot.
        stack: Value of the dimension `StackName`.
    """
    source = SOURCES[reading.source]
    for target, values in reading.values.items():
        for metric, number in zip(source.metrics, values, strict=True):
            yield _datum(reading, source.dimension, target, metric, number)
    for target in reading.missing:
        yield _datum(reading, source.dimension, target, MISSING_METRIC, 1)
    for place, metric in enumerate(source.metrics):
        if metric in source.highest and reading.values:
            highest = max(values[place] for values in reading.values.values())
            yield _datum(reading, STACK_DIMENSION, stack, metric, highest)


def put(readings: Iterable[Reading], stack: str) -> int:
    """Publish readings, in as few calls as the limits of PutMetricData allow.

    Args:
        readings: Of any sources and slots.
        stack: Value of the dimension `StackName`.

    Returns:
        How many data were published.

    Raises:
        UnavailableError: CloudWatch cannot be used right now; some data may be published already.
        BadRequestError: CloudWatch refuses them.
    """
    by_namespace: dict[str, list[MetricDatumTypeDef]] = {}
    for reading in readings:
        by_namespace.setdefault(SOURCES[reading.source].namespace, []).extend(data(reading, stack))
    for namespace, every in by_namespace.items():
        for some in batched(every, _DATA_A_CALL, strict=False):
            try:
                client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=some)
            except HTTPClientError as error:
                raise UnavailableError(f"PutMetricData: {type(error).__name__}") from error
            except ClientError as error:
                kind = UnavailableError if unavailable(error) else BadRequestError
                raise kind(f"PutMetricData: {error.response['Error']['Code']}") from error
    return sum(map(len, by_namespace.values()))
