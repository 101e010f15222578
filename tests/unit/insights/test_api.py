import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

import queries
from insights import api, live, saved_queries
from insights.api import handler
from insights.panels import Catalogue
from shared import clients, live_traffic
from shared.access_log import OTHERS, Event, Window
from tests.support.memory_dynamodb import MemoryDynamoDb

QUERY = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"


SAVED = {"suite": queries.SAVED, "social": queries.SOCIAL, "ec2": queries.EC2}


class InvalidRequestError(Exception):
    pass


class MemoryAthena:
    """Answers one query; `states` are those that the coming looks at it find."""

    exceptions = SimpleNamespace(InvalidRequestException=InvalidRequestError)

    def __init__(self, states: Iterator[str]) -> None:
        self.states = states
        self.started: list[dict[str, Any]] = []
        self.workgroup = "suite"
        self.meta = SimpleNamespace(region_name="eu-west-1")

    def get_paginator(self, operation: str) -> SimpleNamespace:
        assert operation == "list_named_queries"

        def paginate(*, WorkGroup: str, **_: Any) -> list[dict[str, Any]]:  # noqa: N803
            return [{"NamedQueryIds": [name]} for name in SAVED.get(WorkGroup, ())] + [{"NamedQueryIds": []}]

        return SimpleNamespace(paginate=paginate)

    def batch_get_named_query(self, *, NamedQueryIds: list[str]) -> dict[str, Any]:  # noqa: N803
        return {
            "NamedQueries": [
                {"Name": name, "QueryString": queries.sql(name), "Database": "logs"} for name in NamedQueryIds
            ],
            "UnprocessedNamedQueryIds": [],
        }

    def start_query_execution(self, **request: Any) -> dict[str, Any]:
        self.started.append(request)
        return {"QueryExecutionId": QUERY}

    def get_query_execution(self, *, QueryExecutionId: str) -> dict[str, Any]:  # noqa: N803
        if QueryExecutionId != QUERY:
            raise InvalidRequestError
        moment = datetime(2026, 11, 23, 20, tzinfo=UTC)
        status = {"State": next(self.states), "CompletionDateTime": moment}
        return {"QueryExecution": {"WorkGroup": self.workgroup, "Status": status}}

    def get_query_results(self, **_: Any) -> dict[str, Any]:
        def row(*values: str | None) -> dict[str, Any]:
            return {"Data": [{"VarCharValue": value} if value is not None else {} for value in values]}

        columns = [{"Name": "requestip", "Type": "varchar"}, {"Name": "ct", "Type": "bigint"}]
        rows = [row("requestip", "ct"), row("192.0.2.1", "7"), row("12", None)]
        return {"ResultSet": {"ResultSetMetadata": {"ColumnInfo": columns}, "Rows": rows}}


@pytest.fixture
def athena(dynamodb: MemoryDynamoDb, monkeypatch: pytest.MonkeyPatch) -> MemoryAthena:
    made = MemoryAthena(iter(["SUCCEEDED"]))
    services: dict[str, Any] = {"dynamodb": dynamodb, "athena": made}
    monkeypatch.setattr(clients, "_client", lambda service, _timeout: services[service])
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setenv("WORKGROUPS", "suite,social,ec2")
    api._catalogue.cache_clear()
    return made


def ask(event: dict[str, Any], context: Any) -> tuple[int, dict[str, Any]]:
    answer = handler(event, context)
    assert answer["headers"]["Access-Control-Allow-Origin"] == "*"
    assert answer["headers"]["Cache-Control"] == "no-store"
    body: dict[str, Any] = json.loads(answer["body"])
    return answer["statusCode"], body


@pytest.mark.parametrize("name", ["api_live", "api_top_viewers", "api_unknown_panel"])
@pytest.mark.parametrize("groups", [None, "readers", "operators2"])
def test_nobody_but_operators_is_told_anything(
    recorded: Callable[..., Any], context: SimpleNamespace, name: str, groups: str | None
) -> None:
    event = recorded(name)
    event["requestContext"]["authorizer"]["claims"]["cognito:groups"] = groups
    status, body = ask(event, context)
    assert (status, body["code"]) == (403, "forbidden")


def test_live_sums_up_the_latest_minutes(
    dynamodb: MemoryDynamoDb, recorded: Callable[..., Any], context: SimpleNamespace
) -> None:
    now = int(time.time())
    minute, window = now - now % 60, Window()
    for number in range(5):
        event = Event(
            minute + number % 2, f"192.0.2.{number % 2}", "IAD89-C1", "E2EXAMPLE1ABCD", 10, number > 2
        )
        window.add(event, sequence_number=str(number), arrival=float(minute))
    live_traffic.write("results", live_traffic.summarize(minute, window, 1), 1)
    status, body = ask(recorded("api_live"), context)
    assert status == 200
    assert body["totals"] == {"requests": 5, "sent": 50, "bot_requests": 2, "late": 0, "duplicates": 0}
    assert body["seconds"]["rows"] == [[minute, 3, 30, 1], [minute + 1, 2, 20, 1]]
    assert body["distributions"]["rows"] == [["E2EXAMPLE1ABCD", 5, 50]]
    assert body["viewers"] | {"columns": 0} == {
        "minute": minute, "complete": False, "error": 0, "columns": 0,
        "rows": [["192.0.2.0", 3], ["192.0.2.1", 2]],
    }  # fmt: skip


def minute_of(first: int, *, bots: int = 0, seconds: int = 60) -> live_traffic.Minute:
    """A minute of traffic of 80 distributions, which send the more the rarer they are asked for."""
    traffic: list[list[Any]] = [
        [first + number % seconds, f"E{number:03}", f"L{number % 70}", 100 - number, 10 * number + 1]
        for number in range(80)
    ]
    of_bots: list[list[Any]] = [
        [first, f"192.0.2.{number % 9}", f"L{number}", "E0", 1, 5] for number in range(bots)
    ]
    return live_traffic.Minute(
        first, sum(row[3] for row in traffic), sum(row[4] for row in traffic), bots, 0, 0, 0, 1, of_bots,
        traffic, [["192.0.2.1", 7]],
    )  # fmt: skip


def test_a_cut_list_of_live_traffic_ends_with_the_sum_of_the_others() -> None:
    first = 1_795_800_000
    answer = live.live([minute_of(first, bots=400)], first + 300, 10)
    minute = minute_of(first, bots=400)
    for name, total in (("distributions", minute.sent), ("locations", minute.sent), ("bots", 400 * 5)):
        table = answer[name]
        assert len(table["rows"]) == 51
        assert set(table["rows"][-1][:-2]) == {OTHERS}
        assert sum(row[-1] for row in table["rows"]) == total
    sizes = [row[-1] for row in answer["distributions"]["rows"][:-1]]
    assert sizes == sorted((10 * number + 1 for number in range(80)), reverse=True)[:50], "by bytes"
    by_hand = Counter(f"192.0.2.{number % 9}" for number in range(400))
    assert {row[0]: row[1] for row in answer["bot_addresses"]["rows"]} == by_hand


@pytest.mark.parametrize(
    ("age", "until", "shown", "complete"),
    [
        pytest.param(
            0, 119 - 10, 0, True, id="traffic comes: the newest window may grow, the minute is not over"
        ),
        pytest.param(19, 119 - 10, 0, True, id="two windows have not passed"),
        pytest.param(21, 119, 60, True, id="traffic has ended"),
    ],
)
def test_the_newest_window_is_not_taken_for_complete(
    age: int, until: int, shown: int, complete: bool
) -> None:
    first = 1_795_800_000
    minutes = [minute_of(first), minute_of(first + 60)]
    answer = live.live(minutes, first + 119 + age, 10)
    assert answer["seconds"]["complete_until"] == first + until
    assert (answer["viewers"]["minute"], answer["viewers"]["complete"]) == (first + shown, complete)


def test_live_without_traffic_is_empty(
    dynamodb: MemoryDynamoDb, recorded: Callable[..., Any], context: SimpleNamespace
) -> None:
    status, body = ask(recorded("api_live"), context)
    assert (status, body["seconds"]["rows"], body["viewers"]["minute"]) == (200, [], None)


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("api_bad_minutes", 400, "bad_request"), ("api_unknown_panel", 404, "unknown_panel")],
)
def test_errors_are_json_with_a_stable_code(
    dynamodb: MemoryDynamoDb,
    recorded: Callable[..., Any],
    context: SimpleNamespace,
    name: str,
    status: int,
    code: str,
) -> None:
    found, body = ask(recorded(name), context)
    assert (found, body["code"], set(body)) == (status, code, {"code", "message"})


def test_panel_at_rest_runs_its_saved_query_for_the_dates(
    athena: MemoryAthena, recorded: Callable[..., Any], context: SimpleNamespace
) -> None:
    status, body = ask(recorded("api_top_viewers"), context)
    assert status == 200
    assert body["columns"] == ["requestip", "ct"]
    assert body["rows"] == [["192.0.2.1", 7], ["12", None]]
    assert body["as_of"] == "2026-11-23T20:00:00Z"
    [started] = athena.started
    assert started["ExecutionParameters"] == [
        "'2026-11-20'", "'2026-11-23'", "'2026-11-20T00:00:00Z'", "'2026-11-24T00:00:00Z'",
        "'all'", "'all'", "'all'",
    ]  # fmt: skip
    assert started["WorkGroup"] == "suite"
    assert started["ResultReuseConfiguration"]["ResultReuseByAgeConfiguration"]["Enabled"]


def test_answer_has_what_athenas_console_needs(
    athena: MemoryAthena, recorded: Callable[..., Any], context: SimpleNamespace
) -> None:
    _, body = ask(recorded("api_top_viewers"), context)
    [started] = athena.started
    assert body["athena"] == {
        "sql": queries.sql("top_viewers"), "database": "logs", "workgroup": "suite", "region": "eu-west-1",
    }  # fmt: skip
    assert body["query"] == QUERY
    assert body["parameters"] == started["ExecutionParameters"]
    assert body["range"] == {"from": "2026-11-20T00:00:00Z", "to": "2026-11-24T00:00:00Z"}


def test_filter_is_a_parameter_and_no_part_of_the_statement(
    athena: MemoryAthena, recorded: Callable[..., Any], context: SimpleNamespace
) -> None:
    athena.workgroup = "ec2"
    query = {"actor": "O'Brien' OR 1=1", "call": "RunInstances"}
    assert ask(recorded("api_ec2_calls") | {"queryStringParameters": query}, context)[0] == 200
    [started] = athena.started
    assert started["ExecutionParameters"][-2:] == ["'O''Brien'' OR 1=1'", "'RunInstances'"]
    assert started["QueryString"] == queries.sql("ec2_calls")


def test_posters_are_asked_for_in_the_social_streams_workgroup(
    athena: MemoryAthena, recorded: Callable[..., Any], context: SimpleNamespace
) -> None:
    athena.workgroup = "social"
    status, _ = ask(recorded("api_top_posters"), context)
    assert status == 200
    [started] = athena.started
    assert (started["WorkGroup"], len(started["ExecutionParameters"])) == ("social", 6)


@pytest.mark.parametrize("window", ["", "year", "1 hour", "hour'"])
def test_unknown_windows_are_refused(
    athena: MemoryAthena,
    recorded: Callable[..., Any],
    context: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    window: str,
) -> None:
    event = recorded("api_top_posters") | {"queryStringParameters": {"window": window}}
    assert ask(event, context)[1]["code"] == "bad_request"
    assert athena.started == []


def test_a_slow_query_is_named_and_can_be_asked_for(
    athena: MemoryAthena,
    recorded: Callable[..., Any],
    context: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    athena.states = iter(["QUEUED", "RUNNING", "SUCCEEDED"])
    monkeypatch.setattr(saved_queries, "WAIT_S", 0.0)
    event = recorded("api_top_viewers")
    answer = handler(event, context)  # type: ignore[arg-type]
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (202, "1")
    assert {"range", "parameters", "athena"} <= json.loads(answer["body"]).keys(), "Athena does not keep them"
    event["queryStringParameters"] = {"query": json.loads(answer["body"])["query"]}
    assert ask(event, context)[0] == 202
    assert ask(event, context)[0] == 200
    assert len(athena.started) == 1


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_failed_query_is_said(
    athena: MemoryAthena, recorded: Callable[..., Any], context: SimpleNamespace, state: str
) -> None:
    athena.states = iter([state])
    status, body = ask(recorded("api_top_viewers"), context)
    assert (status, body["code"]) == (502, "query_failed")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"query": "'; DROP TABLE"}, 400, "bad_request"),
        ({"query": "00000000-0000-4000-8000-000000000000"}, 404, "unknown_query"),
        ({"from": "yesterday"}, 400, "bad_request"),
        ({"status": "bad"}, 400, "bad_request"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    athena: MemoryAthena, recorded: Callable[..., Any], context: SimpleNamespace, query: dict[str, str],
    status: int, code: str,
) -> None:  # fmt: skip
    event = recorded("api_top_viewers") | {"queryStringParameters": query}
    found, body = ask(event, context)
    assert (found, body["code"]) == (status, code)
    assert athena.started == []


def test_queries_of_other_workgroups_are_unknown(
    athena: MemoryAthena, recorded: Callable[..., Any], context: SimpleNamespace
) -> None:
    athena.workgroup = "somebody's"
    event = recorded("api_top_viewers") | {"queryStringParameters": {"query": QUERY}}
    assert ask(event, context)[1]["code"] == "unknown_query"


def test_a_busy_service_is_worth_another_try(
    athena: MemoryAthena,
    recorded: Callable[..., Any],
    context: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "TooManyRequestsException"}}, "StartQueryExecution")

    monkeypatch.setattr(athena, "start_query_execution", refuse)
    answer = handler(recorded("api_top_viewers"), context)  # type: ignore[arg-type]
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "1")


def test_an_application_that_is_switched_off_has_no_panels(
    dynamodb: MemoryDynamoDb,
    recorded: Callable[..., Any],
    context: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("RESULTS_TABLE", "WORKGROUPS"):
        monkeypatch.setenv(name, "")
    for name in ("api_live", "api_top_viewers"):
        assert ask(recorded(name), context)[1]["code"] == "unknown_panel"


def test_panels_that_saved_queries_declare_are_listed_in_the_order_of_the_page(
    athena: MemoryAthena, recorded: Callable[..., Any], context: SimpleNamespace
) -> None:
    status, body = ask(recorded("api_top_viewers") | {"pathParameters": {"panel": "panels"}}, context)
    assert status == 200
    assert [each["panel"] for each in body["panels"]] == [
        "requests_over_time", "bots_by_edge", "bytes_by_distribution", "cache_hit_ratio", "error_rates",
        "top_viewers", "ai_crawler_share", "bot_requests", "bytes_by_edge", "requests", "top_posters",
        "ec2_calls", "ec2_actors", "ec2_denied",
    ]  # fmt: skip
    assert all(each["title"] and each["columns"] for each in body["panels"])


def test_query_without_a_declaration_is_no_panel(
    athena: MemoryAthena, recorded: Callable[..., Any], context: SimpleNamespace
) -> None:
    event = recorded("api_top_viewers") | {"pathParameters": {"panel": "ec2_resource"}}
    assert ask(event, context)[1]["code"] == "unknown_panel"


def test_query_that_athena_does_not_take_is_no_busy_service(
    athena: MemoryAthena,
    recorded: Callable[..., Any],
    context: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(**_: Any) -> None:
        raise InvalidRequestError

    monkeypatch.setattr(athena, "start_query_execution", refuse)
    status, body = ask(recorded("api_top_viewers"), context)
    assert (status, body["code"]) == (502, "query_failed")


def test_panels_that_cannot_be_listed_are_busy_and_not_unknown(
    athena: MemoryAthena,
    recorded: Callable[..., Any],
    context: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: str) -> None:
        raise ClientError({"Error": {"Code": "TooManyRequestsException"}}, "ListNamedQueries")

    monkeypatch.setattr(athena, "get_paginator", refuse)
    assert ask(recorded("api_top_viewers"), context)[1]["code"] == "busy"
    event = recorded("api_top_viewers") | {"pathParameters": {"panel": "panels"}}
    assert ask(event, context) == (200, {"panels": [], "complete": False})


def test_log_names_the_panel_and_the_refusal(
    athena: MemoryAthena,
    recorded: Callable[..., Any],
    context: SimpleNamespace,
    caplog: pytest.LogCaptureFixture,
) -> None:
    athena.workgroup = "ec2"
    ask(recorded("api_ec2_calls"), context)
    ask(recorded("api_top_viewers") | {"pathParameters": {"panel": "alice@example.org"}}, context)
    lines = [vars(record) for record in caplog.records if record.msg == "request"]
    assert [(line["panel"], line["outcome"]) for line in lines] == [
        ("ec2_calls", "ok"),
        ("-", "unknown_panel"),
    ]


def test_panel_that_was_saved_a_moment_ago_is_answered_by_who_did_not_know_it(
    athena: MemoryAthena,
    recorded: Callable[..., Any],
    context: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The page's list may come from another instance of the function."""
    now = [0.0]
    catalogue = Catalogue(lambda: now[0])
    monkeypatch.setattr(api, "_catalogue", lambda: catalogue)
    monkeypatch.setitem(SAVED, "suite", [])
    assert ask(recorded("api_top_viewers"), context)[1]["code"] == "unknown_panel"
    monkeypatch.setitem(SAVED, "suite", ["top_viewers"])
    now[0] = 6.0
    assert ask(recorded("api_top_viewers"), context)[0] == 200
