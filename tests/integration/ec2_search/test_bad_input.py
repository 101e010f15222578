"""The table of bad input in docs/opensearch.md, row by row, each in the middle of a batch of good events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.ec2_search.conftest import Search, expected

DEEP = json.loads('{"a":' * 900 + "1" + "}" * 900)


def among_others(search: Search, body: str) -> list[str]:
    """Invoke the function with a body between two good events, which have to become documents."""
    good = [json.dumps(search.event(name)) for name in ("before", "after")]
    failed = search.invoke(good[0], body, good[1])
    assert {"before", "after"} <= set(search.documents())
    return failed


@pytest.mark.parametrize(
    "body",
    ["no JSON", "[]", "null", '"text"', '{"detail":', "{}", "[" * 3000, '{"detail": {"eventID": "\\ud800"}}'],
    ids=["text", "list", "null", "JSON text", "cut", "nothing in it", "endless", "half"],
)
def test_what_is_no_event_goes_to_the_dead_letters(search: Search, body: str) -> None:
    assert among_others(search, body) == []
    [(found, reason)] = search.dead_letters(1).items()
    assert found == body
    assert reason


@pytest.mark.parametrize(
    ("detail", "reason"),
    [
        ({"eventID": ""}, "eventID"),
        ({"eventID": None}, "eventID"),
        ({"eventID": 7}, "eventID"),
        ({"eventID": "x" * 513}, "eventID"),
        ({"eventID": "€" * 171}, "eventID"),
        ({"eventTime": "soon"}, "eventTime"),
        ({"eventTime": 1e300}, "eventTime"),
        ({"eventName": None}, "eventName"),
        ({"eventSource": []}, "eventSource"),
    ],
    ids=str,
)
def test_an_event_without_its_identity_time_name_or_source_goes_there(
    search: Search, detail: dict[str, Any], reason: str
) -> None:
    body = json.dumps(search.event("bad", **detail))
    assert among_others(search, body) == []
    [(found, why)] = search.dead_letters(1).items()
    assert found == body
    assert reason in why


def test_an_event_of_another_source_goes_there(search: Search) -> None:
    body = json.dumps(search.event("bad") | {"detail-type": "EC2 Instance State-change Notification"})
    assert among_others(search, body) == []
    assert list(search.dead_letters(1)) == [body]


@pytest.mark.parametrize(
    "detail",
    [
        {"requestParameters": None},
        {"requestParameters": {"a.b": {".": 1}, "": 2}},
        {"requestParameters": DEEP},
        {"requestParameters": [1, "two", {"three": [4]}]},
        {"requestParameters": {"a": "x" * 100_000}},
        {"requestParameters": {f"p{number}": number for number in range(5000)}},
        {"userIdentity": "somebody"},
        {"sourceIPAddress": {"not": "text"}},
        {"eventName": "TeleportInstances"},
        {"errorMessage": "x" * 40_000},
        {"responseElements": {"instancesSet": DEEP}},
        {"readOnly": "perhaps"},
        {"eventTime": "9999-12-31T23:59:59Z"},
        {"eventTime": None},
        {"userAgent": "\u0000\u001f\u2028\U0001f600"},
        {"@timestamp": "mine", "_id": "mine"},
        {"eventTime": "0001-01-01T00:00:00Z"},
    ],
    ids=lambda detail: str(detail)[:40],
)
def test_odd_members_are_documents_all_the_same(search: Search, detail: dict[str, Any]) -> None:
    event = search.event("odd", **detail)
    assert among_others(search, json.dumps(event)) == []
    assert search.documents()["odd"] == expected(event)


@pytest.mark.parametrize("identity", ['a"b', "a\\b", "a\nb", "é€😀", "{}", "a b/c?d#e", "x" * 400])
def test_an_identity_of_any_characters_is_kept(search: Search, identity: str) -> None:
    event = search.event(identity)
    assert among_others(search, json.dumps(event)) == []
    assert search.documents()[identity] == expected(event)
