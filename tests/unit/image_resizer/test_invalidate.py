from collections.abc import Callable
from typing import Any

import pytest

from image_resizer import invalidate
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
        s3.upload(f"{segment}/blue_marble.jpg", b"a variant")
        s3.upload(f"{segment}/other.jpg", b"a variant")
        s3.upload(f"{segment}/Ørsted & Co/50 % off.jpg", b"a variant")
    return s3


def test_all_variants_of_a_replaced_original_go_and_nothing_else(
    stored: MemoryS3, event: Recorded, context: Any
) -> None:
    before = set(stored.objects)
    assert invalidate.handler(event("invalidate_original_replaced"), context) == {"deleted": len(SEGMENTS)}
    assert before - set(stored.objects) == {f"{segment}/blue_marble.jpg" for segment in SEGMENTS}


def test_the_key_of_a_deleted_original_is_taken_as_it_is(
    stored: MemoryS3, event: Recorded, context: Any
) -> None:
    invalidate.handler(event("invalidate_original_deleted"), context)
    assert not [key for key in stored.objects if "Ørsted" in key]


def test_the_event_of_a_variant_is_ignored(stored: MemoryS3, event: Recorded, context: Any) -> None:
    assert invalidate.handler(event("invalidate_variant_created"), context) == {"deleted": 0}
    assert not stored.calls


def test_a_second_delivery_changes_nothing(stored: MemoryS3, event: Recorded, context: Any) -> None:
    invalidate.handler(event("invalidate_original_replaced"), context)
    after = set(stored.objects)
    invalidate.handler(event("invalidate_original_replaced"), context)
    assert set(stored.objects) == after


def test_a_variant_of_the_present_original_stays(stored: MemoryS3, event: Recorded, context: Any) -> None:
    fresh = "300x300/blue_marble.jpg"
    present = stored.head_object(Bucket="any", Key="blue_marble.jpg")["ETag"]
    stored.objects[fresh]["Metadata"] = {"original-etag": present.strip('"')}
    assert invalidate.handler(event("invalidate_original_replaced"), context) == {
        "deleted": len(SEGMENTS) - 1
    }
    assert fresh in stored.objects


def test_deletions_go_in_batches(s3: MemoryS3, event: Recorded, context: Any) -> None:
    for width in range(1, 1202):
        s3.upload(f"{width}x/blue_marble.jpg", b"a variant")
    assert invalidate.handler(event("invalidate_original_replaced"), context) == {"deleted": 1201}
    assert [call for call, _ in s3.calls].count("delete_objects") == 2
    assert set(s3.objects) == {"blue_marble.jpg"}


def test_a_key_that_is_not_deleted_fails_the_event(
    stored: MemoryS3, event: Recorded, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [{"Key": "300x300/blue_marble.jpg", "Code": "InternalError"}]
    monkeypatch.setattr(stored, "delete_objects", lambda **_: {"Errors": errors})
    with pytest.raises(invalidate.InvalidationError, match=r"1 of 5 .* InternalError"):
        invalidate.handler(event("invalidate_original_replaced"), context)


def test_a_throttled_listing_fails_the_event(stored: MemoryS3, event: Recorded, context: Any) -> None:
    stored.before["list_objects_v2"] = [client_error("SlowDown", 503)]
    with pytest.raises(Exception, match="SlowDown"):
        invalidate.handler(event("invalidate_original_replaced"), context)
