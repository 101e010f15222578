"""An encrypted record, and its two stored forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from ._errors import TamperedError

__all__ = ["Sealed"]

# No message of the AWS Encryption SDK begins with this byte, so the two are not taken for each other.
_VERSION = 0xE1


@dataclass(frozen=True)
class Sealed:
    """An encrypted record.

    Attributes:
        info: An AWS Encryption SDK message.
        keys: Region to the record's data key, wrapped by the KMS key of that region.
    """

    info: bytes
    keys: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"Sealed({len(self.info)} bytes, keys of {', '.join(sorted(self.keys)) or 'no region'})"

    def without_keys(self) -> Self:
        """The record crypto-shredded: without its wrapped keys nobody decrypts it again."""
        return replace(self, keys={})

    def to_attribute(self) -> dict[str, Any]:
        """The record as a DynamoDB attribute value: a map of `info` (binary) and `keys` (map of binaries)."""
        keys = {region: {"B": key} for region, key in self.keys.items()}
        return {"M": {"info": {"B": self.info}, "keys": {"M": keys}}}

    @classmethod
    def from_attribute(cls, attribute: Mapping[str, Any]) -> Self:
        """The record of an attribute value that `to_attribute` made.

        Raises:
            TamperedError: It is none.
        """
        try:
            parts = attribute["M"]
            return cls(parts["info"]["B"], {region: key["B"] for region, key in parts["keys"]["M"].items()})
        except (KeyError, TypeError, AttributeError) as error:
            raise TamperedError("not the attribute of a sealed record") from error

    def to_bytes(self) -> bytes:
        """The record in one piece, for a stream: equal records have equal bytes.

        The byte 0xE1, the number of keys (1 byte); for each key, in the order of the regions, the length of
        the region's name (1 byte), the name, the length of the wrapped key (2 bytes, big-endian), the wrapped
        key; then the message.

        Raises:
            OverflowError: A number does not fit: 255 keys, 255 bytes of a name, 65,535 bytes of a key.
        """
        parts = [bytes((_VERSION,)), len(self.keys).to_bytes(1)]
        for region, key in sorted(self.keys.items()):
            name = region.encode()
            parts += len(name).to_bytes(1), name, len(key).to_bytes(2), key
        return b"".join((*parts, self.info))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The record that `to_bytes` wrote.

        Raises:
            TamperedError: Nothing that `to_bytes` could have written.
        """
        keys = {}
        try:
            at = 2
            for _ in range(data[1]):
                name = at + 1
                length = name + data[at]
                key = length + 2
                at = key + int.from_bytes(data[length:key])
                keys[data[name:length].decode()] = data[key:at]
        except (IndexError, UnicodeDecodeError) as error:
            raise TamperedError("not a sealed record") from error
        sealed = cls(data[at:], keys)
        # Also finds whatever slicing forgives: another version, an early end, keys out of order or twice.
        if sealed.to_bytes() != data:
            raise TamperedError("not a sealed record")
        return sealed
