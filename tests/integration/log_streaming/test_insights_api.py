"""The insights API at its public address."""

from __future__ import annotations

import json
import time

import pytest

from local.clients.person import PersonAt
from local.suite import Suite
from tests.integration.log_streaming.conftest import Live


def address(suite: Suite, panel: str = "live") -> str:
    return f"{suite['InsightsApiUrl']}/v1/insights/{panel}"


@pytest.mark.parametrize("panel", ["live", "top_viewers", "nothing"])
@pytest.mark.parametrize("token", ["", "forged", "altered"])
def test_without_a_valid_token_nothing_is_told(
    suite: Suite, person: PersonAt, panel: str, token: str
) -> None:
    head, body, signature = person.token.split(".")
    tokens = {"": "", "forged": "a.b.c", "altered": f"{head}.{body}.{signature[::-1]}"}
    headers = {"Authorization": tokens[token]} if token else {}
    answer = suite.http.get(address(suite, panel), headers=headers)
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthorized"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_page_of_another_origin_may_send_the_token(suite: Suite) -> None:
    answer = suite.http.options(
        address(suite),
        headers={
            "Origin": suite["WebUrl"], "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        },
    )  # fmt: skip
    assert answer.status_code in (200, 204)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"].lower()


def test_live_answers_with_seconds_and_is_never_cached(suite: Suite, live: Live, person: PersonAt) -> None:
    now = int(time.time())
    live.put([live.line(now, "ELIVEAPI00000")] * 9)
    live.wait_for("ELIVEAPI00000", range(now, now + 1), 9)
    answer = person.get("live", minutes="2")
    body = answer.json()
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert {row[0]: row[1] for row in body["seconds"]["rows"]}[now] >= 9
    assert ["ELIVEAPI00000", 9, 900] in body["distributions"]["rows"]


@pytest.mark.parametrize(
    ("panel", "query", "status", "code"),
    [
        ("live", {"minutes": "0"}, 400, "bad_request"),
        ("live", {"minutes": "all"}, 400, "bad_request"),
        ("passwords", {}, 404, "unknown_panel"),
        ("top_viewers", {"from": "1/2/2026"}, 400, "bad_request"),
        ("top_viewers", {"query": "1 OR 1=1"}, 400, "bad_request"),
        ("top_viewers", {"query": "00000000-0000-4000-8000-000000000000"}, 404, "unknown_query"),
    ],
)
def test_errors_have_stable_codes(
    person: PersonAt, panel: str, query: dict[str, str], status: int, code: str
) -> None:
    answer = person.get(panel, **query)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(json.loads(answer.content)) == {"code", "message"}


@pytest.mark.parametrize(
    ("panel", "columns"),
    [
        ("bot_requests", {"ct", "requestip", "location", "all_rows"}),
        ("bytes_by_edge", {"distribution", "location", "totalbytes", "all_rows"}),
        ("bots_by_edge", {"location", "ct", "viewers"}),
        ("bytes_by_distribution", {"distribution", "ct", "totalbytes"}),
        ("cache_hit_ratio", {"distribution", "requests", "hits", "ratio"}),
        ("error_rates", set()),
        ("top_viewers", {"requestip", "ct"}),
        ("ai_crawler_share", {"botcategory", "ct", "share"}),
    ],
)
def test_panels_at_rest_answer_from_athena(person: PersonAt, panel: str, columns: set[str]) -> None:
    answer = person.get(panel)
    while answer.status_code == 202:
        answer = person.get(panel, query=answer.json()["query"])
    assert answer.status_code == 200, answer.text
    assert columns <= set(answer.json()["columns"])
    assert answer.json()["as_of"].endswith("Z")
