"""IAM: conditions on resources' tags, requests about several resources, passed and assumed roles.

Policies have the form of AWS's documentation; the engine enforces them as AWS does.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.engine.roles import as_role, refusal, role, session_client
from tests.support.cloud import Cloud

_MINE, _OTHER = {"hub": "yes"}, {"hub": "no"}


def _tagged(cloud: Cloud, action: str | list[str], kind: str, key: str = "aws:ResourceTag/hub") -> Any:
    """Return a statement that allows an action on resources with a tag."""
    condition = {"StringEquals": {key: "yes"}}
    return {"Action": action, "Resource": f"arn:aws:{kind}", "Condition": condition}


def _pairs(tags: dict[str, str], lower: bool = False) -> list[dict[str, str]]:
    names = ("key", "value") if lower else ("Key", "Value")
    return [dict(zip(names, pair, strict=True)) for pair in tags.items()]


# ----------------------------------------------------------------------------------------------------- tags


def _file_system(cloud: Cloud, tags: dict[str, str]) -> dict[str, Any]:
    found = cloud.client("efs").create_file_system(CreationToken=uuid.uuid4().hex, Tags=_pairs(tags))
    return {"FileSystemId": found["FileSystemId"], "ThroughputMode": "elastic"}


def _group(cloud: Cloud, tags: dict[str, str]) -> dict[str, Any]:
    name = cloud.name("group")
    service = cloud.client("autoscaling")
    template = cloud.client("ec2").create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData={"ImageId": "ami-0abc1234", "InstanceType": "t3.micro"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    service.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=1,
        AvailabilityZones=["us-east-1a"],
        LaunchTemplate={"LaunchTemplateId": template},
        Tags=[
            {"ResourceId": name, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": True} | pair
            for pair in _pairs(tags)
        ],
    )
    return {"AutoScalingGroupName": name, "MaxSize": 2}


def _database(cloud: Cloud, tags: dict[str, str]) -> dict[str, Any]:
    name = cloud.name("db")
    cloud.client("rds").create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="admin1",
        MasterUserPassword="password1",
        Tags=_pairs(tags),
    )
    return {"DBInstanceIdentifier": name, "AllocatedStorage": 30}


def _project(cloud: Cloud, tags: dict[str, str]) -> dict[str, Any]:
    name = cloud.name("project")
    cloud.client("codebuild").create_project(
        name=name,
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole=f"arn:aws:iam::{cloud.account}:role/build",
        tags=_pairs(tags, lower=True),
    )
    return {"projectName": name}


def _job(cloud: Cloud, tags: dict[str, str]) -> dict[str, Any]:
    name = cloud.name("job")
    cloud.client("glue").create_job(
        Name=name,
        Role=f"arn:aws:iam::{cloud.account}:role/job",
        Command={"Name": "glueetl", "ScriptLocation": "s3://bucket/script.py"},
        Tags=tags,
    )
    return {"JobName": name}


def _instance(cloud: Cloud, tags: dict[str, str]) -> dict[str, Any]:
    specification = {"ResourceType": "instance", "Tags": _pairs(tags)}
    [found] = cloud.client("ec2").run_instances(
        ImageId="ami-0abc1234",
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[specification],
    )["Instances"]
    return {"InstanceIds": [found["InstanceId"]]}


def _cluster(cloud: Cloud, tags: dict[str, str]) -> dict[str, Any]:
    name = cloud.name("cluster")
    cloud.client("ecs").create_cluster(clusterName=name, tags=_pairs(tags, lower=True))
    return {"clusters": [name]}


_RESOURCES: dict[str, tuple[Callable[[Cloud, dict[str, str]], dict[str, Any]], str, str, str]] = {
    # service: (make a resource, action, operation of boto3, resource of the policy)
    "efs": (
        _file_system,
        "elasticfilesystem:UpdateFileSystem",
        "update_file_system",
        "elasticfilesystem:*:*:file-system/*",
    ),
    "autoscaling": (
        _group,
        "autoscaling:UpdateAutoScalingGroup",
        "update_auto_scaling_group",
        "autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/*",
    ),
    "rds": (_database, "rds:ModifyDBInstance", "modify_db_instance", "rds:*:*:db:*"),
    "codebuild": (_project, "codebuild:StartBuild", "start_build", "codebuild:*:*:project/*"),
    "glue": (_job, "glue:StartJobRun", "start_job_run", "glue:*:*:job/*"),
    "ec2": (_instance, "ec2:StopInstances", "stop_instances", "ec2:*:*:instance/*"),
    "ecs": (_cluster, "ecs:DescribeClusters", "describe_clusters", "ecs:*:*:cluster/*"),
}


@pytest.mark.parametrize("service", _RESOURCES)
def test_a_role_reaches_what_has_its_tag(cloud_with_iam: Cloud, service: str) -> None:
    cloud = cloud_with_iam
    make, action, operation, resource = _RESOURCES[service]
    mine, other = make(cloud, _MINE), make(cloud, _OTHER)
    client = as_role(cloud, [_tagged(cloud, action, resource)], service)
    assert refusal(partial(getattr(client, operation), **mine)) == ""
    denied = refusal(partial(getattr(client, operation), **other))
    assert denied.startswith(("AccessDenied", "UnauthorizedOperation"))


def test_a_group_is_reached_by_its_whole_arn(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    mine, other = _group(cloud, {}), _group(cloud, {})
    [found] = cloud.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[mine["AutoScalingGroupName"]]
    )["AutoScalingGroups"]
    statement = {"Action": "autoscaling:UpdateAutoScalingGroup", "Resource": found["AutoScalingGroupARN"]}
    client = as_role(cloud, [statement], "autoscaling")
    assert refusal(partial(client.update_auto_scaling_group, **mine)) == ""
    assert refusal(partial(client.update_auto_scaling_group, **other)) == "AccessDenied"


# ------------------------------------------------------------------------------------------------ documents


def _command(cloud: Cloud, *instances: dict[str, Any], **others: Any) -> dict[str, Any]:
    ids = [found for each in instances for found in each["InstanceIds"]]
    return {
        "DocumentName": "AWS-RunShellScript",
        "InstanceIds": ids,
        "Parameters": {"commands": ["true"]},
    } | others


def _allowed_to_send(client: Any, command: dict[str, Any]) -> bool:
    """Tell whether IAM lets a command pass; what Systems Manager says of the instances is of no account."""
    code = refusal(partial(client.send_command, **command))
    assert code in ("", "InvalidInstanceId", "AccessDeniedException")
    return code != "AccessDeniedException"


@pytest.mark.parametrize("key", ["aws:ResourceTag/hub", "ssm:resourceTag/hub"])
def test_a_command_needs_its_document_and_each_instance(cloud_with_iam: Cloud, key: str) -> None:
    cloud = cloud_with_iam
    mine, also_mine, other = (_instance(cloud, tags) for tags in (_MINE, _MINE, _OTHER))
    document = {"Action": "ssm:SendCommand", "Resource": "arn:aws:ssm:*:*:document/AWS-RunShellScript"}
    instances = _tagged(cloud, "ssm:SendCommand", "ec2:*:*:instance/*", key)
    client = as_role(cloud, [document, instances], "ssm")
    assert _allowed_to_send(client, _command(cloud, mine, also_mine))
    assert not _allowed_to_send(client, _command(cloud, other))
    assert not _allowed_to_send(client, _command(cloud, mine, other))
    assert not _allowed_to_send(client, _command(cloud, mine, DocumentName="AWS-RunPowerShellScript"))
    try:
        client.send_command(**_command(cloud, other))
    except ClientError as error:
        refused = str(error.response["Error"]["Message"])
    [instance] = other["InstanceIds"]
    assert f"perform: ssm:SendCommand on resource: arn:aws:ec2:{cloud.region}:" in refused
    assert f":instance/{instance} because no identity-based policy allows" in refused
    by_tag = {"InstanceIds": [], "Targets": [{"Key": "tag:hub", "Values": ["no"]}]}
    assert not _allowed_to_send(client, _command(cloud, **by_tag))
    for statement in (document, instances):
        assert not _allowed_to_send(as_role(cloud, [statement], "ssm"), _command(cloud, mine))


# ---------------------------------------------------------------------------------------------------- tasks


def _definition(cloud: Cloud, tags: dict[str, str], **roles: str) -> str:
    found = cloud.client("ecs").register_task_definition(
        family=cloud.name("family"),
        containerDefinitions=[{"name": "app", "image": "app", "memory": 64}],
        tags=_pairs(tags, lower=True),
        **roles,
    )
    arn: str = found["taskDefinition"]["taskDefinitionArn"]
    return arn


def test_a_task_is_run_by_revision_cluster_and_tag(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    [cluster], [elsewhere] = (_cluster(cloud, _MINE)["clusters"] for _ in range(2))
    mine, other = _definition(cloud, _MINE), _definition(cloud, _OTHER)
    arn = f"arn:aws:ecs:{cloud.region}:{cloud.account}:cluster/{cluster}"
    condition = {"ArnEquals": {"ecs:cluster": arn}, "StringEquals": {"aws:ResourceTag/hub": "yes"}}
    statement = {"Action": "ecs:RunTask", "Condition": condition}
    ecs = as_role(cloud, [statement | {"Resource": mine.rpartition(":")[0] + ":*"}], "ecs")
    family = mine.rpartition("/")[2].partition(":")[0]
    for given in (mine, family, f"{family}:1"):
        assert ecs.run_task(cluster=cluster, taskDefinition=given)["failures"] == []
    run = partial(ecs.run_task, cluster=cluster)
    assert refusal(partial(run, taskDefinition=other)) == "AccessDeniedException"
    assert refusal(partial(run, taskDefinition=mine, cluster=elsewhere)) == "AccessDeniedException"
    untagged = as_role(cloud, [statement | {"Resource": "*"}], "ecs")
    assert refusal(partial(untagged.run_task, cluster=cluster, taskDefinition=mine)) == ""
    assert (
        refusal(partial(untagged.run_task, cluster=cluster, taskDefinition=other)) == "AccessDeniedException"
    )


def test_a_task_is_stopped_by_its_arn(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    [cluster] = _cluster(cloud, {})["clusters"]
    [task] = cloud.client("ecs").run_task(cluster=cluster, taskDefinition=_definition(cloud, {}))["tasks"]
    statement = {
        "Action": ["ecs:StopTask", "ecs:DescribeTasks"],
        "Resource": f"arn:aws:ecs:*:*:task/{cluster}/*",
    }
    ecs = as_role(cloud, [statement], "ecs")
    assert len(ecs.describe_tasks(cluster=cluster, tasks=[task["taskArn"]])["tasks"]) == 1
    assert refusal(partial(ecs.stop_task, cluster=cluster, task=task["taskArn"].rpartition("/")[2])) == ""
    assert refusal(partial(ecs.describe_tasks, cluster="other", tasks=["1"])) == "AccessDeniedException"


def test_roles_of_a_task_have_to_be_passed(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    [cluster] = _cluster(cloud, {})["clusters"]
    own, given = role(cloud, []), role(cloud, [])
    definition = _definition(cloud, {}, taskRoleArn=own)
    run = {"Action": "ecs:RunTask", "Resource": "*"}

    def attempt(overrides: dict[str, Any], *passing: dict[str, Any]) -> str:
        ecs = as_role(cloud, [run, *passing], "ecs")
        try:
            ecs.run_task(cluster=cluster, taskDefinition=definition, overrides=overrides)
        except ClientError as error:
            return str(error.response["Error"]["Message"])
        return ""

    def passing(arn: str, to: str = "ecs-tasks.amazonaws.com") -> dict[str, Any]:
        condition = {"StringEquals": {"iam:PassedToService": to}}
        return {"Action": "iam:PassRole", "Resource": arn, "Condition": condition}

    assert attempt({}, passing(own)) == ""
    assert attempt({"taskRoleArn": given}, passing(given)) == ""
    for overrides, statements in (
        ({}, []),
        ({}, [passing(own, "ec2.amazonaws.com")]),
        ({"taskRoleArn": given}, [passing(own)]),
        ({"executionRoleArn": given}, [passing(own)]),
    ):
        refused = attempt(overrides, *statements)
        assert "is not authorized to perform: iam:PassRole on resource: arn:aws:iam::" in refused


# ---------------------------------------------------------------------------------------------------- roles


def test_a_role_assumes_another_if_both_sides_allow_it(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    caller_name = cloud.name("caller")
    trust = {
        "Principal": {"AWS": f"arn:aws:iam::{cloud.account}:root"},
        "Condition": {
            "StringEquals": {"sts:ExternalId": "hub-1"},
            "ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{cloud.account}:role/role-*"},
        },
    }
    target, unlisted = (role(cloud, [], trust=trust) for _ in range(2))
    condition = {"StringEquals": {"sts:ExternalId": "hub-1"}}
    sts = as_role(cloud, [{"Action": "sts:AssumeRole", "Resource": target, "Condition": condition}], "sts")
    assume = partial(sts.assume_role, RoleSessionName=caller_name)
    given = assume(RoleArn=target, ExternalId="hub-1")["Credentials"]
    who = session_client(cloud, given, "sts").get_caller_identity()["Arn"]
    assert who.endswith(f":assumed-role/{target.rpartition('/')[2]}/{caller_name}")
    for arguments in (
        {"RoleArn": target, "ExternalId": "hub-2"},
        {"RoleArn": target},
        {"RoleArn": unlisted, "ExternalId": "hub-1"},
    ):
        assert refusal(partial(assume, **arguments)) == "AccessDenied"


def test_a_trust_policy_that_names_a_role_is_enough(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    sts = as_role(cloud, [], "sts")
    own = sts.get_caller_identity()["Arn"].split("/")[1]
    named = {"Principal": {"AWS": f"arn:aws:iam::{cloud.account}:role/{own}"}}
    condition = {"Condition": {"StringEquals": {"sts:ExternalId": "hub-1"}}}
    assume = partial(sts.assume_role, RoleSessionName="session")
    target = role(cloud, [], trust=named | condition)
    assert refusal(partial(assume, RoleArn=target, ExternalId="hub-1")) == ""
    assert refusal(partial(assume, RoleArn=target, ExternalId="hub-2")) == "AccessDenied"
    whole_account = {"Principal": {"AWS": f"arn:aws:iam::{cloud.account}:root"}}
    assert refusal(partial(assume, RoleArn=role(cloud, [], trust=whole_account))) == "AccessDenied"


@pytest.mark.ours_only
def test_a_trust_policy_binds_whoever_may_assume_everything(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    sts = as_role(
        cloud,
        [
            {
                "Action": "sts:AssumeRole",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:ResourceTag/hub": "yes"}},
            }
        ],
        "sts",
    )
    own = sts.get_caller_identity()["Arn"].split("/")[1]
    trusting = {"Principal": {"AWS": f"arn:aws:iam::{cloud.account}:role/{own}"}}
    somebody = role(cloud, [])
    foreign = {"Principal": {"AWS": somebody}}
    for trust, tags, allowed in (
        (trusting, _MINE, True),
        (foreign, _MINE, False),
        ({"Principal": {"Service": "lambda.amazonaws.com"}}, _MINE, False),
    ):
        arn = role(cloud, [], trust=trust, tags=tags)
        code = refusal(partial(sts.assume_role, RoleArn=arn, RoleSessionName="session"))
        assert code == ("" if allowed else "AccessDenied")
