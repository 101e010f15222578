"""Ranges, filters, partitions and slots: what the question marks of saved queries stand for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from insights.parameters import MAX_DAYS, PARAMETERS, SLOT_S, Asked, asked
from shared.http import BadRequestError

NOW = datetime(2026, 11, 25, 12, 0, 3, 500_000, tzinfo=UTC)
WITHIN = ["requests", "requests_by_slot", "request_rows", "posts", "calls", "calls_by_slot"]


def ask(kind: str, /, **query: str) -> Asked:
    return asked(kind, {name.rstrip("_"): value for name, value in query.items()}, NOW)


@pytest.mark.parametrize("kind", WITHIN)
@pytest.mark.parametrize(
    ("first", "last", "since", "until"),
    [
        ("2026-11-22T08:00Z", "2026-11-22T09:30Z", "2026-11-22T08:00:00", "2026-11-22T09:30:00"),
        ("2026-11-22T08:00+01:00", "2026-11-22T08:00:01Z", "2026-11-22T07:00:00", "2026-11-22T08:00:01"),
        ("2026-11-22T23:30-05:00", "2026-11-24", "2026-11-23T04:30:00", "2026-11-25T00:00:00"),
        ("2026-11-22T05:30+0530", "2026-11-22", "2026-11-22T00:00:00", "2026-11-23T00:00:00"),
        ("2026-11-22", "2026-11-22", "2026-11-22T00:00:00", "2026-11-23T00:00:00"),
        ("2026-11-22T08:00:00.75Z", "2026-11-22T08:00:01.25Z", "2026-11-22T08:00:00", "2026-11-22T08:00:01"),
    ],
)
def test_every_kind_takes_a_range_of_moments_or_dates(
    kind: str, first: str, last: str, since: str, until: str
) -> None:
    found = ask(kind, from_=first, to=last)
    assert found.since == datetime.fromisoformat(since + "Z")
    assert found.until == datetime.fromisoformat(until + "Z")
    texts = [text.rstrip("Z").replace(" ", "T") for text in found.parameters]
    place = texts.index(since)
    assert texts[place : place + 2] == [since, until]


@pytest.mark.parametrize("kind", WITHIN)
@pytest.mark.parametrize(("window", "hours"), [("hour", 1), ("half_day", 12), ("day", 24), ("week", 168)])
def test_window_ends_now_and_is_as_long_as_it_says(kind: str, window: str, hours: int) -> None:
    found = ask(kind, window=window)
    assert found.until - found.since == timedelta(hours=hours)
    assert timedelta() < found.until - NOW <= timedelta(minutes=1), "what happened just now is in it"


@pytest.mark.parametrize(
    ("kind", "since", "until"),
    [
        ("dates", "2026-11-19T00:00Z", "2026-11-26T00:00Z"),
        ("requests", "2026-11-19T00:00Z", "2026-11-26T00:00Z"),
        ("requests_by_slot", "2026-11-19T00:00Z", "2026-11-26T00:00Z"),
        ("request_rows", "2026-11-19T00:00Z", "2026-11-26T00:00Z"),
        ("posts", "2026-11-24T12:00:04Z", "2026-11-25T12:00:04Z"),
        ("calls", "2026-11-25T00:01Z", "2026-11-25T12:01Z"),
        ("calls_by_slot", "2026-11-25T00:01Z", "2026-11-25T12:01Z"),
    ],
)
def test_range_by_default(kind: str, since: str, until: str) -> None:
    found = ask(kind)
    assert (found.since, found.until) == (datetime.fromisoformat(since), datetime.fromisoformat(until))


def test_dates_of_a_saved_query_are_those_that_the_range_touches() -> None:
    assert ask("dates", from_="2026-11-20", to="2026-11-22").parameters == ["2026-11-20", "2026-11-22"]
    found = ask("dates", from_="2026-11-20T23:59+01:00", to="2026-11-22T00:00Z")
    assert found.parameters == ["2026-11-20", "2026-11-21"]
    assert ask("dates", window="day").parameters == ["2026-11-24", "2026-11-25"]


@pytest.mark.parametrize("day", ["0001-01-07", "0500-01-01", "9999-12-31"])
def test_the_first_and_the_last_dates_that_there_are_can_be_asked_for(day: str) -> None:
    assert ask("dates", from_=day, to=day).parameters == [day, day]
    assert ask("requests", from_=day, to=day).parameters[:3] == [day, day, f"{day}T00:00:00Z"]


def test_posts_are_looked_for_where_they_may_have_been_delivered() -> None:
    """An object has its oldest record's hour, and comes later than its records."""
    assert ask("posts", window="day").parameters == [
        "2026", "2026", "2026112411", "2026112513", "2026-11-24 12:00:04", "2026-11-25 12:00:04",
    ]  # fmt: skip
    past = ask("posts", from_="2026-01-01T00:30Z", to="2026-01-01T02:00Z").parameters
    assert past[:4] == ["2025", "2026", "2025123123", "2026010202"]


def test_calls_are_looked_for_where_they_may_have_been_delivered() -> None:
    assert ask("calls", window="hour").parameters == [
        "2026/11/25/10", "2026/11/25/13", "2026-11-25T11:01:00Z", "2026-11-25T12:01:00Z", "all", "all",
    ]  # fmt: skip
    past = ask("calls", from_="2026-11-01T00:30Z", to="2026-11-01T02:00Z").parameters
    assert past[:2] == ["2026/10/31/23", "2026/11/02/02"]


@pytest.mark.parametrize("minutes", [1, 59, 180, 181, 1980, 1981, 11_520, 11_521, 92 * 1440])
def test_lines_have_at_most_200_points(minutes: int) -> None:
    until = datetime(2026, 11, 25, 12, 30, 30, tzinfo=UTC)  # on no border of slots
    found = ask(
        "requests_by_slot", from_=(until - timedelta(minutes=minutes)).isoformat(), to=until.isoformat()
    )
    assert found.slot_s == SLOT_S[int(found.parameters[0])]
    assert minutes * 60 // found.slot_s + 2 <= 201, "and parts of slots at both ends"


@pytest.mark.parametrize("minutes", [1, 240, 241, 1800, 1801, 92 * 1440])
def test_stacks_have_rows_for_one_answer(minutes: int) -> None:
    """30 names and the others in each slot, 9 where slots are days: see ec2_calls.sql."""
    until = datetime(2026, 11, 25, 12, 30, 30, tzinfo=UTC)
    found = ask("calls_by_slot", from_=(until - timedelta(minutes=minutes)).isoformat(), to=until.isoformat())
    slots = minutes * 60 // found.slot_s + 1
    assert slots * (10 if found.slot_s == 86_400 else 31) <= 999


def test_kinds_without_a_chart_over_time_have_no_slots() -> None:
    assert [kind for kind in PARAMETERS if ask(kind).slot_s] == ["requests_by_slot", "calls_by_slot"]


def test_filters_are_parameters_behind_the_range() -> None:
    filters = {"distribution": "E1", "kind": "people", "status": "5xx"}
    assert ask("requests", **filters).parameters[4:] == ["E1", "-", "5xx"]
    assert ask("request_rows", **filters, viewer="2001:db8::1").parameters[4:] == [
        "E1", "-", "5xx", "all", "2001:db8::1",
    ]  # fmt: skip
    assert ask("calls", call="RunInstances", actor="O'Brien").parameters[4:] == ["O'Brien", "RunInstances"]


@pytest.mark.parametrize("kind", PARAMETERS)
@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-13-01"}, "to"),
        ({"from": "2026-11-22T08:00"}, "from"),
        ({"from": "2026-11-22 08:00Z"}, "from"),
        ({"from": ""}, "from"),
        ({"from": "9999-12-31T23:59-23:00"}, "from"),
        ({"from": "2026-11-23", "to": "2026-11-22"}, "The range must begin before it ends"),
        ({"from": "2026-11-22T08:00Z", "to": "2026-11-22T08:00Z"}, "The range must begin before it ends"),
        ({"from": "2020-01-01", "to": "2026-11-22"}, f"{MAX_DAYS} days"),
        ({"to": "0001-01-01T00:30Z"}, "from"),
        ({"window": "year"}, "window"),
        ({"window": ""}, "window"),
        ({"window": "hour", "from": "2026-11-22"}, "either window"),
    ],
)
def test_wrong_range_is_named(kind: str, query: dict[str, str], named: str) -> None:
    with pytest.raises(BadRequestError, match=named):
        asked(kind, query, NOW)


@pytest.mark.parametrize(
    ("kind", "query", "named"),
    [
        ("dates", {"distribution": "E1"}, "no filter distribution"),
        ("requests", {"viewer": "192.0.2.1"}, "no filter viewer"),
        ("posts", {"kind": "ai"}, "no filter kind"),
        ("calls", {"status": "404"}, "no filter status"),
        ("requests", {"distribution": ""}, "distribution"),
        ("requests", {"distribution": "x" * 257}, "distribution"),
        ("requests", {"kind": "a\nb"}, "kind"),
        ("requests", {"status": "4xx' OR '1'='1"}, "status"),
        ("requests", {"status": "40"}, "status"),
    ],
)
def test_wrong_filter_is_named(kind: str, query: dict[str, str], named: str) -> None:
    with pytest.raises(BadRequestError, match=named):
        asked(kind, query, NOW)
