"""SNS filter policies: what AWS refuses is refused, and policies of message bodies look into arrays.

Limits and examples are those of subscription-filter-policy-constraints.html and string-value-matching.html of
AWS's developer guide.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.integration.engine.patience import awaited
from tests.integration.engine.roles import refusal
from tests.support.cloud import Cloud


def _topic(cloud: Cloud) -> str:
    arn: str = cloud.client("sns").create_topic(Name=cloud.name("topic"))["TopicArn"]
    return arn


def _attributes(policy: Any, scope: str = "MessageAttributes") -> dict[str, str]:
    text = policy if isinstance(policy, str) else json.dumps(policy)
    return {"FilterPolicy": text, "FilterPolicyScope": scope}


def _message(cloud: Cloud, attributes: dict[str, str]) -> str:
    """Subscribe a queue; code and message of the refusal, empty if it is not refused."""
    try:
        cloud.client("sns").subscribe(
            TopicArn=_topic(cloud), Protocol="sqs", Endpoint=cloud.queue()[1], Attributes=attributes
        )
    except ClientError as error:
        return "{Code}: {Message}".format(**error.response["Error"])
    return ""


def _values(number: int) -> list[str]:
    return [str(each) for each in range(number)]


_NESTED = {"a": {"b": {"c": _values(4)}}, "d": {"e": _values(3)}}
_REFUSED: list[tuple[Any, str, str]] = [
    ("{", "MessageAttributes", "FilterPolicy: failed to parse JSON."),
    (["a"], "MessageAttributes", "FilterPolicy: failed to parse JSON."),
    ({key: ["v"] for key in "abcdef"}, "MessageBody", "Filter policy can not have more than 5 keys"),
    ({"a": _values(151)}, "MessageAttributes", "Filter policy is too complex"),
    ({"a": _values(16), "b": _values(10)}, "MessageAttributes", "Filter policy is too complex"),
    ({"a": {"b": _values(76)}}, "MessageBody", "Filter policy is too complex"),
    (_NESTED | {"f": _values(3)}, "MessageBody", "Filter policy is too complex"),
    ({"$or": [{"a": _values(90)}, {"b": _values(61)}]}, "MessageBody", "Filter policy is too complex"),
    (_NESTED, "MessageAttributes", "does not support nested filter policy"),
    ({"a": "v"}, "MessageAttributes", '"a" must be an object or an array'),
    ({"a": []}, "MessageAttributes", "Empty arrays are not allowed"),
    ({"a": [["v"]]}, "MessageAttributes", "Match value must be String, number, true, false, or null"),
    ({"a": [{"regex": "v"}]}, "MessageAttributes", "Unrecognized match type regex"),
    (
        {"a": [{"prefix": "v", "suffix": "w"}]},
        "MessageAttributes",
        "Only one key allowed in match expression",
    ),
    ({"a": [{"prefix": 1}]}, "MessageAttributes", "prefix match pattern must be a string"),
    ({"a": [{"exists": "yes"}]}, "MessageAttributes", "exists match pattern must be either true or false."),
    ({"a": [{"cidr": "10.0.0.0.0/8"}]}, "MessageAttributes", "Malformed CIDR"),
    ({"a": [{"anything-but": [None]}]}, "MessageAttributes", "anything-but match value must be"),
    ({"a": [{"anything-but": {"exists": True}}]}, "MessageAttributes", "Unsupported anything-but pattern"),
    ({"a": [{"numeric": 1}]}, "MessageAttributes", "Value of numeric must be an array."),
    ({"a": [{"numeric": []}]}, "MessageAttributes", "Invalid member in numeric match: ]"),
    ({"a": [{"numeric": ["!=", 1]}]}, "MessageAttributes", "Unrecognized numeric range operator: !="),
    ({"a": [{"numeric": ["=", "1"]}]}, "MessageAttributes", "Value of equals must be numeric"),
    ({"a": [{"numeric": ["<", 1, ">", 0]}]}, "MessageAttributes", "Too many elements in numeric expression"),
    ({"a": [{"numeric": [">", 5, "<", 5]}]}, "MessageAttributes", "Bottom must be less than top"),
    ({"a": [{"numeric": [">", 5, "=", 6]}]}, "MessageAttributes", "Bad numeric range operator: ="),
    ({"a": ["v"]}, "MessageEverything", "Please use either MessageBody or MessageAttributes"),
]


@pytest.mark.parametrize(("policy", "scope", "reason"), _REFUSED)
def test_a_policy_that_aws_refuses_is_refused(cloud: Cloud, policy: Any, scope: str, reason: str) -> None:
    message = _message(cloud, _attributes(policy, scope))
    assert message.startswith("InvalidParameter: Invalid parameter: Attributes Reason: ")
    assert reason in message


@pytest.mark.ours_only
@pytest.mark.parametrize(
    ("policy", "scope"),
    [
        ("", "MessageAttributes"),
        ({}, "MessageAttributes"),
        ({key: ["v"] for key in "abcde"}, "MessageAttributes"),
        ({"a": _values(150)}, "MessageAttributes"),
        ({"a": {"b": _values(75)}}, "MessageBody"),
        (_NESTED, "MessageBody"),  # 4 values at depth 3, 3 at depth 2: 3 x 4 x 2 x 3 = 72
        ({"$or": [{"a": _values(90)}, {"b": _values(60)}]}, "MessageBody"),
        (
            {
                "a": ["v", 1, True, None, {"prefix": "v"}, {"suffix": "v"}, {"equals-ignore-case": "v"}],
                "b": [{"exists": False}, {"numeric": [">", 0, "<=", 150]}, {"numeric": ["=", 301.5]}],
                "c": [{"anything-but": ["v", 1]}, {"anything-but": {"prefix": "v"}}, {"wildcard": "v*w"}],
                "d": [{"cidr": "10.0.0.0/24"}],
            },
            "MessageAttributes",
        ),
    ],
)
def test_a_policy_at_the_limits_is_taken(cloud: Cloud, policy: Any, scope: str) -> None:
    assert _message(cloud, _attributes(policy, scope)) == ""


def test_a_later_policy_is_validated_too(cloud: Cloud) -> None:
    sns = cloud.client("sns")
    arn = sns.subscribe(TopicArn=_topic(cloud), Protocol="sqs", Endpoint=cloud.queue()[1])["SubscriptionArn"]
    put = partial(sns.set_subscription_attributes, SubscriptionArn=arn)
    nested = {"AttributeName": "FilterPolicy", "AttributeValue": json.dumps(_NESTED)}
    assert refusal(partial(put, **nested)) == "InvalidParameter"
    put(AttributeName="FilterPolicyScope", AttributeValue="MessageBody")
    put(**nested)
    kept = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    too_complex = {"AttributeName": "FilterPolicy", "AttributeValue": json.dumps({"a": _values(151)})}
    assert refusal(partial(put, **too_complex)) == "InvalidParameter"
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"] == kept


def _template(cloud: Cloud, topic: str, policy: dict[str, Any], scope: str) -> dict[str, Any]:
    properties = {
        "TopicArn": topic,
        "Protocol": "sqs",
        "Endpoint": cloud.queue()[1],
        "FilterPolicy": policy,
        "FilterPolicyScope": scope,
    }
    return {"Resources": {"Subscription": {"Type": "AWS::SNS::Subscription", "Properties": properties}}}


def _deploys(cloud: Cloud, template: dict[str, Any]) -> bool:
    try:
        cloud.deploy(template)
    except WaiterError:
        return False
    return True


def test_cloudformation_refuses_such_a_policy(cloud: Cloud) -> None:
    topic = _topic(cloud)
    assert not _deploys(cloud, _template(cloud, topic, {"a": {"b": ["v"]}}, "MessageAttributes"))
    assert _deploys(cloud, _template(cloud, topic, {"a": {"b": ["v"]}}, "MessageBody"))


@pytest.mark.ours_only
def test_cloudformation_updates_policy_and_scope_together(cloud: Cloud) -> None:
    topic = _topic(cloud)
    template = _template(cloud, topic, {"a": ["v"]}, "MessageAttributes")
    stack = cloud.deploy(template)["StackName"]
    formation = cloud.client("cloudformation")
    for policy, scope in (({"a": {"b": ["v"]}}, "MessageBody"), ({"a": ["w"]}, "MessageAttributes")):
        template["Resources"]["Subscription"]["Properties"] |= {
            "FilterPolicy": policy,
            "FilterPolicyScope": scope,
        }
        formation.update_stack(StackName=stack, TemplateBody=json.dumps(template))
        formation.get_waiter("stack_update_complete").wait(
            StackName=stack, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
        )
        [subscription] = cloud.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        found = cloud.client("sns").get_subscription_attributes(
            SubscriptionArn=subscription["SubscriptionArn"]
        )["Attributes"]
        assert (json.loads(found["FilterPolicy"]), found["FilterPolicyScope"]) == (policy, scope)


_ORDER = {
    "Trigger": {
        "Dimensions": [
            {"name": "FileSystemId", "value": "fs-1"},
            {"name": "Zone", "value": ["a", ["b"]]},
        ],
        "Parts": [[{"sku": "x", "count": 1}], [{"sku": "y", "count": 2}]],
        "Unit": None,
    }
}
_DIMENSION = {"name": ["FileSystemId"], "value": [{"prefix": "fs-"}]}


@pytest.mark.parametrize(
    ("policy", "matches"),
    [
        ({"Dimensions": _DIMENSION}, True),
        ({"Dimensions": {"name": ["FileSystemId"]}}, True),
        # Each rule holds for one of the objects, but both for none.
        ({"Dimensions": _DIMENSION | {"name": ["Zone"]}}, False),
        ({"Dimensions": {"name": ["Zone"], "value": ["b"]}}, True),
        ({"Parts": {"sku": ["y"], "count": [{"numeric": [">", 1]}]}}, True),
        ({"Parts": {"sku": ["x"], "count": [{"numeric": [">", 1]}]}}, False),
        ({"Dimensions": {"unit": [{"exists": False}]}}, True),
        ({"Others": {"name": [{"exists": False}]}}, True),
        ({"Others": {"name": ["FileSystemId"]}}, False),
        ({"Unit": [None]}, True),
        ({"$or": [{"Others": {"a": ["b"]}}, {"Dimensions": _DIMENSION}]}, True),
    ],
)
@pytest.mark.ours_only
def test_a_policy_of_the_body_looks_into_arrays_of_objects(
    cloud: Cloud, policy: dict[str, Any], matches: bool
) -> None:
    url, arn = cloud.queue()
    sns, topic = cloud.client("sns"), _topic(cloud)
    attributes = _attributes({"Trigger": policy}, "MessageBody") | {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    sns.publish(TopicArn=topic, Message=json.dumps(_ORDER))
    assert [json.loads(body) for body in cloud.messages(url)] == ([_ORDER] if matches else [])


def test_a_message_reaches_a_subscription_by_an_arrays_object(cloud: Cloud) -> None:
    url, arn = cloud.queue()
    sns, topic = cloud.client("sns"), _topic(cloud)
    policy = _attributes({"Trigger": {"Dimensions": _DIMENSION}}, "MessageBody")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=policy)
    sns.publish(TopicArn=topic, Message=json.dumps(_ORDER))
    assert len(awaited(cloud, lambda: cloud.messages(url))) == 1
