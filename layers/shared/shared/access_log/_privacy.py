"""Viewer addresses that are not stored as they are."""

import hashlib
import hmac
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address, ip_network

__all__ = ["hash_addresses", "truncate_addresses"]

_MEMO = 20_000


def truncate_addresses() -> Callable[[str], str]:
    """A function that keeps the network of an address: 24 bits of IPv4, 48 bits of IPv6."""

    def truncate(text: str) -> str:
        try:
            address = ip_address(text)
        except ValueError:
            return "-"
        bits = 24 if address.version == 4 else 48
        return str(ip_network((address, bits), strict=False).network_address)

    return _for_lists(truncate)


def hash_addresses(key: bytes) -> Callable[[str], str]:
    """A function from an address to 32 hexadecimal digits: the same for the same address and key.

    Args:
        key: A secret of 16 bytes or more: whoever knows it can hash all IPv4 addresses and look them up.

    Raises:
        ValueError: The key is shorter.
    """
    if len(key) < 16:
        raise ValueError("the key must have 16 bytes or more")
    return _for_lists(lambda text: hmac.digest(key, text.encode(), hashlib.sha256).hex()[:32])


def _for_lists(change: Callable[[str], str]) -> Callable[[str], str]:
    """Apply a change to every address of a value: one, or a list as in X-Forwarded-For; `-` stays."""

    @lru_cache(_MEMO)
    def apply(value: str) -> str:
        if value == "-":
            return value
        return ",".join(change(part.strip()) for part in value.replace("%20", " ").split(","))

    return apply
