"""Viewer addresses that are not stored as they are."""

import hashlib
import hmac
import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import unquote

__all__ = ["hash_addresses", "truncate_addresses"]

_MEMO = 20_000
_MAX_ADDRESS = 64  # characters; whatever is longer is not remembered
# An address as a proxy may write it into X-Forwarded-For (RFC 7239, section 6): in brackets, with a port,
# with a zone (RFC 4007). Between IPv6 and a port have to be brackets.
_WRITTEN = re.compile(r'"?(?:\[([^\]%]+)(?:%[^\]]*)?\](?::\d+)?|([^:]+):\d+|([^%"]+)(?:%[^"]*)?)"?')


def truncate_addresses() -> Callable[[str], str]:
    """A function that keeps the network of an address: 24 bits of IPv4, 48 bits of IPv6."""

    def truncate(text: str) -> str:
        address = _address(text)
        if address is None:
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

    def change(text: str) -> str:
        address = _address(text)
        return hmac.digest(key, (str(address) if address else text).encode(), hashlib.sha256).hex()[:32]

    return _for_lists(change)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address that a text is, in whatever form; IPv4 within IPv6 (mapped, 6to4) is IPv4."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        return None
    try:
        address = ip_address(match[1] or match[2] or match[3])
    except ValueError:
        return None
    if not isinstance(address, IPv6Address):
        return address
    return address.ipv4_mapped or address.sixtofour or address


def _for_lists(change: Callable[[str], str]) -> Callable[[str], str]:
    """Apply a change to every address of a value: one, or a list as in X-Forwarded-For; `-` stays."""

    remembered = lru_cache(_MEMO)(change)

    def apply(value: str) -> str:
        if value == "-":
            return value
        parts = [part.strip() for part in unquote(value).split(",")]
        return ",".join(remembered(part) if len(part) <= _MAX_ADDRESS else change(part) for part in parts)

    return apply
