"""Imports of files in memory: the code of the steps, on a table and a bucket that are dictionaries."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from auth.imports import files
from auth.imports.files import ImportFile, Place, Stage
from datagen.company_files import CompanyFiles
from shared.http import BusyError

from .memory_auth import Crash, World
from .memory_s3 import MemoryS3

__all__ = ["COMPANIES", "MemoryImports"]

COMPANIES = ("books", "toys", "tools")

type Line = dict[str, Any]


class MemoryImports:
    """A world with companies, a bucket, and the state machine's steps in its order.

    Args:
        replace: Replaces an attribute of a module: the client of S3.

    Attributes:
        world: The authentication.
        s3: The bucket.
    """

    def __init__(self, replace: Callable[[Any, str, Any], None] = setattr) -> None:
        self.world = World()
        for company in COMPANIES:
            self.world.register(company)
        self.world.register("group", company="*")
        self.s3 = MemoryS3(self.world.call)
        replace(files, "client", lambda _: self.s3)

    def upload(self, made: CompanyFiles) -> list[Line]:
        """Upload a file of each company; what the input calls them."""
        for company in COMPANIES:
            self.s3.objects[f"bulk/{company}.jsonl"] = [made.body(company)]
        return [{"key": f"bulk/{company}.jsonl", "company": company} for company in COMPANIES]

    def check(self, named: Any, part_bytes: int = 1 << 19, **more: Any) -> list[ImportFile]:
        """The files that an execution's input names."""
        found = files.check(self.world.services, "bucket", part_bytes, {"files": named, "run": True, **more})
        return [ImportFile(**json.loads(json.dumps(each))) for each in found["files"]]

    def again(self, step: Callable[[], Any]) -> Any:
        """A step until it is done, as the state machine has it."""
        while True:
            try:
                return step()
            except (Crash, BusyError, ClientError):
                continue

    def stage(
        self, stage: Stage, found: list[ImportFile], part_bytes: int, *, execution: str = "execution"
    ) -> list[ImportFile]:
        """Take all parts of all files, and write the report."""
        place, done = Place("bucket", execution, stage), []
        for file in found:
            following = file
            while not following.done:
                step = partial(files.take_part, self.world.services, place, part_bytes, following)
                following = self.again(step)
            done.append(following)
        self.again(lambda: files.report(place, done))
        return done

    def lines(self, stage: Stage, execution: str = "execution") -> list[Line]:
        """The report of a stage, line by line."""
        report = json.loads(self.s3.objects[f"reports/bulk/{execution}/{stage}.json"][-1])
        keys = [key for file in report["files"] for key in file["reports"]]
        return [json.loads(text) for key in keys for text in self.s3.objects[key][-1].splitlines()]

    def accounts(self) -> set[str]:
        """All records of accounts."""
        return {pk for pk, sk in self.world.table.tables["users"] if pk.startswith("U#") and sk == "."}
