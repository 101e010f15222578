"""Answers as API Gateway REST wants them, and the last boundary of a function behind an API."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.logging import Logger
from botocore.exceptions import ClientError

from ..events import Event, api_request
from ..metrics import count
from ..settings import SettingsError
from ._errors import HttpError, InternalError, ReasonError

__all__ = [
    "CROSS_ORIGIN_HEADERS",
    "Answer",
    "Facts",
    "error_answer",
    "json_answer",
    "respond",
]

logger = Logger()

REQUEST_ID = "X-Request-Id"
CROSS_ORIGIN_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After, X-Request-Id",
}
"""What lets pages of every origin read an answer: of what is public, or comes for a token and no cookie."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
}

type Answer = dict[str, Any]
"""`statusCode`, `headers`, `body`."""

type Facts = dict[str, Any]
"""What a request's line in the log says beside status and duration: nothing personal, and no secret."""


def json_answer(status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with a body of JSON; without one if `body` is None.

    Args:
        status: The HTTP status.
        body: What JSON can hold.
        headers: Headers beside those of every answer, or in their place.
    """
    text = "" if body is None else json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "body": text,
    }


def error_answer(error: HttpError) -> Answer:
    """The answer that tells of an error: `{"code", "message"}`."""
    return json_answer(error.status, {"code": error.code, "message": error.message}, error.headers)


def respond(
    api: str,
    event: Event,
    serve: Callable[[Facts], Answer],
    *,
    on_error: Callable[[HttpError], Answer] = error_answer,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Answer a request whatever happens, and log one line about it.

    Every answer carries the request's id in `X-Request-Id`, as does the line, so that the two are found by
    each other. An answer is never cached unless it says so itself. An error counts as the metric
    `Error_<code>`.

    Args:
        api: The API's name in the log.
        event: API Gateway's event.
        serve: Makes the answer, or raises `HttpError`; adds to the facts of the log's line.
        on_error: Makes the answer that tells of an error.
        headers: Headers of every answer, where it has no others of the same name.

    Raises:
        ForeignEventError: The event is not a request.
    """
    started = time.monotonic()
    request_id = str(api_request(event).get("requestId") or "-")
    facts: Facts = {}
    outcome = "ok"
    try:
        answer = serve(facts)
    except Exception as raised:
        # The last boundary: without it API Gateway would answer 502, in its own words.
        error = _told(raised)
        error.request_id = request_id
        answer, outcome = on_error(error), error.code
        facts["reason"] = getattr(error, "__notes__", None) or _reason(error.__cause__)
        if isinstance(error, InternalError):
            logger.exception("the deployment is at fault", request_id=request_id)
        count(f"Error_{outcome}")
    answer["headers"] = {**_HEADERS, **(headers or {}), REQUEST_ID: request_id, **answer["headers"]}
    logger.info(
        "request",
        api=api,
        method=event["httpMethod"],
        resource=event.get("resource"),
        outcome=outcome,
        status=answer["statusCode"],
        duration_ms=round(1000 * (time.monotonic() - started)),
        request_id=request_id,
        **facts,
    )
    return answer


def _told(raised: Exception) -> HttpError:
    """What a caller is told of an exception."""
    if isinstance(raised, HttpError):
        return raised
    if isinstance(raised, SettingsError):
        return InternalError("misconfigured", "The function's settings are wrong.")
    return InternalError("internal", "The request could not be served.")


def _reason(cause: BaseException | None) -> str:
    """A cause for the log. Its text may quote a request, such as an address with a person's file in it."""
    if cause is None or isinstance(cause, ReasonError):
        return str(cause or "")
    name = type(cause).__name__
    return f"{name} {cause.response['Error'].get('Code')}" if isinstance(cause, ClientError) else name
