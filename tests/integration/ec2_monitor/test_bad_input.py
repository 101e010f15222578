"""Every kind of bad input, and its documented outcome (docs/ec2_monitor.md has the same table)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from datagen.ec2_calls import Event, encoded, recorded
from local.suite import Suite
from tests.integration.ec2_monitor.conftest import Ec2


def changed(ec2: Ec2, **changes: Any) -> Event:
    """Return a call of this test with changed members of its detail; None takes one away."""
    event = ec2.ours(recorded("calls")["StopInstances"])
    event["detail"] = {
        name: value for name, value in (event["detail"] | changes).items() if value is not None
    }
    return event


MALFORMED = {
    "no JSON": lambda event: encoded(event)[:300],
    "no UTF-8": lambda event: encoded(event).replace(b"StopInstances", b"Stop\xff", 1),
    "no object": lambda event: json.dumps([event]).encode(),
    "not a number": lambda event: encoded(event).replace(b'"force":false', b'"force":NaN'),
    "half a surrogate pair": lambda event: encoded(event).replace(b'"force":false', b'"force":"\\ud83d"'),
    "another service's event": lambda event: encoded(
        event | {"detail-type": "EC2 Instance State-change Notification"}
    ),
    "no detail": lambda event: encoded({name: value for name, value in event.items() if name != "detail"}),
    "detail that is a text": lambda event: encoded(event | {"detail": "text"}),
    "no eventID": lambda event: encoded(without(event, "eventID")),
    "empty eventID": lambda event: encoded(having(event, eventID="")),
    "eventID that is a number": lambda event: encoded(having(event, eventID=7)),
    "eventID of 513 bytes": lambda event: encoded(having(event, eventID="x" * 513)),
    "no eventName": lambda event: encoded(without(event, "eventName")),
    "eventName that is a list": lambda event: encoded(having(event, eventName=["StopInstances"])),
    "no eventSource": lambda event: encoded(without(event, "eventSource")),
    "eventTime that is none": lambda event: encoded(having(event, eventTime="yesterday")),
    "parameters nested 20,000 deep": lambda event: encoded(event).replace(
        b'"force":false', b'"force":' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000
    ),
}


def without(event: Event, name: str) -> Event:
    return event | {"detail": {key: value for key, value in event["detail"].items() if key != name}}


def having(event: Event, **changes: Any) -> Event:
    return event | {"detail": event["detail"] | changes}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_record_alone_goes_to_the_error_prefix(ec2: Ec2, name: str) -> None:
    marked = changed(ec2, userAgent=f"{ec2.prefix} {name}")
    data = MALFORMED[name](marked | {"id": ec2.prefix})
    others = [encoded(ec2.ours(recorded("calls")[each])) for each in ("CreateVpc", "DeleteVpc")]
    ec2.deliver([others[0], data, others[1]])
    ec2.wait_for(2)
    ec2.wait_for_failed([data])


@pytest.mark.parametrize(
    ("parameters", "entries"),
    [
        (None, []),
        ({}, []),
        ([], ["requestParameters=[]"]),
        ("text", ["requestParameters=text"]),
        (7, ["requestParameters=7"]),
        ({"a.b": 1, "a": {"b": 2}}, ["a.b=1", "a.b=2"]),
        ({"": {"": "x"}}, [".=x"]),
        (
            {"list": [1, [True, None], {"c": "d"}, {}]},
            ["list=1", "list=true", "list=null", "list.c=d", "list={}"],
        ),
        ({"text": 'a\n"b" \u0000 🚀'}, ['text=a\n"b" \u0000 🚀']),
    ],
    ids=str,
)
def test_parameters_of_any_kind_make_a_document(ec2: Ec2, parameters: Any, entries: list[str]) -> None:
    event = changed(ec2)
    event["detail"]["requestParameters"] = parameters
    ec2.deliver([encoded(event)])
    ec2.wait_for(1)
    [[text, count, found]] = ec2.rows("array_join(request, '|')", "cardinality(request)", "request_json")
    assert (text or "", int(count or 0)) == ("|".join(entries), len(entries))
    assert (None if found is None else json.loads(found)) == parameters


@pytest.mark.parametrize(
    ("name", "parameters", "marks"),
    [
        ("100 KB", {"userData": "x" * 100_000}, "request|request_json"),
        ("5,000 members", {f"member{number}": "x" * 10 for number in range(5_000)}, "request|request_json"),
        ("a name of 100 KB", {"x" * 100_000: {"a": 1}}, "request|request_json"),
    ],
)  # fmt: skip
def test_parameters_of_100_kb_are_cut_and_marked(ec2: Ec2, name: str, parameters: Any, marks: str) -> None:
    ec2.deliver([encoded(having(changed(ec2), requestParameters=parameters))])
    ec2.wait_for(1)
    assert ec2.rows("array_join(truncated, '|')", "request_json") == [(marks, None)]


@pytest.mark.parametrize(("levels", "marks"), [(40, "request"), (900, "request|request_json")])
def test_parameters_that_are_nested_deeply_are_cut_and_marked(ec2: Ec2, levels: int, marks: str) -> None:
    data = encoded(changed(ec2)).replace(
        b'"force":false', b'"force":' + b'{"a":' * levels + b"1" + b"}" * levels
    )
    ec2.deliver([data])
    ec2.wait_for(1)
    assert ec2.rows("array_join(truncated, '|')", "cardinality(resources)") == [(marks, "2")]


def test_members_that_ought_to_be_texts_are_written_as_json(ec2: Ec2) -> None:
    ec2.deliver([encoded(changed(ec2, sourceIPAddress=["203.0.113.9"], userAgent={"a": 1}, errorCode=5))])
    ec2.wait_for(1)
    assert ec2.rows("source_address", "user_agent", "error_code") == [('["203.0.113.9"]', '{"a":1}', "5")]


def test_an_unknown_call_is_a_document_like_any_other(ec2: Ec2) -> None:
    ec2.deliver([encoded(changed(ec2, eventName="TeleportInstances"))])
    ec2.wait_for(1)
    assert ec2.rows("event_name") == [("TeleportInstances",)]


def test_a_call_without_a_time_of_its_own_has_that_of_its_envelope(ec2: Ec2) -> None:
    event = changed(ec2)
    ec2.deliver([encoded(without(event, "eventTime"))])
    ec2.wait_for(1)
    assert ec2.rows("event_time") == [(event["time"],)]


def test_a_duplicate_adds_no_row(ec2: Ec2) -> None:
    event = changed(ec2)
    ec2.happen([event, event])
    ec2.deliver([encoded(event)])
    ec2.wait_for(3, of="calls_delivered")
    assert ec2.count() == 1


def test_a_record_over_1_mb_is_refused_by_firehose_and_dead_lettered(ec2: Ec2, suite: Suite) -> None:
    event = having(changed(ec2), requestParameters={"description": "x" * 1_024_000})
    with pytest.raises(ClientError, match="1024000"):
        suite.client("firehose").put_record(
            DeliveryStreamName=suite["Ec2CallStreamName"], Record={"Data": encoded(event)}
        )
    ec2.happen([event])
    assert ec2.dead_letters() == [event]


def test_an_event_just_below_is_recorded_and_cut(ec2: Ec2) -> None:
    ec2.happen([having(changed(ec2), requestParameters={"description": "x" * 1_000_000})])
    ec2.wait_for(1)
    assert ec2.rows("event_name", "array_join(truncated, '|')") == [("StopInstances", "request|request_json")]
