"""Writes variants: Pillow's encoders with options that fit a request's time, and no metadata."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, combinations, islice, product
from typing import Any

from PIL import Image

from shared.http import HttpError, UnprocessableError

from .containers import avif

__all__ = ["ANIMATED", "MAX_WEBP_SIDE", "animation", "check_size", "encode_s", "gif_palette", "still"]

MAX_WEBP_SIDE = 16_383  # RFC 9649, section 2.5: a canvas and a frame have 14 bits
_OPTIONS: dict[str, dict[str, Any]] = {
    "jpeg": {"quality": 80},
    "png": {
        "compress_level": 6,
        "compress_type": 3,
    },  # 3 = Z_RLE: a third of the time, a few per cent more bytes
    "webp": {"quality": 80, "method": 4},
    "avif": {"quality": 50, "speed": 8, "max_threads": 1},  # speed 5 takes 20 times as long
    "gif": {},
}
# What is tried in turn where a variant would have more bytes than its original.
_FRUGAL: dict[str, tuple[dict[str, Any], ...]] = {
    "jpeg": ({"quality": 60}, {"quality": 40}, {"quality": 20}),
    "png": ({"compress_level": 9, "compress_type": 0},),
    "webp": ({"quality": 55}, {"quality": 30}),
    "avif": ({"quality": 35}, {"quality": 15}, {"quality": 2}),
    "gif": (),
}
_SLOWER = 3  # times as long as the way before it a further one may take
_PALETTE = 256
_SMALLER_PALETTES, _FEWEST = (64, 32, 16), (8, 4)
_DITHERED = 4  # colours, up to which a picture that is to have no others is dithered, at first
_SNAPPED = bytes(8) + bytes(range(8, 248)) + b"\xff" * 8  # alphas
_FRUGAL_ANIMATED: dict[str, dict[str, Any]] = {"webp": {"quality": 50}, "avif": {"quality": 30}, "gif": {}}
ANIMATED: dict[str, dict[str, Any]] = {
    "webp": {"quality": 75, "method": 2},
    "avif": {"quality": 50, "speed": 9, "max_threads": 1},
    "gif": {"optimize": False},
}
# Pixels a second, to guess whether the time left suffices for a still picture. That of an animation is
# measured: encoders are up to 35 times faster where little moves.
_RATE = {"jpeg": 40_000_000, "png": 10_000_000, "webp": 5_000_000, "avif": 3_000_000, "gif": 5_000_000}
_MEASURED_S = 1.0  # from when on the time that an animation has taken tells what it will take
_MOST_PLAYS = 65_535  # RFC 9649, section 2.7.1.1: 16 bits
_SHORTEST_FRAME_MS = 20  # what browsers show; shorter ones they slow down to 100 ms

type Checkpoint = Callable[[float], None]


def check_size(form: str, size: tuple[int, int]) -> None:
    """Refuse what a format cannot hold; all but WebP hold all variants."""
    if form == "webp" and max(size) > MAX_WEBP_SIDE:
        raise UnprocessableError(
            "too_large_for_format",
            "A WebP image has at most 16383 pixels in each direction; ask for AVIF, JPEG or PNG.",
        )


def encode_s(image: Image.Image, form: str) -> float:
    """A guess of the seconds that a still picture takes."""
    return image.width * image.height / _RATE[form]


def still(
    image: Image.Image,
    form: str,
    *,
    palette: bool,
    sampled: Callable[[], Image.Image | None],
    most: float,
    checkpoint: Checkpoint,
) -> bytes:
    """Encode one picture in the best way that has no more bytes than wanted; if none has, in the fewest.

    A way that costs a PNG its looks is taken if it has no more bytes, and only then.

    Args:
        image: The picture.
        form: The format.
        palette: Whether a PNG is to have one.
        sampled: Gives the picture in the original's own colours, if they are few: pixels of it, not averaged.
        most: Bytes that are not to be exceeded, if there is a way and the time.
        checkpoint: Called before each further way with the seconds that it may take.
    """
    begun, best = time.monotonic(), b""
    for data, looks_good in _encodings(image, form, palette, sampled):
        if len(data) <= most:
            return data
        if looks_good and (not best or len(data) < len(best)):
            best = data
        try:
            checkpoint(_SLOWER * (time.monotonic() - begun))
        except HttpError:  # there is no time
            break
        begun = time.monotonic()
    return best


def _encodings(
    image: Image.Image, form: str, palette: bool, sampled: Callable[[], Image.Image | None]
) -> Iterator[tuple[bytes, bool]]:
    """The picture as it should be, then in fewer and fewer bytes; each with whether it looks good."""
    if form == "gif":
        for count in (_PALETTE, *_SMALLER_PALETTES):
            yield _saved(_gif_palette(image, count), form, {}), True
        return
    options = _OPTIONS[form]
    if form != "png" or not palette:
        yield _saved(image, form, options), True
        for frugal in _FRUGAL[form]:
            yield _saved(image, form, options | frugal), True
    if form == "png":
        options = options | _FRUGAL["png"][0]
        for count in (_PALETTE, *_SMALLER_PALETTES):
            yield _saved(_png_palette(image, count), form, options), True
        for own in _in_own_colours(image, sampled):
            yield _saved(own, form, options), False
        for count in _FEWEST:
            yield _saved(_png_palette(image, count), form, options), True


def _in_own_colours(image: Image.Image, sampled: Callable[[], Image.Image | None]) -> Iterator[Image.Image]:
    """The picture in no colours but its original's, if they are few."""
    if own := sampled():
        colours = len(own.getcolors(_PALETTE) or ())
        if colours <= _DITHERED and own.mode in ("L", "RGB"):  # a scanned text, for example
            yield image.convert("RGB").quantize(palette=own.convert("RGB").quantize(colours))
        yield own if own.mode == "L" else _png_palette(own, _PALETTE)


def _saved(image: Image.Image, form: str, options: dict[str, Any]) -> bytes:
    output = io.BytesIO()
    image.save(output, form, **options)
    return output.getvalue()


def _png_palette(image: Image.Image, colours: int) -> Image.Image:
    if image.mode not in ("LA", "RGBA") or image.getchannel("A").getextrema() == (255, 255):
        return image.convert("RGB").quantize(colours)
    reduced = image.convert("RGBA").quantize(colours, Image.Quantize.FASTOCTREE)
    # Colours of nearly the same alpha are averaged: what was opaque or clear stays so.
    palette = bytearray(reduced.getpalette("RGBA") or b"")
    palette[3::4] = bytes(_SNAPPED[alpha] for alpha in palette[3::4])
    reduced.putpalette(palette, "RGBA")
    return reduced.remap_palette(sorted(set(reduced.tobytes())))  # without what no pixel has


def _gif_palette(
    image: Image.Image,
    colours: int = _PALETTE,
    palette: Image.Image | None = None,
    *,
    may_have_holes: bool = False,
) -> Image.Image:
    """A frame with the best palette, or with a given one; transparent where alpha is below a half.

    A colour is transparent even if no pixel of the frame has it where another frame's may.
    """
    opaque = image.convert("RGB")
    hole = None
    if image.mode in ("LA", "RGBA"):
        alpha = image.getchannel("A")
        if alpha.getextrema()[0] < 128:  # type: ignore[operator]
            hole = alpha.point([255] * 128 + [0] * 128)
    may_have_holes = may_have_holes or hole is not None
    if palette:
        reduced = opaque.quantize(palette=palette, dither=Image.Dither.NONE)
        colours = len(palette.getpalette() or ()) // 3 + 1
    else:
        reduced = opaque.quantize(colours - 1 if may_have_holes else colours)
    if hole:
        reduced.paste(colours - 1, mask=hole)
    if may_have_holes:
        reduced.info["transparency"] = colours - 1
    return reduced


# ---- animations ------------------------------------------------------------------------------------------


class _Sequence(Image.Image):
    """An animation whose frames are made as the encoder asks for them, one after the other."""

    def __init__(self, frames: Iterator[Image.Image], count: int) -> None:
        super().__init__()
        self._rest, self._number = frames, -1
        self.n_frames, self.is_animated = count, True
        self.seek(0)

    def seek(self, frame: int) -> None:
        if frame >= self.n_frames:
            raise EOFError
        if frame == self._number + 1:  # else it is where it is, or back at its beginning when all is done
            made = next(self._rest)
            self._im, self._mode, self._size = made.im, made.mode, made.size
            self.palette, self.info = made.palette, made.info
            self._number = frame


class _Watched(io.BytesIO):
    """An output that looks at the time whenever it is written to."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self._checkpoint = checkpoint

    def write(self, data: Any, /) -> int:
        self._checkpoint(0)
        return super().write(data)


def animation(
    frames: Callable[[], Iterator[tuple[Image.Image, int]]],
    count: int,
    form: str,
    plays: int,
    *,
    palette: Image.Image | None,
    opaque: bool,
    most: float,
    checkpoint: Checkpoint,
) -> bytes:
    """Encode an animation.

    Args:
        frames: Begins to give each frame and its duration in ms.
        count: How many frames there are.
        form: The format.
        plays: How often it is shown; 0 is for ever.
        palette: What all frames of a GIF take their colours from; None: each has the best ones.
        opaque: Whether no frame is transparent anywhere.
        most: Bytes that are not to be exceeded, if there is a way and the time.
        checkpoint: Called before each frame with the seconds that all the others will take, as measured.
    """

    def encoded(options: dict[str, Any], colours: int = _PALETTE) -> bytes:
        durations: list[int] = []  # is filled as the encoder goes on
        options = options | {"save_all": True, "duration": durations}
        if form == "webp":
            options["loop"] = min(plays, _MOST_PLAYS)
        elif form == "gif":
            # A GIF counts repetitions, and without a count plays once.
            options |= {} if plays == 1 else {"loop": max(0, plays - 1)}
            options |= {} if opaque else {"disposal": 2}
            options |= {"palette": _with_hole(palette)} if palette else {}
        made = _paced(frames(), count, durations, checkpoint)
        if form == "gif":
            made = (_gif_palette(frame, colours, palette, may_have_holes=not opaque) for frame in made)
        output = _Watched(checkpoint)
        _Sequence(made, count).save(output, form, **options)
        return output.getvalue()

    data = encoded(ANIMATED[form])
    if len(data) > most:
        with suppress(HttpError):  # there is no time
            data = min(data, encoded(ANIMATED[form] | _FRUGAL_ANIMATED[form], _SMALLER_PALETTES[0]), key=len)
    return avif.with_plays(data, plays) if form == "avif" and plays else data


def _paced(
    frames: Iterator[tuple[Image.Image, int]], count: int, durations: list[int], checkpoint: Checkpoint
) -> Iterator[Image.Image]:
    """The frames, each as soon as the encoder is done with the one before it, as long as there is time."""
    start = time.monotonic()
    for number, (frame, duration) in enumerate(frames, start=1):
        durations.append(duration if duration >= _SHORTEST_FRAME_MS else 100)
        yield frame
        spent = time.monotonic() - start
        checkpoint(spent / number * (count - number) if spent > _MEASURED_S else 0)


def gif_palette(colours: bytes) -> Image.Image:
    """A palette for all frames of a shrunk GIF: the original's colours, and as there is room those between.

    Args:
        colours: RGB triples.
    """
    own = list(dict.fromkeys(zip(*[iter(colours)] * 3, strict=True)))
    between = (
        tuple((one + other) // 2 for one, other in zip(first, second, strict=True))
        for first, second in combinations(own, 2)
    )
    chosen = list(islice(dict.fromkeys(chain(own, islice(between, _PALETTE**2))), _PALETTE - 1))
    palette = Image.new("P", (1, 1))
    palette.putpalette(bytes(chain.from_iterable(chosen)))
    return palette


def _with_hole(palette: Image.Image) -> bytes:
    """A palette's colours and a place behind them for what is transparent; Pillow wants no colour twice."""
    colours = bytes(palette.getpalette() or ())
    taken = set(zip(*[iter(colours)] * 3, strict=True))
    return colours + bytes(next(hole for hole in product(range(8), repeat=3) if hole not in taken))
