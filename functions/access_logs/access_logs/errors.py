"""What can go wrong on a log's way to the table.

RetryableError              the message returns to its queue, and after many times to the dead-letter queue
├── BusyError               another invocation works on the same object right now
├── OutOfTimeError          the function's time-out is too near to begin
├── StreamBusyError         Firehose throttles or does not answer
└── UndeliveredError        Firehose did not take all rows in time
ReplacedError               the object is another one by now; its own notification is on its way
PermanentError              of `shared.batches`: the message goes to the dead-letter queue at once
├── GoneError               the object was deleted before it was read
└── NotANotificationError   a message that S3 did not send

What is wrong with a log itself is an `AccessLogError` of `shared.access_log`: permanent, so the object is put
into quarantine and its message is consumed.
"""

from shared.batches import PermanentError

__all__ = [
    "BusyError",
    "GoneError",
    "NotANotificationError",
    "OutOfTimeError",
    "ReplacedError",
    "RetryableError",
    "StreamBusyError",
    "UndeliveredError",
]


class RetryableError(Exception):
    """Trying again later may work."""


class BusyError(RetryableError):
    """Another invocation works on the same object right now."""


class OutOfTimeError(RetryableError):
    """The function's time-out is too near to begin."""


class StreamBusyError(RetryableError):
    """Firehose throttles or does not answer; it may have taken nothing."""


class UndeliveredError(RetryableError):
    """Firehose did not take all rows in time; the whole object is sent again."""


class ReplacedError(Exception):
    """The object is another one by now; its own notification is on its way."""


class GoneError(PermanentError):
    """The object was deleted before it was read."""


class NotANotificationError(PermanentError):
    """The message is not an S3 notification."""
