"""Imports of files of several companies: the steps of an execution of the state machine.

bulk/<name>.jsonl                             a file of a company, a JSON object in each line; never deleted
reports/bulk/<execution>/<stage>/<part>.jsonl what became of each line of a part of a file
reports/bulk/<execution>/<stage>.json         the same of all files, in numbers and by name

The stages are `dry_run` and `run`. Parts are taken one after the other, in the order of the files: what a
line meets is what the lines before it left, or would have left. Each line that changes something is noted in
one transaction with the change, so that a part that is done again reports what it did the first time.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

from botocore.exceptions import ClientError

from shared.clients import client

from ..services import Records
from ..storage import LINE_RESULTS, Write
from .decisions import Decision
from .importing import DryRun, Importer
from .lines import MAX_LINE_BYTES, numbered

__all__ = ["STAGES", "BadFilesError", "ImportFile", "Place", "Stage", "check", "report", "take_part"]

type Stage = Literal["dry_run", "run"]

STAGES: tuple[Stage, ...] = get_args(Stage.__value__)

MAX_FILES = 100
MAX_PARTS = 512
"""Of all files, a million lines or so: what a day is enough for. Twice as many tasks have 7 events each in
the execution's history, which has room for 25,000
(https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html)."""
_KEY = re.compile(r"bulk/[A-Za-z0-9._-]{1,200}\.jsonl")
_SHOWN = 10


class BadFilesError(Exception):
    """The files cannot be imported as they are; the text names the first that cannot."""


class Place(NamedTuple):
    """A stage of an execution, and where its reports are.

    Attributes:
        bucket: The bucket, of the files too.
        execution: The execution's name.
        stage: The stage.
    """

    bucket: str
    execution: str
    stage: Stage

    def key(self, part: str) -> str:
        """The key of a part's report."""
        return f"reports/bulk/{self.execution}/{self.stage}/{part}.jsonl"

    def write(self, part: str, entries: list[dict[str, Any]]) -> None:
        """Write what became of the lines of a part."""
        body = "".join(json.dumps(entry) + "\n" for entry in entries).encode()
        client("s3").put_object(
            Bucket=self.bucket, Key=self.key(part), Body=body, ContentType="application/jsonl"
        )

    def read(self, part: str) -> list[dict[str, Any]]:
        """What became of the lines of a part."""
        body = client("s3").get_object(Bucket=self.bucket, Key=self.key(part))["Body"].read()
        return [json.loads(line) for line in body.splitlines()]


@dataclass(frozen=True)
class ImportFile:
    """A file, and how far it is.

    Attributes:
        number: Its place among the files, from 0.
        key: Its name in the bucket.
        company: Whose people are in it.
        version: Its version; one that is uploaded meanwhile is not looked at.
        size: Bytes.
        part: The part that comes next, from 0.
        line: Lines before that part.
        start: The part's first byte.
        done: Whether there is no part left.
        lines: Lines that were taken, by what became of them.
        differences: Lines of which something else became than in the dry run.
    """

    number: int
    key: str
    company: str
    version: str
    size: int
    part: int = 0
    line: int = 0
    start: int = 0
    done: bool = False
    lines: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LINE_RESULTS, 0))
    differences: int = 0

    def part_name(self, part: int) -> str:
        """The name of a part among those of all files."""
        return f"{self.number:03}-{part:06}"


def check(records: Records, bucket: str, part_bytes: int, given: Any) -> dict[str, Any]:
    """Look at all files before anything is written.

    Args:
        records: The records.
        bucket: Where the files are.
        part_bytes: Bytes of a part.
        given: The execution's input, `{"files": [{"key", "company"}, ...], "run"}`.

    Returns:
        `files`, each as an `ImportFile`, and `run`.

    Raises:
        BadFilesError: The input is something else; a file is missing, empty, too large, named twice, or of a
            company that is not registered.
    """
    if not isinstance(given, dict) or set(given) != {"files", "run"} or not isinstance(given["run"], bool):
        raise BadFilesError('The input is not {"files": [{"key", "company"}, ...], "run": true or false}.')
    named = given["files"]
    if not isinstance(named, list) or not 0 < len(named) <= MAX_FILES:
        raise BadFilesError(f"files is not a list of 1 to {MAX_FILES} files.")
    files: list[ImportFile] = []
    left = MAX_PARTS * part_bytes
    for each in named:
        file = _found(records, bucket, len(files), each)
        if file.key in [other.key for other in files]:
            raise BadFilesError(f"{file.key} is named twice.")
        left -= file.size
        if left < 0:
            raise BadFilesError(
                f"{file.key} is too large: an execution takes {MAX_PARTS * part_bytes:,} bytes of all files."
            )
        files.append(file)
    return {"files": [asdict(file) for file in files], "run": given["run"]}


def _found(records: Records, bucket: str, number: int, named: Any) -> ImportFile:
    """A file as the input names it and the bucket has it."""
    if not isinstance(named, dict) or set(named) != {"key", "company"}:
        raise BadFilesError(f"File {number + 1} is not named by key and company alone.")
    key, company = named["key"], named["company"]
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise BadFilesError(f"{key!r} is no key of the form bulk/<name>.jsonl.")
    registered = records.store.clients.get(company) if isinstance(company, str) else None
    if registered is None or registered["company"] != company:
        raise BadFilesError(f"{key} is of {company!r}, and no client of that name and company is registered.")
    try:
        head = client("s3").head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
            raise
        raise BadFilesError(f"{key} is missing.") from error
    if head["ContentLength"] == 0:
        raise BadFilesError(f"{key} is empty.")
    return ImportFile(number, key, company, head["VersionId"], head["ContentLength"])


def take_part(records: Records, place: Place, part_bytes: int, file: ImportFile) -> ImportFile:
    """Take the next part of a file, and write its report.

    Args:
        records: The records.
        place: The stage. `run` imports the lines, and compares what became of them with `dry_run`.
        part_bytes: Bytes of a part, at most; it ends with a line.
        file: The file.

    Returns:
        The file with what comes next.

    Raises:
        BadFilesError: A line is longer than a part.
        BusyError: Not now; a part that was begun goes on where it stopped.
    """
    body = _read_part(place.bucket, part_bytes, file)
    name = file.part_name(file.part)
    entries = list(_take_lines(records, place, file, body))
    place.write(name, entries)
    counts = Counter(entry["result"] for entry in entries)
    different = len(_differences(place, name, entries)) if place.stage == "run" else 0
    end = file.start + len(body)
    return replace(
        file,
        part=file.part + 1,
        line=file.line + body.count(b"\n"),
        start=end,
        done=end >= file.size,
        lines={result: file.lines[result] + counts[result] for result in LINE_RESULTS},
        differences=file.differences + different,
    )


def _read_part(bucket: str, part_bytes: int, file: ImportFile) -> bytes:
    """The lines of the next part."""
    last = min(file.start + part_bytes, file.size) - 1
    body = (
        client("s3")
        .get_object(Bucket=bucket, Key=file.key, VersionId=file.version, Range=f"bytes={file.start}-{last}")[
            "Body"
        ]
        .read()
    )
    if last == file.size - 1:
        return body
    whole = body[: body.rfind(b"\n") + 1]
    if not whole:
        raise BadFilesError(f"{file.key} has a line of far more than {MAX_LINE_BYTES} bytes.")
    return whole


def _take_lines(records: Records, place: Place, file: ImportFile, body: bytes) -> Iterator[dict[str, Any]]:
    """What became of each line of a part, of those that an earlier attempt took, too."""
    journal, company = records.store.import_lines, file.company
    importer = Importer(records, company)
    if place.stage == "dry_run":
        importer = DryRun(records, company, place.execution)
    part = place.execution, place.stage, file.part_name(file.part)
    taken = journal.taken(part)

    def note(number: int, decision: Decision) -> Write:
        return journal.take(part, number, decision.report())

    for number, text in numbered(body, file.line):
        outcome = taken[number] if number in taken else importer.take(text, partial(note, number))
        yield {"line": number, **outcome}


def _differences(place: Place, part: str, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines of a part of which something else became than in the dry run."""
    expected = place._replace(stage="dry_run").read(part)
    pairs = zip(expected, entries, strict=True)
    return [{"line": run["line"], "dry_run": dry, "run": run} for dry, run in pairs if dry != run]


def report(place: Place, files: list[ImportFile]) -> dict[str, Any]:
    """Write the report of a stage: each file, and all together.

    Args:
        place: The stage.
        files: The files, done.

    Returns:
        `report`, its key; `lines`, what became of all of them; `differences` from the dry run, how many, and
        `first`, where the first of them are.
    """
    each = [_report_of(place, file) for file in files]
    codes = sum((found["refused"] for found in each), Counter[str]())
    together = {
        "report": f"reports/bulk/{place.execution}/{place.stage}.json",
        "lines": {result: sum(file.lines[result] for file in files) for result in LINE_RESULTS},
        "differences": sum(file.differences for file in files),
    }
    client("s3").put_object(
        Bucket=place.bucket,
        Key=together["report"],
        Body=json.dumps({**together, "refused": codes, "files": each}).encode(),
        ContentType="application/json",
    )
    first = [f"line {one['line']} of {found['key']}" for found in each for one in found["differences"]]
    return together | {"first": first[:_SHOWN]}


def _report_of(place: Place, file: ImportFile) -> dict[str, Any]:
    """What became of a file: counts, codes of refusals, and the lines that met an account, or differ."""
    codes: Counter[str] = Counter()
    met: dict[str, list[dict[str, Any]]] = {"merged": [], "conflict": []}
    differences: list[dict[str, Any]] = []
    names = [file.part_name(part) for part in range(file.part)]
    for name in names:
        entries = place.read(name)
        codes.update(entry["code"] for entry in entries if "code" in entry)
        for entry in entries:
            if entry["result"] in met:
                met[entry["result"]].append({key: entry[key] for key in entry if key != "result"})
        if place.stage == "run":
            differences += _differences(place, name, entries)
    return {
        "key": file.key,
        "company": file.company,
        "version": file.version,
        "lines": file.lines,
        "refused": codes,
        **met,
        "differences": differences,
        "reports": [place.key(name) for name in names],
    }
