"""Imports accounts from an uploaded file: splits it, and imports its parts side by side. Writes exports, too.

Trigger: SQS, one message at a time: S3's notification of an upload, a part that this function sent itself, or
    an export that the API asks for, `{"export": <job>}`.
Input: a version of `uploads/<job>.jsonl`, a JSON object in each line (see `imports.lines`); a part is
    `{"job", "part", "line", "start", "end", "version", "upload"}`, bytes of the version. Two uploads to one
    address are two versions, and both are imported.
Output: accounts; `reports/<job>/<part>.jsonl` with what became of each line, `exports/<job>.json`; the states
    of the jobs.
On failure: the message comes back, five times, and ends in the dead-letter queue, whose alarm fires; one
    that is no message of an import goes there at once. A line that cannot be imported is reported, and stops
    nobody else's.
Idempotent: a part that is done is not done again. An account's id is derived from company and id of origin,
    so that a part that was left half done finds its accounts, and reports them as `already`.
Recorded event: events/auth/importer_part_without_job.json
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import unquote_plus
from uuid import UUID

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from shared.batches import BatchResponse, PermanentError, QueueBatch, RetryableError
from shared.clients import client
from shared.metrics import publishes_metrics

from .exports import jobs as exports
from .imports.importing import DryRun, Importer
from .imports.lines import MAX_LINE_BYTES, numbered
from .services import Records, get_records
from .settings import ImportSettings
from .storage import ImportJob, ImportUpload, LineResult, LostRaceError

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

__all__ = ["handler", "split"]

logger = Logger()

_CHUNK = 1 << 20
_TRIES = 4
MAX_PARTS = 2000


@dataclass(frozen=True)
class _Part:
    """A part of an upload, as its message has it.

    Attributes:
        job: The job.
        part: Its number in the job, from 0.
        line: Lines of the upload before it.
        start: Its first byte in the upload.
        end: The first byte behind it.
        version: The upload's version.
        upload: The upload's number in the job, from 1.
    """

    job: str
    part: int
    line: int = 0
    start: int = 0
    end: int = 0
    version: str = "null"
    upload: int = 1


class _Place(TypedDict):
    """Where an upload is."""

    Bucket: str
    Key: str
    VersionId: str


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> BatchResponse:  # noqa: ARG001
    """Take one message."""
    settings, records = ImportSettings.from_env(), get_records()
    batch = QueueBatch(event, dead_letter_queue_url=settings.dead_letter_queue_url)
    return batch.each(lambda message: _take(records, settings, message.body))


def _take(records: Records, settings: ImportSettings, body: str) -> None:
    try:
        named = json.loads(body)
        if "job" in named:
            part = _Part(**named)
        elif "export" in named:
            export = UUID(named["export"])
        else:
            uploads = [each["s3"]["object"] for each in named.get("Records", ())]
            keys = [(unquote_plus(each["key"]), each.get("versionId", "null")) for each in uploads]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PermanentError("neither a notification of S3 nor a part nor an export") from error
    if "job" in named:
        _import_part(records, settings, part)
    elif "export" in named:
        exports.write(records, settings.import_bucket, str(export))
    else:
        for key, version in keys:
            _split_upload(records, settings, key, version)


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


def _split_upload(records: Records, settings: ImportSettings, key: str, version: str) -> None:
    job = key.removeprefix("uploads/").removesuffix(".jsonl")
    found, _ = records.store.imports.get(job)
    s3 = client("s3")
    place: _Place = {"Bucket": settings.import_bucket, "Key": key, "VersionId": version}
    if found is None:
        logger.info("upload without a job", job=job)
        s3.delete_object(**place)  # it holds personal data
        return
    try:
        body = s3.get_object(**place)["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "NoSuchVersion"):
            raise
        logger.info("upload is gone", job=job)
        return
    cuts = list(split(body.iter_chunks(_CHUNK), settings.part_lines))
    problem = None
    if len(cuts) > MAX_PARTS:
        problem = f"The upload has more than {MAX_PARTS * settings.part_lines} lines."
    elif any(end - start > settings.part_lines * (MAX_LINE_BYTES + 2) for start, end in cuts):
        problem = f"The upload has lines of far more than {MAX_LINE_BYTES} bytes."
    if problem is not None:
        records.store.commit(records.store.imports.set_state(job, "failed", problem=problem))
        s3.delete_object(**place)
    elif cuts:
        upload, number = _add_upload(records, job, version, len(cuts))
        _send_parts(settings, _Part(job, upload.first, version=version, upload=number), cuts)
        logger.info("import split", job=job, upload=number, parts=len(cuts))
    elif found.parts == 0:
        records.store.commit(records.store.imports.set_state(job, "done"))


def _add_upload(records: Records, job: str, version: str, parts: int) -> tuple[ImportUpload, int]:
    """An upload among those of its job, and its number there.

    The job knows how many parts it has before the first is sent; else one that is done early takes itself for
    the last.
    """
    for _ in range(_TRIES):
        found, _ = records.store.imports.get(job)
        uploads = sorted(records.store.imports.uploads(job), key=lambda each: each.first)
        for number, known in enumerate(uploads, 1):
            if known.version == version:
                return known, number
        if found is None:
            break
        upload = ImportUpload(version, found.parts, parts)
        try:
            records.store.commit(*records.store.imports.add_upload(job, found, upload))
        except LostRaceError:
            continue
        return upload, len(uploads) + 1
    raise RetryableError("uploads of one job were split side by side")


def _send_parts(settings: ImportSettings, first: _Part, cuts: list[tuple[int, int]]) -> None:
    parts = [
        replace(first, part=first.part + number, line=number * settings.part_lines, start=start, end=end)
        for number, (start, end) in enumerate(cuts)
    ]
    for place in range(0, len(parts), 10):
        batch: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(each.part), "MessageBody": json.dumps(asdict(each))}
            for each in parts[place : place + 10]
        ]
        answer = client("sqs").send_message_batch(QueueUrl=settings.import_queue, Entries=batch)
        if answer.get("Failed"):
            raise RetryableError("not every part could be sent")


def _import_part(records: Records, settings: ImportSettings, part: _Part) -> None:
    imports, name = records.store.imports, f"{part.part:06}"
    found, done = imports.get(part.job)
    if found is None:
        return
    s3 = client("s3")
    place: _Place = {
        "Bucket": settings.import_bucket,
        "Key": f"uploads/{part.job}.jsonl",
        "VersionId": part.version,
    }
    if name not in {each.name for each in done}:
        body = s3.get_object(**place, Range=f"bytes={part.start}-{part.end - 1}")["Body"].read()
        counts, report = _take_lines(records, part, found, body)
        s3.put_object(
            Bucket=settings.import_bucket,
            Key=f"reports/{part.job}/{name}.jsonl",
            Body=report,
            ContentType="application/jsonl",
        )
        records.store.commit(imports.put_part(part.job, name, counts))
        logger.info("part imported", job=part.job, part=part.part, counts=dict(counts))
        found, done = imports.get(part.job)
    numbers = {int(each.name) for each in done}
    for upload in imports.uploads(part.job):
        if upload.version == part.version and numbers.issuperset(
            range(upload.first, upload.first + upload.parts)
        ):
            s3.delete_object(**place)
    if found is not None and len(numbers) == found.parts:
        with suppress(LostRaceError):  # it has failed, or another upload was added
            records.store.commit(imports.finish(part.job, found.parts))


def _take_lines(
    records: Records, part: _Part, job: ImportJob, body: bytes
) -> tuple[Counter[LineResult], bytes]:
    """What became of the lines of a part: how many of which, and the report."""
    importer = DryRun(records, job.company, part.job) if job.dry_run else Importer(records, job.company)
    later = {"upload": part.upload} if part.upload > 1 else {}
    counts: Counter[LineResult] = Counter()
    report = []
    for number, line in numbered(body, part.line):
        outcome = importer.take(line)
        counts[outcome["result"]] += 1
        report.append(json.dumps({"line": number, **later, **outcome}) + "\n")
    return counts, "".join(report).encode()
