"""Functions answer, count and report through the shared layer, and in no way of their own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.paths import ROOT

MODULES = sorted((ROOT / "functions").rglob("*.py"))
# What a module must not have: a text, or an imported name; and where it stands instead.
TEXTS = {
    "batchItemFailures": "shared.batches answers for batches",
    "itemIdentifier": "shared.batches answers for batches",
    "Records": "shared.events.records_of reads an event's records, and refuses foreign ones",
}
NAMES = {
    "Metrics": "shared.metrics counts",
    "BatchProcessor": "shared.batches has the loop",
    "APIGatewayRestResolver": "shared.http has the boundary",
}
# Notifications of S3 and SNS in a queue have Records of their own; auth has a class of that name.
ALLOWED = {
    ("auth/importer.py", "Records"),
    ("auth/services.py", "Records"),
    ("access_logs/notifications.py", "Records"),
    ("event_hub/envelopes.py", "Records"),
    ("publishers/__init__.py", "Records"),
}


def second_ways(place: str, source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and node.value in TEXTS and (place, node.value) not in ALLOWED:
            yield f"{place}:{node.lineno} knows {node.value!r}: {TEXTS[node.value]}."
        if isinstance(node, ast.ImportFrom):
            for name in node.names:
                if name.name in NAMES:
                    yield f"{place}:{node.lineno} imports {name.name}: {NAMES[name.name]}."


@pytest.mark.parametrize("path", MODULES, ids=lambda path: "/".join(path.parts[-2:]))
def test_function_has_no_second_way(path: Path) -> None:
    found = [*second_ways("/".join(path.parts[-2:]), path.read_text())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        'return {"batchItemFailures": []}'.replace("return ", "x = "),
        'for record in event["Records"]: pass',
        "from aws_lambda_powertools.metrics import Metrics",
        "from aws_lambda_powertools import Metrics as M",
    ],
)
def test_second_way_is_seen(source: str) -> None:
    assert [*second_ways("rides/ride.py", source)]
