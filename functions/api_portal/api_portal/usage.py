"""Usage against quota, as API Gateway counts it: what its quotas are enforced by.

`GetUsage` has for each day of a range what a key used, and what was left of its quota then
(https://docs.aws.amazon.com/apigateway/latest/api/API_GetUsage.html). Quotas are a key's own: "Throttling and
quota limits apply to requests for individual API keys". Each call here names one key: the answer for a whole
plan would have everybody's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from shared.clients import client

from .key_storage import Key
from .plans import Limits, Plan

__all__ = ["MAX_DAYS", "KeyUsage", "quota_shown", "shown", "usage_of"]

MAX_DAYS = 92
"""The longest range that is told: a quarter."""


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """What a key used.

    Attributes:
        key: The key.
        days: Requests of each day of the range.
        remaining: What is left of its quota; None if nothing of it was used, or there is none.
    """

    key: Key
    days: tuple[int, ...]
    remaining: int | None


def usage_of(plan: Plan, key: Key, first: date, last: date) -> KeyUsage:
    """What a key used on each day of a range.

    Args:
        plan: The plan that it is in.
        key: The key.
        first: The first day, UTC.
        last: The last day, which counts.

    Raises:
        ClientError: API Gateway does not answer.
    """
    gateway = client("apigateway")
    days = (last - first).days + 1
    try:
        found = gateway.get_usage(
            usagePlanId=plan.gateway_id, keyId=key.gateway_key,
            startDate=first.isoformat(), endDate=last.isoformat(),
        )  # fmt: skip
    except gateway.exceptions.NotFoundException:  # an operator took it out of the plan
        return KeyUsage(key, (0,) * days, None)
    pairs = (found.get("items") or {}).get(key.gateway_key) or []
    used = [int(pair[0]) for pair in pairs]
    return KeyUsage(key, tuple(used + [0] * (days - len(used))), int(pairs[-1][1]) if pairs else None)


def shown(
    plan: Plan, limits: Limits, first: date, last: date, usages: Iterable[KeyUsage]
) -> dict[str, object]:
    """Usage as visitors see it.

    What remains is that of the keys that work, each of which has the whole quota.

    Args:
        plan: The plan.
        limits: As they are now.
        first: The first day of the range.
        last: The last day.
        usages: Of each key of the visitor's.
    """
    found = list(usages)
    numbers = range((last - first).days + 1)
    days = [sum(usage.days[number] for usage in found) for number in numbers]
    working = [usage for usage in found if usage.key.state == "active"]
    remaining = [limits.quota if usage.remaining is None else usage.remaining for usage in working]
    return {
        "plan": plan.name,
        "quota": quota_shown(limits),
        "used": sum(days),
        "remaining": None if limits.quota is None else sum(each or 0 for each in remaining),
        "days": [
            {"day": (first + timedelta(days=number)).isoformat(), "used": used}
            for number, used in enumerate(days)
        ],
        "keys": [{"id": usage.key.id, "name": usage.key.name, "used": sum(usage.days)} for usage in found],
    }


def quota_shown(limits: Limits) -> dict[str, object] | None:
    """A quota as people see it; None if there is none."""
    return None if limits.quota is None else {"limit": limits.quota, "period": limits.period}
