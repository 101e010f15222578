import hashlib
import io
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools.logging import Logger
from botocore.exceptions import ConnectTimeoutError, NoCredentialsError, ReadTimeoutError
from PIL import Image

from datagen.pictures import (
    GifFrame,
    animation,
    decode,
    encode,
    gif_of,
    jpeg,
    orientation,
    photo,
    png,
    scan_bomb,
)
from image_resizer import recipe, resize, signing
from tests.unit.image_resizer.conftest import WEBSITE
from tests.unit.image_resizer.memory_s3 import MemoryS3, client_error

type Event = dict[str, Any]
type Recorded = Callable[..., Event]
MARBLE = "blue_marble.jpg"


@pytest.fixture
def ask(s3: MemoryS3, event: Recorded, context: Any) -> Callable[..., Any]:
    def answer(path: str, accept: str = "*/*") -> SimpleNamespace:
        asked = event("resize_jpeg", path)
        asked["multiValueHeaders"]["Accept"] = [accept]
        return SimpleNamespace(**resize.handler(asked, context))

    return answer


def code(answer: Any) -> str:
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Request-Id"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    assert "Location" not in answer.headers
    body = json.loads(answer.body)
    assert set(body) == {"code", "message"}
    return str(body["code"])


def test_the_first_request_makes_the_variant_and_redirects_to_it(
    s3: MemoryS3, event: Recorded, context: Any
) -> None:
    answer = resize.handler(event("resize_jpeg"), context)
    assert answer["statusCode"] == 301
    assert answer["headers"]["Location"] == f"{WEBSITE}/300x300/{MARBLE}"
    assert answer["headers"]["Cache-Control"] == "no-store"
    assert answer["headers"]["Access-Control-Allow-Origin"] == "*"
    stored = s3.objects[f"300x300/{MARBLE}"]
    assert decode(stored["Body"]).size == (300, 300)
    assert stored["ContentType"] == "image/jpeg"
    assert stored["CacheControl"] == "public, max-age=86400"
    assert stored["Tagging"] == "variant=true"
    assert stored["Metadata"] == {
        "original-etag": hashlib.md5(s3.objects[MARBLE]["Body"], usedforsecurity=False).hexdigest(),
        # printf 300x300/blue_marble.jpg | sha256sum
        "variant-key-sha256": "c696888edd491b30c68002f573247767d67bfaee06f40096402c0019acfb5166",
    }


def test_a_stored_variant_is_found_without_reading_the_original(s3: MemoryS3, ask: Any) -> None:
    ask(f"300x300/{MARBLE}")
    s3.calls.clear()
    assert ask(f"300x300/{MARBLE}").statusCode == 301
    assert [call for call, _ in s3.calls] == ["head_object", "head_object"]


def test_head_is_answered_like_get_without_a_body(s3: MemoryS3, event: Recorded, context: Any) -> None:
    assert resize.handler(event("resize_head"), context)["statusCode"] == 301
    missing = resize.handler(event("resize_missing_original", httpMethod="HEAD"), context)
    assert (missing["statusCode"], missing["body"]) == (404, "")


@pytest.mark.parametrize(
    ("recorded", "status", "expected"),
    [
        ("resize_bad_size", 400, "malformed_size"),
        ("resize_no_key", 400, "malformed_key"),
        ("resize_key_is_variant", 403, "key_is_variant"),
        ("resize_missing_original", 404, "original_not_found"),
        ("resize_post", 405, "method_not_allowed"),
    ],
)
def test_recorded_mistakes_are_answered(
    s3: MemoryS3, event: Recorded, context: Any, recorded: str, status: int, expected: str
) -> None:
    answer = SimpleNamespace(**resize.handler(event(recorded), context))
    assert (answer.statusCode, code(answer)) == (status, expected)
    assert not s3.variants()
    if status == 405:
        assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "parameters",
    [{"key": ["300x300/blue_marble.jpg"], "b.jpg": [""]}, {"b": ["c"]}, {"key": ["300x300/a"], "KEY": ["b"]}],
)
def test_a_parameter_beside_key_is_refused(
    s3: MemoryS3, event: Recorded, context: Any, parameters: dict[str, list[str]]
) -> None:
    asked = event("resize_jpeg", multiValueQueryStringParameters=parameters)
    answer = SimpleNamespace(**resize.handler(asked, context))
    assert (answer.statusCode, code(answer)) == (400, "unexpected_parameter")
    assert not s3.calls


@pytest.mark.parametrize(
    ("asked", "others", "status"),
    [
        ("a b.jpg", ["a+b.jpg"], 400),
        ("a b c.jpg", ["a b+c.jpg"], 400),
        ("a b c.jpg", ["a+b c.jpg"], 400),
        ("a b c.jpg", ["a+b+c.jpg"], 400),
        ("a b.jpg", ["a+bc.jpg", "a+b.jpg.jpg", "A+b.jpg", "300x300/a+b.jpg"], 301),
        ("a b+c.jpg", ["a+b+c.jpg", "a b c.jpg"], 301),
        ("a+b.jpg", ["a b.jpg"], 301),
        ("ab.jpg", [], 301),
    ],
)
@pytest.mark.parametrize("segment", ["300x300", "310x290"])
def test_a_name_that_may_mean_another_original_is_refused(
    s3: MemoryS3, ask: Any, asked: str, others: list[str], status: int, segment: str
) -> None:
    for key in (asked, *others):
        s3.upload(key, jpeg())
    answer = ask(f"{segment}/{asked}")
    assert answer.statusCode == status
    assert status == 301 or code(answer) == "ambiguous_key"
    assert s3.variants() == ([f"300x300/{asked}"] if (status, segment) == (301, "300x300") else [])


def test_a_name_of_which_there_is_none_costs_no_search(s3: MemoryS3, ask: Any) -> None:
    s3.upload("a+b.jpg", jpeg())
    assert ask("300x300/a b.jpg").statusCode == 404
    assert "list_objects_v2" not in [call for call, _ in s3.calls]


def test_two_keys_are_refused(s3: MemoryS3, event: Recorded, context: Any) -> None:
    asked = event("resize_jpeg", multiValueQueryStringParameters={"key": ["300x300/a", "300x300/b"]})
    assert resize.handler(asked, context)["statusCode"] == 400


@pytest.mark.parametrize(
    ("asked", "canonical"),
    [
        ("310x290", "300x300"),
        ("300x300,cover", "300x300"),
        ("9999x,webp,inside", "2400x,webp"),
        ("7x7,auto", "25x25,auto"),
    ],
)
def test_another_size_or_order_redirects_and_stores_nothing(
    s3: MemoryS3, ask: Any, asked: str, canonical: str
) -> None:
    answer = ask(f"{asked}/{MARBLE}")
    assert answer.statusCode == 301
    assert answer.headers["Location"] == f"{WEBSITE}/{canonical}/{MARBLE}"
    assert answer.headers["Cache-Control"] == "no-store"
    assert not s3.calls


def test_the_location_is_percent_encoded(s3: MemoryS3, ask: Any) -> None:
    s3.upload("Ørsted & Co/50 % + ?#.jpg", jpeg())
    location = ask("300x300/Ørsted & Co/50 % + ?#.jpg").headers["Location"]
    assert location == f"{WEBSITE}/300x300/%C3%98rsted%20%26%20Co/50%20%25%20%2B%20%3F%23.jpg"


@pytest.mark.parametrize(
    ("accept", "segment"),
    [
        ("image/avif,image/webp,*/*;q=0.8", "300x300,avif"),
        ("image/webp,*/*", "300x300,webp"),
        ("image/avif;q=0,image/webp", "300x300,webp"),
        ("*/*", "300x300"),
    ],
)
def test_auto_redirects_to_what_the_browser_takes_and_is_never_stored(
    s3: MemoryS3, ask: Any, accept: str, segment: str
) -> None:
    answer = ask(f"300x300,auto/{MARBLE}", accept)
    assert answer.statusCode == 302
    assert answer.headers["Location"] == f"{WEBSITE}/{segment}/{MARBLE}"
    assert answer.headers["Vary"] == "Accept"
    assert answer.headers["Cache-Control"] == "no-store"
    assert not s3.variants()


@pytest.mark.parametrize(
    ("event_name", "segment"), [("resize_auto_webp", "300x300,webp"), ("resize_auto_avif", "500x,avif")]
)
def test_recorded_browsers_negotiate(
    s3: MemoryS3, event: Recorded, context: Any, event_name: str, segment: str
) -> None:
    answer = resize.handler(event(event_name), context)
    assert answer["headers"]["Location"] == f"{WEBSITE}/{segment}/{MARBLE}"


@pytest.mark.parametrize(
    ("data", "accept", "segment"),
    [
        (animation("GIF"), "image/avif,image/webp", "50x,webp"),
        (animation("GIF"), "*/*", "50x"),
        (animation("WEBP"), "image/avif,image/webp", "50x,webp"),
        (encode(photo(), "WEBP"), "*/*", "50x,jpeg"),
        (encode(photo(mode="RGBA"), "WEBP"), "*/*", "50x,png"),
        (encode(photo(mode="RGBA"), "WEBP", lossless=True), "*/*", "50x,png"),
        (encode(photo(), "AVIF"), "*/*", "50x,jpeg"),
        (encode(photo(mode="RGBA"), "AVIF"), "*/*", "50x,png"),
    ],
)
def test_auto_minds_animation_and_alpha(
    s3: MemoryS3, ask: Any, data: bytes, accept: str, segment: str
) -> None:
    s3.upload("picture", data)
    assert ask("50x,auto/picture", accept).headers["Location"] == f"{WEBSITE}/{segment}/picture"


WIDE = encode(photo(20_000, 30), "PNG")


@pytest.mark.parametrize(
    ("data", "asked", "accept", "chosen"),
    [
        (WIDE, "x25,auto", "image/webp", "x25"),
        (WIDE, "x25,auto", "image/avif,image/webp", "x25,avif"),
        (WIDE, "2400x,auto", "image/webp", "2400x"),  # it may be stored on its side
        (WIDE, "2400x2400,auto", "image/webp", "2400x2400,webp"),
        (encode(photo(30, 20_000), "PNG"), "25x,auto", "image/webp", "25x"),
        (encode(photo(20_000, 30), "JPEG", exif=orientation(6)), "25x,auto", "image/webp", "25x"),
        (encode(photo(20_000, 30), "JPEG"), "x25,auto", "image/webp", "x25"),
        (encode(photo(20_000, 30), "AVIF"), "x25,auto", "image/webp", "x25,jpeg"),
        (gif_of((20_000, 30), [GifFrame(0, 0, 9, 9, 0)]), "x25,auto", "image/webp,image/avif", "x25,avif"),
        (jpeg(comment=bytes(65_000)), "x25,auto", "image/webp", "x25,webp"),
        # Nobody knows the size of a picture whose metadata is longer than what is looked at.
        (jpeg(exif=bytes(60_000), icc_profile=bytes(130_000)), "x25,auto", "image/webp", "x25"),
        (jpeg(exif=bytes(60_000), icc_profile=bytes(130_000)), "25x25,auto", "image/webp", "25x25,webp"),
    ],
)
def test_auto_takes_a_format_that_can_hold_the_variant(
    s3: MemoryS3, ask: Any, data: bytes, asked: str, accept: str, chosen: str
) -> None:
    """x25 of 20,000 x 30 has 16,667 pixels a row, and WebP takes 16,383."""
    s3.upload("picture", data)
    answer = ask(f"{asked}/picture", accept)
    assert answer.headers["Location"] == f"{WEBSITE}/{chosen}/picture"
    assert ask(f"{chosen}/picture").statusCode == 301


def test_a_named_format_says_its_limit(s3: MemoryS3, ask: Any) -> None:
    s3.upload("picture", WIDE)
    answer = ask("x25,webp/picture")
    assert (answer.statusCode, code(answer)) == (422, "too_large_for_format")
    assert "16383" in json.loads(answer.body)["message"]


def test_auto_of_a_missing_or_foreign_original_is_an_error(s3: MemoryS3, ask: Any) -> None:
    s3.upload("page.jpg", b"<html>")
    s3.upload("nothing.jpg", b"")
    assert code(ask("50x,auto/absent.jpg")) == "original_not_found"
    assert code(ask("50x,auto/page.jpg")) == "unsupported_format"
    assert code(ask("50x,auto/nothing.jpg")) == "empty"


@pytest.mark.parametrize(
    ("data", "status", "expected"),
    [
        (b"", 422, "empty"),
        (b"<svg/>", 415, "unsupported_format"),
        (b"%PDF-1.7", 415, "unsupported_format"),
        (jpeg()[:3000], 422, "truncated"),
        (png(30_000, 30_000, data=b""), 422, "too_many_pixels"),
        (scan_bomb(120), 422, "too_many_scans"),
        (png(4, 4, data=b"\x07" * 20), 422, "corrupt"),
    ],
)
def test_a_bad_original_is_refused(s3: MemoryS3, ask: Any, data: bytes, status: int, expected: str) -> None:
    s3.upload("picture.jpg", data)
    answer = ask("25x25/picture.jpg")
    assert (answer.statusCode, code(answer)) == (status, expected)
    assert not s3.variants()


def test_a_crash_inside_pillow_is_a_bad_image(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(recipe, "_shrink", crash)
    assert code(ask(f"300x300/{MARBLE}")) == "corrupt"


def test_an_original_over_the_cap_is_not_read(
    s3: MemoryS3, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_BYTES", "1000")
    answer = ask(f"300x300/{MARBLE}")
    assert (answer.statusCode, code(answer)) == (413, "original_too_large")
    assert "get_object" not in [call for call, _ in s3.calls]


@pytest.mark.parametrize("call", ["head_object", "get_object", "put_object"])
@pytest.mark.parametrize(
    "failure",
    [
        client_error("SlowDown", 503),
        client_error("503", 503),
        client_error("ThrottlingException", 400),
        client_error("InternalError", 500),
        ConnectTimeoutError(endpoint_url="http://secret.example.org"),
        ReadTimeoutError(endpoint_url="http://secret.example.org"),
        ConnectionResetError(),
    ],
)
def test_a_storage_that_is_busy_is_worth_another_try(
    s3: MemoryS3, ask: Any, call: str, failure: Exception
) -> None:
    s3.before[call] = [failure]
    answer = ask(f"300x300/{MARBLE}")
    assert (answer.statusCode, code(answer)[:8]) == (503, "storage_")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "example.org" not in answer.body


@pytest.mark.parametrize(
    "failure", [client_error("403", 403), client_error("AccessDenied", 403), NoCredentialsError()]
)
def test_a_refusing_storage_is_our_fault(s3: MemoryS3, ask: Any, failure: Exception) -> None:
    s3.before["head_object"] = [failure]
    answer = ask(f"300x300/{MARBLE}")
    assert (answer.statusCode, code(answer)) == (500, "storage_refused")


def test_a_bug_is_answered_in_json_too(s3: MemoryS3, ask: Any) -> None:
    s3.before["head_object"] = [ZeroDivisionError()]
    answer = ask(f"300x300/{MARBLE}")
    assert (answer.statusCode, code(answer)) == (500, "internal")


def test_wrong_settings_are_told_without_details(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL", "no address")
    answer = ask(f"300x300/{MARBLE}")
    assert (answer.statusCode, code(answer)) == (500, "misconfigured")
    assert "URL" not in answer.body


def test_a_near_deadline_is_answered_before_lambda_times_out(s3: MemoryS3, ask: Any, context: Any) -> None:
    context.get_remaining_time_in_millis = lambda: 500
    answer = ask(f"300x300/{MARBLE}")
    assert (answer.statusCode, code(answer)) == (504, "out_of_time")
    assert not s3.variants()


def test_errors_echo_nothing_of_the_request(ask: Any) -> None:
    for path in ("<script>", "300x300/<script>.jpg", "300x300,<script>/a.jpg", "300x300/a//<script>"):
        assert "script" not in json.dumps(vars(ask(path)))


def test_of_many_at_once_one_stores_and_all_are_redirected(s3: MemoryS3, ask: Any) -> None:
    others: list[Any] = []
    s3.before["put_object"] = [lambda: others.append(ask(f"300x300/{MARBLE}"))]
    assert ask(f"300x300/{MARBLE}").statusCode == 301
    assert [other.statusCode for other in others] == [301]
    assert [call for call, _ in s3.calls].count("put_object") == 2
    assert s3.variants() == [f"300x300/{MARBLE}"]


def test_a_conflicting_write_is_tried_again(s3: MemoryS3, ask: Any) -> None:
    s3.before["put_object"] = [client_error("ConditionalRequestConflict", 409)]
    assert ask(f"300x300/{MARBLE}").statusCode == 301
    assert s3.variants() == [f"300x300/{MARBLE}"]


def test_what_wrote_meanwhile_is_found_after_a_conflict(s3: MemoryS3, ask: Any) -> None:
    conflict = client_error("ConditionalRequestConflict", 409)
    s3.before["put_object"] = [conflict, lambda: ask(f"300x300/{MARBLE}")]
    assert ask(f"300x300/{MARBLE}").statusCode == 301
    assert s3.variants() == [f"300x300/{MARBLE}"]


def test_a_name_in_conflict_all_the_while_is_busy(s3: MemoryS3, ask: Any) -> None:
    s3.before["put_object"] = [client_error("ConditionalRequestConflict", 409)] * 3
    answer = ask(f"300x300/{MARBLE}")
    assert (answer.statusCode, answer.headers["Retry-After"]) == (503, "1")
    assert not s3.variants()


def test_a_conflict_while_taking_back_is_busy(s3: MemoryS3, ask: Any) -> None:
    s3.before["put_object"] = [lambda: s3.upload(MARBLE, jpeg(400, 400))]
    s3.before["delete_object"] = [client_error("ConditionalRequestConflict", 409)]
    answer = ask(f"300x300/{MARBLE}")
    assert (answer.statusCode, code(answer)) == (503, "storage_busy")


@pytest.mark.parametrize("failure", [client_error("SlowDown", 503), client_error("AccessDenied", 403)])
def test_a_variant_is_taken_back_when_the_last_look_fails(s3: MemoryS3, ask: Any, failure: Exception) -> None:
    s3.before["put_object"] = [lambda: s3.before.update(head_object=[failure])]
    assert ask(f"300x300/{MARBLE}").statusCode in (500, 503)
    assert "put_object" in [call for call, _ in s3.calls]
    assert not s3.variants()


def test_an_original_replaced_while_we_worked_is_made_again(s3: MemoryS3, ask: Any) -> None:
    green = encode(Image.new("RGB", (400, 400), (0, 255, 0)), "JPEG")
    s3.before["put_object"] = [lambda: s3.upload(MARBLE, green)]
    assert ask(f"300x300/{MARBLE}").statusCode == 301
    r, g, _ = decode(s3.objects[f"300x300/{MARBLE}"]["Body"]).getpixel((150, 150))  # type: ignore[misc]
    assert g > 200 > 50 > r


def test_an_original_replaced_before_it_was_read_is_looked_at_again(s3: MemoryS3, ask: Any) -> None:
    s3.before["get_object"] = [lambda: s3.upload(MARBLE, jpeg(400, 400))]
    assert ask(f"300x300/{MARBLE}").statusCode == 301


def test_an_original_that_keeps_changing_is_busy_and_leaves_no_variant(s3: MemoryS3, ask: Any) -> None:
    s3.before["put_object"] = [
        lambda: s3.upload(MARBLE, jpeg(400, 400)),
        lambda: s3.upload(MARBLE, jpeg(500, 400)),
        lambda: s3.upload(MARBLE, jpeg(600, 400)),
    ]
    answer = ask(f"300x300/{MARBLE}")
    assert (answer.statusCode, code(answer)) == (503, "original_changing")
    assert not s3.variants()


def test_an_original_deleted_while_we_worked_leaves_no_variant(s3: MemoryS3, ask: Any) -> None:
    s3.before["put_object"] = [lambda: s3.objects.pop(MARBLE)]
    assert code(ask(f"300x300/{MARBLE}")) == "original_not_found"
    assert not s3.variants()


def test_a_variant_of_an_earlier_original_is_replaced(s3: MemoryS3, ask: Any) -> None:
    ask(f"300x300,inside/{MARBLE}")
    s3.upload(MARBLE, jpeg(400, 400))
    assert ask(f"300x300,inside/{MARBLE}").statusCode == 301
    assert decode(s3.objects[f"300x300,inside/{MARBLE}"]["Body"]).size == (300, 300)


@pytest.fixture
def signing_on(s3: MemoryS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNING_SECRET_ID", "resize-signing-key")
    resize._signing_key.cache_clear()


@pytest.mark.usefixtures("signing_on")
def test_signed_requests_are_made_and_unsigned_ones_are_not(s3: MemoryS3, ask: Any) -> None:
    assert code(ask(f"300x300/{MARBLE}")) == "signature_missing"
    answer = ask(signing.sign(b"an HMAC key", "310x300,cover", MARBLE, 4_000_000_000))
    assert answer.statusCode == 301
    assert answer.headers["Location"] == f"{WEBSITE}/300x300/{MARBLE}"
    assert s3.variants() == [f"300x300/{MARBLE}"]


@pytest.mark.usefixtures("signing_on")
def test_a_signed_auto_request_is_made_at_once(s3: MemoryS3, ask: Any) -> None:
    answer = ask(signing.sign(b"an HMAC key", "300x300,auto", MARBLE, 4_000_000_000), "image/webp")
    assert (answer.statusCode, answer.headers["Vary"]) == (302, "Accept")
    assert answer.headers["Location"] == f"{WEBSITE}/300x300,webp/{MARBLE}"
    assert s3.variants() == [f"300x300,webp/{MARBLE}"]


@pytest.mark.usefixtures("signing_on")
def test_a_bad_signature_costs_no_call(s3: MemoryS3, ask: Any) -> None:
    assert ask(signing.sign(b"another key", "300x300", MARBLE, 4_000_000_000)).statusCode == 403
    assert ask(signing.sign(b"an HMAC key", "300x300", MARBLE, 1_000_000_000)).statusCode == 403
    assert not s3.calls


def test_a_signature_that_is_not_needed_is_left_out(ask: Any) -> None:
    answer = ask(signing.sign(b"an HMAC key", "300x300", MARBLE, 4_000_000_000))
    assert answer.headers["Location"] == f"{WEBSITE}/300x300/{MARBLE}"


def test_one_line_tells_what_was_done_and_nothing_personal(
    ask: Any, event: Recorded, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    for handler in Logger().handlers:
        monkeypatch.setattr(handler, "stream", log)
    ask(f"300x300,webp/{MARBLE}")
    ask("300x300/absent.jpg")
    lines = [json.loads(line) for line in (log.getvalue() + capsys.readouterr().out).splitlines()]
    made, missing = (line for line in lines if line.get("message") == "request")
    assert (made["outcome"], made["variant"], made["format"], made["cache"]) == (
        "ok",
        "300x300,webp",
        "webp",
        "miss",
    )
    assert (made["api"], made["method"], made["resource"]) == ("resize", "GET", "/resize")
    assert made["request_id"] == event("resize_jpeg")["requestContext"]["requestId"]
    assert made["source_bytes"] > made["variant_bytes"] > 0
    assert missing["outcome"] == "original_not_found"
    assert any(line.get("VariantsMade") == [1.0] for line in lines)
    assert any(line.get("Error_original_not_found") == [1.0] for line in lines)
    for line in lines:
        assert MARBLE not in json.dumps(line)
        assert "192.0.2.17" not in json.dumps(line)
