"""Drive of the access logs: uploads logs as CloudFront would, and compares answers with a count by hand."""

from __future__ import annotations

import csv
import gzip
import io
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from datagen.cloudfront_logs import Corpus, LogFile, Truth
from local.demo.checks import Checks
from local.suite import Suite
from local.waiting import wait

__all__ = ["FLOW", "PAGE", "STEPS", "drive"]

FLOW = "log bucket → preprocess → Firehose → partition → Athena"
PAGE = "insights/?app=access_logs"
STEPS = 16
# Rows, fields, seed: a file of today and one of older years, for each of four distributions.
CORPORA = ((4_000, 33, 11), (2_000, 26, 12))
BROKEN = "demo/EBROKEN.2026-11-22-20.00000000.gz"
_PATIENCE_S = 45.0

type Row = tuple[str, ...]


def drive(suite: Suite, checks: Checks) -> None:
    """Upload logs twice, wait for their rows, ask the saved queries, and look at what is quarantined."""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    # A prefix of its own each time, because the suite may be up with the logs of an earlier demo.
    prefix = f"demo-{time.time_ns():x}"
    files: list[LogFile] = []
    truths: list[Truth] = []
    for rows, fields, seed in CORPORA:
        corpus = Corpus(
            rows, seed=seed, prefix=prefix, fields=fields, rows_per_file=rows // 4, start=start, viewers=2_000
        )
        files += corpus.files()
        truths.append(corpus.truth)
    s3, bucket = suite.client("s3"), suite["AccessLogsBucketName"]
    s3.put_object(Bucket=bucket, Key=BROKEN, Body=gzip.compress(b"#Version: 1.0\n" * 99)[:40])
    for file in files:
        s3.put_object(Bucket=bucket, Key=file.key, Body=file.body)

    ask = _Athena(suite)
    total = sum(file.rows for file in files)
    ours = f"filename LIKE '{prefix}/%'"  # of this demo: it is the generator's own text
    count = f"SELECT count(*) FROM cf_logs_by_request WHERE {ours}"  # noqa: S608
    wait(lambda: int(ask(count)[0][0]) >= total, _PATIENCE_S)
    checks.equal("every row arrived, and each once", ask(count), [(str(total),)])
    unique = f"SELECT count(*) FROM cf_logs_unique WHERE {ours}"  # noqa: S608
    checks.equal("the view of all partitions agrees", ask(unique), [(str(total),)])

    truth = _count_by_hand(truths)
    names = f"SELECT DISTINCT year || '/' || month || '/' || day || '/' || hour FROM cf_logs WHERE {ours}"  # noqa: S608
    partitions = {row[0] for row in ask(names)}
    checks.true(
        "partitions are hours of delivery", partitions and all(len(name) == 13 for name in partitions)
    )

    saved = ask.saved()
    checks.equal("the queries are saved", sorted(saved), sorted(_KEYS))
    since, until = start - timedelta(days=2), datetime.now(UTC) + timedelta(days=1)
    dates = [f"'{since:%Y-%m-%d}'", f"'{until:%Y-%m-%d}'"]
    everything = [*dates, *(f"{date[:-1]}T00:00:00Z'" for date in dates), "'all'", "'all'", "'all'"]
    for name, columns in _KEYS.items():
        ahead, behind = _MORE.get(name, ([], []))
        # The saved text, over this demo's rows alone.
        sql = saved[name].replace("\nWHERE ", f"\nWHERE {ours} AND ", 1)
        found = {
            _pick(row, columns[0]): _pick(row, columns[1]) for row in ask(sql, *ahead, *everything, *behind)
        }
        expected = truth[name]
        if name == "top_viewers":
            expected = {key: value for key, value in expected.items() if key in found}
            checks.equal(
                "top_viewers: the fifty heaviest",
                sorted((int(value[0]) for value in found.values()), reverse=True),
                sorted((int(value[0]) for value in truth[name].values()), reverse=True)[:50],
            )
        checks.true(
            f"{name}: {len(found)} rows as counted by hand", found == expected, _difference(found, expected)
        )

    before = ask(count)
    s3.put_object(Bucket=bucket, Key=files[0].key, Body=files[0].body)
    wait(lambda: _idle(suite), _PATIENCE_S)
    checks.equal("a log that is delivered twice is counted once", ask(count), before)
    etag = s3.head_object(Bucket=bucket, Key=BROKEN)["ETag"].strip('"')
    key = f"quarantine/{BROKEN}"
    found_keys = s3.list_objects_v2(Bucket=suite["AccessLogsProcessedBucketName"], Prefix=key)
    # Of an earlier demo on the same engine there may be another.
    checks.true(
        "a truncated log is in quarantine",
        f"{key}.{etag}" in [item["Key"] for item in found_keys.get("Contents", [])],
    )
    dead = suite.client("sqs").get_queue_attributes(
        QueueUrl=suite["AccessLogsDeadLetterQueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    checks.equal("the dead-letter queue is empty", dead["Attributes"]["ApproximateNumberOfMessages"], "0")


# For each saved query, the columns that name a row of its answer, and those that are compared.
_KEYS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "bot_requests": ((1, 2), (0,)),
    "bots_by_edge": ((0,), (1, 2)),
    "bytes_by_distribution": ((0,), (1, 2)),
    "bytes_by_edge": ((0, 1), (2,)),
    "top_viewers": ((0,), (1,)),
    "cache_hit_ratio": ((0,), (1, 2)),
    "error_rates": ((0,), (1, 2, 3)),
    "ai_crawler_share": ((0,), (1,)),
    "requests_over_time": ((0,), (1,)),
    "requests": ((), (-1,)),
}
# Parameters before and behind those that every query has: an hour's slots; any edge location, any viewer.
_MORE = {"requests_over_time": (["'13'"], []), "requests": ([], ["'all'", "'all'"])}


def _count_by_hand(truths: list[Truth]) -> dict[str, dict[Row, Row]]:
    """What the queries must answer, from the generator's own counts."""
    counts: dict[str, Counter[Row]] = {
        name: Counter() for name in ("bots", "bytes", "viewers", "results", "statuses", "categories", "hours")
    }
    for truth in truths:
        counts["bots"] += truth.bot_requests
        counts["bytes"] += truth.bytes_sent
        counts["results"] += truth.results
        counts["statuses"] += truth.statuses
        counts["viewers"] += Counter({(name,): number for name, number in truth.viewers.items()})
        counts["hours"] += Counter(
            {(name.replace(" ", "T"),): number for name, number in truth.hours.items()}
        )
        counts["categories"] += Counter({(name,): number for name, number in truth.categories.items()})
    requests: Counter[Row] = Counter()
    for (distribution, _), number in counts["results"].items():
        requests[distribution,] += number

    def of(name: str, distribution: str, holds: Callable[[str], bool]) -> str:
        return str(
            sum(n for (whose, what), n in counts[name].items() if whose == distribution and holds(what))
        )

    locations = {location for _, location in counts["bots"]}
    at = {name: [n for (_, location), n in counts["bots"].items() if location == name] for name in locations}
    sent = {
        name: sum(n for (whose, _), n in counts["bytes"].items() if whose == name) for (name,) in requests
    }
    return {
        "bot_requests": {key: (str(n),) for key, n in counts["bots"].items()},
        "bots_by_edge": {(name,): (str(sum(ns)), str(len(ns))) for name, ns in at.items()},
        "bytes_by_distribution": {(name,): (str(n), str(sent[name])) for (name,), n in requests.items()},
        "bytes_by_edge": {key: (str(n),) for key, n in counts["bytes"].items()},
        "top_viewers": {key: (str(n),) for key, n in counts["viewers"].items()},
        "cache_hit_ratio": {
            (name,): (str(n), of("results", name, lambda result: result in ("Hit", "RefreshHit")))
            for (name,), n in requests.items()
        },
        "error_rates": {
            (name,): (
                str(n),
                of("statuses", name, lambda status: status[0] == "4"),
                of("statuses", name, lambda status: status[0] == "5"),
            )
            for (name,), n in requests.items()
        },
        "ai_crawler_share": {key: (str(n),) for key, n in counts["categories"].items()},
        "requests_over_time": {key: (str(n),) for key, n in counts["hours"].items()},
        "requests": {(): (str(requests.total()),)},
    }


def _pick(row: Row, places: tuple[int, ...]) -> Row:
    return tuple(row[place] for place in places)


def _difference(found: dict[Row, Row], expected: dict[Row, Row]) -> str:
    wrong = [key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)]
    return "; ".join(f"{key}: {found.get(key)} instead of {expected.get(key)}" for key in wrong[:3])


class _Athena:
    """Asks queries in the stack's workgroup, and reads their results as they lie in S3."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._client = suite.client("athena")

    def __call__(self, sql: str, *parameters: str) -> list[Row]:
        """Return the rows of a query's answer, as texts."""
        more: dict[str, Any] = {"ExecutionParameters": list(parameters)} if parameters else {}
        identifier = self._client.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": self._suite["AccessLogsDatabaseName"]},
            WorkGroup=self._suite["AccessLogsWorkGroupName"],
            **more,
        )["QueryExecutionId"]
        while True:
            execution = self._client.get_query_execution(QueryExecutionId=identifier)["QueryExecution"]
            if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
                break
            time.sleep(0.05)
        if execution["Status"]["State"] != "SUCCEEDED":
            raise RuntimeError(execution["Status"].get("StateChangeReason", "the query failed"))
        bucket, _, key = execution["ResultConfiguration"]["OutputLocation"][len("s3://") :].partition("/")
        body = self._suite.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        return [tuple(row) for row in list(csv.reader(io.StringIO(body)))[1:]]

    def saved(self) -> dict[str, str]:
        """Return the saved queries' texts by name."""
        group = self._suite["AccessLogsWorkGroupName"]
        listed = self._client.list_named_queries(WorkGroup=group)["NamedQueryIds"]
        queries = self._client.batch_get_named_query(NamedQueryIds=listed)["NamedQueries"]
        return {query["Name"]: query["QueryString"] for query in queries}


def _idle(suite: Suite) -> bool:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = suite.client("sqs").get_queue_attributes(
        QueueUrl=suite["AccessLogsQueueUrl"], AttributeNames=names
    )
    return not any(int(number) for number in found["Attributes"].values())
