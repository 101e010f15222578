"""The access-log library beside GoAccess, DuckDB, Polars and the naive way.

All sides read the same generated gzip file. Ours decompresses, enriches each row, and packs the rows into
Firehose records. What the others do:

- GoAccess reads what `zcat` writes, as its manual says, and both count. It builds reports: it counts viewers,
  paths and user agents, and writes no row.
- DuckDB and Polars write the same rows as ours to a file of tab-separated text (a check compares them): each
  distinct user agent is looked up by our library and joined. DuckDB writes Parquet too, which is smaller, and
  which ours does not do.
- The naive way is what the original blog post did: `user_agents.parse` for every line; it is measured on the
  file's first lines.

A corpus has 1,800 distinct user agents in 500,000 rows, another 26,000.
"""

from __future__ import annotations

import gzip
import itertools
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

PATHS = (Path(__file__).parents[1] / "layers" / "shared",)
sys.path[:0] = map(str, PATHS)

os.environ["POLARS_MAX_THREADS"] = "1"  # read as it is imported: one core, as everything here

# ruff: noqa: E402, S608  # the lines above come first; what is queried is ours
import ai_crawler_index
import crawleruseragents
import duckdb
import polars
import user_agents

from bench.harness import CACHE, ROOT, Suite, compare, fresh_process, one_core
from datagen.browsers import browsers
from datagen.cloudfront_logs import Corpus, encode_user_agent
from datagen.crawlers import device_detector_cases, people
from shared.access_log import COLUMNS, MAX_RECORD, AccessLog, UserAgents, pack

INPUTS = CACHE / "access_logs"
ROWS = 500_000
CHECKED_ROWS = 20_000
BUILDS = 430  # of each browser, which makes 26,000 distinct user agents
COPIES = 10  # members of the file of 5,000,000 rows
NAIVE_ROWS = 20_000
ROUNDS = 5
BILLING_STEP = 5 * 1024  # Firehose bills every record in steps of 5 KB

_MEMORY = """
import sys
from bench.harness import peak_memory_mb
from shared.access_log import AccessLog, UserAgents, pack

agents = UserAgents()
with open(sys.argv[1], "rb") as file:
    log = AccessLog(file, filename="logs/a.gz", distribution="E1", agents=agents)
    for record in pack(log):
        pass
print([log.rows, peak_memory_mb()])
"""
_IMPORT = """
import boto3, time
start = time.process_time()
import shared.access_log
imported = time.process_time()
shared.access_log.UserAgents()["curl/8.0"]
print([1000 * (imported - start), 1000 * (time.process_time() - start)])
"""


# ---- inputs ----------------------------------------------------------------------------------------------


class Inputs(NamedTuple):
    """Generated files.

    Attributes:
        usual: 500,000 rows.
        many: The same ten times.
        agents: 500,000 rows with 26,000 distinct user agents.
        checked: 20,000 rows, for comparing what the sides write.
    """

    usual: Path
    many: Path
    agents: Path
    checked: Path


def _make_inputs() -> Inputs:
    INPUTS.mkdir(parents=True, exist_ok=True)
    found = Inputs(
        *(
            INPUTS / name
            for name in (f"{ROWS}.gz", f"{ROWS * COPIES}.gz", f"agents-{BUILDS}.gz", "checked.gz")
        )
    )
    for path, rows, copies, builds in (
        (found.usual, ROWS, 1, 1),
        (found.many, ROWS, COPIES, 1),
        (found.agents, ROWS, 1, BUILDS),
        (found.checked, CHECKED_ROWS, 1, 1),
    ):
        if not path.exists():
            corpus = Corpus(rows, rows_per_file=rows, viewers=100_000, builds=builds)
            body = next(corpus.files()).body
            part = path.with_suffix(".part")
            part.write_bytes(body * copies)
            part.rename(path)
    return found


# ---- sides -----------------------------------------------------------------------------------------------


def _records(path: Path, agents: UserAgents) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from pack(AccessLog(file, filename=f"logs/{path.name}", distribution="E1", agents=agents))


def _ours(path: Path, agents: UserAgents, *, cold: bool = False) -> None:
    if cold:
        agents.known.clear()
    for _ in _records(path, agents):
        pass


def _goaccess(path: Path) -> float:
    """CPU milliseconds of `zcat | goaccess`."""
    before = os.times()
    with subprocess.Popen(["zcat", str(path)], stdout=subprocess.PIPE) as zcat:
        report = str(INPUTS / "goaccess.json")
        options = ["--log-format=CLOUDFRONT", "--no-global-config", "--no-progress", "-o", report]
        subprocess.run(["goaccess", "-", *options], stdin=zcat.stdout, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    valid = json.loads((INPUTS / "goaccess.json").read_text())["general"]["valid_requests"]
    assert valid == ROWS, f"goaccess took {valid} rows"
    return 1000 * used


def _naive(path: Path) -> float:
    """CPU milliseconds that the naive way would take for the whole file."""
    start = time.process_time()
    rows = 0
    with gzip.open(path, "rt") as file:
        for line in itertools.islice(file, NAIVE_ROWS):
            if line.startswith("#"):
                continue
            values = line.rstrip("\n").split("\t")
            agent = user_agents.parse(unquote(values[10]))
            values += [agent.browser.family, agent.os.family, str(agent.is_bot), path.name, "E1"]
            "\t".join(values)
            rows += 1
    return 1000 * (time.process_time() - start) * ROWS / rows


_FOUND = ("browserfamily", "osfamily", "isbot", "botcategory")  # columns that are looked up
_SOURCES = [
    name for name in COLUMNS if name not in (*_FOUND, "filename", "distribution", "linenumber", "etag")
]


def _found(raw: str, agents: UserAgents) -> list[str]:
    agent = agents[raw]
    return [raw, agent.browser, agent.system, str(agent.is_bot), agent.category]


def _duckdb(path: Path, agents: UserAgents, *, parquet: bool = False, cold: bool = True) -> float:
    """CPU milliseconds of reading, joining with every distinct user agent's result, and writing."""
    if cold:
        agents.known.clear()
    start = time.process_time()
    with duckdb.connect(config={"threads": 1}) as database:
        columns = json.dumps(dict.fromkeys(_SOURCES, "VARCHAR"))
        database.execute(
            f"CREATE TABLE logs AS SELECT *, row_number() OVER () + 2 AS linenumber FROM read_csv('{path}', "
            f"delim='\t', skip=2, header=false, quote='', escape='', columns={columns}, auto_detect=false)"
        )
        found = database.execute("SELECT DISTINCT useragent FROM logs").fetchall()
        database.execute(f"CREATE TABLE agents (raw VARCHAR, {' VARCHAR, '.join(_FOUND)} VARCHAR)")
        database.executemany(
            "INSERT INTO agents VALUES (?, ?, ?, ?, ?)", [_found(raw, agents) for (raw,) in found]
        )
        source = (
            f"(SELECT *, 'logs/{path.name}' AS filename, 'E1' AS distribution, '-' AS etag "
            "FROM logs JOIN agents ON raw = useragent)"
        )
        query = f"SELECT {', '.join(COLUMNS)} FROM {source}"
        how = "FORMAT parquet" if parquet else "FORMAT csv, DELIMITER '\t', HEADER false, QUOTE '', ESCAPE ''"
        database.execute(f"COPY ({query}) TO '{INPUTS / 'duckdb.out'}' ({how})")
    return 1000 * (time.process_time() - start)


def _polars(path: Path, agents: UserAgents, *, cold: bool = True) -> float:
    """CPU milliseconds of the same with Polars."""
    if cold:
        agents.known.clear()
    start = time.process_time()
    logs = polars.read_csv(
        path, separator="\t", has_header=False, skip_lines=2, new_columns=_SOURCES, quote_char=None,
        infer_schema=False, row_index_name="linenumber", row_index_offset=3,
    )  # fmt: skip
    found = [_found(raw, agents) for raw in logs["useragent"].unique()]
    joined = logs.join(polars.DataFrame(found, schema=["useragent", *_FOUND], orient="row"), on="useragent")
    joined.with_columns(
        filename=polars.lit(f"logs/{path.name}"), distribution=polars.lit("E1"), etag=polars.lit("-")
    ).select(list(COLUMNS)).write_csv(
        INPUTS / "polars.out", separator="\t", include_header=False, quote_style="never"
    )
    return 1000 * (time.process_time() - start)


def _check_rows(path: Path, agents: UserAgents) -> None:
    """All sides that write rows write the same."""
    ours = sorted(b"".join(_records(path, agents)).splitlines())
    for side, name in ((_duckdb, "duckdb.out"), (_polars, "polars.out")):
        side(path, agents)
        written = sorted((INPUTS / name).read_bytes().splitlines())
        assert written == ours, f"{name} has other rows"


type Bars = dict[str, float | None]  # by the state of the memo


# ---- rows ------------------------------------------------------------------------------------------------


def _beside_goaccess(suite: Suite, path: Path, agents: UserAgents, corpus: str, bars: Bars) -> None:
    per_second = 1000 * ROWS
    for memo, bar in bars.items():
        suite.step(f"beside GoAccess{corpus}, {memo} memo")
        ours = partial(_ours, path, agents, cold=memo == "cold")
        sides = compare(ours, partial(_goaccess, path), ROUNDS)
        suite.add(
            f"lines/s{corpus}, {memo} memo, ours / GoAccess, which builds reports",
            1 / sides.ratio, "x", bar, "higher",
        )  # fmt: skip
        suite.add(f"lines/s{corpus}, {memo} memo, ours", per_second / sides.ours, "lines/s")
        suite.add(
            f"lines/s{corpus} beside the {memo} memo, GoAccess with zcat",
            per_second / sides.theirs,
            "lines/s",
        )


def _speed(suite: Suite, inputs: Inputs, agents: UserAgents) -> None:
    path = inputs.usual
    if shutil.which("goaccess"):
        _beside_goaccess(suite, path, agents, "", {"cold": 6, "warm": 10})
        _beside_goaccess(suite, inputs.agents, agents, ", 26,000 user agents", {"cold": None, "warm": 10})
    else:
        suite.note("goaccess is missing (apt install goaccess): no rows for it")
    suite.step("beside the naive way")
    cold_memo = partial(_ours, path, agents, cold=True)
    sides = compare(cold_memo, partial(_naive, path), 3)
    suite.add(
        "lines/s, cold memo, ours / user_agents.parse for each line", 1 / sides.ratio, "x", 40, "higher"
    )
    suite.add("lines/s, user_agents.parse for each line", 1000 * ROWS / sides.theirs, "lines/s")
    for peer, side in (
        ("DuckDB, the same rows", partial(_duckdb, path, agents)),
        ("Polars, the same rows", partial(_polars, path, agents)),
        ("DuckDB to Parquet, no rows of text", partial(_duckdb, path, agents, parquet=True)),
    ):
        suite.step(f"beside {peer}")
        suite.add(f"lines/s, cold memo, ours / {peer}", 1 / compare(cold_memo, side, 3).ratio, "x")


def _fresh_processes(suite: Suite, inputs: Inputs) -> None:
    paths = (*PATHS, ROOT)
    for path, rows, rounds, corpus in (
        (inputs.usual, ROWS, 3, ""),
        (inputs.many, ROWS * COPIES, 1, ""),
        (inputs.agents, ROWS, 3, ", 26,000 user agents"),
    ):
        suite.step(f"memory at {rows:,} rows{corpus}")
        results = [fresh_process(_MEMORY, str(path), paths=paths) for _ in range(rounds)]
        assert all(found == rows for found, _ in results)
        peak = statistics.median(peak for _, peak in results)
        suite.add(f"peak memory at {rows:,} rows{corpus}", peak, "MB", 128)
    suite.step("imports in fresh processes")
    times = [fresh_process(_IMPORT, paths=paths) for _ in range(8)][1:]
    suite.add("import above boto3", statistics.median(alone for alone, _ in times), "ms", 250)
    suite.add(
        "import above boto3, and the first user agent",
        statistics.median(both for _, both in times),
        "ms",
        250,
    )


def _bots(suite: Suite, agents: UserAgents) -> None:
    """Bots of a list that is no source, AI crawlers of two that are, and people; beside four peers.

    The peers are asked as their documentation says. device-detector is not asked about its own list.
    """
    suite.step("bots and people")
    import crawlerdetect  # type: ignore[import-untyped]
    import device_detector  # type: ignore[import-untyped]

    detector = crawlerdetect.CrawlerDetect()
    peers: dict[str, Callable[[str], bool]] = {
        "ours": lambda text: agents[encode_user_agent(text)].is_bot,
        "user_agents": lambda text: bool(user_agents.parse(text).is_bot),
        "crawler-user-agents": lambda text: bool(crawleruseragents.is_crawler(text)),
        "CrawlerDetect": lambda text: bool(detector.isCrawler(text)),
        "device-detector": lambda text: bool(device_detector.DeviceDetector(text).parse().is_bot()),
    }
    cases = device_detector_cases("bots")
    texts = [case["user_agent"] for case in cases]
    of_ai = [case["user_agent"] for case in cases if str(case["bot"].get("category")).startswith("AI ")]
    for what, some, bars in (
        ("bots of device-detector's cases", texts, 88),
        ("AI crawlers among them", of_ai, 98),
    ):
        for name in (name for name in peers if name != "device-detector"):
            found = 100 * sum(map(peers[name], some)) / len(some)
            suite.add(
                f"{len(some)} {what} found, {name}", found, "%", bars if name == "ours" else None, "higher"
            )
    named = sum(agents[encode_user_agent(text)].category == "ai" for text in of_ai)
    suite.add("the same, named `ai`, ours", 100 * named / len(of_ai), "%", 84, "higher")
    _ai_lists(suite, agents)
    _people(suite, peers)


def _ai_lists(suite: Suite, agents: UserAgents) -> None:
    """AI crawlers of lists that are sources: what is lost on the way into ours."""
    listed = [
        text
        for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA
        if "ai-crawler" in entry["tags"]
        for text in entry["instances"]
    ]
    # A record in brackets is a robots.txt token that no crawler sends.
    indexed = [
        f"Mozilla/5.0 (compatible; {crawler['ua']}/1.0)"
        for crawler in ai_crawler_index.CRAWLERS
        if crawler["category"] in ai_crawler_index.AI_CATEGORIES and not crawler["ua"].startswith("(")
    ]
    for source, some in (("crawler-user-agents", listed), ("ai-crawler-index", indexed)):
        found = sum(agents[encode_user_agent(text)].is_bot for text in some)
        suite.add(
            f"{len(some)} AI crawlers of {source}, a source, found",
            100 * found / len(some),
            "%",
            100,
            "higher",
        )


def _people(suite: Suite, peers: dict[str, Callable[[str], bool]]) -> None:
    """People taken for bots: of corpora that the list was not checked on, and of those that it was."""
    listing = distribution("fake-useragent").locate_file("fake_useragent/data/browsers.jsonl")
    lines = Path(str(listing)).read_text().splitlines()
    visitors = sorted({json.loads(line)["useragent"] for line in lines})
    made = sorted(set(browsers(4_000, seed=2)))
    checked = random.Random(1).sample(people(), 4_000)
    for what, some in (
        ("browsers of fake-useragent's", visitors),
        ("made browsers, of devices named like anything,", made),
        ("of the browsers that the list is checked on", checked),
    ):
        for name, is_bot in peers.items():
            taken = 100 * sum(map(is_bot, some)) / len(some)
            suite.add(f"{len(some)} {what} taken for bots, {name}", taken, "%", 0 if name == "ours" else None)


def _billing(suite: Suite, path: Path, agents: UserAgents) -> None:
    suite.step("billed volume")

    def billed(size: int) -> int:
        return -(-size // BILLING_STEP) * BILLING_STEP

    packed = single = 0
    for record in _records(path, agents):
        assert len(record) <= MAX_RECORD
        packed += billed(len(record))
        single += sum(billed(len(row) + 1) for row in record.splitlines())
    suite.add("billed Firehose volume, a record for each row / packed", single / packed, "x", 8, "higher")


def main() -> int:
    """Run everything; the number of bars missed."""
    one_core()
    suite = Suite("access_logs", steps=16)
    suite.step("making logs (once)")
    inputs = _make_inputs()
    agents = UserAgents()
    suite.step("checking that all write the same rows")
    _check_rows(inputs.checked, agents)
    _speed(suite, inputs, agents)
    _fresh_processes(suite, inputs)
    _bots(suite, agents)
    _billing(suite, inputs.usual, agents)
    return suite.finish()


if __name__ == "__main__":
    main()
