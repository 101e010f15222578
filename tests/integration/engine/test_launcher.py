from __future__ import annotations

import socket
from pathlib import Path

import pytest

from local.process import EngineError, EngineProcess
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
