"""Encrypted records, opened.

A producer that encrypts puts `Sealed.to_bytes` of `shared.envelope` on the stream, with the stream's name as
encryption context, so that a record of another stream is refused. Neither JSON nor an aggregated record
begins with its first byte: both kinds may be on the stream at once, as they are while producers change over.
"""

from functools import cache
from typing import TYPE_CHECKING

from shared.clients import client
from shared.envelope import NoKeyError, Sealed, TamperedError, WrongContextError

from .errors import BadRecordError

if TYPE_CHECKING:
    from shared.envelope import Envelope

__all__ = ["opened"]

_SEALED = b"\xe1"


def opened(data: bytes, stream: str, key_arn: str, region: str) -> bytes:
    """A record's payload: decrypted, or as it is if it is not encrypted.

    Args:
        data: The record.
        stream: The stream's name.
        key_arn: The KMS key; empty if records are not encrypted.
        region: The key's region.

    Raises:
        BadRecordError: It is damaged, or was encrypted for another stream or region.
        EnvelopeError: KMS refuses or cannot answer: nothing that the record is to blame for.
    """
    if not key_arn or not data.startswith(_SEALED):
        return data
    try:
        return _envelope(key_arn, region).decrypt(Sealed.from_bytes(data), {"stream": stream})
    except (TamperedError, WrongContextError, NoKeyError) as error:
        raise BadRecordError(f"cannot be decrypted: {type(error).__name__}") from error


@cache
def _envelope(key_arn: str, region: str) -> "Envelope":
    from shared.envelope import Envelope  # takes 60 ms, for encrypted records alone

    return Envelope(client("kms"), key_arn, region)
