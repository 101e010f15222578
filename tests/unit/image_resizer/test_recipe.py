import contextlib
import io
import struct
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageFile, ImageStat

from datagen.pictures import (
    GIF_COLOURS,
    LADDER,
    GifFrame,
    animation,
    chunk,
    decode,
    empty_blocks,
    encode,
    gif_of,
    jpeg,
    orientation,
    photo,
    png,
    raw_png,
    srgb_profile,
    swapped_profile,
    with_segment,
)
from image_resizer import decoding, guards, recipe
from image_resizer.containers.gif import frames as gif_frames
from image_resizer.variants import Variant, parse_request, stored_variants
from shared.http import OutOfTimeError, UnprocessableError

SOURCES = ["jpeg", "png", "webp", "avif", "gif"]
sides = st.integers(1, 400)
variants = st.sampled_from(list(stored_variants((25, 50, 300))))


def render(data: bytes, segment: str | Variant) -> Image.Image:
    return decode(rendered(data, segment).data)


def rendered(data: bytes, segment: str | Variant) -> recipe.Rendered:
    variant = segment if isinstance(segment, Variant) else parse_request(f"{segment}/a", LADDER).variant
    return recipe.render(guards.inspect(io.BytesIO(data)), variant, lambda _: None)


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference of two pictures, 0 to 255."""
    return max(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean)


@given(st.integers(1, 70_000), st.integers(1, 70_000), st.sampled_from(list(stored_variants(LADDER))))
def test_a_plan_never_enlarges_and_keeps_the_aspect(width: int, height: int, variant: Variant) -> None:
    size, crop, canvas = recipe.plan(width, height, variant)
    assert 1 <= size[0] <= width
    assert 1 <= size[1] <= height
    assert size[0] <= (variant.width or width)
    assert size[1] <= (variant.height or height)
    assert 0 < crop[0] <= width
    assert 0 < crop[1] <= height
    # Rounding moves a side by half a pixel at most, and no side vanishes.
    scale = size[0] / crop[0], size[1] / crop[1]
    if min(size) > 1 and min(crop) > 1:
        assert abs(scale[0] - scale[1]) <= max(1 / crop[0], 1 / crop[1])
    assert canvas is None or canvas == (variant.width, variant.height)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(SOURCES), st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"]),
       sides, sides, st.integers(1, 8), variants)  # fmt: skip
def test_any_picture_comes_out_in_its_planned_size(
    form: str, mode: str, width: int, height: int, exif: int, variant: Variant
) -> None:
    image = photo(width, height, mode)
    options: dict[str, Any] = {} if form == "gif" else {"exif": orientation(exif)}
    if form == "jpeg" and mode not in ("1", "L", "RGB", "CMYK"):
        image = image.convert("RGB")
    if form in ("webp", "avif") and mode in ("CMYK", "I;16"):
        image = image.convert("RGB")
    if form in ("png", "gif") and mode == "CMYK":
        image = image.convert("RGB")
    upright = (height, width) if exif > 4 and form != "gif" else (width, height)
    planned = recipe.plan(*upright, variant)
    result = rendered(encode(image, form, **options), variant)
    assert decode(result.data).size == result.size == (planned.canvas or planned.size)
    assert result.format == (variant.format or form)


def test_the_usual_sizes() -> None:
    assert recipe.plan(5400, 5400, Variant(300, 300)).size == (300, 300)
    assert recipe.plan(4000, 3000, Variant(300, 300)) == recipe.Plan((300, 300), (3000, 3000))
    assert recipe.plan(4000, 3000, Variant(300, None)).size == (300, 225)
    assert recipe.plan(4000, 3000, Variant(300, 300, "inside")).size == (300, 225)
    assert recipe.plan(4000, 3000, Variant(300, 300, "contain")).canvas == (300, 300)
    assert recipe.plan(200, 100, Variant(300, 300)).size == (100, 100)
    assert recipe.plan(200, 100, Variant(None, 2400)).size == (200, 100)


@pytest.mark.parametrize("value", range(1, 9))
def test_every_orientation_comes_out_upright(value: int) -> None:
    upright = photo(160, 120)
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright.transpose(Image.Transpose(undo[value])) if value > 1 else upright
    result = render(encode(stored, "JPEG", quality=95, exif=orientation(value)), "100x")
    assert result.size == (100, 75)
    assert difference(result, upright.resize((100, 75), Image.Resampling.LANCZOS)) < 3
    assert not result.getexif()


def test_cover_crops_the_middle_in_either_orientation() -> None:
    for value in (1, 6):
        image = Image.new("RGB", (300, 100), (0, 0, 255))
        image.paste((255, 0, 0), (100, 0, 200, 100))
        stored = image.transpose(Image.Transpose.ROTATE_90) if value == 6 else image
        result = render(encode(stored, "PNG", exif=orientation(value)), "50x50")
        assert difference(result, Image.new("RGB", (50, 50), (255, 0, 0))) < 8


def test_a_wide_gamut_picture_is_converted_to_srgb() -> None:
    red = Image.new("RGB", (64, 64), (255, 0, 0))
    profile = swapped_profile()
    for form in ("JPEG", "PNG", "WEBP"):
        result = render(encode(red, form, icc_profile=profile), "25x25,png")
        r, g, _ = ImageStat.Stat(result).mean
        assert g > 200 > 60 > r
        assert "icc_profile" not in result.info


def test_a_profile_leaves_alpha_alone() -> None:
    image = photo(64, 64, "RGBA")
    result = render(encode(image, "PNG", icc_profile=swapped_profile()), "50x50")
    assert result.mode == "RGBA"
    alpha = image.getchannel("A").resize((50, 50), Image.Resampling.LANCZOS)
    assert difference(result.getchannel("A"), alpha) < 2


@pytest.mark.parametrize(
    "profile", [b"", b"nonsense", swapped_profile()[:300], swapped_profile()[:-50] + bytes(50)]
)
def test_a_broken_profile_is_ignored(profile: bytes) -> None:
    assert render(jpeg(icc_profile=profile), "100x").size == (100, 75)


def test_a_colour_profile_on_a_grey_picture_is_ignored() -> None:
    result = render(encode(photo(mode="L"), "PNG", icc_profile=swapped_profile()), "100x")
    assert (result.mode, result.size) == ("L", (100, 75))


def test_broken_exif_and_trailing_bytes_do_not_hurt_and_do_not_survive() -> None:
    data = with_segment(jpeg(), 0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff") + b"<script>alert(1)</script>"
    result = rendered(data, "100x")
    assert b"script" not in result.data
    assert b"Exif" not in result.data


@pytest.mark.parametrize("form", ["jpeg", "png", "webp", "avif", "gif"])
def test_no_metadata_goes_out(form: str) -> None:
    private = jpeg(
        exif=orientation(6), icc_profile=swapped_profile(), comment=b"private", dpi=(72, 72), xmp=b"private"
    )
    source = private if form != "gif" else encode(photo(mode="P"), "GIF", comment=b"private")
    data = rendered(source, "100x" if form == "gif" else f"100x,{form}").data
    for word in (b"private", b"acsp", b"Exif\0\0"):
        assert word not in data


def test_cmyk_keeps_its_colours() -> None:
    result = render(jpeg(mode="CMYK", quality=95), "100x")
    assert result.mode == "RGB"
    assert (
        difference(result, photo(mode="CMYK").convert("RGB").resize((100, 75), Image.Resampling.LANCZOS)) < 4
    )


def test_a_jpeg_of_rgb_samples_keeps_its_colours() -> None:
    result = render(jpeg(keep_rgb=True, quality=95), "100x")
    assert difference(result, photo().resize((100, 75), Image.Resampling.LANCZOS)) < 4


@given(
    st.integers(100, 300),
    st.integers(100, 300),
    st.sampled_from([0, 1, 2]),
    st.sampled_from(["RGB", "L", "CMYK"]),
    st.sampled_from([2.0, 4.1, 5.0, 5.3, 6.0, 8.0]),
)
def test_a_jpeg_decoded_at_a_fraction_shows_the_same_picture(
    width: int, height: int, subsampling: int, mode: str, shrink: float
) -> None:
    picture = photo(width, height, mode)
    options = {} if mode == "CMYK" else {"subsampling": subsampling}
    data = encode(picture, "JPEG", quality=95, **options)
    size = max(1, round(width / shrink)), max(1, round(height / shrink))
    variant = Variant(size[0], size[1], "inside", "png")
    result = render(data, variant)
    assert result.size == recipe.plan(width, height, variant).size
    assert difference(result, decode(data).convert("RGB").resize(result.size, Image.Resampling.LANCZOS)) < 4


@pytest.mark.parametrize("decodable", [True, False])
def test_three_eighths_are_left_to_libjpeg_turbo(decodable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_decodes", lambda part: decodable or part != 3)
    source = Image.open(io.BytesIO(jpeg(1000, 750)))
    assert isinstance(source, ImageFile.ImageFile)
    pixels, box = decoding.draft(source, (200, 150), (0, 0, 1000, 750), None)
    source.load()
    assert source.size == ((375, 282) if decodable else (500, 375))
    assert pixels == source.width * source.height
    assert box == ((0, 0, 375, 281.25) if decodable else (0, 0, 500, 375))


def test_16_bit_grey_is_not_clipped() -> None:
    result = render(encode(photo(mode="I;16"), "PNG"), "100x")
    assert difference(result, photo(mode="L").resize((100, 75), Image.Resampling.LANCZOS)) < 2


def test_transparency_of_every_kind_survives_or_turns_white() -> None:
    hole = Image.new("RGBA", (100, 100), (255, 0, 0, 255))
    hole.paste((0, 0, 0, 0), (0, 0, 50, 100))
    palette = hole.convert("RGB").quantize(4)
    keyed = Image.new("RGB", (100, 100), (255, 0, 0))
    keyed.paste((0, 0, 0), (0, 0, 50, 100))
    sources = {
        "band": encode(hole, "PNG"),
        "palette": encode(palette, "PNG", transparency=palette.getpixel((0, 0))),
        "palette with alphas": encode(hole.quantize(4, Image.Quantize.FASTOCTREE), "PNG"),
        "colour key": encode(keyed, "PNG", transparency=(0, 0, 0)),
        "gif": encode(palette, "GIF", transparency=palette.getpixel((0, 0))),
        "webp": encode(hole, "WEBP", lossless=True),
    }
    for name, data in sources.items():
        kept = render(data, "50x50,png").convert("RGBA")
        assert kept.getpixel((5, 25))[3] == 0, name  # type: ignore[index]
        assert kept.getpixel((45, 25)) == (255, 0, 0, 255), name
        flat = render(data, "50x50,jpeg")
        assert difference(flat.crop((0, 0, 20, 50)), Image.new("RGB", (20, 50), "white")) < 8, name


KEYED = {
    "grey 1": (1, 0, b"\xff\xff\0\0", b"\0\1", (0, 0, 0)),
    "grey 2": (2, 0, b"\xaa" * 4 + b"\x55" * 4, b"\0\2", (85, 85, 85)),
    "grey 4": (4, 0, b"\xcc" * 8 + b"\x33" * 8, b"\0\x0c", (51, 51, 51)),
    "grey 8": (8, 0, b"\xcc" * 16 + b"\x33" * 16, b"\0\xcc", (51, 51, 51)),
    "grey 16": (16, 0, b"\xcc\xdd" * 16 + b"\xcc\xde" * 16, b"\xcc\xdd", (204, 204, 204)),
    "colour 8": (8, 2, b"\xf0\1\2" * 16 + b"\xf0\1\3" * 16, b"\0\xf0\0\1\0\2", (240, 1, 3)),
    "colour 16": (
        16,
        2,
        b"\xf0\1\x11\2\x22\3" * 16 + b"\xf0\1\x11\2\x22\4" * 16,
        b"\xf0\1\x11\2\x22\3",
        (240, 17, 34),
    ),
}


@pytest.mark.parametrize("kind", KEYED)
@pytest.mark.parametrize("segment", ["300x300,webp", "300x300,png", "25x,png"])
def test_one_transparent_colour_is_compared_as_it_is_stored(kind: str, segment: str) -> None:
    """Pixels by hand: 32 samples a row, the left half the colour that tRNS names, the right half another.

    Of 16 bits the two halves differ in the lower byte alone. "tRNS ... the full sample values are compared":
    PNG, third edition, 11.3.1.1.
    """
    bits, colour, row, key, shown = KEYED[kind]
    data = raw_png(32, bits, colour, [row] * 32, chunk(b"tRNS", key))
    made = render(data, segment).convert("RGBA")
    left, right = made.getpixel((2, 12)), made.getpixel((made.width - 3, 12))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert left[3] == 0
    assert right[3] == 255
    assert all(abs(one - other) <= 6 for one, other in zip(right[:3], shown, strict=True))


@pytest.mark.parametrize("key", [b"", b"\0", b"\0\0\0\1", b"\1\xcc"])
def test_a_transparent_colour_that_is_none_hides_nothing(key: bytes) -> None:
    """Of the wrong length libpng ignores it, and 0x1CC is no sample of 8 bits."""
    data = raw_png(32, 8, 0, [b"\xcc" * 32] * 32, chunk(b"tRNS", key))
    assert render(data, "25x").convert("RGBA").getchannel("A").getextrema() == (255, 255)


def test_16_bits_become_8_by_their_upper_byte() -> None:
    row = b"".join(struct.pack(">H", 257 * value) for value in range(256))
    made = render(raw_png(256, 16, 0, [row] * 2), "300x,png")
    assert [made.getpixel((x, 0)) for x in range(256)] == list(range(256))


def composed(frames: list[GifFrame], size: tuple[int, int], count: int) -> Image.Image:
    """What a browser shows of the first frames: each drawn, and what it leaves when its time is over."""
    screen = Image.new("RGBA", size)
    for number, frame in enumerate(frames[:count]):
        before = screen.copy()
        box = frame.left, frame.top, frame.left + frame.width, frame.top + frame.height
        colour = (*GIF_COLOURS[frame.colour], 255)
        if frame.transparent != frame.colour:
            screen.paste(colour, box)
        if number == count - 1:
            break
        if frame.disposal == 2:
            screen.paste((0, 0, 0, 0), box)
        elif frame.disposal == 3:
            screen = before
    return screen


@given(
    st.lists(
        st.builds(
            GifFrame,
            st.sampled_from([0, 8, 24]),
            st.sampled_from([0, 8]),
            st.sampled_from([8, 16, 40]),
            st.sampled_from([8, 16, 32]),
            st.sampled_from([0, 1, 2]),
            st.sampled_from([0, 1, 2, 3]),
            st.sampled_from([None, 0, 3]),
            st.just(10),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_gif_is_composed_as_browsers_do(frames: list[GifFrame]) -> None:
    size = max(40, frames[0].left + frames[0].width), max(32, frames[0].top + frames[0].height)
    header = guards.inspect(io.BytesIO(gif_of((40, 32), frames)))
    assert (header.width, header.height) == size
    assert header.gif
    shown = [frame.convert("RGBA").copy() for frame, _ in gif_frames(header.gif)]
    for count, one in enumerate(shown, start=1):
        expected = composed(frames, size, count)
        alpha = ImageChops.difference(one.getchannel("A"), expected.getchannel("A"))
        assert alpha.getbbox() is None
        seen = [Image.composite(picture, Image.new("RGBA", size), expected) for picture in (one, expected)]
        assert ImageChops.difference(*(picture.convert("RGB") for picture in seen)).getbbox() is None


@pytest.mark.parametrize("target", ["", "webp", "png"])
def test_the_canvas_outside_of_the_first_frame_is_transparent(target: str) -> None:
    data = gif_of((100, 100), [GifFrame(30, 30, 40, 40, 0)])
    made = render(data, f"50x50,{target}".rstrip(",")).convert("RGBA")
    assert made.getchannel("A").point(lambda value: 255 * (value > 127)).getbbox() == (15, 15, 35, 35)


@pytest.mark.parametrize("target", ["", "webp", "avif"])
def test_what_is_disposed_to_the_background_becomes_transparent(target: str) -> None:
    frames = [GifFrame(0, 0, 100, 100, 0, 2), GifFrame(30, 30, 40, 40, 2, 2), GifFrame(0, 0, 20, 20, 1, 2)]
    made = render(gif_of((100, 100), frames, repetitions=0), f"50x50,{target}".rstrip(","))
    boxes = [(0, 0, 50, 50), (15, 15, 35, 35), (0, 0, 10, 10)]
    for number, box in enumerate(boxes):
        made.seek(number)
        alpha = made.convert("RGBA").getchannel("A")
        assert alpha.point(lambda value: 255 * (value > 127)).getbbox() == box


def test_no_dark_seam_where_transparency_begins() -> None:
    hole = Image.new("RGBA", (400, 400), (255, 255, 255, 255))
    hole.paste((0, 0, 0, 0), (0, 0, 201, 400))
    result = render(encode(hole, "PNG"), "25x25")
    assert all(pixel[:3] == (255, 255, 255) for pixel in result.get_flattened_data() if pixel[3])  # type: ignore[index]


def test_contain_pads_transparent_or_white() -> None:
    padded = render(jpeg(400, 100), "100x100,contain,webp")
    assert (padded.size, padded.mode) == ((100, 100), "RGBA")
    assert padded.getpixel((50, 5))[3] == 0  # type: ignore[index]
    assert padded.getpixel((50, 50))[3] == 255  # type: ignore[index]
    white = render(jpeg(400, 100), "100x100,contain")
    assert difference(white.crop((0, 0, 100, 30)), Image.new("RGB", (100, 30), "white")) < 5


def test_contain_of_a_small_original_pads_and_does_not_enlarge() -> None:
    result = render(encode(Image.new("RGB", (30, 30), (255, 0, 0)), "PNG"), "100x100,contain")
    assert result.size == (100, 100)
    assert result.getchannel("A").getbbox() == (35, 35, 65, 65)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("GIF", ""),
        ("GIF", "webp"),
        ("GIF", "avif"),
        ("WEBP", ""),
        ("WEBP", "avif"),
        ("AVIF", ""),
        ("AVIF", "webp"),
    ],
)
def test_an_animation_stays_one(source: str, target: str) -> None:
    result = render(animation(source, loop=0), f"50x,{target}".rstrip(","))
    assert result.n_frames == 4  # type: ignore[attr-defined]
    assert result.size == (50, 38)
    for number in range(4):
        result.seek(number)
        result.load()
        assert result.info["duration"] == 80
        expected = Image.new("RGB", (50, 38), (60 * number % 256, 255 - 50 * number % 256, 128))
        assert difference(result, expected) < 12
    assert result.info.get("loop", 0) == 0


@pytest.mark.parametrize(("count", "expected"), [(None, 1), (0, 0), (2, 3)])
def test_a_gif_that_ends_ends_as_webp_too(count: int | None, expected: int) -> None:
    options = {} if count is None else {"loop": count}
    assert render(animation("GIF", **options), "50x,webp").info["loop"] == expected


@pytest.mark.parametrize(("repetitions", "plays"), [(None, 1), (0, 0), (1, 2), (6, 7)])
@pytest.mark.parametrize("target", ["", "webp", "avif"])
def test_a_finite_loop_stays_one(target: str, repetitions: int | None, plays: int) -> None:
    """How often an AVIF is shown a browser says in tests/browser/images/test_originals.py."""
    data = gif_of((60, 60), [GifFrame(0, 0, 60, 60, colour) for colour in (0, 1)], repetitions)
    made = rendered(data, f"50x50,{target}".rstrip(",")).data
    assert guards.inspect(io.BytesIO(made)).plays == plays
    again = rendered(made, f"25x25,{target or 'webp'}").data
    assert guards.inspect(io.BytesIO(again)).plays == plays


@pytest.mark.parametrize("target", ["png", "jpeg"])
def test_a_still_format_shows_the_first_frame(target: str) -> None:
    result = render(animation("GIF"), f"50x,{target}")
    assert getattr(result, "n_frames", 1) == 1
    assert difference(result, Image.new("RGB", (50, 38), (0, 255, 128))) < 4


def test_a_transparent_animation_keeps_its_holes() -> None:
    frames = []
    for x in (0, 40, 80):
        frame = Image.new("RGBA", (120, 40), (0, 0, 0, 0))
        frame.paste((255, 0, 0, 255), (x, 0, x + 40, 40))
        frames.append(frame)
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=80, disposal=2)
    for target in ("50x", "50x,webp"):
        result = render(data, target)
        for number in range(3):
            result.seek(number)
            alpha = result.convert("RGBA").getchannel("A").point(lambda value: 255 * (value > 127))
            assert alpha.getbbox() == pytest.approx((number * 50 / 3, 0, (number + 1) * 50 / 3, 17), abs=1)


def test_the_file_decides_the_format() -> None:
    assert rendered(encode(photo(), "PNG"), "100x").format == "png"


@pytest.mark.parametrize(
    "data", [png(4, 4, data=b""), png(4, 4, data=b"\x07" * 20), jpeg()[:400] + b"\xff\xd9"]
)
def test_what_cannot_be_decoded_is_a_bad_image(data: bytes) -> None:
    with pytest.raises(UnprocessableError):
        rendered(data, "25x")


@given(st.sampled_from(SOURCES), st.randoms(use_true_random=False))
def test_a_mangled_image_is_rendered_or_bad(form: str, random: Any) -> None:
    data = bytearray(encode(photo(64, 64), form))
    for _ in range(random.randint(1, 8)):
        data[random.randrange(12, len(data))] = random.randrange(256)
    with contextlib.suppress(UnprocessableError):
        assert decode(rendered(bytes(data), "25x,png").data).width <= 25


def test_a_variant_of_one_side_is_bounded_in_both() -> None:
    wide = recipe.plan(45_000, 2_600, Variant(None, 2400))
    assert wide.size[0] * wide.size[1] <= recipe.MAX_OUTPUT_PIXELS * 1.001
    assert wide.size[0] / wide.size[1] == pytest.approx(45_000 / 2_600, rel=0.001)
    assert recipe.plan(20_000, 300, Variant(None, 300)).size == (20_000, 300)
    assert recipe.plan(60_000, 10, Variant(None, 25)).size == (recipe.MAX_SIDE, 5)
    assert recipe.plan(10, 60_000, Variant(25, None)).size == (5, recipe.MAX_SIDE)


@given(st.integers(1, 70_000), st.integers(1, 70_000), st.integers(1, 99_999), st.integers(1, 99_999),
       st.sampled_from(["cover", "contain", "inside"]))  # fmt: skip
def test_no_variant_exceeds_the_bounds(width: int, height: int, rung: int, other: int, fit: Any) -> None:
    for variant in (Variant(rung, None), Variant(None, rung), Variant(rung, other, fit)):
        made = recipe.plan(width, height, variant)
        for size in filter(None, (made.size, made.canvas)):
            assert max(size) <= recipe.MAX_SIDE
            assert (size[0] - 1) * (size[1] - 1) <= recipe.MAX_OUTPUT_PIXELS


def test_what_webp_cannot_hold_is_said_before_it_is_decoded() -> None:
    data = png(20_000, 300, data=b"not decoded")
    with pytest.raises(UnprocessableError, match="16383 pixels") as caught:
        rendered(data, "x300,webp")
    assert caught.value.code == "too_large_for_format"
    wide = encode(Image.new("L", (20_000, 30)), "PNG")
    for form in ("png", "jpeg", "avif"):
        assert render(wide, f"x300,{form}").size == (20_000, 30)


def drawing(mode: str = "P") -> Image.Image:
    """Flat shapes, as palettes are made for."""
    picture = Image.new("RGB", (400, 300), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    for number in range(12):
        draw.ellipse((30 * number, 20 * number, 30 * number + 60, 20 * number + 60), (20 * number, 90, 200))
    return picture.quantize(32) if mode == "P" else picture.convert(mode)


@pytest.mark.parametrize("mode", ["P", "1", "L"])
@pytest.mark.parametrize("segment", ["300x", "200x200", "50x", "300x,png", "800x"])
def test_a_png_of_few_colours_stays_one_and_small(mode: str, segment: str) -> None:
    picture = drawing(mode)
    data = encode(picture, "PNG", optimize=True)
    made = rendered(data, segment)
    assert len(made.data) <= len(data)
    assert decode(made.data).mode in (mode, "P")
    if segment == "300x" and mode != "1":  # whose dots are dithered anew
        expected = picture.convert("RGB").resize((300, 225), Image.Resampling.LANCZOS)
        assert difference(decode(made.data), expected) < 3


def test_a_palette_with_alphas_keeps_what_is_clear_and_what_is_opaque() -> None:
    picture = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((50, 50, 350, 350), (200, 40, 90, 255))
    made = render(encode(picture.quantize(8, Image.Quantize.FASTOCTREE), "PNG"), "100x100")
    assert made.mode == "P"
    alphas = made.convert("RGBA").getchannel("A")
    assert (alphas.getpixel((2, 2)), alphas.getpixel((50, 50))) == (0, 255)
    assert len(alphas.getcolors() or ()) > 4, "the edge is smooth"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
def test_an_original_that_is_not_to_be_changed_is_returned_clean(form: str) -> None:
    """Encoded again it would be no smaller: what is returned is its picture, bit by bit."""
    options: dict[str, Any] = {"JPEG": {"quality": 30}, "WEBP": {"quality": 10}, "AVIF": {"quality": 10}}
    mode = "P" if form == "GIF" else "RGB"
    data = encode(drawing(mode), form, **options.get(form, {}))
    extra = b"" if form == "AVIF" else b"<script>behind the end"
    made = rendered(data + extra, "800x")
    assert decode(made.data).tobytes() == decode(data).tobytes()
    assert len(made.data) <= len(data)
    assert b"script" not in made.data


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_metadata_of_a_returned_original_is_left_out(form: str) -> None:
    options: dict[str, Any] = {"JPEG": {"quality": 30}, "WEBP": {"quality": 10}}
    bare = encode(drawing("RGB"), form, **options.get(form, {}))
    private = b"Exif\0\0II*\0\x08\0\0\0\0\0 private"
    data = encode(drawing("RGB"), form, exif=private, icc_profile=srgb_profile(), **options.get(form, {}))
    made = rendered(data, "800x").data
    assert decode(made).tobytes() == decode(bare).tobytes()
    assert not any(word in made for word in (b"private", b"acsp", b"Exif", b"iCCP", b"ICCP"))
    assert len(made) <= len(bare)


@pytest.mark.parametrize(
    "options",
    [{"exif": orientation(6)}, {"exif": orientation(3)}, {"icc_profile": swapped_profile()}],
)
def test_an_original_that_is_to_be_changed_is_encoded_again(options: dict[str, Any]) -> None:
    data = encode(drawing("RGB"), "JPEG", quality=30, **options)
    assert rendered(data, "800x").data[-400:] != data[-400:]


def test_a_cmyk_original_is_never_returned() -> None:
    assert render(jpeg(mode="CMYK", quality=10), "800x").mode == "RGB"


def test_a_transparent_colour_that_decoders_read_differently_is_encoded_again() -> None:
    data = raw_png(32, 2, 0, [b"\xaa" * 4 + b"\x55" * 4] * 32, chunk(b"tRNS", b"\0\2"))
    made = rendered(data, "800x").data
    assert decode(made).convert("RGBA").getpixel((2, 2))[3] == 0  # type: ignore[index]
    assert len(made) < 120, "a palette has no colours that no pixel has"


@pytest.mark.parametrize(("form", "quality"), [("JPEG", 15), ("WEBP", 5), ("AVIF", 5)])
def test_a_smaller_variant_has_no_more_bytes_than_its_original(form: str, quality: int) -> None:
    noise = Image.effect_noise((330, 250), 60).convert("RGB")
    data = encode(noise, form, quality=quality)
    assert len(rendered(data, "300x").data) < 1.2 * len(data)
    assert len(encode(noise.resize((300, 227)), form, quality=80)) > 1.5 * len(data), "as it would be"


@pytest.mark.parametrize("form", ["WEBP", "AVIF", "GIF"])
def test_an_animation_of_too_many_bytes_is_encoded_more_frugally(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = [Image.effect_noise((70, 70), 90).convert("RGB") for _ in range(4)]
    views = [view.quantize(4) for view in noise] if form == "GIF" else noise
    options: dict[str, Any] = {} if form == "GIF" else {"quality": 1}
    data = encode(views[0], form, save_all=True, append_images=views[1:], duration=80, **options)
    frugal = rendered(data, "50x").data
    monkeypatch.setattr(recipe, "_most", lambda *_: float("inf"))
    assert len(frugal) < len(rendered(data, "50x").data)


def test_frames_that_share_a_palette_keep_it() -> None:
    frames = [GifFrame(0, 0, 100, 100, 0)] + [GifFrame(9 * at, 8 * at, 9, 9, 2) for at in range(10)]
    data = gif_of((100, 100), frames * 5, repetitions=0)
    made = rendered(data, "50x50").data
    assert len(made) < len(data) / 4
    shown = decode(made)
    header = guards.inspect(io.BytesIO(data))
    assert header.gif
    for number, (frame, _) in enumerate(gif_frames(header.gif)):
        shown.seek(number)
        assert difference(shown, frame.resize((50, 50), Image.Resampling.LANCZOS)) < 4
        if number == 20:
            break


def test_frames_are_made_as_the_encoder_asks_for_them() -> None:
    """The checkpoint before the last frame knows what all took, and no frame waits in memory for it."""
    asked: list[float] = []
    data = gif_of((50, 50), [GifFrame(0, 0, 50, 50, at % 3) for at in range(12)])
    for form in ("webp", "avif", None):
        asked.clear()
        recipe.render(guards.inspect(io.BytesIO(data)), Variant(25, 25, format=form), asked.append)
        assert len(asked) >= 11
        assert set(asked) == {0}, "within the first second nothing is foretold"


def test_the_time_of_an_animation_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(seconds)))
    asked: list[float] = []
    data = gif_of((50, 50), [GifFrame(0, 0, 50, 50, at % 3) for at in range(6)])
    recipe.render(guards.inspect(io.BytesIO(data)), Variant(25, 25, format="webp"), asked.append)
    measured = [left for left in asked if left]
    assert measured == [4, 3, 2, 1], "each frame took a second"


def test_a_thousand_frames_within_the_guards_are_made() -> None:
    frames = [GifFrame(0, 0, 244, 244, 0)] + [GifFrame(at % 200, at % 180, 3, 3, 1) for at in range(999)]
    data = gif_of((244, 244), frames)
    assert render(data, "100x100,webp").n_frames > 900  # type: ignore[attr-defined]


def test_a_decoder_that_takes_far_too_long_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is a second: a stream of 64 kB blocks has no time for three of them."""
    ticks = iter(range(1000))
    monkeypatch.setattr(time, "process_time", lambda: float(next(ticks)))
    data = raw_png(4, 8, 0, [bytes(4)] * 4).replace(b"IDAT", b"IDAT")
    blocks = b"".join(chunk(b"IDAT", empty_blocks(70_000)[2 * (at > 0) :]) for at in range(3))
    place = data.index(b"IDAT") - 4
    with pytest.raises(UnprocessableError) as caught:
        rendered(data[:place] + blocks + chunk(b"IEND", b""), "25x")
    assert caught.value.code == "too_costly"


def test_time_is_asked_for_before_each_costly_step() -> None:
    def refuse(seconds: float) -> None:
        assert seconds >= 0
        raise OutOfTimeError("out_of_time", "")

    for data in (jpeg(), animation("GIF")):
        with pytest.raises(OutOfTimeError):
            recipe.render(guards.inspect(io.BytesIO(data)), Variant(50, 50, format="webp"), refuse)


def test_transforms_are_cached_and_their_number_is_bounded() -> None:
    recipe._transform.cache_clear()
    for _ in range(3):
        rendered(jpeg(icc_profile=swapped_profile()), "100x")
    assert recipe._transform.cache_info().misses == 1
    assert recipe._transform.cache_info().maxsize == 8


def test_a_jpegs_thumbnails_are_not_in_its_variants() -> None:
    """Those of JFIF and of its extension may show what was cut off the picture since."""
    output = io.BytesIO()
    Image.effect_noise((200, 200), 30).save(output, "jpeg", quality=30)
    data = output.getvalue()
    secret = b"JFXX\0\x10" + b"what was cut off"
    with_both = data[:20] + b"\xff\xe0" + struct.pack(">H", len(secret) + 2) + secret + data[20:]
    for original in (with_both, with_both.replace(b"\0\0\xff\xe0", b"\1\1\xff\xe0", 1)):
        made = rendered(original, "300x").data
        assert b"cut off" not in made
        assert decode(made).size == (200, 200)


def test_a_dithered_png_keeps_its_looks_where_there_is_room() -> None:
    dithered = Image.radial_gradient("L").resize((600, 600)).convert("1")
    output = io.BytesIO()
    dithered.save(output, "png", optimize=True)
    made = rendered(output.getvalue(), "300x")
    expected = dithered.convert("L").resize((300, 300), Image.Resampling.LANCZOS)
    assert len(made.data) <= len(output.getvalue())
    assert difference(decode(made.data), expected.convert("RGB")) < 8


def test_encoding_again_for_fewer_bytes_ends_with_the_time() -> None:
    output = io.BytesIO()
    Image.effect_noise((600, 600), 60).save(output, "jpeg", quality=3)
    asked: list[float] = []

    def once(seconds: float) -> None:
        asked.append(seconds)
        if len(asked) > 2:
            raise OutOfTimeError("out_of_time", "")

    made = recipe.render(guards.inspect(output), Variant(500, None), once)
    assert len(asked) == 3, "before decoding, before encoding, and before encoding again"
    assert decode(made.data).size == (500, 500)


def test_a_gif_that_plays_65536_times_is_a_webp() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    output = io.BytesIO()
    frames[0].save(output, "gif", save_all=True, append_images=frames[1:], loop=65_535, duration=50)
    assert decode(rendered(output.getvalue(), "25x,webp").data).info["loop"] == 65_535
