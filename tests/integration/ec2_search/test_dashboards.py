"""The dashboard's panels on the real search server, and the importer: the template there, saved objects on a
server that holds the import to OpenSearch Dashboards' rules (see `tests/support/dashboards.py`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from botocore.credentials import Credentials

from datagen.ec2_calls import Calls, recorded
from ec2_monitor.bulk import Entry, create
from ec2_monitor.documents import document, encoded
from local.deploy import STACK
from local.engine_process import aws_environment
from local.search.server import search_server
from ops.dashboards import TEMPLATE, RefusedError, import_objects, put_template
from ops.paths import ROOT
from shared.signed_http import Answer, SignedHttp, UnreachableError
from tests.integration.ec2_search.conftest import Search
from tests.support.dashboards import DashboardsServer, dashboards_server, objects, search_of

NOW = datetime.now(UTC)
WINDOW = (f"{NOW - timedelta(hours=12):%Y-%m-%dT%H:%M:%SZ}", f"{NOW:%Y-%m-%dT%H:%M:%SZ}")
DENIED = ("Unauthorized", "AccessDenied", "AuthFailure", "Forbidden")


def signed(address: str) -> SignedHttp:
    return SignedHttp(address, "es", "eu-west-1", credentials=Credentials("AKIDEXAMPLE", "secret"))


@pytest.fixture(scope="module")
def server(search_server_installed: None) -> Iterator[str]:
    with search_server() as address:
        yield address


@pytest.fixture(scope="module")
def calls(server: str) -> list[dict[str, Any]]:
    """Documents of 500 calls of the last hour, and of old ones, in an index made by the template."""
    domain = signed(server)
    put_template(domain)
    recent = [*Calls(500, seed=7, end=NOW), *_at(NOW, *recorded("alerts").values())]
    old = list(Calls(50, seed=8, end=NOW - timedelta(hours=20)))
    made = [document(event) for event in [*recent, *old]]

    def post(body: bytes) -> Answer:
        return domain.send("POST", "/log/_bulk", body, headers={"Content-Type": "application/x-ndjson"})

    entries = [Entry(each["event_id"], encoded(each)) for each in made]
    assert {outcome.reason for outcome in create(post, entries, goes_on=lambda: True)} == {""}
    assert domain.send("POST", "/_refresh").status == 200
    return made[: len(recent)]


def _at(moment: datetime, *events: dict[str, Any]) -> list[dict[str, Any]]:
    time = f"{moment - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    return [event | {"detail": event["detail"] | {"eventTime": time}} for event in events]


def ask(server: str, panel: tuple[str, str]) -> dict[str, Any]:
    body = search_of(objects()[panel], *WINDOW)
    answer = requests.post(f"{server}/log/_search", json=body, timeout=30)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_calls_by_name_counts_the_calls_of_the_last_twelve_hours(
    server: str, calls: list[dict[str, Any]]
) -> None:
    buckets = ask(server, ("visualization", "ec2-calls-by-name"))["aggregations"]["2"]["buckets"]
    counted = Counter(each["event_name"] for each in calls)
    assert {each["key"]: each["doc_count"] for each in buckets} == counted


def test_calls_over_time_has_each_call_in_its_time(server: str, calls: list[dict[str, Any]]) -> None:
    buckets = ask(server, ("visualization", "ec2-calls-over-time"))["aggregations"]["2"]["buckets"]
    found = Counter(
        (moment["key_as_string"][:15], call["key"])
        for moment in buckets
        for call in moment["3"]["buckets"]
        for _ in range(call["doc_count"])
    )
    assert found == Counter((each["@time"][:15], each["event_name"]) for each in calls)


def test_top_actors_has_the_busiest_with_their_addresses(server: str, calls: list[dict[str, Any]]) -> None:
    buckets = ask(server, ("visualization", "ec2-top-actors"))["aggregations"]["4"]["buckets"]
    counted = Counter(each["actor"] for each in calls)
    assert len(buckets) == min(20, len(counted))
    for bucket in buckets:
        theirs = [each for each in calls if each["actor"] == bucket["key"]]
        assert bucket["doc_count"] == len(theirs)
        assert bucket["2"]["value"] == len({each["source_address"] for each in theirs})
        assert bucket["3"]["value_as_string"][:19] == max(each["@time"] for each in theirs)[:19]


def test_denied_calls_are_those_that_were_refused_and_failed_sign_ins(
    server: str, calls: list[dict[str, Any]]
) -> None:
    answer = ask(server, ("visualization", "ec2-denied-calls"))
    denied = [
        each
        for each in calls
        if any(word in each.get("error_code", "") for word in DENIED)
        or (each["event_name"] == "ConsoleLogin" and "error_message" in each)
    ]
    assert {each["event_name"] for each in denied} >= {"ConsoleLogin", "RunInstances"}
    assert answer["hits"]["total"]["value"] == len(denied)
    found = Counter({
        (actor["key"], call["key"], error["key"]): error["doc_count"]
        for actor in answer["aggregations"]["3"]["buckets"]
        for call in actor["4"]["buckets"]
        for error in call["5"]["buckets"]
    })  # fmt: skip
    assert found == Counter(
        (each["actor"], each["event_name"], each.get("error_code", "__missing__")) for each in denied
    )


def test_latest_calls_can_be_sorted_by_time(server: str, calls: list[dict[str, Any]]) -> None:
    saved = objects()["search", "ec2-latest-calls"]["attributes"]
    body = {"size": 5, "sort": [{name: order} for name, order in saved["sort"]], "_source": saved["columns"]}
    hits = requests.post(f"{server}/log/_search", json=body, timeout=30).json()["hits"]["hits"]
    times = sorted((each["@time"] for each in calls), reverse=True)[:5]
    assert [datetime.fromtimestamp(hit["sort"][0] / 1000, UTC).isoformat()[:19] for hit in hits] == [
        time[:19] for time in times
    ]


def test_template_can_be_put_again_and_is_the_file(server: str) -> None:
    put_template(signed(server))
    put_template(signed(server))
    stored = requests.get(f"{server}/_template/log", timeout=30).json()["log"]
    wanted = json.loads(TEMPLATE.read_text())
    assert stored["mappings"]["properties"] == wanted["mappings"]["properties"]
    assert stored["index_patterns"] == wanted["index_patterns"]


@pytest.fixture
def dashboards() -> Iterator[DashboardsServer]:
    with dashboards_server() as running:
        yield running


def test_saved_objects_are_imported_and_imported_again(dashboards: DashboardsServer) -> None:
    assert import_objects(signed(dashboards.address)) == len(objects())
    assert import_objects(signed(dashboards.address)) == len(objects())
    assert dashboards.stored == objects()


def test_a_refused_import_says_who_may_not(dashboards: DashboardsServer) -> None:
    dashboards.status = 403
    with pytest.raises(RefusedError, match="es:ESHttpPost"):
        import_objects(signed(dashboards.address))


def test_an_import_without_success_names_the_objects(
    dashboards: DashboardsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    lonely = tmp_path / "dashboard.ndjson"
    lonely.write_text(json.dumps(objects()["dashboard", "ec2-who-changes-what"]) + "\n")
    monkeypatch.setattr("ops.dashboards.OBJECTS", lonely)
    with pytest.raises(RefusedError, match="dashboard ec2-who-changes-what: missing_references"):
        import_objects(signed(dashboards.address))


def test_a_template_that_the_server_does_not_take_is_an_error(
    server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    wrong = tmp_path / "index_template.json"
    wrong.write_text('{"index_patterns": ["log"], "mappings": {"properties": {"@time": {"type": "moment"}}}}')
    monkeypatch.setattr("ops.dashboards.TEMPLATE", wrong)
    with pytest.raises(RefusedError, match="400"):
        put_template(signed(server))


def test_nobody_there_is_an_error_that_says_so() -> None:
    with pytest.raises(UnreachableError):
        put_template(signed("http://127.0.0.1:9"))


def importer(search: Search, stack: str) -> subprocess.CompletedProcess[str]:
    """Run the command on a stack of the engine, as `make dashboards` does on one on AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = kept | aws_environment(search.suite.engine.endpoint) | {"PYTHONPATH": "layers/shared"}
    command = [sys.executable, "-m", "ops.dashboards", "--stack", stack]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_command_puts_the_template_and_imports_the_dashboard_of_a_stack(
    search: Search, dashboards: DashboardsServer
) -> None:
    search.ask("DELETE", "/_template/*")
    search.proxy.dashboards = dashboards.address
    done = importer(search, STACK)
    assert done.returncode == 0, done.stderr
    assert "7 saved objects imported" in done.stdout
    assert "/_dashboards/app/dashboards#/view/ec2-who-changes-what" in done.stdout
    assert dashboards.stored == objects()
    assert search.ask("GET", "/_template/log")["log"]["index_patterns"] == ["log"]


def test_command_says_what_failed_and_fails(search: Search) -> None:
    search.proxy.dashboards = ""
    done = importer(search, STACK)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("RefusedError: saved objects: 4")
    done = importer(search, "no-such-stack")
    assert done.returncode == 1
    assert "no-such-stack" in done.stderr
