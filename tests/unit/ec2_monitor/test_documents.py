"""What becomes of an event: the members of its document, whatever the event holds."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.ec2_calls import CALLS, encoded, recorded
from ec2_monitor.documents import (
    COLUMNS,
    MAX_DEPTH,
    MAX_JSON,
    MAX_PARAMETERS,
    MAX_RESOURCES,
    MAX_TEXT,
    document,
    read,
)
from ec2_monitor.documents import encoded as line_of
from ec2_monitor.errors import MalformedError

MEMBERS = (set(COLUMNS) - {"event_time"}) | {"@timestamp", "@time"}
FLAGS, LISTS = {"mfa", "read_only"}, {"resources", "request", "truncated"}


def call(name: str = "StopInstances", **changes: Any) -> dict[str, Any]:
    """Return a recorded call with changed members of its detail; None takes one away."""
    event = recorded("calls")[name]
    event["detail"] = {key: value for key, value in (event["detail"] | changes).items() if value is not None}
    return event


def given_parameters(parameters: Any) -> dict[str, Any]:
    event = call()
    event["detail"]["requestParameters"] = parameters
    event["detail"]["responseElements"] = None
    return document(event)


# ---- recorded events


def test_a_document_tells_who_did_what_to_which_resource_from_where() -> None:
    made = document(recorded("calls")["StopInstances"])
    parameters = made.pop("request_json")
    assert json.loads(parameters) == recorded("calls")["StopInstances"]["detail"]["requestParameters"]
    ids = made["resources"]
    assert len(ids) == 2
    assert made == {
        "@timestamp": "2026-11-20T08:02:14Z",
        "@time": "2026-11-20T08:02:14Z",
        "event_id": recorded("calls")["StopInstances"]["detail"]["eventID"],
        "event_name": "StopInstances",
        "event_source": "ec2.amazonaws.com",
        "event_type": "AwsApiCall",
        "actor": "Operations/alice",
        "actor_type": "AssumedRole",
        "actor_arn": "arn:aws:sts::123456789012:assumed-role/Operations/alice",
        "access_key": recorded("calls")["StopInstances"]["detail"]["userIdentity"]["accessKeyId"],
        "mfa": True,
        "account": "123456789012",
        "region": "eu-west-1",
        "source_address": "203.0.113.17",
        "user_agent": recorded("calls")["StopInstances"]["detail"]["userAgent"],
        "read_only": False,
        "resources": ids,
        "request": [
            f"instancesSet.items.instanceId={ids[0]}",
            f"instancesSet.items.instanceId={ids[1]}",
            "force=false",
        ],
    }  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_every_recorded_call_names_its_actor_and_what_it_touched(name: str) -> None:
    made = document(recorded("calls")[name])
    assert made["event_name"] == name
    assert made["actor"]
    assert made["resources"], "identifiers or names"
    assert made["request"]
    assert "truncated" not in made


def test_resources_are_those_of_parameters_and_answer() -> None:
    made = document(recorded("calls")["RunInstances"])
    kinds = {each.rpartition("-")[0] for each in made["resources"]}
    assert kinds == {"ami", "sg", "subnet", "i", "vpc", "eni", "operations"}, "the last is a key pair's name"


def test_a_reservation_a_request_and_an_actors_instance_are_no_resources() -> None:
    made = document(
        call(
            responseElements={"requestId": "5f0c1a52-7d0e-4a5e-9a3c-0d5a6b7c8d9e", "r": "r-0123456789abcdef0"}
        )
    )
    assert {each[:2] for each in made["resources"]} == {"i-"}
    assert len(made["resources"]) == 2


def test_resources_that_cloudtrail_lists_are_copied() -> None:
    arn = "arn:aws:iam::123456789012:role/Operations"
    assert (
        arn
        in document(call(resources=[{"ARN": arn, "type": "AWS::IAM::Role"}, "odd", {"ARN": 5}]))["resources"]
    )


@pytest.mark.parametrize(
    ("identity", "actor"),
    [
        ({"type": "Root", "userName": "the-alias", "arn": "arn:aws:iam::123456789012:root"}, "Root"),
        ({"type": "IAMUser", "userName": "carol", "arn": "arn:aws:iam::123456789012:user/x/carol"}, "carol"),
        ({"type": "AssumedRole", "arn": "arn:aws:sts::123456789012:assumed-role/Admin/alice"}, "Admin/alice"),
        ({"type": "FederatedUser", "arn": "arn:aws:sts::123456789012:federated-user/dave"}, "dave"),
        ({"type": "WebIdentityUser", "principalId": "x", "userName": "erin@example.org"}, "erin@example.org"),
        ({"type": "IdentityCenterUser", "onBehalfOf": {"userId": "94482488"}}, "94482488"),
        ({"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}, "autoscaling.amazonaws.com"),
        ({"type": "AWSAccount", "principalId": "AIDAEXAMPLE", "accountId": "210987654321"}, "AIDAEXAMPLE"),
        ({"type": "AWSAccount", "accountId": "210987654321"}, "210987654321"),
    ],
)  # fmt: skip
def test_an_actor_is_named_so_that_a_person_can_read_it(identity: dict[str, Any], actor: str) -> None:
    assert document(call(userIdentity=identity))["actor"] == actor


def test_a_service_that_acts_in_a_roles_name_is_told_beside_the_role() -> None:
    made = document(recorded("calls")["TerminateInstances"])
    assert made["actor"] == "AWSServiceRoleForAutoScaling/AutoScaling"
    assert made["invoked_by"] == "autoscaling.amazonaws.com"


def test_a_refused_call_has_its_error() -> None:
    made = document(recorded("quiet")["denied_termination"])
    assert made["error_code"] == "Client.UnauthorizedOperation"
    assert made["error_message"].startswith("You are not authorized")


def test_a_sign_in_tells_whether_it_had_a_second_factor() -> None:
    assert document(recorded("alerts")["sign_in"])["mfa"] is True
    failed = document(recorded("alerts")["sign_in_failed"])
    assert (failed["mfa"], failed["error_message"]) == (False, "Failed authentication")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-11-20T08:02:14Z", "2026-11-20T08:02:14Z"),
        ("2026-11-20T08:02:14.567Z", "2026-11-20T08:02:14Z"),
        ("2026-11-20T09:02:14+01:00", "2026-11-20T08:02:14Z"),
        ("2026-11-20T08:02:14", "2026-11-20T08:02:14Z"),
        ("2026-W47-5T08:02:14Z", "2026-11-20T08:02:14Z"),
    ],
)
def test_times_have_one_form(given: str, kept: str) -> None:
    assert document(call(eventTime=given))["@timestamp"] == kept


def test_without_a_time_of_its_own_a_call_has_that_of_its_envelope() -> None:
    assert document(call(eventTime=None))["@time"] == "2026-11-20T08:02:14Z"


# ---- bad input


@pytest.mark.parametrize("parameters", [None, {}, [], "text", 5, True])
def test_any_kind_of_parameters_makes_a_document(parameters: Any) -> None:
    made = given_parameters(parameters)
    assert made["request"] == {
        "None": [], "{}": [], "[]": ["requestParameters=[]"], "text": ["requestParameters=text"],
        "5": ["requestParameters=5"], "True": ["requestParameters=true"],
    }[str(parameters)]  # fmt: skip
    assert ("request_json" in made) == (parameters is not None)


def test_an_unknown_call_is_a_document_like_any_other() -> None:
    assert document(call(eventName="TeleportInstances"))["event_name"] == "TeleportInstances"


def test_a_dot_in_a_members_name_adds_no_level_and_json_tells_them_apart() -> None:
    dotted, nested = given_parameters({"a.b": 1}), given_parameters({"a": {"b": 1}})
    assert dotted["request"] == nested["request"] == ["a.b=1"]
    assert dotted["request_json"] == '{"a.b":1}'
    assert nested["request_json"] == '{"a":{"b":1}}'


def test_members_that_ought_to_be_texts_and_are_none_are_written_as_json() -> None:
    made = document(
        call(
            sourceIPAddress=["203.0.113.9"], userAgent={"a": 1}, awsRegion=7, errorCode=True, userIdentity=[1]
        )
    )
    assert made["source_address"] == '["203.0.113.9"]'
    assert made["user_agent"] == '{"a":1}'
    assert (made["region"], made["error_code"]) == ("7", "true")
    assert "actor" not in made


def test_flags_that_are_neither_true_nor_false_are_left_out() -> None:
    made = document(
        call(readOnly="perhaps", userIdentity={"sessionContext": {"attributes": {"mfaAuthenticated": 1.5}}})
    )
    assert not FLAGS & made.keys()
    assert document(call(readOnly="true"))["read_only"] is True


def test_parameters_nested_too_deeply_are_cut_and_marked() -> None:
    deep: dict[str, Any] = {"id": "i-0123456789abcdef0"}
    for _ in range(200):
        deep = {"a": deep}
    made = given_parameters(deep)
    assert made["request"] == [".".join(["a"] * (MAX_DEPTH + 1)) + "=…"]
    assert made["truncated"] == ["request"]
    assert json.loads(made["request_json"]) == deep


@pytest.mark.parametrize("levels", [300, 1000])
def test_what_cannot_be_written_as_json_is_left_out_and_marked(levels: int) -> None:
    event = encoded(call()).replace(
        b'"requestParameters":{',
        b'"requestParameters":{"deep":' + b'{"a":' * levels + b"1" + b"}" * levels + b",",
    )
    made = document(read(event))
    assert "request_json" not in made
    assert made["truncated"] == ["request", "request_json"]
    assert "force=false" in made["request"], "what is beside it is kept"


def test_long_texts_are_cut_and_marked() -> None:
    made = document(call(userAgent="x" * 5000, errorMessage="y" * MAX_TEXT))
    assert made["user_agent"] == "x" * (MAX_TEXT - 1) + "…"
    assert made["error_message"] == "y" * MAX_TEXT
    assert made["truncated"] == ["user_agent"]


def test_a_hundred_kilobytes_of_parameters_are_cut_and_marked() -> None:
    made = given_parameters({"userData": "x" * 100_000, "instanceType": "m7g.large"})
    assert made["truncated"] == ["request", "request_json"]
    assert made["request"][1] == "instanceType=m7g.large"
    assert len(made["request"][0]) == MAX_TEXT


def test_many_parameters_are_cut_and_no_identifier_among_them_is_lost() -> None:
    ids = [f"i-{number:017x}" for number in range(MAX_RESOURCES)]
    made = given_parameters({"instancesSet": {"items": [{"instanceId": each} for each in ids]}})
    assert len(made["request"]) == MAX_PARAMETERS
    assert made["resources"] == ids
    assert "resources" not in made["truncated"]


def test_short_parameters_are_no_more_than_long_ones() -> None:
    made = given_parameters({"": [1] * (MAX_PARAMETERS + 1)})
    assert len(made["request"]) == MAX_PARAMETERS
    assert made["truncated"] == ["request"]


def test_more_identifiers_than_a_call_can_have_are_cut_and_marked() -> None:
    made = given_parameters({"ids": [f"i-{number:017x}" for number in range(MAX_RESOURCES + 1)]})
    assert len(made["resources"]) == MAX_RESOURCES
    assert "resources" in made["truncated"]


def test_parameters_in_all_stay_within_their_limit() -> None:
    made = given_parameters({f"member{number}": "x" * 900 for number in range(100)})
    assert sum(map(len, made["request"])) <= MAX_JSON
    assert made["truncated"] == ["request", "request_json"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"eventID": None}, "eventID"),
        ({"eventID": ""}, "eventID"),
        ({"eventID": 5}, "eventID"),
        ({"eventID": "x" * 513}, "eventID is too long"),
        ({"eventID": "ü" * 300}, "eventID is too long"),
        ({"eventName": None}, "eventName"),
        ({"eventName": ["RunInstances"]}, "eventName"),
        ({"eventSource": None}, "eventSource"),
        ({"eventTime": "yesterday"}, "eventTime"),
        ({"eventTime": 1795766467}, "eventTime"),
        ({"eventTime": "0001-01-01T00:00:00+10:00"}, "eventTime"),
    ],
)
def test_what_lacks_its_identity_time_name_or_source_is_malformed(
    change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(MalformedError, match=reason):
        document(call(**change))


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"detail-type": "EC2 Instance State-change Notification", "detail": {"state": "stopped"}},
        {"detail-type": "AWS API Call via CloudTrail"},
        {"detail-type": "AWS API Call via CloudTrail", "detail": []},
        {"detail-type": ["AWS API Call via CloudTrail"], "detail": {}},
    ],
)
def test_what_is_not_cloudtrails_is_malformed(event: dict[str, Any]) -> None:
    with pytest.raises(MalformedError, match="detail"):
        document(event)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{ nothing", b"[]", b"5", b"null", b'{"a": NaN}', b'{"a": "\xff"}', b'{"a": "\\ud83d"}',
        b'{"a":' * 20_000, b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError, match="no JSON"):
        read(data)


# ---- properties

texts = st.text('ab.=-"\\\n\x00ü\u2028🚀', max_size=12) | st.just("i-0123456789abcdef0")
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=30,
)
DETAIL = sorted(recorded("calls")["StopInstances"]["detail"])


@settings(max_examples=300)
@given(changes=st.dictionaries(st.sampled_from([*DETAIL, "errorCode", "resources"]), values, max_size=6))
def test_whatever_an_event_holds_its_document_has_known_members_of_known_types(
    changes: dict[str, Any],
) -> None:
    event = recorded("calls")["StopInstances"]
    event["detail"] |= changes
    try:
        made = document(read(encoded(event)))
    except MalformedError:
        assert changes.keys() & {"eventID", "eventName", "eventSource", "eventTime"}
        return
    assert made.keys() <= MEMBERS
    for name, value in made.items():
        if name in LISTS:
            assert all(type(each) is str for each in value), name
        else:
            assert type(value) is (bool if name in FLAGS else str), name
    line = line_of(made)
    assert line.endswith(b"\n")
    assert b"\n" not in line[:-1]
    assert json.loads(line) == made
    assert len(line) < 6 * MAX_JSON
    assert line_of(document(read(encoded(event)))) == line, "again the same"


@given(data=st.binary(max_size=300))
def test_whatever_a_record_holds_it_is_read_or_malformed(data: bytes) -> None:
    with suppress(MalformedError):
        assert document(read(data))["event_id"]


@given(parameters=st.dictionaries(texts, values, min_size=1, max_size=6))
def test_parameters_that_are_not_cut_are_all_there(parameters: dict[str, Any]) -> None:
    made = given_parameters(parameters)
    if "truncated" not in made:
        assert json.loads(made["request_json"]) == parameters
        assert len(made["request"]) == leaves(parameters)


def leaves(value: Any) -> int:
    """Count the values that are not objects or lists, and empty ones."""
    if isinstance(value, dict) and value:
        return sum(map(leaves, value.values()))
    if isinstance(value, list) and value:
        return sum(map(leaves, value))
    return 1
