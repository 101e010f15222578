"""Somebody who imports files of several companies: uploads, starts the state machine, reads its reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local.suite import Suite
from local.waiting import wait

__all__ = ["ImportFiles"]


class ImportFiles:
    """The state machine of imports, and its bucket.

    Args:
        suite: Where.
    """

    def __init__(self, suite: Suite) -> None:
        self._s3, self._states = suite.client("s3"), suite.client("stepfunctions")
        self._bucket, self._machine = suite["AuthImportBucketName"], suite["AuthImportsStateMachineArn"]

    def upload(self, key: str, body: bytes) -> None:
        """Put a file into the bucket."""
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)

    def start(self, files: Mapping[str, str] | Any, *, run: bool, name: str) -> str:
        """Start an execution; its ARN.

        Args:
            files: Companies by the keys of their files, in order; or what the input is to have instead.
            run: Whether the files are imported after the dry run.
            name: The execution's name.
        """
        listed: Any = files
        if isinstance(files, Mapping):
            listed = [{"key": key, "company": company} for key, company in files.items()]
        return str(
            self._states.start_execution(
                stateMachineArn=self._machine, name=name, input=json.dumps({"files": listed, "run": run})
            )["executionArn"]
        )

    def ended(self, execution: str, seconds: float = 120) -> dict[str, Any]:
        """Wait for an execution; its description, with the output decoded, ended or not."""

        def done() -> dict[str, Any] | None:
            found: dict[str, Any] = self._states.describe_execution(executionArn=execution)
            return found if found["status"] != "RUNNING" else None

        found = wait(done, seconds) or self._states.describe_execution(executionArn=execution)
        return found | {"output": json.loads(found.get("output") or "null")}

    def report(self, name: str, stage: str) -> dict[str, Any]:
        """The report of a stage, `dry_run` or `run`, of an execution."""
        found: dict[str, Any] = json.loads(self._read(f"reports/bulk/{name}/{stage}.json"))
        return found

    def lines(self, report: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What became of each line of all files of a report, in order."""
        keys = [key for file in report["files"] for key in file["reports"]]
        return [json.loads(line) for key in keys for line in self._read(key).splitlines()]

    def reports(self, name: str) -> list[str]:
        """The keys of what an execution wrote."""
        listed = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=f"reports/bulk/{name}/")
        return [each["Key"] for each in listed.get("Contents", [])]

    def _read(self, key: str) -> bytes:
        found: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return found
