"""ECS without containers: pending tasks, inactive clusters, limits, and permission by cluster."""

from __future__ import annotations

from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from tests.integration.engine.patience import awaited
from tests.integration.engine.roles import as_role, refusal
from tests.support.cloud import Cloud

APP = {"name": "app", "image": "app", "memory": 64}


def _counts(cloud: Cloud, cluster: str) -> tuple[int, int]:
    [found] = cloud.client("ecs").describe_clusters(clusters=[cluster])["clusters"]
    return found["runningTasksCount"], found["pendingTasksCount"]


def _definition(cloud: Cloud, start_period: int) -> str:
    check = {"command": ["CMD", "true"], "startPeriod": start_period}
    waits = APP | {"dependsOn": [{"containerName": "database", "condition": "HEALTHY"}]}
    answer = cloud.client("ecs").register_task_definition(
        family=cloud.name("family"),
        containerDefinitions=[waits, APP | {"name": "database", "healthCheck": check}],
    )
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def test_a_task_is_pending_until_what_it_depends_on_is_healthy(cloud: Cloud) -> None:
    ecs, cluster = cloud.client("ecs"), cloud.name("cluster")
    ecs.create_cluster(clusterName=cluster)
    answer = ecs.run_task(cluster=cluster, taskDefinition=_definition(cloud, 2), count=2)
    assert [task["lastStatus"] for task in answer["tasks"]] == ["PENDING", "PENDING"]
    assert _counts(cloud, cluster) == (0, 2)
    awaited(cloud, lambda: _counts(cloud, cluster) == (2, 0))


def test_a_pending_task_that_is_stopped_never_runs(cloud: Cloud) -> None:
    ecs, cluster = cloud.client("ecs"), cloud.name("cluster")
    ecs.create_cluster(clusterName=cluster)
    definition = _definition(cloud, 1)
    [stopped] = ecs.run_task(cluster=cluster, taskDefinition=definition)["tasks"]
    ecs.stop_task(cluster=cluster, task=stopped["taskArn"])
    [other] = ecs.run_task(cluster=cluster, taskDefinition=definition)["tasks"]
    assert other["lastStatus"] == "PENDING"
    awaited(cloud, lambda: _counts(cloud, cluster) == (1, 0))


def test_a_client_token_runs_its_task_once_in_a_cluster(cloud: Cloud) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html"""
    ecs, one, other = cloud.client("ecs"), cloud.name("cluster"), cloud.name("cluster")
    definition = _definition(cloud, 0)
    for cluster in (one, other):
        ecs.create_cluster(clusterName=cluster)
    run = partial(ecs.run_task, taskDefinition=definition, clientToken="alarm-1", startedBy="hub")
    first = run(cluster=one)["tasks"][0]["taskArn"]
    assert run(cluster=one)["tasks"][0]["taskArn"] == first
    assert ecs.list_tasks(cluster=one)["taskArns"] == [first]
    assert run(cluster=other)["tasks"][0]["taskArn"] != first
    ecs.run_task(cluster=one, taskDefinition=definition, clientToken="alarm-2", startedBy="hub")
    assert len(ecs.list_tasks(cluster=one)["taskArns"]) == 2


def test_a_client_token_with_other_parameters_is_a_conflict(cloud: Cloud) -> None:
    ecs, cluster = cloud.client("ecs"), cloud.name("cluster")
    ecs.create_cluster(clusterName=cluster)
    run = partial(ecs.run_task, cluster=cluster, taskDefinition=_definition(cloud, 0), clientToken="t")
    first = run()["tasks"][0]["taskArn"]
    answer: dict[str, Any] = {}
    try:
        answer = run(count=2)
    except ClientError as error:
        answer = dict(error.response)
    assert answer.get("Error", {}).get("Code") == "ConflictException"
    assert answer["resourceIds"] == [first]
    assert ecs.list_tasks(cluster=cluster)["taskArns"] == [first]


def test_no_cluster_is_made_by_running_a_task(cloud: Cloud) -> None:
    ecs, cluster = cloud.client("ecs"), cloud.name("cluster")
    definition = _definition(cloud, 0)
    run = partial(ecs.run_task, cluster=cluster, taskDefinition=definition)
    assert refusal(run) == "ClusterNotFoundException"
    assert not any(arn.endswith(f"/{cluster}") for arn in ecs.list_clusters()["clusterArns"])


def test_a_cluster_without_room_answers_failures_and_starts_nothing(cloud: Cloud) -> None:
    ecs, cluster = cloud.client("ecs"), cloud.name("cluster")
    tag = {"key": "engine:run-task-failure", "value": "RESOURCE:MEMORY"}
    arn = ecs.create_cluster(clusterName=cluster, tags=[tag])["cluster"]["clusterArn"]
    run = partial(ecs.run_task, cluster=cluster, taskDefinition=_definition(cloud, 0), clientToken="t")
    answer = run()
    assert answer["tasks"] == []
    assert [failure["reason"] for failure in answer["failures"]] == ["RESOURCE:MEMORY"]
    assert ecs.list_tasks(cluster=cluster)["taskArns"] == []
    ecs.untag_resource(resourceArn=arn, tagKeys=["engine:run-task-failure"])
    assert len(run()["tasks"]) == 1  # the token was not used by what failed


def test_a_deleted_cluster_is_inactive_and_can_be_made_again(cloud: Cloud) -> None:
    ecs, cluster = cloud.client("ecs"), cloud.name("cluster")
    ecs.create_cluster(clusterName=cluster)
    ecs.delete_cluster(cluster=cluster)
    answer = ecs.describe_clusters(clusters=[cluster])
    assert [each["status"] for each in answer["clusters"]] == ["INACTIVE"]
    assert not any(arn.endswith(f"/{cluster}") for arn in ecs.list_clusters()["clusterArns"])
    assert refusal(lambda: ecs.delete_cluster(cluster=cluster)) == "ClusterNotFoundException"
    assert ecs.create_cluster(clusterName=cluster)["cluster"]["status"] == "ACTIVE"


def test_more_than_a_hundred_clusters_are_refused(cloud: Cloud) -> None:
    ecs = cloud.client("ecs")
    assert len(ecs.describe_clusters(clusters=[f"c{number}" for number in range(100)])["failures"]) == 100
    names = [f"c{number}" for number in range(101)]
    assert refusal(lambda: ecs.describe_clusters(clusters=names)) == "InvalidParameterException"


def test_a_role_describes_the_clusters_that_it_may_and_no_others(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    statement = {
        "Action": "ecs:DescribeClusters",
        "Resource": ["arn:*:ecs:*:*:cluster/one", "arn:*:ecs:*:*:cluster/two"],
        "Condition": {"StringEquals": {"aws:RequestedRegion": cloud.region}},
    }
    ecs = as_role(cloud, [statement], "ecs")
    assert len(ecs.describe_clusters(clusters=["one", "two"])["failures"]) == 2
    for names in (["three"], ["one", "three"], ["one1"]):
        assert refusal(partial(ecs.describe_clusters, clusters=names)) == "AccessDeniedException"


def test_a_role_publishes_to_its_namespace_and_no_other(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    statement = {
        "Action": "cloudwatch:PutMetricData", "Resource": "*",
        "Condition": {"StringEquals": {"cloudwatch:namespace": ["ECS"]}},
    }  # fmt: skip
    metrics = as_role(cloud, [statement], "cloudwatch")
    datum = {"MetricName": "m", "Value": 1.0}
    metrics.put_metric_data(Namespace="ECS", MetricData=[datum])
    metrics.put_metric_data(Namespace="ECS", MetricData=[datum] * 200)  # compressed by the client
    other = refusal(lambda: metrics.put_metric_data(Namespace="Other", MetricData=[datum]))
    assert other.startswith("AccessDenied")
