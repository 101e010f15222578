"""Keys that are revoked without their visitors' asking: a rotation or a subscription is over."""

from contextlib import suppress

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


def revoke_keys(storage: KeyStorage, subscription: str, now: float) -> None:
    """Revoke every key of a subscription.

    Args:
        storage: The keys.
        subscription: Its id.
        now: Seconds since the epoch.

    Raises:
        BusyError: One is being created at this moment.
    """
    for visitor, key, _ in storage.of_subscription(subscription):
        revoke_key(storage, visitor, key, now)
