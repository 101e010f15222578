import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from datagen.pictures import (
    GifFrame,
    animation,
    avif_in_metadata,
    avif_without_size_of_alpha,
    chunk,
    decode,
    empty_blocks,
    encode,
    exif_bomb,
    gif_bomb,
    gif_of,
    jpeg,
    jpeg_with,
    orientation,
    photo,
    png,
    profile_flood,
    raw_png,
    scan_bomb,
    spoiled,
    unfinished_texts,
    with_segment,
)
from image_resizer import guards
from image_resizer.containers import avif, gif
from image_resizer.containers import jpeg as jpeg_container
from image_resizer.containers import png as png_container
from image_resizer.containers.common import MAX_PIXELS, orientation_of
from shared.http import HttpError, UnprocessableError, UnsupportedTypeError

PROFILE = b"a profile\0\0"
SOUND = {
    "jpeg": jpeg(),
    "progressive jpeg": jpeg(progressive=True),
    "png": encode(photo(mode="RGBA"), "PNG"),
    "gif": encode(photo(mode="P"), "GIF"),
    "animated gif": animation("GIF"),
    "webp": encode(photo(), "WEBP"),
    "lossless webp": encode(photo(mode="RGBA"), "WEBP", lossless=True),
    "animated webp": animation("WEBP"),
    "avif": encode(photo(), "AVIF"),
}


def inspect(data: bytes) -> guards.Header:
    return guards.inspect(io.BytesIO(data))


def code(data: bytes) -> str:
    with pytest.raises(UnprocessableError) as caught:
        inspect(data)
    return caught.value.code


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_image_is_described(name: str) -> None:
    header = inspect(SOUND[name])
    assert header.format == name.split()[-1]
    assert (header.width, header.height) == ((64, 48) if "animated" in name else (320, 240))


@pytest.mark.parametrize(
    "data",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<?xml version='1.0'?><svg/>",
        b"%!PS-Adobe-3.0 EPSF-3.0",
        b"%PDF-1.7",
        b"II*\0\x08\0\0\0",
        b"MM\0*\0\0\0\x08",
        b"<!doctype html><script>alert(1)</script>",
        b"hello",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"BM\x36\0\0\0",
    ],
)
def test_other_formats_are_unsupported_whatever_their_name_says(data: bytes) -> None:
    with pytest.raises(UnsupportedTypeError):
        inspect(data)


def test_an_empty_file_is_refused() -> None:
    assert code(b"") == "empty"


@pytest.mark.parametrize("name", SOUND)
def test_a_truncated_image_is_refused_before_it_is_decoded(name: str) -> None:
    for share in (0.3, 0.6, 0.9):
        assert code(SOUND[name][: int(share * len(SOUND[name]))]) == "truncated"


@given(st.sampled_from(sorted(SOUND)), st.randoms(use_true_random=False))
def test_a_mangled_image_raises_typed_errors_only(name: str, random: object) -> None:
    data = bytearray(SOUND[name])
    for _ in range(random.randint(1, 40)):  # type: ignore[attr-defined]
        data[random.randrange(len(data))] = random.randrange(256)  # type: ignore[attr-defined]
    try:
        header = inspect(bytes(data))
    except HttpError:
        return
    assert header.width * header.height <= max(MAX_PIXELS.values())


def test_a_jpeg_without_an_end_that_cannot_be_decoded_is_refused() -> None:
    whole = jpeg()
    broken = whole.replace(b"\xff\xdb\x00\x43\x00", b"\xff\xdb\x00\x43\x44", 1)  # a table of no such number
    assert broken != whole
    assert code(broken[:-2]) in ("corrupt", "truncated")


@pytest.mark.parametrize("real", [(12_000, 12_000), (400, 400), (8, 8)])
def test_a_webp_whose_canvas_is_not_its_picture_is_refused(real: tuple[int, int]) -> None:
    """RFC 9649, section 2.7: the canvas is the picture's size. Pillow would decode what is there."""
    width, height = real
    bits = (width - 1) | (height - 1) << 14
    picture = b"\x2f" + struct.pack("<I", bits) + bytes(20)
    chunks = b"VP8X" + struct.pack("<IB3x3s3s", 10, 0x08, b"\x13\0\0", b"\x09\0\0")  # 20 x 10
    chunks += b"VP8L" + struct.pack("<I", len(picture)) + picture + bytes(len(picture) & 1)
    lying = b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks
    assert code(lying) in ("corrupt", "too_many_pixels")


def test_a_pixel_bomb_is_refused_by_its_header() -> None:
    assert code(png(30_000, 30_000, data=b"")) == "too_many_pixels"
    assert (
        code(jpeg().replace(struct.pack(">HH", 240, 320), struct.pack(">HH", 65_000, 65_000)))
        == "too_many_pixels"
    )
    assert code(gif_bomb(1, 65_535, 65_535)) == "too_many_frames"


def test_a_big_progressive_picture_is_refused_where_a_baseline_one_is_not() -> None:
    size = struct.pack(">HH", 9000, 9000)
    assert inspect(jpeg().replace(struct.pack(">HH", 240, 320), size)).width == 9000
    assert code(jpeg(progressive=True).replace(struct.pack(">HH", 240, 320), size)) == "too_many_pixels"


def test_more_than_a_hundred_scans_are_refused() -> None:
    assert inspect(scan_bomb(80)).format == "jpeg"
    assert code(scan_bomb(120)) == "too_many_scans"


def test_scans_cannot_hide_behind_a_comment_that_looks_like_the_end() -> None:
    data = scan_bomb(120)
    at = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    assert code(data[:at] + b"\xff\xfe\x00\x04\xff\xd9" + data[at:]) == "too_many_scans"


@pytest.mark.parametrize(
    "bomb",
    [
        chunk(b"iCCP", PROFILE + zlib.compress(bytes(50_000_000))),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000))),
        chunk(b"iTXt", b"Comment\0\1\0en\0\0" + zlib.compress(bytes(50_000_000))),
    ],
    ids=["iCCP", "zTXt", "iTXt"],
)
def test_metadata_that_inflates_beyond_use_is_refused(bomb: bytes) -> None:
    assert code(png(4, 4, [bomb])) == "metadata_too_large"


def test_many_small_texts_are_one_bomb() -> None:
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(500_000)))
    assert inspect(png(4, 4, [text])).width == 4
    assert code(png(4, 4, [text] * 3)) == "metadata_too_large"


@pytest.mark.parametrize("body", [zlib.compress(bytes(900_000)), zlib.compress(bytes(900_000))[:-6]])
@pytest.mark.parametrize("head", [b"iCCP", b"zTXt", b"iTXt"])
def test_metadata_has_one_limit_whole_or_not(head: bytes, body: bytes) -> None:
    keyword = b"k\0\1\0\0\0" if head == b"iTXt" else b"k\0\0"
    assert inspect(png(4, 4, [chunk(head, keyword + body)])).width == 4
    assert code(png(4, 4, [chunk(head, keyword + body)] * 2)) == "metadata_too_large"


def test_metadata_of_blocks_without_content_is_refused() -> None:
    assert len(zlib.decompressobj().decompress(empty_blocks(100_000))) == 0, "sound, and empty"
    assert code(png(4, 4, [chunk(b"zTXt", b"k\0\0" + empty_blocks())])) == "metadata_too_large"


@pytest.mark.parametrize("fill", [b"\xff", b"\x00", b"junk"])
def test_padding_between_segments_is_bounded(fill: bytes) -> None:
    little, much = fill * (1_000 // len(fill)), fill * (100_000 // len(fill))
    assert inspect(jpeg_with(jpeg(), little)).width == 320
    assert code(jpeg_with(jpeg(), much)) == "too_much_padding"


def test_fill_bytes_before_the_end_are_bounded() -> None:
    data = jpeg()
    assert inspect(data[:-2] + b"\xff" * 900 + b"\xd9").width == 320
    assert code(data[:-2] + b"\xff" * 200_000 + b"\xd9") == "too_much_padding"


def test_a_gif_of_extensions_or_zeros_is_refused() -> None:
    head = gif_of((4, 4), [GifFrame(0, 0, 4, 4, 0)])[:-1]
    assert code(head + b"\x21\xfe\0" * (gif.MAX_SUB_BLOCKS + 1)) == "too_many_parts"
    assert code(head + bytes(100_000)) == "too_much_padding"


def test_progressive_scans_of_a_big_picture_are_bounded_sooner() -> None:
    """Each scan walks over all coefficients: sixty over 60 megapixels take seconds."""
    data = scan_bomb(60).replace(struct.pack(">HH", 240, 320), struct.pack(">HH", 7_700, 7_700))
    assert code(data) == "too_many_scans"
    assert inspect(scan_bomb(60)).width == 320


def test_tables_of_an_avif_cannot_claim_a_million_frames() -> None:
    """libavif makes room for what the table of samples of a chunk claims before anybody counts frames."""
    data = bytearray(animation("AVIF"))
    struct.pack_into(">I", data, data.index(b"stsc") + 16, 1_000_000)
    assert code(bytes(data)) == "too_many_frames"


def test_an_exif_directory_that_claims_hundreds_of_megabytes_is_left_out() -> None:
    bomb = exif_bomb()
    harmless = b"Exif\0\0II*\0\x08\0\0\0\0\0".ljust(len(bomb), b"-")
    avif = encode(photo(), "AVIF", exif=harmless).replace(harmless[6:], bomb[6:])
    for data in (with_segment(jpeg(), 0xE1, bomb), avif):
        assert bomb[6:] in data
        assert b"Exif" in data
        assert b"Exif" not in inspect(data).stream.read(4096)


def test_too_many_frames_are_refused() -> None:
    assert code(gif_bomb(20)) == "too_many_frames"
    assert code(gif_bomb(1001, 1, 1)) == "too_many_frames"
    assert inspect(gif_bomb(10)).format == "gif"
    webp = bytearray(animation("WEBP"))
    webp[24:30] = (5000).to_bytes(3, "little") * 2
    assert code(bytes(webp)) == "too_many_frames"


def test_a_frame_outside_of_its_canvas_counts() -> None:
    data = gif_bomb(2, 1, 1)
    far = data.replace(struct.pack("<HHHH", 0, 0, 1, 1), struct.pack("<HHHH", 60_000, 60_000, 1, 1))
    assert code(far) == "too_many_frames"


def test_an_image_cut_into_crumbs_is_refused() -> None:
    assert code(png(4, 4, [chunk(b"teXt", b"")] * (png_container.MAX_CHUNKS + 1))) == "too_many_parts"
    crumbs = b"\xff\xe5\x00\x02" * (jpeg_container.MAX_SEGMENTS + 1)
    assert code(jpeg()[:2] + crumbs + jpeg()[2:]) == "too_many_parts"
    crumbs = b"\x01x" * (gif.MAX_SUB_BLOCKS + 1)
    assert code(gif_bomb(1)[:-1] + b"\x21\xfe" + crumbs + b"\x00\x3b") == "too_many_parts"


def test_a_wrong_checksum_is_corrupt() -> None:
    data = bytearray(SOUND["png"])
    data[len(data) // 2] ^= 1
    assert code(bytes(data)) == "corrupt"


STRAY = [b"junk!", b"\xff\0\0\2", b"\xff\xd0", b"\xff\xff\xff", b"\0"]


@pytest.mark.parametrize("junk", STRAY)
@pytest.mark.parametrize("marker", [0xDB, 0xC4, 0xDA, 0xD9])
@pytest.mark.parametrize("progressive", [False, True])
def test_what_decoders_pass_over_is_passed_over(junk: bytes, marker: int, progressive: bool) -> None:
    """The oracle is libjpeg, which skips to the next marker, and whose picture is the same."""
    data = jpeg(progressive=progressive)
    stray = data[:-2] + junk + data[-2:] if marker == 0xD9 else jpeg_with(data, junk, marker)
    shown = Image.open(inspect(stray).stream)
    assert shown.tobytes() == decode(data).tobytes()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"mode": "L"}])
def test_a_jpeg_without_its_end_is_whole_or_truncated(options: dict[str, Any]) -> None:
    data = jpeg(**options)
    whole = inspect(data[:-2])
    assert Image.open(whole.stream).tobytes() == decode(data).tobytes()
    assert not whole.is_clean
    for missing in (4, 8, 30, 300, len(data) // 2):
        assert code(data[:-missing]) == "truncated", missing


def test_a_jpeg_without_its_last_scans_is_truncated() -> None:
    data = jpeg(progressive=True)
    scans = [place for place in range(len(data)) if data[place : place + 2] == b"\xff\xda"]
    tables = data.rindex(b"\xff\xc4", 0, scans[-1])
    assert code(data[:tables]) == "truncated"
    assert code(data[: scans[1]]) == "truncated"


def test_a_big_jpeg_without_its_end_is_not_decoded_twice() -> None:
    data = jpeg()[:-2].replace(struct.pack(">HH", 240, 320), struct.pack(">HH", 4_000, 4_000))
    assert code(data) == "truncated"


ROW = bytes([200, 30, 40]) * 32


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (spoiled(chunk(b"tEXt", b"Title\0x")), b""),
        (b"", spoiled(chunk(b"tIME", bytes(7)))),
        (chunk(b"pHYs", b""), b""),
        (chunk(b"sRGB", b""), b""),
        (chunk(b"iTXt", b"x"), b""),
        (chunk(b"zTXt", b""), b""),
        (chunk(b"iCCP", b"name"), b""),
        (chunk(b"eXIf", b"MM"), b""),
        (chunk(b"gAMA", b"\0"), b""),
        (chunk(b"cHRM", b"\0" * 31), b""),
        (chunk(b"tRNS", b"\0"), b""),
        (spoiled(chunk(b"tRNS", bytes([0, 200, 0, 30, 0, 40]))), b""),
        (chunk(b"acTL", struct.pack(">II", 2, 0)), chunk(b"fdAT", struct.pack(">I", 1) + b"x")),
        (chunk(b"fcTL", b""), b""),
        (chunk(b"abCd", b"private"), b""),
        (b"", chunk(b"tEXt", b"cut")[:-6]),
    ],
    ids=lambda chunks: chunks[4:8].decode(),
)
def test_broken_ancillary_chunks_are_left_out(before: bytes, after: bytes) -> None:
    """Critical chunks suffice: the picture is the one of hand-made rows."""
    header = inspect(raw_png(32, 8, 2, [ROW] * 20, before, after))
    picture = Image.open(header.stream)
    assert picture.tobytes() == ROW * 20
    assert not picture.info
    assert (header.icc, header.orientation) == (None, 1)


@pytest.mark.parametrize("end", [-12, -11, -8, -4, -1])
def test_a_png_without_its_end_is_whole(end: int) -> None:
    data = raw_png(32, 8, 2, [ROW] * 20)
    assert data[-12:-4] == b"\0\0\0\0IEND"
    assert Image.open(inspect(data[:end]).stream).tobytes() == ROW * 20


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE", b"IDAT"])
def test_a_critical_chunk_with_a_wrong_checksum_is_corrupt(kind: bytes) -> None:
    data = bytearray(encode(photo(mode="P"), "PNG"))
    place = data.index(kind)
    (length,) = struct.unpack_from(">I", data, place - 4)
    data[place + 4 + length] ^= 1
    assert code(bytes(data)) == "corrupt"


def test_a_misplaced_profile_is_ignored() -> None:
    """PLTE and IDAT come behind iCCP: PNG, third edition, table 7. libpng calls others out of place."""
    profile = chunk(b"iCCP", b"name\0\0" + zlib.compress(b"profile"))
    other = chunk(b"iCCP", b"name\0\0" + zlib.compress(b"another"))
    palette = chunk(b"PLTE", bytes(6))
    assert inspect(raw_png(32, 8, 2, [ROW], profile)).icc == b"profile"
    assert inspect(raw_png(32, 8, 2, [ROW], profile + other)).icc == b"profile"
    assert inspect(raw_png(32, 8, 2, [ROW], b"", profile)).icc is None
    assert inspect(raw_png(8, 1, 3, [b"\x55"], palette + profile)).icc is None
    assert inspect(raw_png(8, 1, 3, [b"\x55"], profile + palette)).icc == b"profile"


def test_a_stray_zero_between_the_blocks_of_a_gif_is_passed_over() -> None:
    frames = [GifFrame(0, 0, 20, 20, colour) for colour in (0, 1, 2)]
    for between in (b"\0", b"\0\0\0"):
        found = inspect(gif_of((20, 20), frames, between=between)).gif
        assert found
        assert len(found.frames) == 3


def test_an_avif_may_have_its_data_in_the_metadata() -> None:
    picture = photo(64, 48, "RGBA")
    data = avif_in_metadata(picture)
    assert b"mdat" not in data
    assert Image.open(inspect(data).stream).tobytes() == decode(encode(picture, "AVIF")).tobytes()


def test_alpha_of_an_avif_may_have_no_size() -> None:
    """libvips shows it; the oracle is the same picture with the size."""
    picture = photo(64, 48, "RGBA")
    data = avif_without_size_of_alpha(picture)
    with pytest.raises(OSError, match="cannot identify"):
        decode(data)
    assert Image.open(inspect(data).stream).tobytes() == decode(encode(picture, "AVIF")).tobytes()


@pytest.mark.parametrize(
    ("data", "plays"),
    [
        (gif_of((9, 9), [GifFrame(0, 0, 9, 9, 0)] * 2), 1),
        (gif_of((9, 9), [GifFrame(0, 0, 9, 9, 0)] * 2, repetitions=0), 0),
        (gif_of((9, 9), [GifFrame(0, 0, 9, 9, 0)] * 2, repetitions=4), 5),
        (animation("WEBP", loop=0), 0),
        (animation("WEBP", loop=3), 3),
        (animation("AVIF"), 0),
        (avif.with_plays(animation("AVIF"), 1), 1),
        (avif.with_plays(animation("AVIF"), 7), 7),
    ],
)
def test_how_often_an_animation_is_shown_is_read(data: bytes, plays: int) -> None:
    """A GIF counts repetitions, WebP how often it is shown; the track of an AVIF says how long that takes."""
    assert inspect(data).plays == plays


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16"])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
def test_the_size_is_in_the_first_bytes(form: str, mode: str) -> None:
    picture = photo(321, 45, mode)
    if form == "JPEG" or (form in ("WEBP", "AVIF") and mode == "I;16"):
        picture = picture.convert("L" if mode in ("L", "1", "I;16") else "RGB")
    data = encode(picture, form)
    if form == "JPEG":  # a preview in the metadata has a size of its own
        data = with_segment(data, 0xE1, b"Exif\0\0" + jpeg(16, 12))
    assert guards.size_of(data[:4096]) == (None if form == "WEBP" else (321, 45))
    assert guards.size_of(data[:12]) is None or form == "GIF"


def test_noise_within_a_scan_is_corrupt() -> None:
    data = bytearray(jpeg(quality=95))
    data[-400:-300] = bytes(range(155, 255)).replace(b"\x9b", b"\xff")
    assert code(bytes(data)) == "corrupt"


def test_bytes_behind_the_end_are_ignored() -> None:
    for name, data in SOUND.items():
        assert inspect(data + b"<script>alert(1)</script>" + b"\xff\xda" * 200).format == name.split()[-1]


@pytest.mark.parametrize("value", range(1, 9))
def test_the_orientation_is_read_from_every_container(value: int) -> None:
    exif = orientation(value)
    assert inspect(jpeg(exif=exif)).orientation == value
    assert inspect(encode(photo(), "PNG", exif=exif)).orientation == value
    assert inspect(encode(photo(), "WEBP", exif=exif)).orientation == value
    assert inspect(encode(photo(), "AVIF", exif=exif)).orientation == value


@given(st.binary(max_size=60))
def test_broken_exif_means_upright(noise: bytes) -> None:
    assert 1 <= orientation_of(b"Exif\0\0II*\0" + noise) <= 8
    assert orientation_of(noise.replace(b"I", b"").replace(b"M", b"")) == 1


def test_the_profile_is_put_together_from_its_segments() -> None:
    profile = bytes(range(256)) * 600
    assert inspect(jpeg(icc_profile=profile)).icc == profile
    assert inspect(encode(photo(), "PNG", icc_profile=profile)).icc == profile
    assert inspect(encode(photo(), "WEBP", icc_profile=profile)).icc == profile


def test_a_broken_profile_is_dropped() -> None:
    assert inspect(png(4, 4, [chunk(b"iCCP", PROFILE + b"not deflated")])).icc is None


def test_the_samples_of_a_jpeg_are_told_apart() -> None:
    assert inspect(jpeg()).ycbcr
    assert not inspect(jpeg(mode="L")).ycbcr
    assert not inspect(jpeg(mode="CMYK")).ycbcr
    assert not inspect(jpeg(keep_rgb=True)).ycbcr


APP0 = struct.pack(">BBH", 0xFF, 0xE0, 16) + b"JFIF\0\1\1\0\0\1\0\1\0\0"


def adobe(transform: int) -> bytes:
    """Adobe's segment APP14: version, two flags, how the components are to be transformed."""
    return struct.pack(">BBH5sHHHB", 0xFF, 0xEE, 14, b"Adobe", 100, 0, 0, transform)


def relabelled(segments: bytes, names: bytes) -> bytes:
    """A JPEG of YCbCr samples with other segments behind its SOI, and other names of its components."""
    made = jpeg(subsampling=0)
    assert made[2:4] == APP0[:2]
    data = bytearray(made[:2] + segments + made[2 + len(APP0) :])
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    for place, name in enumerate(names):
        data[frame + 10 + 3 * place] = name
        data[scan + 5 + 2 * place] = name
    return bytes(data)


@pytest.mark.parametrize("names", [b"\1\2\3", b"RGB", b"\0\1\2"], ids=["123", "RGB", "012"])
@pytest.mark.parametrize(
    "segments",
    [b"", APP0, adobe(0), adobe(1), adobe(2), APP0 + adobe(0), APP0 + adobe(1)],
    ids=[
        "neither",
        "JFIF",
        "Adobe 0",
        "Adobe 1",
        "Adobe 2",
        "JFIF, Adobe 0",
        "JFIF, Adobe 1",
    ],
)
def test_the_samples_of_a_jpeg_are_what_libjpeg_takes_them_for(segments: bytes, names: bytes) -> None:
    """The oracle is libjpeg itself: taken for RGB, samples of YCbCr give a picture of other colours."""
    data = relabelled(segments, names)
    difference = ImageChops.difference(decode(data).convert("RGB"), photo())
    taken_for_ycbcr = max(ImageStat.Stat(difference).mean) < 8
    assert inspect(data).ycbcr == taken_for_ycbcr


def test_an_adobe_segment_that_is_too_short_is_left_out() -> None:
    """To libjpeg it is none ("datalen >= APP14_DATA_LEN", jdmarker.c), to Pillow an error."""
    header = inspect(with_segment(jpeg(), 0xEE, b"Adobe"))
    assert header.ycbcr
    assert Image.open(header.stream).convert("RGB").size == (320, 240)


def test_a_second_frame_cannot_replace_the_one_that_was_measured() -> None:
    data = jpeg()
    frame = data.index(b"\xff\xc0")
    (length,) = struct.unpack_from(">H", data, frame + 2)
    again = bytearray(data[frame : frame + 2 + length])
    again[5:9] = struct.pack(">HH", 60_000, 60_000)
    assert code(data[:frame] + bytes(again) + data[frame:]) == "corrupt"
    assert code(data[: frame + 2 + length] + bytes(again) + data[frame + 2 + length :]) == "corrupt"


def test_the_first_exif_counts_and_the_profiles_parts_are_ordered() -> None:
    twice = with_segment(with_segment(jpeg(), 0xE1, orientation(3)), 0xE1, orientation(6))
    assert inspect(twice).orientation == 6, "with_segment puts it before the other"
    parts = [b"ICC_PROFILE\0" + bytes([number, 2]) + body for number, body in ((1, b"one"), (2, b"two"))]
    for order in (parts, parts[::-1]):
        data = jpeg()
        for part in order:
            data = with_segment(data, 0xE2, part)
        assert inspect(data).icc == b"onetwo"
    assert inspect(with_segment(jpeg(), 0xE2, b"ICC_PROFILE\0\1\1")).icc is None


def test_a_jpeg_of_12_bits_is_refused() -> None:
    data = bytearray(jpeg())
    data[data.index(b"\xff\xc0") + 4] = 12
    assert code(bytes(data)) == "corrupt"


def test_a_jpeg_of_two_components_is_refused() -> None:
    data = jpeg(subsampling=0)
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    size, components = data[frame + 4 : frame + 9], data[frame + 10 : frame + 16]
    two = data[:frame] + struct.pack(">BBH", 0xFF, 0xC0, 14) + size + b"\2" + components
    two += data[frame + 19 : scan] + struct.pack(">BBHB", 0xFF, 0xDA, 10, 2) + data[scan + 5 : scan + 9]
    assert code(two + data[scan + 11 :]) == "corrupt"


def test_what_is_decoded_is_the_picture_alone() -> None:
    data = with_segment(
        jpeg(exif=orientation(3), icc_profile=b"profile", comment=b"private"), 0xED, b"Photoshop 3.0\0"
    )
    stream = inspect(data).stream
    picture = stream.read()
    assert not any(word in picture for word in (b"Exif", b"ICC_PROFILE", b"Photoshop", b"private"))
    stream.seek(0)
    with Image.open(stream) as image:
        assert image.convert("RGB").tobytes() == Image.open(io.BytesIO(data)).convert("RGB").tobytes()


# Not ru_maxrss: on Linux a child's begins with its parent's.
CHILD = """
import pathlib, resource, sys
from image_resizer import guards
from image_resizer.containers import gif, jpeg as jpeg_container, png as png_container
from image_resizer.containers.common import MAX_PIXELS, orientation_of
from shared.http import UnprocessableError
try:
    guards.inspect(open(sys.argv[1], "rb"))
except UnprocessableError:
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        print(int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024)
    else:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2)
"""


@pytest.mark.parametrize(
    "bomb",
    [
        png(30_000, 30_000, data=b""),
        png(4, 4, [chunk(b"iCCP", PROFILE + zlib.compress(bytes(300_000_000)))]),
        profile_flood(),
        unfinished_texts(),
        b"\xff\xd8" + b"\xff" * 39_000_000,
        png(4, 4, [chunk(b"zTXt", b"k\0\0" + empty_blocks(30_000_000))]),
        scan_bomb(5000),
        gif_bomb(100_000),
        SOUND["avif"][:-20],
        SOUND["png"][:-20] + bytes(30_000_000),
    ],
    ids=["pixels", "profile", "profiles", "texts", "fill", "blocks", "scans", "frames", "avif", "zeros"],
)
def test_a_bomb_is_refused_within_150_megabytes(bomb: bytes, tmp_path: Path) -> None:
    file = tmp_path / "bomb"
    file.write_bytes(bomb)
    paths = [path for path in sys.path if path]
    child = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {paths}\n{CHILD}", str(file)],
        capture_output=True,
        check=True,
        text=True,
    )
    assert float(child.stdout) < 150
