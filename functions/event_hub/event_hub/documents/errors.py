"""What can go wrong with a document.

OutOfTimeError    the function's time-out is too near to begin: the message comes back
ChangingError     another PDF came before this one, several times: the message comes back
ReplacedError     the original is another one by now, whose own event is on its way: nothing to do
PermanentError    of `shared.batches`: the message goes to the dead-letter queue at once, with the reason
└── RefusedError  the document, by the name of a reason
"""

from typing import Literal

from shared.batches import PermanentError, RetryableError

__all__ = ["ChangingError", "OutOfTimeError", "Reason", "RefusedError", "ReplacedError"]

type Reason = Literal[
    "foreign_bucket",  # an event of another bucket
    "key_unsafe",  # a part of the key is `.` or `..`, or nothing
    "key_too_long",  # for the PDF's own
    "original_missing",
    "original_too_large",
    "event_without_sequencer",
    "format_not_supported",  # by the key's ending
    "empty",
    "html",
    "content_differs_from_name",
    "broken",
    "archive_bomb",
    "encrypted",
    "macros",
    "needs_libreoffice",
    "character_without_glyph",
    "encoder_timed_out",
    "encoder_exceeded_a_limit",
    "too_many_pages",
    "blank",
    "output_not_made_here",  # an object that the worker did not make has the PDF's key
]


class OutOfTimeError(RetryableError):
    """The function's time-out is too near to begin."""


class ChangingError(RetryableError):
    """Another PDF came before this one, several times."""


class ReplacedError(Exception):
    """The original is another one by now."""


class RefusedError(PermanentError):
    """A document for which there will be no PDF.

    Attributes:
        reason: Why, by name.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason
