"""Imports: jobs, and their parts that are done.

===========  ==============================================================
Item         a job
Key          `pk` = `I#<job>`, `sk` = `.`
Attributes   `client` S, `company` S, `dry_run` BOOL, `state` S; `parts` N once its upload was split,
             `problem` S once it failed
TTL          30 days
Written by   the API, the importer
===========  ==============================================================

===========  ==============================================================
Item         a part of a job that is done
Key          `pk` = `I#<job>`, `sk` = `<number of the part, six digits>`
Attributes   `created` N, `merged` N, `already` N, `conflict` N, `refused` N: lines by what became of them
TTL          30 days
Written by   the importer, again if a part is done again
===========  ==============================================================
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from ._table import ONLY, Item, Table, Write, put, update

__all__ = ["LINE_RESULTS", "ImportJob", "ImportJobs", "ImportPart", "JobState", "LineResult"]

_KEPT_S = 30 * 86_400

type JobState = Literal["waiting", "running", "done", "failed"]

type LineResult = Literal["created", "merged", "already", "conflict", "refused"]

LINE_RESULTS: tuple[LineResult, ...] = get_args(LineResult.__value__)
"""What may become of a line."""


class ImportJob(NamedTuple):
    """A job.

    Attributes:
        client: Who imports.
        company: The company whose people are imported, or `*` for any.
        dry_run: Whether nothing is to be changed.
        state: How far it is.
        parts: How many parts it has; 0 until its upload was split.
        problem: Why it failed; empty if it did not.
    """

    client: str
    company: str
    dry_run: bool
    state: JobState = "waiting"
    parts: int = 0
    problem: str = ""


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
        return (None if found is None else _job(found)), [_part(sk, item) for sk, item in items.items()]

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

    def set_state(
        self, job: str, state: JobState, *, parts: int | None = None, problem: str | None = None
    ) -> Write:
        """Change how far a job is; None changes nothing."""
        values: Item = {":state": {"S": state}}
        sets = ["#state = :state"]
        if parts is not None:
            values[":parts"] = {"N": str(parts)}
            sets.append("parts = :parts")
        if problem is not None:
            values[":problem"] = {"S": problem}
            sets.append("problem = :problem")
        return update(
            _key(job),
            ONLY,
            "SET " + ", ".join(sets),
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues=values,
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


def _part(name: str, item: Item) -> ImportPart:
    return ImportPart(name, {result: int(item[result]["N"]) for result in LINE_RESULTS})
