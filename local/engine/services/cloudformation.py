"""AWS CloudFormation: properties that the emulator drops, types that it refuses, changes that it misses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from ministack.core.responses import get_region
from ministack.services import athena, cloudwatch, dynamodb, lambda_svc, s3
from ministack.services.cloudformation import changesets, provisioners

from local.engine.patching import PATCHES, Patch, pin, replaces
from local.engine.services.event_sources import complete

Properties = dict[str, Any]

# Resource types without any effect that a local run could show: accepted, and nothing is made.
INERT_TYPES = (
    "AWS::ApplicationAutoScaling::ScalableTarget",  # capacity here is not limited
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::Budgets::Budget",
    "AWS::CloudWatch::AnomalyDetector",
    "AWS::CloudWatch::InsightRule",
    "AWS::CodeDeploy::Application",  # an alias moves at once
    "AWS::CodeDeploy::DeploymentConfig",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::EC2::FlowLog",
    "AWS::Events::EventBusPolicy",  # one account
    "AWS::IAM::ServiceLinkedRole",
    "AWS::Logs::QueryDefinition",
    "AWS::QuickSight::Analysis",
    "AWS::QuickSight::Dashboard",
    "AWS::QuickSight::DataSet",
    "AWS::QuickSight::DataSource",
    "AWS::ResourceGroups::Group",
    "AWS::WAFv2::WebACLAssociation",
    "AWS::XRay::Group",
    "AWS::XRay::ResourcePolicy",
    "AWS::XRay::SamplingRule",
)

_HANDLERS: dict[str, dict[str, Any]] = provisioners._RESOURCE_HANDLERS


_SUFFIX = 13  # characters, of a hash


@replaces(provisioners, "_physical_name", digest="aeef5b394ad2")
def _physical_name(original: Callable[..., str], *args: Any, **named: Any) -> str:
    """A generated name is another one in another region: roles of two stacks of one name are two"""
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html:
    # "CloudFormation generates a unique physical ID and uses that ID for the role name"
    name = original(*args, **named)
    suffix = hashlib.sha256(f"{get_region()}:{name[-_SUFFIX:]}".encode()).hexdigest()[:_SUFFIX]
    return name[:-_SUFFIX] + (suffix if named.get("lowercase") else suffix.upper())


@replaces(changesets, "_resolve_props_for_diff", digest="b0f1a995e91f")
def _without_what_is_off(original: Any, template: Properties, parameters: Properties, *stack: str) -> Any:
    """A change set adds and removes what a changed parameter switches on and off."""
    resolved = original(template, parameters, *stack)
    if resolved:
        conditions = changesets._evaluate_conditions(template, parameters)
        resolved["Resources"] = {
            name: resource
            for name, resource in resolved["Resources"].items()
            if conditions.get(resource.get("Condition"), True)
        }
    return resolved


def after(type_name: str, restores: str) -> Callable[[Callable[[str, Properties], None]], None]:
    """Have a function run with physical id and properties after each creation and update of a type."""

    def install(apply: Callable[[str, Properties], None]) -> None:
        handler = _HANDLERS[type_name]
        create, update = handler["create"], handler["update"]

        def created(logical_id: str, properties: Properties, stack: str) -> Any:
            answer = create(logical_id, properties, stack)
            apply(answer[0], properties)
            return answer

        def updated(physical_id: str, old: Properties, new: Properties, *rest: Any, **named: Any) -> Any:
            answer = update(physical_id, old, new, *rest, **named)
            apply(answer[0], new)
            return answer

        handler["create"], handler["update"] = created, updated
        PATCHES.append(Patch(f"CloudFormation {type_name}", restores))

    return install


# ------------------------------------------------------------------------------------------------------ S3


def _lifecycle_rule(rule: Properties) -> Properties:
    """Return a template's lifecycle rule in the shape of the API."""
    answer: Properties = {"Status": rule["Status"], "Filter": _lifecycle_filter(rule)}
    if "Id" in rule:
        answer["ID"] = rule["Id"]
    if expiration := _expiration(rule):
        answer["Expiration"] = expiration
    noncurrent = dict(rule.get("NoncurrentVersionExpiration") or {})
    if "NoncurrentVersionExpirationInDays" in rule:
        noncurrent["NoncurrentDays"] = rule["NoncurrentVersionExpirationInDays"]
    if noncurrent:
        answer["NoncurrentVersionExpiration"] = {name: int(value) for name, value in noncurrent.items()}
    transitions = list(rule.get("Transitions") or []) + ([rule["Transition"]] if "Transition" in rule else [])
    if transitions:
        answer["Transitions"] = [_transition(transition, "Days") for transition in transitions]
    if rule.get("NoncurrentVersionTransitions"):
        answer["NoncurrentVersionTransitions"] = [
            _transition(transition, "NoncurrentDays") for transition in rule["NoncurrentVersionTransitions"]
        ]
    if "AbortIncompleteMultipartUpload" in rule:
        days = int(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"])
        answer["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": days}
    return answer


def _lifecycle_filter(rule: Properties) -> Properties:
    """Return which objects a rule is about: one condition stands alone, several in `And`."""
    conditions: Properties = {}
    if rule.get("Prefix") is not None:
        conditions["Prefix"] = rule["Prefix"]
    for name in ("ObjectSizeGreaterThan", "ObjectSizeLessThan"):
        if name in rule:
            conditions[name] = int(rule[name])
    tags = [{"Key": tag["Key"], "Value": tag["Value"]} for tag in rule.get("TagFilters") or []]
    if len(conditions) + len(tags) > 1:
        return {"And": conditions | ({"Tags": tags} if tags else {})}
    return conditions | ({"Tag": tags[0]} if tags else {})


def _expiration(rule: Properties) -> Properties:
    """Return when present versions expire."""
    expiration: Properties = {}
    if "ExpirationInDays" in rule:
        expiration["Days"] = int(rule["ExpirationInDays"])
    if "ExpirationDate" in rule:
        expiration["Date"] = rule["ExpirationDate"]
    if "ExpiredObjectDeleteMarker" in rule:
        expiration["ExpiredObjectDeleteMarker"] = str(rule["ExpiredObjectDeleteMarker"]).lower() == "true"
    return expiration


def _transition(transition: Properties, days: str) -> Properties:
    answer: Properties = {"StorageClass": transition["StorageClass"]}
    if "TransitionInDays" in transition:
        answer[days] = int(transition["TransitionInDays"])
    if "TransitionDate" in transition:
        answer["Date"] = transition["TransitionDate"]
    if "NewerNoncurrentVersions" in transition:
        answer["NewerNoncurrentVersions"] = int(transition["NewerNoncurrentVersions"])
    return answer


def _encryption_xml(configuration: Properties) -> bytes:
    root = Element("ServerSideEncryptionConfiguration", xmlns=s3.S3_NS)
    for rule in configuration.get("ServerSideEncryptionConfiguration") or []:
        element = SubElement(root, "Rule")
        default = rule.get("ServerSideEncryptionByDefault")
        if default:
            inner = SubElement(element, "ApplyServerSideEncryptionByDefault")
            for name in ("SSEAlgorithm", "KMSMasterKeyID"):
                if default.get(name):
                    SubElement(inner, name).text = str(default[name])
        if "BucketKeyEnabled" in rule:
            SubElement(element, "BucketKeyEnabled").text = str(rule["BucketKeyEnabled"]).lower()
    return tostring(root)


@after("AWS::S3::Bucket", "Lifecycle rules, default encryption and tags")
def _bucket(name: str, properties: Properties) -> None:
    rules = [
        _lifecycle_rule(rule) for rule in (properties.get("LifecycleConfiguration") or {}).get("Rules") or []
    ]
    refused = s3._lifecycle_rules_error(rules)
    if refused:
        raise ValueError(f"AWS::S3::Bucket LifecycleConfiguration: {refused[2]!r}")
    if rules:
        s3._bucket_lifecycle[name] = rules
    else:
        s3._bucket_lifecycle.pop(name, None)
    if properties.get("BucketEncryption"):
        s3._put_bucket_encryption(name, _encryption_xml(properties["BucketEncryption"]))
    tags = {tag["Key"]: str(tag["Value"]) for tag in properties.get("Tags") or []}
    if tags:
        s3._bucket_tags[name] = tags
    else:
        s3._bucket_tags.pop(name, None)


# ------------------------------------------------------------------------------------------ DynamoDB, Lambda


@after("AWS::DynamoDB::Table", "Time to live and point-in-time recovery")
def _table(name: str, properties: Properties) -> None:
    wanted = properties.get("TimeToLiveSpecification")
    if wanted:
        enabled = str(wanted.get("Enabled", True)).lower() == "true"
        setting = {"AttributeName": wanted["AttributeName"], "Enabled": enabled}
        dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": setting})
    else:
        dynamodb._ttl_settings.pop(name, None)
    recovery = (properties.get("PointInTimeRecoverySpecification") or {}).get("PointInTimeRecoveryEnabled")
    if recovery is not None:
        enabled = str(recovery).lower() == "true"
        specification = {"PointInTimeRecoveryEnabled": enabled}
        dynamodb._update_continuous_backups(
            {"TableName": name, "PointInTimeRecoverySpecification": specification}
        )


@after("AWS::Lambda::Function", "Dead-letter queue and reserved concurrency")
def _function(name: str, properties: Properties) -> None:
    function = lambda_svc._functions[name]
    if properties.get("DeadLetterConfig"):
        function["config"]["DeadLetterConfig"] = properties["DeadLetterConfig"]
    else:
        function["config"].pop("DeadLetterConfig", None)
    reserved = properties.get("ReservedConcurrentExecutions")
    function["concurrency"] = None if reserved is None else int(reserved)


@after("AWS::Lambda::EventSourceMapping", "Tumbling window, starting time and defaults of streams")
def _mapping(physical_id: str, properties: Properties) -> None:
    mapping = lambda_svc._esms[physical_id]
    if ":sqs:" in mapping["EventSourceArn"]:
        return
    numbers = (
        "BatchSize",
        "MaximumBatchingWindowInSeconds",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
        "ParallelizationFactor",
        "TumblingWindowInSeconds",
    )
    wanted: Properties = {"BatchSize": 100} | properties
    wanted |= {name: int(wanted[name]) for name in numbers if name in wanted}
    for name in ("BisectBatchOnFunctionError", "Enabled"):
        if name in wanted:
            wanted[name] = str(wanted[name]).lower() == "true"
    complete(mapping, wanted)
    mapping["BatchSize"] = wanted["BatchSize"]
    mapping["MaximumBatchingWindowInSeconds"] = wanted.get("MaximumBatchingWindowInSeconds", 0)


# -------------------------------------------------------------------------------------------- further types


def _named_query_create(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Properties]:
    query_id: str = json.loads(athena._create_named_query(properties)[2])["NamedQueryId"]
    return query_id, {"NamedQueryId": query_id}


def _named_query_update(
    physical_id: str, _old: Properties, new: Properties, stack: str
) -> tuple[str, Properties]:
    athena._delete_named_query({"NamedQueryId": physical_id})
    return _named_query_create("", new, stack)


def _named_query_delete(physical_id: str, _properties: Properties) -> None:
    athena._delete_named_query({"NamedQueryId": physical_id})


def _composite_alarm_create(logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
    name = properties.get("AlarmName") or provisioners._physical_name(stack, logical_id, max_len=255)
    answer = cloudwatch._put_composite_alarm({}, properties | {"AlarmName": name}, False, is_json=True)
    if answer[0] != 200:
        raise ValueError(f"AWS::CloudWatch::CompositeAlarm: {answer[2]!r}")
    return name, {"Arn": cloudwatch._composite_alarms[name]["AlarmArn"]}


def _composite_alarm_update(
    physical_id: str, _old: Properties, new: Properties, stack: str
) -> tuple[str, Properties]:
    return _composite_alarm_create(physical_id, {"AlarmName": physical_id} | new, stack)


def _composite_alarm_delete(physical_id: str, _properties: Properties) -> None:
    cloudwatch._delete_alarms({}, {"AlarmNames": [physical_id]}, False, is_json=True)


def _inert_create(logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
    physical_id = f"{stack}-{logical_id}"
    return physical_id, {"Arn": f"arn:aws:inert:::{physical_id}"} | {
        name: value for name, value in properties.items() if isinstance(value, str)
    }


def _inert_update(
    physical_id: str, _old: Properties, _new: Properties, *_: Any, **__: Any
) -> tuple[str, Properties]:
    return physical_id, {"Arn": f"arn:aws:inert:::{physical_id}"}


def _inert_delete(_physical_id: str, _properties: Properties) -> None:
    """There is nothing to delete."""


def _add(type_name: str, restores: str, **handler: Callable[..., Any]) -> None:
    if type_name not in _HANDLERS:
        _HANDLERS[type_name] = dict(handler)
        PATCHES.append(Patch(f"CloudFormation {type_name}", restores))


_add(
    "AWS::Athena::NamedQuery",
    "Accepted, and made",
    create=_named_query_create,
    update=_named_query_update,
    delete=_named_query_delete,
)
_add(
    "AWS::CloudWatch::CompositeAlarm",
    "Accepted, and made",
    create=_composite_alarm_create,
    update=_composite_alarm_update,
    delete=_composite_alarm_delete,
)
for _type in INERT_TYPES:
    _add(_type, "Accepted, without effect", create=_inert_create, update=_inert_update, delete=_inert_delete)

pin(provisioners, "_s3_create", "477b78a3cb15")
pin(provisioners, "_s3_update", "1d4f3f6390bb")
pin(provisioners, "_s3_apply_configurations", "9a299ad21255")
pin(provisioners, "_ddb_create", "277586e016c6")
pin(provisioners, "_ddb_update", "0665980ffdd0")
pin(provisioners, "_lambda_create", "8b2cf80e961d")
pin(provisioners, "_lambda_update", "4855410e37d7")
pin(provisioners, "_lambda_esm_create", "f053a4e8c30c")
pin(provisioners, "_lambda_esm_update", "aa8165621335")
pin(provisioners, "_provision_resource", "3b8f01fb1871")
pin(s3, "_put_bucket_lifecycle", "8babb1b38408")
pin(s3, "_put_bucket_encryption", "ba17e3bceb83")
pin(dynamodb, "_update_ttl", "e8243a4fbbb8")
pin(athena, "_create_named_query", "2bbdb112b0ed")
pin(cloudwatch, "_put_composite_alarm", "d1c8174c3d5b")
