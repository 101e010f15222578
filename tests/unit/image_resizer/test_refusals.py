"""What is refused once is refused from the table, for a day, as long as the original is the same."""

import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from datagen.pictures import animation, jpeg, png
from image_resizer import recipe, refusals, resize, storage
from shared.http import UnprocessableError
from tests.unit.image_resizer.memory_s3 import MemoryS3, client_error

BOMB = png(30_000, 30_000, data=b"")


@pytest.fixture
def ask(s3: MemoryS3, event: Callable[..., dict[str, Any]], context: Any) -> Callable[[str], tuple[int, str]]:
    def answer(path: str) -> tuple[int, str]:
        given = SimpleNamespace(**resize.handler(event("resize_jpeg", path), context))
        return given.statusCode, json.loads(given.body)["code"] if given.body else ""

    return answer


def reads(s3: MemoryS3) -> int:
    return [call for call, _ in s3.calls].count("get_object")


def test_a_bomb_is_read_once_for_all_its_variants(s3: MemoryS3, ask: Any) -> None:
    s3.upload("bomb.png", BOMB)
    for segment in ("300x300", "300x300", "25x25,webp", "x2400,avif"):
        assert ask(f"{segment}/bomb.png") == (422, "too_many_pixels")
    assert reads(s3) == 1
    assert not s3.variants()


def test_another_status_is_remembered_as_well(s3: MemoryS3, ask: Any) -> None:
    s3.upload("page.jpg", b"<html>")
    assert [ask("300x300/page.jpg") for _ in range(2)] == [(415, "unsupported_format")] * 2
    assert reads(s3) == 1


def test_what_one_variant_meets_is_remembered_of_it_alone(
    s3: MemoryS3, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.upload("moving.gif", animation("GIF"))

    def refuse(*_: Any) -> None:
        raise UnprocessableError("corrupt", "A later frame is broken.")

    with monkeypatch.context() as broken:
        broken.setattr(recipe, "_animation", refuse)
        assert ask("25x25,webp/moving.gif") == (422, "corrupt")
    assert ask("25x25,webp/moving.gif") == (422, "corrupt")
    assert reads(s3) == 1
    assert ask("50x50,webp/moving.gif")[0] == 301
    assert ask("25x25,png/moving.gif")[0] == 301


def test_another_upload_is_looked_at_afresh(s3: MemoryS3, ask: Any) -> None:
    s3.upload("picture", BOMB)
    assert ask("300x300/picture") == (422, "too_many_pixels")
    s3.upload("picture", jpeg())
    assert ask("300x300/picture")[0] == 301
    s3.upload("picture", BOMB)
    s3.objects.pop("300x300/picture")
    assert ask("300x300/picture") == (422, "too_many_pixels")


def test_a_refusal_expires_after_a_day(s3: MemoryS3, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.upload("bomb.png", BOMB)
    ask("300x300/bomb.png")
    start = time.time()
    monkeypatch.setattr(time, "time", lambda: start + refusals.REFUSED_S - 60)
    ask("300x300/bomb.png")
    assert reads(s3) == 1
    monkeypatch.setattr(time, "time", lambda: start + refusals.REFUSED_S + 60)
    assert ask("300x300/bomb.png") == (422, "too_many_pixels")
    assert reads(s3) == 2
    assert int(s3.refusals.items["bomb.png"]["expires"]["N"]) > start + refusals.REFUSED_S


def test_an_original_has_no_more_refusals_than_variants(s3: MemoryS3, ask: Any) -> None:
    s3.upload("bomb.png", BOMB)
    for _ in range(3):
        ask("300x300/bomb.png")
        s3.refusals.items.clear()
        ask("25x25/bomb.png")
    assert list(s3.refusals.items) == ["bomb.png"]


def test_a_variant_that_is_stored_asks_no_table(s3: MemoryS3, ask: Any) -> None:
    ask("300x300/blue_marble.jpg")
    s3.refusals.failures = [client_error("AccessDeniedException", 400)]
    assert ask("300x300/blue_marble.jpg")[0] == 301


def test_what_may_go_better_next_time_is_not_remembered(s3: MemoryS3, ask: Any, context: Any) -> None:
    context.get_remaining_time_in_millis = lambda: 500
    assert ask("300x300/blue_marble.jpg") == (504, "out_of_time")
    s3.before["get_object"] = [client_error("SlowDown", 503)]
    context.get_remaining_time_in_millis = lambda: 10_000
    assert ask("300x300/blue_marble.jpg") == (503, "storage_busy")
    assert not s3.refusals.items


@pytest.mark.parametrize("bomb", [BOMB, jpeg()], ids=["at the write", "at the read"])
def test_a_table_that_is_throttled_is_busy(s3: MemoryS3, ask: Any, bomb: bytes) -> None:
    s3.upload("picture", bomb)
    throttled = client_error("ProvisionedThroughputExceededException", 400)
    s3.refusals.failures = [{"Responses": {}}, throttled] if bomb is BOMB else [throttled]
    assert ask("300x300/picture") == (503, "storage_busy")
    s3.refusals.failures = [{"Responses": {}, "UnprocessedKeys": {"refusals": {}}}]
    assert ask("300x300/picture") == (503, "storage_busy")


def clock(monkeypatch: pytest.MonkeyPatch, context: Any, *, before: float, image: float) -> None:
    """Let seconds pass before the image is read, and while it is made."""
    times = {"left": 10.0}
    context.get_remaining_time_in_millis = lambda: 1000 * times["left"]
    fetch, render = storage.Bucket.fetch, recipe.render

    def slow_fetch(*arguments: Any) -> Any:
        times["left"] -= before
        return fetch(*arguments)

    def slow_render(header: Any, variant: Any, checkpoint: Any) -> Any:
        times["left"] -= image
        checkpoint(0.5)
        return render(header, variant, checkpoint)

    monkeypatch.setattr(storage.Bucket, "fetch", slow_fetch)
    monkeypatch.setattr(resize, "render", slow_render)


@pytest.mark.parametrize(
    ("before", "image", "expected"),
    [(0, 8.8, (422, "too_costly")), (4, 5, (504, "out_of_time")), (4, 2, (301, ""))],
)
def test_only_an_image_that_takes_nearly_all_the_time_is_too_costly(
    s3: MemoryS3,
    ask: Any,
    context: Any,
    monkeypatch: pytest.MonkeyPatch,
    before: float,
    image: float,
    expected: tuple[int, str],
) -> None:
    clock(monkeypatch, context, before=before, image=image)
    assert ask("300x300/blue_marble.jpg") == expected
    assert list(s3.refusals.items) == (["300x300/blue_marble.jpg"] if expected[0] == 422 else [])
