"""One flat document of one event of CloudTrail's: the same for Athena and for OpenSearch.

A document has only members that are listed here, each always of one type, so that neither a table's columns
nor an index's mapping ever change, whatever a call's parameters are called:

================  =====  ==========================================================================
member            type   what it is
================  =====  ==========================================================================
`@timestamp`      text   when the call was made, ISO 8601 in UTC: `2026-11-25T08:15:30Z`
`@time`           text   the same, by the name that the original's dashboards ask for
event_id          text   CloudTrail's `eventID`: the document's identity
event_name        text   the call, such as `RunInstances`
event_source      text   the service, such as `ec2.amazonaws.com`
event_type        text   `AwsApiCall`, `AwsConsoleSignIn`, `AwsServiceEvent`
actor             text   who: a user's name, `role/session`, `Root`, or a service
actor_type        text   CloudTrail's `userIdentity.type`
actor_arn         text   the identity's ARN
access_key        text   the access key's id
invoked_by        text   the service that made the call in the actor's name
mfa               bool   whether a second factor was given
account           text   the account whose resources are meant
region            text   such as `eu-west-1`
source_address    text   an IP address, or a service's name
user_agent        text
read_only         bool
error_code        text   of a call that was refused or failed
error_message     text
resources         texts  identifiers of what was touched: of parameters, answer and CloudTrail's own list
request           texts  the parameters: `path=value`, such as `instancesSet.items.instanceId=i-0abc`
request_json      text   the parameters as JSON
truncated         texts  members of which something was left out: too long, too many, or too deep
================  =====  ==========================================================================

A member without a value is left out, but for `resources` and `request`, which may be empty. `request` is a
list of texts because parameters are called what each call likes: as columns or fields of their own they would
be thousands, and the same name would be a text here and an object there. A list's places are not part of a
path, and a dot in a name stays as it is; `request_json` tells such cases apart. What is cut is whole in the
trail, under its `event_id`.

The identity, the time, the name and the source have to be there, and to be texts. Anything else that ought to
be a text and is none is written as JSON.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import accumulate
from types import NoneType
from typing import Any

import orjson

from .errors import MalformedError

__all__ = [
    "MAX_DEPTH",
    "MAX_JSON",
    "MAX_PARAMETERS",
    "MAX_RESOURCES",
    "MAX_TEXT",
    "document",
    "encoded",
    "read",
]

type Document = dict[str, Any]

COLUMNS: Mapping[str, str] = {
    "event_time": "string",
    "event_id": "string",
    "event_name": "string",
    "event_source": "string",
    "event_type": "string",
    "actor": "string",
    "actor_type": "string",
    "actor_arn": "string",
    "access_key": "string",
    "invoked_by": "string",
    "mfa": "boolean",
    "account": "string",
    "region": "string",
    "source_address": "string",
    "user_agent": "string",
    "read_only": "boolean",
    "error_code": "string",
    "error_message": "string",
    "resources": "array<string>",
    "request": "array<string>",
    "request_json": "string",
    "truncated": "array<string>",
}
"""Athena's columns and their types: a document's members; `event_time` is its `@timestamp`."""

MAX_ID_BYTES = 512
"""Bytes of an `event_id`: OpenSearch takes no longer `_id`."""
MAX_TEXT = 1024
"""Characters of a text; longer ones are cut."""
MAX_PARAMETERS = 500
"""Entries of `request`."""
MAX_RESOURCES = 1000
"""Entries of `resources`: one call ends at most as many instances."""
MAX_JSON = 32_000
"""Characters of `request` in all, and bytes of `request_json`, which is left out if it is longer: Lucene's
longest term has 32,766 bytes."""
MAX_DEPTH = 32
"""How deep parameters are looked into."""

_CUT = "…"
_TRAIL = " via CloudTrail"
# i-0123456789abcdef0, vol-…, eipalloc-…: a kind, and 8 or 17 hexadecimal digits.
_RESOURCE = re.compile(r"(?!r-)[a-z]+(?:-[a-z]+)*-(?:[0-9a-f]{17}|[0-9a-f]{8})").fullmatch
_NAMED = {"keyName", "groupName"}
_LONGEST = 255  # characters of an identifier, and of a key pair's name
_CLOUDTRAIL_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z").fullmatch
_FLAGS = {True: True, False: False, "true": True, "false": False, "Yes": True, "No": False}
_SCALARS = {True: "true", False: "false", None: "null"}
_EMPTY: Mapping[str, Any] = {}


def read(data: bytes | str) -> dict[str, Any]:
    """The event of a record: what `document` takes.

    Args:
        data: JSON in UTF-8.

    Raises:
        MalformedError: It is not a JSON object. What is nested more than 1,024 deep is none, nor is half of a
            surrogate pair, which no store takes.
    """
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise MalformedError("no JSON") from None
    if not isinstance(event, dict):
        raise MalformedError("no JSON object")
    return event


def document(event: Mapping[str, Any]) -> Document:
    """The document of an event as EventBridge delivers it; see the module's table.

    Args:
        event: Envelope and `detail`, as `read` returns them.

    Raises:
        MalformedError: It is not an event of CloudTrail's, or lacks its identity, time, name or source.
    """
    kind, detail = event.get("detail-type"), event.get("detail")
    if not (isinstance(kind, str) and kind.endswith(_TRAIL)):
        raise MalformedError("detail-type is none of CloudTrail's")
    if not isinstance(detail, dict):
        raise MalformedError("detail is not an object")
    moment = _moment(detail.get("eventTime") or event.get("time"))
    made: Document = {"@timestamp": moment, "@time": moment, "event_id": _identity(detail)}
    truncated: list[str] = []
    for name, value in _texts(event, detail).items():
        if value is None:
            continue
        text = value if type(value) is str else _json(value)
        if len(text) > MAX_TEXT or text is _CUT:
            text = text[: MAX_TEXT - 1] + _CUT
            truncated.append(name)
        made[name] = text
    for name, flag in _flags(detail):
        if flag is not None:
            made[name] = flag
    _add_parameters(made, detail, truncated)
    if truncated:
        made["truncated"] = truncated
    return made


def encoded(document: Document) -> bytes:
    """A document as one line of JSON, with its end."""
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


# ---- members


def _texts(event: Mapping[str, Any], detail: Mapping[str, Any]) -> dict[str, Any]:
    """The members that are texts, as the event has them."""
    who = _object(detail.get("userIdentity"))
    return {
        "event_name": _needed(detail, "eventName"),
        "event_source": _needed(detail, "eventSource"),
        "event_type": detail.get("eventType"),
        "actor": _actor(who),
        "actor_type": who.get("type"),
        "actor_arn": who.get("arn"),
        "access_key": who.get("accessKeyId"),
        "invoked_by": who.get("invokedBy"),
        "account": detail.get("recipientAccountId") or event.get("account"),
        "region": detail.get("awsRegion") or event.get("region"),
        "source_address": detail.get("sourceIPAddress"),
        "user_agent": detail.get("userAgent"),
        "error_code": detail.get("errorCode"),
        "error_message": detail.get("errorMessage"),
    }


def _flags(detail: Mapping[str, Any]) -> tuple[tuple[str, bool | None], ...]:
    """The members that are true or false, if they are known."""
    session = _object(_object(detail.get("userIdentity")).get("sessionContext"))
    used = _object(session.get("attributes")).get("mfaAuthenticated")
    if used is None:  # of a sign-in
        used = _object(detail.get("additionalEventData")).get("MFAUsed")
    return ("mfa", _flag(used)), ("read_only", _flag(detail.get("readOnly")))


def _flag(value: object) -> bool | None:
    return _FLAGS.get(value) if isinstance(value, str | bool) else None


def _identity(detail: Mapping[str, Any]) -> str:
    value = _needed(detail, "eventID")
    if len(value) > MAX_ID_BYTES or len(value.encode()) > MAX_ID_BYTES:
        raise MalformedError("eventID is too long")
    return value


def _needed(detail: Mapping[str, Any], name: str) -> str:
    value = detail.get(name)
    if type(value) is not str or not value:
        raise MalformedError(f"{name} is missing, or no text")
    return value


def _moment(value: object) -> str:
    """A time as ISO 8601 in UTC, ending in Z."""
    try:
        moment = datetime.fromisoformat(value)  # type: ignore[arg-type]  # refuses what is not text
        if _CLOUDTRAIL_TIME(str(value)):
            return str(value)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        raise MalformedError("eventTime is missing, or no time") from None
    return moment.isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def _actor(who: Mapping[str, Any]) -> object:
    """A name that a person can read.

    Source of the forms: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
    """
    if who.get("type") == "Root":
        return "Root"  # its userName would be the account's alias
    if name := who.get("userName"):
        return name
    arn = who.get("arn")
    if isinstance(arn, str) and "/" in arn:
        return arn.partition("/")[2]  # assumed-role/<role>/<session>, federated-user/<name>
    person = _object(who.get("onBehalfOf")).get("userId")
    return person or who.get("invokedBy") or who.get("principalId") or who.get("accountId")


# ---- parameters and resources


def _add_parameters(made: Document, detail: Mapping[str, Any], truncated: list[str]) -> None:
    """Add what a call was given, and the resources that it touched."""
    parameters, answer = detail.get("requestParameters"), detail.get("responseElements")
    request: list[str] = []
    found: dict[str, None] = {}
    if parameters is not None:
        given = parameters if isinstance(parameters, dict) else {"requestParameters": parameters}
        whole = _flatten(given, "", MAX_DEPTH, request, found)
        if len(request) > MAX_PARAMETERS or sum(map(len, request)) > MAX_TEXT:  # or else nothing is too long
            request, short = _shortened(request)
            whole = whole and not short
        if not whole:
            truncated.append("request")
    listed = detail.get("resources")
    if isinstance(listed, list):
        found.update((each["ARN"], None) for each in listed if isinstance(_object(each).get("ARN"), str))
    whole = answer is None or _collect(answer, MAX_DEPTH, found)
    made["resources"] = list(found)[:MAX_RESOURCES]
    if not whole or len(found) > MAX_RESOURCES:
        truncated.append("resources")
    made["request"] = request
    if parameters is not None:
        text = _json(parameters)
        if text is not _CUT and len(text) <= MAX_JSON and len(text.encode()) <= MAX_JSON:
            made["request_json"] = text
        else:
            truncated.append("request_json")


def _shortened(request: list[str]) -> tuple[list[str], bool]:
    """The entries within the limits, and whether that cut any."""
    cut = [
        each if len(each) <= MAX_TEXT else each[: MAX_TEXT - 1] + _CUT for each in request[:MAX_PARAMETERS]
    ]
    kept = cut[: sum(length <= MAX_JSON for length in accumulate(map(len, cut)))]
    return kept, kept != request


def _flatten(
    node: dict[str, Any], prefix: str, depth: int, request: list[str], found: dict[str, None]
) -> bool:
    """Add an object's members to `request`, identifiers among them to `found`; whether nothing was cut."""
    whole = True
    for name, value in node.items():
        path = prefix + name
        for each in value if type(value) is list and value else (value,):
            kind = type(each)
            if kind is str and ("-" in each or name in _NAMED) and _identifies(name, each):
                found[each] = None
            if kind is dict and each and depth and len(path) < MAX_TEXT:
                whole &= _flatten(each, path + ".", depth - 1, request, found)
            elif kind is list and each and depth:
                whole &= _flatten({name: each}, prefix, depth - 1, request, found)
            elif len(request) > MAX_PARAMETERS:
                whole = False
            elif kind is str:
                request.append(f"{path}={each}")
            elif each and kind in (dict, list):
                request.append(f"{path}={_CUT}")
                whole = False
            else:
                request.append(f"{path}={_SCALARS.get(each) if kind in (bool, NoneType) else each}")
    return whole


def _collect(node: Any, depth: int, found: dict[str, None]) -> bool:
    """Add the identifiers in an answer to `found`; whether all of it was looked at."""
    whole = True
    if type(node) is dict:
        node = node.values()
    elif type(node) is not list:
        node = (node,)
    for each in node:
        kind = type(each)
        if kind is str:
            if "-" in each and _identifies("", each):
                found[each] = None
        elif each and (kind is dict or kind is list):
            whole = whole and depth > 0
            if depth:
                whole &= _collect(each, depth - 1, found)
    return whole


def _identifies(name: str, text: str) -> bool:
    """Tell whether a member's text is the identifier of something."""
    return len(text) <= _LONGEST and (name in _NAMED or _RESOURCE(text) is not None)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else _EMPTY


def _json(value: object) -> str:
    """A value as JSON; of one that is nested too deeply, the mark of what was cut."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return _CUT
