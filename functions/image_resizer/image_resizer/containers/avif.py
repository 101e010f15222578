"""AVIF, and the boxes of ISO/IEC 14496-12 that it is made of. libavif reads the rest."""

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from .boxes import with_size_of_alpha
from .common import (
    MAX_PIXELS,
    Header,
    Part,
    check_frames,
    check_parts,
    check_pixels,
    corrupt,
    metadata_bomb,
    open_parts,
    orientation_of,
    read,
    truncated,
)

__all__ = ["header", "with_plays"]

MAX_BOXES = 2_000
MAX_HEAD = 4_194_304  # bytes of a box of metadata; encoders write some hundred, and 20 for each frame
_METADATA = frozenset({b"meta", b"moov"})
_PICTURE = frozenset({b"ftyp", b"meta", b"moov", b"mdat"})
_FOR_EVER = frozenset({(1 << 64) - 1, (1 << 32) - 1})
_REPEATED = 1  # flag of an edit list


def header(file: BinaryIO) -> Header:
    """Walk over an AVIF."""
    from PIL.AvifImagePlugin import AvifImageFile

    stream, moov, is_clean = _without_exif(file)
    try:
        image = AvifImageFile(stream)
    except Exception:  # noqa: BLE001  # whatever a broken container makes the parser raise
        raise corrupt() from None
    check_pixels(image.width, image.height, MAX_PIXELS["avif"])
    if image.n_frames > 1:
        check_frames(image.n_frames, image.width, image.height)
    return Header(
        "avif",
        image.width,
        image.height,
        stream,
        # What the container says of rotation and mirroring, which Pillow passes on as EXIF.
        orientation=orientation_of(image.info.get("exif", b"")),
        icc=image.info.get("icc_profile"),
        plays=_plays(moov),
        is_clean=is_clean,
    )


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Kind, place and length of each box of a file; what follows the picture is none."""
    end = file.seek(0, 2)
    position, picture = 0, False
    for _ in range(MAX_BOXES):
        if position + 8 > end:
            break
        file.seek(position)
        size, kind = struct.unpack(">I4s", read(file, 8))
        if size == 1:
            (size,) = struct.unpack(">Q", read(file, 8))
        size = size or end - position
        if size < 8 or position + size > end:
            if picture:
                break
            raise truncated()
        yield kind, position, size
        position += size
        picture = picture or kind == b"mdat"
    else:
        check_parts(MAX_BOXES + 1, MAX_BOXES)


def _without_exif(file: BinaryIO) -> tuple[BinaryIO, bytes, bool]:
    """The file with its EXIF items renamed, which Pillow would parse with every byte that they claim.

    Also the box of its animation, and whether it has nothing but the picture.
    """
    parts: list[Part] = []
    moov = b""
    is_clean, data = True, False
    for kind, position, size in _boxes(file):
        is_clean = is_clean and kind in _PICTURE
        data = data or kind == b"mdat"
        if kind not in _METADATA:
            parts.append((position, size))
            continue
        if size > MAX_HEAD:
            raise metadata_bomb()
        file.seek(position)
        box = read(file, size)
        is_clean = is_clean and not any(word in box for word in (b"Exif", b"mime", b"uri ", b"udta"))
        data = data or b"idat" in box  # the picture may be in the metadata's own box
        box = box.replace(b"Exif", b"none")
        if kind == b"moov":
            moov = box
            _check_samples(moov)
        else:
            with suppress(struct.error, IndexError):  # then libavif may make sense of it
                box = with_size_of_alpha(box, position)
        parts.append(box)
    if not data:
        raise truncated()
    return open_parts(file, parts), moov, is_clean


def _check_samples(moov: bytes) -> None:
    """Refuse tables that claim more frames than are decoded; libavif makes room for all that they claim."""
    for found in re.finditer(rb"(stsz|stsc|stco|co64)\0{4}", moov):
        place = found.end() + (4 if found[1] == b"stsz" else 0)
        (count,) = struct.unpack_from(">I", moov, place)
        check_frames(count, 1, 1)
        if found[1] == b"stsc":
            for entry in range(place + 4, place + 4 + 12 * count, 12):
                check_frames(struct.unpack_from(">4xI", moov, entry)[0], 1, 1)


# ---- how often an animation is shown ---------------------------------------------------------------------
#
# As libavif reads and writes it: the duration of a track is its edit list's segment as often as it is shown,
# or all ones for ever; without a list that is repeated a track is shown once.


def _plays(moov: bytes) -> int:
    segment = _segment(moov)
    track = max((duration for _, _, duration in _durations(moov)), default=0)
    if segment is None or not all((track, segment[1])) or track in _FOR_EVER:
        return 0
    repeated, length = segment
    return -(-track // length) if repeated else 1


def with_plays(data: bytes, plays: int) -> bytes:
    """An animation that is shown so often; Pillow writes those that are shown for ever."""
    start = data.index(b"moov")
    head, moov = data[:start], bytearray(data[start:])
    segment = _segment(moov)
    if segment is None:
        raise ValueError("the animation has no edit list")
    for place, form, _ in _durations(moov):
        struct.pack_into(form, moov, place, plays * segment[1])
    return head + moov


def _segment(moov: bytes | bytearray) -> tuple[bool, int] | None:
    """Whether the first edit list is repeated, and how long its segment is."""
    found = re.search(rb"elst([\0\1])..(.)\0\0\0\1", moov, re.DOTALL)
    if found is None:
        return None
    form = ">Q" if found[1] == b"\1" else ">I"
    return bool(found[2][0] & _REPEATED), struct.unpack_from(form, moov, found.end())[0]


def _durations(moov: bytes | bytearray) -> Iterator[tuple[int, str, int]]:
    """Place, format and value of the durations of tracks and of the movie."""
    for found in re.finditer(rb"(tkhd|mvhd)([\0\1])", moov):
        times, form = (16, ">Q") if found[2] == b"\1" else (8, ">I")
        place = found.end() + 3 + times + 4 + (4 if found[1] == b"tkhd" else 0)
        yield place, form, struct.unpack_from(form, moov, place)[0]
