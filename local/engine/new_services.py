"""Services that the emulator lacks: their routing, IAM and protocols, in one place.

A module in `services` says with :func:`serve` how requests reach it: boto3 signs for the service, which is
how the emulator's single endpoint tells services apart. :func:`json_protocol` and :func:`query_protocol` make
handlers of functions that take a request's members and return an answer's, or raise :class:`Refusal`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from ministack import app as emulator
from ministack.core import iam_actions, router
from ministack.core.responses import error_response_json

from local.engine.patching import PATCHES, Patch, pin

__all__ = ["Answer", "Refusal", "json_protocol", "members", "query_protocol", "serve", "tag_list", "to_xml"]

type Answer = tuple[int, dict[str, str], bytes]
type Handler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[Answer]]
type Operation = Callable[[dict[str, Any]], dict[str, Any]]


class Refusal(Exception):
    """What a service answers instead.

    Attributes:
        code: AWS's error code.
        message: In words.
        status: Of HTTP.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def serve(name: str, handler: Handler, restores: str, *, target: str = "", namespace: str = "") -> None:
    """Have the emulator know a service.

    Args:
        name: As boto3 and IAM have it; it is in the scope of signatures.
        handler: What answers its requests.
        restores: Row of the table in docs/engine.md.
        target: Prefix of ``X-Amz-Target``, for services that speak JSON.
        namespace: Of XML, for services that speak it.
    """
    router.SERVICE_PATTERNS[name] = {
        "target_prefixes": [f"{target}."] if target else [], "credential_scope": name, "host_patterns": [],
    }  # fmt: skip
    emulator.SERVICE_HANDLERS[name] = handler
    iam_actions.SERVICE_TO_IAM_NAMESPACE[name] = name
    iam_actions._BOTOCORE_SERVICE_MAP[name] = [name]
    if namespace:
        iam_actions._SERVICE_PROTOCOL[name] = "query-xml"
        iam_actions._QUERY_XML_NS[name] = namespace
    PATCHES.append(Patch(f"{name} (service)", restores))


def json_protocol(operations: Mapping[str, Operation]) -> Handler:
    """Return the handler of a service that speaks JSON 1.1."""

    async def handle(
        _method: str, _path: str, headers: dict[str, str], body: bytes, _query: dict[str, Any]
    ) -> Answer:
        name = headers.get("x-amz-target", "").rpartition(".")[2]
        try:
            answer = _operation(operations, name)(json.loads(body or b"{}"))
        except Refusal as refusal:
            refused: Answer = error_response_json(refusal.code, refusal.message, refusal.status)
            return refused
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()

    return handle


def query_protocol(
    operations: Mapping[str, Operation], namespace: str, item_names: Mapping[str, str]
) -> Handler:
    """Return the handler of a service that takes queries and answers XML.

    Args:
        operations: By name.
        namespace: Of the answers.
        item_names: What the items of a list are called, by the list's name; ``member`` without.
    """

    async def handle(
        _method: str, _path: str, _headers: dict[str, str], body: bytes, _query: dict[str, Any]
    ) -> Answer:
        parameters = dict(parse_qsl(body.decode(), keep_blank_values=True))
        name = parameters.get("Action", "")
        request_id = {"RequestId": str(uuid.uuid4())}
        try:
            answer = _operation(operations, name)(parameters)
        except Refusal as refusal:
            error = {"Type": "Sender", "Code": refusal.code, "Message": refusal.message}
            root, status, content = "ErrorResponse", refusal.status, {"Error": error} | request_id
        else:
            root, status = f"{name}Response", 200
            content = {f"{name}Result": answer, "ResponseMetadata": request_id}
        document = f'<{root} xmlns="{namespace}">{to_xml(content, item_names)}</{root}>'
        return status, {"Content-Type": "text/xml"}, document.encode()

    return handle


def to_xml(value: Any, item_names: Mapping[str, str], name: str = "") -> str:
    """Return members and lists as XML; see :func:`query_protocol` for the names of items."""
    if isinstance(value, dict):
        return "".join(f"<{key}>{to_xml(each, item_names, key)}</{key}>" for key, each in value.items())
    if isinstance(value, list):
        item = item_names.get(name, "member")
        return "".join(f"<{item}>{to_xml(each, item_names)}</{item}>" for each in value)
    return str(value).lower() if isinstance(value, bool) else escape(str(value))


def _operation(operations: Mapping[str, Operation], name: str) -> Operation:
    if name not in operations:
        raise Refusal("InvalidAction", f"The engine does not have the operation {name}.")
    return operations[name]


def members(parameters: Mapping[str, str], prefix: str) -> list[str]:
    """Return the values of a query's list, such as those of ``TagKeys.TagKey``."""
    found: list[str] = []
    while f"{prefix}.{len(found) + 1}" in parameters:
        found.append(parameters[f"{prefix}.{len(found) + 1}"])
    return found


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags the way most services list them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


pin(router, "detect_service", "fd156fac4b5d")
pin(iam_actions, "extract_iam_action", "ec476b92d969")
