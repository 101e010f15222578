"""The way a request goes: website, API, function, bucket, website."""

from __future__ import annotations

import io
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from datagen.pictures import encode, gif, photograph
from local.suite import Suite
from tests.support.waiting import wait_until


def upload(suite: Suite, body: bytes, kind: str = "image/jpeg", suffix: str = ".jpg") -> str:
    key = f"holiday/{uuid.uuid4().hex}{suffix}"
    suite.client("s3").put_object(Bucket=suite["ImagesBucketName"], Key=key, Body=body, ContentType=kind)
    return key


def stored(suite: Suite, key: str) -> list[str]:
    """Return the keys of all variants of an original."""
    found = suite.client("s3").get_paginator("list_objects_v2").paginate(Bucket=suite["ImagesBucketName"])
    return [
        item["Key"] for page in found for item in page.get("Contents", []) if item["Key"].endswith("/" + key)
    ]


@pytest.fixture(scope="module")
def photo(suite: Suite) -> str:
    return upload(suite, encode(photograph(2600, 1800), "JPEG", quality=90))


def test_first_request_makes_the_variant_and_the_second_is_served_by_the_bucket(
    suite: Suite, photo: str
) -> None:
    first = suite.http.get(f"{suite['ImagesWebsiteUrl']}/300x300/{photo}")
    assert [step.status_code for step in first.history] == [307, 301]
    assert first.history[0].headers["Location"].startswith(suite["ImagesApiUrl"] + "/resize?key=300x300/")
    assert first.status_code == 200
    assert Image.open(io.BytesIO(first.content)).size == (300, 300)
    second = suite.http.get(f"{suite['ImagesWebsiteUrl']}/300x300/{photo}", allow_redirects=False)
    assert (second.status_code, second.content) == (200, first.content)


def test_redirect_of_the_api_is_never_cached_and_the_variant_is(suite: Suite, photo: str) -> None:
    first = suite.http.get(f"{suite['ImagesWebsiteUrl']}/200x200/{photo}")
    assert first.history[1].headers["Cache-Control"] == "no-store"
    assert first.headers["Cache-Control"] == "public, max-age=86400"


def test_a_page_of_another_origin_may_follow_the_whole_way(suite: Suite, photo: str) -> None:
    answer = suite.http.get(f"{suite['ImagesWebsiteUrl']}/200x200,webp/{photo}", headers={"Origin": "null"})
    steps = [*answer.history, answer]
    assert [step.headers.get("Access-Control-Allow-Origin") for step in steps] == ["*"] * 3


def test_variants_expire_by_their_tag_and_originals_never(suite: Suite, photo: str) -> None:
    suite.http.get(f"{suite['ImagesWebsiteUrl']}/100x100/{photo}").raise_for_status()
    s3, bucket = suite.client("s3"), suite["ImagesBucketName"]
    assert s3.get_object_tagging(Bucket=bucket, Key=f"100x100/{photo}")["TagSet"] == [
        {"Key": "variant", "Value": "true"}
    ]
    assert s3.get_object_tagging(Bucket=bucket, Key=photo)["TagSet"] == []
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    expiring = [rule for rule in rules if "Expiration" in rule]
    assert [rule["Filter"] for rule in expiring] == [{"Tag": {"Key": "variant", "Value": "true"}}]
    assert expiring[0]["Expiration"]["Days"] == 30


def test_an_expired_variant_is_made_again(suite: Suite, photo: str) -> None:
    address = f"{suite['ImagesWebsiteUrl']}/50x50/{photo}"
    before = suite.http.get(address)
    suite.client("s3").delete_object(Bucket=suite["ImagesBucketName"], Key=f"50x50/{photo}")
    again = suite.http.get(address)
    assert [step.status_code for step in again.history] == [307, 301]
    assert again.content == before.content


@pytest.mark.parametrize(
    ("segment", "kind", "size"),
    [
        ("300x", "JPEG", (300, 208)),
        ("x300", "JPEG", (433, 300)),
        ("500x300,inside", "JPEG", (433, 300)),
        ("500x300,contain", "JPEG", (500, 300)),
        ("500x300,contain,webp", "WEBP", (500, 300)),
        ("300x300,avif", "AVIF", (300, 300)),
        ("300x300,png", "PNG", (300, 300)),
        ("300x300,jpeg", "JPEG", (300, 300)),
    ],
)
def test_size_fit_and_format_are_what_was_asked_for(
    suite: Suite, photo: str, segment: str, kind: str, size: tuple[int, int]
) -> None:
    answer = suite.http.get(f"{suite['ImagesWebsiteUrl']}/{segment}/{photo}")
    picture = Image.open(io.BytesIO(answer.content))
    assert (picture.format, picture.size) == (kind, size)
    assert answer.headers["Content-Type"] == f"image/{kind.lower()}"


def test_an_original_is_never_enlarged(suite: Suite) -> None:
    key = upload(suite, encode(photograph(120, 80), "PNG"), "image/png", ".png")
    answer = suite.http.get(f"{suite['ImagesWebsiteUrl']}/800x/{key}")
    assert Image.open(io.BytesIO(answer.content)).size == (120, 80)


def test_an_unlisted_size_goes_to_its_nearest_rung_and_stores_nothing_of_its_own(suite: Suite) -> None:
    key = upload(suite, encode(photograph(), "JPEG"))
    answer = suite.http.get(f"{suite['ImagesWebsiteUrl']}/290x330/{key}")
    assert [step.status_code for step in answer.history] == [307, 301, 307, 301]
    assert answer.url.endswith(f"/300x300/{key}")
    assert stored(suite, key) == [f"300x300/{key}"]


@pytest.mark.parametrize(
    ("accept", "segment"),
    [
        ("image/avif,image/webp,*/*;q=0.8", "300x300,avif"),
        ("image/webp,image/*", "300x300,webp"),
        ("image/avif;q=0,image/webp", "300x300,webp"),
        ("text/html", "300x300,jpeg"),
    ],
)
def test_auto_gives_the_best_format_that_the_browser_takes(
    suite: Suite, photo: str, accept: str, segment: str
) -> None:
    answer = suite.http.get(
        f"{suite['ImagesWebsiteUrl']}/300x300,auto/{photo}", headers={"Accept": accept}, allow_redirects=False
    )
    negotiated = suite.http.get(answer.headers["Location"], headers={"Accept": accept}, allow_redirects=False)
    assert negotiated.status_code == 302
    assert negotiated.headers["Vary"] == "Accept"
    assert negotiated.headers["Cache-Control"] == "no-store"
    assert negotiated.headers["Location"] in {
        f"{suite['ImagesWebsiteUrl']}/{segment}/{photo}",
        f"{suite['ImagesWebsiteUrl']}/300x300/{photo}" if segment.endswith("jpeg") else "",
    }
    assert suite.http.get(negotiated.headers["Location"]).status_code == 200
    assert not [key for key in stored(suite, photo) if "auto" in key]


def test_animation_survives_as_gif_webp_and_avif(suite: Suite) -> None:
    key = upload(suite, gif(6), "image/gif", ".gif")
    for segment in ("50x50", "50x50,webp", "50x50,avif"):
        answer = suite.http.get(f"{suite['ImagesWebsiteUrl']}/{segment}/{key}")
        assert getattr(Image.open(io.BytesIO(answer.content)), "n_frames", 1) == 6, segment


@pytest.mark.parametrize("key", ["a b/ä+ö&=?#%41.jpg", "日本/富士.jpg", "it's (1).jpg"])
def test_keys_of_any_letters_arrive_unchanged(suite: Suite, key: str) -> None:
    if "%" in key:
        key = key.replace("%41", "")
    suite.client("s3").put_object(
        Bucket=suite["ImagesBucketName"], Key=key, Body=encode(photograph(), "JPEG"), ContentType="image/jpeg"
    )
    from urllib.parse import quote

    answer = suite.http.get(f"{suite['ImagesWebsiteUrl']}/100x100/{quote(key)}")
    assert answer.status_code == 200
    assert Image.open(io.BytesIO(answer.content)).size == (100, 100)
    assert stored(suite, key) == [f"100x100/{key}"]


def test_head_is_answered_like_get(suite: Suite, photo: str) -> None:
    answer = suite.http.head(f"{suite['ImagesApiUrl']}/resize", params={"key": f"25x25/{photo}"})
    assert (answer.status_code, answer.content) == (301, b"")
    assert answer.headers["Location"] == f"{suite['ImagesWebsiteUrl']}/25x25/{photo}"
    assert stored(suite, photo).count(f"25x25/{photo}") == 1


def test_many_who_ask_for_the_same_new_size_at_once_get_one_stored_variant(suite: Suite) -> None:
    key = upload(suite, encode(photograph(1600, 1200), "JPEG"))
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda _: suite.http.get(f"{suite['ImagesWebsiteUrl']}/800x800,webp/{key}"), range(32))
        )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    logs = suite.client("logs")

    def made() -> list[str]:
        group = f"/{suite.outputs['WebBucketName'].partition('-web-')[0]}/images"
        events = logs.filter_log_events(logGroupName=group, limit=10000)["events"]
        return [e["message"] for e in events if key in e["message"] or '"800x800,webp"' in e["message"]]

    assert sum('"cache":"miss"' in line or '"cache": "miss"' in line for line in wait_until(made)) == 1


def test_a_replaced_original_loses_its_variants(suite: Suite) -> None:
    key = upload(suite, encode(Image.new("RGB", (400, 400), (200, 0, 0)), "PNG"), "image/png", ".png")
    suite.http.get(f"{suite['ImagesWebsiteUrl']}/100x100/{key}").raise_for_status()
    suite.http.get(f"{suite['ImagesWebsiteUrl']}/50x50,webp/{key}").raise_for_status()
    suite.client("s3").put_object(
        Bucket=suite["ImagesBucketName"], Key=key, ContentType="image/png",
        Body=encode(Image.new("RGB", (400, 400), (0, 0, 200)), "PNG"),
    )  # fmt: skip
    wait_until(lambda: not stored(suite, key), what="the variants to be deleted")
    answer = suite.http.get(f"{suite['ImagesWebsiteUrl']}/100x100/{key}")
    assert Image.open(io.BytesIO(answer.content)).convert("RGB").getpixel((50, 50)) == (0, 0, 200)


def test_variants_of_one_original_do_not_touch_those_of_another(suite: Suite) -> None:
    one, other = (upload(suite, encode(photograph(), "JPEG")) for _ in range(2))
    for key in (one, other):
        suite.http.get(f"{suite['ImagesWebsiteUrl']}/100x100/{key}").raise_for_status()
    suite.client("s3").delete_object(Bucket=suite["ImagesBucketName"], Key=one)
    wait_until(lambda: not stored(suite, one), what="the variants of the deleted original to be deleted")
    assert stored(suite, other) == [f"100x100/{other}"]


def test_a_big_variant_is_not_limited_by_the_functions_answer(suite: Suite) -> None:
    noise = Image.effect_noise((2600, 2600), 120).convert("RGB")
    key = upload(suite, encode(noise, "PNG", compress_level=1), "image/png", ".png")
    answer = suite.http.get(f"{suite['ImagesWebsiteUrl']}/2400x2400/{key}")
    assert answer.status_code == 200
    assert len(answer.content) > 6 * 1024 * 1024, "the limit of a synchronous answer of Lambda is 6 MB"
