"""HTTP behind API Gateway REST with proxy integration: requests, answers, errors, and the last boundary.

A handler is one call::

    @publishes_metrics
    def handler(event, context):
        return respond("rides", event, lambda facts: serve(Request.of(event), facts))

HttpError
├── PermanentHttpError        asking again gives the same answer
│   ├── BadRequestError       400
│   ├── UnauthorizedError     401
│   ├── ForbiddenError        403
│   ├── NotFoundError         404
│   ├── MethodNotAllowedError 405, with Allow
│   ├── ConflictError         409
│   ├── GoneError             410
│   ├── TooLargeError         413
│   ├── UnsupportedTypeError  415
│   ├── UnprocessableError    422
│   ├── InternalError         500
│   ├── NotImplementedHereError 501
│   └── BadGatewayError       502
└── RetryableHttpError        asking again later may work, with Retry-After
    ├── TooManyRequestsError  429
    ├── BusyError             503
    └── OutOfTimeError        504

An error is told as `{"code", "message"}`: a stable name for programs, and a sentence for people.
"""

from ._answer import CROSS_ORIGIN_HEADERS, Answer, Facts, error_answer, json_answer, respond
from ._aws import aws_errors_as_busy
from ._errors import (
    BadGatewayError,
    BadRequestError,
    BusyError,
    ConflictError,
    ForbiddenError,
    GoneError,
    HttpError,
    InternalError,
    MethodNotAllowedError,
    NotFoundError,
    NotImplementedHereError,
    OutOfTimeError,
    PermanentHttpError,
    ReasonError,
    RetryableHttpError,
    TooLargeError,
    TooManyRequestsError,
    UnauthorizedError,
    UnprocessableError,
    UnsupportedTypeError,
)
from ._request import MAX_BODY_BYTES, Request

__all__ = [
    "CROSS_ORIGIN_HEADERS",
    "MAX_BODY_BYTES",
    "Answer",
    "BadGatewayError",
    "BadRequestError",
    "BusyError",
    "ConflictError",
    "Facts",
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
    "Request",
    "RetryableHttpError",
    "TooLargeError",
    "TooManyRequestsError",
    "UnauthorizedError",
    "UnprocessableError",
    "UnsupportedTypeError",
    "aws_errors_as_busy",
    "error_answer",
    "json_answer",
    "respond",
]
