"""What preprocess reads and writes: logs, the delivery stream, quarantine and error rows."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import BinaryIO, cast

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as UnreachableError

from shared.access_log import Rejected
from shared.clients import client

from .errors import GoneError, ReplacedError, StreamBusyError
from .notifications import StoredObject

__all__ = ["distribution_of", "open_log", "quarantine", "send", "write_rejected"]

# <prefix>/<DISTRIBUTION>.YYYY-MM-DD-HH.<unique>.gz; of standard logging (v2) the prefix may be Hive's.
_NAME = re.compile(r"(?:.*/)?([^./]+)\.\d{4}-\d{2}-\d{2}-\d{2}\.[^/]+")
_HIVE = re.compile(r"(?:.*/)?distributionid=([^/]+)/.*", re.IGNORECASE)
_MAX_REASON = 200  # characters; the metadata of an object may have 2 KB
_THROTTLED = {"LimitExceededException", "ServiceUnavailableException", "ThrottlingException"}
FIREHOSE_TIMEOUT_S = 20.0  # a full call has 5.6 MB


def distribution_of(key: str) -> str:
    """The distribution that a log's key names; `-` if the key is none of CloudFront's."""
    match = _NAME.fullmatch(key) or _HIVE.fullmatch(key)
    return match[1] if match else "-"


@contextmanager
def open_log(stored: StoredObject) -> Iterator[BinaryIO]:
    """The content of a log, as it comes.

    Raises:
        GoneError: There is no such object any more.
        ReplacedError: The object is another one by now.
    """
    s3 = client("s3", read_timeout=20.0)
    with _same_object():
        answer = s3.get_object(Bucket=stored.bucket, Key=stored.key, IfMatch=stored.etag)
    with closing(answer["Body"]) as body:
        yield cast("BinaryIO", body)


@contextmanager
def _same_object() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "PreconditionFailed":
            raise ReplacedError from None
        if code in ("NoSuchKey", "404"):
            raise GoneError("the object was deleted before it was read") from None
        raise


def send(stream: str, records: list[bytes]) -> list[str | None]:
    """One call of PutRecordBatch: the error of each record, or None.

    Raises:
        StreamBusyError: The call as a whole was throttled or not answered.
    """
    try:
        answer = client("firehose", read_timeout=FIREHOSE_TIMEOUT_S).put_record_batch(
            DeliveryStreamName=stream, Records=[{"Data": record} for record in records]
        )
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status >= 500 or error.response["Error"]["Code"] in _THROTTLED:
            raise StreamBusyError(error.response["Error"]["Code"]) from error
        raise
    except (HTTPClientError, UnreachableError) as error:
        raise StreamBusyError("no answer") from error
    return [response.get("ErrorCode") for response in answer["RequestResponses"]]


def write_rejected(bucket: str, stored: StoredObject, rows: Sequence[Rejected], with_text: bool) -> None:
    """Write rows that were not taken to the error prefix; again the same object if it is done again."""
    lines = [
        json.dumps(
            {"filename": stored.key, "line": row.line, "reason": row.reason}
            | ({"text": row.text} if with_text else {})
        )
        for row in rows
    ]
    client("s3").put_object(
        Bucket=bucket,
        Key=f"errors/rows/{stored.key}.{stored.etag}.jsonl",
        Body="\n".join([*lines, ""]).encode(),
        ContentType="application/x-ndjson",
    )


def quarantine(bucket: str, stored: StoredObject, problem: str, reason: str) -> None:
    """Copy a log to the quarantine prefix, and say there what is wrong with it.

    Raises:
        GoneError: There is no such object any more.
        ReplacedError: The object is another one by now.
    """
    with _same_object():
        client("s3", read_timeout=60.0).copy_object(
            Bucket=bucket,
            Key=f"quarantine/{stored.key}.{stored.etag}",
            CopySource={"Bucket": stored.bucket, "Key": stored.key},
            CopySourceIfMatch=stored.etag,
            MetadataDirective="REPLACE",
            Metadata={"problem": problem, "reason": reason[:_MAX_REASON]},
        )
