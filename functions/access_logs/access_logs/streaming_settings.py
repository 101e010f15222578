"""The environment of the window and reduce functions."""

from dataclasses import dataclass
from typing import Annotated, Literal, cast

from shared.settings import EnvSettings, positive_int, positive_number

__all__ = ["Addresses", "ReduceSettings", "WindowSettings"]

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


@dataclass(frozen=True)
class WindowSettings(EnvSettings):
    """Settings of the window function.

    Attributes:
        partials_table: Where a window's counts go.
        failures_bucket: Where records go that cannot be read, under `quarantine/`.
        fields: The fields of the real-time log configuration, in any order: CloudFront has its own.
        lateness: Seconds by which an event may arrive late and still count.
        partial_days: Days after which a window's counts expire; more than a record may wait in the stream.
        viewer_address: What is stored of viewers' addresses: all, their network, or a keyed hash.
        address_secret_id: Secrets Manager secret that holds the key of the hash.
    """

    partials_table: str
    failures_bucket: str
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
        failures_bucket: Where minutes go that cannot be added up, under `quarantine/`.
        result_days: Days after which results expire.
    """

    partials_table: str
    results_table: str
    failures_bucket: str
    result_days: Annotated[int, positive_int] = 7
