"""Records are encrypted, bound to their context, and refused when anything about them has changed."""

from __future__ import annotations

import base64
import gc
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import FunctionType, ModuleType
from typing import Any

import pytest
from aws_encryption_sdk import Algorithm, CommitmentPolicy, EncryptionSDKClient
from aws_encryption_sdk.identifiers import EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.raw import RawMasterKey
from botocore import exceptions as botocore
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from local.memory_kms import Region
from shared.envelope import (
    Envelope,
    EnvelopeError,
    KeyRefusedError,
    KeyUnavailableError,
    NoKeyError,
    PermanentError,
    Sealed,
    TamperedError,
    WrongContextError,
)
from shared.envelope._message import open_message

CONTEXT = {"user": "42", "version": "7"}
OTHER_CONTEXTS: list[dict[str, str]] = [
    {},
    {"user": "42"},
    {"user": "42", "version": "8"},
    {"user": "42", "Version": "7"},
    {"user": "42", "version": "7", "more": ""},
]

LONGEST = "x" * (65_535 - len("user") - 2 - 4)  # a number of pairs, and two lengths for each pair

CONTEXTS = st.dictionaries(
    st.text(max_size=20).filter(lambda name: not name.startswith("aws-crypto-")),
    st.text(max_size=20),
    max_size=4,
)

# What the first version of this library wrote with the data key 00 01 ... 1f and CONTEXT.
FIRST_VERSION = (
    "AgR4PcS0qqN2WXiN15E2w1aZ31RixNb9RTV08W6Mv9uu4XUAGAACAAR1c2VyAAI0MgAHdmVyc2lvbgABNwABAA9zaGFyZWQu"
    "ZW52ZWxvcGUAIGttcy1kYXRhLWtleQAAAIAAAAAMEOP0wG8ldGA0e0LiADA5SgtEJ+P1E22qKqfhwT0Azf86zKl+gFyhdKQX"
    "ipxROLdteLHS6/WKXoTxG1J5zDgCABAAAPTjXXUlYUZT/ePrD1QLLsV8q5F8JVZcm8gdakHn6ABeRgxgLwzq8wjaY+NYHkNh"
    "v/////8AAAABAAAAAAAAAAAAAAABAAAAHTBcLiXo22gxhRSrk28cnEsahnsnEiNw1bfSYCKTbR6pzcDKXUziPJnKkrA2/g=="
)


def changes(data: bytes) -> Iterator[bytes]:
    """The bytes with each bit flipped, with each possible end cut off, and with a byte more."""
    for at, byte in enumerate(data):
        for bit in range(8):
            yield data[:at] + bytes([byte ^ 1 << bit]) + data[at + 1 :]
    for length in range(len(data)):
        yield data[:length]
    yield data + b"\0"


# ---- round trips -----------------------------------------------------------------------------------------


@given(plaintext=st.binary(max_size=300), context=CONTEXTS)
def test_what_is_encrypted_is_decrypted(region: Region, plaintext: bytes, context: dict[str, str]) -> None:
    sealed = region.envelope.encrypt(plaintext, context)
    assert region.envelope.decrypt(sealed, context) == plaintext


@pytest.mark.parametrize("size", [0, 4_096, 2**20 - 1, 2**20, 2**20 + 1, 3 * 2**20])
def test_a_record_of_any_size_comes_back(europe: Region, size: int) -> None:
    plaintext = bytes(size)
    assert europe.envelope.decrypt(europe.envelope.encrypt(plaintext, CONTEXT), CONTEXT) == plaintext


def test_a_record_of_the_first_version_is_read() -> None:
    message = base64.b64decode(FIRST_VERSION)
    assert open_message(message, CONTEXT, lambda: bytes(range(32))) == b"a record of the first version"


def test_the_order_of_a_context_does_not_matter(europe: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    assert europe.envelope.decrypt(sealed, dict(reversed(CONTEXT.items()))) == b"data"


def test_no_plaintext_is_in_what_is_stored(europe: Region) -> None:
    sealed = europe.envelope.encrypt(b"ada@example.org", CONTEXT)
    assert b"ada@example" not in sealed.to_bytes()  # fewer bytes could be there by chance


@settings(max_examples=20)
@given(plaintext=st.binary(max_size=50))
def test_two_encryptions_never_share_a_data_key(region: Region, plaintext: bytes) -> None:
    sealed = [region.envelope.encrypt(plaintext, CONTEXT) for _ in range(4)]
    assert len({region.data_key(record, CONTEXT) for record in sealed}) == 4


# ---- KMS calls -------------------------------------------------------------------------------------------


def test_each_operation_is_one_kms_call(europe: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    assert europe.kms.calls == ["GenerateDataKey"]
    europe.envelope.decrypt(sealed, CONTEXT)
    assert europe.kms.calls == ["GenerateDataKey", "Decrypt"]


def test_wrapping_for_another_region_is_one_call_in_each(europe: Region, america: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    europe.kms.calls.clear()
    both = europe.envelope.wrap(sealed, CONTEXT, america.envelope)
    assert (europe.kms.calls, america.kms.calls) == (["Decrypt"], ["Encrypt"])
    assert both.info == sealed.info
    assert both.keys["eu-west-1"] == sealed.keys["eu-west-1"]
    assert set(both.keys) == {"eu-west-1", "us-east-1"}


def test_the_other_region_decrypts_alone(europe: Region, america: Region) -> None:
    both = europe.envelope.wrap(europe.envelope.encrypt(b"data", CONTEXT), CONTEXT, america.envelope)
    europe.kms.disabled.add(europe.key_id)
    assert america.envelope.decrypt(both, CONTEXT) == b"data"


# ---- what is refused -------------------------------------------------------------------------------------


def test_every_changed_bit_and_cut_of_the_message_is_refused(europe: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    key = europe.data_key(sealed, CONTEXT)
    for changed in changes(sealed.info):
        with pytest.raises(PermanentError):
            open_message(changed, CONTEXT, lambda: key)


def test_every_changed_bit_and_cut_of_the_wrapped_key_is_refused(europe: Region, america: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    for changed in changes(sealed.keys["eu-west-1"]):
        record = replace(sealed, keys={"eu-west-1": changed})
        with pytest.raises(PermanentError):
            europe.envelope.decrypt(record, CONTEXT)
        with pytest.raises(PermanentError):
            europe.envelope.wrap(record, CONTEXT, america.envelope)
    assert america.kms.calls == []


@given(info=st.binary(max_size=200))
def test_arbitrary_messages_are_refused(region: Region, info: bytes) -> None:
    with pytest.raises(PermanentError):
        region.envelope.decrypt(Sealed(info, {"eu-west-1": b"key"}), CONTEXT)


@given(written=CONTEXTS, expected=CONTEXTS)
def test_another_context_is_refused(
    region: Region, written: dict[str, str], expected: dict[str, str]
) -> None:
    assume(written != expected)
    sealed = region.envelope.encrypt(b"data", written)
    region.kms.calls.clear()
    with pytest.raises(WrongContextError):
        region.envelope.decrypt(sealed, expected)
    assert region.kms.calls == []


@pytest.mark.parametrize("context", OTHER_CONTEXTS)
def test_nothing_is_wrapped_for_another_context(
    europe: Region, america: Region, context: dict[str, str]
) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    with pytest.raises(TamperedError):
        europe.envelope.wrap(sealed, context, america.envelope)
    assert america.kms.calls == []


def test_a_record_whose_context_was_rewritten_is_refused(europe: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", {"user": "mallory"})
    moved = replace(sealed, info=sealed.info.replace(b"mallory", b"charlie"))
    with pytest.raises(TamperedError):
        europe.envelope.decrypt(moved, {"user": "charlie"})


def test_a_message_does_not_open_with_the_key_of_another_record(europe: Region) -> None:
    one, two = (europe.envelope.encrypt(b"data", CONTEXT) for _ in range(2))
    with pytest.raises(TamperedError):
        europe.envelope.decrypt(replace(one, keys=two.keys), CONTEXT)


@pytest.mark.parametrize(
    ("algorithm", "policy"),
    [
        (Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384, "REQUIRE_ENCRYPT_REQUIRE_DECRYPT"),
        (Algorithm.AES_256_GCM_IV12_TAG16_HKDF_SHA256, "FORBID_ENCRYPT_ALLOW_DECRYPT"),
        (Algorithm.AES_256_GCM_IV12_TAG16, "FORBID_ENCRYPT_ALLOW_DECRYPT"),
    ],
)
def test_another_algorithm_is_refused_before_any_call(
    europe: Region, algorithm: Algorithm, policy: str
) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    message, _ = EncryptionSDKClient(commitment_policy=CommitmentPolicy[policy]).encrypt(
        source=b"data",
        key_provider=master_key(europe.data_key(sealed, CONTEXT)),
        encryption_context=CONTEXT,
        algorithm=algorithm,
    )
    europe.kms.calls.clear()
    with pytest.raises(TamperedError):
        europe.envelope.decrypt(replace(sealed, info=message), CONTEXT)
    assert europe.kms.calls == []


def test_a_message_with_two_data_keys_is_refused_before_any_call(europe: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    key = master_key(europe.data_key(sealed, CONTEXT))
    key.master_keys_for_encryption = lambda **_: (key, [key, master_key(bytes(32))])
    message, _ = EncryptionSDKClient().encrypt(
        source=b"data",
        key_provider=key,
        encryption_context=CONTEXT,
        algorithm=Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY,
    )
    europe.kms.calls.clear()
    with pytest.raises(TamperedError):
        europe.envelope.decrypt(replace(sealed, info=message), CONTEXT)
    assert europe.kms.calls == []


def master_key(key: bytes) -> RawMasterKey:
    wrapping_key = WrappingKey(
        WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING, key, EncryptionKeyType.SYMMETRIC
    )
    return RawMasterKey(provider_id="shared.envelope", key_id=b"kms-data-key", wrapping_key=wrapping_key)


# ---- keys that are not there -----------------------------------------------------------------------------


def test_a_record_that_was_never_wrapped_for_a_region_is_refused_there(
    europe: Region, america: Region
) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    with pytest.raises(NoKeyError, match="no key of us-east-1") as caught:
        america.envelope.decrypt(sealed, CONTEXT)
    assert (caught.value.region, america.kms.calls) == ("us-east-1", [])


def test_a_shredded_record_is_lost_everywhere(europe: Region, america: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    shredded = europe.envelope.wrap(sealed, CONTEXT, america.envelope).without_keys()
    for region in (europe, america):
        with pytest.raises(NoKeyError):
            region.envelope.decrypt(shredded, CONTEXT)
        with pytest.raises(NoKeyError):
            region.envelope.wrap(shredded, CONTEXT, europe.envelope)


def test_a_key_that_another_kms_key_wrapped_is_refused(europe: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    other = Envelope(europe.kms.client, europe.kms.key(), "eu-west-1")
    with pytest.raises(KeyRefusedError) as caught:
        other.decrypt(sealed, CONTEXT)
    assert caught.value.code == "IncorrectKeyException"


def test_a_key_that_does_not_exist_is_refused(europe: Region) -> None:
    with pytest.raises(KeyRefusedError) as caught:
        Envelope(europe.kms.client, "no-such-key", "eu-west-1").encrypt(b"data", CONTEXT)
    assert (caught.value.region, caught.value.code) == ("eu-west-1", "NotFoundException")


def test_a_disabled_key_is_worth_another_try(europe: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    europe.kms.disabled.add(europe.key_id)
    with pytest.raises(KeyUnavailableError) as caught:
        europe.envelope.decrypt(sealed, CONTEXT)
    assert (caught.value.region, caught.value.code) == ("eu-west-1", "DisabledException")
    with pytest.raises(KeyUnavailableError):
        europe.envelope.encrypt(b"data", CONTEXT)
    europe.kms.disabled.clear()
    assert europe.envelope.decrypt(sealed, CONTEXT) == b"data"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (("ThrottlingException", 400), KeyUnavailableError),
        (("DependencyTimeoutException", 503), KeyUnavailableError),
        (("KMSInternalException", 500), KeyUnavailableError),
        (("KMSInvalidStateException", 409), KeyUnavailableError),
        (("KeyUnavailableException", 500), KeyUnavailableError),
        (("ServiceUnavailable", 503), KeyUnavailableError),
        (("AccessDeniedException", 400), KeyRefusedError),
        (("InvalidKeyUsageException", 400), KeyRefusedError),
        (("ExpiredTokenException", 400), KeyRefusedError),
    ],
)
def test_an_error_of_kms_says_whether_another_try_may_help(
    europe: Region, fault: tuple[str, int], expected: type[Any]
) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    europe.kms.fault = fault
    for operation in (
        lambda: europe.envelope.encrypt(b"data", CONTEXT),
        lambda: europe.envelope.decrypt(sealed, CONTEXT),
    ):
        with pytest.raises(expected) as caught:
            operation()
        assert (caught.value.region, caught.value.code) == ("eu-west-1", fault[0])


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (botocore.EndpointConnectionError(endpoint_url="https://kms"), KeyUnavailableError),
        (botocore.ConnectTimeoutError(endpoint_url="https://kms"), KeyUnavailableError),
        (botocore.ReadTimeoutError(endpoint_url="https://kms"), KeyUnavailableError),
        (botocore.ConnectionClosedError(endpoint_url="https://kms"), KeyUnavailableError),
        (botocore.NoCredentialsError(), KeyRefusedError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_a_lost_connection_is_worth_another_try(
    europe: Region, fault: Exception, expected: type[Any]
) -> None:
    europe.kms.fault = fault
    with pytest.raises(expected) as caught:
        europe.envelope.encrypt(b"data", CONTEXT)
    assert caught.value.code == type(fault).__name__


@pytest.mark.parametrize("failing", ["eu-west-1", "us-east-1"])
def test_an_error_of_wrapping_says_in_which_region(europe: Region, america: Region, failing: str) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    for region in (europe, america):
        if region.envelope.region == failing:
            region.kms.disabled.add(region.key_id)
    with pytest.raises(KeyUnavailableError) as caught:
        europe.envelope.wrap(sealed, CONTEXT, america.envelope)
    assert caught.value.region == failing


@pytest.mark.parametrize(
    "context", [{"aws-crypto-public-key": "x"}, {"user": LONGEST + "x"}, {"user": "\ud800"}]
)
def test_a_context_that_no_message_holds_is_refused_before_any_call(
    europe: Region, context: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"aws-crypto-|at most 65,535 bytes|surrogates"):
        europe.envelope.encrypt(b"data", context)
    assert europe.kms.calls == []


def test_the_longest_context_is_bound(europe: Region) -> None:
    context = {"user": LONGEST}
    assert europe.envelope.decrypt(europe.envelope.encrypt(b"data", context), context) == b"data"


# ---- secrets stay secret ---------------------------------------------------------------------------------


def test_nothing_about_a_record_is_logged(europe: Region, caplog: pytest.LogCaptureFixture) -> None:
    # Botocore itself logs bodies of requests and responses for debugging.
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "botocore")
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    europe.envelope.decrypt(sealed, CONTEXT)
    with pytest.raises(TamperedError):
        europe.envelope.decrypt(replace(sealed, info=sealed.info[:-1]), CONTEXT)
    assert [record.name for record in caplog.records if not record.name.startswith("urllib3")] == []


def test_an_error_keeps_no_data_key(europe: Region, america: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    key = europe.data_key(sealed, CONTEXT)
    america.kms.disabled.add(america.key_id)
    cut = replace(sealed, info=sealed.info[:-1])
    for failing in (
        lambda: europe.envelope.wrap(sealed, CONTEXT, america.envelope),
        lambda: europe.envelope.decrypt(cut, CONTEXT),
    ):
        with pytest.raises(EnvelopeError) as caught:
            failing()
        assert not any(isinstance(thing, bytes) and key in thing for thing in reachable(caught.value))


def reachable(error: BaseException) -> Iterator[object]:
    """What an error keeps alive: causes, the locals of its frames but this module's, and what they hold."""
    waiting: list[object] = []
    errors: list[BaseException | None] = [error]
    while errors:
        if (current := errors.pop()) is None:
            continue
        waiting += current.args, vars(current)
        errors += current.__cause__, current.__context__
        trace = current.__traceback__
        while trace:
            if trace.tb_frame.f_code.co_filename != __file__:
                waiting += trace.tb_frame.f_locals.values()
            trace = trace.tb_next
    seen: set[int] = set()
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, ModuleType | type):
            continue
        seen.add(id(thing))
        yield thing
        waiting += (thing.__closure__ or ()) if isinstance(thing, FunctionType) else gc.get_referents(thing)


# ---- imports ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        (
            "from shared.envelope import Sealed, KeyUnavailableError",
            "aws_encryption_sdk botocore cryptography",
        ),
        ("from shared.envelope import Envelope", "aws_cryptographic_material_providers"),
    ],
)
def test_no_more_is_imported_than_is_used(statement: str, absent: str) -> None:
    code = f"import sys; {statement}; sys.exit(' '.join(set('{absent}'.split()) & set(sys.modules)))"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == "\n"
