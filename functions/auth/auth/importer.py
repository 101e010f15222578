"""Imports accounts from an uploaded file: splits it, and imports its parts side by side.

Trigger: SQS, one message at a time: S3's notification of an upload, or a part that this function sent itself.
Input: `uploads/<job>.jsonl`, a JSON object in each line (see `imports.lines`); a part is `{"job", "part",
    "start", "end"}`, bytes of the file.
Output: accounts; `reports/<job>/<part>.jsonl` with what became of each line; the state of the job.
On failure: the message comes back, five times, and ends in the dead-letter queue, whose alarm fires. A
    line that cannot be imported is reported, and stops nobody else's.
Idempotent: an account's id is derived from company and id of origin, so that a part that is done again finds
    its accounts; a part's counts and its report are written over.
Recorded event: events/auth/importer_part_without_job.json
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.batches import BatchResponse, Message, QueueBatch
from shared.clients import client
from shared.metrics import publishes_metrics

from .imports.lines import MAX_LINE_BYTES, Importer
from .services import Records, get_records
from .settings import ImportSettings
from .storage import LineResult

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

__all__ = ["handler", "split"]

logger = Logger()

_CHUNK = 1 << 20
MAX_PARTS = 2000


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> BatchResponse:  # noqa: ARG001
    """Take one message."""
    settings, records = ImportSettings.from_env(), get_records()

    def take(message: Message) -> None:
        named = json.loads(message.body)
        if "job" in named:
            _import_part(records, settings, named)
        else:
            for upload in named.get("Records", ()):
                _split_upload(records, settings, unquote_plus(upload["s3"]["object"]["key"]))

    return QueueBatch(event).each(take)


def split(body: Iterator[bytes], lines: int) -> Iterator[tuple[int, int]]:
    """Where a file of lines is to be cut.

    Args:
        body: The file in pieces.
        lines: Most lines of a part.

    Yields:
        First byte of a part, and the first byte behind it.
    """
    start = position = count = 0
    for piece in body:
        newline = -1
        while (newline := piece.find(b"\n", newline + 1)) >= 0:
            count += 1
            if count == lines:
                yield start, position + newline + 1
                start, count = position + newline + 1, 0
        position += len(piece)
    if position > start:
        yield start, position


def _split_upload(records: Records, settings: ImportSettings, key: str) -> None:
    job = key.removeprefix("uploads/").removesuffix(".jsonl")
    found, _ = records.store.imports.get(job)
    s3, queue = client("s3"), client("sqs")
    if found is None or found.state in ("done", "failed"):
        logger.info("upload without a job", job=job)
        s3.delete_object(Bucket=settings.import_bucket, Key=key)  # it holds personal data
        return
    try:
        upload = s3.get_object(Bucket=settings.import_bucket, Key=key)
    except s3.exceptions.NoSuchKey:
        logger.info("upload is gone", job=job)
        return
    parts = list(split(upload["Body"].iter_chunks(_CHUNK), settings.part_lines))
    problem = None
    if len(parts) > MAX_PARTS:
        problem = f"The upload has more than {MAX_PARTS * settings.part_lines} lines."
    elif any(end - start > settings.part_lines * (MAX_LINE_BYTES + 2) for start, end in parts):
        problem = f"The upload has lines of far more than {MAX_LINE_BYTES} bytes."
    if problem is not None:
        records.store.commit(records.store.imports.set_state(job, "failed", problem=problem))
        s3.delete_object(Bucket=settings.import_bucket, Key=key)
        return
    if not parts:
        records.store.commit(records.store.imports.set_state(job, "done", parts=0))
        return
    # The number of parts first: a part that is done early must not think that it was the last.
    records.store.commit(records.store.imports.set_state(job, "running", parts=len(parts)))
    messages = [
        {"job": job, "part": number, "start": start, "end": end} for number, (start, end) in enumerate(parts)
    ]
    for first in range(0, len(messages), 10):
        batch: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(each["part"]), "MessageBody": json.dumps(each)}
            for each in messages[first : first + 10]
        ]
        answer = queue.send_message_batch(QueueUrl=settings.import_queue, Entries=batch)
        if answer.get("Failed"):
            raise RuntimeError("not every part could be sent")
    logger.info("import split", job=job, parts=len(parts))


def _import_part(records: Records, settings: ImportSettings, message: dict[str, Any]) -> None:
    job, part = message["job"], message["part"]
    found, _ = records.store.imports.get(job)
    if found is None or found.state != "running":
        return
    s3 = client("s3")
    body = s3.get_object(
        Bucket=settings.import_bucket,
        Key=f"uploads/{job}.jsonl",
        Range=f"bytes={message['start']}-{message['end'] - 1}",
    )["Body"]
    importer = Importer(records, job, found.company, dry_run=found.dry_run)
    counts: Counter[LineResult] = Counter()
    report = []
    for number, line in enumerate(body.read().splitlines()):
        if not line.strip():
            continue
        outcome = importer.take(line)
        counts[outcome["result"]] += 1
        report.append(json.dumps({"line": number + part * settings.part_lines + 1, **outcome}))
    s3.put_object(
        Bucket=settings.import_bucket,
        Key=f"reports/{job}/{part:06}.jsonl",
        Body="".join(f"{line}\n" for line in report).encode(),
        ContentType="application/jsonl",
    )
    records.store.commit(records.store.imports.put_part(job, f"{part:06}", counts))
    logger.info("part imported", job=job, part=part, counts=dict(counts))
    found, done = records.store.imports.get(job)
    if found is not None and len(done) == found.parts:
        records.store.commit(records.store.imports.set_state(job, "done"))
        s3.delete_object(Bucket=settings.import_bucket, Key=f"uploads/{job}.jsonl")
