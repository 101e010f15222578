import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from datagen.pictures import (
    animation,
    chunk,
    decode,
    encode,
    exif_bomb,
    gif_bomb,
    jpeg,
    orientation,
    photo,
    png,
    scan_bomb,
    with_segment,
)
from image_resizer import guards
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
    assert header.width * header.height <= max(guards.MAX_PIXELS.values())


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
    assert code(png(4, 4, [chunk(b"teXt", b"")] * (guards.MAX_CHUNKS + 1))) == "too_many_parts"
    crumbs = b"\xff\xe5\x00\x02" * (guards.MAX_SEGMENTS + 1)
    assert code(jpeg()[:2] + crumbs + jpeg()[2:]) == "too_many_parts"
    crumbs = b"\x01x" * (guards.MAX_SUB_BLOCKS + 1)
    assert code(gif_bomb(1)[:-1] + b"\x21\xfe" + crumbs + b"\x00\x3b") == "too_many_parts"


def test_a_wrong_checksum_is_corrupt() -> None:
    data = bytearray(SOUND["png"])
    data[len(data) // 2] ^= 1
    assert code(bytes(data)) == "corrupt"


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
    assert 1 <= guards.orientation_of(b"Exif\0\0II*\0" + noise) <= 8
    assert guards.orientation_of(noise.replace(b"I", b"").replace(b"M", b"")) == 1


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
        scan_bomb(5000),
        gif_bomb(100_000),
        SOUND["avif"][:-20],
        SOUND["png"][:-20] + bytes(30_000_000),
    ],
    ids=["pixels", "profile", "scans", "frames", "avif", "zeros"],
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
