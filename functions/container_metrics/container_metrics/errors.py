"""What can go wrong with a sample.

ContainerMetricsError
├── BadRequestError      the event is none that the state machine makes, or names what is not there; for good
└── UnavailableError     a service throttles, fails or does not answer: the state machine tries again

A target that has no numbers (missing, inactive, not allowed) is no error of a sample: it is reported beside
the others' numbers.
"""

__all__ = ["BadRequestError", "ContainerMetricsError", "UnavailableError"]


class ContainerMetricsError(Exception):
    """Base of what this application raises."""


class BadRequestError(ContainerMetricsError):
    """The event is wrong, and will be at every attempt; says what about it."""


class UnavailableError(ContainerMetricsError):
    """A service cannot be used right now."""
