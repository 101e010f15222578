"""Faults on purpose: throttles, errors, delays and partial batch results, by service operation.

``POST /_engine/faults`` takes a list of rules, ``GET`` lists them with their hits, ``DELETE`` ends them::

    [{"match": "dynamodb.BatchWriteItem", "unprocessed": 0.3, "seed": 7},
     {"match": "s3.(Get|Put)Object", "rate": 0.1, "status": 503, "type": "SlowDown", "resource": "images"},
     {"match": "(dynamodb|kms|ssm|sqs)[.].*", "region": "eu-west-1", "status": 503}]

Only calls that carry an AWS signature are met, which is what clients and functions send; websites, APIs and
what the emulator's services ask of each other are not. A rule acts once the emulator authorized the call.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from ministack import app as emulator
from ministack.core import iam_actions, responses
from ministack.services import dynamodb, s3

from local.engine.asgi import App, Receive, Scope, Send, read_body, respond
from local.engine.patching import PATCHES, Patch, pin, replaces
from local.engine.services.ecs import described_clusters

__all__ = ["wrap"]

pin(emulator, "_dispatch_service_request", "17e5ef6dcfa0")
pin(iam_actions, "extract_iam_action", "ec476b92d969")
pin(iam_actions, "extract_resource_arn", "82f51700695c")
pin(iam_actions, "dynamodb_resource_arns", "a7186900d54a")
pin(iam_actions, "_kms_key_id_from_ciphertext", "9a193cf2adae")

PATCHES.append(
    Patch("/_engine/faults (middleware)", "Faults on purpose: errors, delays and partial batch results.")
)

type _Answer = tuple[int, dict[str, Any], bytes]
type _Handler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[_Answer]]

_FIELDS = {
    "match", "rate", "status", "type", "message", "delay", "times", "unprocessed", "failed", "seed",
    "resource", "region",
}  # fmt: skip
_SIGNED_FOR = re.compile(r"Credential=[^/]+/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


class _RuleError(ValueError):
    """A rule that cannot be meant."""


@dataclass
class _Rule:
    """One rule; ``hits`` counts the calls that it met."""

    match: str
    rate: float = 1.0
    status: int = 0
    type: str = ""
    message: str = "injected by /_engine/faults"
    delay: float = 0.0
    times: int | None = None
    unprocessed: float = 0.0
    failed: float = 0.0
    seed: int | None = None
    resource: str = ""
    region: str = ""
    hits: int = 0
    random: random.Random = field(default_factory=random.Random)

    @classmethod
    def of(cls, given: Any, position: int) -> _Rule:
        """Check and make the rule at ``position`` of the list.

        Raises:
            _RuleError: Says what is wrong with it.
        """

        def check(holds: bool, problem: str) -> None:
            if not holds:
                raise _RuleError(f"rule {position}: {problem}")

        check(isinstance(given, dict), "must be an object")
        check(not (unknown := given.keys() - _FIELDS), f"unknown fields: {', '.join(sorted(unknown))}")
        check(
            isinstance(given.get("match"), str) and given["match"] != "", "match must name service.Operation"
        )
        for name in ("type", "message", "resource", "region"):
            check(isinstance(given.get(name, ""), str), f"{name} must be text")
        for name in ("match", "resource"):
            try:
                re.compile(given.get(name, ""))
            except re.error as error:
                check(False, f"{name} is not a regular expression: {error}")
        for name in ("rate", "unprocessed", "failed"):
            check(_number(given.get(name, 0)) and 0 <= given.get(name, 0) <= 1, f"{name} must be from 0 to 1")
        check(
            _number(given.get("delay", 0)) and given.get("delay", 0) >= 0,
            "delay must be seconds, not negative",
        )
        for name in ("times", "seed"):
            check(isinstance(given.get(name, 0), int), f"{name} must be an integer")
        check(given.get("times", 1) > 0, "times must be positive")
        status = given.get("status", 0)
        check(
            isinstance(status, int) and (status == 0 or 400 <= status <= 599),
            "status must be from 400 to 599",
        )
        acts = ("status", "type", "delay", "unprocessed", "failed")
        check(any(given.get(name) for name in acts), f"does nothing; give one of {', '.join(acts)}")
        rule = cls(**given)
        rule.random.seed(rule.seed)
        return rule

    def meets(self, call: _Call) -> bool:
        """Tell whether the rule acts on this call, and count it."""
        if not re.fullmatch(self.match, call.operation):
            return False
        if self.region not in ("", responses.get_region()):
            return False
        if self.resource and not any(re.search(self.resource, name) for name in call.resources()):
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        if self.random.random() >= self.rate:
            return False
        self.hits += 1
        return True

    def shown(self) -> dict[str, Any]:
        """Return the rule as ``GET`` lists it."""
        given = {name: getattr(self, name) for name in sorted(_FIELDS)}
        return {name: value for name, value in given.items() if value not in (0, "", None)} | {
            "hits": self.hits
        }


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_rules: tuple[_Rule, ...] = ()


@dataclass
class _Call:
    """A signed call on its way to the emulator's handler of a service."""

    service: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    query: dict[str, Any]

    @property
    def name(self) -> str:
        """The operation's name in AWS's API."""
        if self.service == "s3":
            return _s3_operation(self.method, self.path, self.headers, self.query)
        action = iam_actions.extract_iam_action(
            self.service, self.method, self.path, self.headers, self.body, self.query
        )
        name = str(action or "").partition(":")[2]
        return "Invoke" if (self.service, name) == ("lambda", "InvokeFunction") else name

    @property
    def operation(self) -> str:
        return f"{self.service}.{self.name}"

    @property
    def content(self) -> dict[str, Any]:
        """The decoded body of a JSON call."""
        decoded: dict[str, Any] = json.loads(self.body or b"{}")
        return decoded

    def resources(self) -> list[str]:
        """Return the ARNs of what the call is about."""
        region, account = responses.get_region(), responses.get_account_id()
        if self.service == "dynamodb" and (
            tables := iam_actions.dynamodb_resource_arns(self.body, region, account)
        ):
            return [str(table) for table in tables]
        if parts := iam_actions.dynamodb_transaction_checks(
            f"dynamodb:{self.name}", self.body, region, account
        ):
            return [str(table) for _, table in parts]
        if self.operation == "ecs.DescribeClusters":
            return described_clusters(self.body, region, account)
        arn = iam_actions.extract_resource_arn(
            self.service, self.method, self.path, self.headers, self.body, self.query, region, account
        )
        return [str(arn)]


async def _guarded(call: _Call, handler: Callable[[bytes], Awaitable[_Answer]]) -> _Answer:
    """Hand a call to ``handler``, or to the rules that meet it."""
    partial: list[_Rule] = []
    for rule in _rules if _signed(call) else ():
        if not rule.meets(call):
            continue
        if rule.delay:
            await asyncio.sleep(rule.delay)
        if rule.status or rule.type:
            return _refusal(call, rule)
        if rule.unprocessed or rule.failed:
            partial.append(rule)
    batch = _BATCHES.get(call.operation)
    if not partial or batch is None:
        return await handler(call.body)
    content = call.content

    def chosen(_entry: Any) -> _Rule | None:
        return next(
            (rule for rule in partial if rule.random.random() < (rule.unprocessed or rule.failed)), None
        )

    return await batch(call, content, chosen, handler)


type _Chosen = Callable[[Any], _Rule | None]
type _Serve = Callable[[bytes], Awaitable[_Answer]]


async def _batch_write(call: _Call, content: dict[str, Any], chosen: _Chosen, serve: _Serve) -> _Answer:
    """BatchWriteItem: the chosen items come back as UnprocessedItems, the others are written."""
    requested = content.get("RequestItems") or {}
    if _refused_as_a_whole(requested):
        return await serve(call.body)
    kept: dict[str, list[Any]] = {}
    left: dict[str, list[Any]] = {}
    rule = None
    for table, items in requested.items():
        for item in items:
            met = chosen(item)
            rule = met or rule
            (left if met else kept).setdefault(table, []).append(item)
    if rule is None:
        return await serve(call.body)
    if not kept:  # AWS: an error if nothing at all could be processed
        return _refusal(call, rule)
    return await _with_leftovers({**content, "RequestItems": kept}, "UnprocessedItems", left, serve)


async def _batch_get(call: _Call, content: dict[str, Any], chosen: _Chosen, serve: _Serve) -> _Answer:
    """BatchGetItem: the chosen keys come back as UnprocessedKeys, the others are read."""
    kept: dict[str, Any] = {}
    left: dict[str, Any] = {}
    rule = None
    for table, wanted in (content.get("RequestItems") or {}).items():
        for key in wanted.get("Keys") or []:
            met = chosen(key)
            rule = met or rule
            side = left if met else kept
            side.setdefault(table, {**wanted, "Keys": []})["Keys"].append(key)
    if rule is None:
        return await serve(call.body)
    if not kept:
        return _refusal(call, rule)
    return await _with_leftovers({**content, "RequestItems": kept}, "UnprocessedKeys", left, serve)


async def _with_leftovers(content: dict[str, Any], name: str, left: dict[str, Any], serve: _Serve) -> _Answer:
    status, headers, body = await serve(json.dumps(content).encode())
    if status != 200:
        return status, headers, body
    answer = json.loads(body)
    for table, items in (answer.get(name) or {}).items():  # the emulator's own leftovers, if it has any
        if isinstance(items, list):
            left[table] = [*left.get(table, []), *items]
    return _json_answer(200, headers, answer | {name: left})


def _refused_as_a_whole(requested: dict[str, list[dict[str, Any]]]) -> bool:
    """Tell whether AWS would refuse the whole batch, which must not be hidden by splitting it."""
    keys: list[tuple[str, str]] = []
    for table, items in requested.items():
        schema = (dynamodb._tables.get(table) or {}).get("KeySchema") or []
        names = [element["AttributeName"] for element in schema]
        for item in items:
            source = (
                (item.get("PutRequest") or {}).get("Item")
                or (item.get("DeleteRequest") or {}).get("Key")
                or {}
            )
            keys.append((table, json.dumps([source.get(name) for name in names])))
    return len(keys) > 25 or len(set(keys)) < len(keys)


async def _entries(call: _Call, content: dict[str, Any], chosen: _Chosen, serve: _Serve) -> _Answer:
    """PutRecords and its like: an answer for each entry in request order, failures among them."""
    given, answers, count = _ENTRY_FIELDS[call.operation]
    entries = content.get(given) or []
    met = [chosen(entry) for entry in entries]
    kept = [entry for entry, rule in zip(entries, met, strict=True) if rule is None]
    if len(kept) == len(entries):
        return await serve(call.body)
    served: dict[str, Any] = {}
    headers: dict[str, Any] = {}
    if kept:
        status, headers, body = await serve(json.dumps({**content, given: kept}).encode())
        if status != 200:
            return status, headers, body
        served = json.loads(body)
    results = iter(served.get(answers) or [])
    merged = [
        next(results)
        if rule is None
        else {"ErrorCode": rule.type or _ENTRY_ERRORS[call.service], "ErrorMessage": rule.message}
        for rule in met
    ]
    failures = sum("ErrorCode" in result for result in merged)
    return _json_answer(200, headers, {**served, answers: merged, count: failures})


async def _messages(call: _Call, content: dict[str, Any], chosen: _Chosen, serve: _Serve) -> _Answer:
    """SendMessageBatch and its like: failed entries are listed apart, by their ids."""
    entries = content.get("Entries") or []
    met = [(entry, chosen(entry)) for entry in entries]
    kept = [entry for entry, rule in met if rule is None]
    failed = [
        {
            "Id": entry["Id"],
            "SenderFault": False,
            "Code": rule.type or _ENTRY_ERRORS[call.service],
            "Message": rule.message,
        }
        for entry, rule in met
        if rule is not None
    ]
    if not failed:
        return await serve(call.body)
    if not kept:
        return _json_answer(200, {}, {"Successful": [], "Failed": failed})
    status, headers, body = await serve(json.dumps({**content, "Entries": kept}).encode())
    if status != 200:
        return status, headers, body
    answer = json.loads(body)
    return _json_answer(200, headers, {**answer, "Failed": [*(answer.get("Failed") or []), *failed]})


_BATCHES: dict[str, Callable[[_Call, dict[str, Any], _Chosen, _Serve], Awaitable[_Answer]]] = {
    "dynamodb.BatchWriteItem": _batch_write,
    "dynamodb.BatchGetItem": _batch_get,
    "kinesis.PutRecords": _entries,
    "firehose.PutRecordBatch": _entries,
    "events.PutEvents": _entries,
    "sqs.SendMessageBatch": _messages,
    "sqs.DeleteMessageBatch": _messages,
}
# Operation to the names of: what is put, the answers, the count of failures.
_ENTRY_FIELDS = {
    "kinesis.PutRecords": ("Records", "Records", "FailedRecordCount"),
    "firehose.PutRecordBatch": ("Records", "RequestResponses", "FailedPutCount"),
    "events.PutEvents": ("Entries", "Entries", "FailedEntryCount"),
}
_ENTRY_ERRORS = {
    "kinesis": "ProvisionedThroughputExceededException",
    "firehose": "ServiceUnavailableException",
    "events": "ThrottlingException",
    "sqs": "InternalError",
}


def _signed(call: _Call) -> bool:
    if _SIGNED_FOR.search(call.headers.get("authorization", "")):
        return True
    return "X-Amz-Signature" in call.query


def _refusal(call: _Call, rule: _Rule) -> _Answer:
    """Return the rule's error in the form of the service's protocol."""
    code = rule.type or _default_error(call.service, rule.status)
    status = rule.status or (503 if code in ("SlowDown", "ServiceUnavailable") else 400)
    request = str(uuid.uuid4())
    if call.service == "s3":
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{escape(code)}</Code>'
            f"<Message>{escape(rule.message)}</Message><RequestId>{request}</RequestId></Error>"
        )
        headers = {"Content-Type": "application/xml", "x-amz-request-id": request}
        return status, headers, b"" if call.method == "HEAD" else body.encode()
    if "x-www-form-urlencoded" in call.headers.get("content-type", ""):
        fault = "Sender" if status < 500 else "Receiver"
        body = (
            f"<ErrorResponse><Error><Type>{fault}</Type><Code>{escape(code)}</Code>"
            f"<Message>{escape(rule.message)}</Message></Error><RequestId>{request}</RequestId></ErrorResponse>"
        )
        return status, {"Content-Type": "text/xml"}, body.encode()
    headers = {"x-amzn-errortype": code, "x-amzn-requestid": request}
    if call.service == "sqs":  # its JSON protocol also names the error as the older protocol did
        headers["x-amzn-query-error"] = f"{code};{'Sender' if status < 500 else 'Receiver'}"
    return _json_answer(status, headers, {"__type": code, "message": rule.message})


def _default_error(service: str, status: int) -> str:
    if service == "s3":
        return "SlowDown" if status in (0, 503) else "InternalError"
    if status >= 500:
        return "InternalServerError" if service == "dynamodb" else "InternalFailure"
    throughput = service in ("dynamodb", "kinesis")
    return "ProvisionedThroughputExceededException" if throughput else "ThrottlingException"


def _json_answer(status: int, headers: dict[str, Any], content: dict[str, Any]) -> _Answer:
    # The length and the checksum of the body that was there no longer hold.
    kept = {
        name: value
        for name, value in headers.items()
        if name.lower() not in ("content-length", "x-amz-crc32")
    }
    if not any(name.lower() == "content-type" for name in kept):
        kept["Content-Type"] = "application/x-amz-json-1.0"
    return status, kept, json.dumps(content).encode()


# The actions of requests that name no sub-resource: the method says which operation it is.
_S3_PLAIN = {
    "ListBucket", "GetObject", "GetObjectVersion", "PutObject", "DeleteObject", "DeleteObjectVersion",
    "CreateBucket", "DeleteBucket",
}  # fmt: skip
_S3_OBJECT = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
_S3_BUCKET = {
    "GET": "ListObjects", "HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket",
    "POST": "PostObject",
}  # fmt: skip
# Where AWS's API has another name than the IAM action that the emulator knows.
_S3_SUBRESOURCES = {
    ("uploads", "POST"): "CreateMultipartUpload",
    ("uploads", "GET"): "ListMultipartUploads",
    ("uploadId", "PUT"): "UploadPart",
    ("uploadId", "POST"): "CompleteMultipartUpload",
    ("uploadId", "GET"): "ListParts",
    ("uploadId", "DELETE"): "AbortMultipartUpload",
    ("delete", "POST"): "DeleteObjects",
    ("list-type", "GET"): "ListObjectsV2",
    ("versions", "GET"): "ListObjectVersions",
    ("lifecycle", "GET"): "GetBucketLifecycleConfiguration",
    ("lifecycle", "PUT"): "PutBucketLifecycleConfiguration",
    ("notification", "GET"): "GetBucketNotificationConfiguration",
    ("notification", "PUT"): "PutBucketNotificationConfiguration",
}


def _s3_operation(method: str, path: str, headers: dict[str, str], query: dict[str, Any]) -> str:
    bucket, _, key = path.lstrip("/").partition("/")
    for (subresource, verb), name in _S3_SUBRESOURCES.items():
        if subresource in query and verb == method:
            return "UploadPartCopy" if name == "UploadPart" and "x-amz-copy-source" in headers else name
    if not bucket:
        return "ListBuckets"
    action = str(iam_actions._s3_action(method, path, query) or "")
    if action in (
        "ListBucket",
        "GetObject",
        "GetObjectVersion",
        "PutObject",
        "DeleteObject",
        "DeleteObjectVersion",
    ):
        if method == "PUT" and "x-amz-copy-source" in headers:
            return "CopyObject"
        return (_S3_OBJECT if key else _S3_BUCKET).get(method, action)
    return action


def _guard_service(service: str, handler: _Handler) -> _Handler:
    async def guarded(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> _Answer:
        if not _rules:
            return await handler(method, path, headers, body, query)

        async def serve(changed: bytes) -> _Answer:
            return await handler(method, path, headers, changed, query)

        return await _guarded(_Call(service, method, path, headers, body, query), serve)

    return guarded


for _service, _plain in list(emulator.SERVICE_HANDLERS.items()):
    if _service != "s3":  # S3 answers virtual-hosted requests past this table
        emulator.SERVICE_HANDLERS[_service] = _guard_service(_service, _plain)


@replaces(s3, "handle_request", digest="0856144f19e7")
async def _s3_request(
    original: Any,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
    *args: Any,
    **settings: Any,
) -> Any:
    """Faults on purpose, for S3 with path-style and virtual-hosted requests alike."""

    async def serve(changed: bytes) -> Any:
        return await original(method, path, headers, changed, query_params, *args, **settings)

    if not _rules:
        return await serve(body)
    return await _guarded(_Call("s3", method, path, headers, body, query_params), serve)


def wrap(app: App) -> App:
    """Serve ``/_engine/faults``; pass all other requests on."""

    async def faults(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/_engine/faults":
            status, content = _administer(scope["method"], await read_body(receive))
            await respond(send, status, {"content-type": "application/json"}, json.dumps(content).encode())
        else:
            await app(scope, receive, send)

    return faults


def _administer(method: str, body: bytes) -> tuple[int, Any]:
    global _rules
    if method == "POST":
        try:
            given = json.loads(body)
            if not isinstance(given, list):
                raise _RuleError("the body must be a JSON list of rules")
            _rules = tuple(_Rule.of(rule, position) for position, rule in enumerate(given, 1))
        except ValueError as error:  # also what json raises
            return 400, {"message": str(error)}
    elif method == "DELETE":
        _rules = ()
    elif method != "GET":
        return 405, {"message": f"{method} is not GET, POST or DELETE"}
    return 200, [rule.shown() for rule in _rules]
