"""From EventBridge to the index, through the deployed queue and function, on a real search server."""

from __future__ import annotations

import json

from datagen.ec2_calls import CALLS, Calls
from ops.dashboards import TEMPLATE
from tests.integration.ec2_search.conftest import INDEX, Search, expected


def test_each_recorded_call_becomes_one_document_under_its_identity(search: Search) -> None:
    events = {call: search.event(call, call) for call in CALLS}
    search.put(*events.values())
    assert search.wait_for(*CALLS) == {call: expected(event) for call, event in events.items()}


def test_calls_that_only_alert_are_in_the_index_too(search: Search) -> None:
    event = search.event("open", eventName="AuthorizeSecurityGroupIngress")
    search.put(event)
    assert search.wait_for("open") == {"open": expected(event)}


def test_events_delivered_ten_times_leave_the_documents_as_they_were(search: Search) -> None:
    bodies = [
        json.dumps(event | {"detail": event["detail"] | {"eventID": f"{search.prefix}-{number}"}})
        for number, event in enumerate(Calls(200, seed=32))
    ]
    search.send(*bodies)
    first = search.wait_for(*range(200))
    for _ in range(9):
        search.send(*reversed(bodies))
    # What is sent last is a new event: once it is there, the queue has nothing older.
    search.send(json.dumps(search.event("last")))
    assert search.wait_for(*range(200), "last").items() >= first.items(), "same members, version 1"


def test_the_same_event_twice_in_a_batch_is_one_document(search: Search) -> None:
    body = json.dumps(search.event("twice"))
    assert search.invoke(body, body) == []
    assert set(search.documents()) == {"twice"}


def test_requests_are_signed_with_the_roles_credentials_for_the_domain(search: Search) -> None:
    assert search.invoke(json.dumps(search.event(1))) == []
    [asked] = search.proxy.bulk_requests
    assert "/us-east-1/es/aws4_request" in asked.headers["Authorization"]
    assert asked.headers["X-Amz-Security-Token"], "a role's, not a user's"


def test_index_has_the_template_before_its_first_document(search: Search) -> None:
    search.invoke(json.dumps(search.event(1)))
    mapping = search.ask("GET", f"/{INDEX}/_mapping")[INDEX]["mappings"]
    wanted = json.loads(TEMPLATE.read_text())["mappings"]
    assert mapping == {"dynamic": "false", "properties": wanted["properties"]}


def test_no_event_adds_a_field_to_the_mapping(search: Search) -> None:
    before = (
        search.ask("GET", f"/{INDEX}/_mapping") if search.invoke(json.dumps(search.event(0))) == [] else {}
    )
    odd = {f"odd.{number}": {"deep": [number]} for number in range(300)}
    assert search.invoke(json.dumps(search.event("odd", requestParameters=odd))) == []
    assert search.ask("GET", f"/{INDEX}/_mapping") == before
