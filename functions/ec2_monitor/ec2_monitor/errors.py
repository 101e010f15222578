"""What can go wrong with an event.

MalformedError   a record that is not an event of CloudTrail's, for good: it goes to the error prefix, or to
                 the dead-letter queue, with the reason
"""

from shared.batches import PermanentError

__all__ = ["MalformedError"]


class MalformedError(PermanentError):
    """The record is not an event of CloudTrail's, and never will be; says why without quoting it."""
