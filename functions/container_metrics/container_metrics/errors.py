"""What can go wrong with a sample.

ContainerMetricsError
├── BadRequestError      CloudWatch refuses the data; for good
└── UnavailableError     a service throttles, fails or does not answer: the state machine tries again

An event that the state machine does not make, or that names what is not there, is a `ForeignEventError` of
`shared.events`. A target that has no numbers (missing, inactive, not allowed) is no error of a sample: it is
reported beside the others' numbers.
"""

__all__ = ["BadRequestError", "ContainerMetricsError", "UnavailableError"]


class ContainerMetricsError(Exception):
    """Base of what this application raises."""


class BadRequestError(ContainerMetricsError):
    """CloudWatch refuses the data, and will at every attempt."""


class UnavailableError(ContainerMetricsError):
    """A service cannot be used right now."""
