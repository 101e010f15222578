"""What can go wrong on a post's way.

BadRecordError   a record that is not a post, for good: it is quarantined, the others go on

What may pass (a service that throttles, does not answer, or denies) is left to the event source: ingest and
activity report the first record that is not done, write raises or sends posts to the dead-letter queue.
"""

__all__ = ["BadRecordError"]


class BadRecordError(Exception):
    """The record is not a post, and never will be; says why without quoting it."""
