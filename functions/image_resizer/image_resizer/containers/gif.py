"""GIF89a. Pillow decodes the pixels of each frame; what a browser shows of them is put together here.

What no frame covers is transparent, and so is what a frame disposed to the background leaves: no browser
paints the background colour. The first frame may enlarge the screen; later ones are cut at its edges.
"""

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from .common import (
    MAX_PIXELS,
    MAX_SKIPPED,
    Header,
    Part,
    check_frames,
    check_parts,
    check_pixels,
    corrupt,
    open_parts,
    too_much_skipped,
    truncated,
)

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MAX_SUB_BLOCKS", "Frame", "Gif", "frames", "header"]

MAX_SUB_BLOCKS = 400_000  # a full one has 255 bytes
_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_CONTROL, _APPLICATION = 0xF9, 0xFF
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_TO_BACKGROUND, _TO_PREVIOUS = 2, 3


class Control(NamedTuple):
    """What the graphic control extension before a frame says."""

    disposal: int = 0
    duration: int = 0  # ms
    transparent: int | None = None


class Frame(NamedTuple):
    """One frame, not decoded yet.

    Attributes:
        box: Left, upper, right and lower edge on the screen.
        data: The LZW data's blocks.
        bits: The LZW minimum code size.
        interlaced: Whether rows are interlaced.
        palette: RGB triples.
        control: How it is shown.
    """

    box: tuple[int, int, int, int]
    data: memoryview
    bits: int
    interlaced: bool
    palette: bytes
    control: Control


class Gif(NamedTuple):
    """What a GIF consists of.

    Attributes:
        size: Width and height of the screen.
        frames: Its frames.
    """

    size: tuple[int, int]
    frames: list[Frame]

    @property
    def palette(self) -> bytes:
        """The palette that all frames share; nothing where they have different ones."""
        palettes = {frame.palette for frame in self.frames}
        return palettes.pop() if len(palettes) == 1 else b""

    @property
    def is_opaque(self) -> bool:
        """Whether no frame shows anything through."""
        return self.frames[0].box == (0, 0, *self.size) and all(
            frame.control.transparent is None and frame.control.disposal != _TO_BACKGROUND
            for frame in self.frames
        )


class _Walk:
    """Moves from block to block."""

    def __init__(self, data: bytes) -> None:
        self.data, self.view = data, memoryview(data)
        self.blocks = self._skipped = 0
        self.gif = Gif(struct.unpack_from("<HH", data, 6), [])
        self.palette = self._color_table(data[10], 13)
        self.parts: list[Part] = [(0, self.position)]
        self.plays = 1
        self._control: tuple[Part, Control] = b"", Control()
        self._extent = self.gif.size

    def run(self) -> None:
        """Walk to the end.

        Some old encoders leave the trailer out: an end between two blocks is none too early.
        """
        while self.position < len(self.data) and (kind := self.data[self.position]) != _TRAILER:
            if kind == _IMAGE:
                self._image()
            elif kind == _EXTENSION:
                self._extension()
            elif kind == 0:  # a terminator too many, which some encoders write
                self.position += 1
                self._skipped += 1
                if self._skipped > MAX_SKIPPED:
                    raise too_much_skipped()
            else:
                raise corrupt()

    def _image(self) -> None:
        start = self.position
        left, top, wide, high, flags = struct.unpack_from("<HHHHB", self.data, start + 1)
        right, bottom = left + wide, top + high
        self._extent = max(self._extent[0], right), max(self._extent[1], bottom)
        if not self.gif.frames:
            self.gif = self.gif._replace(size=self._extent)
        check_frames(len(self.gif.frames) + 1, *self._extent)
        palette = self._color_table(flags, start + 10) or self.palette
        bits, data = self.data[self.position], self._blocks(self.position + 1)
        control, said = self._control
        self.gif.frames.append(
            Frame((left, top, right, bottom), data, bits, bool(flags & 0x40), palette, said)
        )
        self.parts += [control, (start, self.position - start)]
        self._control = b"", Control()

    def _extension(self) -> None:
        start, label = self.position, self.data[self.position + 1]
        body = self._blocks(start + 2)
        if label == _CONTROL and len(body) >= 6:
            flags, delay, transparent = struct.unpack_from("<BHB", body, 1)
            said = Control(flags >> 2 & 7, 10 * delay, transparent if flags & 1 else None)
            self._control = (start, self.position - start), said
        elif label == _APPLICATION and body[1:12] in _LOOPS and len(body) >= 16 and body[13] & 7 == 1:
            (repetitions,) = struct.unpack_from("<H", body, 14)
            self.plays = repetitions + 1 if repetitions else 0
            self.parts.append((start, self.position - start))

    def _blocks(self, position: int) -> memoryview:
        """The blocks from a position to their terminator, behind which the walk goes on."""
        start = position
        self.blocks += 1
        while size := self.data[position]:
            position += 1 + size
            self.blocks += 1
            check_parts(self.blocks, MAX_SUB_BLOCKS)
        check_parts(self.blocks, MAX_SUB_BLOCKS)
        self.position = position + 1
        return self.view[start : self.position]

    def _color_table(self, flags: int, start: int) -> bytes:
        """The colour table that begins there, if the flags say that there is one; go on behind it."""
        self.position = start + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        if self.position > len(self.data):
            raise truncated()
        return self.data[start : self.position]


def header(file: BinaryIO) -> Header:
    """Walk over a GIF."""
    file.seek(0)
    walk = _Walk(file.read())
    walk.run()
    if not walk.gif.frames:
        raise truncated() if walk.position >= len(walk.data) else corrupt()
    check_pixels(*walk.gif.size, MAX_PIXELS["gif"])
    stream = open_parts(file, [*walk.parts, bytes([_TRAILER])])
    return Header("gif", *walk.gif.size, stream, plays=walk.plays, gif=walk.gif)


def frames(gif: Gif) -> "Iterator[tuple[Image.Image, int]]":
    """The screen as it is shown, frame by frame, and for how many ms."""
    from PIL import Image

    opaque = gif.is_opaque
    if opaque and len(gif.frames) == 1:
        yield _picture(gif.frames[0]), gif.frames[0].control.duration
        return
    screen = Image.new("RGBA", gif.size)
    for frame in gif.frames:
        before = screen.copy() if frame.control.disposal == _TO_PREVIOUS else None
        picture = _picture(frame)
        screen.paste(picture, frame.box[:2], picture if picture.mode == "RGBA" else None)
        yield (screen.convert("RGB") if opaque else screen), frame.control.duration
        if before:
            screen = before
        elif frame.control.disposal == _TO_BACKGROUND:
            screen.paste((0, 0, 0, 0), frame.box)


def _picture(frame: Frame) -> "Image.Image":
    from PIL import Image

    left, top, right, bottom = frame.box
    mode = "P" if frame.palette else "L"  # without any palette values are shades, as to Pillow
    picture = Image.frombytes(
        mode, (right - left, bottom - top), frame.data, "gif", frame.bits, frame.interlaced
    )
    if frame.palette:
        picture.putpalette(frame.palette)
    if frame.control.transparent is None:
        return picture.convert("RGB")
    picture.info["transparency"] = frame.control.transparent
    return picture.convert("RGBA")
