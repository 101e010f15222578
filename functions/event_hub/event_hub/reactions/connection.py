"""A connection of Direct Connect went down, or up again: tell the subscribed HTTP endpoints, which reroute.

Flaps are damped: the first change is told at once, and a connection that goes on changing is told of no more
often than every `damping_seconds`, with the state that it has then.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ..facts import AlarmChange, Fact
from ..hub import Action, Hub, NothingError, PostponedError, tags_of
from ..settings import Config
from .status import current_state

__all__ = ["PublishConnection", "plan"]

CONNECTION = re.compile(r"dx(?:con|lag|vif)-[0-9a-z]{4,40}")
UPDATES_AN_HOUR = 120


@dataclass(frozen=True)
class PublishConnection(Action):
    """Publish the state of a connection.

    Attributes:
        connection: Its id.
        alarm: ARN of the alarm.
        state: The state.
        changed: Since when, ISO 8601 in UTC to the microsecond, so that it sorts by time.
        identity: Of the alarm's change.
    """

    REACTION: ClassVar[str] = "connection"
    connection: str
    alarm: str
    state: Literal["up", "down"]
    changed: str
    identity: str

    @property
    def key(self) -> str:
        """The alarm's change."""
        return f"connection#{self.identity}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Publish it, or leave it to a newer change, or wait."""
        cloudwatch = hub.client("cloudwatch")
        tags = cloudwatch.list_tags_for_resource(ResourceARN=self.alarm)["Tags"]
        hub.permit(f"{self.connection} is {self.state}", tags=tags_of(tags))
        newest = f"connection#{self.connection}"
        known = hub.ledger.recall(newest)
        if known.get("changed") == self.changed and known["state"] != self.state:
            now = current_state(cloudwatch, self.alarm)  # two states of one moment
            if now != {"up": "OK", "down": "ALARM"}[self.state]:
                raise NothingError(f"the alarm is {now or 'gone'}")
        hub.ledger.remember(
            newest,
            {"changed": self.changed, "state": self.state},
            "attribute_not_exists(pk) OR changed < :changed",
            {":changed": self.changed},
        )
        if hub.ledger.recall(newest)["changed"] > self.changed:
            raise NothingError("a newer change is known")
        with hub.exclusive(newest):
            told = hub.ledger.recall(f"told#{self.connection}")
            if told.get("state") == self.state:
                raise NothingError("the endpoints know")
            wait = told.get("at", 0.0) + hub.config.damping_seconds - hub.clock().timestamp()
            if wait > 0:
                raise PostponedError("it changes too often", int(wait) + 1)
            hub.limit(self.connection, most=UPDATES_AN_HOUR, seconds=3600)
            hub.publish(
                {
                    "kind": "connection",
                    "connection": self.connection,
                    "state": self.state,
                    "since": self.changed,
                }
            )
            hub.ledger.remember(
                f"told#{self.connection}", {"state": self.state, "at": hub.clock().timestamp()}
            )
        return {"state": self.state}


def plan(fact: Fact, _: Config) -> tuple[Action, ...]:
    """Word of each change of an alarm on ConnectionState; without data nothing is known."""
    if not isinstance(fact, AlarmChange) or fact.state == "INSUFFICIENT_DATA":
        return ()
    connection = fact.dimension("AWS/DX", "ConnectionState", "ConnectionId") or ""
    if not CONNECTION.fullmatch(connection):
        return ()
    state: Literal["up", "down"] = "down" if fact.state == "ALARM" else "up"
    changed = fact.changed.isoformat(timespec="microseconds")
    return (PublishConnection(connection, fact.arn, state, changed, fact.identity),)
