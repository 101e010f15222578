"""Other ways to carry accounts between two regions, for the model to compare the replication with.

Both get more than they have in reality: what they carry is never lost or delayed by a region that is out, but
waits for it; data keys are wrapped for the other region in time; and they carry an account before the
identifiers that were written with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from auth.storage import User
from local.memory_auth import TABLE
from local.memory_kms import DirectKms
from local.memory_regions import NAMES, Regions
from shared.envelope import Envelope, EnvelopeError, Sealed

__all__ = ["BlindCopies", "NewestWins"]

type Place = tuple[str, str]


class Stamp(NamedTuple):
    """When an item was written last, by the wall clock of the region that wrote it."""

    at: float
    region: str


class NewestWins:
    """The whole item that was written last, by wall clock, takes the other one's place.

    As DynamoDB's global tables do it, for accounts and identifiers: a last writer wins (Developer Guide, "How
    DynamoDB global tables work").

    Args:
        regions: The regions.
    """

    def __init__(self, regions: Regions) -> None:
        self._regions = regions
        self._stamps: dict[str, dict[Place, Stamp]] = {name: {} for name in NAMES}
        self._stream: dict[str, list[Place]] = {name: [] for name in NAMES}

    def pump(
        self, name: str, choose: Callable[[list[str]], list[str]] = list, *, again: bool = False
    ) -> None:
        """Carry what was written in a region; in the order in which an item was written."""
        other = self._regions.other(name)
        for each in NAMES:
            self._note(each)
        if {"dynamodb", "kms"} & other.out:
            return
        stream = sorted(self._stream[name], key=lambda place: not place[0].startswith("U#"))
        taken = set(choose([place[0] for place in stream]))
        for place in stream:
            if place[0] in taken:
                self._carry(name, place)
                if not again:
                    self._stream[name].remove(place)

    def _note(self, name: str) -> None:
        """Note what was written in a region, and when."""
        region = self._regions[name]
        for place in region.changed():
            if place[0][:2] in ("U#", "E#", "P#") and place[1] == ".":
                self._stamps[name][place] = Stamp(region.world.now, name)
                self._stream[name].append(place)

    def _carry(self, name: str, place: Place) -> None:
        region, other = self._regions[name], self._regions.other(name)
        there = other.world.region
        item = region.world.table.tables[TABLE].get(place)
        if item is None or not self._wins(name, there, place):
            return
        other.put(place, self._wrapped(name, item))
        if place in self._stamps[name]:
            self._stamps[there][place] = self._stamps[name][place]

    def _wins(self, here: str, there: str, place: Place) -> bool:
        mine, theirs = self._stamps[here].get(place), self._stamps[there].get(place)
        return theirs is None or (mine is not None and mine > theirs)

    def _wrapped(self, name: str, item: dict[str, Any]) -> dict[str, Any]:
        """An item with its data key wrapped by the other region's key."""
        if "data" not in item:
            return item
        one, other = (
            Envelope(_kms(each), each.world.settings.kms_key, each.world.region)
            for each in (self._regions[name], self._regions.other(name))
        )
        sealed, version = Sealed.from_attribute(item["data"]), item["version"]["M"]
        counts = {region: int(count["N"]) for region, count in version.items()}
        user = User(item["pk"]["S"].removeprefix("U#"), "active", version=counts)
        with self._regions[name].reading(), self._regions.other(name).reading():
            try:
                return item | {"data": one.wrap(sealed, user.context, other).to_attribute()}
            except EnvelopeError:
                return item

    def drain(self, name: str) -> None:
        """Nothing waits in queues."""

    def settle(self) -> bool:
        """Carry everything."""
        for _ in range(3):
            for name in NAMES:
                self.pump(name)
        return True


class BlindCopies(NewestWins):
    """Each write's item is put into the other region's table, whatever is there."""

    def _wins(self, here: str, there: str, place: Place) -> bool:  # noqa: ARG002
        return True


def _kms(region: Any) -> Any:
    return DirectKms(region.world.kms)
