"""What can go wrong with an event.

MalformedError   a record that is not an event of CloudTrail's, for good: it goes to the error prefix, or to
                 the dead-letter queue, with the reason
"""

__all__ = ["MalformedError"]


class MalformedError(Exception):
    """The record is not an event of CloudTrail's, and never will be; says why without quoting it."""
