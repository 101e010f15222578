"""What a source said about its targets at one slot, and how it travels between function and state machine."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from shared.events import ForeignEventError

from .places import HERE, Place
from .sources import SOURCES

__all__ = ["Reading", "moment", "written"]


def moment(text: Any) -> datetime:
    """The time that an ISO 8601 text with an offset says.

    Raises:
        ForeignEventError: It says none.
    """
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise ForeignEventError(f"slot {text!r} is not an ISO 8601 time") from error
    if found.tzinfo is None:
        raise ForeignEventError(f"slot {text!r} has no offset from UTC")
    return found.astimezone(UTC)


def written(slot: datetime) -> str:
    """A slot as the state machine writes it: to the second, in UTC."""
    return slot.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Reading:
    """The numbers of a source's targets at one slot.

    Attributes:
        slot: The time of every number.
        source: Key of `SOURCES`.
        values: The numbers by target, in the order of the source's metrics.
        missing: Why there are none, by target.
        place: Where the targets are.
    """

    slot: datetime
    source: str
    values: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    place: Place = HERE

    def to_json(self) -> dict[str, Any]:
        """The reading as the state machine carries it: short, for its state holds 256 KiB."""
        document: dict[str, Any] = {
            "slot": written(self.slot), "source": self.source, "values": self.values, "missing": self.missing
        }  # fmt: skip
        return (
            document if self.place == HERE else document | {"place": [self.place.region, self.place.account]}
        )

    def missing_by_reason(self) -> list[dict[str, Any]]:
        """What is missing, a row for each reason: short as well, for a whole minute may be missing."""
        targets: dict[str, list[str]] = {}
        for target, reason in self.missing.items():
            targets.setdefault(reason, []).append(target)
        where = "" if self.place == HERE else f" of {self.place.account} in {self.place.region}"
        return [
            {"slot": written(self.slot), "source": f"{self.source}{where}", "targets": some, "reason": reason}
            for reason, some in targets.items()
        ]

    @classmethod
    def from_json(cls, document: Any) -> Self:
        """The reading of a document that `to_json` made.

        Raises:
            ForeignEventError: It is none.
        """
        try:
            source = document["source"]
            values = {str(name): [float(value) for value in row] for name, row in document["values"].items()}
            missing = {str(name): str(reason) for name, reason in document["missing"].items()}
            slot = moment(document["slot"])
            place = Place(*map(str, document.get("place", ())))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ForeignEventError("no reading") from error
        if source not in SOURCES or any(len(row) != len(SOURCES[source].metrics) for row in values.values()):
            raise ForeignEventError("no reading of a source that is known")
        return cls(slot, source, values, missing, place)
