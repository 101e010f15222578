"""Requests of API Gateway's REST APIs, read with care."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from .. import strict_json
from ._errors import BadRequestError, TooLargeError, UnsupportedTypeError

__all__ = ["MAX_BODY_BYTES", "Request"]

MAX_BODY_BYTES = 16_384
_MAX_FIELDS = 50


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        method: `GET`, `POST`, ...
        path: Its path below the API's base address.
        resource: The path's template, `/v1/users/{id}`.
        parameters: What stands for the names in the template.
        query: Query parameters; the last one of a repeated name.
        repeated: Names of query parameters that occur more than once.
        headers: Headers by lower-case name.
        body: The body's bytes.
        api_key_id: The key that API Gateway let in; None where there is no gateway.
        source_ip: Network address of who asks.
    """

    method: str
    path: str
    resource: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    repeated: frozenset[str]
    headers: Mapping[str, str]
    body: bytes
    api_key_id: str | None
    source_ip: str

    @classmethod
    def of(cls, event: Mapping[str, Any], *, max_bytes: int = MAX_BODY_BYTES) -> "Request":
        """The request of a proxy event.

        Args:
            event: API Gateway's.
            max_bytes: As many bytes of a body are read.

        Raises:
            TooLargeError: The body has more bytes than are read.
        """
        text = event.get("body") or ""
        if len(text) > max_bytes * (4 / 3 if event.get("isBase64Encoded") else 1) + 4:
            raise TooLargeError("body_too_large", f"A body has at most {max_bytes} bytes.")
        body = b64decode(text) if event.get("isBase64Encoded") else text.encode()
        if len(body) > max_bytes:
            raise TooLargeError("body_too_large", f"A body has at most {max_bytes} bytes.")
        values = event.get("multiValueQueryStringParameters") or {}
        identity = (event.get("requestContext") or {}).get("identity") or {}
        return cls(
            method=event["httpMethod"],
            path=event["path"],
            resource=event["resource"],
            parameters=event.get("pathParameters") or {},
            query=event.get("queryStringParameters") or {},
            repeated=frozenset(name for name, texts in values.items() if len(texts) > 1),
            headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
            body=body,
            api_key_id=identity.get("apiKeyId"),
            source_ip=identity.get("sourceIp") or "",
        )

    @property
    def media_type(self) -> str:
        """The type of the body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> dict[str, Any]:
        """The body, a JSON object.

        Raises:
            UnsupportedTypeError: It is of another type.
            BadRequestError: It is malformed, not an object, or nested too deeply.
        """
        if self.media_type != "application/json":
            raise UnsupportedTypeError("unsupported_type", "The body must be application/json.")
        try:
            body = strict_json.parse(self.body)
        except ValueError as error:
            raise BadRequestError("bad_json", "The body is not valid JSON.") from error
        if not isinstance(body, dict) or not strict_json.is_shallow(body):
            raise BadRequestError("bad_json", "The body is not an object, or nested too deeply.")
        return body

    def form(self) -> dict[str, str]:
        """The body, a form without repeated fields.

        Raises:
            UnsupportedTypeError: It is of another type.
            BadRequestError: It is malformed, or a field is repeated.
        """
        if self.media_type != "application/x-www-form-urlencoded":
            raise UnsupportedTypeError(
                "unsupported_type", "The body must be application/x-www-form-urlencoded."
            )
        try:
            pairs = parse_qsl(
                self.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
            )
        except ValueError as error:
            raise BadRequestError("invalid_request", "The form is malformed.") from error
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise BadRequestError("invalid_request", "A field is repeated.")
        return fields
