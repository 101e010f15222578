"""The life of a key: created, rotated, revoked.

A key is created in steps, in this order: an item in the table; a disabled key at API Gateway; its id in the
table; its place in the usage plan; it is enabled; it is active in the table. Wherever an attempt ends, no key
works that is not in the table, and nobody knows the value of one that is not active. The next attempt with
the same id deletes what the earlier one left, and begins anew: a value is told by its creation alone.

An upgrade is a rotation into another plan: "a given API key can only be associated with one usage plan for
each stage of an API"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html), so a key that
moved would be refused in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from aws_lambda_powertools.logging import Logger
from botocore.exceptions import BotoCoreError, ClientError

from shared.http import BusyError, ConflictError, ForbiddenError, NotFoundError
from shared.metrics import count
from shared.transactions import ConflictingWriteError

from . import gateway
from .key_storage import Key, KeyStorage
from .plans import FREE, Plan, limits_of, meter_problem
from .subscription_storage import SubscriptionStorage

__all__ = ["MAX_ACTIVE", "MAX_KEPT", "Services", "create", "own", "revoke"]

logger = Logger()

MAX_ACTIVE = 10
"""Keys that a visitor may have; and beside them as many that end because others replace them."""
MAX_KEPT = 50
"""Keys of a visitor that are kept, revoked ones included: a Region has 10,000 keys
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html)."""
MAX_REVOKED = 20
"""Of them, revoked ones that are older than a day."""
KEPT_S = 40 * 86_400
"""Seconds for which a revoked key is kept, so that its usage of a month can be shown."""
METERED_S = 86_400
"""Seconds for which a revoked key is kept in any case: its last hour is metered within six."""


@dataclass(frozen=True, slots=True)
class Services:
    """What creating a key takes.

    Attributes:
        keys: Keys in the table.
        subscriptions: Subscriptions in the table.
        plans: The plans, by name.
        tag: What the tag of our keys says.
    """

    keys: KeyStorage
    subscriptions: SubscriptionStorage
    plans: Mapping[str, Plan]
    tag: str


def create(services: Services, wanted: Key) -> tuple[Key, str]:
    """Create a key, or finish what an earlier attempt with its id began.

    Args:
        services: What it takes.
        wanted: The key; without a subscription it takes any of the visitor's that fits.

    Returns:
        The key and its value; an empty value if there was the same key before.

    Raises:
        NotFoundError: There is no such plan, or no key that is to be replaced.
        ConflictError: There is another key with this id; there are too many; the plan's meter is set up
            wrongly; the key that is to be replaced is not active, or is replaced already.
        ForbiddenError: The plan is not sold, or the visitor has no subscription to it.
        BusyError: Another attempt creates it at this moment.
    """
    known = services.keys.key(wanted.visitor, wanted.id)
    if known is not None:
        _refuse_another(known, wanted)
        if known.state != "creating":
            return known, ""
    if wanted.replaces:
        _refuse_replaced(own(services.keys, wanted.visitor, wanted.replaces))
    plan = services.plans.get(wanted.plan)
    if plan is None:
        raise NotFoundError("unknown_plan", "There is no such plan.")
    subscription, customer = _paid_by(services, plan, wanted)
    key = replace(wanted, subscription=subscription)
    try:
        begun = services.keys.begin(key, key.created)
    except ConflictingWriteError as error:
        raise _creating() from error
    try:
        return _created(services, begun, plan, customer)
    except (ClientError, BotoCoreError):
        services.keys.release(key)
        raise


def _created(services: Services, key: Key, plan: Plan, customer: str) -> tuple[Key, str]:
    """Take a key that has begun through the steps that are left."""
    if key.gateway_key:
        gateway.delete(key.gateway_key)  # of an earlier attempt: nobody knows its value
    _make_room(services, key)
    name = f"{services.tag}-{plan.name}-{key.id}"
    gateway_key, value = gateway.create(name, {gateway.TAG: services.tag}, customer)
    made = replace(key, gateway_key=gateway_key, last4=value[-4:])
    try:
        services.keys.record(made)
        gateway.attach(gateway_key, plan.gateway_id)
        gateway.enable(gateway_key)
        services.keys.activate(made, key.created)
    except ConflictingWriteError as error:
        gateway.delete(gateway_key)
        services.keys.forget(key)
        raise ConflictError("not_active", "The key is not active, or is replaced already.") from error
    active = replace(made, state="active")
    # Whoever ends a subscription writes that first, and then revokes the keys that are there.
    if key.subscription and not _subscribed(services, plan, active):
        revoke(services.keys, key.visitor, key.id, key.created)
        raise _not_subscribed()
    if key.replaces and not key.hours:
        try:
            revoke(services.keys, key.visitor, key.replaces, key.created)
        except (ClientError, BotoCoreError):  # else nobody would have the new value, and the old key is over
            logger.exception("the schedule revokes it", key=key.replaces)
    count("KeysCreated")
    return active, value


def revoke(storage: KeyStorage, visitor: str, key_id: str, now: float) -> Key:
    """Revoke a key: API Gateway refuses it before this returns. A key that is revoked stays so.

    Args:
        storage: The keys.
        visitor: Whose key.
        key_id: Its id.
        now: Seconds since the epoch.

    Returns:
        The key as it is then.

    Raises:
        NotFoundError: The visitor has no such key.
        BusyError: It is being created at this moment.
    """
    key = own(storage, visitor, key_id)
    if key.state == "revoked":
        return key
    if key.state == "active":
        gateway.disable(key.gateway_key)
    try:
        storage.revoke(key, now)
    except ConflictingWriteError as error:
        after = own(storage, visitor, key_id)
        if after.state == "revoked":
            return after
        raise _creating() from error
    if key.state == "creating" and key.gateway_key:
        gateway.disable(key.gateway_key)
    count("KeysRevoked")
    return replace(key, state="revoked", revoked=now)


def own(storage: KeyStorage, visitor: str, key_id: str) -> Key:
    """A visitor's key.

    Raises:
        NotFoundError: The visitor has no such key.
    """
    key = storage.key(visitor, key_id)
    if key is None:
        raise NotFoundError("unknown_key", "You have no such key.")
    return key


def _refuse_another(known: Key, wanted: Key) -> None:
    same = ("name", "plan", "replaces", "hours") + (("subscription",) if wanted.subscription else ())
    if any(getattr(known, field) != getattr(wanted, field) for field in same):
        raise ConflictError("other_request", "There is a key with this id, of another request.")


def _refuse_replaced(key: Key) -> None:
    if key.state != "active" or key.ends:
        raise ConflictError("not_active", "The key is not active, or is replaced already.")


def _paid_by(services: Services, plan: Plan, wanted: Key) -> tuple[str, str]:
    """The subscription that pays for a key, and the customer whom API Gateway bills; empty for none."""
    if plan.name != FREE and not plan.is_sold:
        raise ForbiddenError("not_sold", "The plan is not sold here.")
    problem = meter_problem(plan, limits_of(plan).product_code)
    if problem:
        raise _wrong_meter(plan, problem)
    if plan.name == FREE:
        return "", ""
    for subscription in services.subscriptions.active(wanted.visitor, plan.name):
        if wanted.subscription not in ("", subscription.id):
            continue
        if plan.meter == "records":
            return subscription.id, ""
        if not subscription.customer:
            raise _wrong_meter(plan, "no meter: API Gateway bills customers, and this is a licence")
        return subscription.id, subscription.customer
    raise _not_subscribed()


def _subscribed(services: Services, plan: Plan, key: Key) -> bool:
    active = services.subscriptions.active(key.visitor, plan.name)
    return any(subscription.id == key.subscription for subscription in active)


def _make_room(services: Services, key: Key) -> None:
    """Forget what was revoked long ago, and refuse one key too many; others may be begun at the same time.

    A key is counted after it has begun: of two that begin at once, each sees the other.
    """
    storage = services.keys
    kept = storage.of_visitor(key.visitor)
    revoked = sorted((each for each in kept if each.state == "revoked"), key=lambda each: -each.revoked)
    for place, each in enumerate(revoked):
        if each.revoked < key.created - (KEPT_S if place < MAX_REVOKED else METERED_S):
            if each.gateway_key:  # without one there is nothing: it was revoked before it was made
                gateway.delete(each.gateway_key)
            storage.forget(each)
            kept.remove(each)
    open_keys = [each for each in kept if each.state != "revoked" and each.id != key.replaces]
    ending = [each for each in open_keys if each.ends]
    if len(open_keys) - len(ending) > MAX_ACTIVE or len(ending) >= MAX_ACTIVE or len(kept) > MAX_KEPT:
        storage.forget(key)
        raise ConflictError(
            "too_many_keys", "You have as many keys as you may; revoke one, or wait until one has ended."
        )


def _creating() -> BusyError:
    return BusyError("busy", "The key is being created; try again in a moment.")


def _wrong_meter(plan: Plan, problem: str) -> ConflictError:
    error = ConflictError("wrong_meter", "The plan's meter is set up wrongly; an operator has to see to it.")
    error.add_note(f"{plan.name}: {problem}")
    return error


def _not_subscribed() -> ForbiddenError:
    return ForbiddenError("not_subscribed", "You have no active subscription to this plan.")
