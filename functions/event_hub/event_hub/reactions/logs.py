"""An instance is about to end: have it copy its log files to S3, and let it end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..facts import Fact, LifecycleAction
from ..hub import Action, Hub
from ..settings import Config
from .fleet import CompleteLifecycleAction, SendCommand, group_tags, heartbeat, until

__all__ = ["plan"]


@dataclass(frozen=True)
class RecordHeartbeat(Action):
    """Prolong the wait of an instance by the hook's time-out, while its command works."""

    REACTION: ClassVar[str] = "fleet"
    group: str
    hook: str
    instance: str
    token: str

    @property
    def key(self) -> str:
        """The wait."""
        return f"heartbeat#{self.token}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Record it."""
        hub.permit(f"heartbeat {self.instance}", tags=group_tags(hub, self.group))
        heartbeat(hub, self.group, self.hook, self.token, self.instance)
        return {}


def plan(fact: Fact, config: Config) -> tuple[Action, ...]:
    """The command that copies, a heartbeat, and the end of the wait."""
    if not isinstance(fact, LifecycleAction) or fact.transition != "terminating":
        return ()
    end = until(fact.began, config.lifecycle_seconds)
    wait = (fact.group, fact.hook, fact.instance, fact.token)
    command = SendCommand("logs", fact.group, fact.instance, fact.token, end, fact.hook, fact.token)
    return command, RecordHeartbeat(*wait), CompleteLifecycleAction(*wait, command.key, end)
