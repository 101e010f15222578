"""Verifies messages that Amazon SNS sends by HTTP: who comes to the door may be anybody.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html: "Always retrieve the signing
certificate using HTTPS", "The certificate should come from an SNS-signed URL", "Reject any message with an
unexpected TopicArn to prevent spoofing". A message is refused before anything is fetched, unless its topic is
listed and its certificate is the topic's own region's::

    verified = verify(message, topics=("arn:aws:sns:eu-west-1:123456789012:suite-hub",), now=now, load=load)

What the signature does not cover is not verified, and not in the result: `MessageAttributes`,
`UnsubscribeURL`. They are what somebody says who has once seen a real message.

NotVerifiedError    says why, by a name of `Reason`
"""

import base64
import binascii
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from shared.http import ReasonError

__all__ = ["CertificateLoader", "NotVerifiedError", "Reason", "SnsMessage", "SnsType", "verify"]

type CertificateLoader = Callable[[str], bytes]
"""Fetches a certificate in PEM from an address that is the topic's SNS's own; raises `OSError`."""

type SnsType = Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]

type Reason = Literal[
    "type_unknown",
    "topic_not_listed",
    "field_malformed",
    "timestamp_malformed",
    "timestamp_old",
    "timestamp_ahead",
    "signature_version",
    "signature_missing",
    "signature_malformed",
    "certificate_scheme",
    "certificate_userinfo",
    "certificate_port",
    "certificate_host",
    "certificate_query",
    "certificate_path",
    "subscribe_address",
    "certificate_unusable",
    "certificate_expired",
    "signature_wrong",
]
"""Why a message is refused, in the order in which it is looked at."""

MAX_AGE = timedelta(hours=1)
"""The suite's limit, so that a message that was overheard is of no use later. A delivery that SNS tries again
for longer than that ends in the subscription's dead-letter queue."""
MAX_AHEAD = timedelta(minutes=5)  # clocks differ

_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED: dict[str, tuple[str, ...]] = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
"""The fields that are signed, in their order; a notification without a subject has none."""

# The signed text is the fields' names and values, a line each. Only the message may hold line breaks, or a
# part of it could be passed off as another field.
_FORMS = {
    "Message": re.compile(r"[\s\S]*"),
    "MessageId": re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "Subject": re.compile(r"[^\x00-\x1f\x7f]*"),
    "SubscribeURL": re.compile(r"[\x21-\x7e]+"),
    "Timestamp": re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z", re.ASCII),
    "Token": re.compile(r"[0-9A-Za-z-]+"),
    "TopicArn": re.compile(r"[!-~]+"),
    "Type": re.compile(r"[A-Za-z]+"),
}
_VERSIONS: dict[str, Callable[[], HashAlgorithm]] = {"1": SHA1, "2": SHA256}
_TOPIC = re.compile(
    r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z]{2,4}(?:-[a-z]+)+-\d):\d{12}:[\w-]{1,256}(?:\.fifo)?"
)
_SUFFIX = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com"}
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-f]+\.pem")


class NotVerifiedError(ReasonError):
    """A message that is not shown to be SNS's.

    Attributes:
        reason: Why, by name.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class SnsMessage(NamedTuple):
    """What is verified of a message.

    Attributes:
        type: `Notification`, or a confirmation.
        topic_arn: A listed topic.
        region: The topic's.
        message_id: A UUID; the same one each time that SNS tries again.
        message: The text that was published.
        token: Of a confirmation; empty otherwise.
        signed: The fields under the signature, `Type` among them: all that may be passed on.
    """

    type: SnsType
    topic_arn: str
    region: str
    message_id: str
    message: str
    token: str
    signed: Mapping[str, str]


def verify(
    message: Mapping[str, Any],
    *,
    topics: Collection[str],
    now: datetime,
    load: CertificateLoader,
    endpoint: str = "",
) -> SnsMessage:
    """The verified part of a message.

    Args:
        message: The body of the request, parsed; without repeated members, since a reader of the text might
            take the other one.
        topics: ARNs of the topics that may send here.
        now: With a time zone.
        load: Fetches the certificate.
        endpoint: Where SNS is if it is not AWS's: the local engine's base address.

    Raises:
        NotVerifiedError: It is not SNS's, not for us, or too old.
        OSError: The certificate could not be fetched.
    """
    kind = message.get("Type")
    if not isinstance(kind, str) or kind not in _SIGNED:
        raise NotVerifiedError("type_unknown")
    topic = message.get("TopicArn")
    match = _TOPIC.fullmatch(topic) if isinstance(topic, str) and topic in topics else None
    if match is None:
        raise NotVerifiedError("topic_not_listed")
    partition, region = match.groups()
    fields = _fields(message, _SIGNED[kind])
    _check_time(fields["Timestamp"], now)
    algorithm, signature = _signature(message)
    base = endpoint or f"https://sns.{region}.{_SUFFIX[partition]}"
    address = _certificate_address(message.get("SigningCertURL"), base)
    if "SubscribeURL" in fields and not fields["SubscribeURL"].startswith(
        f"{base}/?Action=ConfirmSubscription&"
    ):
        raise NotVerifiedError("subscribe_address")
    text = "".join(f"{name}\n{value}\n" for name, value in fields.items())
    try:
        _key(load(address), now).verify(signature, text.encode(), PKCS1v15(), algorithm)
    except InvalidSignature:
        raise NotVerifiedError("signature_wrong") from None
    return SnsMessage(
        kind,  # type: ignore[arg-type]  # a key of _SIGNED
        fields["TopicArn"],
        region,
        fields["MessageId"],
        fields["Message"],
        fields.get("Token", ""),
        fields,
    )


def _fields(message: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    """The signed fields in their order."""
    found: dict[str, str] = {}
    for name in names:
        if name == "Subject" and message.get(name) is None:
            continue
        value = message.get(name)
        if not isinstance(value, str) or not _FORMS[name].fullmatch(value):
            raise NotVerifiedError("timestamp_malformed" if name == "Timestamp" else "field_malformed")
        found[name] = value
    return found


def _check_time(text: str, now: datetime) -> None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:  # the 30th of February
        raise NotVerifiedError("timestamp_malformed") from None
    if now - moment > MAX_AGE:
        raise NotVerifiedError("timestamp_old")
    if moment - now > MAX_AHEAD:
        raise NotVerifiedError("timestamp_ahead")


def _signature(message: Mapping[str, Any]) -> tuple[HashAlgorithm, bytes]:
    version = message.get("SignatureVersion")
    if not isinstance(version, str) or version not in _VERSIONS:
        raise NotVerifiedError("signature_version")
    signature = message.get("Signature")
    if not isinstance(signature, str) or not signature:
        raise NotVerifiedError("signature_missing")
    try:
        return _VERSIONS[version](), base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise NotVerifiedError("signature_malformed") from None


def _certificate_address(given: Any, base: str) -> str:
    """The address of the certificate, if it is exactly one of the topic's SNS.

    Args:
        given: What the message says.
        base: The address of the topic's SNS.
    """
    if isinstance(given, str) and given.startswith(base) and _CERTIFICATE.fullmatch(given[len(base) :]):
        return given
    raise NotVerifiedError(_difference(given, base))


def _difference(given: Any, base: str) -> Reason:
    """What is wrong with an address that is not the certificate's."""
    try:
        address, right = urlsplit(given if isinstance(given, str) else ""), urlsplit(base)
        wrong: dict[Reason, bool] = {
            "certificate_scheme": address.scheme != right.scheme,
            "certificate_userinfo": "@" in address.netloc,
            "certificate_host": address.hostname != right.hostname,
            "certificate_port": address.port != right.port,
            "certificate_query": bool(address.query or address.fragment),
        }
    except ValueError:  # no address at all
        return "certificate_host"
    return next((reason for reason, is_so in wrong.items() if is_so), "certificate_path")


def _key(pem: bytes, now: datetime) -> RSAPublicKey:
    """The key of a certificate.

    Raises:
        NotVerifiedError: There is none, or its time is over.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
    except (ValueError, TypeError):
        raise NotVerifiedError("certificate_unusable") from None
    if not isinstance(key, RSAPublicKey):
        raise NotVerifiedError("certificate_unusable")
    if not certificate.not_valid_before_utc <= now.astimezone(UTC) <= certificate.not_valid_after_utc:
        raise NotVerifiedError("certificate_expired")
    return key
