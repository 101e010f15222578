"""The template for tests: as it is written, and transformed for a target."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from ops import template
from ops.template import source

__all__ = ["AnyTag", "references", "source", "transformed"]


class AnyTag(yaml.SafeLoader):
    """Loads YAML with CloudFormation's short tags left as their bare values."""


def _bare(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    return loader.construct_mapping(node)  # type: ignore[arg-type]  # there is no fourth kind


AnyTag.add_multi_constructor("!", _bare)


@cache
def transformed(target: str = "aws") -> dict[str, Any]:
    """Return the template after the SAM transform, for a target; intrinsics are not evaluated."""
    return template.transformed({"Target": target})


def references(node: Any, names: set[str]) -> set[str]:
    """Return which of ``names`` a part of the template refers to by Ref, GetAtt, Sub or DependsOn."""
    found: set[str] = set()
    if isinstance(node, list):
        for item in node:
            found |= references(item, names)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref" and value in names:
                found.add(value)
            elif key == "Fn::GetAtt":
                found |= {(value.split(".") if isinstance(value, str) else value)[0]} & names
            elif key == "Fn::Sub":
                text = value if isinstance(value, str) else value[0]
                found |= {name for name in names if f"${{{name}}}" in text or f"${{{name}." in text}
                found |= references(value[1:] if isinstance(value, list) else [], names)
            elif key == "DependsOn":
                found |= set([value] if isinstance(value, str) else value) & names
            else:
                found |= references(value, names)
    return found
