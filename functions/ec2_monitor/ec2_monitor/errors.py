"""What can go wrong with an event.

Ec2MonitorError
└── MalformedError   a record that is no event of CloudTrail's, for good: it goes to the error prefix
"""

__all__ = ["Ec2MonitorError", "MalformedError"]


class Ec2MonitorError(Exception):
    """Base of what this application raises."""


class MalformedError(Ec2MonitorError):
    """The record is no event of CloudTrail's, and never will be; says why without quoting it."""
