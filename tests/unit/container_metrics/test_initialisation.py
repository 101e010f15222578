"""What is done before the first sample, while a new environment is initialised."""

import os
import subprocess
import sys

from ops.paths import ROOT

MADE = """
from container_metrics import sample
from shared.clients import _client
print(_client.cache_info().currsize)
"""


def test_clients_are_made_at_initialisation() -> None:
    """In the handler they would take 0.2 s of a whole processor, some 3 s at 128 MB: past the first slot."""
    paths = os.pathsep.join(str(ROOT / each) for each in ("layers/shared", "functions/container_metrics"))
    done = subprocess.run(
        [sys.executable, "-c", MADE], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": paths, "AWS_DEFAULT_REGION": "eu-west-1"},
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "2"), done.stderr
