"""What is busy, closed or gone: nothing is lost, nothing is doubled, and nobody waits for another's fault."""

from __future__ import annotations

import json

import pytest

from local.suite import Suite
from tests.conftest import Faults
from tests.integration.ec2_search.conftest import INDEX, Search, expected


@pytest.fixture
def search_faults(search_suite: Suite) -> Faults:
    return Faults(search_suite)


@pytest.mark.parametrize("status", [429, 503, 403])
def test_a_document_that_is_not_taken_for_now_comes_back_alone(search: Search, status: int) -> None:
    bodies = [json.dumps(search.event(number)) for number in range(3)]
    search.proxy.refuse_document(f"{search.prefix}-1", status)
    assert search.invoke(*bodies) == ["1"], "the middle one"
    assert set(search.documents()) == {"0", "2"}
    assert search.invoke(bodies[1]) == []
    assert set(search.documents()) == {"0", "1", "2"}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 403, 401])
def test_a_request_that_is_refused_comes_back_whole(search: Search, status: int) -> None:
    bodies = [json.dumps(search.event(number)) for number in range(3)]
    search.proxy.refuse_requests(status)
    assert search.invoke(*bodies) == ["0", "1", "2"]
    assert search.documents() == {}
    assert len(search.proxy.bulk_requests) == 1, "a busy domain is asked once"


def test_a_lost_answer_makes_no_second_document(search: Search) -> None:
    events = [search.event(number) for number in range(3)]
    search.proxy.refuse_requests(0)
    search.send(*map(json.dumps, events))
    assert search.wait_for(0, 1, 2) == {str(number): expected(event) for number, event in enumerate(events)}


def test_queue_brings_back_what_a_busy_domain_did_not_take(search: Search) -> None:
    events = [search.event(number) for number in range(5)]
    search.proxy.refuse_requests(429)
    search.proxy.refuse_document(f"{search.prefix}-3", 503)
    search.send(*map(json.dumps, events))
    assert set(search.wait_for(*range(5))) == {"0", "1", "2", "3", "4"}


def test_a_document_that_never_fits_alone_is_dead_lettered(search: Search) -> None:
    bodies = [json.dumps(search.event(number)) for number in range(3)]
    search.proxy.refuse_document(f"{search.prefix}-1", 400)
    assert search.invoke(*bodies) == []
    assert set(search.documents()) == {"0", "2"}
    assert search.dead_letters(1) == {bodies[1]: "400 mapper_parsing_exception"}


def test_what_is_never_taken_is_dead_lettered_and_can_be_redriven(search: Search) -> None:
    body = json.dumps(search.event("late"))
    search.proxy.refuse_document(f"{search.prefix}-late", *[503] * 10)
    search.send(body, json.dumps(search.event("other")))
    assert search.dead_letters(1) == {body: ""}, "by the queue itself"
    search.proxy.behave()
    search.send(body)
    assert set(search.wait_for("late", "other")) == {"late", "other"}


def test_a_dead_letter_queue_that_refuses_loses_nothing(search: Search, search_faults: Faults) -> None:
    search_faults.inject({"match": "sqs.SendMessage", "rate": 1, "status": 500, "type": "InternalFailure"})
    try:
        assert search.invoke("no JSON", json.dumps(search.event(1))) == ["0"]
    finally:
        search_faults.clear()
    assert set(search.documents()) == {"1"}


def test_a_closed_index_is_no_fault_of_a_document(search: Search) -> None:
    """The real server's own answers: 400 as for a document that does not fit."""
    body = json.dumps(search.event(1))
    assert search.invoke(json.dumps(search.event(0))) == []
    search.ask("POST", f"/{INDEX}/_close")
    try:
        assert search.invoke(body) == ["0"]
    finally:
        search.ask("POST", f"/{INDEX}/_open")
        search.ask("GET", "/_cluster/health?wait_for_status=yellow")
    assert search.invoke(body) == []


def test_an_index_closed_to_writes_is_waited_for(search: Search) -> None:
    """So does a domain whose storage is full."""
    body = json.dumps(search.event(1))
    assert search.invoke(json.dumps(search.event(0))) == []
    search.ask("PUT", f"/{INDEX}/_settings", {"index.blocks.read_only_allow_delete": True})
    try:
        assert search.invoke(body) == ["0"]
    finally:
        search.ask("PUT", f"/{INDEX}/_settings", {"index.blocks.read_only_allow_delete": None})
    assert search.invoke(body) == []


def test_large_documents_are_sent_in_requests_below_the_domains_limit(search: Search) -> None:
    deep = {f"parameter{number}": "x" * 900 for number in range(30)}
    bodies = [json.dumps(search.event(number, requestParameters=deep)) for number in range(150)]
    assert search.invoke(*bodies) == []
    sizes = [len(asked.body) for asked in search.proxy.bulk_requests]
    assert len(sizes) > 1
    assert max(sizes) <= 5 << 20
    assert set(search.documents()) == {str(number) for number in range(150)}
