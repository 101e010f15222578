"""JPEG: ITU T.81. Where files and the standard part, libjpeg's reader decides, which browsers use."""

import re
import struct
from typing import BinaryIO

from shared.http import UnprocessableError

from .common import (
    BLOCK,
    MAX_PIXELS,
    MAX_SKIPPED,
    Header,
    Part,
    check_parts,
    check_pixels,
    corrupt,
    open_parts,
    orientation_of,
    read,
    too_much_skipped,
    truncated,
)

__all__ = ["MAX_SEGMENTS", "header", "size"]

MAX_SCANS = 100
# Of all scans together; each walks over all coefficients. Encoders write up to a dozen scans.
MAX_SCAN_PIXELS = 12 * MAX_PIXELS["progressive"]
MAX_UNENDED_PIXELS = 12_500_000  # of a JPEG without its end, which is decoded twice to see what is missing
_JFIF_BYTES = 14  # ITU-T T.871, section 10.1, without a thumbnail
MAX_SEGMENTS = 2_000  # an ICC profile has at most 255

_SCAN, _END = 0xDA, 0xD9
_BASELINE_TO_PROGRESSIVE = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})  # Huffman or arithmetic
_PROGRESSIVE, _ARITHMETIC = frozenset({0xC2, 0xCA}), frozenset({0xC9, 0xCA})
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD})
_APPLICATION = frozenset({*range(0xE0, 0xF0), 0xFE})  # and comments
_WITH_LENGTH = _BASELINE_TO_PROGRESSIVE | _TABLES | _APPLICATION | {_SCAN}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length, which libjpeg passes over
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # FF00 and RSTn belong to entropy-coded data
_FILL = b"\xff" * 1024
_ALL_COEFFICIENTS = (1 << 64) - 1
# Takes the place of data that may be missing at the end: other bits than the zeros that libjpeg puts there.
_OTHER_DATA = bytes.fromhex("a5c35a96e1780f") * 16


class _Segments:
    """What the segments say.

    Pillow would parse EXIF, MPF and Photoshop segments while opening, and an EXIF directory of 64 kB can
    claim hundreds of MB. It gets the picture without them.

    Attributes:
        kept: The segments before the first scan that Pillow gets.
        exif: The first EXIF segment.
        frame: The frame header's body.
        coding: The frame's marker.
        scans: How many there are.
    """

    def __init__(self) -> None:
        self.kept: list[Part] = [b"\xff\xd8"]
        self.exif = self.frame = b""
        self.coding = self.scans = 0
        self._profile: dict[int, bytes] = {}
        self._jfif = False
        self._adobe: int | None = None
        self._known: dict[int, int] = {}

    def add(self, marker: int, body: bytes) -> None:
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            self.exif = self.exif or body
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            self._profile[body[12]] = body[14:]
        elif marker in _BASELINE_TO_PROGRESSIVE:
            if self.frame:
                raise corrupt()
            self.frame, self.coding = body, marker
        elif marker == 0xE0:
            self._add_jfif(body)
        elif marker == 0xEE:
            if not body.startswith(b"Adobe") or len(body) < 12:
                return  # none of Adobe's to libjpeg, and an error to Pillow
            self._adobe = body[11]
        elif marker == _SCAN:
            self._add_scan(body)
        if not 0xE0 <= marker <= 0xED and marker not in (0xEF, 0xFE):
            self._keep(marker, body)

    def _add_jfif(self, body: bytes) -> None:
        """Keep the first JFIF segment, without a thumbnail, which may show what was cut off since."""
        if body.startswith(b"JFIF\0") and len(body) >= _JFIF_BYTES and not self._jfif:
            self._jfif = True
            self._keep(0xE0, body[: _JFIF_BYTES - 2] + b"\0\0")

    def _keep(self, marker: int, body: bytes) -> None:
        self.kept.append(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body)

    def _add_scan(self, body: bytes) -> None:
        """Note which coefficients a scan brings to their last bit."""
        self.scans += 1
        components = body[1 : 1 + 2 * body[0] : 2]
        first, last, bits = struct.unpack_from("BBB", body, 1 + 2 * body[0])
        if self.coding not in _PROGRESSIVE:
            first, last, bits = 0, 63, 0
        if bits & 15 == 0 and first <= last <= 63:
            for component in components:
                known = self._known.get(component, 0)
                self._known[component] = known | ((2 << last) - (1 << first))

    @property
    def is_complete(self) -> bool:
        """Whether the scans have all coefficients of all components."""
        return all(self._known.get(component) == _ALL_COEFFICIENTS for component in self.frame[6::3])

    @property
    def profile(self) -> bytes | None:
        """The ICC profile, put together from its segments."""
        return b"".join(self._profile[number] for number in sorted(self._profile)) or None

    @property
    def is_ycbcr(self) -> bool:
        """Whether three components are YCbCr: libjpeg's rule, `default_decompress_parms` of jdapimin.c."""
        if self._jfif:
            return True
        if self._adobe is not None:
            return self._adobe != 0
        return self.frame[6::3][:3] != b"RGB"


class _Walk:
    """Moves from marker to marker, over as little else as a file of good will has."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._markers = self._skipped = 0

    def segment(self) -> tuple[int, bytes]:
        """The next segment's marker and body; the end's body is empty."""
        while (marker := self._marker()) in _ALONE:
            pass
        if marker == _END:
            return marker, b""
        if marker not in _WITH_LENGTH:
            raise corrupt()
        (length,) = struct.unpack(">H", read(self._file, 2))
        if length < 2:
            raise corrupt()
        return marker, read(self._file, length - 2)

    def _marker(self) -> int:
        """Move behind the next marker; its code. libjpeg looks for it in the same way."""
        self._markers += 1
        check_parts(self._markers, MAX_SEGMENTS)
        start = self._file.tell()
        window = self._file.read(2)
        if _MARKER.fullmatch(window) is None:
            window += self._file.read(MAX_SKIPPED)
        found = _MARKER.search(window)
        self._skipped += found.start() if found else len(window)
        if self._skipped > MAX_SKIPPED:
            raise too_much_skipped()
        if found is None:
            raise truncated()
        self._file.seek(start + found.end())
        return window[found.end() - 1]

    def skip_scan(self) -> bool:
        """Move to the marker behind entropy-coded data; False where the file ends instead."""
        while True:
            block = self._file.read(BLOCK)
            if len(block) < 2:
                return False
            if _FILL in block:
                raise too_much_skipped()
            if found := _IN_SCAN.search(block):
                self._file.seek(found.start() - len(block), 1)
                return True
            if block.endswith(b"\xff"):
                self._file.seek(-1, 1)


def header(file: BinaryIO) -> Header:
    """Walk over a JPEG."""
    segments, walk = _Segments(), _Walk(file)
    file.seek(2)
    while not segments.scans:
        marker, body = walk.segment()
        if marker == _END:
            raise corrupt()
        segments.add(marker, body)
    precision, height, width, components = struct.unpack_from(">BHHB", segments.frame)
    if precision != 8 or components not in (1, 3, 4):
        raise corrupt()
    progressive = segments.coding in _PROGRESSIVE
    check_pixels(width, height, MAX_PIXELS["progressive" if progressive else "jpeg"])
    parts = list(segments.kept)
    ends = _walk_scans(file, walk, segments, parts, width * height if progressive else 0)
    arithmetic = segments.coding in _ARITHMETIC
    # Whether the last scan is whole is seen by decoding it twice.
    whole = segments.is_complete and not arithmetic and width * height <= MAX_UNENDED_PIXELS
    if not ends and not whole:
        raise truncated()
    return Header(
        "jpeg",
        width,
        height,
        open_parts(file, [*parts, b"\xff\xd9"]),
        orientation=orientation_of(segments.exif),
        icc=segments.profile,
        ycbcr=components == 3 and segments.is_ycbcr,
        is_clean=ends and components != 4 and not arithmetic,
        twin=None if ends else open_parts(file, [*parts, _OTHER_DATA, b"\xff\xd9"]),
    )


def size(file: BinaryIO) -> tuple[int, int]:
    """Width and height, if the frame header is within what there is of the file.

    Raises:
        UnprocessableError: It is not.
    """
    walk = _Walk(file)
    file.seek(2)
    marker, body = walk.segment()
    while marker not in _BASELINE_TO_PROGRESSIVE:
        marker, body = walk.segment()
    height, width = struct.unpack_from(">xHH", body)
    return width, height


def _walk_scans(file: BinaryIO, walk: _Walk, segments: _Segments, parts: list[Part], pixels: int) -> bool:
    """From the first scan's data on; collects what to decode; whether the image has an end."""
    while True:
        start = file.tell()
        if not walk.skip_scan():
            parts.append((start, file.tell() - start))
            return False
        parts.append((start, file.tell() - start))
        marker, body = walk.segment()
        if marker == _END:
            return True
        if marker not in _APPLICATION:
            segments.add(marker, body)
            parts.append(segments.kept[-1])  # without what was skipped before it
        if segments.scans > MAX_SCANS or segments.scans * pixels > MAX_SCAN_PIXELS:
            raise UnprocessableError(
                "too_many_scans", "The original has more progressive scans than any encoder writes."
            )
