"""The function behind the state machine of imports: its steps, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from auth import import_files
from auth.imports import files
from local.memory_auth import World
from local.memory_s3 import MemoryS3
from ops.paths import ROOT
from shared.events import ForeignEventError

LINE = b'{"id": "1", "email": "ada@example.org", "email_verified": true}\n'
FILE = {"key": "bulk/toys.jsonl", "company": "toys"}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> MemoryS3:
    """The bucket; the function's environment, and its records, are there too."""
    variables = {"TABLE": "users", "KMS_KEY": "key", "SECRETS": "/stack/auth", "AWS_REGION": "eu-west-1"}
    for name, value in (variables | {"IMPORT_BUCKET": "bucket", "PART_BYTES": "100"}).items():
        monkeypatch.setenv(name, value)
    world, s3 = World(), MemoryS3()
    world.register("toys")
    monkeypatch.setattr(files, "client", lambda _: s3)
    monkeypatch.setattr(import_files, "get_records", lambda: world.services)
    return s3


def step(**event: Any) -> dict[str, Any]:
    """Take a step; what goes in and what comes out is JSON."""
    answer = import_files.handler(json.loads(json.dumps(event)), LambdaContext())
    found: dict[str, Any] = json.loads(json.dumps(answer))
    return found


def test_steps_take_each_others_answers(bucket: MemoryS3) -> None:
    bucket.objects["bulk/toys.jsonl"] = [LINE * 2]
    checked = step(step="check", given={"files": [FILE], "run": True})
    assert checked["run"] is True
    for stage in files.STAGES:
        [file] = checked["files"]
        places = []
        while not file["done"]:
            file = step(step="part", execution="e", stage=stage, file=file)
            places.append((file["part"], file["line"], file["start"]))
        assert places == [(1, 1, len(LINE)), (2, 2, 2 * len(LINE))], "a part ends with a line"
        told = step(step="report", execution="e", stage=stage, files=[file])
        assert told["report"] == f"reports/bulk/e/{stage}.json"
        assert (told["lines"]["created"], told["lines"]["already"], told["differences"]) == (1, 1, 0)


def test_recorded_event_is_answered(bucket: MemoryS3) -> None:
    event = json.loads((ROOT / "events/auth/import_files_report_of_none.json").read_text())
    assert step(**event)["differences"] == 0
    assert list(bucket.objects) == ["reports/bulk/recorded/dry_run.json"]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"step": "check"},
        {"step": "erase", "given": {}},
        {"step": "check", "given": {}, "more": 1},
        {"step": "report", "execution": "e", "stage": "other", "files": []},
        {"step": "report", "execution": "e", "files": []},
        {"step": "part", "execution": "e", "stage": "run"},
        {"Records": []},
    ],
)
def test_what_is_no_step_is_foreign(bucket: MemoryS3, event: dict[str, Any]) -> None:
    with pytest.raises(ForeignEventError):
        step(**event)
    assert bucket.objects == {}
