"""The client: requests written, answers read, retries as botocore decides."""

import json
import time
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

from botocore.exceptions import BotoCoreError, HTTPClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as UnreachableError
from botocore.hooks import first_non_none_response
from botocore.parsers import create_parser
from botocore.utils import get_environ_proxies

from ._connections import Answer, Connections
from ._signature import sign

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from botocore.model import OperationModel

__all__ = ["OPERATIONS", "SmallClient", "is_direct"]

OPERATIONS: Mapping[str, Mapping[str, str]] = {
    "dynamodb": {
        "batch_get_item": "BatchGetItem",
        "delete_item": "DeleteItem",
        "get_item": "GetItem",
        "put_item": "PutItem",
        "query": "Query",
        "transact_write_items": "TransactWriteItems",
        "update_item": "UpdateItem",
    },
    "kms": {"decrypt": "Decrypt", "generate_data_key": "GenerateDataKey"},
}
"""What a `SmallClient` carries out itself, by service: methods of the boto3 client, and AWS's names."""

# Where their answers have binary values: in values of DynamoDB's attributes, and in KMS's answers.
_BINARY = ("B", "BS", "CiphertextBlob", "Plaintext")


class _Operation(NamedTuple):
    """What every request of an operation has in common.

    Attributes:
        model: botocore's description of it.
        event: The end of its events' names.
        headers: Those that are signed.
    """

    model: "OperationModel"
    event: str
    headers: Mapping[str, str]


class _Outcome(NamedTuple):
    """What became of one try: an answer with what it says, or why there is none."""

    answer: Answer | None
    parsed: Any = None
    error: BotoCoreError | None = None


class SmallClient:
    """A client of DynamoDB or KMS; safe to share between threads.

    A method of `OPERATIONS` takes and returns what the boto3 client's takes and returns. It raises
    `ClientError` (the classes in `exceptions`) where AWS refuses, and a `BotoCoreError` where there is no
    answer.

    Args:
        client: The boto3 client, of an endpoint that `is_direct`.
        credentials: Who asks; None raises `NoCredentialsError` at every call, as botocore does.
        now: Seconds since the epoch.
        sleep: Waits for seconds.
    """

    def __init__(
        self,
        client: Any,
        credentials: "Credentials | None",
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._credentials, self._now, self._sleep = client, credentials, now, sleep
        self._service, self._region = client.meta.service_model, client.meta.region_name
        self._head = f"accept-encoding: identity\r\nuser-agent: {client.meta.config.user_agent}\r\n"
        self._retried = False
        self._parser: Any = create_parser(self._service.resolved_protocol)
        self._connections = Connections(
            client.meta.endpoint_url, client.meta.config.connect_timeout, client.meta.config.read_timeout
        )
        for method, name in OPERATIONS[self._service.service_name].items():
            setattr(self, method, partial(self._call, self._operation(name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def _operation(self, name: str) -> _Operation:
        model, metadata = self._service.operation_model(name), self._service.metadata
        headers = {
            "content-type": f"application/x-amz-json-{metadata['jsonVersion']}",
            "host": urlsplit(self._client.meta.endpoint_url).netloc,
            "x-amz-target": f"{metadata['targetPrefix']}.{name}",
        }
        return _Operation(model, f"{self._service.service_id.hyphenize()}.{name}", headers)

    def _call(self, operation: _Operation, **request: Any) -> Any:
        for token in operation.model.idempotent_members:
            request.setdefault(token, str(uuid4()))
        body, invocation = _ENCODER.encode(request).encode(), str(uuid4())
        context: dict[str, Any] = {}  # in which botocore notes what a retry took of its quota
        for attempt in count(1):
            outcome = self._try(operation, body, invocation, attempt)
            if outcome.answer is not None:
                outcome.parsed["ResponseMetadata"]["RetryAttempts"] = attempt - 1
                if outcome.answer.status_code < 300:
                    break
            delay = self._delay(operation, attempt, outcome, context)
            if delay is None:
                raise outcome.error or self._refusal(operation, outcome.parsed)
            self._retried = True
            self._sleep(delay)
        if self._retried:  # the quota grows by what works
            self._emit(
                "after-call", operation, http_response=outcome.answer, parsed=outcome.parsed,
                model=operation.model, context=context,
            )  # fmt: skip
        return outcome.parsed

    def _try(self, operation: _Operation, body: bytes, invocation: str, attempt: int) -> _Outcome:
        """Send a request once, signed anew."""
        if self._credentials is None:
            raise NoCredentialsError
        headers = sign(
            operation.headers, body, self._credentials.get_frozen_credentials(),
            (self._region, self._service.signing_name), self._now(),
        )  # fmt: skip
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = (
            f"POST / HTTP/1.1\r\n{self._head}{lines}amz-sdk-invocation-id: {invocation}\r\n"
            f"amz-sdk-request: attempt={attempt}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        try:
            answer = self._connections.send(head.encode() + body)
            return _Outcome(answer, self._read(operation, answer))
        except (HTTPClientError, UnreachableError) as error:
            return _Outcome(None, error=error)

    def _read(self, operation: _Operation, answer: Answer) -> Any:
        """What an answer says, as botocore puts it.

        Raises:
            HTTPClientError: It is not as it was sent.
        """
        try:
            _check(answer)
            if answer.status_code < 300:
                return _DECODER.decode(answer.content.decode()) | {"ResponseMetadata": _metadata(answer)}
            return self._read_refusal(operation, answer)
        except (AttributeError, TypeError, ValueError) as error:  # no JSON, no object, no base64
            raise HTTPClientError(error=error) from error

    def _read_refusal(self, operation: _Operation, answer: Answer) -> Any:
        response = {"status_code": answer.status_code, "headers": answer.headers, "body": answer.content}
        parsed = self._parser.parse(response, operation.model.output_shape)
        shape = self._service.shape_for_error_code(_code(parsed))
        if shape is not None:  # what this error has beside a message, such as CancellationReasons
            parsed |= self._parser.parse(response, shape)
        return parsed

    def _refusal(self, operation: _Operation, parsed: Any) -> Exception:
        kind = self._client.exceptions.from_code(_code(parsed))
        error: Exception = kind(parsed, operation.model.name)
        return error

    def _delay(
        self, operation: _Operation, attempt: int, outcome: _Outcome, context: dict[str, Any]
    ) -> float | None:
        """Seconds after which botocore tries again; None if it does not."""
        delay: float | None = first_non_none_response(
            self._emit(
                "needs-retry", operation, response=outcome.answer and outcome[:2], endpoint=None,
                operation=operation.model, attempts=attempt, caught_exception=outcome.error,
                request_dict={"context": context},
            )
        )  # fmt: skip
        return delay

    def _emit(self, event: str, emitted_for: _Operation, **about: Any) -> Any:
        return self._client.meta.events.emit(f"{event}.{emitted_for.event}", **about)


def is_direct(endpoint: str) -> bool:
    """Whether an endpoint is the root of a server, and has no proxy before it, as botocore finds one."""
    parts = urlsplit(endpoint)
    return parts.path in ("", "/") and parts.scheme not in get_environ_proxies(endpoint)


def _check(answer: Answer) -> None:
    checksum = answer.headers.get("x-amz-crc32")  # of DynamoDB's answers
    if checksum is not None and zlib.crc32(answer.content) != int(checksum):
        raise ValueError("the answer's checksum is another")


def _code(parsed: Any) -> str:
    """An error's code, as botocore finds it; there is none where the answer is of another kind."""
    code: str = parsed.get("Error", {}).get("Code", "")
    return code


def _metadata(answer: Answer) -> dict[str, Any]:
    metadata: dict[str, Any] = {"HTTPStatusCode": answer.status_code, "HTTPHeaders": answer.headers}
    if "x-amzn-requestid" in answer.headers:
        metadata["RequestId"] = answer.headers["x-amzn-requestid"]
    return metadata


def _text(value: Any) -> str:
    return b64encode(value).decode()


def _with_bytes(found: dict[str, Any]) -> dict[str, Any]:
    """An object of an answer with its binary values as bytes.

    An attribute of an item may have such a name too; what it has is an object, and never text or a list.
    """
    for name in _BINARY:
        value = found.get(name)
        if isinstance(value, str):
            found[name] = b64decode(value)
        elif isinstance(value, list):
            found[name] = [b64decode(each) for each in value]
    return found


_ENCODER = json.JSONEncoder(default=_text)
_DECODER = json.JSONDecoder(object_hook=_with_bytes)
