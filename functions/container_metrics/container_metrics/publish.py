"""Publishes readings to CloudWatch."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import batched
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as UnreachableError

from shared.clients import client

from .describe import unavailable
from .errors import BadRequestError, UnavailableError
from .places import HERE, Place
from .readings import Reading
from .sources import SOURCES

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDatumTypeDef

__all__ = ["MISSING_METRIC", "STACK_DIMENSION", "data", "put"]

MISSING_METRIC = "MissingSamples"
STACK_DIMENSION = "StackName"
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
_DATA_A_CALL = 1000
_RESOLUTION_S = 1


def _datum(
    slot: datetime, dimensions: "list[DimensionTypeDef]", metric: str, number: float
) -> "MetricDatumTypeDef":
    return {
        "MetricName": metric,
        "Dimensions": dimensions,
        "Timestamp": slot,
        "Value": number,
        "Unit": "Count",
        "StorageResolution": _RESOLUTION_S,
    }


def data(readings: Iterable[Reading], stack: str) -> Iterator["MetricDatumTypeDef"]:
    """The data of a source's readings at their slots: numbers, what is missing, the highest of all targets.

    Args:
        readings: Of one source, at any slots and of any places.
        stack: Value of the dimension `StackName`.
    """
    highest: dict[tuple[datetime, str], float] = {}
    for reading in readings:
        source = SOURCES[reading.source]
        for target, values in reading.values.items():
            dimensions = _dimensions(source.dimension, target, reading.place)
            for metric, number in zip(source.metrics, values, strict=True):
                yield _datum(reading.slot, dimensions, metric, number)
                if metric in source.highest:
                    key = (reading.slot, metric)
                    highest[key] = max(number, highest.get(key, number))
        for target in reading.missing:
            dimensions = _dimensions(source.dimension, target, reading.place)
            yield _datum(reading.slot, dimensions, MISSING_METRIC, 1)
    for (slot, metric), number in highest.items():
        yield _datum(slot, [{"Name": STACK_DIMENSION, "Value": stack}], metric, number)


def _dimensions(name: str, target: str, place: Place) -> "list[DimensionTypeDef]":
    """The dimensions of a target: one of another place has those of the place as well."""
    dimensions: list[DimensionTypeDef] = [{"Name": name, "Value": target}]
    if place != HERE:
        dimensions += [
            {"Name": "Region", "Value": place.region},
            {"Name": "AccountId", "Value": place.account},
        ]
    return dimensions


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
    by_source: dict[str, list[Reading]] = {}
    for reading in readings:
        by_source.setdefault(reading.source, []).append(reading)
    by_namespace: dict[str, list[MetricDatumTypeDef]] = {}
    for source, some_readings in by_source.items():
        by_namespace.setdefault(SOURCES[source].namespace, []).extend(data(some_readings, stack))
    for namespace, every in by_namespace.items():
        for some in batched(every, _DATA_A_CALL, strict=False):
            try:
                client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=some)
            except (HTTPClientError, UnreachableError) as error:
                raise UnavailableError(f"PutMetricData: {type(error).__name__}") from error
            except ClientError as error:
                kind = UnavailableError if unavailable(error) else BadRequestError
                raise kind(f"PutMetricData: {error.response['Error']['Code']}") from error
    return sum(map(len, by_namespace.values()))
