"""What can go wrong, and what the caller is told.

AuthError
├── PermanentError            asking again gives the same answer
│   ├── BadRequestError       400
│   ├── UnauthorizedError     401
│   ├── ForbiddenError        403
│   ├── NotFoundError         404
│   ├── MethodNotAllowedError 405
│   ├── ConflictError         409
│   ├── GoneError             410
│   ├── TooLargeError         413
│   ├── UnsupportedError      415
│   ├── WeakPasswordError     422
│   └── InternalError         500
└── RetryableError            asking again later may work; with Retry-After
    ├── TooManyRequestsError  429
    └── BusyError             503

Code and message go to the caller as they are: they are constants, and never hold a part of the request.
"""

from typing import ClassVar

__all__ = [
    "AuthError",
    "BadRequestError",
    "BusyError",
    "ConflictError",
    "ForbiddenError",
    "GoneError",
    "InternalError",
    "MethodNotAllowedError",
    "NotFoundError",
    "PermanentError",
    "RetryableError",
    "TooLargeError",
    "TooManyRequestsError",
    "UnauthorizedError",
    "UnsupportedError",
    "WeakPasswordError",
]


class AuthError(Exception):
    """Base of all errors of the package.

    Attributes:
        status: The HTTP status.
        code: A stable name for programs.
        message: A sentence for people.
        headers: Headers of the answer beside those of every error.
    """

    status: ClassVar[int]

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.headers: dict[str, str] = {}


class PermanentError(AuthError):
    """Asking again gives the same answer."""


class RetryableError(AuthError):
    """Asking again later may work.

    Args:
        code: A stable name for programs.
        message: A sentence for people.
        after: Seconds after which it may.
    """

    def __init__(self, code: str, message: str, after: int = 1) -> None:
        super().__init__(code, message)
        self.headers = {"Retry-After": str(after)}


class BadRequestError(PermanentError):
    """The request is malformed."""

    status = 400


class UnauthorizedError(PermanentError):
    """The client, the person or the token is not who it claims to be."""

    status = 401


class ForbiddenError(PermanentError):
    """The client is known and may not do this."""

    status = 403


class NotFoundError(PermanentError):
    """There is no such thing."""

    status = 404


class MethodNotAllowedError(PermanentError):
    """The path exists, for other methods."""

    status = 405


class ConflictError(PermanentError):
    """The present state does not allow it."""

    status = 409


class GoneError(PermanentError):
    """The account was erased."""

    status = 410


class TooLargeError(PermanentError):
    """The body has more bytes than are read."""

    status = 413


class UnsupportedError(PermanentError):
    """The body is of a type that is not read here."""

    status = 415


class WeakPasswordError(PermanentError):
    """The new password is too short, too long, or known from breaches."""

    status = 422


class InternalError(PermanentError):
    """The deployment is at fault: permissions, settings, or a bug."""

    status = 500


class TooManyRequestsError(RetryableError):
    """Too many attempts of one identifier or one client."""

    status = 429


class BusyError(RetryableError):
    """A service that is needed does not answer now."""

    status = 503
