"""The streaming queries as Flink SQL on a local mini-cluster, against brute force.

Flink runs on Python 3.11 and Java 17, in an environment of its own: `make flink` makes it and runs this.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from datagen.cloudfront_logs import RealtimeRecord, realtime_records
from ops.paths import ROOT

PYTHON = ROOT / ".venv/flink/bin/python"
APPLICATION = ROOT / "queries/streaming/application.py"


def missing() -> str | None:
    """What is not there, and how to get it; on one line."""
    java = Path(os.environ["JAVA_HOME"]) / "bin/java" if "JAVA_HOME" in os.environ else shutil.which("java")
    if not java or not Path(java).exists():
        return (
            "no Java: 'apt install openjdk-17-jre-headless' or 'brew install openjdk@17', then 'make flink'"
        )
    if not PYTHON.exists():
        return (
            "no .venv/flink: 'make flink' makes it with Python 3.11 ('uv python install 3.11', "
            "'apt install python3.11-venv' or 'brew install python@3.11')"
        )
    return None


@pytest.fixture(scope="module")
def records() -> list[RealtimeRecord]:
    start = datetime(2026, 11, 23, 20, 0, 50, tzinfo=UTC)
    delays = (0.0, 0.5, 2.0, 30.0, 119.0)  # all within the watermark
    return list(realtime_records(20_000, start=start, per_second=200, delays=delays))


@pytest.fixture(scope="module")
def results(records: list[RealtimeRecord], tmp_path_factory: pytest.TempPathFactory) -> Path:
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("flink")
    (folder / "records.tsv").write_bytes(b"".join(record.data for record in records))
    done = subprocess.run(
        [str(PYTHON), str(APPLICATION), "--records", str(folder / "records.tsv"), "--results", str(folder)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def rows(results: Path, query: str) -> Iterator[dict[str, Any]]:
    """The rows that a query wrote; hidden files are unfinished ones."""
    for path in sorted((results / query).rglob("*")):
        if path.is_file() and not path.name.startswith((".", "_")):
            for line in path.read_text().splitlines():
                row: dict[str, Any] = json.loads(line)
                for name in ("second", "minute"):
                    if name in row:
                        moment = datetime.fromisoformat(row[name].replace(" ", "T").rstrip("Z"))
                        row[name] = int(moment.replace(tzinfo=UTC).timestamp())
                yield row


@pytest.mark.timeout(400)
def test_bots_per_second_equal_brute_force(results: Path, records: list[RealtimeRecord]) -> None:
    requests: Counter[tuple[int, str, str, str]] = Counter()
    sent: Counter[tuple[int, str, str, str]] = Counter()
    for record in records:
        if record.category != "-":
            key = (record.second, record.address, record.location, record.distribution)
            requests[key] += 1
            sent[key] += record.sent
    found = {
        (row["second"], row["address"], row["location"], row["distribution"]): (row["requests"], row["sent"])
        for row in rows(results, "bots_per_second")
    }
    assert found == {key: (count, sent[key]) for key, count in requests.items()}


def test_bytes_per_second_equal_brute_force(results: Path, records: list[RealtimeRecord]) -> None:
    requests: Counter[tuple[int, str, str]] = Counter()
    sent: Counter[tuple[int, str, str]] = Counter()
    for record in records:
        key = (record.second, record.distribution, record.location)
        requests[key] += 1
        sent[key] += record.sent
    found = {
        (row["second"], row["distribution"], row["location"]): (row["requests"], row["sent"])
        for row in rows(results, "bytes_per_second")
    }
    assert found == {key: (count, sent[key]) for key, count in requests.items()}


def test_top_viewers_of_every_minute_equal_brute_force(results: Path, records: list[RealtimeRecord]) -> None:
    minutes: dict[int, Counter[str]] = {}
    for record in records:
        minutes.setdefault(record.second // 60 * 60, Counter())[record.address] += 1
    found: dict[int, list[tuple[int, str, int]]] = {}
    for row in rows(results, "top_viewers"):
        found.setdefault(row["minute"], []).append((row["place"], row["address"], row["requests"]))
    exact = {
        minute: [
            (place, address, count)
            for place, (address, count) in enumerate(
                sorted(viewers.items(), key=lambda item: (-item[1], item[0]))[:50], 1
            )
        ]
        for minute, viewers in minutes.items()
    }
    assert {minute: sorted(ranked) for minute, ranked in found.items()} == exact
