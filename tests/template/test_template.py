"""What is written in template.yaml and beside it, where rules over resolved resources do not look."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator

import pytest
import yaml

from ops.paths import ROOT
from ops.template import PATH, deployed
from tests.support.applications import recorded_events
from tests.support.template import AnyTag, source
from tests.template.rules import RULES
from tests.template.switches import EVERYTHING, OFF

FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in source()["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}
LINES = PATH.read_text().splitlines()


@pytest.mark.parametrize("given", [{}, OFF, EVERYTHING], ids=["defaults", "nothing", "everything"])
@pytest.mark.parametrize("rule", ["references_lead_somewhere", "resources_form_no_cycle"])
def test_local_target_can_be_created_too(rule: str, given: dict[str, str]) -> None:
    stack = deployed(given | {"Target": "local"})
    assert [verdict for verdict in RULES[rule](stack) if verdict.problem] == []


def _scalars(
    node: yaml.Node, key: yaml.ScalarNode | None = None
) -> Iterator[tuple[yaml.ScalarNode, yaml.ScalarNode]]:
    """Every scalar, however deep in lists, with the nearest key of a mapping above it."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _scalars(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item, key)
    elif isinstance(node, yaml.ScalarNode) and key is not None:
        yield key, node


def unexplained_wildcards(text: str) -> list[str]:
    """Wildcards in policies without a comment beside them, on the line above, or at the key of their list."""
    lines = text.splitlines()
    root = yaml.compose(text, Loader=AnyTag)
    assert root is not None
    found = []
    for key, scalar in _scalars(root):
        if key.value not in (
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Principal",
            "AWS",
            "SourceArn",
        ):
            continue
        at = scalar.start_mark.line
        places = (at, at - 1, key.start_mark.line, key.start_mark.line - 1)
        if "*" in scalar.value and not any("#" in lines[place] for place in places):
            found.append(f"{at + 1}: {scalar.value}")
    return found


def test_every_wildcard_in_a_policy_is_explained() -> None:
    assert unexplained_wildcards("\n".join(LINES)) == []


def test_a_wildcard_in_a_list_is_seen() -> None:
    policy = "Statement:\n  - Action:\n      - s3:GetObject\n      - s3:Put*\n    Resource: [a, '*']\n"
    assert [each.split(": ")[1] for each in unexplained_wildcards(policy)] == ["s3:Put*", "*"]
    assert (
        unexplained_wildcards(policy.replace("s3:Put*", "s3:Put* # all").replace("'*']", "'*'] # none")) == []
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_has_a_recorded_event_for_sam_local_invoke(name: str) -> None:
    recorded = recorded_events(source()["Resources"][name])
    assert recorded, f"{name} has no events/<app>/<module>_<case>.json"
    for path in recorded:
        assert isinstance(json.loads(path.read_text()), dict)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_handler_can_be_imported(name: str) -> None:
    module, _, attribute = FUNCTIONS[name]["Handler"].rpartition(".")
    assert callable(getattr(importlib.import_module(module), attribute))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_says_what_it_does(name: str) -> None:
    assert FUNCTIONS[name]["Description"]


def test_every_application_has_a_switch_and_every_switch_is_used() -> None:
    template = source()
    switches = {name for name in template["Parameters"] if name.startswith("Enable")}
    used = {
        condition["Fn::Equals"][0]["Ref"]
        for condition in template["Conditions"].values()
        if isinstance(condition.get("Fn::Equals"), list) and isinstance(condition["Fn::Equals"][0], dict)
    }
    assert switches <= used


def test_nothing_switched_on_leaves_only_the_shared_part() -> None:
    shared = ("Shared", "Web", "UserPool", "Operations")
    assert [name for name in deployed(OFF).resources if not name.startswith(shared)] == []


def test_openapi_documents_have_no_anchors_which_include_does_not_know() -> None:
    documents = sorted((ROOT / "functions").glob("*/openapi.yaml"))
    assert documents
    for path in documents:
        tokens = list(yaml.scan(path.read_text(), Loader=AnyTag))
        assert not [token for token in tokens if isinstance(token, yaml.AnchorToken | yaml.AliasToken)], path
