"""The bucket of originals, and the one of PDFs.

A PDF has the key of its document behind a prefix, and `.pdf` behind that. Its metadata say that the worker
made it, and of which upload:

| metadata           | value                                                                             |
|--------------------|-----------------------------------------------------------------------------------|
| `made-by`          | `event-hub-documents`; an object without it is never overwritten                  |
| `source-etag`      | of the document                                                                   |
| `source-sequencer` | of the upload's event                                                             |

"The event notification with the greater sequencer hexadecimal value is the event that occurred later"; "first
right pad the shorter value with zeros, and then do a lexicographical comparison":
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

import re
from contextlib import closing
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from shared.clients import client

from ..facts import MAX_OBJECT_KEY_BYTES
from .errors import RefusedError, ReplacedError

__all__ = ["Made", "Upload", "fetch", "is_made", "output_key", "store"]

MADE_BY = "event-hub-documents"
TIMEOUT_S = 20.0
_SEQUENCER = re.compile(r"[0-9a-fA-F]{1,64}")
_MISSING = {"404", "NoSuchKey"}
_RACED = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}


class Upload(NamedTuple):
    """A document that came into the bucket.

    Attributes:
        bucket: The bucket.
        key: The key, decoded.
        etag: The entity tag, without quotes.
        sequencer: Tells earlier from later uploads of one key; hexadecimal.
    """

    bucket: str
    key: str
    etag: str
    sequencer: str


class Made(NamedTuple):
    """A PDF that the worker has stored.

    Attributes:
        etag: Its entity tag, with which it can be replaced.
        sequencer: Of the upload of which it was made.
    """

    etag: str
    sequencer: str


def output_key(prefix: str, key: str) -> str:
    """Where the PDF of a document goes: below the prefix, whatever the key says.

    Raises:
        RefusedError: The key could lead out of a folder where somebody copies the bucket to disk, or the
            PDF's would be too long.
    """
    if any(part in ("", ".", "..") for part in key.split("/")) or "\\" in key or not key.isprintable():
        raise RefusedError("key_unsafe")
    made = f"{prefix}/{key}.pdf"
    if len(made.encode()) > MAX_OBJECT_KEY_BYTES:
        raise RefusedError("key_too_long")
    return made


def is_made(made: Made | None, upload: Upload) -> bool:
    """Whether the PDF of an upload, or of a later one, is there.

    Raises:
        RefusedError: The event does not say when the upload was.
    """
    order = _order(upload.sequencer)
    return made is not None and _order(made.sequencer) >= order


def _order(sequencer: str) -> str:
    if not _SEQUENCER.fullmatch(sequencer):
        raise RefusedError("event_without_sequencer")
    return sequencer.lower().ljust(64, "0")


def made_pdf(bucket: str, key: str) -> Made | None:
    """The PDF that is there.

    Raises:
        RefusedError: The worker did not make what is there.
    """
    try:
        answer = client("s3").head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in _MISSING:
            return None
        raise
    if answer["Metadata"].get("made-by") != MADE_BY:
        raise RefusedError("output_not_made_here")
    return Made(answer["ETag"], answer["Metadata"].get("source-sequencer", ""))


def fetch(upload: Upload, max_bytes: int) -> bytes:
    """A document, as it was uploaded.

    Raises:
        ReplacedError: It is another one by now.
        RefusedError: It is gone, or too large.
    """
    try:
        answer = client("s3", read_timeout=TIMEOUT_S).get_object(
            Bucket=upload.bucket, Key=upload.key, IfMatch=upload.etag
        )
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("PreconditionFailed", "412"):
            raise ReplacedError from None
        if code in _MISSING:
            raise RefusedError("original_missing") from None
        raise
    with closing(answer["Body"]) as body:
        if answer["ContentLength"] > max_bytes:
            raise RefusedError("original_too_large")
        return body.read()


def store(bucket: str, key: str, pdf: bytes, upload: Upload, replaced: Made | None) -> bool:
    """Store a PDF where there is nothing, or still the one that is replaced.

    Returns:
        Whether it is stored; if not, somebody else was there first.
    """
    condition: dict[str, Any] = {"IfMatch": replaced.etag} if replaced else {"IfNoneMatch": "*"}
    try:
        client("s3", read_timeout=TIMEOUT_S).put_object(
            Bucket=bucket,
            Key=key,
            Body=pdf,
            ContentType="application/pdf",
            Metadata={
                "made-by": MADE_BY,
                "source-etag": upload.etag,
                "source-sequencer": upload.sequencer,
            },
            **condition,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] in _RACED:
            return False
        raise
    return True
