"""What the engine's own process reads from its environment."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

__all__ = ["SETTINGS", "Settings"]


@dataclass(frozen=True)
class Settings:
    """Settings of one engine.

    Attributes:
        time_scale: Multiplies AWS's waiting times: retries, back-off, buffering (``ENGINE_TIME_SCALE``).
        functions_python: Interpreter that Lambda functions run on (``ENGINE_FUNCTIONS_PYTHON``).
        idle_workers_mb: Idle function processes beyond this much resident memory end, the longest idle first
            (``ENGINE_IDLE_WORKERS_MB``).
        opensearch_url: Where Firehose's OpenSearch destinations write, none when empty
            (``ENGINE_OPENSEARCH_URL``).
    """

    time_scale: float = 1.0
    functions_python: str = sys.executable
    idle_workers_mb: int = 900
    opensearch_url: str = ""

    @classmethod
    def from_env(cls) -> Settings:
        """Read the settings.

        Raises:
            ValueError: Names every variable that has a wrong value.
        """
        wrong = []

        def number(name: str, default: float) -> float:
            raw = os.environ.get(name, "")
            try:
                return float(raw) if raw else default
            except ValueError:
                wrong.append(f"{name}={raw!r} is not a number")
                return default

        settings = cls(
            time_scale=number("ENGINE_TIME_SCALE", cls.time_scale),
            functions_python=os.environ.get("ENGINE_FUNCTIONS_PYTHON") or cls.functions_python,
            idle_workers_mb=int(number("ENGINE_IDLE_WORKERS_MB", cls.idle_workers_mb)),
            opensearch_url=os.environ.get("ENGINE_OPENSEARCH_URL", "").rstrip("/"),
        )
        if wrong:
            raise ValueError("; ".join(wrong))
        return settings


SETTINGS = Settings.from_env()
