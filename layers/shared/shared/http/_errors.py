"""What a caller is told when there is no answer."""

from typing import ClassVar

__all__ = [
    "BadGatewayError",
    "BadRequestError",
    "BusyError",
    "ConflictError",
    "ForbiddenError",
    "GoneError",
    "HttpError",
    "InternalError",
    "MethodNotAllowedError",
    "NotFoundError",
    "NotImplementedHereError",
    "OutOfTimeError",
    "PermanentHttpError",
    "ReasonError",
    "RetryableHttpError",
    "TooLargeError",
    "TooManyRequestsError",
    "UnauthorizedError",
    "UnprocessableError",
    "UnsupportedTypeError",
]


class ReasonError(Exception):
    """Base of causes whose text goes into the log as it is: it quotes nothing of a request."""


class HttpError(Exception):
    """Base of all; code and message go to the caller as they are.

    Args:
        code: A stable name for programs.
        message: A sentence for people: a constant, without a part of the request.

    Attributes:
        status: The HTTP status.
        headers: Headers of the answer beside those of every error.
        request_id: The request's id, for an answer that tells it in its body too; `respond` sets it.
    """

    status: ClassVar[int]

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.headers: dict[str, str] = {}
        self.request_id = ""


class PermanentHttpError(HttpError):
    """Asking again gives the same answer."""


class RetryableHttpError(HttpError):
    """Asking again later may work.

    Args:
        code: A stable name for programs.
        message: A sentence for people.
        after: Seconds after which it may: the header `Retry-After`.
    """

    def __init__(self, code: str, message: str, after: int = 1) -> None:
        super().__init__(code, message)
        self.headers = {"Retry-After": str(after)}


class BadRequestError(PermanentHttpError):
    """The request is malformed."""

    status = 400


class UnauthorizedError(PermanentHttpError):
    """The client, the person or the token is not who it claims to be."""

    status = 401


class ForbiddenError(PermanentHttpError):
    """The caller is known and may not do this."""

    status = 403


class NotFoundError(PermanentHttpError):
    """There is no such thing."""

    status = 404


class MethodNotAllowedError(PermanentHttpError):
    """The path exists, for other methods.

    Args:
        code: A stable name for programs.
        message: A sentence for people.
        allow: The methods that are answered: the header `Allow`, which RFC 9110 asks for.
    """

    status = 405

    def __init__(self, code: str, message: str, allow: str) -> None:
        super().__init__(code, message)
        self.headers = {"Allow": allow}


class ConflictError(PermanentHttpError):
    """The present state does not allow it."""

    status = 409


class GoneError(PermanentHttpError):
    """There was such a thing, and it was erased."""

    status = 410


class TooLargeError(PermanentHttpError):
    """There are more bytes than are read."""

    status = 413


class UnsupportedTypeError(PermanentHttpError):
    """The body, or the original, is of a type that is not read here."""

    status = 415


class UnprocessableError(PermanentHttpError):
    """The request is well formed; what it is about cannot be taken."""

    status = 422


class InternalError(PermanentHttpError):
    """The deployment is at fault: permissions, settings, or a bug."""

    status = 500


class NotImplementedHereError(PermanentHttpError):
    """What is asked for exists, and not in this deployment."""

    status = 501


class BadGatewayError(PermanentHttpError):
    """A service that was asked could not answer this."""

    status = 502


class TooManyRequestsError(RetryableHttpError):
    """Too many attempts of one identifier or one client."""

    status = 429


class BusyError(RetryableHttpError):
    """A service that is needed does not answer now."""

    status = 503


class OutOfTimeError(RetryableHttpError):
    """The function's time-out is too near to begin or to go on."""

    status = 504
