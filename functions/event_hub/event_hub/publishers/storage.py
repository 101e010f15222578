"""S3, Glacier and Snowball.

Shapes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html and
ev-events.html, https://docs.aws.amazon.com/amazonglacier/latest/dev/configuring-notifications.html ("you
must also check the StatusCode"). What Snowball writes is documented nowhere; the job's id is in it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

from ..envelopes import MalformedError
from ..facts import (
    MAX_OBJECT_KEY_BYTES,
    Fact,
    Ignored,
    ObjectCreated,
    ObjectRestored,
    SnowJobChange,
    VaultJob,
)
from .reading import identifier, matching, moment, optional, required

__all__ = ["from_event", "from_records", "from_text", "from_vault", "test_event"]

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
VAULT = re.compile(r"arn:[a-z0-9-]+:glacier:[a-z0-9-]+:\d{12}:vaults/[A-Za-z0-9_.-]{1,255}")
JOB = re.compile(r"[A-Za-z0-9_-]{1,200}")
TREE_HASH = re.compile(r"[0-9a-f]{64}")
SNOW_JOB = re.compile(r"\bJID[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.I)
MAX_OBJECT = 50 * 1024**4
"""Bytes: more than the largest archive (40 TB) and the largest object (50 TB) have."""


def test_event(body: Mapping[str, Any]) -> Fact | None:
    """What S3 sends when notifications are configured, if it is that."""
    return Ignored("s3:TestEvent") if body.get("Event") == "s3:TestEvent" else None


def from_records(records: list[Any]) -> Iterator[Fact]:
    """Records of an S3 notification; keys are URL-encoded there.

    Raises:
        MalformedError: A record is none of S3's.
    """
    for record in records:
        if not isinstance(record, dict) or record.get("eventSource") != "aws:s3":
            raise MalformedError("a record that is none of S3's")
        name = required(record, "eventName").removeprefix("s3:")
        about = record.get("s3")
        bucket, item = (about.get("bucket"), about.get("object")) if isinstance(about, dict) else (None, None)
        if not isinstance(bucket, dict) or not isinstance(item, dict):
            raise MalformedError("a record without bucket and object")
        key = _checked(unquote_plus(optional(item, "key"), errors="strict"))
        if name.startswith("ObjectCreated:"):
            yield _created(bucket, key, item, "eTag")
        elif name == "ObjectRestore:Completed":
            restored = record.get("glacierEventData")
            restored = restored.get("restoreEventData") if isinstance(restored, dict) else None
            if not isinstance(restored, dict):
                raise MalformedError("a restored object without its expiry")
            expiry = restored.get("lifecycleRestorationExpiryTime")
            yield _restored(bucket, key, optional(item, "eTag"), optional(item, "versionId"), expiry)
        else:
            yield Ignored(f"s3:{name}"[:60])


def from_event(event: Mapping[str, Any]) -> Fact:
    """An event of EventBridge whose source is `aws.s3`; keys are not encoded there.

    Raises:
        MalformedError: It lacks what it needs.
    """
    detail = event["detail"]
    bucket, item = detail.get("bucket"), detail.get("object")
    if not isinstance(bucket, dict) or not isinstance(item, dict):
        raise MalformedError("an event without bucket and object")
    key = _checked(item.get("key"))
    if event["detail-type"] == "Object Created":
        return _created(bucket, key, item, "etag")
    if event["detail-type"] == "Object Restore Completed":
        expiry = detail.get("restore-expiry-time")
        return _restored(bucket, key, optional(item, "etag"), optional(item, "version-id"), expiry)
    return Ignored(f"aws.s3: {event['detail-type']}")


def _checked(key: Any) -> str:
    """A decoded key; blanks at its ends are a part of it."""
    if not isinstance(key, str) or not 0 < len(key.encode()) <= MAX_OBJECT_KEY_BYTES:
        raise MalformedError("key is missing, or too long")
    return key


def _created(bucket: Mapping[str, Any], key: str, item: Mapping[str, Any], etag: str) -> ObjectCreated:
    name = identifier(required(bucket, "name"), BUCKET, "a bucket's name")
    return ObjectCreated(name, key, optional(item, etag), optional(item, "sequencer"))


def _restored(bucket: Mapping[str, Any], key: str, etag: str, version: str, expiry: Any) -> ObjectRestored:
    name = identifier(required(bucket, "name"), BUCKET, "a bucket's name")
    return ObjectRestored(name, key, etag, moment(expiry, "the expiry of a restored object"), version)


def from_vault(body: Mapping[str, Any]) -> Fact | None:
    """A message of SNS, if it is about a job of a Glacier vault.

    Raises:
        MalformedError: It is, but lacks what it needs.
    """
    if "VaultARN" not in body or "JobId" not in body:
        return None
    if body.get("Completed") is not True:
        return Ignored("glacier: not completed")
    action = required(body, "Action")
    if action not in ("ArchiveRetrieval", "InventoryRetrieval"):
        return Ignored("glacier: another job")
    succeeded = required(body, "StatusCode") == "Succeeded"
    size = body.get("ArchiveSizeInBytes" if action == "ArchiveRetrieval" else "InventorySizeInBytes")
    if succeeded and not (isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= MAX_OBJECT):
        raise MalformedError("the size of an output is none")
    requested = optional(body, "RetrievalByteRange")
    tree_hash = optional(body, "SHA256TreeHash").lower()
    return VaultJob(
        identifier(required(body, "VaultARN"), VAULT, "VaultARN"),
        identifier(required(body, "JobId"), JOB, "JobId"),
        action,  # type: ignore[arg-type]
        succeeded,
        optional(body, "StatusMessage")[:256],
        _length(requested, size if isinstance(size, int) else 0),
        tree_hash if TREE_HASH.fullmatch(tree_hash) else None,
    )


def _length(requested: str, size: int) -> int:
    """Bytes of the output: of the range that the job asked for, or the whole."""
    first, dash, last = requested.partition("-")
    if not dash:
        return size
    if not (first.isdecimal() and last.isdecimal() and len(requested) < 40 and int(first) <= int(last)):
        raise MalformedError("RetrievalByteRange is none")
    return min(int(last), max(size - 1, 0)) - int(first) + 1


def from_text(subject: str, text: str) -> Fact | None:
    """A text by SNS, if it is about a job of Snowball's."""
    if "snow" not in f"{subject} {text[:4096]}".lower():
        return None
    job = matching(f"{subject}\n{text[:4096]}", SNOW_JOB)
    return SnowJobChange(f"JID{job[3:].lower()}") if job else None
