"""Put the sources of the checkout in the place of the code that is deployed to the engine, without a build.

A function is its folder, which `sam build` copies as it is, and its layers. Of those `layers/shared` is ours:
a new version is what was built with our library from the sources; the layers of dependencies stay.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from local.deploy import STACK, built
from local.engine_process import REGION, EngineProcess
from local.functions import Function, functions_of
from local.suite import Suite
from ops.paths import ROOT
from ops.stacks import CommandError

__all__ = ["SHARED", "put", "put_again", "syntax_error"]

SHARED = "layers/shared"
_BUILT = ROOT / ".aws-sam/local/SharedLayer"
_RECORD = "live.json"  # in the engine's folder: what was put there since the engine started


def syntax_error(paths: Iterable[Path]) -> str:
    """Return what is wrong with Python sources, one line; empty if they compile."""
    for path in paths:
        with suppress(FileNotFoundError):  # deleted
            try:
                compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
            except (SyntaxError, ValueError) as error:
                line = getattr(error, "lineno", None) or 1
                reason = getattr(error, "msg", None) or str(error)
                return f"{path.relative_to(ROOT)}:{line}: {reason}"
    return ""


def put(
    engine: EngineProcess, functions: list[Function], folder: str, region: str = REGION
) -> list[Function]:
    """Let the functions of a folder run what is in it now; return them.

    Args:
        engine: Where.
        functions: All functions of the suite.
        folder: `functions/<app>` or `layers/shared`.
        region: Of the functions.

    Raises:
        CommandError: The layer was not built yet.
    """
    lambda_ = engine.client("lambda", region)
    if folder == SHARED:
        changed = _put_shared(lambda_, functions)
    else:
        archive = _archive(ROOT / folder)
        changed = [each for each in functions if each.code.strip("/") == folder]
        for function in changed:
            lambda_.update_function_code(FunctionName=function.name, ZipFile=archive)
    _record(engine, folder)
    return changed


def put_again(suite: Suite) -> None:
    """Repeat what was put on this engine: a deployment does not know of it, and may leave it as it was."""
    folders = _recorded(suite.engine)
    functions = functions_of(suite) if folders else []
    for folder in folders:
        put(suite.engine, functions, folder, suite.region)


def _put_shared(lambda_: Any, functions: list[Function]) -> list[Function]:
    with built():
        if not (_BUILT / "python").is_dir():
            raise CommandError(f"{_BUILT.relative_to(ROOT)} is missing: `make up` builds it")
        archive = _shared_archive()
    name = f"{STACK}-shared"
    layer = lambda_.publish_layer_version(LayerName=name, Content={"ZipFile": archive})
    pages = lambda_.get_paginator("list_functions").paginate()
    layers = {each["FunctionName"]: each.get("Layers", []) for page in pages for each in page["Functions"]}
    changed = []
    for function in functions:
        arns = [each["Arn"] for each in layers[function.name]]
        renewed = [layer["LayerVersionArn"] if f":layer:{name}:" in arn else arn for arn in arns]
        if renewed != arns:
            lambda_.update_function_configuration(FunctionName=function.name, Layers=renewed)
            changed.append(function)
    return changed


def _shared_archive() -> bytes:
    ours = "python/shared/"
    kept = (path for path in _files(_BUILT) if not path.relative_to(_BUILT).as_posix().startswith(ours))
    found = {path.relative_to(_BUILT).as_posix(): path for path in kept}
    source = ROOT / SHARED / "shared"
    found |= {f"{ours}{path.relative_to(source).as_posix()}": path for path in _sources(source)}
    return _zipped(found)


def _archive(folder: Path) -> bytes:
    return _zipped({path.relative_to(folder).as_posix(): path for path in _sources(folder)})


def _zipped(files: dict[str, Path]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:  # not compressed: it goes to this machine
        for name, path in files.items():
            with suppress(FileNotFoundError):  # an editor's temporary file
                archive.write(path, name)
    return held.getvalue()


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _sources(folder: Path) -> Iterator[Path]:
    return (path for path in _files(folder) if "__pycache__" not in path.parts)


def _recorded(engine: EngineProcess) -> list[str]:
    try:
        record = json.loads((engine.directory / _RECORD).read_text())
        return list(record["folders"]) if record["engine"] == engine.id else []
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _record(engine: EngineProcess, folder: str) -> None:
    folders = sorted({*_recorded(engine), folder})
    (engine.directory / _RECORD).write_text(json.dumps({"engine": engine.id, "folders": folders}))
