"""Objects in memory, with as much of S3 as imports of files ask of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

__all__ = ["MemoryS3"]


class MemoryS3:
    """A bucket whose objects have versions.

    Args:
        calling: Runs each call; to count them, or to have one fail.

    Attributes:
        objects: Versions of objects by key, oldest first; a version's name is its place, from 1.
    """

    def __init__(self, calling: Callable[[Callable[[], Any]], Any] = lambda call: call()) -> None:
        self.objects: dict[str, list[bytes]] = {}
        self._calling = calling

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str = "") -> Any:  # noqa: N803, ARG002
        """Write an object."""
        return self._calling(lambda: self.objects.setdefault(Key, []).append(Body))

    def head_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803, ARG002
        """Size and version of an object."""
        versions = self._versions(Key)
        return {"ContentLength": len(versions[-1]), "VersionId": str(len(versions))}

    def get_object(self, *, Bucket: str, Key: str, VersionId: str = "", Range: str = "") -> Any:  # noqa: N803, ARG002
        """An object, or a range of its bytes."""
        versions = self._versions(Key)
        body = versions[int(VersionId or len(versions)) - 1]
        if Range:
            first, last = Range.removeprefix("bytes=").split("-")
            body = body[int(first) : int(last) + 1]
        return self._calling(lambda: {"Body": io.BytesIO(body)})

    def _versions(self, key: str) -> list[bytes]:
        if key not in self.objects:
            missing: Any = {"Error": {"Code": "404"}}
            raise ClientError(missing, "HeadObject")
        return self.objects[key]
