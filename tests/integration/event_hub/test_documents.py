"""Uploads become PDF: bucket, topic, queue, function, bucket."""

from __future__ import annotations

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pypdf import PdfReader

from datagen.office import docx, docx_with_relationship, paragraphs, picture
from event_hub.documents import encoding, libreoffice, worker
from event_hub.documents.settings import DocumentSettings
from event_hub.documents.storage import Upload
from local.clients.hub import letters
from local.suite import Suite
from shared import clients
from tests.support.waiting import wait_until

needs_libreoffice = pytest.mark.skipif(
    libreoffice.program() is None,
    reason="no LibreOffice: 'apt install libreoffice-writer-nogui' gets it",
)

pytestmark = pytest.mark.timeout(600)  # an encoding takes seconds where other lanes want the processor, too
_SECONDS = 240


@pytest.fixture
def folder() -> str:
    return f"2026/{uuid.uuid4().hex[:8]}"


def upload(suite: Suite, key: str, body: bytes) -> str:
    answer = suite.client("s3").put_object(Bucket=suite["HubInboxBucketName"], Key=key, Body=body)
    return str(answer["ETag"]).strip('"')


def stored(suite: Suite, key: str) -> dict[str, Any] | None:
    """The PDF of a document, with its body read."""
    try:
        answer = suite.client("s3").get_object(Bucket=suite["HubOutputBucketName"], Key=f"pdf/{key}.pdf")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchKey"  # noqa: PT017
        return None
    return {**answer, "Body": answer["Body"].read()}


def pdf_of(suite: Suite, key: str) -> dict[str, Any]:
    wait_until(lambda: stored(suite, key) is not None, seconds=_SECONDS, what=f"the PDF of {key}")
    made = stored(suite, key)
    assert made
    return made


def text(pdf: dict[str, Any]) -> str:
    return " ".join(page.extract_text() for page in PdfReader(BytesIO(pdf["Body"])).pages).strip()


def dead_letter(suite: Suite, key: str) -> str:
    """The reason with which a document was set aside."""

    def found() -> str:
        told = letters(suite, "HubDocumentsDeadLetterQueueUrl").items()
        return next((reason for body, reason in told if key in body), "")

    return wait_until(found, seconds=_SECONDS, what=f"a dead letter about {key}")


def notification(suite: Suite, key: str, etag: str, sequencer: str) -> str:
    """What S3 publishes, in SNS's envelope."""
    item = {"key": key, "size": 1, "eTag": etag, "sequencer": sequencer}
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": suite["HubInboxBucketName"]}, "object": item},
    }
    envelope = {"Type": "Notification", "TopicArn": suite["HubTopicArn"], "MessageId": str(uuid.uuid4())}
    return json.dumps(envelope | {"Message": json.dumps({"Records": [record]})})


@needs_libreoffice
def test_uploaded_document_becomes_a_pdf_with_its_text(suite: Suite, folder: str) -> None:
    key = f"{folder}/résumé of Zoë & Co+1.docx"
    etag = upload(suite, key, docx(paragraphs("Dear Zoë")))
    made = pdf_of(suite, key)
    assert text(made) == "Dear Zoë"
    assert made["ContentType"] == "application/pdf"
    assert made["Metadata"]["made-by"] == "event-hub-documents"
    assert made["Metadata"]["source-etag"] == etag


def test_uploaded_text_becomes_a_pdf(suite: Suite, folder: str) -> None:
    key = f"{folder}/letter.txt"
    upload(suite, key, "Zoë, Ελλάδα".encode())
    assert text(pdf_of(suite, key)) == "Zoë, Ελλάδα"


def test_event_that_comes_three_times_at_once_makes_one_pdf(suite: Suite, folder: str) -> None:
    key = f"{folder}/thrice.txt"
    etag = upload(suite, key, b"once")
    made = pdf_of(suite, key)
    again = notification(suite, key, etag, made["Metadata"]["source-sequencer"])
    sqs = suite.client("sqs")

    def send(body: str) -> None:
        sqs.send_message(QueueUrl=suite["HubDocumentsQueueUrl"], MessageBody=body)

    with ThreadPoolExecutor() as pool:
        list(pool.map(send, [again] * 3))
    _drained(suite)
    after = stored(suite, key)
    assert after
    assert (after["ETag"], after["LastModified"]) == (made["ETag"], made["LastModified"])


def test_three_workers_at_once_store_one_version(
    suite: Suite, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3's own condition decides: a versioned bucket shows how often there was a write."""
    s3, bucket = suite.client("s3"), f"documents-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    key = f"{folder}/race.txt"
    etag = s3.put_object(Bucket=bucket, Key=key, Body=b"once")["ETag"].strip('"')
    monkeypatch.setattr(clients, "_client", lambda service, _timeout: suite.client(service))
    settings = DocumentSettings(input_bucket=bucket, output_bucket=bucket, dead_letter_queue_url="none")
    together = threading.Barrier(3)
    encode = encoding.encoded

    def encoded_together(original: bytes, name: str) -> bytes:
        made = encode(original, name)
        together.wait(timeout=60)  # all three have looked, and there was nothing
        return made

    monkeypatch.setattr(encoding, "encoded", encoded_together)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: worker._encode(settings, Upload(bucket, key, etag, "00A1")), range(3)))
    versions = s3.list_object_versions(Bucket=bucket, Prefix=f"pdf/{key}.pdf")["Versions"]
    assert len(versions) == 1


def test_newer_upload_replaces_the_pdf_and_an_older_event_does_not(suite: Suite, folder: str) -> None:
    key = f"{folder}/twice.txt"
    first = upload(suite, key, b"first")
    before = pdf_of(suite, key)["Metadata"]["source-sequencer"]
    upload(suite, key, b"second")
    wait_until(lambda: text(pdf_of(suite, key)) == "second", seconds=_SECONDS)
    old = notification(suite, key, first, before)
    suite.client("sqs").send_message(QueueUrl=suite["HubDocumentsQueueUrl"], MessageBody=old)
    _drained(suite)
    assert text(pdf_of(suite, key)) == "second"


def _drained(suite: Suite) -> None:
    """Wait until the documents queue has nothing, neither waiting nor being worked at."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def empty() -> bool:
        answer = suite.client("sqs").get_queue_attributes(
            QueueUrl=suite["HubDocumentsQueueUrl"], AttributeNames=names
        )
        return all(int(answer["Attributes"][name]) == 0 for name in names)

    wait_until(empty, seconds=_SECONDS, what="an empty queue of documents")


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("page.docx", b"<html><img src='http://127.0.0.1/x.png'></html>", "html"),
        ("macros.docx", docx(paragraphs("x"), macros=True), "macros"),
        ("bomb.docx", docx(f"<w:p><w:r><w:t>{'A' * 20_000_000}</w:t></w:r></w:p>"), "archive_bomb"),
        ("nothing.txt", b"", "empty"),
        ("picture.png", b"\x89PNG", "format_not_supported"),
    ],
)
def test_refused_document_is_set_aside_with_its_reason(
    suite: Suite, folder: str, name: str, body: bytes, reason: str
) -> None:
    key = f"{folder}/{name}"
    upload(suite, key, body)
    assert dead_letter(suite, key) == reason
    assert stored(suite, key) is None


@needs_libreoffice
def test_document_that_links_to_the_suites_own_address_is_encoded_without_it(
    suite: Suite, folder: str
) -> None:
    """The engine would log the request as one of a stranger."""
    key = f"{folder}/linked.docx"
    address = f"{suite.engine.endpoint}/_health?from={uuid.uuid4()}"
    upload(suite, key, docx_with_relationship("image", address, paragraphs("text") + picture("rId9")))
    assert text(pdf_of(suite, key)) == "text"


def test_object_of_somebody_else_stays(suite: Suite, folder: str) -> None:
    key = f"{folder}/mine.txt"
    place = {"Bucket": suite["HubOutputBucketName"], "Key": f"pdf/{key}.pdf"}
    suite.client("s3").put_object(**place, Body=b"mine")
    upload(suite, key, b"x")
    assert dead_letter(suite, key) == "output_not_made_here"
    assert suite.client("s3").get_object(**place)["Body"].read() == b"mine"
