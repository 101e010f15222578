"""The environment of the insights API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from shared.settings import EnvSettings

__all__ = ["InsightsSettings", "SavedQuery"]


@dataclass(frozen=True)
class SavedQuery:
    """A query that Athena keeps.

    Attributes:
        workgroup: Where it is saved and run.
        query: Its id.
    """

    workgroup: str
    query: str


def _queries(text: str) -> Mapping[str, SavedQuery]:
    """Parse `panel=workgroup/id,...`; nothing between two commas is an application that is switched off."""
    queries: dict[str, SavedQuery] = {}
    for entry in filter(None, text.split(",")):
        panel, _, place = entry.partition("=")
        workgroup, _, query = place.partition("/")
        if not (panel and workgroup and query):
            raise ValueError("must be panel=workgroup/id entries between commas")
        queries[panel] = SavedQuery(workgroup, query)
    return queries


def _names(text: str) -> Sequence[str]:
    """Parse names between commas."""
    return tuple(text.split(","))


@dataclass(frozen=True)
class InsightsSettings(EnvSettings):
    """Settings of the insights API; what an application that is switched off would have is empty.

    Attributes:
        results_table: Results of live traffic.
        queries: The saved query of each panel that Athena answers.
        clusters: Names of the ECS clusters that are sampled.
    """

    results_table: str = ""
    queries: Annotated[Mapping[str, SavedQuery], _queries] = field(default_factory=dict)
    clusters: Annotated[Sequence[str], _names] = ()
