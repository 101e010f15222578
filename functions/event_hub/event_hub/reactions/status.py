"""A health check of Route 53 failed, or passes again: write the status page's record.

Route 53's metrics, and so its alarms, are in us-east-1
(https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-cloudwatch.html).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ..facts import AlarmChange, Fact
from ..hub import Action, Hub, NothingError, tags_of
from ..ledger import StatusRecord
from ..settings import Config

__all__ = ["SetStatus", "current_state", "plan"]

CHECK = re.compile(r"[0-9A-Za-z-]{1,64}")
_STATES: dict[str, Literal["up", "down", "unknown"]] = {
    "OK": "up",
    "ALARM": "down",
    "INSUFFICIENT_DATA": "unknown",
}


@dataclass(frozen=True)
class SetStatus(Action):
    """Write a health check's state, unless the record has a newer one.

    Attributes:
        check: Id of the health check.
        name: The alarm's name, which the page shows if the alarm has no tag `Name`.
        alarm: ARN of the alarm.
        state: The state.
        changed: Since when, ISO 8601 in UTC to the microsecond, so that it sorts by time.
        identity: Of the alarm's change.
    """

    REACTION: ClassVar[str] = "status"
    check: str
    name: str
    alarm: str
    state: Literal["up", "down", "unknown"]
    changed: str
    identity: str

    @property
    def key(self) -> str:
        """The alarm's change."""
        return f"status#{self.identity}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Write it. The page is public, so the alarm's tag has to allow it."""
        cloudwatch = hub.client("cloudwatch", self.alarm.split(":")[3])
        tags = tags_of(cloudwatch.list_tags_for_resource(ResourceARN=self.alarm)["Tags"])
        hub.permit(f"status of {self.check}", tags=tags)
        since, state = hub.ledger.status_of(self.check)
        same = since == self.changed and state != self.state
        now = current_state(cloudwatch, self.alarm) if same else ""
        if same and now not in _STATES:
            raise NothingError("the alarm is gone, and two states are of one moment")
        record = StatusRecord(
            self.check, tags.get("Name", self.name), _STATES[now] if same else self.state, self.changed
        )
        if not hub.ledger.put_status(record, again=same):
            raise NothingError("the record is newer")
        return {"state": record.state}


def current_state(cloudwatch: Any, alarm: str) -> str:
    """An alarm's state now: of two changes in one millisecond no message says which came first."""
    name = alarm.split(":", 6)[6]
    found = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    return str(found[0]["StateValue"]) if found else ""


def plan(fact: Fact, _: Config) -> tuple[Action, ...]:
    """A record for each change of an alarm on HealthCheckStatus."""
    if not isinstance(fact, AlarmChange):
        return ()
    check = fact.dimension("AWS/Route53", "HealthCheckStatus", "HealthCheckId") or ""
    if not CHECK.fullmatch(check):
        return ()
    changed = fact.changed.isoformat(timespec="microseconds")
    state = _STATES[fact.state]
    return (SetStatus(check, fact.name, fact.arn, state, changed, fact.identity),)
