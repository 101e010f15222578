"""Whose wheels a layer gets: one switch, `WHEELS`."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest

from ops.paths import ROOT


def libraries(folder: Path, wheels: str) -> set[str]:
    """Build the imaging layer and return the platforms that its compiled modules name."""
    subprocess.run(
        ["make", "build-ImagingLayer", f"WHEELS={wheels}", f"ARTIFACTS_DIR={folder}"],
        cwd=ROOT / "layers/dependencies",
        check=True,
        capture_output=True,
    )
    return {path.name.split(".")[1] for path in (folder / "python/PIL").glob("_imaging.*.so")}


@pytest.mark.parametrize(("wheels", "machine"), [("arm64", "aarch64"), ("x86_64", "x86_64")])
def test_layer_for_aws_has_wheels_of_lambdas_platform(tmp_path: Path, wheels: str, machine: str) -> None:
    assert libraries(tmp_path, wheels) == {f"cpython-313-{machine}-linux-gnu"}


def test_layer_for_the_engine_has_wheels_of_this_host(tmp_path: Path) -> None:
    kind = "darwin" if platform.system() == "Darwin" else f"cpython-313-{platform.machine()}-linux-gnu"
    [found] = libraries(tmp_path, "host")
    assert kind in found


def test_layer_carries_bytecode_and_neither_boto3_nor_tests(tmp_path: Path) -> None:
    libraries(tmp_path, "x86_64")
    names = {path.name for path in (tmp_path / "python").rglob("*")}
    assert "Image.cpython-313.pyc" in names
    assert not {"boto3", "botocore", "tests"} & names
