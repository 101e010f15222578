"""What the role may do, with the engine's IAM enforcement on."""

from __future__ import annotations

import json

from local.suite import Suite
from tests.integration.container_metrics.conftest import Containers
from tests.support.permissions import forget_decisions, refused, unused

FUNCTION = "ContainerMetricsFunction"


def test_allowed_actions_are_those_that_the_flows_use(suite: Suite, containers: Containers) -> None:
    """Sufficiency: sampling passes with enforcement on. Necessity: no allowed action goes unused."""
    forget_decisions(suite)
    queue = containers.name("queue")
    suite.client("sqs").create_queue(QueueName=queue)
    sources = [
        {"source": "ecs", "targets": [suite["ContainerMetricsClusterNames"]]},
        {"source": "sqs", "targets": [queue]},
    ]
    assert containers.invoke({"sources": sources})["missing"] == []
    assert refused(suite, FUNCTION) == []
    assert unused(suite, FUNCTION) == set(), "allowed, but no flow used it"


def test_a_cluster_that_is_not_named_is_refused_beside_one_that_is(
    suite: Suite, containers: Containers
) -> None:
    named = suite["ContainerMetricsClusterNames"]
    answer = containers.invoke({"sources": [{"source": "ecs", "targets": [named, "other"]}]})
    assert {each["reason"] for each in answer["missing"]} == {"AccessDeniedException"}
    assert any(each["resource"].endswith(":cluster/other") for each in refused(suite, FUNCTION))


def test_another_namespace_is_refused(suite: Suite, containers: Containers) -> None:
    """The namespace is all that bounds PutMetricData."""
    iam = suite.client("iam")
    [policy] = [
        name
        for name in iam.list_role_policies(RoleName=containers.role)["PolicyNames"]
        if name != containers.prefix
    ]
    document = iam.get_role_policy(RoleName=containers.role, PolicyName=policy)["PolicyDocument"]
    narrowed = json.loads(json.dumps(document))
    [statement] = [each for each in narrowed["Statement"] if each["Sid"] == "PublishSamples"]
    statement["Condition"]["StringEquals"]["cloudwatch:namespace"] = ["Other"]
    iam.put_role_policy(RoleName=containers.role, PolicyName=policy, PolicyDocument=json.dumps(narrowed))
    try:
        sources = [{"source": "ecs", "targets": [suite["ContainerMetricsClusterNames"]]}]
        answer = containers.invoke({"sources": sources})
    finally:
        iam.put_role_policy(RoleName=containers.role, PolicyName=policy, PolicyDocument=json.dumps(document))
    assert answer["errorType"] == "BadRequestError"
    assert "AccessDenied" in answer["errorMessage"]
