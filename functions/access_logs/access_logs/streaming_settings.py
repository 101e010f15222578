"""The environment of the window and reduce functions and of the insights API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, cast

from shared.settings import EnvSettings, positive_int, positive_number

__all__ = ["Addresses", "InsightsSettings", "ReduceSettings", "WindowSettings"]

type Addresses = Literal["keep", "truncate", "hash"]


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if "" in names:
        raise ValueError("must be names between commas")
    return names


def _addresses(text: str) -> Addresses:
    if text not in ("keep", "truncate", "hash"):
        raise ValueError("must be keep, truncate or hash")
    return cast("Addresses", text)


def _pairs(text: str) -> Mapping[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(name and value for name, _, value in pairs):
        raise ValueError("must be name=id pairs between commas")
    return {name: value for name, _, value in pairs}


@dataclass(frozen=True)
class WindowSettings(EnvSettings):
    """Settings of the window function.

    Attributes:
        partials_table: Where a window's counts go.
        fields: The fields of a record, in the order of the real-time log configuration.
        lateness: Seconds by which an event may arrive late and still count.
        partial_days: Days after which a window's counts expire; more than a record may wait in the stream.
        viewer_address: What is stored of viewers' addresses: all, their network, or a keyed hash.
        address_secret_id: Secrets Manager secret that holds the key of the hash.
    """

    partials_table: str
    fields: Annotated[tuple[str, ...], _names]
    lateness: Annotated[float, positive_number] = 120.0
    partial_days: Annotated[int, positive_int] = 2
    viewer_address: Annotated[Addresses, _addresses] = "keep"
    address_secret_id: str = ""


@dataclass(frozen=True)
class ReduceSettings(EnvSettings):
    """Settings of the reduce function.

    Attributes:
        partials_table: The counts of windows.
        results_table: Where a minute's results go.
        result_days: Days after which results expire.
    """

    partials_table: str
    results_table: str
    result_days: Annotated[int, positive_int] = 7


@dataclass(frozen=True)
class InsightsSettings(EnvSettings):
    """Settings of the insights API; what an application that is switched off would have is empty.

    Attributes:
        results_table: Results of live traffic.
        workgroup: Athena workgroup of the queries at rest.
        queries: Id of the saved query of each panel at rest.
        social_workgroup: Athena workgroup of the social stream's queries.
        social_queries: Id of the saved query of each of its panels.
    """

    results_table: str = ""
    workgroup: str = ""
    queries: Annotated[Mapping[str, str] | None, _pairs] = None
    social_workgroup: str = ""
    social_queries: Annotated[Mapping[str, str] | None, _pairs] = None
