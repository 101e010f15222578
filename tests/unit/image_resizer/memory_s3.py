"""A bucket and a table in memory, with the calls and the errors that the package relies on."""

# ruff: noqa: ARG002, N803  # the parameters are named as AWS names them

import hashlib
import io
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError


def client_error(code: str, status: int, operation: str = "Test") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )


class MemoryTable:
    """The table of refusals; `failures` are raised or returned by its next calls. `counted` are keys."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.counted: list[str] = []
        self.failures: list[ClientError | dict[str, Any]] = []

    def _failure(self) -> dict[str, Any] | None:
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, ClientError):
            raise failure
        return failure

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        if failure := self._failure():
            return failure
        [(table, asked)] = RequestItems.items()
        names = [key["name"]["S"] for key in asked["Keys"]]
        return {"Responses": {table: [self.items[name] for name in names if name in self.items]}}

    def put_item(self, *, TableName: str, Item: dict[str, Any]) -> None:
        self._failure()
        self.items[Item["name"]["S"]] = Item

    def update_item(self, *, TableName: str, Key: dict[str, Any], **_: Any) -> None:
        assert TableName == "calls"
        self._failure()
        self.counted.append(Key["key"]["S"])


class MemoryS3:
    """One bucket.

    `before` maps a call's name to what happens before its next runs: an exception to raise, or a function
    that does what others do with the bucket at the same time.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.refusals = MemoryTable()
        self.before: dict[str, list[Exception | Callable[[], object]]] = {}

    def upload(self, key: str, data: bytes, *, tags: str = "") -> None:
        self.objects[key] = {"Body": data, "Metadata": {}, "Tagging": tags}

    def make_variant(self, key: str, original_etag: str = "of an earlier original") -> None:
        mark = hashlib.sha256(key.encode()).hexdigest()
        metadata = {"original-etag": original_etag, "variant-key-sha256": mark}
        self.objects[key] = {"Body": b"a variant", "Metadata": metadata, "Tagging": "variant=true"}

    def copy(self, source: str, key: str) -> None:
        """As CopyObject does, which carries metadata and tags along."""
        self.objects[key] = dict(self.objects[source])

    def variants(self) -> list[str]:
        return sorted(key for key, stored in self.objects.items() if stored["Metadata"])

    def _called(self, operation: str, key: str) -> None:
        self.calls.append((operation, key))
        if waiting := self.before.get(operation):
            event = waiting.pop(0)
            if isinstance(event, Exception):
                raise event
            event()

    def _found(self, key: str, code: str) -> tuple[dict[str, Any], str]:
        if key not in self.objects:
            raise client_error(code, 404)
        stored = self.objects[key]
        return stored, f'"{hashlib.md5(stored["Body"], usedforsecurity=False).hexdigest()}"'

    def _check_match(self, key: str, condition: str) -> None:
        if condition not in ("*", self._found(key, "NoSuchKey")[1]):
            raise client_error("PreconditionFailed", 412)

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        self._called("head_object", Key)
        if len(Key.encode()) > 1024:
            raise client_error("400", 400)
        stored, etag = self._found(Key, "404")
        return {"ETag": etag, "ContentLength": len(stored["Body"]), "Metadata": stored["Metadata"]}

    def get_object(self, *, Bucket: str, Key: str, Range: str = "", IfMatch: str = "") -> dict[str, Any]:
        self._called("get_object", Key)
        stored, etag = self._found(Key, "NoSuchKey")
        if IfMatch and IfMatch != etag:
            raise client_error("PreconditionFailed", 412)
        if Range and not stored["Body"]:
            raise client_error("InvalidRange", 416)
        end = int(Range.rpartition("-")[2]) + 1 if Range else None
        return {"ETag": etag, "Body": io.BytesIO(stored["Body"][:end])}

    def put_object(
        self, *, Bucket: str, Key: str, IfNoneMatch: str = "", IfMatch: str = "", **properties: Any
    ) -> dict[str, Any]:
        self._called("put_object", Key)
        assert (IfNoneMatch == "*") != bool(IfMatch), "S3 would refuse an unconditional put"
        if IfNoneMatch and Key in self.objects:
            raise client_error("PreconditionFailed", 412)
        if IfMatch:
            self._check_match(Key, IfMatch)
        self.objects[Key] = properties
        return {"ETag": self._found(Key, "")[1]}

    def delete_object(self, *, Bucket: str, Key: str, IfMatch: str) -> None:
        self._called("delete_object", Key)
        self._check_match(Key, IfMatch)
        del self.objects[Key]

    def get_object_tagging(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        self._called("get_object_tagging", Key)
        pairs = (
            pair.partition("=") for pair in self._found(Key, "NoSuchKey")[0]["Tagging"].split("&") if pair
        )
        return {"TagSet": [{"Key": name, "Value": value} for name, _, value in pairs]}

    def put_object_tagging(self, *, Bucket: str, Key: str, Tagging: dict[str, Any]) -> None:
        self._called("put_object_tagging", Key)
        tags = "&".join(f"{tag['Key']}={tag['Value']}" for tag in Tagging["TagSet"])
        self.objects[Key] = {**self._found(Key, "NoSuchKey")[0], "Tagging": tags}

    def delete_object_tagging(self, *, Bucket: str, Key: str) -> None:
        self._called("delete_object_tagging", Key)
        self.objects[Key] = {**self._found(Key, "NoSuchKey")[0], "Tagging": ""}

    def get_paginator(self, operation: str) -> "MemoryS3":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str, Delimiter: str = "") -> Iterator[dict[str, Any]]:
        self._called("list_objects_v2", Prefix)
        if not Delimiter:
            yield {"Contents": [{"Key": key} for key in sorted(self.objects) if key.startswith(Prefix)]}
            return
        common = {
            key.partition(Delimiter)[0] for key in self.objects if Delimiter in key and key.startswith(Prefix)
        }
        names = sorted(common)
        for at in range(0, len(names), 2) or [0]:
            page = [{"Prefix": name + Delimiter} for name in names[at : at + 2]]
            yield {"CommonPrefixes": page} if page else {}
