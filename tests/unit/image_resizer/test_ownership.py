"""Only variants are overwritten, deleted or left to expire; people's objects stay, whatever their names."""

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from datagen.pictures import jpeg
from image_resizer import invalidate, resize
from tests.unit.image_resizer.memory_s3 import MemoryS3, client_error

type Recorded = Callable[..., dict[str, Any]]
MARBLE, VARIANT = "blue_marble.jpg", "300x300/blue_marble.jpg"


@pytest.fixture
def ask(s3: MemoryS3, event: Recorded, context: Any) -> Callable[[str], int]:
    def answer(path: str) -> int:
        status: int = resize.handler(event("resize_jpeg", path), context)["statusCode"]
        return status

    return answer


@pytest.fixture
def tell(s3: MemoryS3, event: Recorded, context: Any) -> Callable[..., dict[str, int]]:
    """Deliver S3's event about an object."""

    def deliver(key: str) -> dict[str, int]:
        told = event("invalidate_original_replaced" if key in s3.objects else "invalidate_original_deleted")
        told["detail"]["object"]["key"] = key
        done: dict[str, int] = invalidate.handler(told, context)
        return done

    return deliver


# ---- what is there
def test_an_object_without_a_mark_is_left_and_reported(s3: MemoryS3, event: Recorded, context: Any) -> None:
    s3.upload(VARIANT, b"a person's")
    answer = SimpleNamespace(**resize.handler(event("resize_jpeg"), context))
    assert (answer.statusCode, '"key_is_taken"' in answer.body) == (409, True)
    assert s3.objects[VARIANT]["Body"] == b"a person's"


def test_a_copy_of_another_variant_is_left(s3: MemoryS3, ask: Any, tell: Any) -> None:
    assert ask(f"500x500/{MARBLE}") == 301
    s3.copy(f"500x500/{MARBLE}", VARIANT)
    body = s3.objects[VARIANT]["Body"]
    assert ask(VARIANT) == 409
    s3.upload(MARBLE, jpeg(90, 60))
    assert tell(MARBLE) == {"deleted": 1, "kept": 0}
    assert s3.objects[VARIANT]["Body"] == body


@pytest.mark.parametrize(
    ("tags", "left", "kept"),
    [
        ("variant=true", "", 1),
        ("owner=ann&variant=true&year=2026", "owner=ann&year=2026", 1),
        ("variant=false", "variant=false", 0),
        ("", "", 0),
    ],
)
@pytest.mark.parametrize("key", ["728x90/banner.jpg", "albums/thumb.jpg"])
def test_a_copy_loses_the_tag_that_would_let_it_expire(
    s3: MemoryS3, tell: Any, key: str, tags: str, left: str, kept: int
) -> None:
    s3.upload(key, b"a person's", tags=tags)
    assert tell(key) == {"deleted": 0, "kept": kept}
    assert s3.objects[key]["Tagging"] == left


def test_a_variant_keeps_its_tag(s3: MemoryS3, ask: Any, tell: Any) -> None:
    ask(VARIANT)
    assert tell(VARIANT) == {"deleted": 0, "kept": 0}
    assert s3.objects[VARIANT]["Tagging"] == "variant=true"


def test_a_copy_that_is_gone_by_now_needs_no_care(s3: MemoryS3, tell: Any) -> None:
    s3.upload("copy.jpg", b"a person's", tags="variant=true")
    s3.before["get_object_tagging"] = [lambda: s3.objects.pop("copy.jpg")]
    assert tell("copy.jpg") == {"deleted": 0, "kept": 0}


@pytest.fixture
def moved_back(s3: MemoryS3, ask: Any, tell: Any) -> bytes:
    """Move a person's copy of a variant to the variant's own key, and replace the original."""
    assert ask(VARIANT) == 301
    s3.copy(VARIANT, "mine.jpg")
    assert tell("mine.jpg") == {"deleted": 0, "kept": 1}
    del s3.objects[VARIANT]
    s3.copy("mine.jpg", VARIANT)
    assert ask(VARIANT) == 301, "it is served as long as it shows the present original"
    s3.upload(MARBLE, jpeg(90, 60))
    body: bytes = s3.objects[VARIANT]["Body"]
    return body


@pytest.mark.parametrize("key", [MARBLE, VARIANT])
def test_a_copy_that_was_moved_back_is_not_deleted(
    s3: MemoryS3, moved_back: bytes, tell: Any, key: str
) -> None:
    assert tell(key) == {"deleted": 0, "kept": 0}
    assert s3.objects[VARIANT]["Body"] == moved_back


def test_a_copy_that_was_moved_back_is_not_overwritten(s3: MemoryS3, moved_back: bytes, ask: Any) -> None:
    assert ask(VARIANT) == 409
    assert s3.objects[VARIANT]["Body"] == moved_back


def test_tags_are_read_of_stale_variants_alone(s3: MemoryS3, ask: Any, tell: Any) -> None:
    assert ask(VARIANT) == ask(VARIANT) == 301
    assert tell(MARBLE) == tell(VARIANT) == {"deleted": 0, "kept": 0}
    # `keep` reads the tags of the original, which is not a variant.
    assert [key for call, key in s3.calls if call == "get_object_tagging"] == [MARBLE]


def test_a_stale_variant_that_expires_at_the_look_is_made_anew(s3: MemoryS3, ask: Any) -> None:
    s3.make_variant(VARIANT)
    s3.before["get_object_tagging"] = [lambda: s3.objects.pop(VARIANT)]
    assert ask(VARIANT) == 301
    assert Image.open(io.BytesIO(s3.objects[VARIANT]["Body"])).size == (300, 300)


# ---- what a resizer leaves that could not look or delete after its write
@pytest.mark.parametrize("fails", ["the look and the deletion", "the deletion"])
def test_a_stale_variant_goes_by_its_own_event(s3: MemoryS3, ask: Any, tell: Any, fails: str) -> None:
    def replaced() -> None:
        s3.upload(MARBLE, jpeg(90, 60))
        assert tell(MARBLE) == {"deleted": 0, "kept": 0}, "nothing is stored yet"
        s3.before["delete_object"] = [client_error("SlowDown", 503)]
        if fails != "the deletion":
            s3.before["head_object"] = [client_error("SlowDown", 503)]

    s3.before["put_object"] = [replaced]
    assert ask(VARIANT) == 503
    assert VARIANT in s3.objects
    assert tell(VARIANT) == {"deleted": 1, "kept": 0}
    assert VARIANT not in s3.objects


# ---- what comes to lie there between a look and a write
def arrives(s3: MemoryS3) -> Callable[[], None]:
    return lambda: s3.upload(VARIANT, b"a person's")


def test_an_upload_before_the_first_write_stays(s3: MemoryS3, ask: Any) -> None:
    s3.before["put_object"] = [arrives(s3)]
    assert ask(VARIANT) == 409
    assert s3.objects[VARIANT]["Body"] == b"a person's"


def test_an_upload_before_a_replacement_stays(s3: MemoryS3, ask: Any) -> None:
    s3.make_variant(VARIANT)
    s3.before["put_object"] = [arrives(s3)]
    assert ask(VARIANT) == 409
    assert s3.objects[VARIANT]["Body"] == b"a person's"


def test_a_variant_that_expires_before_its_replacement_is_made_anew(s3: MemoryS3, ask: Any) -> None:
    s3.make_variant(VARIANT)
    s3.before["put_object"] = [lambda: s3.objects.pop(VARIANT)]
    assert ask(VARIANT) == 301
    assert Image.open(io.BytesIO(s3.objects[VARIANT]["Body"])).size == (300, 300)


def test_an_upload_before_taking_back_stays(s3: MemoryS3, ask: Any) -> None:
    s3.before["put_object"] = [lambda: s3.upload(MARBLE, jpeg(400, 400))]
    s3.before["delete_object"] = [arrives(s3)]
    assert ask(VARIANT) == 409
    assert s3.objects[VARIANT]["Body"] == b"a person's"


def test_an_upload_before_an_invalidation_stays(s3: MemoryS3, tell: Any) -> None:
    s3.make_variant(VARIANT)
    s3.before["delete_object"] = [arrives(s3)]
    assert tell(MARBLE) == {"deleted": 0, "kept": 0}
    assert s3.objects[VARIANT]["Body"] == b"a person's"


# ---- every name
SEGMENTS = (
    "300x300", "25x", "x50,webp", "300x300,contain,png", "728x90", "7x7", "0x0", "00x1", "300x300,sepia",
    "25x,s1.x", "300x300,", "x", "albums", "300X300", "1000 pictures", "\u0663x\u0663", "300×300",
)  # fmt: skip
ASKED = SEGMENTS[:4]
bases = st.sampled_from(["a.jpg", "ä b.jpg", "日本/富士.jpg"])
folders = st.sampled_from(ASKED) | st.sampled_from(SEGMENTS)
keys = st.builds("{}/{}".format, folders, bases) | st.builds("{}/{}/{}".format, folders, folders, bases)
actions = st.one_of(
    st.tuples(st.just("put"), keys),
    st.tuples(st.just("put"), bases),
    st.tuples(st.just("delete"), bases),
    st.tuples(st.just("copy"), st.tuples(keys, keys)),
    st.tuples(st.just("copy any"), st.tuples(st.integers(0, 99), keys)),
    st.tuples(st.just("move back"), st.integers(0, 99)),
    st.tuples(st.just("ask"), st.builds("{}/{}".format, st.sampled_from(ASKED), bases)),
)


def people_do(s3: MemoryS3, doing: str, what: Any, people: dict[str, bytes], number: int) -> str | None:
    """Do what somebody does with the bucket, and note in `people` what is theirs; the key that changed."""
    if doing == "put":
        people[what] = jpeg(8 + number, 8)
        s3.upload(what, people[what])
        return str(what)
    if doing == "delete":
        people.pop(what, None)
        return what if s3.objects.pop(what, None) else None
    if doing == "move back":  # a copy that was put elsewhere, and lost its tag there
        variants = [key for key in s3.variants() if key not in people]
        if not variants:
            return None
        key: str = variants[what % len(variants)]
        people[key] = s3.objects[key]["Body"]
        s3.objects[key] = {**s3.objects[key], "Tagging": ""}
        return key
    source, target = what
    if doing == "copy any" and s3.objects:
        source = sorted(s3.objects)[source % len(s3.objects)]
    # "This copy request is illegal because it is trying to copy an object to itself without changing" it.
    if source not in s3.objects or source == target:
        return None
    s3.copy(source, target)
    people[target] = s3.objects[target]["Body"]
    return str(target)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(actions, min_size=8, max_size=40))
def test_peoples_objects_survive_under_every_name(
    s3: MemoryS3, ask: Any, tell: Any, history: list[tuple[str, Any]]
) -> None:
    s3.objects.clear()
    people: dict[str, bytes] = {}
    for number, (doing, what) in enumerate(history):
        if doing == "ask":
            before = set(s3.objects)
            status = ask(what)
            assert status != 500
            assert status != 409 or what in people
            for key in set(s3.objects) - before:
                tell(key)
        elif (changed := people_do(s3, doing, what, people, number)) is not None:
            tell(changed)
        assert {key: s3.objects[key]["Body"] for key in people} == people
        assert not [key for key in people if "variant=true" in s3.objects[key]["Tagging"]]
        orphans = {
            key for key in s3.objects.keys() - people.keys() if key.partition("/")[2] not in s3.objects
        }
        assert orphans == set(), "variants of what is not there any more"
