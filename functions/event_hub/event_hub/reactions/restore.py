"""An archived object of S3 was restored for some days: copy it in ranges to the output bucket."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from shared.batches import PermanentError

from ..facts import Fact, ObjectRestored
from ..hub import Action, Hub, PostponedError, code_of
from ..settings import Config
from .parts import complete, destination, part_size, started

__all__ = ["CopyRestored", "plan"]

PART, LARGEST_PART = 64 * 1024 * 1024, 512 * 1024 * 1024
BUDGET_S = 30
COPIES_AN_HOUR = 1000


@dataclass(frozen=True)
class CopyRestored(Action):
    """Copy a restored object to `restored/<bucket>/<key>`.

    Attributes:
        bucket: The bucket.
        source: The object's key.
        etag: The object's; another object of that name is not copied.
        version: The object's, in a bucket that has versions.
        identity: Of the restoration.
        upload: Id of the upload, once it has begun.
        part: Number of the next part.
    """

    REACTION: ClassVar[str] = "restore"
    bucket: str
    source: str
    etag: str
    version: str
    identity: str
    upload: str = ""
    part: int = 1

    @property
    def key(self) -> str:
        """The restoration."""
        return f"copy#{self.identity}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Copy parts for half a minute, and go on later; S3 copies them itself."""
        key = destination("restored", self.bucket, self.source)
        named = [arn for arn in hub.config.restore_buckets if arn.rpartition(":")[2] == self.bucket]
        hub.permit(f"copy from {self.bucket}", among=named)
        hub.limit(self.bucket, most=COPIES_AN_HOUR, seconds=3600)
        s3, output = hub.client("s3"), hub.config.output_bucket
        try:
            head = s3.head_object(Bucket=self.bucket, Key=self.source, IfMatch=self.etag, **self._version())
        except ClientError as error:
            if code_of(error) not in ("404", "412", "NoSuchKey", "PreconditionFailed"):
                raise
            raise PermanentError("the object is gone, or another") from None
        total = head["ContentLength"]
        if total == 0:
            s3.put_object(Bucket=output, Key=key, Body=b"")
            return {"key": key, "bytes": 0}
        size = part_size(total, PART, LARGEST_PART)
        if not self.upload:  # by the queue whose messages come one at a time
            upload = started(hub, key, {"etag": self.etag})
            raise PostponedError("begins", 0, replace(self, upload=upload))
        upload, part, end = self.upload, self.part, hub.clock().timestamp() + BUDGET_S
        while (part - 1) * size < total:
            if hub.clock().timestamp() > end:
                raise PostponedError("goes on", 1, replace(self, upload=upload, part=part))
            s3.upload_part_copy(
                Bucket=output,
                Key=key,
                UploadId=upload,
                PartNumber=part,
                CopySource={"Bucket": self.bucket, "Key": self.source, **self._version()},
                CopySourceIfMatch=self.etag,
                CopySourceRange=f"bytes={(part - 1) * size}-{min(part * size, total) - 1}",
            )
            part += 1
        complete(hub, key, upload)
        return {"key": key, "bytes": total}

    def _version(self) -> dict[str, str]:
        return {"VersionId": self.version} if self.version else {}


def plan(fact: Fact, _: Config) -> tuple[Action, ...]:
    """A copy of what was restored."""
    if not isinstance(fact, ObjectRestored):
        return ()
    return (CopyRestored(fact.bucket, fact.key, fact.etag, fact.version, fact.identity),)
