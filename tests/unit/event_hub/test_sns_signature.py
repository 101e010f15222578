"""Signed messages of events/event_hub/sns_signed, and what a forger may try with them."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from event_hub.sns_signature import NotVerifiedError, SnsMessage, verify

SIGNED = Path(__file__).parents[3] / "events/event_hub/sns_signed"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:suite-hub"
NOW = datetime(2026, 11, 20, 9, 16, tzinfo=UTC)
CERTIFICATE = (
    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
)

REAL = sorted(path.stem for path in SIGNED.glob("ok_*.json"))
FORGED = {
    "bad_cert_bucket_named_sns": "certificate_host",
    "bad_cert_http": "certificate_scheme",
    "bad_cert_other_path": "certificate_path",
    "bad_cert_other_region": "certificate_host",
    "bad_cert_port": "certificate_port",
    "bad_cert_prefix_host": "certificate_host",
    "bad_cert_query": "certificate_query",
    "bad_cert_s3": "certificate_host",
    "bad_cert_suffix_host": "certificate_host",
    "bad_cert_userinfo": "certificate_userinfo",
    "bad_confirm_url_elsewhere": "subscribe_address",
    "bad_empty_signature": "signature_missing",
    "bad_message_changed": "signature_wrong",
    "bad_no_signature": "signature_missing",
    "bad_old_timestamp": "timestamp_old",
    "bad_other_key": "signature_wrong",
    "bad_signature_fake": "signature_wrong",
    "bad_subject_moved": "signature_wrong",
    "bad_topic_changed": "topic_not_listed",
    "bad_topic_not_listed": "topic_not_listed",
    "bad_type_unknown": "type_unknown",
    "bad_version_3": "signature_version",
    "bad_version_downgraded": "signature_wrong",
    "bad_version_number": "signature_version",
    "bad_version_upgraded": "signature_wrong",
}


def message(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SIGNED / f"{name}.json").read_text())
    return loaded


class Certificates:
    """Serves one certificate for every address, and remembers which were asked for."""

    def __init__(self, pem: bytes = (SIGNED / "cert.pem").read_bytes()) -> None:
        self.pem = pem
        self.asked: list[str] = []

    def __call__(self, address: str) -> bytes:
        self.asked.append(address)
        return self.pem


def checked(body: dict[str, Any], load: Callable[[str], bytes] | None = None, **changes: Any) -> SnsMessage:
    arguments: dict[str, Any] = {"topics": (TOPIC,), "now": NOW} | changes
    return verify(body, load=load or Certificates(), **arguments)


def reason(body: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(NotVerifiedError) as refused:
        checked(body, **changes)
    return refused.value.reason


@pytest.mark.parametrize("name", REAL)
def test_real_message_is_verified(name: str) -> None:
    body = message(name)
    verified = checked(body)
    assert verified.topic_arn == TOPIC
    assert (verified.type, verified.message_id) == (body["Type"], body["MessageId"])
    assert (verified.message, verified.token) == (body["Message"], body.get("Token", ""))


@pytest.mark.parametrize(("name", "why"), FORGED.items())
def test_forged_message_is_refused_with_its_reason(name: str, why: str) -> None:
    assert reason(message(name)) == why


def test_every_recorded_message_is_tested() -> None:
    assert {path.stem for path in SIGNED.glob("*.json")} == {*REAL, *FORGED}
    assert (len(REAL), len(FORGED)) == (9, 25)


@pytest.mark.parametrize("name", [name for name, why in FORGED.items() if why != "signature_wrong"])
def test_nothing_is_fetched_for_what_is_refused_at_sight(name: str) -> None:
    certificates = Certificates()
    with pytest.raises(NotVerifiedError):
        checked(message(name), certificates)
    assert certificates.asked == []


def test_certificate_is_fetched_from_the_topics_region_alone() -> None:
    certificates = Certificates()
    checked(message("ok_v2"), certificates)
    assert certificates.asked == [CERTIFICATE]


# ---- beside the recorded ones: signed by a key of the test's own


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    builder = builder.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=1))
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def signed(key: rsa.RSAPrivateKey, **changes: Any) -> dict[str, Any]:
    """A notification as AWS's guide says to build the text that is signed."""
    body = message("ok_v2") | changes
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    text = "".join(f"{name}\n{body[name]}\n" for name in names if name in body)
    return body | {"Signature": base64.b64encode(key.sign(text.encode(), PKCS1v15(), SHA256())).decode()}


def test_part_of_a_message_cannot_become_another_field(key: rsa.RSAPrivateKey) -> None:
    """The same signed text, cut elsewhere: what a publisher may write would become the subject."""
    other = "11111111-2222-4333-8444-555555555555"
    load = Certificates(certificate(key))
    real = signed(key, Message=f"a\nMessageId\n{other}\nSubject\nb")
    assert checked(real, load).message.startswith("a\n")
    cut = real | {"Message": "a", "MessageId": other, "Subject": f"b\nMessageId\n{real['MessageId']}"}
    assert reason(cut, load=load) == "field_malformed"
    cut = real | {"Message": "a", "MessageId": f"{other}\nSubject\nb\nMessageId\n{real['MessageId']}"}
    assert reason(cut, load=load) == "field_malformed"


@pytest.mark.parametrize(
    ("topic", "host"),
    [
        ("arn:aws-cn:sns:cn-north-1:123456789012:hub", "sns.cn-north-1.amazonaws.com.cn"),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:hub", "sns.us-gov-west-1.amazonaws.com"),
        ("arn:aws:sns:us-east-1:123456789012:hub.fifo", "sns.us-east-1.amazonaws.com"),
    ],
)
def test_each_partition_has_its_own_host(key: rsa.RSAPrivateKey, topic: str, host: str) -> None:
    load = Certificates(certificate(key))
    address = f"https://{host}/SimpleNotificationService-{'0' * 32}.pem"
    body = signed(key, TopicArn=topic, SigningCertURL=address)
    assert checked(body, load, topics=(topic,)).topic_arn == topic
    assert reason(body | {"SigningCertURL": CERTIFICATE}, topics=(topic,)) == "certificate_host"


@pytest.mark.parametrize(
    "address",
    [
        CERTIFICATE + "#x",
        CERTIFICATE + "\n",
        CERTIFICATE + "/../x",
        CERTIFICATE.replace("/Simple", "//Simple"),
        CERTIFICATE.replace("sns.eu", "SNS.eu"),
        CERTIFICATE.replace("/Simple", "\\@evil.example/Simple"),
        CERTIFICATE.replace(".com/", ".com:443/"),
        CERTIFICATE.replace(".com/", ".com./"),
        "https://[",
        "",
        None,
        7,
    ],
)
def test_other_spellings_of_the_certificates_address_are_refused(address: Any) -> None:
    assert reason(message("ok_v2") | {"SigningCertURL": address}).startswith("certificate_")


@pytest.mark.parametrize(
    ("seconds", "why"),
    [(0, ""), (3500, ""), (3661, "timestamp_old"), (-240, ""), (-400, "timestamp_ahead")],
)
def test_message_is_taken_for_an_hour(seconds: int, why: str) -> None:
    now = datetime(2026, 11, 20, 9, 15, 43, tzinfo=UTC) + timedelta(seconds=seconds)
    assert (reason(message("ok_v2"), now=now) if why else checked(message("ok_v2"), now=now) and "") == why


@pytest.mark.parametrize("text", ["2026-02-30T00:00:00Z", "2026-11-20 09:15:42Z", "1795166142", "", None])
def test_timestamp_that_is_none_is_refused(text: Any) -> None:
    assert reason(message("ok_v2") | {"Timestamp": text}) == "timestamp_malformed"


def test_certificate_is_used_in_its_own_time_alone(key: rsa.RSAPrivateKey) -> None:
    load = Certificates(certificate(key))
    late = (NOW + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    now = NOW + timedelta(days=2)
    assert reason(signed(key, Timestamp=late), load=load, now=now) == "certificate_expired"


@pytest.mark.parametrize("pem", [b"", b"<html>", certificate(ec.generate_private_key(ec.SECP256R1()))])
def test_certificate_without_an_rsa_key_is_refused(pem: bytes) -> None:
    assert reason(message("ok_v2"), load=Certificates(pem)) == "certificate_unusable"


@pytest.mark.parametrize("signature", ["%%%", "FAK", "é"])
def test_signature_that_is_no_base64_is_refused(signature: str) -> None:
    assert reason(message("ok_v2") | {"Signature": signature}) == "signature_malformed"


@pytest.mark.parametrize("name", ["Message", "MessageId", "Token", "SubscribeURL", "Type", "TopicArn"])
@pytest.mark.parametrize("value", [None, 1, ["x"], {"a": 1}, True])
def test_fields_of_another_type_are_refused(name: str, value: Any) -> None:
    assert reason(message("ok_confirm_v2") | {name: value})


def test_unavailable_certificate_is_no_verdict() -> None:
    def unavailable(address: str) -> bytes:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        checked(message("ok_v2"), unavailable)
