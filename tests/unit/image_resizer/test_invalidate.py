import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from image_resizer import invalidate
from shared.http import BusyError
from tests.unit.image_resizer.memory_s3 import MemoryS3, client_error

type Recorded = Callable[..., dict[str, Any]]
SEGMENTS = ["300x300", "25x", "x800,webp", "300x300,contain,avif", "777x777"]


@pytest.fixture
def stored(s3: MemoryS3) -> MemoryS3:
    for key in (
        "blue_marble.jpg",
        "other.jpg",
        "albums/300x300/blue_marble.jpg",
        "1000 pictures/blue_marble.jpg",
    ):
        s3.upload(key, b"an original")
    for segment in SEGMENTS:
        s3.make_variant(f"{segment}/blue_marble.jpg")
        s3.make_variant(f"{segment}/other.jpg")
        s3.make_variant(f"{segment}/Ørsted & Co/50 % off.jpg")
    return s3


def test_all_variants_of_a_replaced_original_go_and_nothing_else(
    stored: MemoryS3, event: Recorded, context: Any
) -> None:
    before = set(stored.objects)
    done = invalidate.handler(event("invalidate_original_replaced"), context)
    assert done == {"deleted": len(SEGMENTS), "kept": 0}
    assert before - set(stored.objects) == {f"{segment}/blue_marble.jpg" for segment in SEGMENTS}


def test_the_key_of_a_deleted_original_is_taken_as_it_is(
    stored: MemoryS3, event: Recorded, context: Any
) -> None:
    invalidate.handler(event("invalidate_original_deleted"), context)
    assert not [key for key in stored.objects if "Ørsted" in key]


def test_the_event_of_a_fresh_variant_changes_nothing(
    stored: MemoryS3, event: Recorded, context: Any
) -> None:
    etag = hashlib.md5(b"an original", usedforsecurity=False).hexdigest()
    stored.make_variant("300x300/blue_marble.jpg", etag)
    before = dict(stored.objects)
    assert invalidate.handler(event("invalidate_variant_created"), context) == {"deleted": 0, "kept": 0}
    assert stored.objects == before
    assert [call for call, _ in stored.calls] == ["head_object", "head_object"]


@pytest.mark.parametrize("original", ["another", "none"])
def test_the_event_of_a_stale_variant_deletes_it(
    stored: MemoryS3, event: Recorded, context: Any, original: str
) -> None:
    if original == "none":
        del stored.objects["blue_marble.jpg"]
    before = set(stored.objects)
    assert invalidate.handler(event("invalidate_variant_created"), context) == {"deleted": 1, "kept": 0}
    assert before - set(stored.objects) == {"300x300/blue_marble.jpg"}


def test_a_throttled_look_at_a_variant_fails_the_event(
    stored: MemoryS3, event: Recorded, context: Any
) -> None:
    throttled = client_error("SlowDown", 503)
    stored.before["head_object"] = [lambda: None, throttled]
    with pytest.raises(BusyError):
        invalidate.handler(event("invalidate_variant_created"), context)


def test_a_second_delivery_changes_nothing(stored: MemoryS3, event: Recorded, context: Any) -> None:
    invalidate.handler(event("invalidate_original_replaced"), context)
    after = set(stored.objects)
    invalidate.handler(event("invalidate_original_replaced"), context)
    assert set(stored.objects) == after


def test_a_variant_of_the_present_original_stays(stored: MemoryS3, event: Recorded, context: Any) -> None:
    fresh = "300x300/blue_marble.jpg"
    present = stored.head_object(Bucket="any", Key="blue_marble.jpg")["ETag"]
    stored.make_variant(fresh, present.strip('"'))
    done = invalidate.handler(event("invalidate_original_replaced"), context)
    assert done == {"deleted": len(SEGMENTS) - 1, "kept": 0}
    assert fresh in stored.objects


@pytest.mark.parametrize(
    "failure", [client_error("InternalError", 500), client_error("ConditionalRequestConflict", 409)]
)
def test_a_variant_that_is_not_deleted_fails_the_event(
    stored: MemoryS3, event: Recorded, context: Any, failure: Exception
) -> None:
    stored.before["delete_object"] = [failure]
    with pytest.raises(BusyError):
        invalidate.handler(event("invalidate_original_replaced"), context)
    invalidate.handler(event("invalidate_original_replaced"), context)
    assert not [key for key in stored.objects if key.endswith("/blue_marble.jpg") and key[:1] in "2357x"]


def test_a_variant_that_is_gone_by_now_counts_for_nothing(
    stored: MemoryS3, event: Recorded, context: Any
) -> None:
    stored.before["delete_object"] = [client_error("NoSuchKey", 404)]
    done = invalidate.handler(event("invalidate_original_replaced"), context)
    assert done == {"deleted": len(SEGMENTS) - 1, "kept": 0}


def test_a_key_too_long_for_variants_is_no_failure(stored: MemoryS3, event: Recorded, context: Any) -> None:
    told = event("invalidate_original_replaced")
    told["detail"]["object"]["key"] = "ä" * 508 + ".jpg"  # 1,020 bytes
    stored.upload(told["detail"]["object"]["key"], b"an original")
    assert invalidate.handler(told, context) == {"deleted": 0, "kept": 0}
    assert f"25x/{'ä' * 508}.jpg" in [key for call, key in stored.calls if call == "head_object"]


def test_a_throttled_listing_fails_the_event(stored: MemoryS3, event: Recorded, context: Any) -> None:
    stored.before["list_objects_v2"] = [client_error("SlowDown", 503)]
    with pytest.raises(Exception, match="SlowDown"):
        invalidate.handler(event("invalidate_original_replaced"), context)
