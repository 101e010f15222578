"""Every row of the contract's table of bad input, through the website or the API's real front door."""

from __future__ import annotations

import io
import json
import struct
import time
import uuid
import zlib
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from PIL import Image

from datagen.pictures import (
    animation,
    chunk,
    empty_blocks,
    encode,
    gif,
    photograph,
    png,
    png_claiming,
    profile_flood,
    progressive_scans,
    unfinished_texts,
)
from local.suite import Suite
from tests.conftest import Faults
from tests.support.waiting import wait_until

CACHE_CONTROL, ORIGIN = "Cache-Control", "Access-Control-Allow-Origin"


@pytest.fixture(scope="module")
def photo(suite: Suite) -> str:
    return put(suite, "photo.jpg", encode(photograph(), "JPEG"))


def put(suite: Suite, name: str, body: bytes, kind: str = "image/jpeg") -> str:
    key = f"{uuid.uuid4().hex}-{name}"
    suite.client("s3").put_object(Bucket=suite["ImagesBucketName"], Key=key, Body=body, ContentType=kind)
    return key


def stored(suite: Suite, original: str) -> list[str]:
    """Return the keys of an original's variants."""
    pages = suite.client("s3").get_paginator("list_objects_v2").paginate(Bucket=suite["ImagesBucketName"])
    return [
        item["Key"]
        for page in pages
        for item in page.get("Contents", [])
        if item["Key"].endswith(f"/{original}")
    ]


def refused(suite: Suite, raw_key: str, status: int, code: str) -> None:
    """Ask the API for a key that is already percent-encoded; check the shape of every error."""
    answer = suite.http.get(f"{suite['ImagesApiUrl']}/resize?key={raw_key}", allow_redirects=False)
    assert answer.status_code == status, answer.text
    assert answer.headers[CACHE_CONTROL] == "no-store"
    assert answer.headers[ORIGIN] == "*"
    assert answer.headers["Content-Type"] == "application/json"
    body: dict[str, str] = json.loads(answer.content)
    assert set(body) == {"code", "message"}
    assert body["code"] == code
    for secret in ("127.0.0.1", "localhost", "python-requests", suite["ImagesBucketName"], "Traceback"):
        assert secret not in answer.text


@pytest.mark.parametrize(
    "size",
    ["0x300", "300x0", "-300x300", "+300x300", "300.5x300", "300", "x", "300x300x300",
     "\u0663\u0660\u0660x300", "300\u00d7300", "0300x300", "99999999999999999999x300",
     "300X300", " 300x300", "300x 300", "3e2x300"],
)  # fmt: skip
def test_a_malformed_size_is_a_bad_request(suite: Suite, photo: str, size: str) -> None:
    refused(suite, f"{quote(size)}/{photo}", 400, "malformed_size")


@pytest.mark.parametrize("option", ["sepia", "", "WEBP", "s123", "contain,,webp"])
def test_an_unknown_option_is_a_bad_request(suite: Suite, photo: str, option: str) -> None:
    refused(suite, f"300x300,{option}/{photo}", 400, "unknown_option")


@pytest.mark.parametrize("options", ["webp,webp", "cover,contain", "webp,auto"])
def test_options_that_contradict_each_other_are_a_bad_request(suite: Suite, photo: str, options: str) -> None:
    refused(suite, f"300x300,{options}/{photo}", 400, "repeated_option")


@pytest.mark.parametrize(
    "tail",
    ["a%00b.jpg", "../secret.jpg", "a/../b.jpg", "a/./b.jpg", "a//b.jpg", "/a.jpg", "a%5Cb.jpg", "a%0Ab.jpg",
     "%252e%252e/b.jpg", "a%2520b.jpg", "", "%2e%2e%2fb.jpg", "a" * 1100],
)  # fmt: skip
def test_a_malformed_key_is_a_bad_request(suite: Suite, tail: str) -> None:
    refused(suite, f"300x300/{tail}", 400, "malformed_key")


def test_a_request_without_or_with_two_keys_is_a_bad_request(suite: Suite, photo: str) -> None:
    assert suite.http.get(f"{suite['ImagesApiUrl']}/resize").status_code == 400
    refused(suite, f"300x300/{photo}&key=25x25/{photo}", 400, "malformed_key")


@pytest.mark.parametrize("tail", ["a&b.jpg", "a;b.jpg", "a&KEY=300x300/b.jpg", "a&utm_source=mail"])
def test_a_parameter_beside_the_key_is_a_bad_request(suite: Suite, photo: str, tail: str) -> None:
    original = put(suite, "a", encode(photograph(), "JPEG"))
    refused(suite, f"300x300/{original}{tail.removeprefix('a')}", 400, "unexpected_parameter")
    assert stored(suite, original) == []


def test_a_plus_that_may_be_a_space_is_a_bad_request(suite: Suite) -> None:
    space = put(suite, "my holiday photo.jpg", encode(photograph(), "JPEG"))
    plus = space.replace("my holiday", "my+holiday")
    suite.client("s3").put_object(
        Bucket=suite["ImagesBucketName"], Key=plus, Body=encode(photograph(90, 60), "JPEG")
    )
    refused(suite, f"300x300/{plus}", 400, "ambiguous_key")  # read as a space
    refused(suite, f"300x300/{quote(space)}", 400, "ambiguous_key")
    assert stored(suite, space) == stored(suite, plus) == []
    answer = suite.http.get(f"{suite['ImagesWebsiteUrl']}/300x300/{quote(plus)}")
    assert Image.open(io.BytesIO(answer.content)).size == (60, 60), "the website encodes it"


def test_a_name_that_is_taken_is_a_conflict_and_served(suite: Suite, photo: str) -> None:
    key = f"300x300/{photo}"
    suite.client("s3").put_object(Bucket=suite["ImagesBucketName"], Key=key, Body=b"a person's")
    refused(suite, key, 409, "key_is_taken")
    refused(suite, f"300x300/no-{photo}", 404, "original_not_found")
    assert suite.http.get(f"{suite['ImagesWebsiteUrl']}/{key}").content == b"a person's"
    suite.client("s3").delete_object(Bucket=suite["ImagesBucketName"], Key=key)


def test_a_variant_of_a_variant_is_forbidden(suite: Suite, photo: str) -> None:
    suite.http.get(f"{suite['ImagesWebsiteUrl']}/300x300/{photo}").raise_for_status()
    refused(suite, f"25x25/300x300/{photo}", 403, "key_is_variant")
    through_the_website = suite.http.get(f"{suite['ImagesWebsiteUrl']}/25x25/300x300/{photo}")
    assert through_the_website.status_code == 403


def test_a_missing_original_is_not_found_and_never_redirected_back(suite: Suite) -> None:
    answer = suite.http.get(f"{suite['ImagesWebsiteUrl']}/300x300/no/such.jpg")
    assert [step.status_code for step in answer.history] == [307]
    assert (answer.status_code, answer.json()["code"]) == (404, "original_not_found")
    assert answer.headers[CACHE_CONTROL] == "no-store"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_not_allowed(suite: Suite, photo: str, method: str) -> None:
    answer = suite.http.request(method, f"{suite['ImagesApiUrl']}/resize", params={"key": f"300x300/{photo}"})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD"


def test_an_original_over_the_byte_cap_is_too_large_before_it_is_read(suite: Suite, faults: Faults) -> None:
    key = put(suite, "big.jpg", encode(photograph(), "JPEG") + b"\0" * 41943040)
    faults.inject({"match": "s3.GetObject", "delay": 0.001})
    refused(suite, f"300x300/{key}", 413, "original_too_large")
    assert faults.hits() == [0], "the body was fetched"


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
        ("drawing.jpg", b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'),
        ("print.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ("paper.jpg", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
        ("scan.jpg", encode(photograph(60, 40), "TIFF")),
        ("page.jpg", b"<!doctype html><script>alert(1)</script>"),
        ("note.jpg", b"just some text"),
        ("picture.jpg", encode(photograph(60, 40), "BMP")),
    ],
)
def test_what_is_no_picture_for_the_web_is_an_unsupported_type(suite: Suite, name: str, body: bytes) -> None:
    refused(suite, f"300x300/{put(suite, name, body)}", 415, "unsupported_format")


def crowded_avif() -> bytes:
    """An AVIF whose table of samples claims a million frames."""
    data = bytearray(animation("AVIF"))
    struct.pack_into(">I", data, data.index(b"stsc") + 16, 1_000_000)
    return bytes(data)


HONEST = encode(photograph(), "JPEG")
MOVING = gif(2)
NOTHING = zlib.compress(b"")
FLOOD = chunk(b"IDAT", empty_blocks(39_000_000))
INFLATED = zlib.compress(b"\0" * 200_000_000, 9)
BROKEN = {
    "empty": ("empty", b""),
    "truncated jpeg": ("truncated", HONEST[: len(HONEST) // 2]),
    "truncated png": ("truncated", encode(photograph(), "PNG")[:-2000]),
    "corrupt jpeg": ("corrupt", HONEST[:300] + bytes(reversed(HONEST[300:]))),
    "pixel bomb": ("too_many_pixels", png_claiming(30000, 30000)),
    "progressive scan bomb": ("too_many_scans", progressive_scans(140)),
    "iCCP bomb": ("metadata_too_large", png_claiming(10, 10, (b"iCCP", b"p\0\0" + INFLATED))),
    "zTXt bomb": ("metadata_too_large", png_claiming(10, 10, (b"zTXt", b"Comment\0\0" + INFLATED))),
    "too many frames": ("too_many_frames", gif(2500, (300, 300))),
    "iCCP flood": ("metadata_too_large", profile_flood(10_000)),
    "texts without end": ("metadata_too_large", unfinished_texts(5_000)),
    "blocks without content": ("too_costly", png(4, 4, data=b"").replace(chunk(b"IDAT", NOTHING), FLOOD)),
    "fill bytes alone": ("too_much_padding", b"\xff\xd8" + b"\xff" * 39_000_000),
    "fill bytes before the end": ("too_much_padding", HONEST[:-2] + b"\xff" * 39_000_000 + b"\xd9"),
    "extensions of a gif": ("too_many_parts", MOVING[:-1] + b"\x21\xfe\0" * 10_000_000),
    "zeros of a gif": ("too_much_padding", MOVING[:-1] + bytes(30_000_000)),
    "frames of an avif": ("too_many_frames", crowded_avif()),
    "too many segments": ("too_many_parts", HONEST[:2] + b"\xff\xfe\0\2" * 3_000 + HONEST[2:]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_bomb_or_a_broken_picture_is_unprocessable(suite: Suite, name: str) -> None:
    code, body = BROKEN[name]
    refused(suite, f"300x300/{put(suite, 'broken', body)}", 422, code)


def test_a_refused_original_is_not_read_again_until_it_is_replaced(suite: Suite, faults: Faults) -> None:
    key = put(suite, "bomb.png", png_claiming(30_000, 30_000))
    refused(suite, f"300x300/{key}", 422, "too_many_pixels")
    faults.inject({"match": "s3.GetObject", "delay": 0.001})
    for segment in ("300x300", "25x,webp", "2400x2400,contain,avif"):
        refused(suite, f"{segment}/{key}", 422, "too_many_pixels")
    assert faults.hits() == [0], "the body was fetched"
    body = encode(photograph(), "PNG")
    suite.client("s3").put_object(Bucket=suite["ImagesBucketName"], Key=key, Body=body)
    assert suite.http.get(f"{suite['ImagesWebsiteUrl']}/300x300/{key}").status_code == 200


def test_nobody_but_the_function_reads_or_writes_refusals(suite: Suite) -> None:
    key = put(suite, "page.jpg", b"<html>")
    refused(suite, f"300x300/{key}", 415, "unsupported_format")
    table = next(name for name in suite.client("dynamodb").list_tables()["TableNames"] if "Refusals" in name)
    name = {"name": {"S": key}}
    item = suite.client("dynamodb").get_item(TableName=table, Key=name)["Item"]
    assert time.time() + 86_000 < int(item["expires"]["N"]) < time.time() + 86_500
    assert suite.client("dynamodb").describe_time_to_live(TableName=table)["TimeToLiveDescription"] == {
        "TimeToLiveStatus": "ENABLED",
        "AttributeName": "expires",
    }
    headers = {"X-Amz-Target": "DynamoDB_20120810.GetItem", "Content-Type": "application/x-amz-json-1.0"}
    body = json.dumps({"TableName": table, "Key": name})
    assert suite.http.post(suite.engine.endpoint, data=body, headers=headers).status_code in (400, 403)


def test_a_table_of_refusals_that_is_throttled_is_busy(suite: Suite, faults: Faults) -> None:
    key = put(suite, "page.jpg", b"<html>")
    kind = "ProvisionedThroughputExceededException"
    for operation in ("BatchGetItem", "PutItem"):
        faults.inject({"match": f"dynamodb.{operation}", "rate": 1, "status": 400, "type": kind})
        refused(suite, f"300x300/{key}", 503, "storage_busy")
    faults.clear()
    refused(suite, f"300x300/{key}", 415, "unsupported_format")


def test_a_format_that_cannot_hold_the_variant_is_unprocessable(suite: Suite) -> None:
    key = put(suite, "wide.png", encode(photograph(20_000, 300), "PNG"))
    refused(suite, f"x300,webp/{key}", 422, "too_large_for_format")
    for accept, form in (("image/avif,image/webp", "AVIF"), ("image/webp", "PNG")):
        answer = suite.http.get(f"{suite['ImagesWebsiteUrl']}/x300,auto/{key}", headers={"Accept": accept})
        picture = Image.open(io.BytesIO(answer.content))
        assert (picture.format, picture.size) == (form, (20_000, 300))


def test_a_function_serves_on_after_every_bomb(suite: Suite, photo: str) -> None:
    for code, body in BROKEN.values():
        refused(suite, f"100x100/{put(suite, 'broken', body)}", 422, code)
    assert suite.http.get(f"{suite['ImagesWebsiteUrl']}/100x100/{photo}").status_code == 200


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("broken ICC", encode(photograph(), "JPEG", icc_profile=b"not a profile at all")),
        ("broken EXIF", encode(photograph(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xffbroken")),
        ("polyglot", HONEST + b"PK\x03\x04<script>alert(1)</script>"),
    ],
)
def test_broken_metadata_and_trailing_bytes_are_cleaned_away(suite: Suite, name: str, body: bytes) -> None:
    key = put(suite, "dirty.jpg", body)
    answer = suite.http.get(f"{suite['ImagesWebsiteUrl']}/300x300/{key}")
    assert [step.status_code for step in answer.history] == [307, 301]
    picture = Image.open(io.BytesIO(answer.content))
    assert "icc_profile" not in picture.info
    assert "exif" not in picture.info
    assert b"script" not in answer.content


@pytest.mark.parametrize("operation", ["HeadObject", "GetObject", "PutObject"])
def test_throttled_storage_is_unavailable_with_a_time_to_retry(
    suite: Suite, photo: str, faults: Faults, operation: str
) -> None:
    faults.inject({"match": f"s3.{operation}", "rate": 1, "status": 503, "type": "SlowDown"})
    answer = suite.http.get(
        f"{suite['ImagesApiUrl']}/resize", params={"key": f"500x500,webp/{photo}"}, allow_redirects=False
    )
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_busy")
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers[CACHE_CONTROL] == "no-store"
    assert sum(faults.hits()) >= 1
    faults.clear()
    assert suite.http.get(f"{suite['ImagesWebsiteUrl']}/500x500,webp/{photo}").status_code == 200
    suite.client("s3").delete_object(Bucket=suite["ImagesBucketName"], Key=f"500x500,webp/{photo}")


@pytest.fixture
def short_timeout(suite: Suite) -> Iterator[None]:
    functions = suite.client("lambda")
    name = next(
        f["FunctionName"] for f in functions.list_functions()["Functions"] if "Resize" in f["FunctionName"]
    )
    functions.update_function_configuration(FunctionName=name, Timeout=3)
    yield
    functions.update_function_configuration(FunctionName=name, Timeout=10)


def test_a_deadline_that_is_near_is_a_gateway_timeout(
    suite: Suite, photo: str, faults: Faults, short_timeout: None
) -> None:
    suite.http.get(f"{suite['ImagesApiUrl']}/resize?key=25x25/{photo}", allow_redirects=False)  # warm
    faults.inject({"match": "s3\\.(Head|Get)Object", "delay": 0.9})
    refused(suite, f"1200x1200,png/{photo}", 504, "out_of_time")


def test_what_the_gateway_itself_refuses_looks_like_the_functions_errors(suite: Suite) -> None:
    answer = suite.http.get(f"{suite['ImagesApiUrl']}/somewhere/else")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
    assert answer.headers[CACHE_CONTROL] == "no-store"


def test_an_invalidation_that_keeps_failing_ends_in_the_dead_letter_queue(
    suite: Suite, faults: Faults
) -> None:
    key = put(suite, "replaced.jpg", encode(photograph(), "JPEG"))
    suite.http.get(f"{suite['ImagesWebsiteUrl']}/100x100/{key}").raise_for_status()
    faults.inject({"match": "s3.DeleteObject", "rate": 1, "status": 503, "type": "SlowDown"})
    suite.client("s3").put_object(
        Bucket=suite["ImagesBucketName"],
        Key=key,
        Body=encode(photograph(90, 60), "JPEG"),
        ContentType="image/jpeg",
    )
    queue = suite["ImagesDeadLetterQueueUrl"]

    def dead() -> list[dict[str, str]]:
        answer = suite.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return [message for message in answer.get("Messages", []) if key in message["Body"]]

    message = wait_until(dead, seconds=60, what="the event in the dead-letter queue")[0]
    assert json.loads(message["Body"])["requestPayload"]["detail"]["object"]["key"] == key
    suite.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
