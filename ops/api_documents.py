"""The OpenAPI documents of the deployed APIs, as the API portal's catalogue shows them.

Each is an application's `openapi.yaml` without what only API Gateway reads (`x-amazon-...`: integrations,
authorizers, gateway responses), and with the deployment's own address. The insights' API is left out: it is
the operators'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from ops.paths import ROOT

__all__ = ["APIS", "api_documents"]

APIS = {
    "images": ("image_resizer", "ImagesApiUrl"),
    "rides": ("rides", "RidesApiUrl"),
    "auth": ("auth", "AuthApiUrl"),
    "event_hub": ("event_hub", "HubApiUrl"),
    "api_portal": ("api_portal", "PortalApiUrl"),
}
"""By name: the folder in `functions/`, and the output with the API's address."""


def api_documents(outputs: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the document of each deployed API by name, in the catalogue's order.

    Args:
        outputs: The stack's outputs.
    """
    return {
        name: _document(folder, outputs[output])
        for name, (folder, output) in APIS.items()
        if output in outputs
    }


def _document(folder: str, url: str) -> dict[str, Any]:
    written = yaml.safe_load((ROOT / "functions" / folder / "openapi.yaml").read_text())
    document: dict[str, Any] = _public(written)
    return document | {"servers": [{"url": url}]}


def _public(node: Any) -> Any:
    """A part of a document without API Gateway's extensions."""
    if isinstance(node, list):
        return [_public(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _public(value) for key, value in node.items() if not str(key).startswith("x-amazon-")}
