"""How fast accounts go from one region to another, and how long an outage takes to catch up on:
`make bench BENCH=auth_regions`.

Both regions of the authentication are on one local engine, which does the work of both. Between real regions
each call takes 70 to 100 ms more. The queues are drained each six seconds here, and each minute on AWS.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex
from typing import Any

PATHS = tuple(Path(__file__).parents[1] / part for part in ("functions/auth", "layers/shared"))
sys.path[:0] = map(str, PATHS)
os.environ |= {"POWERTOOLS_SERVICE_NAME": "auth", "POWERTOOLS_METRICS_NAMESPACE": "bench"}

# ruff: noqa: E402  # the lines above come first
from bench.harness import Suite
from local.clients.regions import Pair, Region
from local.deploy import build
from local.engine_process import EngineProcess

EDITS = 60
OUTAGE_WRITES = 1000
QUIET_S = 300.0


def main() -> int:
    """Measure; 0 if every bar is reached."""
    suite = Suite("auth_regions", steps=3)
    suite.step("on the engine: sam build, sam deploy in two regions")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        build(Path(folder) / "log")
        engine = EngineProcess.start(Path(folder), iam=True, settings={"ENGINE_TIME_SCALE": "0.1"})
        try:
            pair = Pair.deployed(engine, Path(folder))
            suite.step("from a write to the other region")
            people = _import(pair.a, 4)
            pair.settle(QUIET_S)
            _lag(suite, pair, people)
            suite.step(f"{OUTAGE_WRITES:,} writes while the other region is out")
            _outage(suite, pair)
        finally:
            engine.stop()
    return suite.finish()


def _import(region: Region, count: int) -> list[str]:
    """Import people without passwords; their ids."""
    lines = [
        {
            "id": token_hex(6),
            "email": f"{token_hex(8)}@example.org",
            "email_verified": True,
            "company": "north",
        }
        for _ in range(count)
    ]
    begun = region.group.post("/v1/users/import").json()
    body = "\n".join(json.dumps(line) for line in lines).encode()
    region.suite.http.put(begun["upload"]["url"], data=body).raise_for_status()
    while (state := region.group.get(f"/v1/users/import/{begun['job_id']}").json())["state"] != "done":
        time.sleep(0.2)
    reports = [region.suite.http.get(url).text for url in state["reports"]]
    made: list[dict[str, Any]] = [json.loads(line) for text in reports for line in text.splitlines()]
    return [line["user_id"] for line in made]


def _edit(region: Region, person: str, nickname: str) -> None:
    answer = region.shop.ask("PATCH", f"/v1/users/{person}", {"nickname": nickname})
    if answer.status_code != 200:
        raise RuntimeError(f"an edit was answered {answer.status_code}: {answer.text}")


def _lag(suite: Suite, pair: Pair, people: list[str]) -> None:
    """From the answer of an edit to the first read of the other table that has it, asked every 2 ms."""
    times = []
    for number in range(EDITS):
        person, (here, there) = people[number % len(people)], (pair.a, pair.b)
        _edit(here, person, f"{number}")
        answered = time.perf_counter()
        known = here.user(person)
        assert known is not None
        while (found := there.user(person)) is None or dict(found.version) != dict(known.version):
            time.sleep(0.002)
        times.append(1000 * (time.perf_counter() - answered))
    suite.add("from an edit's answer to the other region, p50", statistics.median(times), "ms", bar=200)
    suite.add("the same, p95", statistics.quantiles(times, n=20)[-1], "ms")


def _outage(suite: Suite, pair: Pair) -> None:
    with pair.out(pair.b, "dynamodb.*"):
        people = _import(pair.a, OUTAGE_WRITES // 2)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda person: _edit(pair.a, person, "during the outage"), people))
        while pair.a.waiting("AuthWritesQueueUrl") < len(people):
            time.sleep(0.5)
    begun = time.monotonic()
    while pair.a.waiting("AuthWritesQueueUrl"):
        time.sleep(0.2)
    suite.add(f"{OUTAGE_WRITES:,} writes during an outage: drained", time.monotonic() - begun, "s", bar=60)
    pair.settle(QUIET_S)
    there = pair.b.accounts()
    lost = [person for person in people if person not in there]
    lost += [person for person in people if person in there and b"during the outage" not in there[person][-1]]
    suite.add("of them lost", len(lost), "writes", bar=0)


if __name__ == "__main__":
    sys.exit(main())
