"""What follows from a fact: each reaction's `plan`, and each action's name."""

from collections.abc import Callable

from ..facts import Fact
from ..hub import Action
from ..settings import Config
from . import (
    archive,
    build,
    connection,
    distribute,
    divert,
    fleet,
    grow,
    logs,
    migrate,
    nodes,
    notify,
    profile,
    restore,
    retry_run,
    status,
    throughput,
    warm,
)

__all__ = ["ACTIONS", "PLANS", "plan"]

PLANS: tuple[Callable[[Fact, Config], tuple[Action, ...]], ...] = (
    warm.plan,
    logs.plan,
    build.plan,
    profile.plan,
    throughput.plan,
    archive.plan,
    restore.plan,
    distribute.plan,
    grow.plan,
    nodes.plan,
    divert.plan,
    migrate.plan,
    status.plan,
    connection.plan,
    retry_run.plan,
)
"""The reactions. Documents are encoded by a function of their own (documents)."""

ACTIONS: dict[str, type[Action]] = {
    action.__name__: action
    for action in (
        archive.FetchOutput,
        build.StartBuild,
        connection.PublishConnection,
        distribute.CreateDistribution,
        divert.ReportResize,
        divert.SetReason,
        fleet.CompleteLifecycleAction,
        fleet.SendCommand,
        grow.GrowStorage,
        logs.RecordHeartbeat,
        migrate.OrderEncoding,
        migrate.ReportFailure,
        migrate.ResumeTask,
        nodes.PublishNodes,
        notify.Notify,
        profile.RunTask,
        restore.CopyRestored,
        retry_run.RetryRun,
        status.SetStatus,
        throughput.UpdateFileSystem,
    )
}
"""Actions by their names, as messages of the queue of what is later have them."""


def plan(fact: Fact, config: Config) -> list[tuple[Action, ...]]:
    """What follows from a fact: the actions of each reaction, in their order. Pure.

    Args:
        fact: The fact.
        config: The stack's parameters.
    """
    return [actions for each in PLANS if (actions := each(fact, config))]
