"""CodeBuild: one build for a token."""

from __future__ import annotations

from functools import partial

from tests.integration.engine.answers import refusal
from tests.support.cloud import Cloud


def _project(cloud: Cloud) -> str:
    name = cloud.name("project")
    cloud.client("codebuild").create_project(
        name=name,
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2"}, artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=f"arn:aws:iam::{cloud.account}:role/any",
    )  # fmt: skip
    return name


def test_a_token_starts_one_build(cloud: Cloud) -> None:
    codebuild, name = cloud.client("codebuild"), _project(cloud)
    start = partial(codebuild.start_build, projectName=name)
    token = cloud.name("token")
    first = start(idempotencyToken=token)["build"]["id"]
    assert start(idempotencyToken=token)["build"]["id"] == first
    assert codebuild.list_builds_for_project(projectName=name)["ids"] == [first]
    assert start(idempotencyToken=cloud.name("token"))["build"]["id"] != first
    assert start()["build"]["id"] != start()["build"]["id"]


def test_a_token_with_other_parameters_is_refused(cloud: Cloud) -> None:
    """API_StartBuild: "change a parameter, CodeBuild returns a parameter mismatch error"."""
    codebuild, name, token = cloud.client("codebuild"), _project(cloud), cloud.name("token")
    start = partial(codebuild.start_build, projectName=name, idempotencyToken=token)
    start(sourceVersion="a")
    assert refusal(start, sourceVersion="b").startswith("InvalidInputException")
    assert len(codebuild.list_builds_for_project(projectName=name)["ids"]) == 1


def test_a_build_has_the_variables_that_it_is_given(cloud: Cloud) -> None:
    codebuild, name = cloud.client("codebuild"), _project(cloud)
    given = {"name": "ENVIRONMENT_NAME", "value": "shop", "type": "PLAINTEXT"}
    start = partial(codebuild.start_build, projectName=name, environmentVariablesOverride=[given])
    build = start(idempotencyToken=cloud.name("token"))["build"]
    assert build["environment"].get("environmentVariables") == [given]
    found = codebuild.batch_get_builds(ids=[build["id"], start()["build"]["id"]])["builds"]
    assert [each["environment"]["environmentVariables"] for each in found] == [[given], [given]]
