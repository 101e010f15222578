"""Originals of odd kinds: variants show what this browser shows of the original itself."""

from __future__ import annotations

import uuid
import zlib
from typing import Any

import pytest
from playwright.sync_api import Page

from datagen.pictures import (
    GifFrame,
    avif_in_metadata,
    chunk,
    gif_of,
    jpeg,
    jpeg_with,
    photo,
    raw_png,
    spoiled,
    swapped_profile,
)
from local.suite import Suite

ROW = bytes([200, 30, 40]) * 32
FLAT = [ROW] * 32


def keyed(bits: int, colour: int, row: bytes, key: bytes) -> bytes:
    """32 x 32 pixels, the left half in the transparent colour."""
    return raw_png(32, bits, colour, [row] * 32, chunk(b"tRNS", key))


ORIGINALS: dict[str, bytes] = {
    "tRNS of grey 1.png": keyed(1, 0, b"\xff\xff\0\0", b"\0\1"),
    "tRNS of grey 2.png": keyed(2, 0, b"\xaa" * 4 + b"\x55" * 4, b"\0\2"),
    "tRNS of grey 4.png": keyed(4, 0, b"\xcc" * 8 + b"\x33" * 8, b"\0\x0c"),
    "tRNS of grey 8.png": keyed(8, 0, b"\xcc" * 16 + b"\x33" * 16, b"\0\xcc"),
    "tRNS of grey 16.png": keyed(16, 0, b"\xcc\xdd" * 16 + b"\x33\x33" * 16, b"\xcc\xdd"),
    "tRNS of colour 8.png": keyed(8, 2, b"\xf0\1\2" * 16 + b"\x10\x90\3" * 16, b"\0\xf0\0\1\0\2"),
    "tRNS of colour 16.png": keyed(
        16, 2, b"\xf0\1\x11\2\x22\3" * 16 + b"\x10\1\x90\2\3\4" * 16, b"\xf0\1\x11\2\x22\3"
    ),
    "a small first frame.gif": gif_of((64, 64), [GifFrame(16, 16, 32, 32, 0)]),
    "zeros between frames.gif": gif_of((64, 64), [GifFrame(0, 0, 64, 64, 1)] * 2, between=b"\0"),
    "junk between segments.jpg": jpeg_with(jpeg(64, 64, quality=95), b"junk!"),
    "FF00 between segments.jpg": jpeg_with(jpeg(64, 64, quality=95), b"\xff\0\0\2"),
    "junk before the end.jpg": jpeg(64, 64, quality=95)[:-2] + b"\xff\1\xff\xd9",
    "no end.jpg": jpeg(64, 64, quality=95)[:-2],
    "text with a wrong checksum.png": raw_png(32, 8, 2, FLAT, spoiled(chunk(b"tEXt", b"Title\0x"))),
    "time with a wrong checksum.png": raw_png(32, 8, 2, FLAT, after=spoiled(chunk(b"tIME", bytes(7)))),
    "short pHYs.png": raw_png(32, 8, 2, FLAT, chunk(b"pHYs", b"")),
    "short sRGB.png": raw_png(32, 8, 2, FLAT, chunk(b"sRGB", b"")),
    "short iTXt.png": raw_png(32, 8, 2, FLAT, chunk(b"iTXt", b"x")),
    "profile behind the data.png": raw_png(32, 8, 2, FLAT, after=chunk(b"iCCP", b"p\0\0broken")),
    "data in the metadata.avif": avif_in_metadata(photo(64, 64, "RGBA")),
}

# A grid of pixels of a picture, drawn at 32 x 32; None if the browser does not show it.
PIXELS = """async address => {
    const picture = new Image();
    const loaded = new Promise((resolve) => { picture.onload = picture.onerror = resolve; });
    picture.src = URL.createObjectURL(await (await fetch(address)).blob());  // as the page may show it
    await loaded;
    if (!picture.naturalWidth) return null;
    const canvas = new OffscreenCanvas(32, 32).getContext('2d');
    canvas.drawImage(picture, 0, 0, 32, 32);
    const pixels = [];
    for (const y of [2, 16, 29]) {
        for (const x of [2, 9, 22, 29]) pixels.push(Array.from(canvas.getImageData(x, y, 1, 1).data));
    }
    return pixels;
}"""
# Frames, durations in ms and repetitions of an animation.
ANIMATION = """async ([address, type]) => {
    const data = await (await fetch(address)).arrayBuffer();
    const decoder = new ImageDecoder({data, type});
    await decoder.completed;
    await decoder.tracks.ready;
    const {frameCount, repetitionCount} = decoder.tracks.selectedTrack;
    const corners = [];
    for (let frameIndex = 0; frameIndex < frameCount; frameIndex++) {
        const {image} = await decoder.decode({frameIndex});
        const canvas = new OffscreenCanvas(image.displayWidth, image.displayHeight).getContext('2d');
        canvas.drawImage(image, 0, 0);
        const middle = canvas.getImageData(image.displayWidth / 2, image.displayHeight / 2, 1, 1).data;
        corners.push([canvas.getImageData(1, 1, 1, 1).data[3], middle[3]]);
    }
    const repetitions = repetitionCount === Infinity ? -1 : repetitionCount;
    return {frameCount, repetitions, corners};
}"""


def upload(suite: Suite, name: str, body: bytes) -> str:
    key = f"odd/{uuid.uuid4().hex}.{name.rpartition('.')[2]}"
    kind = {"jpg": "jpeg"}.get(name[-3:], name.rpartition(".")[2])
    suite.client("s3").put_object(
        Bucket=suite["ImagesBucketName"], Key=key, Body=body, ContentType=f"image/{kind}"
    )
    return key


def far(one: list[list[int]], other: list[list[int]]) -> list[Any]:
    """Pixels that look different: on white and on black, by more than what a lossy format may change."""
    found = []
    for place, (first, second) in enumerate(zip(one, other, strict=True)):
        for ground in (0, 255):
            shown = [
                [ground + (value - ground) * pixel[3] / 255 for value in pixel[:3]]
                for pixel in (first, second)
            ]
            if max(abs(a - b) for a, b in zip(*shown, strict=True)) > 24:
                found.append((place, first, second))
    return found


@pytest.mark.parametrize("name", ORIGINALS)
def test_a_variant_shows_what_the_browser_shows_of_the_original(page: Page, suite: Suite, name: str) -> None:
    website = suite["ImagesWebsiteUrl"]
    key = upload(suite, name, ORIGINALS[name])
    page.goto(f"{suite['WebUrl']}/images/")
    shown = key
    if name == "no end.jpg":  # of which this browser leaves out the last rows, in a blob
        shown = upload(suite, name, ORIGINALS[name] + b"\xff\xd9")
    original = page.evaluate(PIXELS, f"{website}/{shown}")
    assert original
    for segment in ("300x300", "300x300,webp", "300x300,png", "25x25,png"):
        variant = page.evaluate(PIXELS, f"{website}/{segment}/{key}")
        assert variant, segment
        assert not far(original, variant), segment


@pytest.mark.parametrize(("repetitions", "expected"), [(None, 0), (0, -1), (3, 3)])
@pytest.mark.parametrize("form", ["gif", "webp", "avif"])
def test_an_animation_is_shown_as_often_as_its_original(
    page: Page, suite: Suite, form: str, repetitions: int | None, expected: int
) -> None:
    frames = [GifFrame(0, 0, 60, 60, colour) for colour in (0, 1)]
    key = upload(suite, "loop.gif", gif_of((60, 60), frames, repetitions))
    page.goto(f"{suite['WebUrl']}/images/")
    website, option = suite["ImagesWebsiteUrl"], "" if form == "gif" else f",{form}"
    original = page.evaluate(ANIMATION, [f"{website}/{key}", "image/gif"])
    variant = page.evaluate(ANIMATION, [f"{website}/50x50{option}/{key}", f"image/{form}"])
    assert (original["frameCount"], original["repetitions"]) == (2, expected)
    assert (variant["frameCount"], variant["repetitions"]) == (2, expected)


@pytest.mark.parametrize("form", ["gif", "webp", "avif"])
def test_what_is_disposed_to_the_background_is_transparent(page: Page, suite: Suite, form: str) -> None:
    frames = [GifFrame(0, 0, 64, 64, 0, 2), GifFrame(24, 24, 16, 16, 2, 2), GifFrame(0, 0, 16, 16, 1, 2)]
    key = upload(suite, "disposed.gif", gif_of((64, 64), frames, 0))
    page.goto(f"{suite['WebUrl']}/images/")
    website, option = suite["ImagesWebsiteUrl"], "" if form == "gif" else f",{form}"
    original = page.evaluate(ANIMATION, [f"{website}/{key}", "image/gif"])
    variant = page.evaluate(ANIMATION, [f"{website}/50x50{option}/{key}", f"image/{form}"])
    assert original["corners"] == [[255, 255], [0, 255], [255, 0]]
    assert [[alpha > 127 for alpha in pair] for pair in variant["corners"]] == [
        [alpha > 127 for alpha in pair] for pair in original["corners"]
    ]


def test_a_profile_behind_the_image_data_changes_no_colour(page: Page, suite: Suite) -> None:
    body = chunk(b"iCCP", b"p\0\0" + zlib.compress(swapped_profile()))
    key = upload(suite, "late.png", raw_png(32, 8, 2, FLAT, after=body))
    page.goto(f"{suite['WebUrl']}/images/")
    original, variant = (
        page.evaluate(PIXELS, f"{suite['ImagesWebsiteUrl']}/{path}") for path in (key, f"25x25,webp/{key}")
    )
    assert original[0] == [200, 30, 40, 255]
    assert not far(original, variant)
