"""The system's own secrets: wrapped by KMS in SSM parameters, unwrapped once in a container.

    <prefix>/blind-index   HMAC key of the blind indexes; never changes
    <prefix>/refresh       HMAC key of refresh tokens and of what else is derived
    <prefix>/signing       P-256 keys that sign tokens, each with the time from which it signs
    <prefix>/issuer        no secret: the API's address, which its functions cannot know before it is there

A parameter is JSON, `{"keys": [{"id", "from", "wrapped", "public"?}]}`, newest key last. A key is wrapped
with its purpose as encryption context, so that no parameter can stand in for another. A new signing key is
published in the JWKS an hour before it signs, and stays there for a day after its successor signs.
"""

import json
import time
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_bytes, token_hex
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from shared.http import BusyError

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_ssm import SSMClient

__all__ = ["PUBLISH_AHEAD_S", "RETIRE_AFTER_S", "Keyring", "SigningKey", "make_secret", "next_signing_keys"]

PUBLISH_AHEAD_S = 3600
RETIRE_AFTER_S = 86_400
LOOK_AGAIN_S = 300

type Purpose = Literal["blind-index", "refresh", "signing"]
type Entry = dict[str, Any]


@dataclass(frozen=True)
class SigningKey:
    """The key that signs now."""

    kid: str
    private: ec.EllipticCurvePrivateKey


class Keyring:
    """Unwraps secrets when they are first needed, and looks for new signing keys every five minutes.

    Args:
        ssm: An SSM client.
        kms: A KMS client.
        kms_key: The KMS key that wraps them.
        prefix: Prefix of the parameters' names.
        now: Seconds since the epoch.
    """

    def __init__(
        self,
        ssm: "SSMClient",
        kms: "KMSClient",
        kms_key: str,
        prefix: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._ssm, self._kms, self._kms_key, self._prefix, self._now = ssm, kms, kms_key, prefix, now
        self._entries: dict[str, tuple[float, list[Entry]]] = {}
        self._unwrapped: dict[str, bytes] = {}
        self._signing: dict[str, SigningKey] = {}

    def blind_index_key(self) -> bytes:
        """The HMAC key of the blind indexes, 32 bytes."""
        return self._secret("blind-index", self._entry("blind-index")[-1])

    def refresh_key(self) -> bytes:
        """The HMAC key of refresh tokens, 32 bytes."""
        return self._secret("refresh", self._entry("refresh")[-1])

    def signing_key(self) -> SigningKey:
        """The newest signing key whose time has come."""
        entries = [entry for entry in self._entry("signing") if entry["from"] <= self._now()]
        newest = max(entries, key=lambda entry: entry["from"])
        kid = newest["id"]
        if kid not in self._signing:
            private = load_der_private_key(self._secret("signing", newest), None)
            if not isinstance(private, ec.EllipticCurvePrivateKey):
                raise TypeError(f"signing key {kid} is not an elliptic-curve key")
            self._signing[kid] = SigningKey(kid, private)
        return self._signing[kid]

    def public_keys(self) -> dict[str, dict[str, str]]:
        """The public signing keys as JWKs, by `kid`: to come, present, and just retired ones."""
        return {entry["id"]: entry["public"] for entry in self._entry("signing")}

    def _entry(self, purpose: Purpose) -> list[Entry]:
        read, entries = self._entries.get(purpose, (0.0, []))
        if not entries or (purpose == "signing" and self._now() - read > LOOK_AGAIN_S):
            try:
                entries = json.loads(self._parameter(purpose))["keys"]
            except BusyError:
                if entries:  # old keys are good for hours
                    return entries
                raise
            self._entries[purpose] = (self._now(), entries)
        return entries

    def issuer(self) -> str:
        """The base address of the API."""
        return self._parameter("issuer")

    def _parameter(self, name: str) -> str:
        try:
            return self._ssm.get_parameter(Name=f"{self._prefix}/{name}")["Parameter"]["Value"]
        except (BotoCoreError, ClientError) as error:
            raise BusyError("busy", "The service is not ready; try again in a moment.", 5) from error

    def probe(self) -> None:
        """Unwrap a secret anew, whatever is known already.

        Raises:
            BusyError: KMS does not unwrap it now.
        """
        self._unwrap("refresh", self._entry("refresh")[-1])

    def _secret(self, purpose: Purpose, entry: Entry) -> bytes:
        if entry["id"] not in self._unwrapped:
            self._unwrapped[entry["id"]] = self._unwrap(purpose, entry)
        return self._unwrapped[entry["id"]]

    def _unwrap(self, purpose: Purpose, entry: Entry) -> bytes:
        try:
            return self._kms.decrypt(
                CiphertextBlob=b64decode(entry["wrapped"]),
                KeyId=self._kms_key,
                EncryptionContext={"secret": purpose},
            )["Plaintext"]
        except (BotoCoreError, ClientError) as error:
            raise BusyError("busy", "The service is not ready; try again in a moment.", 5) from error


def make_secret(kms: "KMSClient", kms_key: str, purpose: Purpose, starts: int) -> Entry:
    """A new secret, wrapped.

    Args:
        kms: A KMS client.
        kms_key: The key that wraps it.
        purpose: What it is for.
        starts: Seconds since the epoch from which it is used.
    """
    if purpose == "signing":
        private = ec.generate_private_key(ec.SECP256R1())
        secret = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        numbers = private.public_key().public_numbers()
        x, y = (urlsafe_b64encode(part.to_bytes(32)).rstrip(b"=").decode() for part in (numbers.x, numbers.y))
        kid = token_hex(8)
        public = {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "alg": "ES256", "use": "sig"}
        entry: Entry = {"id": kid, "from": starts, "public": public}
    else:
        secret, entry = token_bytes(32), {"id": token_hex(8), "from": starts}
    wrapped = kms.encrypt(KeyId=kms_key, Plaintext=secret, EncryptionContext={"secret": purpose})[
        "CiphertextBlob"
    ]
    return entry | {"wrapped": b64encode(wrapped).decode()}


def next_signing_keys(keys: list[Entry], make: Callable[[int], Entry], now: int, life_s: int) -> list[Entry]:
    """The signing keys after a look at their age: one more if the newest is old, less those long retired.

    Args:
        keys: The present keys, newest last.
        make: Makes a key that signs from a time on.
        now: Seconds since the epoch.
        life_s: For how long a key signs.

    Returns:
        The same list if nothing is to be done.
    """
    if now - keys[-1]["from"] >= life_s:
        keys = [*keys, make(now + PUBLISH_AHEAD_S)]
    # A key is retired once its successor signs; its last tokens have died a day later.
    return [
        key
        for key, successor in zip(keys, [*keys[1:], None], strict=True)
        if successor is None or now < successor["from"] + RETIRE_AFTER_S
    ]
