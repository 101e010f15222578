"""What `sam validate --lint` does not see."""

from __future__ import annotations

import graphlib
import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.process import ROOT
from tests.support.template import AnyTag, references, source, transformed

FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in source()["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}
LINES = (ROOT / "template.yaml").read_text().splitlines()


@pytest.mark.parametrize("target", ["aws", "local"])
def test_resources_form_no_cycle(target: str) -> None:
    resources = transformed(target)["Resources"]
    names = set(resources)
    graph = {name: references(resource, names) - {name} for name, resource in resources.items()}
    assert list(graphlib.TopologicalSorter(graph).static_order())


def test_a_cycle_through_the_bucket_policy_would_be_found() -> None:
    resources = json.loads(json.dumps(transformed("aws")["Resources"]))
    resources["ResizeFunction"]["Properties"]["Environment"]["Variables"]["BUCKET"] = {"Ref": "ImagesBucket"}
    names = set(resources)
    graph = {name: references(resource, names) - {name} for name, resource in resources.items()}
    with pytest.raises(graphlib.CycleError, match="ImagesBucket"):
        list(graphlib.TopologicalSorter(graph).static_order())


def test_template_leaves_room_below_the_limit_of_500_resources() -> None:
    assert len(transformed("aws")["Resources"]) <= 450


def test_every_wildcard_in_a_policy_is_explained() -> None:
    unexplained = [
        f"{number}: {line.strip()}"
        for number, line in enumerate(LINES, 1)
        if re.search(r"\b(Resource|Action|Principal|SourceArn)\b.*\*", line.split(" #")[0])
        and " #" not in line
    ]
    assert unexplained == []


def test_no_policy_allows_a_whole_service() -> None:
    actions = re.findall(
        r"[a-z0-9-]+:\*", "\n".join(line.split(" #")[0] for line in LINES if "Action" in line)
    )
    assert actions == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_has_a_recorded_event_for_sam_local_invoke(name: str) -> None:
    application = Path(FUNCTIONS[name]["CodeUri"]).name
    module = FUNCTIONS[name]["Handler"].split(".")[1]
    recorded = sorted((ROOT / "events" / application).glob(f"{module}*.json"))
    assert recorded, f"events/{application}/{module}*.json"
    for path in recorded:
        assert isinstance(json.loads(path.read_text()), dict)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_handler_can_be_imported(name: str) -> None:
    module, _, attribute = FUNCTIONS[name]["Handler"].rpartition(".")
    assert callable(getattr(importlib.import_module(module), attribute))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_says_what_it_does_and_where_it_logs(name: str) -> None:
    assert FUNCTIONS[name]["Description"]
    assert "LogGroup" in FUNCTIONS[name]["LoggingConfig"], "its logs would never expire"


def test_every_application_has_a_switch_and_every_switch_is_used() -> None:
    template = source()
    switches = {name for name in template["Parameters"] if name.startswith("Enable")}
    used = {
        condition["Fn::Equals"][0]["Ref"]
        for condition in template["Conditions"].values()
        if isinstance(condition.get("Fn::Equals"), list) and isinstance(condition["Fn::Equals"][0], dict)
    }
    assert switches <= used


def test_a_switched_off_application_leaves_nothing_but_the_shared_part() -> None:
    shared = ("Shared", "Web", "UserPool", "Operations")
    unconditional = [
        name
        for name, resource in transformed("aws")["Resources"].items()
        if "Condition" not in resource and not name.startswith(shared)
    ]
    assert unconditional == []


def test_stateful_resources_say_what_happens_to_their_data() -> None:
    stateful = {
        "AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::Cognito::UserPool", "AWS::SecretsManager::Secret",
        "AWS::KMS::Key", "AWS::Logs::LogGroup",
    }  # fmt: skip
    silent = [
        name
        for name, resource in source()["Resources"].items()
        if resource["Type"] in stateful and not {"DeletionPolicy", "UpdateReplacePolicy"} <= set(resource)
    ]
    assert silent == []


def test_every_asynchronous_edge_has_a_failure_destination() -> None:
    open_ended: list[str] = []
    for name, properties in FUNCTIONS.items():
        for event, spec in properties.get("Events", {}).items():
            kind, settings = spec["Type"], spec["Properties"]
            if kind in ("EventBridgeRule", "Schedule", "ScheduleV2") and "DeadLetterConfig" not in settings:
                open_ended.append(f"{name}.{event}: undelivered events")
            if kind in ("EventBridgeRule", "Schedule", "ScheduleV2", "SNS", "S3") and not _on_failure(
                properties
            ):
                open_ended.append(f"{name}: failed invocations")
            if kind in ("Kinesis", "DynamoDB") and "OnFailure" not in settings.get("DestinationConfig", {}):
                open_ended.append(f"{name}.{event}: given-up batches")
    assert open_ended == []


def _on_failure(properties: dict[str, Any]) -> bool:
    destinations = properties.get("EventInvokeConfig", {}).get("DestinationConfig", {})
    return "OnFailure" in destinations or "DeadLetterQueue" in properties


def test_every_dead_letter_queue_has_an_alarm() -> None:
    resources = source()["Resources"]
    queues = {
        name for name, item in resources.items() if item["Type"] == "AWS::SQS::Queue" and "DeadLetter" in name
    }
    watched = {
        queue
        for item in resources.values()
        if item["Type"] == "AWS::CloudWatch::Alarm"
        for queue in references(item["Properties"], queues)
    }
    assert watched == queues


def test_state_machine_definitions_parse() -> None:
    for path in (ROOT / "statemachines").glob("*.asl.json"):
        definition = json.loads(path.read_text())
        assert definition["StartAt"] in definition["States"], path.name


def test_openapi_documents_have_no_anchors_which_include_does_not_know() -> None:
    documents = sorted((ROOT / "functions").glob("*/openapi.yaml"))
    assert documents
    for path in documents:
        tokens = list(yaml.scan(path.read_text(), Loader=AnyTag))
        assert not [token for token in tokens if isinstance(token, yaml.AnchorToken | yaml.AliasToken)], path
