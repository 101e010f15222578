"""What can go wrong on a post's way.

SocialStreamError
├── BadRecordError       a record that is no post, for good: it goes into quarantine, the others go on
└── NotAHandOverError    an event of write that ingest did not make; it ends in the dead-letter queue

What may pass (a service that throttles, does not answer, or denies) is left to the event source: ingest and
activity report the first record that is not done, write raises or hands over to the dead-letter queue.
"""

__all__ = ["BadRecordError", "NotAHandOverError", "SocialStreamError"]


class SocialStreamError(Exception):
    """Base of what this application raises."""


class BadRecordError(SocialStreamError):
    """The record is no post, and never will be; says why without quoting it."""


class NotAHandOverError(SocialStreamError):
    """The event is none that ingest makes."""
