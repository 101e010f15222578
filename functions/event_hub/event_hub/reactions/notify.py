"""Operators are told of what no reaction repairs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..hub import Action, DryRunError, Hub

__all__ = ["Notify"]

MAILS_AN_HOUR = 60


@dataclass(frozen=True)
class Notify(Action):
    """Publish to the operations topic. It changes no resource, so no allow-list is asked.

    Attributes:
        subject: In a line.
        text: What happened, and what can be done.
        identity: Of the fact.
    """

    REACTION: ClassVar[str] = "notify"
    subject: str
    text: str
    identity: str

    @property
    def key(self) -> str:
        """The fact."""
        return f"notify#{self.identity}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Tell them."""
        if hub.config.dry_run:
            raise DryRunError(f"notify: {self.subject}")
        hub.limit("mails", most=MAILS_AN_HOUR, seconds=3600)
        hub.notify(self.key, self.subject, self.text)
        return {}
