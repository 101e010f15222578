"""The image resizer's recipe beside pyvips, sharp and the usual Pillow code.

All sides read the same generated originals (a real picture, enlarged, with seeded noise where the format is
lossy) and write the same format with the same quality, subsampling and, for AVIF, the same encoder speed and
about the same bytes. Our side's time includes the guards that look at an original before it is decoded.

Peers are called as their own documentation calls them for the same output: pyvips makes a thumbnail while it
loads, and converts colours of files with a profile alone; sharp does not optimise Huffman tables, as ours and
pyvips do not by default; nobody dithers a GIF; a PNG with a palette stays one on all sides. One thread each.
"""

import io
import json
import math
import os
import shutil
import statistics
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

os.environ["VIPS_CONCURRENCY"] = "1"  # read when pyvips is imported
PATHS = tuple(Path(__file__).parents[1] / part for part in ("functions/image_resizer", "layers/shared"))
sys.path[:0] = map(str, PATHS)

# ruff: noqa: E402  # the lines above come first
import numpy as np  # type: ignore[import-not-found, unused-ignore]  # only where benchmarks run
import pyvips
from PIL import Image, ImageCms, ImageOps

from bench.harness import CACHE, ROOT, Suite, compare, fresh_process, one_core
from datagen import pictures
from image_resizer import guards, recipe
from image_resizer.variants import Variant

INPUTS = CACHE / "image_resizer"
NODE = CACHE / "node"
SEED = 20_261_123
ROUNDS = 9
type Pixels = np.ndarray[Any, np.dtype[np.float64]]


class Work(NamedTuple):
    """One kind of work: an original, a box, an output format, and the bar beside pyvips."""

    label: str
    original: str
    box: int
    form: str
    bar: float | None = None
    rounds: int = ROUNDS


_12_MP, _50_MP = (4_000, 3_000), (8_192, 6_144)
_FORMATS = {"jpeg": "JPEG", "png": "PNG", "webp": "WebP", "avif": "AVIF", "gif": "GIF"}
# Every format, from a phone's and a camera's picture, to a small, a usual and the biggest rung.
GRID = tuple(
    Work(f"{name} {size} MP to {box}", f"grid-{size}.{form}", box, form, None, rounds)
    for form, name in _FORMATS.items()
    for size, rounds in ((12, 3), (50, 2))
    for box in (300, 800, 2400)
)
MOVING = (
    Work("animated GIF, 40 frames, to GIF 300", "moving.gif", 300, "gif", None, 2),
    Work("animated GIF, 40 frames, to WebP 300", "moving.gif", 300, "webp", None, 2),
    Work("animated WebP, 40 frames, to WebP 300", "moving.webp", 300, "webp", None, 2),
)

WORKS = (
    Work("JPEG 5400x5400 to JPEG 300", "square.jpg", 300, "jpeg", 1.05),
    Work("JPEG 5400x5400 to WebP 300", "square.jpg", 300, "webp", 1.05),
    Work("JPEG 5400x5400 to AVIF 300", "square.jpg", 300, "avif", 1.05),
    Work("CMYK JPEG 12 MP to JPEG 300", "cmyk.jpg", 300, "jpeg", 1.05),
    Work("P3 JPEG 12 MP, rotated, to JPEG 800", "p3.jpg", 800, "jpeg", 1.3),
    Work("PNG RGBA 12 MP to PNG 800", "rgba.png", 800, "png", 1.65),
    Work("PNG palette 12 MP to PNG 800", "palette.png", 800, "png", 1.65),
    Work("WebP 12 MP to WebP 800", "photo.webp", 800, "webp", 1.65),
)
FIDELITY = (
    ("square.jpg", 300),
    ("photo.jpg", 100),
    ("photo.jpg", 300),
    ("photo.jpg", 800),
    ("rgba.png", 800),
    ("photo.webp", 800),
)


# ---- originals -------------------------------------------------------------------------------------------


def _smooth(width: int, height: int) -> Image.Image:
    """A photograph, enlarged; with noise a PNG of it would be bigger than originals may be."""
    sample = Image.open(ROOT / "web" / "images" / "samples" / "astronaut.png").convert("RGB")
    return ImageOps.fit(sample, (width, height), Image.Resampling.BICUBIC)


def _moving(path: str, *, palette: bool = False, **options: Any) -> None:
    """A view that moves over a photograph, 640 x 480, as screen recordings and clips do."""
    picture = _smooth(900, 700)
    views = [picture.crop((6 * at, 5 * at, 6 * at + 640, 5 * at + 480)) for at in range(40)]
    if palette:
        shared = picture.quantize(256)
        views = [view.quantize(palette=shared, dither=Image.Dither.NONE) for view in views]
    views[0].save(path, save_all=True, append_images=views[1:], duration=80, loop=0, **options)


def _noisy(width: int, height: int) -> Image.Image:
    """A photograph, enlarged, with so much noise that 12 MP have the 4 MB of a phone's pictures."""
    picture = _smooth(width, height)
    noise = np.random.default_rng(SEED)
    pixels = np.asarray(picture)
    output = np.empty_like(pixels)
    for top in range(0, height, 500):
        part = pixels[top : top + 500]
        grain = noise.normal(0, 8, (*part.shape[:2], 1)) + noise.normal(0, 3, part.shape)
        output[top : top + 500] = np.clip(part + grain, 0, 255).astype(np.uint8)
    return Image.fromarray(output)


def _display_p3() -> bytes:
    """A Display P3 profile: sRGB's curve and white, the wider primaries (adapted to D50)."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {
        b"rXYZ": (0.51512, 0.2412, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.1571, 0.06657, 0.78407),
    }
    (count,) = struct.unpack_from(">I", data, 128)
    for at in range(132, 132 + 12 * count, 12):
        name, offset = struct.unpack_from(">4sI", data, at)
        if name in primaries:
            struct.pack_into(">3i", data, offset + 8, *(round(65_536 * value) for value in primaries[name]))
    return bytes(data)


def _grid_makers(size: int, sides: tuple[int, int]) -> dict[str, Callable[[str], None]]:
    return {
        f"grid-{size}.jpeg": lambda path: _noisy(*sides).save(path, quality=90),
        f"grid-{size}.png": lambda path: _smooth(*sides).save(path),
        f"grid-{size}.webp": lambda path: _noisy(*sides).save(path, quality=85, method=0),
        f"grid-{size}.avif": lambda path: _noisy(*sides).save(path, quality=60, speed=9),
        f"grid-{size}.gif": lambda path: _smooth(*sides).quantize(256).save(path),
    }


def _make_originals() -> None:
    INPUTS.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = 6

    def transparent(image: Image.Image) -> Image.Image:
        image.putalpha(Image.radial_gradient("L").resize(image.size))
        return image

    makers: dict[str, Callable[[str], None]] = {
        "square.jpg": lambda path: _noisy(5400, 5400).save(path, quality=90),
        "photo.jpg": lambda path: _noisy(4000, 3000).save(path, quality=90),
        "cmyk.jpg": lambda path: _noisy(4000, 3000).convert("CMYK").save(path, quality=90),
        "p3.jpg": lambda path: _noisy(4000, 3000).save(
            path, quality=90, exif=exif, icc_profile=_display_p3()
        ),
        "rgba.png": lambda path: transparent(_noisy(4000, 3000)).save(path),
        "palette.png": lambda path: _noisy(4000, 3000).quantize(256).save(path),
        "photo.webp": lambda path: _noisy(4000, 3000).save(path, quality=85),
        "huge.jpg": lambda path: _noisy(10_000, 10_000).save(path, quality=85),
        "moving.gif": lambda path: _moving(path, palette=True),
        "moving.webp": lambda path: _moving(path, quality=75, method=0),
    }
    makers |= _grid_makers(12, _12_MP) | _grid_makers(50, _50_MP)
    for name, make in makers.items():
        path = INPUTS / name
        if not path.exists():
            part = path.with_stem(path.stem + "-part")
            make(str(part))
            part.rename(path)


# ---- sides -----------------------------------------------------------------------------------------------


def _ours(data: bytes, box: int, form: str) -> bytes:
    variant = Variant(box, box, "inside", form)  # type: ignore[arg-type]  # any of the formats
    return recipe.render(guards.inspect(io.BytesIO(data)), variant, lambda _: None).data


_VIPS_OPTIONS = {
    "jpeg": ".jpg[Q=80,keep=none]",
    "webp": ".webp[Q=80,effort=4,keep=none]",
    "png": ".png[compression=6,keep=none]",
    "gif": ".gif[dither=0,keep=none]",
}
_PALETTE_PNG = ".png[compression=9,palette=true,dither=0,keep=none]"
_MOVING_WEBP = ".webp[Q=75,effort=2,keep=none]"
_WITH_PROFILE = frozenset({"p3.jpg", "cmyk.jpg"})  # colours that are not sRGB's


def _thumbnail(name: str, data: bytes, box: int) -> Any:
    options: dict[str, Any] = {"output_profile": "srgb"} if name in _WITH_PROFILE else {}
    if name.startswith("moving"):
        options["option_string"] = "n=-1"  # all frames
    return pyvips.Image.thumbnail_buffer(data, box, height=box, size="down", **options)


def _vips(name: str, data: bytes, box: int, suffix: str) -> bytes:
    output: bytes = _thumbnail(name, data, box).write_to_buffer(suffix)
    return output


def _vips_suffix(work: Work) -> str:
    if work.original == "palette.png":
        return _PALETTE_PNG
    if work.original.startswith("moving") and work.form == "webp":
        return _MOVING_WEBP
    return _VIPS_OPTIONS.get(work.form, "")


def _usual(data: bytes, box: int, form: str) -> bytes:
    """What most projects have: transpose, convert, thumbnail, save."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if profile := image.info.get("icc_profile"):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"))
        image = converted or image
    if image.mode not in ("RGB", "RGBA"):
        image = image.convert("RGB")
    image.thumbnail((box, box), Image.Resampling.LANCZOS)
    output = io.BytesIO()
    options: dict[str, Any] = {"quality": 80}
    if form == "avif":
        options = {"quality": 50, "speed": 8, "max_threads": 1}
    elif form == "png":
        options = {}
    image.save(output, form, **options)
    return output.getvalue()


def _matching_avif(name: str, data: bytes, box: int, size: int) -> tuple[str, int]:
    """libheif's quality that comes nearest to a number of bytes, at the same encoder and speed as ours."""
    image = _thumbnail(name, data, box).copy_memory()
    best = ("", 1 << 40)
    low, high = 20, 90
    while low <= high:
        quality = (low + high) // 2
        suffix = f".avif[Q={quality},effort=1,encoder=aom,bitdepth=8,subsample_mode=on,keep=none]"
        made = len(image.write_to_buffer(suffix))
        if abs(made - size) < abs(best[1] - size):
            best = suffix, made
        low, high = (quality + 1, high) if made < size else (low, quality - 1)
    return best


class _Sharp:
    """sharp in a Node process of its own, which measures its own CPU time."""

    def __init__(self) -> None:
        NODE.mkdir(parents=True, exist_ok=True)
        lock, installed = ROOT / "bench" / "node" / "package-lock.json", NODE / "package-lock.json"
        stale = not installed.exists() or installed.read_bytes() != lock.read_bytes()
        for name in ("package.json", "package-lock.json", "resize.mjs"):
            shutil.copy(ROOT / "bench" / "node" / name, NODE)
        if stale or not (NODE / "node_modules" / "sharp").exists():
            quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(["npm", "ci", *quiet], cwd=NODE, check=True, stdout=subprocess.DEVNULL)
        self._process = subprocess.Popen(
            ["node", "resize.mjs"], cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def resize(self, work: Work) -> float:
        options: dict[str, Any] = {"quality": 80}
        if work.form == "avif":
            options = {"quality": 50, "effort": 1, "chromaSubsampling": "4:2:0"}
        elif work.form == "jpeg":
            options |= {"mozjpeg": False, "optimiseCoding": False}
        elif work.original == "palette.png":
            options = {"compressionLevel": 9, "palette": True, "dither": 0}
        elif work.form == "png":
            options = {"compressionLevel": 6}
        elif work.form == "gif":
            options = {"dither": 0}
        elif work.form == "webp":
            options["effort"] = 4
        job = {"path": str(INPUTS / work.original), "size": work.box, "format": work.form, "options": options}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return float(json.loads(self._process.stdout.readline())["ms"])

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=10)


# ---- fidelity --------------------------------------------------------------------------------------------


def _lanczos(length: int, size: int) -> Pixels:
    """The matrix that resamples one axis with Lanczos 3, in floating point."""
    scale = length / size
    support = 3 * scale
    matrix = np.zeros((size, length))
    for row in range(size):
        centre = (row + 0.5) * scale
        first, last = max(0, math.floor(centre - support)), min(length, math.ceil(centre + support))
        x = (np.arange(first, last) + 0.5 - centre) / scale
        weights = np.sinc(x) * np.sinc(x / 3) * (np.abs(x) < 3)
        matrix[row, first:last] = weights / weights.sum()
    return matrix


def _reference(image: Image.Image, box: int) -> Pixels:
    """Float Lanczos of the whole original, with premultiplied alpha."""
    size = recipe.plan(*image.size, Variant(box, box, "inside")).size
    rows, columns = _lanczos(image.height, size[1]), _lanczos(image.width, size[0])
    bands = [np.asarray(band, dtype=np.float64) for band in image.split()]
    if len(bands) == 4:
        bands = [band * bands[3] / 255 for band in bands[:3]] + bands[3:]
    return np.stack([rows @ band @ columns.T for band in bands], axis=-1)


def _psnr(pixels: Pixels, reference: Pixels) -> float:
    if pixels.shape[-1] == 4:
        pixels = np.concatenate([pixels[..., :3] * pixels[..., 3:] / 255, pixels[..., 3:]], axis=-1)
    return float(10 * np.log10(255**2 / np.mean((pixels - reference) ** 2)))


def _fidelity(suite: Suite) -> None:
    for name, box in FIDELITY:
        suite.step(f"fidelity of {name}")
        data = (INPUTS / name).read_bytes()
        reference = _reference(Image.open(io.BytesIO(data)), box)
        made = Image.open(io.BytesIO(_ours(data, box, "png")))
        ours = _psnr(np.asarray(made, dtype=np.float64), reference)
        peer = _thumbnail(name, data, box).numpy().astype(np.float64)
        theirs = _psnr(peer, reference)
        suite.add(f"{name} to {box}: PSNR beside float Lanczos", ours, "dB", 45, "higher")
        suite.add(f"{name} to {box}: PSNR, ours less pyvips'", ours - theirs, "dB", -1, "higher")


# ---- fresh processes -------------------------------------------------------------------------------------

_MEASURE = """
import json, sys, time
from image_resizer import guards, recipe
from shared.http import HttpError
from image_resizer.variants import Variant
start = time.process_time()
code = ""
try:
    with open(sys.argv[1], "rb") as file:
        box = int(sys.argv[2])
        made = recipe.render(guards.inspect(file), Variant(box, box, "inside"), lambda _: None)
except HttpError as error:
    code = error.code
seconds = time.process_time() - start
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps([seconds, peak, code]))
"""

_MEASURE_VIPS = """
import json, sys
import pyvips
name, box, suffix = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with open(name, "rb") as file:
    pyvips.Image.thumbnail_buffer(file.read(), box, height=box, size="down").write_to_buffer(suffix)
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps(peak))
"""

# boto3, botocore and Powertools are stood in for by empty modules: the bar is on what is ours, and on Pillow.
_IMPORT = """
import json, sys, time, types
class Stub(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "log_metrics":
            return lambda function: function
        return type(name, (Exception,), {"Count": 1, "log_metrics": staticmethod(lambda function: function)})
for name in (
    "boto3", "botocore", "botocore.config", "botocore.exceptions", "aws_lambda_powertools",
    "aws_lambda_powertools.logging", "aws_lambda_powertools.metrics", "aws_lambda_powertools.utilities",
    "aws_lambda_powertools.utilities.typing",
):
    sys.modules[name] = Stub(name)
start = time.process_time()
import image_resizer.resize
print(json.dumps(1000 * (time.process_time() - start)))
"""


def _fresh_processes(suite: Suite) -> None:
    suite.step("import in fresh processes")
    imports = [fresh_process(_IMPORT, paths=PATHS) for _ in range(22)][1:]
    suite.add("import of the handler's modules and Pillow", statistics.median(imports), "ms", 60)
    suite.step("memory in a fresh process")
    peaks = [fresh_process(_MEASURE, str(INPUTS / "huge.jpg"), "300", paths=PATHS)[1] for _ in range(3)]
    suite.add("peak memory, JPEG 100 MP to 300", statistics.median(peaks), "MB", 40)


def _memory(suite: Suite) -> None:
    for form, name in _FORMATS.items():
        suite.step(f"memory for {name}")
        path = str(INPUTS / f"grid-50.{form}")
        suffix = _VIPS_OPTIONS.get(form, ".avif[Q=50,effort=1,encoder=aom,bitdepth=8,keep=none]")
        for box in ("300", "2400"):
            ours = fresh_process(_MEASURE, path, box, paths=PATHS)[1]
            theirs = fresh_process(_MEASURE_VIPS, path, box, suffix, paths=PATHS)
            suite.add(f"peak memory, {name} 50 MP to {box}: ours / pyvips", ours / theirs, "x")
            suite.add(f"peak memory, {name} 50 MP to {box}: ours", ours, "MB")


def _bad_inputs(suite: Suite) -> None:
    suite.step("bad input in fresh processes")
    rgba = (INPUTS / "rgba.png").read_bytes()
    bad = {
        "pixels": pictures.png(30_000, 30_000, data=b""),
        "scans": pictures.scan_bomb(5_000),
        "text": pictures.png(4, 4, [pictures.chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(400_000_000)))]),
        "frames": pictures.gif_bomb(3_000_000),
        "crumbs": pictures.png(4, 4, [pictures.chunk(b"teXt", b"")] * 3_000_000),
        "profiles": pictures.profile_flood(10_000),
        "texts": pictures.unfinished_texts(5_000),
        "blocks": pictures.png(4, 4, [pictures.chunk(b"zTXt", b"a\0\0" + pictures.empty_blocks(39_000_000))]),
        "fill": b"\xff\xd8" + b"\xff" * 39_000_000,
        "fill before the end": pictures.jpeg()[:-2] + b"\xff" * 39_000_000 + b"\xd9",
        "extensions": pictures.gif_bomb(1)[:-1] + b"\x21\xfe\0" * 10_000_000,
        "zeros": pictures.gif_bomb(1)[:-1] + bytes(39_000_000),
        "no end": (INPUTS / "photo.jpg").read_bytes()[:-1_000],
        "truncated PNG": rgba[: len(rgba) // 2],
        "truncated JPEG": (INPUTS / "huge.jpg").read_bytes()[:-1_000],
        "corrupt PNG": rgba[: len(rgba) // 2] + bytes(100) + rgba[len(rgba) // 2 + 100 :],
    }
    results = {}
    file = INPUTS / "bad"
    for name, data in bad.items():
        file.write_bytes(data)
        results[name] = fresh_process(_MEASURE, str(file), "300", paths=PATHS)
        assert results[name][2], f"{name} was not refused"
    file.unlink()
    slowest, biggest = (max(results, key=lambda name: results[name][part]) for part in (0, 1))
    suite.add(f"slowest refusal of bad input ({slowest})", results[slowest][0], "s", 1)
    suite.add(f"biggest peak memory of a refusal ({biggest})", results[biggest][1], "MB", 150)


# ---- the run ---------------------------------------------------------------------------------------------


def _speed(suite: Suite, sharp: _Sharp | None) -> None:
    for work in (*WORKS, *GRID, *MOVING):
        suite.step(work.label)
        data = (INPUTS / work.original).read_bytes()
        suffix = _vips_suffix(work)
        if work.form == "avif":
            size = len(_ours(data, work.box, "avif"))
            suffix, theirs = _matching_avif(work.original, data, work.box, size)
            suite.add(f"{work.label}: bytes apart from pyvips", 100 * abs(theirs / size - 1), "%", 5)

        ours = partial(_ours, data, work.box, work.form)
        vips = partial(_vips, work.original, data, work.box, suffix)
        usual = partial(_usual, data, work.box, work.form)
        sides = compare(ours, vips, work.rounds)
        suite.add(f"{work.label}: CPU, ours / pyvips", sides.ratio, "x", work.bar)
        suite.add(f"{work.label}: CPU, ours", sides.ours, "ms")
        if sharp and work.bar is not None:
            sides = compare(ours, partial(sharp.resize, work), 5)
            suite.add(f"{work.label}: CPU, ours / sharp", sides.ratio, "x")
        if work.bar is not None:
            suite.add(f"{work.label}: CPU, ours / usual Pillow code", compare(ours, usual, 3).ratio, "x")


def main() -> int:
    """Run everything; the number of bars missed."""
    one_core()
    works = len(WORKS) + len(GRID) + len(MOVING)
    suite = Suite("image_resizer", steps=1 + works + len(FIDELITY) + len(_FORMATS) + 3)
    suite.step("making originals (once)")
    _make_originals()
    # The originals are bigger than Pillow lets the usual code open.
    Image.MAX_IMAGE_PIXELS = None
    sharp = None
    if shutil.which("node") and shutil.which("npm"):
        sharp = _Sharp()
    else:
        suite.note("Node.js is missing: no rows for sharp")
    _speed(suite, sharp)
    if sharp:
        sharp.close()
    _fidelity(suite)
    _fresh_processes(suite)
    _memory(suite)
    _bad_inputs(suite)
    return suite.finish()


if __name__ == "__main__":
    main()
