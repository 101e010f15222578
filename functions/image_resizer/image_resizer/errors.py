"""What can go wrong, and what the caller is told.

ResizeError
├── PermanentError             asking again gives the same answer
│   ├── BadRequestError        400
│   ├── ForbiddenError         403
│   ├── NotFoundError          404
│   ├── MethodNotAllowedError  405
│   ├── ConflictError          409
│   ├── TooLargeError          413
│   ├── UnsupportedError       415
│   ├── BadImageError          422
│   └── InternalError          500
└── RetryableError             asking again later may work
    ├── BusyError              503, with Retry-After
    └── OutOfTimeError         504

Code and message go to the caller as they are: they are constants, and never hold a part of the request.
"""

from typing import ClassVar

__all__ = [
    "BadImageError",
    "BadRequestError",
    "BusyError",
    "ConflictError",
    "ForbiddenError",
    "InternalError",
    "MethodNotAllowedError",
    "NotFoundError",
    "OutOfTimeError",
    "PermanentError",
    "ResizeError",
    "RetryableError",
    "TooLargeError",
    "UnsupportedError",
]


class ResizeError(Exception):
    """Base of all errors of the package.

    Attributes:
        status: The HTTP status.
        code: A stable name for programs.
        message: A sentence for people.
        headers: Headers of the answer beside those of every error.
    """

    status: ClassVar[int]
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class PermanentError(ResizeError):
    """Asking again gives the same answer."""


class RetryableError(ResizeError):
    """Asking again later may work."""


class BadRequestError(PermanentError):
    """The size, an option or the key is malformed, or may not be what was asked for."""

    status = 400


class ForbiddenError(PermanentError):
    """The signature does not hold, or the key is a variant's."""

    status = 403


class NotFoundError(PermanentError):
    """There is no such original."""

    status = 404


class MethodNotAllowedError(PermanentError):
    """Neither GET nor HEAD."""

    status = 405
    headers: ClassVar[dict[str, str]] = {"Allow": "GET, HEAD"}


class ConflictError(PermanentError):
    """An object that is no variant lies where the variant would be stored."""

    status = 409


class TooLargeError(PermanentError):
    """The original has more bytes than allowed."""

    status = 413


class UnsupportedError(PermanentError):
    """The original is not an image of a format that is read here."""

    status = 415


class BadImageError(PermanentError):
    """The original is broken, or would take too much memory or time to decode."""

    status = 422


class InternalError(PermanentError):
    """The deployment is at fault: permissions, settings, or a bug."""

    status = 500


class BusyError(RetryableError):
    """The storage is throttling, unreachable, or the original is being replaced right now."""

    status = 503
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class OutOfTimeError(RetryableError):
    """The function's time-out is too near to begin or to go on."""

    status = 504
