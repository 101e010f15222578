"""An instance was launched: warm its local cache, and let it into service."""

from ..facts import Fact, GroupNotification, LifecycleAction
from ..hub import Action
from ..settings import Config
from .fleet import CompleteLifecycleAction, SendCommand, until

__all__ = ["plan"]


def plan(fact: Fact, config: Config) -> tuple[Action, ...]:
    """One command an instance, whether a hook or a notification tells of it; a wait has to be completed."""
    if isinstance(fact, GroupNotification) and fact.event == "EC2_INSTANCE_LAUNCH":
        return (
            SendCommand(
                "warm",
                fact.group,
                fact.instance,
                fact.instance,
                until(fact.happened, config.lifecycle_seconds),
            ),
        )
    if isinstance(fact, LifecycleAction) and fact.transition == "launching":
        end = until(fact.began, config.lifecycle_seconds)
        command = SendCommand("warm", fact.group, fact.instance, fact.instance, end, fact.hook, fact.token)
        return command, CompleteLifecycleAction(
            fact.group, fact.hook, fact.instance, fact.token, command.key, end
        )
    return ()
