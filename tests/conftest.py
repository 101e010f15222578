"""What integration and browser tests share: the suite, deployed once a session."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

import hypothesis
import pytest

from local.deploy import build, deploy
from local.engine_process import EngineProcess
from local.suite import Suite
from ops.applications import Application, contents, owner
from ops.publish import publish
from ops.settings import overrides
from ops.stacks import MissingOutputError

# `sam build` hashes the folders of functions: bytecode in them would have everything built again.
sys.dont_write_bytecode = True

# How long the authentication's refusals take here; 750 ms, the default, would be minutes in all.
FAILURE_FLOOR_MS = 200

# How long an example takes is not a property: the machine may be busy.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With ``CI=true`` whatever a test needs must be there: a skip is a failure."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        report.outcome = "failed"
    return report


def _skip_if_off(application: Application) -> None:
    """Skip a test of an application that is switched off in [local] of samconfig.toml."""
    if overrides("local").get(application.switch) == "false":
        pytest.skip(f"{application.switch} is off in samconfig.toml")


@contextmanager
def _skipped_where_switched_off() -> Iterator[None]:
    """Skip a test that asks for an output of an application that is switched off."""
    try:
        yield
    except MissingOutputError as missing:
        with suppress(LookupError):  # an output of no application
            _skip_if_off(owner(missing.output))
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """An application that is switched off skips the tests in its folders, and those that need its outputs."""
    if "suite" in getattr(item, "fixturenames", ()):
        for application in contents():
            if application.folder in item.path.parts:
                _skip_if_off(application)
    with _skipped_where_switched_off():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """As of the set-up."""
    with _skipped_where_switched_off():
        return (yield)


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """The suite on an engine of the tests' own, with IAM enforcement on and AWS's waiting times shortened."""
    directory = tmp_path_factory.mktemp("suite")
    build(directory / "build.log")
    engine = EngineProcess.start(directory, iam=True, settings={"ENGINE_TIME_SCALE": "0.02"})
    try:
        outputs = deploy(engine, directory / "deploy.log", AuthFailureFloorMs=str(FAILURE_FLOOR_MS))
        publish(outputs, engine.client)
        yield Suite(engine, outputs)
    finally:
        engine.stop()


@pytest.fixture
def faults(suite: Suite) -> Iterator[Faults]:
    """Inject faults into the engine's services; they end with the test."""
    injector = Faults(suite)
    yield injector
    injector.clear()


class Faults:
    """The engine's ``/_engine/faults``."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._url = f"{suite.engine.endpoint}/_engine/faults"

    def inject(self, *rules: dict[str, object]) -> None:
        """Replace the rules in force (see ``local/engine/faults.py`` for their form)."""
        self._suite.http.post(self._url, json=list(rules)).raise_for_status()

    def hits(self) -> list[int]:
        """Return how often each rule in force applied."""
        return [rule["hits"] for rule in self._suite.http.get(self._url).json()]

    def clear(self) -> None:
        """Remove every rule."""
        self._suite.http.delete(self._url).raise_for_status()
