"""Keys that are revoked without their visitors' asking: a rotation or a subscription is over."""

from contextlib import suppress
from math import inf

from shared.http import NotFoundError

from .key_storage import KeyStorage
from .keys import revoke

__all__ = ["revoke_key", "revoke_keys"]


def revoke_key(storage: KeyStorage, visitor: str, key: str, now: float) -> None:
    """Revoke a key; one that is revoked stays so, and one that was forgotten since is no error.

    Args:
        storage: The keys.
        visitor: Whose key.
        key: Its id.
        now: Seconds since the epoch.

    Raises:
        BusyError: It is being created at this moment.
    """
    with suppress(NotFoundError):
        revoke(storage, visitor, key, now)


def revoke_keys(storage: KeyStorage, subscription: str, now: float, made_before: float = inf) -> None:
    """Revoke the keys of a subscription.

    Args:
        storage: The keys.
        subscription: Its id.
        now: Seconds since the epoch.
        made_before: Those alone that were requested before, seconds since the epoch; every key by default.

    Raises:
        BusyError: One is being created at this moment.
    """
    for visitor, key_id, _ in storage.of_subscription(subscription):
        if made_before < inf:
            key = storage.key(visitor, key_id)
            if key is None or key.created >= made_before:
                continue
        revoke_key(storage, visitor, key_id, now)
