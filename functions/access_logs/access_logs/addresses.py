"""How viewers' addresses are stored: as they are, truncated or hashed; the same at rest and in motion."""

from collections.abc import Callable
from functools import cache

from shared.access_log import hash_addresses, truncate_addresses
from shared.clients import client

__all__ = ["address_privacy"]


@cache
def address_privacy(kind: str, secret_id: str) -> Callable[[str], str] | None:
    """The change of an address before it is stored; None where addresses are kept.

    Args:
        kind: `keep`, `truncate` or `hash`.
        secret_id: Secrets Manager secret with the key of the hashes.
    """
    if kind == "truncate":
        return truncate_addresses()
    if kind == "hash":
        secret = client("secretsmanager").get_secret_value(SecretId=secret_id)["SecretString"]
        return hash_addresses(secret.encode())
    return None
