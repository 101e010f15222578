"""The suite on an engine, for benchmarks that measure it whole."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local.deploy import build, deploy
from local.engine_process import EngineProcess
from local.suite import Suite

__all__ = ["deployed_suite"]


@contextmanager
def deployed_suite(settings: Mapping[str, str] | None = None) -> Iterator[Suite]:
    """Build and deploy the suite on an engine of its own, which ends with the context.

    Args:
        settings: Of the engine, such as `ENGINE_TIME_SCALE`.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        log = Path(folder) / "log"
        build(log)
        engine = EngineProcess.start(Path(folder), settings=dict(settings or {}))
        try:
            yield Suite(engine, deploy(engine, log))
        finally:
            engine.stop()
