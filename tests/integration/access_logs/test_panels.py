"""Panels of access logs against the generator's rows, counted by hand: ranges, filters, pairs of them."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

import pytest

from datagen.cloudfront_logs import BOTS, FIELDS, Corpus, encode_user_agent
from local.clients.person import PersonAt
from local.suite import Suite

from .conftest import LAST_HOUR, Logs

KINDS = {encode_user_agent(agent): kind for agent, kind, _ in BOTS}
FILTERS: list[dict[str, str]] = [
    {},
    {"distribution": "E1SHOPFRONT9ZX"},
    {"kind": "people"},
    {"kind": "bots"},
    {"kind": "ai"},
    {"status": "404"},
    {"status": "5xx"},
    {"distribution": "E2EXAMPLE1ABCD", "kind": "ai"},
    {"distribution": "E2EXAMPLE1ABCD", "status": "4xx"},
    {"kind": "search", "status": "200"},
    {"distribution": "E3MEDIAASSETSQ", "kind": "people", "status": "3xx"},
]


class Row(NamedTuple):
    """A request, as the generator wrote it."""

    moment: datetime
    distribution: str
    kind: str
    status: str
    location: str
    viewer: str
    size: int
    result: str


def rows_of(corpus: Corpus, logs: Logs) -> list[Row]:
    """Upload the corpus's files, and return their rows."""
    rows: list[Row] = []
    for file in corpus.files():
        logs.upload(file.body, file.key)
        distribution = file.key.rpartition("/")[2].partition(".")[0]
        for line in gzip.decompress(file.body).decode().splitlines():
            if line.startswith("#"):
                continue
            fields = dict(zip(FIELDS, line.split("\t"), strict=False))
            agent = fields["cs(User-Agent)"]
            rows.append(
                Row(
                    datetime.fromisoformat(f"{fields['date']}T{fields['time']}Z"),
                    distribution,
                    KINDS.get(agent) or KINDS.get(agent.replace("%25", "%"), "-"),
                    fields["sc-status"],
                    fields["x-edge-location"],
                    fields["c-ip"],
                    int(fields["sc-bytes"]),
                    fields["x-edge-result-type"],
                )
            )
    return rows


def chosen(rows: list[Row], since: datetime, until: datetime, filters: dict[str, str]) -> list[Row]:
    """Return the rows that a panel is about."""
    kind, status = filters.get("kind", "all"), filters.get("status", "all")
    return [
        row
        for row in rows
        if since <= row.moment < until
        and filters.get("distribution", row.distribution) == row.distribution
        and (kind in ("all", row.kind) or {"people": row.kind == "-", "bots": row.kind != "-"}.get(kind))
        and (status in ("all", row.status) or (status[1:] == "xx" and status[0] == row.status[0]))
    ]


@pytest.fixture(scope="module")
def person(suite: Suite) -> PersonAt:
    return PersonAt(suite, "analyst@example.org")


class Panels:
    """Asks for panels with one range and filters."""

    def __init__(self, person: PersonAt, **query: str) -> None:
        self._person, self._query = person, query

    def answer(self, panel: str, **more: str) -> dict[str, Any]:
        answer = self._person.get(panel, **self._query, **more)
        asked = answer.json()
        while answer.status_code == 202:
            answer = self._person.get(panel, query=answer.json()["query"])
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = asked | answer.json()
        return found

    def columns(self, panel: str, *names: str) -> list[tuple[Any, ...]]:
        answer = self.answer(panel)
        places = [answer["columns"].index(name) for name in names]
        return [tuple(row[place] for place in places) for row in answer["rows"]]


def check(panels: Panels, wanted: list[Row], characters: int) -> None:
    """Compare every panel with the rows; `characters` of a time make a slot."""
    bots = [row for row in wanted if row.kind != "-"]

    def count(rows: Sequence[Row], *names: str) -> set[tuple[Any, ...]]:
        counted = Counter(tuple(getattr(row, name) for name in names) for row in rows)
        return {(*key, number) for key, number in counted.items()}

    def total(names: Sequence[str]) -> set[tuple[Any, ...]]:
        sums = Counter[tuple[Any, ...]]()
        for row in wanted:
            sums[tuple(getattr(row, name) for name in names)] += row.size
        return {(*key, number) for key, number in sums.items()}

    over_time = panels.columns("requests_over_time", "slot", "requests", "ofbots", "failed")
    by_slot: dict[str, list[Row]] = {}
    for row in wanted:
        by_slot.setdefault(row.moment.isoformat()[:characters], []).append(row)
    assert over_time == [
        (key, len(of), sum(row.kind != "-" for row in of), sum(row.status >= "400" for row in of))
        for key, of in sorted(by_slot.items())
    ]
    assert set(panels.columns("bots_by_edge", "location", "ct")) == count(bots, "location")
    assert set(panels.columns("bytes_by_distribution", "distribution", "totalbytes")) == total(
        ["distribution"]
    )
    assert set(panels.columns("bytes_by_edge", "distribution", "location", "totalbytes")) == total(
        ["distribution", "location"]
    )
    assert set(panels.columns("bot_requests", "requestip", "location", "ct")) == count(
        bots, "viewer", "location"
    )
    assert set(panels.columns("ai_crawler_share", "botcategory", "ct")) == count(wanted, "kind")
    assert set(panels.columns("cache_hit_ratio", "distribution", "requests")) == count(wanted, "distribution")
    hits = [row for row in wanted if row.result in ("Hit", "RefreshHit")]
    found = {row for row in panels.columns("cache_hit_ratio", "distribution", "hits") if row[1]}
    assert found == count(hits, "distribution")
    failed = [row for row in wanted if row.status >= "500"]
    found = {row for row in panels.columns("error_rates", "distribution", "errors5xx") if row[1]}
    assert found == count(failed, "distribution")
    top = panels.columns("top_viewers", "requestip", "ct")
    assert set(top) <= count(wanted, "viewer")
    assert len(top) == min(50, len({row.viewer for row in wanted}))
    behind = panels.columns("requests", "requesttime", "all_rows")
    newest = sorted((f"{row.moment:%Y-%m-%dT%H:%M:%SZ}" for row in wanted), reverse=True)
    assert behind == [(moment, len(wanted)) for moment in newest[:200]]


@pytest.fixture(scope="module")
def rows(suite: Suite) -> list[Row]:
    """3,000 requests of the last hours, some of them of the day before, all delivered."""
    logs = Logs(suite)
    logs.wait_idle()
    keys = [{"Key": key} for key in logs.objects("2")]
    for first in range(0, len(keys), 1_000):
        logs.s3.delete_objects(Bucket=logs.rows_bucket, Delete={"Objects": keys[first : first + 1_000]})
    corpus = Corpus(
        3_000, seed=16, start=LAST_HOUR - timedelta(hours=2), rows_per_file=250, viewers=120, late_share=0.1
    )
    found = rows_of(corpus, logs)
    logs.wait_rows(3_000)
    return found


@pytest.mark.parametrize("filters", FILTERS, ids=lambda each: "+".join(each.values()) or "none")
def test_every_panel_counts_the_rows_of_its_range_and_filters(
    rows: list[Row], person: PersonAt, filters: dict[str, str]
) -> None:
    """From the second of one row to that of another: the first is in the range, the last is not."""
    moments = sorted(row.moment for row in rows)
    since, until = moments[len(moments) // 20], moments[-len(moments) // 20]
    wanted = chosen(rows, since, until, filters)
    assert wanted, "the filter leaves some"
    assert len(wanted) < len(chosen(rows, since, until + timedelta(seconds=1), {})) < len(rows)
    assert timedelta(hours=3) < until - since <= timedelta(hours=33), "slots of ten minutes"
    panels = Panels(person, **{"from": since.isoformat(), "to": until.isoformat()}, **filters)
    check(panels, wanted, 15)


@pytest.mark.parametrize("zone", [timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))])
def test_hours_of_another_zone_are_hours_of_that_zone(
    rows: list[Row], person: PersonAt, zone: timezone
) -> None:
    since = (LAST_HOUR - timedelta(hours=1)).astimezone(zone)
    until = since + timedelta(hours=1)
    wanted = chosen(rows, since, until, {})
    assert 0 < len(wanted) < len(rows)
    panels = Panels(person, **{"from": since.isoformat(), "to": until.isoformat()})
    check(panels, wanted, 16)
    assert panels.answer("requests_over_time")["range"] == {
        "from": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "to": f"{until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "slot_s": 60,
    }


def test_rows_behind_a_bar_are_those_of_its_viewer_or_edge_location(
    rows: list[Row], person: PersonAt
) -> None:
    [(viewer, _)] = Counter(row.viewer for row in rows).most_common(1)
    [(location, _)] = Counter(row.location for row in rows).most_common(1)
    day = {
        "from": f"{LAST_HOUR - timedelta(days=2):%Y-%m-%d}",
        "to": f"{LAST_HOUR + timedelta(days=1):%Y-%m-%d}",
    }
    for more, kept in (
        ({"viewer": viewer}, [row for row in rows if row.viewer == viewer]),
        ({"location": location}, [row for row in rows if row.location == location]),
        (
            {"viewer": viewer, "location": location, "status": "2xx"},
            [row for row in rows if (row.viewer, row.location, row.status[0]) == (viewer, location, "2")],
        ),
    ):
        answer = Panels(person, **day, **more).answer("requests")
        place = answer["columns"].index("all_rows")
        assert len(answer["rows"]) == min(200, len(kept))
        assert {row[place] for row in answer["rows"]} == ({len(kept)} if kept else set())


@pytest.mark.parametrize("text", ["' OR '1'='1", "E1' --", "x'); DROP TABLE cf_logs; --", "O'Brien", "\\'"])
def test_text_of_a_filter_is_never_sql(rows: list[Row], person: PersonAt, text: str) -> None:
    for name in ("distribution", "kind"):
        assert Panels(person, **{name: text}).answer("cache_hit_ratio")["rows"] == []
    assert Panels(person, viewer=text).answer("requests")["rows"] == []


def test_wrong_questions_are_named(person: PersonAt) -> None:
    for query, named in (
        ({"from": "2026-11-22T08:00"}, "from must be a date, or a moment with its zone"),
        ({"status": "4xx' --"}, "status must be"),
        ({"window": "hour", "to": "2026-11-22"}, "either window"),
        ({"viewer": "192.0.2.1"}, "no filter viewer"),
    ):
        answer = person.get("cache_hit_ratio", **query)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
        assert named in answer.json()["message"]


def test_answer_says_how_to_run_it_in_athena(suite: Suite, rows: list[Row], person: PersonAt) -> None:
    """The statement and its parameters, run in the workgroup by hand, give the same rows."""
    answer = Panels(person, status="4xx").answer("error_rates")
    athena = suite.client("athena")
    where = answer["athena"]
    assert (where["workgroup"], where["region"]) == (
        suite["AccessLogsWorkGroupName"],
        athena.meta.region_name,
    )
    execution = athena.get_query_execution(QueryExecutionId=answer["query"])["QueryExecution"]
    assert execution["Query"] == where["sql"]
    repeated = athena.start_query_execution(
        QueryString=where["sql"],
        ExecutionParameters=answer["parameters"],
        QueryExecutionContext={"Database": where["database"]},
        WorkGroup=where["workgroup"],
    )["QueryExecutionId"]
    assert Panels(person).answer("error_rates", query=repeated)["rows"] == answer["rows"]
