"""Deployed stacks, on AWS or on an engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Client", "outputs_of"]

type Client = Callable[[str], Any]


def outputs_of(stack: str, client: Client) -> dict[str, str]:
    """Return the outputs of a deployed stack by name."""
    description = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}
