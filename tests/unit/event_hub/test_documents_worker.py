"""The documents worker on its recorded events, with a bucket in memory. Text needs no LibreOffice."""

import copy
import hashlib
import json
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pypdf import PdfReader

from event_hub.documents import encoding, libreoffice, worker
from event_hub.documents.errors import RefusedError
from event_hub.documents.storage import Made, Upload, is_made, output_key
from event_hub.documents.worker import handler
from shared import clients

EVENTS = Path(__file__).parents[3] / "events/event_hub"
INPUT, OUTPUT = "cv-inbox-123456789012", "pdfs"


class Memory:
    """As much of S3 and SQS as the worker calls: objects by bucket and key, dead letters by reason."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.letters: list[str] = []
        self.puts: list[str] = []
        self.reads = 0

    def upload(self, key: str, body: bytes) -> str:
        etag = _etag(body)
        self.objects[INPUT, key] = {"Body": body, "Metadata": {}, "ETag": etag}
        return etag

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        if (Bucket, Key) not in self.objects:
            raise _error("404")
        return self.objects[Bucket, Key]

    def get_object(self, *, Bucket: str, Key: str, IfMatch: str) -> dict[str, Any]:  # noqa: N803
        self.reads += 1
        if (Bucket, Key) not in self.objects:
            raise _error("NoSuchKey")
        found = self.objects[Bucket, Key]
        if found["ETag"] != IfMatch:
            raise _error("PreconditionFailed")
        return found | {"Body": BytesIO(found["Body"]), "ContentLength": len(found["Body"])}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **request: Any) -> None:  # noqa: N803
        there = self.objects.get((Bucket, Key))
        etag = there["ETag"] if there else None
        if ("IfNoneMatch" in request and there) or request.get("IfMatch", etag) != etag:
            raise _error("PreconditionFailed")
        self.puts.append(Key)
        self.objects[Bucket, Key] = {
            "Body": Body,
            "Metadata": request["Metadata"],
            "ETag": _etag(Body + str(len(self.puts)).encode()),
        }

    def send_message(self, *, MessageAttributes: dict[str, Any], **_: Any) -> None:  # noqa: N803
        self.letters.append(MessageAttributes["reason"]["StringValue"])

    def change_message_visibility(self, **_: Any) -> None:
        pass

    meta = SimpleNamespace(endpoint_url="https://sqs.eu-west-1.amazonaws.com")

    def text(self, key: str) -> str:
        return PdfReader(BytesIO(self.objects[OUTPUT, key]["Body"])).pages[0].extract_text().strip()


def _etag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "Any")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Memory:
    made = Memory()
    monkeypatch.setattr(clients, "_client", lambda _service, _timeout, **_: made)
    monkeypatch.setattr(libreoffice, "program", lambda: None)
    monkeypatch.setenv("INPUT_BUCKET", INPUT)
    monkeypatch.setenv("OUTPUT_BUCKET", OUTPUT)
    monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/dead")
    for name in ("OUTPUT_PREFIX", "RETRY_SECONDS", "MAX_BYTES"):
        monkeypatch.delenv(name, raising=False)
    return made


def recorded(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"documents_{name}.json").read_text())
    return event


def told_of(name: str, **members: str) -> dict[str, Any]:
    """A recorded event about other objects: members of `object`, the key as the event has it."""
    event = recorded(name)
    body = event["Records"][0]["body"]
    for before, after in members.items():
        body = body.replace(before, after)
    event["Records"][0]["body"] = body
    return event


def run(event: dict[str, Any], seconds: float = 300) -> list[str]:
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: int(seconds * 1000))
    answer = handler(event, context)  # type: ignore[arg-type]
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


ETAG = "0123456789abcdef0123456789abcdef"
PLAIN = "letters/plain.txt"


def about(etag: str, *, sequencer: str = "0065A1B2C3D4E5F607", key: str = PLAIN) -> dict[str, Any]:
    event = recorded("raw")
    notification = json.loads(event["Records"][0]["body"])
    notification["Records"][0]["s3"]["object"] |= {"key": key, "eTag": etag, "sequencer": sequencer}
    event["Records"][0]["body"] = json.dumps(notification)
    return event


def test_uploaded_text_becomes_a_pdf(aws: Memory) -> None:
    assert run(about(aws.upload(PLAIN, b"Dear Zo\xc3\xab"))) == []
    assert aws.text("pdf/letters/plain.txt.pdf") == "Dear Zoë"
    assert aws.letters == []


def test_key_in_sns_is_decoded_and_in_eventbridge_it_is_not(aws: Memory) -> None:
    coded = "2026/résumé of Zoë & Co.docx"
    event = told_of("uploaded", **{ETAG: aws.upload(coded, b"text")})
    assert run(event) == []
    assert aws.letters == ["content_differs_from_name"]  # it was found, and is no docx
    literal = "letters/100%25+1.txt"
    assert run(told_of("eventbridge", **{ETAG: aws.upload(literal, b"as it is")})) == []
    assert aws.text(f"pdf/{literal}.pdf") == "as it is"


def test_test_event_is_ignored(aws: Memory) -> None:
    assert run(recorded("test_event")) == []
    assert (aws.letters, aws.reads) == ([], 0)


def test_each_of_two_records_is_answered(aws: Memory) -> None:
    event = told_of("two_records", **{"a.odt": "a.txt", "b.rtf": "b.txt", ETAG: aws.upload("b.txt", b"b")})
    assert run(event) == []
    assert aws.text("pdf/b.txt.pdf") == "b"
    assert aws.letters == ["original_missing"]


def test_middle_message_fails_alone(aws: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    event = about(aws.upload(PLAIN, b"x"))
    [record] = event["Records"]
    event["Records"] = [copy.deepcopy(record) | {"messageId": name} for name in ("one", "two", "three")]
    failing = iter([False, True, False])
    encode = worker._encode

    def sometimes(*arguments: Any) -> None:
        if next(failing):
            raise _error("SlowDown")
        encode(*arguments)

    monkeypatch.setattr(worker, "_encode", sometimes)
    assert run(event) == ["two"]


@pytest.mark.parametrize("body", ["hello", "{}", '{"Type": "Notification"}', '{"Records": [{}]}', "[1]"])
def test_message_that_is_no_publishers_is_dead_lettered(aws: Memory, body: str) -> None:
    event = recorded("raw")
    event["Records"][0]["body"] = body
    assert run(event) == []
    assert len(aws.letters) == 1


def test_too_little_time_brings_the_message_back(aws: Memory) -> None:
    event = about(aws.upload(PLAIN, b"x"))
    assert run(event, seconds=30) == [event["Records"][0]["messageId"]]
    assert aws.reads == 0


# ---- what is stored, and in which order


def test_repeated_event_stores_nothing_again(aws: Memory) -> None:
    event = about(aws.upload(PLAIN, b"x"))
    for _ in range(3):
        assert run(event) == []
    assert len(aws.puts) == 1
    assert aws.reads == 1


def test_newer_upload_replaces_the_pdf(aws: Memory) -> None:
    run(about(aws.upload(PLAIN, b"first"), sequencer="0065A1"))
    run(about(aws.upload(PLAIN, b"second"), sequencer="0065A2"))
    assert aws.text(f"pdf/{PLAIN}.pdf") == "second"


def test_older_event_never_replaces_a_newer_pdf(aws: Memory) -> None:
    old = about(aws.upload(PLAIN, b"first"), sequencer="0065A1")
    run(about(aws.upload(PLAIN, b"second"), sequencer="0065A2"))
    assert run(old) == []
    aws.upload(PLAIN, b"first")  # even if the content comes back
    assert run(old) == []
    assert aws.text(f"pdf/{PLAIN}.pdf") == "second"
    assert len(aws.puts) == 1


def test_event_of_replaced_original_is_done(aws: Memory) -> None:
    old = about(aws.upload(PLAIN, b"first"))
    aws.upload(PLAIN, b"second")
    assert run(old) == []
    assert (aws.puts, aws.letters) == ([], [])


@pytest.mark.parametrize("metadata", [{}, {"made-by": "somebody"}])
def test_object_of_somebody_else_is_not_overwritten(aws: Memory, metadata: dict[str, str]) -> None:
    aws.objects[OUTPUT, f"pdf/{PLAIN}.pdf"] = {"Body": b"theirs", "Metadata": metadata, "ETag": "x"}
    assert run(about(aws.upload(PLAIN, b"x"))) == []
    assert aws.letters == ["output_not_made_here"]
    assert aws.objects[OUTPUT, f"pdf/{PLAIN}.pdf"]["Body"] == b"theirs"


def test_newer_pdf_that_comes_meanwhile_stays(aws: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = about(aws.upload(PLAIN, b"same"), sequencer="0065A2")
    old = about(aws.upload(PLAIN, b"same"), sequencer="0065A1")
    encode = encoding.encoded

    def overtaken(original: bytes, key: str) -> bytes:
        monkeypatch.setattr(encoding, "encoded", encode)
        run(newest)
        return encode(original, key)

    monkeypatch.setattr(encoding, "encoded", overtaken)
    assert run(old) == []
    assert len(aws.puts) == 1
    assert aws.objects[OUTPUT, f"pdf/{PLAIN}.pdf"]["Metadata"]["source-sequencer"] == "0065A2"


@pytest.mark.parametrize(
    ("one", "other", "is_newer"),
    [
        ("0055AED6DCD90281E5", "0055AED6DCD90281E4", True),
        ("0055AED6DCD90281E5", "0055AED6DCD90281E5", True),
        ("0055AED6DCD90281E4", "0055AED6DCD90281E5", False),
        ("00B", "00A9", True),  # padded on the right
        ("00A", "00A1", False),
        ("00A", "00A0", True),
        ("00a1", "00A1", True),
        ("00A1", "00a1", True),
    ],
)
def test_sequencers_are_padded_on_the_right(one: str, other: str, is_newer: bool) -> None:
    assert is_made(Made("etag", one), Upload("b", "k", "e", other)) is is_newer


@pytest.mark.parametrize("sequencer", ["", "x", "0" * 65])
def test_event_without_sequencer_is_refused(aws: Memory, sequencer: str) -> None:
    assert run(about(aws.upload(PLAIN, b"x"), sequencer=sequencer)) == []
    assert aws.letters == ["event_without_sequencer"]


# ---- keys, buckets, sizes


@pytest.mark.parametrize(
    "key",
    [
        "../a.txt",
        "a/../../b.txt",
        "./a.txt",
        "/etc/a.txt",
        "a//b.txt",
        "a\\..\\b.txt",
        "a/..",
        "a\n.txt",
        "a\0.txt",
    ],
)
def test_key_that_leads_out_of_a_folder_is_refused(key: str) -> None:
    with pytest.raises(RefusedError, match="key_unsafe"):
        output_key("pdf", key)


def test_key_of_a_pdf_has_at_most_1024_bytes() -> None:
    assert len(output_key("pdf", "ë" * 508)) == 3 + 1 + 508 + 4
    with pytest.raises(RefusedError, match="key_too_long"):
        output_key("pdf", "ë" * 509)


def test_other_buckets_are_refused(aws: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPUT_BUCKET", "another")
    assert run(about(aws.upload(PLAIN, b"x"))) == []
    assert (aws.letters, aws.reads) == (["foreign_bucket"], 0)


def test_original_that_is_too_large_is_not_read(aws: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_BYTES", "10")
    assert run(about(aws.upload(PLAIN, b"x" * 11))) == []
    assert aws.letters == ["original_too_large"]


def test_without_libreoffice_other_formats_are_refused_by_name(aws: Memory) -> None:
    assert run(about(aws.upload("a.rtf", b"{\\rtf1 x}"), key="a.rtf")) == []
    assert aws.letters == ["needs_libreoffice"]
