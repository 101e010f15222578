from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from local import docs
from local.engine_process import EngineError, EngineProcess
from ops.paths import ROOT
from tests.support.cloud import Cloud


def test_a_taken_port_is_refused_with_the_name_of_its_owner(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(EngineError, match=r"port \d+ is taken by process \d+ \(py"):
            EngineProcess.start(tmp_path, port=listener.getsockname()[1])


@pytest.mark.ours_only
def test_engine_listens_on_the_loopback_interface_alone(cloud: Cloud) -> None:
    import psutil

    listening = {
        connection.laddr.ip
        for connection in psutil.Process(cloud.engine.pid).net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_documentation_lists_every_restored_behaviour() -> None:
    page = docs.PAGE.read_text()
    assert page == docs.with_table(page), "`make docs` renews it"


def test_a_changed_emulator_is_refused_with_the_places_to_look_at(tmp_path: Path) -> None:
    changed = tmp_path / "ministack"
    installed = next((ROOT / ".venv/engine/lib").glob("python*/site-packages/ministack"))
    shutil.copytree(installed, changed)
    kms = changed / "services/kms.py"
    kms.write_text(kms.read_text().replace("def _decrypt(", "def _decrypt(\n    ", 1))
    started = subprocess.run(
        [ROOT / ".venv/engine/bin/python", "-m", "local.engine", "--list"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )
    assert started.returncode == 78
    assert "kms._decrypt: expected source" in started.stderr
