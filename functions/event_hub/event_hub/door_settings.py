"""The environment of the hub's door."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from shared.settings import EnvSettings, base_url, names

__all__ = ["DoorSettings"]


@dataclass(frozen=True)
class DoorSettings(EnvSettings):
    """Settings of the door.

    Attributes:
        topics: ARNs of the topics that may send here.
        events_queue_url: Where verified notifications go.
        ledger_table: Table that has the records of health checks.
        sns_endpoint: The local engine's base address, where certificates come from by plain http. AWS's
            template does not have it: there SNS's own hosts are the only ones.
    """

    topics: Annotated[Sequence[str], names]
    events_queue_url: str
    ledger_table: str
    sns_endpoint: Annotated[str, base_url] = ""
