"""What `Ref` and `Fn::GetAtt` return, by resource type, and which property gives a physical name.

"Return values" of each type in https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["NAMED_BY", "RETURN_VALUES", "ReturnValues"]


@dataclass(frozen=True)
class ReturnValues:
    """What a resource type returns: format strings over `name`, `id` and the place's fields.

    Attributes:
        name: The property that gives the physical name; empty where none does.
        ref: What `Ref` returns.
        arn: What `Arn` is.
        other: Further attributes.
    """

    name: str = ""
    ref: str = "{name}"
    arn: str = ""
    other: Mapping[str, str] = field(default_factory=dict)


def _arn(service: str, rest: str) -> str:
    return f"arn:{{partition}}:{service}:{{region}}:{{account}}:{rest}"


RETURN_VALUES: dict[str, ReturnValues] = {
    "AWS::ApiGateway::Deployment": ReturnValues(ref="{id:.6}"),
    "AWS::ApiGateway::RestApi": ReturnValues(ref="{id:.10}", other={"RootResourceId": "{id:.10}"}),
    "AWS::ApiGateway::Stage": ReturnValues("StageName"),
    "AWS::ApiGateway::UsagePlan": ReturnValues(ref="{id:.6}"),
    "AWS::Athena::NamedQuery": ReturnValues(ref="{uuid}", other={"NamedQueryId": "{uuid}"}),
    "AWS::Athena::WorkGroup": ReturnValues("Name"),
    "AWS::CloudFront::CachePolicy": ReturnValues(
        "CachePolicyConfig.Name", ref="{uuid}", other={"Id": "{uuid}"}
    ),
    "AWS::CloudFront::Distribution": ReturnValues(
        ref="E{ID:.13}", other={"DomainName": "d{id:.13}.cloudfront.net", "Id": "E{ID:.13}"}
    ),
    "AWS::CloudFront::Function": ReturnValues(
        "Name",
        "arn:{partition}:cloudfront::{account}:function/{name}",
        other={"FunctionARN": "arn:{partition}:cloudfront::{account}:function/{name}"},
    ),
    "AWS::CloudFront::OriginAccessControl": ReturnValues(
        "OriginAccessControlConfig.Name", ref="E{ID:.13}", other={"Id": "E{ID:.13}"}
    ),
    "AWS::CloudFront::RealtimeLogConfig": ReturnValues(
        "Name",
        "arn:{partition}:cloudfront::{account}:realtime-log-config/{name}",
        "arn:{partition}:cloudfront::{account}:realtime-log-config/{name}",
    ),
    "AWS::CloudFront::ResponseHeadersPolicy": ReturnValues(
        "ResponseHeadersPolicyConfig.Name", ref="{uuid}", other={"Id": "{uuid}"}
    ),
    "AWS::CloudWatch::Alarm": ReturnValues("AlarmName", arn=_arn("cloudwatch", "alarm:{name}")),
    "AWS::CloudWatch::Dashboard": ReturnValues("DashboardName"),
    "AWS::Cognito::UserPool": ReturnValues(
        ref="{region}_{id:.9}",
        arn=_arn("cognito-idp", "userpool/{region}_{id:.9}"),
        other={"ProviderName": "cognito-idp.{region}.{suffix}/{region}_{id:.9}"},
    ),
    "AWS::Cognito::UserPoolClient": ReturnValues(ref="{id:.26}"),
    "AWS::Cognito::UserPoolDomain": ReturnValues("Domain"),
    "AWS::Cognito::UserPoolGroup": ReturnValues("GroupName"),
    "AWS::DynamoDB::Table": ReturnValues(
        "TableName",
        arn=_arn("dynamodb", "table/{name}"),
        other={"StreamArn": _arn("dynamodb", "table/{name}/stream/2026-01-01T00:00:00.000")},
    ),
    "AWS::ECS::Cluster": ReturnValues("ClusterName", arn=_arn("ecs", "cluster/{name}")),
    "AWS::Events::Rule": ReturnValues("Name", arn=_arn("events", "rule/{name}")),
    "AWS::Glue::Database": ReturnValues("DatabaseInput.Name"),
    "AWS::Glue::Table": ReturnValues("TableInput.Name"),
    "AWS::IAM::ManagedPolicy": ReturnValues(
        "ManagedPolicyName", "arn:{partition}:iam::{account}:policy/{name}"
    ),
    "AWS::IAM::Role": ReturnValues(
        "RoleName", arn="arn:{partition}:iam::{account}:role/{name}", other={"RoleId": "AROA{ID:.17}"}
    ),
    "AWS::KMS::Alias": ReturnValues("AliasName", arn=_arn("kms", "{name}")),
    "AWS::KMS::Key": ReturnValues(ref="{uuid}", arn=_arn("kms", "key/{uuid}"), other={"KeyId": "{uuid}"}),
    "AWS::Kinesis::Stream": ReturnValues("Name", arn=_arn("kinesis", "stream/{name}")),
    "AWS::KinesisAnalyticsV2::Application": ReturnValues("ApplicationName"),
    "AWS::KinesisFirehose::DeliveryStream": ReturnValues(
        "DeliveryStreamName", arn=_arn("firehose", "deliverystream/{name}")
    ),
    "AWS::Lambda::EventSourceMapping": ReturnValues(ref="{uuid}", other={"Id": "{uuid}"}),
    "AWS::Lambda::Function": ReturnValues("FunctionName", arn=_arn("lambda", "function:{name}")),
    "AWS::Lambda::LayerVersion": ReturnValues(
        "LayerName", _arn("lambda", "layer:{name}:1"), _arn("lambda", "layer:{name}:1")
    ),
    "AWS::Logs::LogGroup": ReturnValues("LogGroupName", arn=_arn("logs", "log-group:{name}:*")),
    "AWS::Logs::LogStream": ReturnValues("LogStreamName"),
    "AWS::Logs::ResourcePolicy": ReturnValues("PolicyName"),
    "AWS::OpenSearchService::Domain": ReturnValues(
        "DomainName",
        arn=_arn("es", "domain/{name}"),
        other={"DomainEndpoint": "search-{name}-{id:.26}.{region}.es.{suffix}"},
    ),
    "AWS::QuickSight::Analysis": ReturnValues("AnalysisId", arn=_arn("quicksight", "analysis/{name}")),
    "AWS::QuickSight::DataSet": ReturnValues("DataSetId", arn=_arn("quicksight", "dataset/{name}")),
    "AWS::QuickSight::DataSource": ReturnValues("DataSourceId", arn=_arn("quicksight", "datasource/{name}")),
    "AWS::S3::Bucket": ReturnValues(
        "BucketName",
        arn="arn:{partition}:s3:::{name}",
        other={
            "DomainName": "{name}.s3.{suffix}",
            "RegionalDomainName": "{name}.s3.{region}.{suffix}",
            "WebsiteURL": "http://{name}.s3-website-{region}.{suffix}",
        },
    ),
    "AWS::SES::EmailIdentity": ReturnValues("EmailIdentity"),
    "AWS::SNS::Topic": ReturnValues(
        "TopicName",
        _arn("sns", "{name}"),
        _arn("sns", "{name}"),
        {"TopicName": "{name}", "TopicArn": _arn("sns", "{name}")},
    ),
    "AWS::SQS::Queue": ReturnValues(
        "QueueName",
        "https://sqs.{region}.{suffix}/{account}/{name}",
        _arn("sqs", "{name}"),
        {"QueueName": "{name}"},
    ),
    "AWS::SSM::Parameter": ReturnValues("Name"),
    "AWS::Scheduler::Schedule": ReturnValues("Name", arn=_arn("scheduler", "schedule/default/{name}")),
    "AWS::SecretsManager::Secret": ReturnValues(
        ref=_arn("secretsmanager", "secret:{name}-{id:.6}"),
        arn=_arn("secretsmanager", "secret:{name}-{id:.6}"),
        other={"Id": _arn("secretsmanager", "secret:{name}-{id:.6}")},
    ),
    "AWS::StepFunctions::StateMachine": ReturnValues(
        "StateMachineName",
        _arn("states", "stateMachine:{name}"),
        _arn("states", "stateMachine:{name}"),
        {"Name": "{name}"},
    ),
    # What the functions of custom resources answer.
    "Custom::AuthKeys": ReturnValues(other={"BlindIndex": "{id:.16}"}),  # functions/auth/auth/keys.py
}


NAMED_BY: Mapping[str, str] = {kind: returned.name for kind, returned in RETURN_VALUES.items()}
"""The property that gives a resource its physical name, by type; empty where none does."""
