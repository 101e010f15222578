"""CloudWatch metrics: counted while a function works, published by one line of its log at the end.

The line is in the embedded metric format
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html);
Powertools makes it, under the namespace in `POWERTOOLS_METRICS_NAMESPACE`.
"""

from collections.abc import Callable
from functools import wraps

from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric

__all__ = ["count", "count_for", "publishes_metrics"]

_metrics = Metrics()


def count(name: str, value: float = 1, *, unit: MetricUnit = MetricUnit.Count) -> None:
    """Add to what the invocation publishes.

    Args:
        name: The metric; counted several times it is a sample each time.
        value: How many.
        unit: `Count`, or `Bytes`.
    """
    _metrics.add_metric(name=name, unit=unit, value=value)


def count_for(service: str, name: str) -> None:
    """Count once, for another service than the function's own, whose alarm looks at it; published at once.

    Args:
        service: Whose metric it is.
        name: The metric.
    """
    with single_metric(name=name, unit=MetricUnit.Count, value=1) as metric:
        metric.add_dimension(name="service", value=service)


def publishes_metrics[**P, R](handler: Callable[P, R]) -> Callable[P, R]:
    """Publish what a handler counted when it ends, also when it raises; nothing if it counted nothing."""

    @wraps(handler)
    def publishing(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        finally:
            if _metrics.metric_set:
                _metrics.flush_metrics()

    return publishing
