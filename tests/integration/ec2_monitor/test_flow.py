"""The way of a call: EventBridge, Firehose, shape, bucket, table, view, saved queries."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from datagen.ec2_calls import CALLS, Calls, Event, broken, encoded, firehose_event, recorded
from ec2_monitor.documents import document
from local.suite import Suite
from ops.paths import ROOT
from tests.integration.ec2_monitor.conftest import Ec2, data_of
from tests.support.alarms import alarms_of
from tests.support.permissions import function
from tests.support.waiting import wait_until


def hours(since: datetime) -> list[str]:
    """Return the first and the last hour of delivery of what happened since then."""
    return [f"'{since:%Y/%m/%d/%H}'", f"'{datetime.now(UTC) + timedelta(hours=1):%Y/%m/%d/%H}'"]


def calls_since(since: datetime, actor: str = "all", call: str = "all") -> list[str]:
    """Return the parameters of a panel of calls from a moment up to now."""
    until = datetime.now(UTC) + timedelta(minutes=1)
    moments = [f"'{each:%Y-%m-%dT%H:%M:%SZ}'" for each in (since, until)]
    return [*hours(since), *moments, f"'{actor}'", f"'{call}'"]


def test_each_call_is_recorded_as_its_document(ec2: Ec2) -> None:
    events = [ec2.ours(event) for event in recorded("calls").values()]
    assert [event["detail"]["eventName"] for event in events] == sorted(CALLS)
    ec2.happen(events)
    ec2.wait_for(len(CALLS))
    rows = {
        str(row[0]): row[1:]
        for row in ec2.rows("event_id", "event_time", "event_name", "actor", "request_json")
    }
    for event in events:
        made = document(event)
        assert rows[made["event_id"]] == (
            made["@time"],
            made["event_name"],
            made["actor"],
            made["request_json"],
        )


def test_every_column_is_the_documents_member(ec2: Ec2) -> None:
    event = ec2.ours(recorded("quiet")["denied_termination"])
    ec2.happen([event])
    ec2.wait_for(1)
    made = document(event)
    names = [name for name in made if not name.startswith("@")]
    texts = [name for name in names if isinstance(made[name], str)]
    assert ec2.rows(*texts) == [tuple(made[name] for name in texts)]
    lists = ", ".join(f"array_join({name}, '|')" for name in ("resources", "request"))
    assert ec2.rows(lists, "mfa", "read_only", "cardinality(truncated)") == [
        ("|".join(made["resources"]), "|".join(made["request"]), "true", "false", None)
    ]


def test_what_alerts_is_recorded_too_and_once(ec2: Ec2) -> None:
    events = [ec2.ours(event) for group in ("alerts", "quiet") for event in recorded(group).values()]
    ec2.happen(events)
    ec2.wait_for(len(events))
    assert ec2.count("calls_delivered") == len(events), "no event goes by two rules"


def by_root(event: Event, **changes: Any) -> Event:
    return event | {"detail": event["detail"] | {"userIdentity": {"type": "Root"}} | changes}


def test_whatever_the_root_user_does_is_recorded_once(ec2: Ec2) -> None:
    call, root = recorded("calls")["StopInstances"], recorded("alerts")["root_call"]
    events = [
        by_root(call),
        by_root(call, eventName="MonitorInstances"),
        by_root(recorded("alerts")["ingress_ipv4"]),
        by_root(root, eventSource="ds.amazonaws.com", eventName="CreateSnapshot") | {"source": "aws.ds"},
        by_root(root, eventSource="signin.amazonaws.com", eventName="PasswordRecoveryRequested")
        | {"source": "aws.signin", "detail-type": "AWS Console Action via CloudTrail"},
        recorded("alerts")["root_sign_in"],
    ]
    events = [event | {"detail": event["detail"] | {"eventID": str(n)}} for n, event in enumerate(events)]
    ec2.happen(ec2.ours(event) for event in events)
    ec2.wait_for(len(events))
    assert ec2.count("calls_delivered") == len(events)


def test_other_calls_of_other_people_are_not_recorded(ec2: Ec2) -> None:
    describe = recorded("calls")["StopInstances"]
    describe["detail"]["eventName"] = "MonitorInstances"
    ec2.happen([ec2.ours(describe), ec2.ours(recorded("calls")["CreateVpc"])])
    ec2.wait_for(1)
    assert ec2.rows("event_name") == [("CreateVpc",)]


def test_the_view_is_unchanged_when_events_are_delivered_ten_times(ec2: Ec2) -> None:
    events = [ec2.ours(event) for event in Calls(200, seed=5)]
    for _ in range(10):
        ec2.deliver(data_of(events))
    ec2.wait_for(2_000, of="calls_delivered")
    assert ec2.count() == 200
    expected = Counter((event["detail"]["eventID"], event["detail"]["eventName"]) for event in events)
    assert Counter(ec2.rows("event_id", "event_name")) == expected


def test_malformed_records_are_in_the_error_prefix_and_no_other_is_lost(ec2: Ec2) -> None:
    events = data_of(ec2.ours(event) for event in Calls(500, seed=6))
    poison = [broken(int(ec2.prefix[1:], 16) + number) for number in range(5)]
    for place, data in enumerate(poison):
        events.insert(100 * place + 50, data)
    ec2.deliver(events)
    ec2.wait_for(500)
    ec2.wait_for_failed(poison)
    assert {code for data, code in ec2.failed().items() if data in poison} == {
        "Lambda.ProcessingFailedStatus"
    }
    assert not set(ec2.failed()) & (set(events) - set(poison))


def test_a_batch_whose_function_fails_is_in_the_error_prefix_whole(ec2: Ec2, suite: Suite) -> None:
    """A batch is tried again; what never succeeds is kept."""
    name, client = function(suite, "Ec2ShapeFunction"), suite.client("lambda")
    right = client.get_function_configuration(FunctionName=name)["Handler"]
    records = data_of(ec2.ours(event) for event in Calls(3, seed=8))
    client.update_function_configuration(FunctionName=name, Handler="ec2_monitor.documents.nothing")
    try:
        ec2.deliver(records)
        ec2.wait_for_failed(records)
    finally:
        client.update_function_configuration(FunctionName=name, Handler=right)
    ec2.deliver(records)
    ec2.wait_for(3)


def test_calls_by_time_and_name(ec2: Ec2) -> None:
    now = datetime.now(UTC)
    old = [ec2.ours(event, now - timedelta(hours=13)) for event in Calls(20, seed=9)]
    new = [
        ec2.ours(event, now - timedelta(hours=number % 11)) for number, event in enumerate(Calls(60, seed=10))
    ]
    ec2.deliver(data_of([*old, *new, *new[:30]]))
    ec2.wait_for(80)
    since = now - timedelta(hours=12)
    rows = ec2.ask(ec2.saved("ec2_calls"), "'13'", *calls_since(since))
    by_hand = Counter((event["detail"]["eventTime"][:13], event["detail"]["eventName"]) for event in new)
    assert rows == [(slot, name, str(count)) for (slot, name), count in sorted(by_hand.items())]


def test_top_actors_and_their_failures(ec2: Ec2) -> None:
    now = datetime.now(UTC)
    events = [
        ec2.ours(event, now - timedelta(minutes=number % 50))
        for number, event in enumerate(Calls(150, seed=11))
    ]
    ec2.deliver(data_of([*events, *events[:70]]))
    ec2.wait_for(150)
    since = now - timedelta(hours=1)
    rows = ec2.ask(ec2.saved("ec2_actors"), *calls_since(since))
    documents = [document(event) for event in events]
    calls = Counter((made["actor"], made["actor_type"]) for made in documents)
    failed = Counter((made["actor"], made["actor_type"]) for made in documents if "error_code" in made)
    latest = {
        who: max(d["@time"] for d in documents if (d["actor"], d["actor_type"]) == who) for who in calls
    }
    ranked = sorted(calls, key=lambda who: (-calls[who], who))
    assert rows == [(*who, str(calls[who]), str(failed[who]), latest[who]) for who in ranked]


def test_actor_and_call_filter_every_panel_of_calls(ec2: Ec2) -> None:
    now = datetime.now(UTC)
    events = [
        ec2.ours(event, now - timedelta(minutes=number % 50))
        for number, event in enumerate(Calls(150, seed=12))
    ]
    ec2.deliver(data_of(events))
    ec2.wait_for(150)
    documents = [document(event) for event in events]
    [((actor, call), _)] = Counter((made["actor"], made["event_name"]) for made in documents).most_common(1)
    made = [each for each in documents if (each["actor"], each["event_name"]) == (actor, call)]
    parameters = calls_since(now - timedelta(hours=1), actor, call)
    rows = ec2.ask(ec2.saved("ec2_calls"), "'13'", *parameters)
    assert rows == [
        (slot, call, str(count))
        for slot, count in sorted(Counter(each["@time"][:13] for each in made).items())
    ]
    [row] = ec2.ask(ec2.saved("ec2_actors"), *parameters)
    assert (row[0], row[2]) == (actor, str(len(made)))


def test_denied_calls_and_failed_sign_ins(ec2: Ec2) -> None:
    names = ("denied_termination", "refused_ingress")
    events = [ec2.ours(recorded("quiet")[name]) for name in names]
    events += [ec2.ours(recorded("alerts")["sign_in_failed"]), ec2.ours(recorded("calls")["CreateVpc"])]
    missing = recorded("calls")["DeleteVpc"]
    missing["detail"] |= {"errorCode": "Client.InvalidVpcID.NotFound", "errorMessage": "no such network"}
    ec2.happen([*events, *events, ec2.ours(missing)])
    ec2.wait_for(5)
    since = datetime.now(UTC) - timedelta(hours=1)
    rows = ec2.ask(ec2.saved("ec2_denied"), *calls_since(since))
    assert [row[:4] for row in rows] == [
        ("Developers/bob", "AuthorizeSecurityGroupIngress", "Client.UnauthorizedOperation", "1"),
        ("Developers/bob", "TerminateInstances", "Client.UnauthorizedOperation", "1"),
        ("carol", "ConsoleLogin", "Failed authentication", "1"),
    ]


def test_everything_that_was_done_to_a_resource(ec2: Ec2) -> None:
    events = [ec2.ours(event) for event in recorded("calls").values()]
    ec2.happen([*events, *events])
    ec2.wait_for(len(CALLS))
    [instance] = document(events[[e["detail"]["eventName"] for e in events].index("CreateImage")])[
        "resources"
    ][:1]
    rows = ec2.ask(ec2.saved("ec2_resource"), *hours(datetime.now(UTC) - timedelta(hours=1)), f"'{instance}'")
    assert sorted(str(row[1]) for row in rows) == ["CreateImage", "RunInstances", "StopInstances"]


def test_the_documentations_questions_are_answered(ec2: Ec2) -> None:
    events = [
        ec2.ours(recorded("calls")["RunInstances"]),
        ec2.ours(recorded("alerts")["ingress_second_of_two"]),
    ]
    ec2.happen(events)
    ec2.wait_for(2)
    text = (ROOT / "docs/ec2_monitor.md").read_text().partition("```sql")[2].partition("```")[0]
    group = document(events[1])["resources"][0]
    questions = [line.replace("sg-0123456789abcdef0", group) for line in text.strip().splitlines()]
    found = []
    for question in questions:
        assert question.endswith(";")
        found.append(ec2.ask(f"{question[:-1]} AND event_id LIKE '{ec2.prefix}-%'"))
    assert sorted(str(row[2]) for row in found[0]) == ["AuthorizeSecurityGroupIngress", "RunInstances"]
    assert found[1] == [("Developers/bob", "t4g.small")]
    assert found[2] == [(events[1]["detail"]["eventID"], "Developers/bob")]


def test_objects_lie_by_hour_of_delivery(ec2: Ec2, suite: Suite) -> None:
    ec2.happen([ec2.ours(recorded("calls")["CreateVpc"], datetime(2026, 11, 20, tzinfo=UTC))])
    ec2.wait_for(1)
    [[hour, time]] = ec2.rows("hour", "event_time")
    assert (time, str(hour)[:4]) == ("2026-11-20T00:00:00Z", f"{datetime.now(UTC):%Y}")
    listed = suite.client("s3").list_objects_v2(Bucket=suite["Ec2CallsBucketName"], Prefix=f"calls/{hour}/")
    assert listed["Contents"]


def test_an_event_that_firehose_refuses_is_dead_lettered_whole(ec2: Ec2) -> None:
    """Firehose takes records of 1,000 KiB, and EventBridge events of 1 MiB."""
    event = ec2.ours(recorded("calls")["CreateVpc"])
    event["detail"]["requestParameters"] = {"description": "x" * 1_024_000}
    ec2.happen([event, ec2.ours(recorded("calls")["DeleteVpc"])])
    ec2.wait_for(1)
    assert ec2.rows("event_name") == [("DeleteVpc",)]
    [kept] = ec2.dead_letters()
    assert kept == event


def test_recorded_invocations_are_answered(suite: Suite) -> None:
    for path in sorted((ROOT / "events/ec2_monitor").glob("shape_*.json")):
        event = json.loads(path.read_text())
        answer = suite.client("lambda").invoke(
            FunctionName=function(suite, "Ec2ShapeFunction"), Payload=json.dumps(event).encode()
        )
        records = json.loads(answer["Payload"].read())["records"]
        assert [each["recordId"] for each in records] == [each["recordId"] for each in event["records"]]
        failed = [each["result"] for each in records].count("ProcessingFailed")
        assert failed == (4 if "malformed" in path.stem else 0), path.stem


def test_a_full_batch_comes_back_within_lambdas_limit(suite: Suite) -> None:
    """A megabyte of records: their documents may be longer, and 6 MB may return."""
    event = firehose_event([encoded(event) for event in Calls(550, seed=12)])
    answer = suite.client("lambda").invoke(
        FunctionName=function(suite, "Ec2ShapeFunction"), Payload=json.dumps(event).encode()
    )
    assert "FunctionError" not in answer
    assert len(answer["Payload"].read()) < 2_000_000


def test_metrics_and_alarms_are_there(suite: Suite, ec2: Ec2) -> None:
    ec2.happen([ec2.ours(recorded("calls")["TerminateInstances"])])
    stack = suite["WebBucketName"].partition("-web-")[0]

    def metrics() -> bool:
        found = suite.client("cloudwatch").list_metrics(Namespace=stack)["Metrics"]
        return {"EventsShaped", "EventsMalformed", "InstancesTerminated"} <= {
            each["MetricName"] for each in found
        }

    wait_until(metrics, seconds=30, what="metrics")
    found = alarms_of(suite)
    alarms = {alarm["AlarmName"].split("-")[2]: alarm for alarm in found}
    for name in ("Terminations", "DeadLetter", "Malformed", "Shape", "Freshness"):
        assert all(dimension["Value"] for dimension in alarms[f"Ec2{name}Alarm"]["Dimensions"])
