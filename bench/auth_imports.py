"""Imports of files of several companies: `make bench BENCH=auth_imports`.

First the steps of the state machine on tables in memory, with 100,000 accounts and 2,000 passwords. Then the
suite's authentication is deployed to a local engine of the benchmark's own, and the state machine imports
files: 10,000 accounts, or `ACCOUNTS` of them (of 100,000 the engine makes several hours). It is known who of
the made-up people of three companies is the same: afterwards each record in the table is decrypted, and who
is whom there is compared with what brute force says.

The cost of a line in a table of 10,000 and of 100,000 users is measured on the engine: the users are copies
of one record, written past the import.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from secrets import token_hex
from typing import Any
from uuid import uuid4

PATHS = tuple(Path(__file__).parents[1] / part for part in ("functions/auth", "layers/shared"))
sys.path[:0] = map(str, PATHS)
# Powertools reads them when the code is imported.
os.environ |= {"POWERTOOLS_SERVICE_NAME": "auth", "POWERTOOLS_METRICS_NAMESPACE": "bench"}

# ruff: noqa: E402  # the lines above come first
from auth.imports.files import Stage
from auth.services import Records, get_records
from bench.harness import Suite
from datagen.company_files import CompanyFiles, Origin
from local.clients.company import Company
from local.clients.import_files import ImportFiles
from local.deploy import STACK, build, deploy
from local.engine_process import EngineProcess, aws_environment
from local.memory_imports import COMPANIES, MemoryImports
from local.suite import Suite as Deployed

ACCOUNTS = int(os.environ.get("ACCOUNTS", "10000"))
WITH_PASSWORDS = ACCOUNTS // 50  # 2,000 of 100,000
IN_MEMORY = 100_000
LINES_OF_A_PERSON = 1.54
SAMPLE = 1000
USERS = (10_000, 100_000)
PART_BYTES = 1 << 19
STAGES: dict[str, Stage] = {"Dry run": "dry_run", "Run": "run"}
WORDS = {"Dry run": "dry run", "Run": "import"}
FUNCTION = "AuthImportFilesFunction"
PATIENCE_S = 8 * 3600
OTHERS = (
    "ImageResizer", "AccessLogs", "LogStreaming", "SocialStream", "SocialEncryption", "ContainerMetrics",
    "Ec2Monitor", "EventHub", "Rides", "ApiPortal",
)  # fmt: skip


@dataclass
class Import:
    """Files that were imported.

    Attributes:
        made: Who was imported.
        seconds: How long each stage took: the engine's clock, or CPU time in memory.
        dry, run: What became of each line.
        persons: Who is whom by the records: the ids of each account.
    """

    made: CompanyFiles
    seconds: dict[str, float]
    dry: list[dict[str, Any]]
    run: list[dict[str, Any]]
    persons: set[frozenset[Origin]]


def in_memory(accounts: int, passwords: int) -> Import:
    """Import files with about so many accounts by the steps themselves, in memory."""
    imports = MemoryImports()
    made = CompanyFiles(int(accounts / LINES_OF_A_PERSON), COMPANIES, token_hex(4), passwords=passwords)
    found = imports.check(imports.upload(made))
    seconds = {}
    for name, stage in STAGES.items():
        begun = time.process_time()
        imports.stage(stage, found, PART_BYTES)
        seconds[name] = time.process_time() - begun
    records = imports.world.services
    users = (records.store.users.get(key.removeprefix("U#")) for key in imports.accounts())
    persons = {frozenset(records.open(user).origins()) for user in users if user and user.sealed}
    return Import(made, seconds, imports.lines("dry_run"), imports.lines("run"), persons)


class Place:
    """The deployed authentication, and its records in this process.

    Args:
        engine: Where it is.
        outputs: The stack's outputs.
    """

    def __init__(self, engine: EngineProcess, outputs: dict[str, str]) -> None:
        self.deployed = Deployed(engine, outputs)
        described = engine.client("cloudformation").describe_stack_resource(
            StackName=STACK, LogicalResourceId=FUNCTION
        )["StackResourceDetail"]
        found = engine.client("lambda").get_function_configuration(
            FunctionName=described["PhysicalResourceId"]
        )
        os.environ.update(aws_environment(engine.endpoint) | found["Environment"]["Variables"])
        self.table = os.environ["TABLE"]
        self.records: Records = get_records()
        self._dynamodb, self._states = engine.client("dynamodb"), engine.client("stepfunctions")
        self._copies: set[str] = set()
        for company in COMPANIES:
            Company(self.deployed, company)
        self._imports = ImportFiles(self.deployed)

    def imported(self, accounts: int, passwords: int) -> Import:
        """Import files with about so many accounts."""
        made = CompanyFiles(int(accounts / LINES_OF_A_PERSON), COMPANIES, token_hex(4), passwords=passwords)
        name = token_hex(8)
        files = {f"bulk/{name}-{company}.jsonl": company for company in COMPANIES}
        for key, company in files.items():
            self._imports.upload(key, made.body(company))
        execution = self._imports.start(files, run=True, name=name)
        ended = self._imports.ended(execution, PATIENCE_S)
        assert ended["status"] == "SUCCEEDED", ended
        dry, run = (self._imports.lines(self._imports.report(name, stage)) for stage in ("dry_run", "run"))
        return Import(made, self._seconds(execution), dry, run, self.persons(made.tag))

    def _seconds(self, execution: str) -> dict[str, float]:
        """How long the stages of an execution took, by the names of their states."""
        pages = self._states.get_paginator("get_execution_history").paginate(executionArn=execution)
        begun: dict[str, Any] = {}
        took: dict[str, float] = {}
        for event in (event for page in pages for event in page["events"]):
            if event["type"] == "MapStateEntered":
                begun[event["stateEnteredEventDetails"]["name"]] = event["timestamp"]
            elif event["type"] == "MapStateExited":
                name = event["stateExitedEventDetails"]["name"]
                took[name] = (event["timestamp"] - begun[name]).total_seconds()
        return took

    def items(self) -> Iterator[dict[str, Any]]:
        """All accounts."""
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self.table, FilterExpression="begins_with(pk, :user) AND sk = :dot",
            ExpressionAttributeValues={":user": {"S": "U#"}, ":dot": {"S": "."}},
        )  # fmt: skip
        for page in pages:
            yield from page["Items"]

    def fill(self, users: int) -> None:
        """Write copies of one account, and of whose its address is, until there are so many users."""
        items = list(self.items())
        copied = next(item for item in items if "data" in item)

        def write(group: tuple[int, ...]) -> None:
            puts = []
            for _ in group:
                user, index = str(uuid4()), token_hex(16)
                self._copies.add(user)
                account = copied | {"pk": {"S": f"U#{user}"}, "email_index": {"S": index}}
                alias = {"pk": {"S": f"E#{index}"}, "sk": {"S": "."}, "user": {"S": user}}
                puts += [{"PutRequest": {"Item": item}} for item in (account, alias)]
            self._dynamodb.batch_write_item(RequestItems={self.table: puts})

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, batched(range(users - len(items)), 12, strict=False)))

    def persons(self, tag: str) -> set[frozenset[Origin]]:
        """Who is whom by the records themselves: the ids of each account that has ids with the tag."""
        found = set()
        users = {item["pk"]["S"].removeprefix("U#") for item in self.items() if "data" in item}
        users -= self._copies  # bound to another id, and so not to be decrypted
        for user in filter(None, map(self.records.store.users.get, users)):
            origins = frozenset(self.records.open(user).origins())
            if any(tag in person for _, person in origins):
                found.add(origins)
        return found


def _pairs(persons: set[frozenset[Origin]]) -> set[frozenset[Origin]]:
    """Who is the same as whom: each with the first of the group, so that groups are equal if these are."""
    pairs: set[frozenset[Origin]] = set()
    for group in persons:
        first, *others = sorted(group)
        pairs |= {frozenset((first, other)) for other in others}
    return pairs


def _correct(suite: Suite, done: Import, where: str) -> None:
    expected, found = done.made.persons(), done.persons
    together = defaultdict[Origin, frozenset[Origin]](frozenset)
    for group in found:
        together |= dict.fromkeys(group, group)
    duplicates = _pairs(expected)
    left = sum(not pair <= together[min(pair)] for pair in duplicates)
    of = {origin: group for group in expected for origin in group}
    wrongly = sum(not group <= of[min(group)] for group in found)
    results = done.made.results()
    suite.add(f"{where}: accounts imported, of three companies", sum(map(len, expected)), "accounts")
    suite.add(f"{where}: of them with a password", done.made.passwords, "accounts")
    suite.add(f"{where}: duplicates among them by brute force", len(duplicates), "accounts")
    suite.add(f"{where}: duplicates that were not merged", left, "", 0)
    suite.add(f"{where}: accounts with somebody else's line in them", wrongly, "", 0)
    suite.add(f"{where}: lines that are in no account", len(of.keys() - together.keys()), "", 0)
    differ = sum(one != other for one, other in zip(done.dry, done.run, strict=True))
    suite.add(f"{where}: lines that became something else than in the dry run", differ, "", 0)
    differ = sum(line["result"] != result for line, result in zip(done.run, results, strict=True))
    suite.add(f"{where}: lines that became something else than brute force says", differ, "", 0)
    for stage, what in WORDS.items():
        suite.add(f"{where}: {what}, one line after the other", len(results) / done.seconds[stage], "lines/s")


def _growth(suite: Suite, place: Place) -> None:
    costs: dict[str, list[float]] = defaultdict(list)
    for users in USERS:
        suite.step(f"{SAMPLE:,} accounts into a table of {users:,} users")
        place.fill(users)
        done = place.imported(SAMPLE, 0)
        for stage, seconds in done.seconds.items():
            costs[stage].append(1000 * seconds / len(done.run))
    for stage, what in WORDS.items():
        for users, cost in zip(USERS, costs[stage], strict=True):
            suite.add(f"{what} of a line among {users:,} users", cost, "ms")
        suite.add(f"{what}: the latter / the former", costs[stage][1] / costs[stage][0], "x", 1.5)


def main() -> int:
    """Run everything; the number of bars missed."""
    suite = Suite("auth_imports", steps=3 + len(USERS))
    passwords = IN_MEMORY // 50
    suite.step(f"{IN_MEMORY:,} accounts and {passwords:,} passwords in memory")
    _correct(suite, in_memory(IN_MEMORY + passwords, passwords), "in memory")
    suite.step("deploying the authentication")
    with tempfile.TemporaryDirectory(prefix="bench-auth-imports-") as folder:
        build(Path(folder) / "build.log")
        engine = EngineProcess.start(Path(folder))
        try:
            switches = {f"Enable{other}": "false" for other in OTHERS}
            place = Place(engine, deploy(engine, Path(folder) / "deploy.log", **switches))
            suite.step(f"{ACCOUNTS:,} accounts and {WITH_PASSWORDS:,} passwords on the engine")
            _correct(suite, place.imported(ACCOUNTS + WITH_PASSWORDS, WITH_PASSWORDS), "engine")
            _growth(suite, place)
        finally:
            engine.stop()
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
