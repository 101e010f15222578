"""The bucket: originals are read, variants written and deleted. Its failures become the package's errors.

People's objects and variants are in one bucket, and a key does not show which is which: `728x90/` may be
somebody's folder.
A variant is what carries the mark: metadata that names, by its SHA-256, the very key that it was made for.
(Metadata is US-ASCII and at most 2 KB, a key up to 1,024 bytes of UTF-8.) CopyObject carries metadata along,
so the mark of a copy names another key. A copy that was moved back fits its mark again, but lost the tag by
which variants expire meanwhile. Only what has both mark and tag is overwritten or deleted, and only as long
as its ETag is the one that was looked at:

- "If the ETag values don't match, the operation fails."
  https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
- "If the ETag value of an object in an S3 bucket doesn't match with the ETag that you provide during the
  delete operation, the operation fails."
  https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html

A conflict says nothing about the condition: "If a conflicting operation occurs during the upload S3 returns a
409 ConditionalRequestConflict response. On a 409 failure you should fetch the object's ETag and retry the
upload." https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html

Deletes are single ones. DeleteObjects takes an ETag for each object, too, but in its body, and the page about
the condition `s3:if-match`, on which the roles may delete at all, speaks of a request's header:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-delete-enforce.html
"""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as UnreachableError

from shared.clients import client
from shared.http import BusyError, InternalError, NotFoundError, UnprocessableError

if TYPE_CHECKING:  # whoever does not resize needs no Pillow
    from mypy_boto3_s3.type_defs import TagTypeDef

    from .recipe import Rendered

__all__ = ["READ_TIMEOUT_S", "Bucket", "Changed", "Stored", "secret", "translated"]

_THROTTLED = {
    "503",
    "InternalError",
    "OperationAborted",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_MISSING = {"404", "NoSuchKey", "NotFound"}
_TOO_LATE = {"412", "PreconditionFailed"}
_IN_CONFLICT = {"409", "ConditionalRequestConflict"}
_ORIGINAL, _MARK = "original-etag", "variant-key-sha256"
_TAG: "TagTypeDef" = {"Key": "variant", "Value": "true"}  # by which the lifecycle rule finds what expires
READ_TIMEOUT_S = 1.5  # with two more tries still within the function's time-out


class Changed(Exception):  # a signal, not an error: the work starts again
    """The original is not the one any more that was looked at."""


class _TooLate(Exception):
    """A condition of the call did not hold."""


class _InConflictError(BusyError):
    """Another call for the same key is under way: the condition was not decided."""


class Stored(NamedTuple):
    """An object as HEAD shows it.

    Attributes:
        etag: Its ETag.
        size: Its bytes.
        is_variant: Whether it carries the mark of a variant that was made for its own key. Before it
            is overwritten or deleted, `Bucket.is_tagged` has to agree.
        original_etag: A variant's original's ETag.
    """

    etag: str
    size: int
    is_variant: bool
    original_etag: str | None

    def is_made_of(self, original: "Stored") -> bool:
        """Whether this variant belongs to that very original."""
        return self.original_etag == original.etag.strip('"')


class Bucket:
    """Objects of one bucket.

    Args:
        name: The bucket's name.
        cache_control: Header of the variants that are written; empty for who writes none.
    """

    def __init__(self, name: str, cache_control: str = "") -> None:
        self.name = name
        self._cache_control = cache_control

    def head(self, key: str) -> Stored | None:
        """An object's properties, or None where there is none."""
        try:
            with translated():
                found = client("s3", read_timeout=READ_TIMEOUT_S).head_object(Bucket=self.name, Key=key)
        except NotFoundError:
            return None
        metadata = found["Metadata"]
        is_variant = metadata.get(_MARK) == _mark(key)
        return Stored(found["ETag"], found["ContentLength"], is_variant, metadata.get(_ORIGINAL))

    def original(self, key: str) -> Stored:
        """An original's properties.

        Raises:
            NotFoundError: There is none.
        """
        found = self.head(key)
        if found is None:
            raise _not_found()
        return found

    def is_ambiguous(self, key: str) -> bool:
        """Whether there is an original of this key, and another one that has `+` for some of its spaces.

        API Gateway decodes a `+` in a query as a space (https://github.com/aws/aws-cdk/issues/19827), and the
        documentation of S3 does not say whether a website's redirect encodes a `+` of the key. A key with a
        `+` in it arrived as it was sent: one that was not encoded would be a space.
        """
        if " " not in key or "+" in key or self.head(key) is None:
            return False
        pages = client("s3", read_timeout=READ_TIMEOUT_S).get_paginator("list_objects_v2")
        for place, character in enumerate(key):
            if character != " ":
                continue
            # The first `+` of the other key is here: this much of it is known, up to the next space.
            prefix = f"{key[:place]}+{key[place + 1 :].partition(' ')[0]}"
            with translated():
                for page in pages.paginate(Bucket=self.name, Prefix=prefix):
                    if any(item["Key"].replace("+", " ") == key for item in page.get("Contents", [])):
                        return True
        return False

    def start(self, key: str, length: int) -> bytes:
        """The first bytes of an original."""
        with translated():
            found = client("s3", read_timeout=READ_TIMEOUT_S).get_object(
                Bucket=self.name, Key=key, Range=f"bytes=0-{length - 1}"
            )
            return found["Body"].read()

    @contextmanager
    def fetch(self, key: str, etag: str) -> Iterator[BinaryIO]:
        """An original's content in a temporary file, which keeps it out of the memory.

        Raises:
            Changed: It is not the one with that ETag any more.
        """
        with tempfile.TemporaryFile() as file:
            try:
                with translated():
                    found = client("s3", read_timeout=READ_TIMEOUT_S).get_object(
                        Bucket=self.name, Key=key, IfMatch=etag
                    )
                    shutil.copyfileobj(found["Body"], cast("BinaryIO", file))
            except _TooLate:
                raise Changed from None
            yield cast("BinaryIO", file)

    def store(self, key: str, variant: "Rendered", original_etag: str, replaced: Stored | None) -> str | None:
        """Store a variant where there is nothing, or in the place of a stale one.

        Args:
            key: Where.
            variant: What.
            original_etag: The ETag of the original that it was made of.
            replaced: The variant that is there.

        Returns:
            The ETag of what was stored; None if something else is there by now, or is about to, which is
            left alone.
        """
        condition: dict[str, Any] = {"IfMatch": replaced.etag} if replaced else {"IfNoneMatch": "*"}
        try:
            with translated():
                stored = client("s3", read_timeout=READ_TIMEOUT_S).put_object(
                    Bucket=self.name,
                    Key=key,
                    Body=variant.data,
                    ContentType=variant.content_type,
                    CacheControl=self._cache_control,
                    Metadata={_ORIGINAL: original_etag.strip('"'), _MARK: _mark(key)},
                    Tagging=f"{_TAG['Key']}={_TAG['Value']}",
                    **condition,
                )
        # S3 answers 404 where there is nothing to match any more.
        except (_TooLate, _InConflictError, NotFoundError):
            return None
        return stored["ETag"]

    def delete(self, key: str, etag: str) -> bool:
        """Delete a variant; whether it was still the one with that ETag, and tagged."""
        if not self.is_tagged(key):
            return False
        try:
            with translated():
                client("s3", read_timeout=READ_TIMEOUT_S).delete_object(
                    Bucket=self.name, Key=key, IfMatch=etag
                )
        except (_TooLate, NotFoundError):
            return False
        return True

    def is_tagged(self, key: str) -> bool:
        """Whether an object has the tag by which variants expire: what is marked, but has not, is a person's.

        True where there is nothing any more: the condition of the write that follows does not hold then.
        """
        try:
            with translated():
                s3 = client("s3", read_timeout=READ_TIMEOUT_S)
                tags = s3.get_object_tagging(Bucket=self.name, Key=key)["TagSet"]
        except NotFoundError:
            return True
        return _TAG in tags

    def keep(self, key: str) -> bool:
        """Take the tag by which variants expire off an object, and no other; whether it had it."""
        s3 = client("s3")
        try:
            with translated():
                tags = s3.get_object_tagging(Bucket=self.name, Key=key)["TagSet"]
                if _TAG not in tags:
                    return False
                if others := [tag for tag in tags if tag != _TAG]:
                    s3.put_object_tagging(Bucket=self.name, Key=key, Tagging={"TagSet": others})
                else:
                    s3.delete_object_tagging(Bucket=self.name, Key=key)
        except NotFoundError:  # deleted meanwhile
            return False
        return True


def secret(secret_id: str) -> bytes:
    """The HMAC key of signed URLs."""
    with translated():
        return client("secretsmanager").get_secret_value(SecretId=secret_id)["SecretString"].encode()


def _mark(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _not_found() -> NotFoundError:
    return NotFoundError("original_not_found", "There is no such original.")


@contextmanager
def translated() -> Iterator[None]:
    """Turns the failures of a call into the package's errors."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _MISSING:
            raise _not_found() from None
        if code in _TOO_LATE:
            raise _TooLate from None
        if code in _IN_CONFLICT:
            raise _InConflictError("storage_busy", "The storage is busy; try again in a moment.") from error
        if code == "InvalidRange":
            raise UnprocessableError("empty", "The original is empty.") from None
        if code in _THROTTLED or status >= 500 or status == 429:
            raise BusyError("storage_busy", "The storage is busy; try again in a moment.") from error
        raise InternalError("storage_refused", "The storage refused a call of this function.") from error
    # Time-outs and broken connections, also in the middle of a body, after botocore's own retries.
    except (HTTPClientError, IncompleteReadError, UnreachableError, OSError) as error:
        raise BusyError(
            "storage_unreachable", "The storage does not answer; try again in a moment."
        ) from error
    except BotoCoreError as error:
        raise InternalError("storage_refused", "The storage cannot be called by this function.") from error
