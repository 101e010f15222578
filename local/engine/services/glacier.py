"""Amazon Glacier: vaults, archives and jobs, with tree hashes.

A job completes after AWS's time for its tier, scaled; its notification goes to the job's topic and to that of
the vault. `/_engine/states` (service ``glacier``, resource the job's id) completes a job at once: Succeeded,
or Failed with a ``message``.
https://docs.aws.amazon.com/amazonglacier/latest/dev/checksum-calculations.html,
https://docs.aws.amazon.com/amazonglacier/latest/dev/api-job-output-get.html
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, error_response_json, get_account_id, get_region

from local.engine.authorization import Check, Request, permissions, tags
from local.engine.delivery import iso_time
from local.engine.new_services import Answer, Refusal, serve
from local.engine.publishing import GLACIER, publish
from local.engine.states import settable
from local.engine.timing import later

__all__ = ["range_hash", "tree_hash"]

type Vault = dict[str, Any]
type Job = dict[str, Any]
type Headers = dict[str, str]

_MIB = 1024 * 1024
# From 1 minute (Expedited), 3 hours (Standard and inventories), 5 hours (Bulk):
# https://docs.aws.amazon.com/amazonglacier/latest/dev/downloading-an-archive-two-steps.html
_SECONDS = {"Expedited": 60, "Standard": 3 * 3600, "Bulk": 5 * 3600}
_EVENTS = {
    "ArchiveRetrieval": "ArchiveRetrievalCompleted",
    "InventoryRetrieval": "InventoryRetrievalCompleted",
}
_PATH = re.compile(r"/[^/]+/vaults/(?P<vault>[A-Za-z0-9._-]{1,255})(?P<rest>/.*)?$")

_vaults: Any = AccountRegionScopedDict()


def _levels(data: bytes) -> list[list[bytes]]:
    """Return the hashes of every level of the tree, the leaves (of a MiB each) first."""
    level = [hashlib.sha256(data[start : start + _MIB]).digest() for start in range(0, len(data) or 1, _MIB)]
    levels = [level]
    while len(level) > 1:
        pairs = [level[number : number + 2] for number in range(0, len(level), 2)]
        level = [hashlib.sha256(b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
        levels.append(level)
    return levels


def tree_hash(data: bytes) -> str:
    """Return the SHA-256 tree hash of data, in hexadecimal digits."""
    return _levels(data)[-1][0].hex()


def range_hash(data: bytes, start: int, end: int) -> str:
    """Return the tree hash of a range (both ends inclusive) that is a node of the tree; empty if it is none.

    "A range [A, B] is tree-hash aligned with respect to an archive if and only if when a new hash is built
    over [A, B], the root of the tree hash of that range is equivalent to a node in the tree hash of the whole
    archive": https://docs.aws.amazon.com/amazonglacier/latest/dev/checksum-calculations-range.html
    """
    levels = _levels(data)
    for height, level in enumerate(levels):
        width = _MIB << height
        node, rest = divmod(start, width)
        if rest == 0 and node < len(level) and end + 1 == min((node + 1) * width, len(data)):
            return level[node].hex()
    return ""


def _vault_arn(name: str) -> str:
    return f"arn:aws:glacier:{get_region()}:{get_account_id()}:vaults/{name}"


def _vault(name: str) -> Vault:
    vault: Vault | None = _vaults.get(name)
    if vault is None:
        raise Refusal("ResourceNotFoundException", f"Vault not found for ARN: {_vault_arn(name)}", 404)
    return vault


def _job(vault: Vault, identifier: str) -> Job:
    job: Job | None = vault["jobs"].get(identifier)
    if job is None:
        raise Refusal("ResourceNotFoundException", f"The job ID was not found: {identifier}", 404)
    return job


def _wrong(message: str) -> Refusal:
    return Refusal("InvalidParameterValueException", message)


def _create_vault(name: str, _headers: Headers, _body: bytes) -> Answer:
    if name not in _vaults:  # "This operation is idempotent"
        _vaults[name] = {
            "arn": _vault_arn(name), "archives": {}, "jobs": {}, "tags": {}, "notifications": None,
        }  # fmt: skip
    return 201, {"Location": f"/{get_account_id()}/vaults/{name}"}, b""


def _upload(name: str, headers: Headers, body: bytes) -> Answer:
    vault, given = _vault(name), headers.get("x-amz-sha256-tree-hash", "")
    if not body:
        raise _wrong("Invalid Content-Length: 0")
    if given != tree_hash(body):
        raise _wrong(f"Checksum mismatch: expected {tree_hash(body)} but got {given}")
    identifier = secrets.token_urlsafe(103)[:138]  # "138 bytes"
    description = headers.get("x-amz-archive-description", "")
    vault["archives"][identifier] = {"data": body, "description": description, "created": iso_time()}
    location = f"/{get_account_id()}/vaults/{name}/archives/{identifier}"
    return 201, {
        "Location": location, "x-amz-archive-id": identifier, "x-amz-sha256-tree-hash": given,
    }, b""  # fmt: skip


def _retrieved_range(text: str, size: int) -> tuple[int, int]:
    """Return the first and last byte that a job retrieves; MiB-aligned."""
    start, _, end = text.partition("-")
    if not (start.isdecimal() and end.isdecimal() and int(start) <= int(end) < size):
        raise _wrong(f"Invalid byte range: {text}")
    if int(start) % _MIB or ((int(end) + 1) % _MIB and int(end) + 1 != size):
        raise _wrong(f"The byte range is not aligned to megabytes: {text}")
    return int(start), int(end)


def _initiate(name: str, _headers: Headers, body: bytes) -> Answer:
    vault, wanted = _vault(name), json.loads(body or b"{}")
    tier = wanted.get("Tier", "Standard")
    if tier not in _SECONDS:
        raise _wrong(f"Invalid tier: {tier}")
    identifier = secrets.token_urlsafe(69)[:92]  # "92 bytes"
    job: Job = {
        "JobId": identifier, "JobDescription": wanted.get("Description"), "VaultARN": vault["arn"],
        "CreationDate": iso_time(), "CompletionDate": None, "Completed": False, "StatusCode": "InProgress",
        "StatusMessage": None, "SNSTopic": wanted.get("SNSTopic"), "InventoryRetrievalParameters": None,
    }  # fmt: skip
    if wanted.get("Type") == "archive-retrieval":
        job |= _archive_job(vault, wanted) | {"Tier": tier}
    elif wanted.get("Type") == "inventory-retrieval":
        job |= {"Action": "InventoryRetrieval", "output": _inventory(vault)}
    else:
        raise _wrong(f"Invalid job type: {wanted.get('Type')}")
    vault["jobs"][identifier] = job
    later(_SECONDS[tier], lambda: _complete(vault, job, "Succeeded", "Succeeded"))
    location = f"/{get_account_id()}/vaults/{name}/jobs/{identifier}"
    return 202, {"Location": location, "x-amz-job-id": identifier}, b""


def _archive_job(vault: Vault, wanted: Mapping[str, Any]) -> Job:
    identifier = wanted.get("ArchiveId", "")
    archive = vault["archives"].get(identifier)
    if archive is None:
        raise Refusal("ResourceNotFoundException", f"The archive ID was not found: {identifier}", 404)
    data = archive["data"]
    start, end = _retrieved_range(wanted.get("RetrievalByteRange") or f"0-{len(data) - 1}", len(data))
    return {
        "Action": "ArchiveRetrieval", "ArchiveId": identifier, "ArchiveSizeInBytes": len(data),
        "ArchiveSHA256TreeHash": tree_hash(data), "RetrievalByteRange": f"{start}-{end}",
        "SHA256TreeHash": range_hash(data, start, end) or None, "InventorySizeInBytes": None,
        "output": data[start : end + 1], "description": archive["description"],
    }  # fmt: skip


def _inventory(vault: Vault) -> bytes:
    rows = [
        {
            "ArchiveId": identifier, "ArchiveDescription": archive["description"],
            "CreationDate": archive["created"], "Size": len(archive["data"]),
            "SHA256TreeHash": tree_hash(archive["data"]),
        }
        for identifier, archive in vault["archives"].items()
    ]  # fmt: skip
    document = {"VaultARN": vault["arn"], "InventoryDate": iso_time(), "ArchiveList": rows}
    return json.dumps(document).encode()


def _complete(vault: Vault, job: Job, status: str, message: str) -> None:
    """End a job once, and publish its description."""
    if job["Completed"]:
        return
    job |= {"Completed": True, "StatusCode": status, "StatusMessage": message, "CompletionDate": iso_time()}
    if job["Action"] == "InventoryRetrieval":
        job["InventorySizeInBytes"] = len(job["output"])
    if status == "Failed":
        job["SHA256TreeHash"] = None
    notifications = vault["notifications"] or {"Events": []}
    topics = {job["SNSTopic"]}
    if _EVENTS[job["Action"]] in notifications["Events"]:
        topics.add(notifications["SNSTopic"])
    for topic in filter(None, topics):
        message = json.dumps(_described(job) | {"SNSTopic": topic}, sort_keys=True)
        publish(GLACIER, topic, vault["arn"], message)


def _described(job: Job) -> Job:
    return {key: value for key, value in job.items() if key not in ("output", "description")}


def _describe_job(name: str, identifier: str, _headers: Headers) -> Answer:
    return _json(_described(_job(_vault(name), identifier)))


def _get_output(name: str, identifier: str, headers: Headers) -> Answer:
    job = _job(_vault(name), identifier)
    if not job["Completed"] or job["StatusCode"] != "Succeeded":
        raise _wrong(f"The job is not currently available for download: {identifier}")
    data: bytes = job["output"]
    answer = {"Accept-Ranges": "bytes"}
    start, end, status = 0, len(data) - 1, 200
    if headers.get("range"):
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", headers["range"].strip())
        if match is None or int(match[1]) >= len(data):
            raise _wrong(f"Invalid range: {headers['range']}")
        start, end, status = int(match[1]), min(int(match[2] or end), end), 206
        answer["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
    if job["Action"] == "ArchiveRetrieval":
        answer["Content-Type"] = "application/octet-stream"
        if job["description"]:
            answer["x-amz-archive-description"] = job["description"]
        if checksum := range_hash(data, start, end):
            answer["x-amz-sha256-tree-hash"] = checksum
    else:
        answer["Content-Type"] = "application/json"
    return status, answer, data[start : end + 1]


def _set_notifications(name: str, _headers: Headers, body: bytes) -> Answer:
    wanted = json.loads(body)
    unknown = set(wanted.get("Events", [])) - set(_EVENTS.values())
    if unknown or not wanted.get("SNSTopic"):
        raise _wrong(f"Invalid notification configuration: {', '.join(unknown) or 'no topic'}")
    _vault(name)["notifications"] = wanted
    return 204, {}, b""


def _change_tags(name: str, query: Mapping[str, Any], body: bytes) -> Answer:
    tags_of, wanted = _vault(name)["tags"], json.loads(body or b"{}")
    tags_of |= wanted.get("Tags") or {}
    if str(query.get("operation")).strip("[']") == "remove":
        for key in wanted.get("TagKeys") or []:
            tags_of.pop(key, None)
    return 204, {}, b""


def _json(document: Mapping[str, Any]) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(document).encode()


_OF_VAULT: dict[tuple[str, str], Callable[[str, Headers, bytes], Answer]] = {
    ("PUT", ""): _create_vault,
    ("POST", "archives"): _upload,
    ("POST", "jobs"): _initiate,
    ("PUT", "notification-configuration"): _set_notifications,
    ("GET", "tags"): lambda name, _headers, _body: _json({"Tags": _vault(name)["tags"]}),
}
_OF_JOB: dict[str, Callable[[str, str, Headers], Answer]] = {"": _describe_job, "output": _get_output}


def _route(method: str, path: str, headers: Headers, body: bytes, query: Mapping[str, Any]) -> Answer:
    found = _PATH.match(path)
    if found is None:
        raise _wrong(f"Invalid path: {path}")
    name, rest = found["vault"], (found["rest"] or "").strip("/")
    if (method, rest) == ("POST", "tags"):
        return _change_tags(name, query, body)
    if (method, rest) in _OF_VAULT:
        return _OF_VAULT[method, rest](name, headers, body)
    kind, _, identifier = rest.partition("/")
    identifier, _, part = identifier.partition("/")
    if (method, kind) == ("GET", "jobs") and part in _OF_JOB:
        return _OF_JOB[part](name, identifier, headers)
    raise Refusal("InvalidAction", f"The engine does not have {method} {path}.")


async def _handle(method: str, path: str, headers: Headers, body: bytes, query: dict[str, Any]) -> Answer:
    try:
        return _route(method, path, headers, body, query)
    except Refusal as refusal:
        refused: Answer = error_response_json(
            refusal.code, refusal.message, refusal.status, content_type="application/json"
        )
        return refused


@settable("glacier")
def _set_state(identifier: str, state: str, request: Mapping[str, Any]) -> None:
    if state not in ("Succeeded", "Failed"):
        raise ValueError("the state must be Succeeded or Failed")
    for vault in _vaults.values():
        if identifier in vault["jobs"]:
            _complete(vault, vault["jobs"][identifier], state, str(request.get("message", state)))
            return
    raise LookupError(identifier)


def _check(action: str) -> Callable[[Request], list[Check]]:
    def checks(request: Request) -> list[Check]:
        found = _PATH.match(request.path)
        name = found["vault"] if found else "*"
        return [Check(action, request.arn("glacier", f"vaults/{name}"))]

    return checks


for _action in (
    "CreateVault", "UploadArchive", "InitiateJob", "DescribeJob", "GetJobOutput", "SetVaultNotifications",
    "AddTagsToVault", "RemoveTagsFromVault", "ListTagsForVault",
):  # fmt: skip
    permissions(f"glacier:{_action}")(_check(f"glacier:{_action}"))


@tags("glacier")
def _tags(arn: str) -> Mapping[str, str]:
    vault: Vault = _vaults.get(arn.rpartition("/")[2]) or {"tags": {}}
    found: Mapping[str, str] = vault["tags"]
    return found


serve(
    "glacier",
    _handle,
    "Vaults, archives, retrieval jobs with notifications, ranges with their part of the tree hash",
)
