"""The documents of the catalogue: valid, complete, of what is deployed, and without API Gateway's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
import yaml

from ops.api_documents import APIS, api_documents
from ops.paths import ROOT
from ops.template import source

OUTPUTS = {output: f"https://{name}.example.org/live" for name, (_, output) in APIS.items()}
OPERATORS = {"insights"}
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
"""Of a path: https://spec.openapis.org/oas/v3.0.3#path-item-object."""


def document_of(name: str) -> dict[str, Any]:
    output = APIS[name][1]
    return api_documents({output: OUTPUTS[output]})[name]


def written(folder: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / f"functions/{folder}/openapi.yaml").read_text())
    return document


def operations(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(path, method) for path, item in document["paths"].items() for method in item.keys() & METHODS}


def keys_of(node: Any) -> set[str]:
    """All keys of all objects."""
    if isinstance(node, list):
        return set().union(*map(keys_of, node))
    if not isinstance(node, dict):
        return set()
    return set(node) | set().union(*map(keys_of, node.values()))


@pytest.mark.parametrize("name", APIS)
def test_document_is_valid_openapi(name: str) -> None:
    document = document_of(name)
    schemathesis.openapi.from_dict(document).validate()


@pytest.mark.parametrize("name", APIS)
def test_document_has_every_operation_and_nothing_of_the_gateway(name: str) -> None:
    folder, output = APIS[name]
    document = document_of(name)
    assert operations(document) == operations(written(folder))
    assert not {key for key in keys_of(document) if key == "Ref" or key.startswith(("x-amazon-", "Fn::"))}
    assert "arn:" not in json.dumps(document)
    assert document["servers"] == [{"url": OUTPUTS[output]}]


def test_every_api_but_the_operators_has_a_document() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/openapi.yaml")}
    assert {folder for folder, _ in APIS.values()} == folders - OPERATORS
    assert {output for _, output in APIS.values()} <= set(source()["Outputs"])


def test_only_deployed_apis_have_documents() -> None:
    found = api_documents({"RidesApiUrl": "https://rides.example.org/live", "WebUrl": "https://example.org"})
    assert list(found) == ["rides"]
