"""The life of a subscription, as a function of what is known of it, in whatever order it became known.

What AWS Marketplace tells becomes a fact: a kind, and a moment. Of each kind only the latest moment counts,
so facts commute, and a fact that comes twice is one. The state follows from the moments alone:

| kind         | SNS                   | EventBridge                                     |
|--------------|-----------------------|-------------------------------------------------|
| `registered` |                       | (both eras: the visitor came with a token)      |
| `began`      | `subscribe-success`   | License Updated                                 |
| `failed`     | `subscribe-fail`      |                                                 |
| `ending`     | `unsubscribe-pending` | Purchase Agreement Ended, unless it is followed |
| `ended`      | `unsubscribe-success` | License Deprovisioned                           |

Whoever subscribes again after the end has a later `began`, and is active again. At one moment an end counts
more than a beginning.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal, Self

__all__ = ["ENDS", "KINDS", "Facts", "Kind", "State"]

type Kind = Literal["registered", "began", "failed", "ending", "ended"]
type State = Literal["pending", "active", "ending", "ended", "failed"]


@dataclass(frozen=True, slots=True)
class Facts:
    """The latest moment of each kind of fact, in milliseconds since the epoch; 0 if there was none.

    Attributes:
        registered: A visitor registered with it.
        began: Use may begin.
        failed: The purchase failed.
        ending: Use is over; what was used can be metered for an hour.
        ended: Use is over, and so is metering.
    """

    registered: int = 0
    began: int = 0
    failed: int = 0
    ending: int = 0
    ended: int = 0

    def learned(self, moments: Mapping[Kind, int]) -> Self:
        """What is known with more facts.

        Args:
            moments: Of facts by their kinds: their own moments, not those of their arrival.
        """
        return replace(self, **{kind: max(getattr(self, kind), moment) for kind, moment in moments.items()})

    @property
    def state(self) -> State:
        """Where the subscription is."""
        over = max(self.failed, self.ended)
        if over and over >= self.began:
            return "ended" if self.ended >= self.failed else "failed"
        if self.ending and self.ending >= self.began:
            return "ending"
        return "active" if self.began else "pending"

    @property
    def use_ends(self) -> int | None:
        """When use ended, in milliseconds since the epoch; None while it goes on, or has not begun.

        Keys are revoked then, and calls behind it are not metered: for metering what came before there is an
        hour. The seller guide has that hour begin with the end of the agreement on one page, and with License
        Deprovisioned on another (https://repost.aws/questions/QUXW1blxT9Tz-hLad9RntzWw quotes both); the
        earlier one is right in either case.
        """
        ends = [end for end in (self.failed, self.ending, self.ended) if end and end >= self.began]
        return min(ends, default=None)


KINDS: tuple[Kind, ...] = tuple(field.name for field in fields(Facts))  # type: ignore[misc]
ENDS: frozenset[Kind] = frozenset({"failed", "ending", "ended"})
