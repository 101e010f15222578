"""The envelope library beside bare AES-GCM, and beside the same SDK with its Material Providers Library.

Every side takes a new 256-bit key for each record, as KMS would answer it, and encrypts and decrypts the
record with its context. KMS is an object in the process, so that only the work around its calls counts. The
Material Providers Library has the raw AES keyring that equals our path. It runs in a process of its own,
which measures its own CPU time: the SDK imports the library wherever it is installed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

PATHS = (Path(__file__).parents[1] / "layers" / "shared",)
sys.path[:0] = map(str, PATHS)

# ruff: noqa: E402  # the lines above come first
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.harness import CACHE, ROOT, Suite, compare, fresh_process, one_core
from shared.envelope import Envelope

__all__ = ["STEPS", "measure"]

STEPS = 3
"""How many steps `measure` announces."""

MPL_PYTHON = ROOT / ".venv/mpl/bin/python"
CONTEXT = {"user": "0f8b2c1e-6d3a-4d8e-9a51-6c0f5b7f3f10", "version": "eu-west-1=7,us-east-1=3"}
RECORD = bytes(1_000)  # a person's profile has about so many
RECORDS = 200
ROUNDS = 9

_IMPORT = """
import boto3, time
start = time.process_time()
from shared.envelope import Envelope
print(1000 * (time.process_time() - start))
"""

# The import's CPU milliseconds on the first line; then those of the records whose number each line brings.
_MPL = """
import boto3, json, os, sys, time
start = time.process_time()
import aws_encryption_sdk
print(1000 * (time.process_time() - start), flush=True)
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import AesWrappingAlg, CreateRawAesKeyringInput
from aws_encryption_sdk import Algorithm, CommitmentPolicy, EncryptionSDKClient

context, record = json.loads(sys.argv[1]), bytes(int(sys.argv[2]))
client = EncryptionSDKClient(
    commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT, max_encrypted_data_keys=1
)
providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())


def keyring(key):
    return providers.create_raw_aes_keyring(input=CreateRawAesKeyringInput(
        key_namespace="shared.envelope", key_name="kms-data-key", wrapping_key=key,
        wrapping_alg=AesWrappingAlg.ALG_AES256_GCM_IV12_TAG16,
    ))


for line in sys.stdin:
    start = time.process_time()
    for _ in range(int(line)):
        key = os.urandom(32)
        message, _ = client.encrypt(
            source=record, keyring=keyring(key), encryption_context=context,
            algorithm=Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY,
        )
        plaintext, _ = client.decrypt(source=message, keyring=keyring(key), encryption_context=context)
        assert plaintext == record
    print(1000 * (time.process_time() - start), flush=True)
"""


class _Kms:
    """Answers as KMS does, at once."""

    def __init__(self) -> None:
        self._key = b""

    def generate_data_key(self, **_: Any) -> dict[str, bytes]:
        self._key = os.urandom(32)
        return {"Plaintext": self._key, "CiphertextBlob": bytes(184)}

    def decrypt(self, **_: Any) -> dict[str, bytes]:
        return {"Plaintext": self._key}


class _Mpl:
    """The Material Providers Library in its process.

    Attributes:
        import_ms: CPU milliseconds of the SDK's import above boto3.
    """

    def __init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self._process = subprocess.Popen(
            [str(MPL_PYTHON), "-c", _MPL, json.dumps(CONTEXT), str(len(RECORD))],
            env=environment | {"PYTHONPYCACHEPREFIX": str(CACHE / "pycache")},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.import_ms = self._answer()

    def run(self, records: int) -> float:
        """CPU milliseconds of so many records."""
        assert self._process.stdin
        self._process.stdin.write(f"{records}\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self._process.communicate(timeout=10)

    def _answer(self) -> float:
        assert self._process.stdout
        return float(self._process.stdout.readline())


def _ours(envelope: Envelope, records: int) -> None:
    for _ in range(records):
        assert envelope.decrypt(envelope.encrypt(RECORD, CONTEXT), CONTEXT) == RECORD


def _bare(records: int) -> None:
    for _ in range(records):
        key, nonce, associated = os.urandom(32), os.urandom(12), json.dumps(CONTEXT).encode()
        sealed = AESGCM(key).encrypt(nonce, RECORD, associated)
        assert AESGCM(key).decrypt(nonce, sealed, associated) == RECORD


def _each_ms(work: Callable[[], Any]) -> float:
    """CPU milliseconds of one run, the median of many."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(RECORDS):
            work()
        times.append(1000 * (time.process_time() - start) / RECORDS)
    return statistics.median(times)


def measure(suite: Suite) -> None:
    """Add the envelope's rows to a suite, in `STEPS` steps."""
    subprocess.run(["make", "--silent", ".venv/mpl/.installed"], cwd=ROOT, check=True)
    envelope = Envelope(cast("Any", _Kms()), "key", "eu-west-1")
    ours = partial(_ours, envelope, RECORDS)

    suite.step("envelope: records")
    encrypting = _each_ms(lambda: envelope.encrypt(RECORD, CONTEXT))
    sealed = envelope.encrypt(RECORD, CONTEXT)
    decrypting = _each_ms(lambda: envelope.decrypt(sealed, CONTEXT))
    suite.add("CPU of encrypting a record of 1 kB, besides KMS", encrypting, "ms")
    suite.add("CPU of decrypting it, besides KMS", decrypting, "ms")
    suite.add("bytes that the message adds to it", len(sealed.info) - len(RECORD), "bytes")
    suite.add("CPU of both, ours / bare AES-GCM", compare(ours, partial(_bare, RECORDS), ROUNDS).ratio, "x")

    suite.step("envelope: Material Providers Library")
    mpl = _Mpl()
    ratio = compare(ours, partial(mpl.run, RECORDS), ROUNDS).ratio
    mpl.close()
    suite.add("CPU of both, Material Providers Library / ours", 1 / ratio, "x", 5, "higher")

    suite.step("envelope: imports in fresh processes")
    imports = []
    for _ in range(8):
        mine = fresh_process(_IMPORT, paths=PATHS)
        mpl = _Mpl()
        mpl.close()
        imports.append((mine, mpl.import_ms))
    mine, theirs = (statistics.median(side) for side in zip(*imports[1:], strict=True))
    suite.add("import above boto3, ours", mine, "ms")
    suite.add("import above boto3, Material Providers Library", theirs, "ms")


def main() -> int:
    """Run everything; the number of bars missed."""
    one_core()
    suite = Suite("envelope", steps=STEPS)
    measure(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
