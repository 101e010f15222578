"""Imports: jobs, and their parts that are done.

===========  ==============================================================
Item         a job
Key          `pk` = `I#<job>`, `sk` = `.`
Attributes   `client` S, `company` S, `dry_run` BOOL, `state` S; `parts` N once an upload was split,
             `problem` S once it failed
TTL          30 days
Written by   the API, the importer
===========  ==============================================================

===========  ==============================================================
Item         an upload of a job that was split; two PUTs to one address are two uploads
Key          `pk` = `I#<job>`, `sk` = `upload#<version of the object>`
Attributes   `first` N (its first part), `parts` N
TTL          30 days
Written by   the importer, once
===========  ==============================================================

===========  ==============================================================
Item         a part of a job that is done
Key          `pk` = `I#<job>`, `sk` = `<number of the part, six digits>`
Attributes   `created` N, `merged` N, `already` N, `conflict` N, `erased` N, `refused` N: lines by what became
             of them
TTL          30 days
Written by   the importer, again if a part is done again
===========  ==============================================================
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from ._table import ONLY, Item, Table, Write, put, update

__all__ = ["LINE_RESULTS", "ImportJob", "ImportJobs", "ImportPart", "ImportUpload", "JobState", "LineResult"]

_KEPT_S = 30 * 86_400
_UPLOAD = "upload#"

type JobState = Literal["waiting", "running", "done", "failed"]

type LineResult = Literal["created", "merged", "already", "conflict", "erased", "refused"]

LINE_RESULTS: tuple[LineResult, ...] = get_args(LineResult.__value__)
"""What may become of a line."""


class ImportJob(NamedTuple):
    """A job.

    Attributes:
        client: Who imports.
        company: The company whose people are imported, or `*` for any.
        dry_run: Whether nothing is to be changed.
        state: How far it is.
        parts: How many parts its uploads have; 0 until one was split.
        problem: Why it failed; empty if it did not.
    """

    client: str
    company: str
    dry_run: bool
    state: JobState = "waiting"
    parts: int = 0
    problem: str = ""


class ImportUpload(NamedTuple):
    """An upload of a job.

    Attributes:
        version: Of the object that was uploaded.
        first: The number of its first part, from 0.
        parts: How many it has.
    """

    version: str
    first: int
    parts: int


class ImportPart(NamedTuple):
    """A part of a job that is done.

    Attributes:
        name: Its number, six digits.
        counts: Lines by what became of them.
    """

    name: str
    counts: Mapping[LineResult, int]


class ImportJobs:
    """Reads and writes of jobs."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, job: str) -> tuple[ImportJob | None, list[ImportPart]]:
        """A job, and its parts that are done."""
        items = {item["sk"]["S"]: item for item in self._table.query(_key(job))}
        found = items.pop(ONLY, None)
        parts = [_part(sk, item) for sk, item in items.items() if not sk.startswith(_UPLOAD)]
        return (None if found is None else _job(found)), parts

    def uploads(self, job: str) -> list[ImportUpload]:
        """The uploads of a job that were split."""
        return [_upload(item) for item in self._table.query(_key(job), _UPLOAD)]

    def add_upload(self, job: str, found: ImportJob, upload: ImportUpload) -> list[Write]:
        """Add the parts of an upload to a job, which runs from then on.

        The writes fail if the upload was added before, or another one meanwhile.

        Args:
            job: The job.
            found: The job as it was read.
            upload: The upload; its first part comes after those that the job has.
        """
        item: Item = {
            "first": {"N": str(upload.first)},
            "parts": {"N": str(upload.parts)},
            "expires": self._expires(),
        }
        names = {"#state": "state", "#parts": "parts"}
        values: Item = {":running": {"S": "running"}, ":parts": {"N": str(found.parts + upload.parts)}}
        condition = "attribute_not_exists(#parts)"
        if found.parts:
            condition, values[":before"] = "#parts = :before", {"N": str(found.parts)}
        return [
            put(_key(job), _UPLOAD + upload.version, item, new=True),
            update(
                _key(job),
                ONLY,
                "SET #state = :running, #parts = :parts REMOVE problem",
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            ),
        ]

    def create(self, job: str, made: ImportJob) -> Write:
        """Write a new job, which waits for its upload."""
        item: Item = {
            "client": {"S": made.client},
            "company": {"S": made.company},
            "dry_run": {"BOOL": made.dry_run},
            "state": {"S": made.state},
            "expires": self._expires(),
        }
        return put(_key(job), ONLY, item, new=True)

    def put_part(self, job: str, name: str, counts: Mapping[LineResult, int]) -> Write:
        """Write what became of a part."""
        numbers: Item = {result: {"N": str(counts.get(result, 0))} for result in LINE_RESULTS}
        return put(_key(job), name, numbers | {"expires": self._expires()})

    def set_state(self, job: str, state: JobState, *, problem: str | None = None) -> Write:
        """Change how far a job is.

        Args:
            job: The job.
            state: Its state.
            problem: Why it failed; None changes nothing.
        """
        values: Item = {":state": {"S": state}} | ({":problem": {"S": problem}} if problem else {})
        return update(
            _key(job),
            ONLY,
            "SET #state = :state" + (", problem = :problem" if problem else ""),
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues=values,
        )

    def finish(self, job: str, parts: int) -> Write:
        """Note that all parts of a job are done; fails if it has failed, or another upload was added."""
        return update(
            _key(job),
            ONLY,
            "SET #state = :done",
            ConditionExpression="#state = :running AND #parts = :parts",
            ExpressionAttributeNames={"#state": "state", "#parts": "parts"},
            ExpressionAttributeValues={
                ":done": {"S": "done"},
                ":running": {"S": "running"},
                ":parts": {"N": str(parts)},
            },
        )

    def _expires(self) -> Item:
        return {"N": str(int(self._table.now()) + _KEPT_S)}


def _key(job: str) -> str:
    return f"I#{job}"


def _job(item: Item) -> ImportJob:
    return ImportJob(
        item["client"]["S"],
        item["company"]["S"],
        item["dry_run"]["BOOL"],
        item["state"]["S"],
        int(item["parts"]["N"]) if "parts" in item else 0,
        item["problem"]["S"] if "problem" in item else "",
    )


def _upload(item: Item) -> ImportUpload:
    version = item["sk"]["S"].removeprefix(_UPLOAD)
    return ImportUpload(version, int(item["first"]["N"]), int(item["parts"]["N"]))


def _part(name: str, item: Item) -> ImportPart:
    counts = {result: int(item[result]["N"]) if result in item else 0 for result in LINE_RESULTS}
    return ImportPart(name, counts)
