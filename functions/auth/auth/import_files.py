"""Imports files of several companies, a step at a time, for the state machine.

Trigger: Step Functions, statemachines/auth_imports.asl.json, a task for each step.
Input: `{"step": "check", "given"}`, where `given` is the execution's input;
    `{"step": "part", "execution", "stage", "file"}`; `{"step": "report", "execution", "stage", "files"}`. A
    stage is `dry_run` or `run`.
Output: the files as they are in the bucket; a file with what comes next; the report's key, and what became of
    the lines (see `imports.files`).
On failure: raises, and the state machine tries again, but for files that cannot be imported as they are. A
    line that cannot be imported is reported, and stops no other.
Idempotent: a part that is done again reports what it did the first time, since each line is noted with what
    it changes; ids of accounts are derived, so a file that is imported again is `already` there.
Recorded event: events/auth/import_files_report_of_none.json
"""

from dataclasses import asdict
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.events import ForeignEventError

from .imports import files
from .services import get_records
from .settings import ImportFilesSettings

__all__ = ["handler"]

logger = Logger()

_MEMBERS = {
    "check": {"step", "given"},
    "part": {"step", "execution", "stage", "file"},
    "report": {"step", "execution", "stage", "files"},
}
"""The members of a step's input."""


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Take a step of an import.

    Raises:
        ForeignEventError: It is no step: trying again changes nothing.
        BadFilesError: The files cannot be imported as they are.
        BusyError: Not now.
    """
    settings = ImportFilesSettings.from_env()
    step = event.get("step", "")
    if set(event) != _MEMBERS.get(step) or event.get("stage", "run") not in files.STAGES:
        raise ForeignEventError("no step of an import")
    if step == "check":
        return files.check(get_records(), settings.import_bucket, settings.part_bytes, event["given"])
    place = files.Place(settings.import_bucket, event["execution"], event["stage"])
    if step == "report":
        return files.report(place, [files.ImportFile(**each) for each in event["files"]])
    after = files.take_part(get_records(), place, settings.part_bytes, files.ImportFile(**event["file"]))
    logger.info(
        "part imported", execution=place.execution, stage=place.stage, file=after.key, lines=after.lines
    )
    return asdict(after)
