"""Shapes that resources share by YAML's merge keys: taken over whole, and written out for CloudFormation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import samcli.yamlhelper
import yaml

from ops.template import PATH, included, source
from tests.support.template import AnyTag, references

MERGE = "tag:yaml.org,2002:merge"


def _mappings(node: yaml.Node) -> Iterator[yaml.MappingNode]:
    """Every mapping as it is written; those behind an alias once more for each."""
    if isinstance(node, yaml.MappingNode):
        yield node
        for _, value in node.value:
            yield from _mappings(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _mappings(item)


def _keys(node: yaml.MappingNode) -> list[str]:
    """The keys of a mapping, and of what it takes over."""
    found: list[str] = []
    for key, value in node.value:
        found += _keys(value) if key.tag == MERGE else [key.value]
    return found


def replaced(text: str) -> list[str]:
    """Keys of shapes that stand beside their `<<` too, and replace what is taken over."""
    root = yaml.compose(text, Loader=AnyTag)
    assert root is not None
    return [
        f"{node.start_mark.line + 1}: {key} stands beside `<<`, and its shape has it too"
        for node in _mappings(root)
        for key, count in Counter(_keys(node)).items()
        if count > 1
    ]


def _containers(node: Any) -> Iterator[Any]:
    if isinstance(node, dict | list):
        yield node
        for item in node.values() if isinstance(node, dict) else node:
            yield from _containers(item)


def test_no_resource_replaces_what_it_takes_over() -> None:
    assert replaced(PATH.read_text()) == []


@pytest.mark.parametrize("merge", ["<<: *a", "<<: *b"])
def test_a_replaced_key_is_seen(merge: str) -> None:
    shapes = "A: &a {Period: 60}\nB: &b {<<: *a, Statistic: Sum}\n"
    assert replaced(f"{shapes}C: {{{merge}, Threshold: 0}}\n") == []
    assert replaced(f"{shapes}C: {{{merge}, Period: 300}}\n") == [
        "3: Period stands beside `<<`, and its shape has it too"
    ]


def test_every_shape_is_used() -> None:
    tokens = list(yaml.scan(PATH.read_text(), Loader=AnyTag))
    anchors = {token.value for token in tokens if isinstance(token, yaml.AnchorToken)}
    aliases = {token.value for token in tokens if isinstance(token, yaml.AliasToken)}
    assert anchors == aliases


def test_shapes_refer_to_what_is_always_there() -> None:
    resources = source()["Resources"]
    found = references(source()["Metadata"]["Shapes"], set(resources))
    assert found == {"OperationsTopic"}
    assert not [name for name in found if "Condition" in resources[name]]


def test_resources_share_no_value_that_a_mutation_would_change_in_all_of_them() -> None:
    containers = list(_containers(included()["Resources"]))
    assert len({id(each) for each in containers}) == len(containers)


def test_sam_cli_writes_shapes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `sam build` reads and writes; tests/integration/suite/test_sam.py looks at what it has built."""
    for loader in (yaml.SafeLoader, yaml.constructor.SafeConstructor):  # the SAM CLI changes both for good
        monkeypatch.setattr(loader, "yaml_constructors", dict(loader.yaml_constructors))
        monkeypatch.setattr(loader, "yaml_multi_constructors", dict(loader.yaml_multi_constructors))
    read = samcli.yamlhelper.yaml_parse(PATH.read_text())
    written = samcli.yamlhelper.yaml_dump(read)
    assert not [
        token for token in yaml.scan(written) if isinstance(token, yaml.AnchorToken | yaml.AliasToken)
    ]
    assert samcli.yamlhelper.yaml_parse(written)["Resources"] == source()["Resources"]
