"""The environment of the insights API."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from shared.settings import EnvSettings, names

__all__ = ["InsightsSettings"]


@dataclass(frozen=True)
class InsightsSettings(EnvSettings):
    """Settings of the insights API; what an application that is switched off would have is empty.

    Attributes:
        stack_name: The stack's name.
        applications: Names of the applications that are deployed, in the order of the page.
        results_table: Results of live traffic.
        log_window_seconds: For how long live traffic is counted before its counts are published.
        workgroups: Athena's workgroups whose saved queries declare panels.
        clusters: Names of the ECS clusters that are sampled.
    """

    stack_name: str
    applications: Annotated[Sequence[str], names] = ()
    results_table: str = ""
    log_window_seconds: int = 10
    workgroups: Annotated[Sequence[str], names] = ()
    clusters: Annotated[Sequence[str], names] = ()
