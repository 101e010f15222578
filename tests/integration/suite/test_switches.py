"""Sets of switches other than the local one, which is what the fixture `suite` has, deployed for real."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.clients.person import PersonAt
from local.deploy import SamError, build, deploy_stack
from local.engine_process import EngineProcess
from local.suite import Suite
from ops.applications import owner
from ops.paths import ROOT
from ops.publish import publish
from ops.template import Place, deployed
from tests.template.switches import EVERYTHING

SHARED = {"OperationsTopicArn", "SignInUrl", "UserPoolClientId", "UserPoolId", "WebBucketName", "WebUrl"}
OF_VISITORS = {"VisitorsIdentityUrl", "VisitorsSignInUrl", "VisitorsUserPoolClientId", "VisitorsUserPoolId"}
# What README.md says is on by default; Insights is there with the first application that has a panel.
README = (ROOT / "README.md").read_text()
BY_DEFAULT = {*re.findall(r"`(Enable\w+)=true` \(default\)", README), "EnableInsights"}
# "Nothing until clusters are named", says the same table.
OF_CLUSTERS = {
    "ContainerMetricsClusterNames", "ContainerMetricsDashboardName", "ContainerMetricsDeadLetterQueueUrl",
    "ContainerMetricsPendingAlarmName",
}  # fmt: skip
NOTHING = dict.fromkeys(re.findall(r"^  (Enable\w+):$", (ROOT / "template.yaml").read_text(), re.M), "false")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """An engine for several stacks side by side."""
    directory = tmp_path_factory.mktemp("switches")
    build(directory / "build.log")
    engine = EngineProcess.start(directory, iam=True, settings={"ENGINE_TIME_SCALE": "0.02"})
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def nothing(engine: EngineProcess) -> Suite:
    """Every application off."""
    outputs = deploy_stack(engine, engine.directory / "nothing.log", "suite-nothing", NOTHING)
    return Suite(engine, outputs)


@pytest.fixture(scope="module")
def defaults(engine: EngineProcess, nothing: Suite) -> Suite:
    """The template's own defaults, beside another stack of the suite."""
    outputs = deploy_stack(engine, engine.directory / "defaults.log", "suite-defaults", {})
    return Suite(engine, outputs)


def _check_pages(suite: Suite) -> None:
    publish(suite.outputs, suite.engine.client)
    home = suite.http.get(f"{suite['WebUrl']}/")
    assert home.status_code == 200
    assert "<title>" in home.text
    config = suite.http.get(f"{suite['WebUrl']}/config.json").json()
    assert config["WebUrl"] == suite["WebUrl"]


def test_nothing_leaves_the_shared_part(nothing: Suite) -> None:
    assert set(nothing.outputs) == SHARED
    _check_pages(nothing)


def test_defaults_have_the_outputs_of_their_applications(defaults: Suite, suite: Suite) -> None:
    applications = set(suite.outputs) - SHARED - OF_VISITORS
    expected = {name for name in applications if owner(name).switch in BY_DEFAULT}
    assert len(BY_DEFAULT) > 5
    assert set(defaults.outputs) == SHARED | OF_VISITORS | (expected - OF_CLUSTERS)
    assert expected < applications  # not all is on
    _check_pages(defaults)


def test_everything_with_every_option_is_created(engine: EngineProcess, nothing: Suite) -> None:
    """Beside another stack; the resolver says which outputs there are."""
    chosen = EVERYTHING | {"Target": "local"}
    outputs = deploy_stack(engine, engine.directory / "everything.log", "suite-everything", EVERYTHING)
    assert set(outputs) == set(deployed(chosen, Place("suite-everything", "us-east-1")).outputs)
    _check_pages(Suite(engine, outputs))


def test_defaults_resize_a_picture(defaults: Suite) -> None:
    _check_pages(defaults)
    sample = defaults.http.get(f"{defaults['WebUrl']}/config.json").json()["ImageSamples"][0]
    variant = defaults.http.get(f"{defaults['ImagesWebsiteUrl']}/100x100/{sample}")
    assert (variant.status_code, variant.headers["content-type"][:6]) == (200, "image/")
    assert variant.history


def test_defaults_answer_at_their_apis(defaults: Suite) -> None:
    issuer = defaults["AuthApiUrl"]
    assert defaults.http.get(f"{issuer}/.well-known/openid-configuration").json()["issuer"] == issuer
    assert defaults.http.get(f"{defaults['InsightsApiUrl']}/v1/insights/ec2_calls").status_code == 401
    person = PersonAt(defaults, "reader@example.org")
    for panel in ("ec2_calls", "top_viewers"):
        assert person.get(panel).json()["rows"] == []
    for panel in ("live", "containers", "top_posters"):  # of applications that are off, or have no clusters
        assert person.get(panel).json()["code"] == "unknown_panel"


def test_defaults_sample_a_slot(defaults: Suite) -> None:
    event = (ROOT / "events/container_metrics/sample_slot.json").read_bytes()  # of a slot long ago
    answer = defaults.client("lambda").invoke(
        FunctionName=defaults["ContainerMetricsFunctionName"], Payload=event
    )
    assert [row["reason"] for row in json.loads(answer["Payload"].read())["missing"]] == ["LATE"]


def test_a_failed_deployment_says_why(engine: EngineProcess, tmp_path: Path) -> None:
    # IAM takes 10,240 characters of inline policies, CloudFormation 4,096 of a parameter.
    clusters = ",".join(f"cluster{number}" for number in range(300))
    switches = NOTHING | {"EnableContainerMetrics": "true", "ContainerMetricsClusters": clusters}
    with pytest.raises(SamError, match=r"\n\w+Role: Maximum policy size of 10240 bytes exceeded for role "):
        deploy_stack(engine, tmp_path / "log", "suite-large", switches)
