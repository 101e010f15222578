"""What Lambda takes of the functions that `sam build` made."""

from __future__ import annotations

from pathlib import Path

from local.deploy import built
from local.suite import Suite
from ops.paths import ROOT
from ops.template import deployed
from tests.template.switches import EVERYTHING

BUILT = ROOT / ".aws-sam/local"
MOST = 250 * 2**20  # "Deployment package, unzipped, including layers": 250 MB, gettingstarted-limits.html


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_functions_with_their_layers_are_within_250_mb(suite: Suite) -> None:
    with built():
        sizes = {folder.name: _bytes(folder) for folder in BUILT.iterdir() if folder.is_dir()}
    stack = deployed(EVERYTHING | {"HubDocumentsImageUri": ""})  # an image may have 10 GB
    layers = {
        layer.arn: next(size for name, size in sizes.items() if layer.name.startswith(name))
        for layer in stack.of("AWS::Lambda::LayerVersion")
    }
    for function in stack.of("AWS::Lambda::Function"):
        whole = sizes[function.name] + sum(layers[arn] for arn in function.properties["Layers"])
        assert 0 < whole < MOST, f"{function.name} has {whole / 2**20:.0f} MB"
