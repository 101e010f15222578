"""`shared.batch_write` beside its peers, and posts end to end: `make bench BENCH=social_stream`.

The peers write the same items to the same emulator through a proxy that adds latency, leaves items over and
throttles (`bench/fault_proxy.py`). Emulator and proxy are processes of their own; who is measured has one
core. Of boto3's `batch_writer` there is one, as in its guide, and one in each of 16 threads, as many as we
have calls under way. A peer that raises is noted, and what it left out counts as lost.
"""

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import psutil
from botocore.config import Config

from bench.deployed import deployed_suite
from bench.fault_proxy import FaultProxy
from bench.harness import ROOT, Suite, one_core
from datagen.social_posts import Posts
from local.engine_process import EngineProcess, aws_environment
from local.feeders.posts import feed

sys.path.insert(0, str(ROOT / "layers/shared"))
from shared.batch_write import BatchWriter

ITEMS, THROTTLED_ITEMS = 5_000, 3_000
ROUNDS = 3
SEEDS = 100
DEADLINE_S = 3.0
THREADS = 16
SIXTEEN = f"{THREADS} batch_writers"
POSTS = 20_000
PATIENCE_S = 300.0

type Item = dict[str, Any]
type Writer = Callable[[str, list[Item]], object]


class Run(NamedTuple):
    """One writer's run: wall-clock seconds, calls, items that are not in the table, and its exception."""

    seconds: float
    calls: int
    lost: int
    error: str


class Field:
    """Tables of an emulator behind the proxy, and the writers that are compared on them."""

    def __init__(self, engine: EngineProcess, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self._direct = engine.client("dynamodb")
        self._resource = boto3.resource("dynamodb", endpoint_url=proxy.endpoint)
        # As `shared.clients.client_without_retries` makes it, but for this endpoint.
        self._client = boto3.client(
            "dynamodb",
            endpoint_url=proxy.endpoint,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": 1}, parameter_validation=False,
                max_pool_connections=16, user_agent=f"Boto3/{boto3.__version__}",
            ),
        )  # fmt: skip
        # "Create a new resource instance for each thread", boto3's guide to resources.
        self._resources = [
            boto3.Session().resource("dynamodb", endpoint_url=proxy.endpoint) for _ in range(THREADS)
        ]
        self._tables = 0

    def table(self) -> str:
        """Make a table and return its name."""
        self._tables += 1
        name = f"bench-{self._tables}"
        self._direct.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        )  # fmt: skip
        return name

    def stored(self, table: str) -> dict[str, int]:
        """Return the versions in a table by key."""
        pages = self._direct.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return {item["pk"]["S"]: int(item["v"]["N"]) for page in pages for item in page["Items"]}

    def run(self, writer: Writer, items: list[Item], **behaviour: float) -> Run:
        """Let a writer write items to a fresh table."""
        table = self.table()
        self.proxy.behave(**behaviour)
        error = ""
        start = time.perf_counter()
        try:
            writer(table, items)
        except Exception as raised:  # noqa: BLE001 - whatever a peer raises is its result
            error = type(raised).__name__
        seconds = time.perf_counter() - start
        calls = self.proxy.calls()
        wanted = {item["pk"]: item["v"] for item in items}
        stored = self.stored(table)
        lost = sum(stored.get(key) != version for key, version in wanted.items())
        return Run(seconds, calls, lost, error)

    # ---- the writers

    def ours(self, table: str, items: Iterable[Item], deadline_s: float = PATIENCE_S) -> Any:
        """Write with `shared.batch_write`."""
        return BatchWriter(self._client, table, ("pk",)).write(items, deadline=time.monotonic() + deadline_s)

    def batch_writer(self, table: str, items: Iterable[Item]) -> None:
        """Write with boto3's `batch_writer`."""
        with self._resource.Table(table).batch_writer() as batch:
            for item in items:
                batch.put_item(Item=item)

    def batch_writers(self, table: str, items: list[Item]) -> None:
        """Write with boto3's `batch_writer` in each of as many threads as we have calls under way."""

        def part(number: int) -> None:
            with self._resources[number].Table(table).batch_writer() as batch:
                for item in items[number::THREADS]:
                    batch.put_item(Item=item)

        with ThreadPoolExecutor(THREADS) as pool:
            parts = [pool.submit(part, number) for number in range(THREADS)]
        for each in parts:
            each.result()

    def pynamodb(self, table: str, items: Iterable[Item]) -> None:
        """Write with PynamoDB."""
        from pynamodb.attributes import NumberAttribute, UnicodeAttribute
        from pynamodb.models import Model

        class Row(Model):  # type: ignore[misc]  # untyped where the linters run
            class Meta:
                table_name, host, region = table, self.proxy.endpoint, "us-east-1"

            pk = UnicodeAttribute(hash_key=True)
            v = NumberAttribute()
            text = UnicodeAttribute()

        with Row.batch_write() as batch:
            for item in items:
                batch.save(Row(item["pk"], v=item["v"], text=item["text"]))

    def awswrangler(self, table: str, items: Iterable[Item]) -> None:
        """Write with awswrangler (AWS SDK for pandas)."""
        import awswrangler

        awswrangler.config.dynamodb_endpoint_url = self.proxy.endpoint
        awswrangler.dynamodb.put_items(items=list(items), table_name=table, use_threads=True)


def _items(count: int) -> list[Item]:
    return [{"pk": f"key-{number}", "v": number, "text": "x" * 200} for number in range(count)]


def _speed(suite: Suite, field: Field, latency: float, bar: float) -> None:
    """Items a second of every writer when nothing fails, medians of interleaved rounds."""
    writers = {
        "batch_writer": field.batch_writer, SIXTEEN: field.batch_writers, "PynamoDB": field.pynamodb,
        "awswrangler": field.awswrangler, "ours": field.ours,
    }  # fmt: skip
    items = _items(ITEMS)
    runs: dict[str, list[Run]] = {name: [] for name in writers}
    for _ in range(ROUNDS):
        for name, writer in writers.items():
            runs[name].append(field.run(writer, items, latency=latency))
    seconds = {name: statistics.median(run.seconds for run in each) for name, each in runs.items()}
    what = f"{ITEMS:,} items, {1000 * latency:g} ms a call"
    suite.add(
        f"{what}: items/s, ours / batch_writer", seconds["batch_writer"] / seconds["ours"], "x", bar, "higher"
    )
    suite.add(f"{what}: items/s, ours / {SIXTEEN}", seconds[SIXTEEN] / seconds["ours"], "x", 1.0, "higher")
    for name, each in seconds.items():
        suite.add(f"{what}: items/s, {name}", ITEMS / each, "items/s")
    lost = sum(run.lost for run in runs["ours"])
    suite.add(f"{what}: lost, ours", lost, "items", 0)


def _under(suite: Suite, field: Field, what: str, items: list[Item], **behaviour: float) -> dict[str, Run]:
    """Rows of every writer while the table throttles or leaves items over."""
    runs, keys = {}, len({item["pk"] for item in items})
    writers = {
        "ours": field.ours, "batch_writer": field.batch_writer, SIXTEEN: field.batch_writers,
        "PynamoDB": field.pynamodb, "awswrangler": field.awswrangler,
    }  # fmt: skip
    for name, writer in writers.items():
        runs[name] = run = field.run(writer, items, latency=0.005, **behaviour)
        ended = f", {run.error}" if run.error else ""
        suite.add(f"{what}: items/s, {name}{ended}", (keys - run.lost) / run.seconds, "items/s")
        suite.add(f"{what}: calls, {name}", run.calls, "calls")
        suite.add(f"{what}: lost, {name}", run.lost, "items", 0 if name == "ours" else None)
    return runs


def _seeds(suite: Suite, field: Field) -> None:
    """Leftovers, throttles and duplicate keys together, over many seeds."""
    lost = stale = 0
    for seed in range(SEEDS):
        rng = random.Random(seed)
        items: list[Item] = [
            {"pk": f"key-{rng.randrange(150)}", "v": version, "text": "x" * rng.randrange(300)}
            for version in range(200)
        ]
        newest = {str(item["pk"]): item["v"] for item in items}
        table = field.table()
        field.proxy.behave(unprocessed=0.3, throttled=0.1, seed=seed)
        outcome = field.ours(table, items)
        stored = field.stored(table)
        lost += sum(key not in stored for key in newest) + len(outcome.unwritten)
        stale += sum(stored.get(key, version) != version for key, version in newest.items())
    suite.add(f"lost over {SEEDS} seeds: 30 % unprocessed, 10 % throttled, duplicate keys", lost, "items", 0)
    suite.add(f"stale over {SEEDS} seeds", stale, "items", 0)


def _deadline(suite: Suite, field: Field) -> None:
    """A table that takes nothing: how long after its deadline the writer returns, and what it returns."""
    items = _items(1_000)
    field.proxy.behave(latency=0.02, throttled=1.0)
    start = time.perf_counter()
    outcome = field.ours(field.table(), items, deadline_s=DEADLINE_S)
    late = time.perf_counter() - start - DEADLINE_S
    suite.add(f"fully throttled, {DEADLINE_S:g} s of time: returns after its deadline", late, "s", 0.5)
    suite.add("fully throttled: returned", len(outcome.unwritten), f"of {len(items)}", len(items), "higher")


def _batch_write(suite: Suite) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = EngineProcess.start(Path(folder), iam=False)
        try:
            os.environ.update(aws_environment(engine.endpoint))
            with FaultProxy(engine.endpoint) as proxy:
                one_core()  # of what starts from here on
                field = Field(engine, proxy)
                for latency, bar in ((0.005, 3.0), (0.02, 6.0)):
                    suite.step(f"batch_write, {1000 * latency:g} ms a call")
                    _speed(suite, field, latency, bar)
                suite.step("batch_write, throttled")
                items = _items(THROTTLED_ITEMS)
                runs = _under(suite, field, "250 writes/s", items, writes_per_second=250)
                share = 100 * runs["ours"].calls / runs["batch_writer"].calls
                suite.add("250 writes/s: calls, ours / batch_writer", share, "%", 35)
                suite.step("batch_write, leftovers")
                _under(suite, field, "30 % unprocessed", items, unprocessed=0.3)
                suite.step("batch_write, duplicate keys")
                doubled = [item | {"v": item["v"] + turn} for item in _items(500) for turn in (0, 1)]
                _under(suite, field, "every key twice", doubled)
                suite.step("batch_write, seeds")
                _seeds(suite, field)
                suite.step("batch_write, deadline")
                _deadline(suite, field)
        finally:
            for name in aws_environment(""):
                os.environ.pop(name, None)
            engine.stop()


def _end_to_end(suite: Suite) -> None:
    """Posts through the whole chain on the engine, and how much of the time each part takes."""
    from local.demo.social_stream import Lake

    suite.step("end to end: sam build, sam deploy")
    with deployed_suite() as deployed:
        suite.step(f"end to end: {POSTS:,} posts")
        process = psutil.Process(deployed.engine.pid)
        posts = Posts(POSTS, seed=1, start=time.time(), prefix="bench")
        lake = Lake(deployed, "bench")
        cpu, start = sum(process.cpu_times()[:2]), time.perf_counter()
        feed(deployed.client("kinesis"), deployed["SocialStreamName"], posts)
        fed = time.perf_counter() - start
        table = partial(_items_in, deployed)
        in_table = _until(lambda: table() >= POSTS) + fed
        in_lake = _until(lambda: lake.distinct() >= POSTS) + in_table
        thousand = POSTS / 1000
        suite.add(f"{POSTS:,} posts: distinct ones in the lake", lake.distinct(), "posts", POSTS, "higher")
        suite.add("posts/s, from the first put to the last one in the lake", POSTS / in_lake, "posts/s")
        suite.add("until the feeder has put the last", fed, "s")
        suite.add("until the last is in the table", in_table, "s")
        suite.add("until Athena knows the last", in_lake, "s")
        for part in ("Ingest", "Write", "Activity"):
            seconds = _function_seconds(deployed, part)
            suite.add(f"time of the {part.lower()} function, 1,000 posts", seconds / thousand, "s")
        used = sum(process.cpu_times()[:2]) - cpu
        suite.add("CPU time of the engine's process, 1,000 posts", used / thousand, "s")


def _items_in(deployed: Any) -> int:
    pages = deployed.client("dynamodb").get_paginator("scan").paginate(
        TableName=deployed["SocialPostsTableName"], Select="COUNT"
    )  # fmt: skip
    return sum(page["Count"] for page in pages)


def _until(done: Callable[[], bool]) -> float:
    """Wait; seconds."""
    start = time.perf_counter()
    while not done():
        if time.perf_counter() - start > PATIENCE_S:
            raise TimeoutError
        time.sleep(0.5)
    return time.perf_counter() - start


def _function_seconds(deployed: Any, part: str) -> float:
    """Sum of a function's durations, by its own metric."""
    functions = deployed.client("lambda").list_functions(MaxItems=50)["Functions"]
    [name] = [each["FunctionName"] for each in functions if f"Social{part}Function" in each["FunctionName"]]
    now = time.time()
    answer = deployed.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda", MetricName="Duration", Period=3600, Statistics=["Sum"],
        Dimensions=[{"Name": "FunctionName", "Value": name}], StartTime=now - 7200, EndTime=now + 60,
    )  # fmt: skip
    return float(sum(point["Sum"] for point in answer["Datapoints"]) / 1000)


def main() -> int:
    """Measure; the number of rows that miss their bar."""
    suite = Suite("social_stream", steps=9)
    _end_to_end(suite)
    _batch_write(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
