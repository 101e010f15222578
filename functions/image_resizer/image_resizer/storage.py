"""The bucket: originals are read, variants written and deleted. Its failures become the package's errors."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as UnreachableError

from shared.clients import client

from .errors import BadImageError, BusyError, InternalError, NotFoundError

if TYPE_CHECKING:  # whoever does not resize needs no Pillow
    from .recipe import Rendered

__all__ = ["Bucket", "Changed", "Stored", "secret"]

_THROTTLED = {
    "503",
    "InternalError",
    "OperationAborted",
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
_TOO_LATE = {"409", "412", "ConditionalRequestConflict", "PreconditionFailed"}
_ORIGINAL = "original-etag"
READ_TIMEOUT_S = 1.5  # with two more tries still within the function's time-out


class Changed(Exception):  # a signal, not an error: the work begins anew
    """The original is not the one any more that was looked at."""


class _TooLate(Exception):
    """A condition of the call did not hold."""


class Stored(NamedTuple):
    """An object as HEAD shows it; `original_etag` is a variant's only."""

    etag: str
    size: int
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
            with _translated():
                found = client("s3", read_timeout=READ_TIMEOUT_S).head_object(Bucket=self.name, Key=key)
        except NotFoundError:
            return None
        return Stored(found["ETag"], found["ContentLength"], found["Metadata"].get(_ORIGINAL))

    def original(self, key: str) -> Stored:
        """An original's properties.

        Raises:
            NotFoundError: There is none.
        """
        found = self.head(key)
        if found is None:
            raise _not_found()
        return found

    def start(self, key: str, length: int) -> bytes:
        """The first bytes of an original."""
        with _translated():
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
                with _translated():
                    found = client("s3", read_timeout=READ_TIMEOUT_S).get_object(
                        Bucket=self.name, Key=key, IfMatch=etag
                    )
                    shutil.copyfileobj(found["Body"], cast("BinaryIO", file))
            except _TooLate:
                raise Changed from None
            yield cast("BinaryIO", file)

    def store(self, key: str, variant: "Rendered", original_etag: str) -> bool:
        """Store a variant unless there is one already; whether it was stored."""
        try:
            with _translated():
                client("s3", read_timeout=READ_TIMEOUT_S).put_object(
                    Bucket=self.name,
                    Key=key,
                    Body=variant.data,
                    ContentType=variant.content_type,
                    CacheControl=self._cache_control,
                    Metadata={_ORIGINAL: original_etag.strip('"')},
                    Tagging="variant=true",
                    IfNoneMatch="*",
                )
        except _TooLate:
            return False
        return True

    def delete(self, key: str) -> None:
        """Delete a variant; there need not be one."""
        with _translated():
            client("s3", read_timeout=READ_TIMEOUT_S).delete_object(Bucket=self.name, Key=key)


def secret(secret_id: str) -> bytes:
    """The HMAC key of signed URLs."""
    with _translated():
        return client("secretsmanager").get_secret_value(SecretId=secret_id)["SecretString"].encode()


def _not_found() -> NotFoundError:
    return NotFoundError("original_not_found", "There is no such original.")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _MISSING:
            raise _not_found() from None
        if code in _TOO_LATE:
            raise _TooLate from None
        if code == "InvalidRange":
            raise BadImageError("empty", "The original is empty.") from None
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
