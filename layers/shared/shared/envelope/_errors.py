"""What can go wrong with an envelope; see the package's docstring for the tree."""

__all__ = [
    "EnvelopeError",
    "KeyRefusedError",
    "KeyUnavailableError",
    "NoKeyError",
    "PermanentError",
    "TamperedError",
    "WrongContextError",
]


class EnvelopeError(Exception):
    """Base of the package's errors."""


class PermanentError(EnvelopeError):
    """The same call fails again."""


class TamperedError(PermanentError):
    """A message, a wrapped key or a stored form is not what was written: damaged, cut or changed."""


class WrongContextError(PermanentError):
    """The record is bound to another encryption context than the one that is expected."""


class NoKeyError(PermanentError):
    """The record has no key of this region: it was never wrapped for it, or was crypto-shredded.

    Attributes:
        region: The region that was asked.
    """

    def __init__(self, region: str) -> None:
        super().__init__(f"the record has no key of {region}")
        self.region = region


class _KmsError(EnvelopeError):
    def __init__(self, region: str, operation: str, code: str) -> None:
        super().__init__(f"{operation} in {region}: {code}")
        self.region = region
        self.code = code


class KeyRefusedError(PermanentError, _KmsError):
    """KMS refuses: no permission, no such key, or a data key that another KMS key has wrapped.

    Attributes:
        region: The region that was asked.
        code: KMS's error code, or botocore's exception where KMS was not asked.
    """


class KeyUnavailableError(_KmsError):
    """KMS cannot answer now: throttled or out of reach, or the key is disabled. Retryable.

    Attributes:
        region: The region that was asked.
        code: KMS's error code, or botocore's exception where KMS was not reached.
    """
