"""What an action has at hand while it is carried out, and how it ends otherwise than by its effect.

NothingError     there is nothing to do now: the claim is given back, and the message is done
PostponedError   not yet: the action comes back by the queue of what is later
PermanentError   (shared.batches) never: the message is quarantined, with the reason
any other        the message comes back
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Self

from botocore.exceptions import ClientError

from .ledger import BusyError, Claim, Ledger
from .settings import Config

__all__ = [
    "Action",
    "DryRunError",
    "Hub",
    "NotAllowedError",
    "NothingError",
    "PostponedError",
    "code_of",
    "hash_of",
    "tags_of",
]


TAG = "event-hub"
"""Its key is a name in the roles' policies, too, where CloudFormation takes no parameter."""


WAIT_S = 300
"""Until an action that is beyond its rate is tried again."""


class NothingError(Exception):
    """There is nothing to do; says why. `counted` is the metric."""

    counted = "ActionsSkipped"


class NotAllowedError(NothingError):
    """The resource is not on the allow-list."""

    counted = "ActionsNotAllowed"


class DryRunError(NothingError):
    """It would be done, if this were no dry run."""

    counted = "ActionsInDryRun"


class PostponedError(Exception):
    """Not yet.

    Attributes:
        seconds: When to try again.
        action: What to try then; the same action by default.
    """

    def __init__(self, reason: str, seconds: int, action: "Action | None" = None) -> None:
        super().__init__(reason)
        self.seconds, self.action = seconds, action


class Action:
    """What a reaction does; subclasses are frozen dataclasses whose fields JSON can hold.

    Attributes:
        REACTION: Whose action it is: names the role and the rate limit.
        ALWAYS: Carried out even if an action before it failed for good.
    """

    REACTION: ClassVar[str]
    ALWAYS: ClassVar[bool] = False

    @property
    def key(self) -> str:
        """Identity of the effect: two actions with one key have one effect."""
        raise NotImplementedError

    def carry_out(self, hub: "Hub") -> Mapping[str, Any]:
        """Have the effect.

        Returns:
            What is kept of it, for the log and for later actions.

        Raises:
            NothingError: There is nothing to do.
            PostponedError: It is too early.
            PermanentError: It will never be done.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Hub:
    """What an action may use.

    Attributes:
        config: The stack's parameters.
        ledger: What was done.
        client_of: The client of a service in a region, as a reaction's role.
        clock: The time.
        own: The client of a service as the function itself.
        reaction: Whose turn it is.
        fact: Identity of what its action follows from.
    """

    config: Config
    ledger: Ledger
    client_of: Callable[[str, str, str], Any]
    own: Callable[[str], Any]
    clock: Callable[[], datetime]
    reaction: str = ""
    fact: str = ""

    def acting(self, reaction: str, fact: str) -> Self:
        """The same, for a reaction."""
        return replace(self, reaction=reaction, fact=fact)

    def client(self, service: str, region: str = "") -> Any:
        """The client of a service, with the credentials of the reaction's role."""
        return self.client_of(self.reaction, service, region or self.config.region)

    def permit(self, what: str, *, tags: Mapping[str, str] | None = None, among: Iterable[str] = ()) -> None:
        """Go on only if the resource is on the allow-list, and this is no dry run. Before each effect.

        Args:
            what: What is about to happen to what, for people.
            tags: The resource's tags, where its service knows tags as a condition of the action;
            among: else the names that the stack's parameters allow, without which the resource is none.

        Raises:
            NotAllowedError: It is not.
            DryRunError: It is.
        """
        if tags is not None and tags.get(TAG) != self.config.tag_value:
            raise NotAllowedError(f"{what}: the tag {TAG} is missing")
        if tags is None and not any(among):
            raise NotAllowedError(f"{what}: no parameter names it")
        if self.config.dry_run:
            raise DryRunError(what)

    def has_place(self, scope: str, *, most: int, seconds: int) -> bool:
        """Whether this fact has a place within a scope of the reaction (see `Ledger.within`)."""
        return self.ledger.within(
            f"{self.reaction}#{scope}", hash_of(self.fact), most=most, seconds=seconds, now=self.clock()
        )

    def limit(self, scope: str, *, most: int, seconds: int) -> None:
        """Go on only if the rate is kept; else later. A resource has a scope of its own.

        Raises:
            PostponedError: The scope is full.
        """
        if not self.has_place(scope, most=most, seconds=seconds):
            raise PostponedError(f"more than {most} in {seconds} s", min(seconds, WAIT_S))

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Be the only one at something.

        Raises:
            BusyError: Somebody else is.
        """
        claim = self.ledger.claim(f"lock#{name}", self.clock())
        if not isinstance(claim, Claim):  # a lock is never done, nor postponed
            raise BusyError(f"{name.partition('#')[0]} is locked")
        try:
            yield
        finally:
            self.ledger.failed(claim, "free", self.clock())

    def publish(self, update: Mapping[str, Any]) -> None:
        """Send an update to the subscribed endpoints; they can filter by its `kind`."""
        self.client("sns").publish(
            TopicArn=self.config.updates_topic,
            Message=json.dumps(update, separators=(",", ":")),
            MessageAttributes={"kind": {"DataType": "String", "StringValue": update["kind"]}},
        )

    def send(self, queue: str, message: Mapping[str, Any]) -> None:
        """Send a message to a queue."""
        self.client("sqs").send_message(
            QueueUrl=queue, MessageBody=json.dumps(message, separators=(",", ":"))
        )

    def notify(self, key: str, subject: str, text: str) -> None:
        """Tell the operators, once.

        Args:
            key: What about.
            subject: In a line.
            text: What happened, and what can be done.
        """
        claim = self.ledger.claim(f"told#{key}", self.clock())
        if not isinstance(claim, Claim):
            return
        try:
            self.own("sns").publish(
                TopicArn=self.config.operations_topic, Subject=_line(subject), Message=text
            )
        except Exception as error:
            self.ledger.failed(claim, type(error).__name__, self.clock())
            raise
        self.ledger.done(claim, {}, self.clock())


def code_of(error: ClientError) -> str:
    """The error's code."""
    return str(error.response["Error"]["Code"])


def tags_of(pairs: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Tags from a list of `{"Key", "Value"}`, with small letters too."""
    return {
        pair.get("Key", pair.get("key", "")): pair.get("Value", pair.get("value", "")) for pair in pairs or ()
    }


def hash_of(text: str) -> str:
    """A name for a text of any length."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _line(text: str) -> str:
    """A subject as SNS takes it: ASCII text of at most 100 characters, without control characters."""
    return "".join(character if " " <= character <= "~" else "?" for character in text)[:100]
