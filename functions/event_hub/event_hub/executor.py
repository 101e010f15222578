"""Carries actions out: once, as the reaction's role, within the guard rails.

An action is claimed, carried out, and done; a claim that fails is given back. What is postponed goes into the
queue of what is later, with the actions that follow it. A message there is
`{"fact", "tries", "owner", "actions": [{"action": "<name>", ...fields}]}`.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from aws_lambda_powertools.logging import Logger
from botocore.exceptions import ClientError, ParamValidationError

from shared.batches import PermanentError
from shared.metrics import count

from .hub import Action, Hub, NothingError, PostponedError, code_of
from .ledger import Claim
from .reactions import ACTIONS

__all__ = ["MAX_TRIES", "Executor", "is_permanent"]

logger = Logger()

MAX_TRIES = 1500
"""Of one action: postponed for longer, it fails for good. Large archives take the most."""
MAX_DELAY_S = 900
_RETRYABLE = (
    "Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown", "Timeout", "Unavailable", "InUse",
    "Conflict", "ExpiredToken", "Internal", "ServiceException", "State", "LimitExceeded",
    "ThroughputExceeded",
)  # fmt: skip


class Executor:
    """Carries actions out.

    Args:
        hub: What actions may use.
        enabled: Reactions that have a role.
        later_queue_url: The queue of what is later.
    """

    def __init__(self, hub: Hub, enabled: frozenset[str], later_queue_url: str) -> None:
        self._hub, self._enabled, self._later = hub, enabled, later_queue_url

    def run(self, actions: Sequence[Action], fact: str, tries: int = 0, owner: str = "") -> None:
        """Carry actions out in their order; who finds one postponed leaves it and the rest to whom goes on.

        Args:
            actions: Of one reaction.
            fact: Identity of what they follow from.
            tries: How often the first of them was postponed,
            owner: and who has the claim of it.

        Raises:
            PermanentError: One will never be done; those that are always carried out have been.
            Exception: The message has to come back.
        """
        failure: PermanentError | None = None
        for place, action in enumerate(actions):
            if failure is not None and not action.ALWAYS:
                continue
            later = _Later(fact, tries + 1 if place == 0 else 1, tuple(actions[place + 1 :]))
            try:
                if not self._once(action, later, owner if place == 0 else ""):
                    break
            except PermanentError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def resume(self, body: dict[str, Any]) -> None:
        """Carry out what was postponed.

        Args:
            body: A message of the queue of what is later.

        Raises:
            PermanentError: It is none, or one will never be done.
        """
        try:
            actions = [read(each) for each in body["actions"]]
            fact, tries, owner = str(body["fact"]), int(body["tries"]), str(body["owner"])
        except (KeyError, TypeError, ValueError) as error:
            raise PermanentError(f"no message of the hub's own: {type(error).__name__}") from None
        self.run(actions, fact, tries, owner)

    def _once(self, action: Action, later: "_Later", owner: str) -> bool:
        """Carry an action out, unless that is done; whether those behind it are to follow."""
        name = type(action).__name__
        hub = self._hub.acting(action.REACTION, later.fact)
        if action.REACTION not in self._enabled:
            count("ActionsSwitchedOff")
            return True
        claim = hub.ledger.claim(action.key, hub.clock(), owner)
        if claim == "postponed" and any(each.ALWAYS for each in later.rest):
            # What is behind it has to wait for it, too.
            self._send(action, hub.config.poll_seconds, later, "")
            return False
        if not isinstance(claim, Claim):
            count("ActionsDoneAlready")
            return claim == "done"
        try:
            result = action.carry_out(hub)
        except NothingError as nothing:
            hub.ledger.failed(claim, str(nothing), hub.clock())
            logger.info(
                "nothing done",
                action=name,
                reaction=action.REACTION,
                outcome=nothing.counted,
                reason=str(nothing),
            )
            count(nothing.counted)
        except PostponedError as postponed:
            self._postpone(postponed.action or action, postponed, later, claim)
            return False
        except Exception as error:
            hub.ledger.failed(claim, type(error).__name__, hub.clock())
            if isinstance(error, ClientError | ParamValidationError) and is_permanent(error):
                raise PermanentError(f"{name}: {_reason(error)}") from error
            raise
        else:
            hub.ledger.done(claim, result, hub.clock())
            logger.info("done", action=name, reaction=action.REACTION, result=dict(result))
            count("ActionsDone")
        return True

    def _postpone(self, action: Action, postponed: PostponedError, later: "_Later", claim: Claim) -> None:
        """Send an action and those behind it to the queue of what is later; its claim is kept for them."""
        hub = self._hub
        if later.tries > MAX_TRIES:
            hub.ledger.failed(claim, str(postponed), hub.clock())
            raise PermanentError(f"{type(action).__name__}: {postponed}, for too long")
        seconds, owner = min(postponed.seconds, MAX_DELAY_S), secrets.token_hex(8)
        self._send(action, seconds, later, owner)
        hub.ledger.postponed(claim, owner, seconds, hub.clock())
        logger.info("postponed", action=type(action).__name__, reason=str(postponed))
        count("ActionsPostponed")

    def _send(self, action: Action, seconds: int, later: "_Later", owner: str) -> None:
        message = {
            "fact": later.fact,
            "tries": later.tries,
            "owner": owner,
            "actions": [
                {"action": type(each).__name__} | asdict(each)  # type: ignore[call-overload]
                for each in (action, *later.rest)
            ],
        }
        self._hub.own("sqs").send_message(
            QueueUrl=self._later,
            MessageBody=json.dumps(message, separators=(",", ":")),
            DelaySeconds=seconds,
        )


class _Later(NamedTuple):
    """What goes along if an action is postponed.

    Attributes:
        fact: Identity of what it follows from.
        tries: How often it will have been postponed then.
        rest: The actions behind it.
    """

    fact: str
    tries: int
    rest: tuple[Action, ...]


def read(fields: dict[str, Any]) -> Action:
    """An action from a message of the hub's own.

    Raises:
        KeyError, TypeError: There is no such action, or it has other fields.
    """
    given = {
        name: tuple(map(tuple, value)) if isinstance(value, list) else value
        for name, value in fields.items()
        if name != "action"
    }
    return ACTIONS[fields["action"]](**given)


def is_permanent(error: ClientError | ParamValidationError) -> bool:
    """Whether a call will be refused at every attempt.

    SDKs retry throttling and 5xx (https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html);
    besides, a resource that is in use, or in another state, comes free, and limits are raised.
    """
    if isinstance(error, ParamValidationError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return 400 <= status < 500 and not any(word in code_of(error) for word in _RETRYABLE)


def _reason(error: ClientError | ParamValidationError) -> str:
    if isinstance(error, ParamValidationError):
        return "wrong parameters"
    return f"{error.operation_name}: {code_of(error)}"
