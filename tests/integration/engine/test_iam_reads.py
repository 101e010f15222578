"""IAM sees which resource a read is about, where AWS's service authorization reference names a resource type.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.integration.engine.answers import refusal
from tests.integration.engine.roles import as_role, role
from tests.support.cloud import Cloud

LAMBDA = {"Principal": {"Service": "lambda.amazonaws.com"}}

type Made = Callable[[Cloud], str]
type Call = Callable[[Any, str], Any]


def _cache(cloud: Cloud) -> str:
    name = cloud.name("cache")[:20]
    cloud.client("elasticache").create_cache_cluster(
        CacheClusterId=name, Engine="memcached", CacheNodeType="cache.t3.micro", NumCacheNodes=1
    )
    return f"arn:aws:elasticache:{cloud.region}:{cloud.account}:cluster:{name}"


def _alarm(cloud: Cloud) -> str:
    name = cloud.name("alarm")
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=name, Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    return f"arn:aws:cloudwatch:{cloud.region}:{cloud.account}:alarm:{name}"


def _job(cloud: Cloud) -> str:
    name = cloud.name("job")
    command = {"Name": "glueetl", "ScriptLocation": "s3://scripts/nightly.py"}
    cloud.client("glue").create_job(Name=name, Role="any", Command=command)
    return f"arn:aws:glue:{cloud.region}:{cloud.account}:job/{name}"


def _system(cloud: Cloud) -> str:
    return str(cloud.client("efs").create_file_system(CreationToken=cloud.name("t"))["FileSystemArn"])


def _project(cloud: Cloud) -> str:
    answer = cloud.client("codebuild").create_project(
        name=cloud.name("project"), source={"type": "NO_SOURCE", "buildspec": "version: 0.2"},
        artifacts={"type": "NO_ARTIFACTS"}, serviceRole=f"arn:aws:iam::{cloud.account}:role/any",
        environment={"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"},
    )  # fmt: skip
    return str(answer["project"]["arn"])


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]


READS: dict[str, tuple[str, Made, Call]] = {
    "elasticache:ListTagsForResource": (
        "elasticache", _cache, lambda client, arn: client.list_tags_for_resource(ResourceName=arn)
    ),
    "cloudwatch:ListTagsForResource": (
        "cloudwatch", _alarm, lambda client, arn: client.list_tags_for_resource(ResourceARN=arn)
    ),
    "glue:GetTags": ("glue", _job, lambda client, arn: client.get_tags(ResourceArn=arn)),
    "elasticfilesystem:DescribeFileSystems": (
        "efs", _system, lambda client, arn: client.describe_file_systems(FileSystemId=_name(arn))
    ),
    "codebuild:BatchGetProjects": (
        "codebuild", _project, lambda client, arn: client.batch_get_projects(names=[_name(arn)])
    ),
}  # fmt: skip


@pytest.mark.parametrize("action", READS)
def test_a_role_reads_what_it_may_and_nothing_else(cloud_with_iam: Cloud, action: str) -> None:
    service, made, call = READS[action]
    mine, other = made(cloud_with_iam), made(cloud_with_iam)
    client = as_role(cloud_with_iam, [{"Action": action, "Resource": mine}], service)
    assert refusal(lambda: call(client, mine)) == ""
    assert refusal(lambda: call(client, other)).startswith("AccessDenied")


def test_a_list_of_alarms_is_one_of_all_alarms(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    alarm = _alarm(cloud)
    everything = f"arn:aws:cloudwatch:{cloud.region}:{cloud.account}:alarm:*"

    def attempt(resource: str, *types: str) -> str:
        client = as_role(cloud, [{"Action": "cloudwatch:DescribeAlarms", "Resource": resource}], "cloudwatch")
        kinds = {"AlarmTypes": types} if types else {}
        return refusal(lambda: client.describe_alarms(AlarmNamePrefix=_name(alarm)[:6], **kinds))

    assert attempt(everything) == ""
    assert attempt(alarm).startswith("AccessDenied")
    assert attempt(everything, "CompositeAlarm").startswith("AccessDenied")
    assert attempt("*", "CompositeAlarm") == ""


def _mapping(cloud: Cloud) -> dict[str, Any]:
    archive, name = io.BytesIO(), cloud.name("function")
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("app.py", "def handler(event, context): ...")
    client = cloud.client("lambda")
    client.create_function(
        FunctionName=name, Runtime="python3.13", Handler="app.handler", Code={"ZipFile": archive.getvalue()},
        Role=role(cloud, [{"Action": "sqs:*", "Resource": "*"}], trust=LAMBDA),
    )  # fmt: skip
    return dict(client.create_event_source_mapping(FunctionName=name, EventSourceArn=cloud.queue()[1]))


def test_a_role_changes_the_mappings_of_its_function_alone(cloud_with_iam: Cloud) -> None:
    """Conditions on `lambda:FunctionArn`; the mapping's id is not known before."""
    cloud = cloud_with_iam
    mine, other = _mapping(cloud), _mapping(cloud)
    statement = {
        "Action": ["lambda:UpdateEventSourceMapping", "lambda:DeleteEventSourceMapping"],
        "Resource": f"arn:aws:lambda:{cloud.region}:{cloud.account}:event-source-mapping:*",
        "Condition": {"ArnEquals": {"lambda:FunctionArn": mine["FunctionArn"]}},
    }
    client = as_role(cloud, [statement], "lambda")
    for call in (
        partial(client.update_event_source_mapping, Enabled=False),
        client.delete_event_source_mapping,
    ):
        assert refusal(call, UUID=other["UUID"]).startswith("AccessDenied")
        assert refusal(call, UUID=mine["UUID"]) == ""
    assert refusal(client.get_event_source_mapping, UUID=other["UUID"]).startswith("AccessDenied")
