"""Exports that are too large for an answer.

===========  ==============================================================
Item         a job
Key          `pk` = `X#<job>`, `sk` = `.`
Attributes   `client` S, `user` S, `state` S
TTL          a day, as its file
Written by   the API, the importer
===========  ==============================================================
"""

from typing import Literal, NamedTuple
from uuid import uuid4

from ._table import ONLY, Item, Table, Write, put, update

__all__ = ["ExportJob", "ExportJobs", "ExportState"]

_KEPT_S = 86_400

type ExportState = Literal["running", "done", "failed"]


class ExportJob(NamedTuple):
    """A job.

    Attributes:
        client: Who asked for it.
        user: Whose data it exports.
        state: How far it is.
    """

    client: str
    user: str
    state: ExportState = "running"


class ExportJobs:
    """Reads and writes of jobs."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, job: str) -> ExportJob | None:
        """A job; None if there is none, or it has expired."""
        item = self._table.get(_key(job))
        return None if item is None else ExportJob(item["client"]["S"], item["user"]["S"], item["state"]["S"])

    def create(self, made: ExportJob) -> tuple[str, Write]:
        """The id of a new job, and its write."""
        job = str(uuid4())
        item: Item = {
            "client": {"S": made.client},
            "user": {"S": made.user},
            "state": {"S": made.state},
            "expires": {"N": str(int(self._table.now()) + _KEPT_S)},
        }
        return job, put(_key(job), ONLY, item, new=True)

    def set_state(self, job: str, state: ExportState) -> Write:
        """Change how far a job is."""
        return update(
            _key(job),
            ONLY,
            "SET #state = :state",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":state": {"S": state}},
        )


def _key(job: str) -> str:
    return f"X#{job}"
