"""Envelope encryption of records: a new KMS data key for every write, wrapped by each region's own KMS key.

One region::

    envelope = Envelope(client("kms"), key_id, "eu-west-1")
    sealed = envelope.encrypt(b"personal data", {"user": "42", "version": "7"})  # 1 KMS call
    envelope.decrypt(sealed, {"user": "42", "version": "7"})  # 1 KMS call

Two regions, and none::

    peer = Envelope(us_kms, us_key_id, "us-east-1")
    both = envelope.wrap(sealed, {"user": "42", "version": "7"}, peer)  # 2 KMS calls
    peer.decrypt(both, {"user": "42", "version": "7"})
    both.without_keys()  # crypto-shredding: nobody decrypts it again

Stored and sent::

    item["data"] = sealed.to_attribute()  # DynamoDB; back with Sealed.from_attribute
    kinesis.put_record(Data=sealed.to_bytes(), ...)  # back with Sealed.from_bytes

Errors::

    EnvelopeError
    ├── PermanentError          the same call fails again
    │   ├── TamperedError       what is given is not what was written
    │   ├── WrongContextError   it was written with another encryption context
    │   ├── NoKeyError          it was never wrapped for this region, or was shredded
    │   └── KeyRefusedError     KMS refuses: permission, no such key, wrapped by another key
    └── KeyUnavailableError     retryable: KMS is throttled or out of reach, or the key is disabled

No error and no log line holds a key, a plaintext or a context. docs/envelope.md describes the format and how
other languages read it. Nothing here reads the environment; KMS clients are arguments.
"""

from typing import TYPE_CHECKING, Any

from ._errors import (
    EnvelopeError,
    KeyRefusedError,
    KeyUnavailableError,
    NoKeyError,
    PermanentError,
    TamperedError,
    WrongContextError,
)
from ._sealed import Sealed

if TYPE_CHECKING:
    from ._envelope import Envelope

__all__ = [
    "Envelope",
    "EnvelopeError",
    "KeyRefusedError",
    "KeyUnavailableError",
    "NoKeyError",
    "PermanentError",
    "Sealed",
    "TamperedError",
    "WrongContextError",
]


def __getattr__(name: str) -> Any:
    # The AWS Encryption SDK takes 60 ms to import above boto3: only who encrypts or decrypts waits for it.
    if name == "Envelope":
        from ._envelope import Envelope

        return Envelope
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
