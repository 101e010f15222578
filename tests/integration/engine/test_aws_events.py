"""Events of AWS services: the emulator has no way to send one, so these run on our engine alone."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.support.cloud import Cloud

pytestmark = pytest.mark.ours_only


def put(cloud: Cloud, body: Any, method: str = "POST") -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{cloud.endpoint}/_engine/events", data, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def event(**changes: Any) -> dict[str, Any]:
    return {
        "version": "0", "id": "e-1", "source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail",
        "account": "123456789012", "time": "2026-11-20T08:00:00Z", "region": "eu-west-1",
        "resources": ["arn:aws:ec2:eu-west-1:123456789012:instance/i-1"],
        "detail": {"eventName": "RunInstances"},
    } | changes  # fmt: skip


def listening(cloud: Cloud, pattern: dict[str, Any]) -> str:
    """Return the URL of a queue that gets what matches a pattern."""
    url, arn = cloud.queue()
    rule = cloud.name("rule")
    cloud.client("events").put_rule(Name=rule, EventPattern=json.dumps(pattern))
    cloud.client("events").put_targets(Rule=rule, Targets=[{"Id": "t", "Arn": arn}])
    return url


def test_a_services_event_arrives_as_it_is(cloud: Cloud) -> None:
    url = listening(cloud, {"source": ["aws.ec2"], "detail": {"eventName": ["RunInstances"]}})
    assert put(cloud, [event(), event(id="e-2", detail={"eventName": "StopInstances"})]) == (200, {})
    [message] = cloud.messages(url)
    assert json.loads(message) == event()


def test_putevents_refuses_a_services_source(cloud: Cloud) -> None:
    entry = {"Source": "aws.ec2", "DetailType": "AWS API Call via CloudTrail", "Detail": "{}"}
    answer = cloud.client("events").put_events(Entries=[entry])
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"


PARAMETERS = {"ipPermissions": {"items": [
    {"ipRanges": {"items": [{"cidrIp": "203.0.113.0/24"}]}, "ipv6Ranges": {}},
    {"ipRanges": {"items": [{"cidrIp": "10.0.0.0/8"}, {"cidrIp": "0.0.0.0/0"}]}, "ipv6Ranges": {}},
]}}  # fmt: skip


@pytest.mark.parametrize(
    ("detail", "matches"),
    [
        ({"requestParameters": PARAMETERS}, True),
        ({"requestParameters": PARAMETERS, "errorCode": "Client.UnauthorizedOperation"}, False),
        ({"requestParameters": {"cidrIp": "0.0.0.0/0"}}, True),
        ({"requestParameters": {"cidrIp": "10.0.0.0/10"}}, False),
        ({"requestParameters": {"ipPermissions": {"items": [{"ipRanges": {"items": []}}]}}}, False),
        ({"requestParameters": {"ipPermissions": {}}}, False),
        ({"requestParameters": None}, False),
    ],
)
def test_a_pattern_looks_into_every_object_of_nested_lists(
    cloud: Cloud, detail: dict[str, Any], matches: bool
) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-content-based-filtering.html"""
    open_to_all = [{"suffix": "/0"}]
    pattern = {
        "source": ["aws.ec2"],
        "detail": {
            "errorCode": [{"exists": False}],
            "$or": [
                {"requestParameters": {"cidrIp": open_to_all}},
                {
                    "requestParameters": {
                        "ipPermissions": {"items": {"ipRanges": {"items": {"cidrIp": open_to_all}}}}
                    }
                },
            ],
        },
    }
    url = listening(cloud, pattern)
    assert put(cloud, [event(detail=detail)]) == (200, {})
    assert len(cloud.messages(url)) == matches


@pytest.mark.parametrize(
    "body",
    [b"{ nothing", {}, [5], [event(source=5)], [event() | {"detail": "text"}], [{"source": "aws.ec2"}]],
    ids=str,
)
def test_what_is_no_list_of_events_is_refused_with_a_reason(cloud: Cloud, body: Any) -> None:
    status, answer = put(cloud, body)
    assert status == 400
    assert answer["message"]


def test_only_post_puts_events(cloud: Cloud) -> None:
    assert put(cloud, [event()], method="PUT")[0] == 405
