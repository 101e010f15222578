"""Every test of a restored behaviour runs twice: on our engine, where it must pass, and on the bare emulator,
where it must fail. When a new release closes a gap by itself, the strict expectation says so.

A test marked ``ours_only`` covers a part that the emulator does not have at all (faults, the IAM record) or
that both do right, and runs once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from local.engine_process import EngineProcess
from tests.integration.engine.lake import Lake
from tests.support.cloud import Cloud


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    [fixture] = {"cloud", "cloud_with_iam"} & set(metafunc.fixturenames) or [None]
    if fixture is None:
        return
    engines = [pytest.param("ours")]
    if not metafunc.definition.get_closest_marker("ours_only"):
        gap = pytest.mark.xfail(
            strict=True,
            reason="the bare emulator lacks it",
            raises=(AssertionError, BotoCoreError, ClientError),
        )
        engines.append(pytest.param("bare", marks=gap))
    metafunc.parametrize(fixture, engines, indirect=True, scope="session")


@pytest.fixture(scope="session")
def cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An engine that lets everybody do everything."""
    yield from _engine(request.param, tmp_path_factory.mktemp(request.param), iam=False)


@pytest.fixture(scope="session")
def cloud_with_iam(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    """An engine that enforces IAM policies."""
    yield from _engine(request.param, tmp_path_factory.mktemp(request.param), iam=True)


def _engine(which: str, directory: Path, *, iam: bool) -> Iterator[Cloud]:
    engine = EngineProcess.start(
        directory, bare=which == "bare", iam=iam, settings={"ENGINE_TIME_SCALE": "0.1"}
    )
    yield Cloud(engine)
    engine.stop()


@pytest.fixture
def lake(cloud: Cloud) -> Lake:
    """A bucket and a database of the test's own."""
    return Lake(cloud)
