"""The system's own secrets: wrapped by KMS in SSM parameters, unwrapped once in a container.

    <prefix>/blind-index   HMAC key of the blind indexes; never changes, and is the same in every region
    <prefix>/refresh       HMAC key of refresh tokens and of what else is derived
    <prefix>/signing       P-256 keys that sign tokens (ES256), each with the time from which it signs
    <prefix>/signing-rsa   RSA keys of 2048 bits, which sign ID tokens for who wants RS256; likewise
    <prefix>/issuer        no secret: the API's address, which its functions cannot know before it is there
    <prefix>/peer-keys     no secret: the public signing keys of the other region, as they were read last

A parameter is JSON, `{"keys": [{"id", "from", "wrapped", "public"?}]}`, newest key last. A key is wrapped
with its purpose as encryption context, so that no parameter can stand in for another. A new signing key is
published in the JWKS an hour before it signs, and stays there for a day after its successor signs.

The function `keys` copies the other region's public keys every five minutes. So no request waits for the
other region, and its keys are known here while it is out, after a cold start too.

A parameter of SSM's standard tier holds 4 kB
(https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html): of an
RSA key one prime is kept, since the public modulus gives the other one, so that its entry has 0.9 kB.
"""

import json
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_bytes, token_hex
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jwt import PyJWK
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from shared.http import BusyError

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_ssm import SSMClient

__all__ = [
    "PUBLISH_AHEAD_S",
    "PURPOSES",
    "RETIRE_AFTER_S",
    "SIGNING",
    "Keyring",
    "PeerKeys",
    "SigningKey",
    "copied_secret",
    "make_secret",
    "next_signing_keys",
    "peer_keys_name",
    "published_keys",
    "read_peer_keys",
]

PUBLISH_AHEAD_S = 3600
RETIRE_AFTER_S = 86_400
LOOK_AGAIN_S = 300

type SigningPurpose = Literal["signing", "signing-rsa"]
type Purpose = Literal["blind-index", "refresh"] | SigningPurpose
type Entry = dict[str, Any]
type Jwk = dict[str, str]
type PeerKeys = dict[SigningPurpose, list[Jwk]]

SIGNING: tuple[SigningPurpose, ...] = ("signing", "signing-rsa")
PURPOSES: tuple[Purpose, ...] = ("blind-index", "refresh", *SIGNING)
_RSA_BITS, _RSA_EXPONENT = 2048, 65_537


@dataclass(frozen=True)
class SigningKey:
    """A key that signs now."""

    kid: str
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


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
        self._peer_keys: tuple[float, PeerKeys | None] = (0.0, None)

    def blind_index_key(self) -> bytes:
        """The HMAC key of the blind indexes, 32 bytes."""
        return self._secret("blind-index", self._entry("blind-index")[-1])

    def refresh_key(self) -> bytes:
        """The HMAC key of refresh tokens, 32 bytes."""
        return self._secret("refresh", self._entry("refresh")[-1])

    def signing_key(self, purpose: SigningPurpose = "signing") -> SigningKey:
        """The newest signing key whose time has come."""
        entries = [entry for entry in self._entry(purpose) if entry["from"] <= self._now()]
        newest = max(entries, key=lambda entry: entry["from"])
        kid = newest["id"]
        if kid not in self._signing:
            self._signing[kid] = SigningKey(kid, _private(purpose, newest, self._secret(purpose, newest)))
        return self._signing[kid]

    def public_keys(self, purpose: SigningPurpose) -> dict[str, Jwk]:
        """This region's public signing keys as JWKs, by `kid`: to come, present, and just retired ones."""
        return {entry["id"]: entry["public"] for entry in self._entry(purpose)}

    def peer_keys(self, purpose: SigningPurpose) -> dict[str, Jwk]:
        """The same of the other region, as they were copied last; none where there is no other region.

        Raises:
            BusyError: They cannot be read, and never were: a key set without them would make others refuse
                the other region's tokens for as long as they keep it.
        """
        read, keys = self._peer_keys
        if self._now() - read > LOOK_AGAIN_S:
            try:
                keys = read_peer_keys(self._ssm, self._prefix)
            except (BotoCoreError, ClientError) as error:
                if keys is None:
                    raise _busy() from error
            self._peer_keys = (self._now(), keys)
        return {jwk["kid"]: jwk for jwk in (keys or {}).get(purpose, ())}

    def _entry(self, purpose: Purpose) -> list[Entry]:
        read, entries = self._entries.get(purpose, (0.0, []))
        if not entries or (purpose in SIGNING and self._now() - read > LOOK_AGAIN_S):
            try:
                entries = json.loads(self._parameter(purpose))["keys"]
            except BusyError:
                if not entries:
                    raise
                # Old keys are good for hours: with SSM out one request in five minutes waits for it, not all.
            self._entries[purpose] = (self._now(), entries)
        return entries

    def api_address(self) -> str:
        """The base address of this region's API."""
        return self._parameter("issuer")

    def _parameter(self, name: str) -> str:
        try:
            return self._ssm.get_parameter(Name=f"{self._prefix}/{name}")["Parameter"]["Value"]
        except (BotoCoreError, ClientError) as error:
            raise _busy() from error

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
            raise _busy() from error


def _busy() -> BusyError:
    return BusyError("busy", "The service is not ready; try again in a moment.", 5)


def peer_keys_name(prefix: str) -> str:
    """Name of the parameter that has the other region's public keys."""
    return f"{prefix}/peer-keys"


def read_peer_keys(ssm: "SSMClient", prefix: str) -> PeerKeys:
    """The other region's public keys, as they were copied last; none of them if they never were.

    Raises:
        BotoCoreError, ClientError: The parameter cannot be read.
    """
    try:
        keys: PeerKeys = json.loads(ssm.get_parameter(Name=peer_keys_name(prefix))["Parameter"]["Value"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        return {}
    return keys


def published_keys(ssm: "SSMClient", prefix: str) -> PeerKeys:
    """The public parts of a region's signing keys, from that region's parameters.

    Args:
        ssm: An SSM client of the region.
        prefix: Prefix of the parameters' names there.

    Raises:
        BotoCoreError, ClientError: A parameter cannot be read.
        PyJWTError: A key is none that a token could be verified by.
        LookupError, ValueError: A parameter has another form.
    """
    found: PeerKeys = {}
    for purpose in SIGNING:
        value = ssm.get_parameter(Name=f"{prefix}/{purpose}")["Parameter"]["Value"]
        found[purpose] = [entry["public"] for entry in json.loads(value)["keys"]]
        for jwk in found[purpose]:
            PyJWK(jwk, jwk["alg"])
    return found


def make_secret(kms: "KMSClient", kms_key: str, purpose: Purpose, starts: int) -> Entry:
    """A new secret, wrapped.

    Args:
        kms: A KMS client.
        kms_key: The key that wraps it.
        purpose: What it is for.
        starts: Seconds since the epoch from which it is used.
    """
    kid = token_hex(8)
    secret, public = _new_key(purpose) if purpose in SIGNING else (token_bytes(32), None)
    wrapped = kms.encrypt(KeyId=kms_key, Plaintext=secret, EncryptionContext={"secret": purpose})[
        "CiphertextBlob"
    ]
    entry: Entry = {"id": kid, "from": starts, "wrapped": b64encode(wrapped).decode()}
    return entry if public is None else entry | {"public": public | {"kid": kid, "use": "sig"}}


def copied_secret(
    entry: Entry, purpose: Purpose, theirs: tuple["KMSClient", str], ours: tuple["KMSClient", str]
) -> Entry:
    """A secret of another region, wrapped for this one; it keeps its id.

    Args:
        entry: As it is there.
        purpose: What it is for.
        theirs: A KMS client of that region, and the key that wraps it there.
        ours: The same for this region.
    """
    context = {"secret": purpose}
    (kms, key), (own_kms, own_key) = theirs, ours
    secret = kms.decrypt(CiphertextBlob=b64decode(entry["wrapped"]), KeyId=key, EncryptionContext=context)[
        "Plaintext"
    ]
    wrapped = own_kms.encrypt(KeyId=own_key, Plaintext=secret, EncryptionContext=context)["CiphertextBlob"]
    return entry | {"wrapped": b64encode(wrapped).decode()}


def _new_key(purpose: Purpose) -> tuple[bytes, dict[str, Any]]:
    """A new signing key: what is kept secret of it, and its public JWK."""
    public: dict[str, Any]
    if purpose == "signing":
        curve_key = ec.generate_private_key(ec.SECP256R1())
        secret = curve_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        public = ECAlgorithm.to_jwk(curve_key.public_key(), as_dict=True) | {"alg": "ES256"}
    else:
        rsa_key = rsa.generate_private_key(_RSA_EXPONENT, _RSA_BITS)
        secret = rsa_key.private_numbers().p.to_bytes(_RSA_BITS // 16)
        public = RSAAlgorithm.to_jwk(rsa_key.public_key(), as_dict=True) | {"alg": "RS256"}
        del public["key_ops"]
    return secret, public


def _private(purpose: Purpose, entry: Entry, secret: bytes) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    """The private key of an entry.

    Raises:
        TypeError: It is of another kind than its purpose wants.
        ValueError: The public part does not belong to it.
    """
    if purpose == "signing":
        loaded = load_der_private_key(secret, None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise TypeError(f"signing key {entry['id']} is not an elliptic-curve key")
        return loaded
    public = PyJWK(entry["public"]).key.public_numbers()
    p = int.from_bytes(secret)
    q = public.n // p
    d = pow(public.e, -1, (p - 1) * (q - 1))
    crt = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *crt, public).private_key()


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
