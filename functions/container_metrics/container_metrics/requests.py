"""The events of the function."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from shared.events import ForeignEventError

from .readings import moment
from .sources import SOURCES

__all__ = ["INTERVAL_S", "LONGEST_DELAY_S", "SlotRequest"]

INTERVAL_S = 5
LONGEST_DELAY_S = 2  # before the state machine's next attempt
_AHEAD_S = 1.0  # by how much clocks may differ


@dataclass(frozen=True)
class SlotRequest:
    """What to sample at which slot.

    Attributes:
        slot: The time of the numbers.
        targets: Targets by source.
        by_minute: Hand the numbers back instead of publishing them: a minute is published at once.
        last: No further attempt follows.
    """

    slot: datetime
    targets: dict[str, list[str]]
    by_minute: bool
    last: bool

    @classmethod
    def of(cls, event: dict[str, Any], now: datetime) -> Self:
        """Decode an event; without a slot it is the present one.

        Args:
            event: `{"sources": [{"source", "targets": [...]}]}`, and optionally `slot`, `put` (`slot`, the
                default, or `minute`) and `last` (true by default).
            now: The time.

        Raises:
            ForeignEventError: Says what is wrong with it.
        """
        seconds = int(now.timestamp())
        present = datetime.fromtimestamp(seconds - seconds % INTERVAL_S, UTC)
        slot = moment(event["slot"]) if "slot" in event else present
        if (slot - now).total_seconds() > _AHEAD_S:
            raise ForeignEventError(f"slot {event['slot']} is in the future: a clock is wrong, or the event")
        put = event.get("put", "slot")
        if put not in ("slot", "minute"):
            raise ForeignEventError(f"put {put!r} is neither slot nor minute")
        return cls(slot, _targets(event.get("sources")), put == "minute", event.get("last", True) is True)

    def is_late(self, now: datetime) -> bool:
        """Whether the numbers of now are those of a later slot."""
        return (now - self.slot).total_seconds() > INTERVAL_S

    def may_wait(self, now: datetime) -> bool:
        """Whether another attempt follows, and comes in time."""
        return not self.last and (now - self.slot).total_seconds() + LONGEST_DELAY_S < INTERVAL_S


def _targets(sources: Any) -> dict[str, list[str]]:
    if not isinstance(sources, list) or not sources:
        raise ForeignEventError("sources must be a list of {source, targets}")
    targets: dict[str, list[str]] = {}
    for each in sources:
        name, some = (each.get("source"), each.get("targets")) if isinstance(each, dict) else (None, None)
        if name not in SOURCES:
            raise ForeignEventError(f"no source {name!r}: there are {', '.join(sorted(SOURCES))}")
        if not isinstance(some, list) or not some:
            raise ForeignEventError(f"{name} has no targets")
        if not all(isinstance(target, str) and target.strip() for target in some):
            raise ForeignEventError(f"a target of {name} has no name")
        targets.setdefault(str(name), []).extend(some)
    return targets
