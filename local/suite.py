"""The deployed suite as the demo and the integration tests see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import requests

from local.clients.browse import session
from local.engine_process import EngineProcess

__all__ = ["Suite"]


@dataclass(eq=False)
class Suite:
    """A running engine with the suite on it.

    Attributes:
        engine: Where it runs.
        outputs: The stack's outputs by name: the suite's public interface.
        http: Session for the websites and APIs.
        full: Whether the demo drives it in its long form.
    """

    engine: EngineProcess
    outputs: dict[str, str]
    http: requests.Session = field(default_factory=session)
    full: bool = False

    def __getitem__(self, output: str) -> str:
        return self.outputs[output]

    @lru_cache  # noqa: B019 - lives as long as the process
    def client(self, service: str) -> Any:
        """Return the boto3 client of ``service`` with an administrator's credentials."""
        return self.engine.client(service)
