import contextlib
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageFile, ImageStat

from datagen.pictures import (
    LADDER,
    animation,
    decode,
    encode,
    jpeg,
    orientation,
    photo,
    png,
    swapped_profile,
    with_segment,
)
from image_resizer import guards, recipe
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
    monkeypatch.setattr(recipe, "_decodes", lambda part: decodable or part != 3)
    source = Image.open(io.BytesIO(jpeg(1000, 750)))
    assert isinstance(source, ImageFile.ImageFile)
    pixels, box = recipe._draft(source, (200, 150), (0, 0, 1000, 750), None)
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
        kept = render(data, "50x50,png")
        assert kept.getpixel((5, 25))[3] == 0, name  # type: ignore[index]
        assert kept.getpixel((45, 25)) == (255, 0, 0, 255), name
        flat = render(data, "50x50,jpeg")
        assert difference(flat.crop((0, 0, 20, 50)), Image.new("RGB", (20, 50), "white")) < 8, name


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
