"""Drive of the image resizer: asks for variants as a browser would, and looks at what comes back."""

from __future__ import annotations

import io
import time

from PIL import Image, ImageChops, ImageStat

from local.demo.checks import Checks
from local.suite import Suite
from ops.publish import SAMPLES

__all__ = ["FLOW", "PAGE", "STEPS", "drive"]

FLOW = "website 307 → API → resize → bucket 301 → website"
PAGE = "images/"
# In a folder of its own: what people have in the bucket is neither overwritten nor deleted.
SAMPLE, ORIGINAL, REPLACED = "blue_marble.jpg", "suite-demo/blue_marble.jpg", "suite-demo/replaced.png"
# Path of the variant, its size and format. The original is wider than every rung asked for.
VARIANTS: tuple[tuple[str, tuple[int, int], str], ...] = (
    ("25x25", (25, 25), "JPEG"),
    ("300x300", (300, 300), "JPEG"),
    ("500x500", (500, 500), "JPEG"),
    ("300x300,webp", (300, 300), "WEBP"),
    ("300x300,avif", (300, 300), "AVIF"),
    ("500x300,contain,png", (500, 300), "PNG"),
    ("800x,webp", (800, 0), "WEBP"),
)
REFUSED: tuple[tuple[str, int], ...] = (
    ("0x300/" + ORIGINAL, 400),
    ("300x300,sepia/" + ORIGINAL, 400),
    ("300x300/300x300/" + ORIGINAL, 403),
    ("300x300/no_such_picture.jpg", 404),
)
STEPS = 5 * len(VARIANTS) + len(REFUSED) + 7


def drive(suite: Suite, checks: Checks) -> None:
    """Ask for variants twice, for a picture in the best format, for nonsense, and replace an original."""
    website = suite["ImagesWebsiteUrl"]
    original = (SAMPLES / SAMPLE).read_bytes()
    source = Image.open(io.BytesIO(original)).convert("RGB")
    suite.client("s3").put_object(
        Bucket=suite["ImagesBucketName"], Key=ORIGINAL, Body=original, ContentType="image/jpeg"
    )
    _forget_variants(suite)

    for path, (width, height), kind in VARIANTS:
        height = height or round(source.height * width / source.width)
        first = suite.http.get(f"{website}/{path}/{ORIGINAL}")
        checks.equal(f"{path}: redirects", [step.status_code for step in first.history], [307, 301])
        picture = Image.open(io.BytesIO(first.content))
        checks.equal(f"{path}: format and size", (picture.format, picture.size), (kind, (width, height)))
        checks.equal(f"{path}: type", first.headers["Content-Type"], f"image/{kind.lower()}")
        if "contain" in path:
            checks.true(
                f"{path}: the bars are transparent",
                picture.convert("RGBA").getchannel("A").getpixel((0, 0)) == 0,
            )
        else:
            difference = _difference(picture, source, (width, height))
            checks.true(
                f"{path}: shows the original", difference < 12, f"mean difference {difference:.1f} of 255"
            )
        second = suite.http.get(f"{website}/{path}/{ORIGINAL}", allow_redirects=False)
        checks.true(
            f"{path}: the second request is served by the bucket alone",
            second.status_code == 200 and second.content == first.content,
            f"status {second.status_code}",
        )

    best = suite.http.get(f"{website}/500x500,auto/{ORIGINAL}", headers={"Accept": "image/webp,image/*"})
    checks.equal("auto: redirects", [step.status_code for step in best.history], [307, 302, 307, 301])
    checks.equal("auto: WebP for who accepts WebP", best.headers["Content-Type"], "image/webp")
    nearest = suite.http.get(f"{website}/310x290/{ORIGINAL}")
    checks.true("310x290 goes to its nearest rung", nearest.url.endswith(f"/300x300/{ORIGINAL}"), nearest.url)

    for path, status in REFUSED:
        answer = suite.http.get(f"{website}/{path}")
        checks.equal(f"{path}: refused", answer.status_code, status)

    _replace_original(suite, checks)


def _replace_original(suite: Suite, checks: Checks) -> None:
    bucket, website = suite["ImagesBucketName"], suite["ImagesWebsiteUrl"]
    colours = {"red": (254, 0, 0), "blue": (0, 0, 254)}
    for name, colour in colours.items():
        body = io.BytesIO()
        Image.new("RGB", (640, 480), colour).save(body, "PNG")
        suite.client("s3").put_object(
            Bucket=bucket, Key=REPLACED, Body=body.getvalue(), ContentType="image/png"
        )
        end = time.monotonic() + 10
        while True:
            answer = suite.http.get(f"{website}/100x100/{REPLACED}")
            found = Image.open(io.BytesIO(answer.content)).convert("RGB").getpixel((50, 50))
            if found == colour or time.monotonic() > end:
                break
            time.sleep(0.1)
        checks.equal(f"an original that became {name} has {name} variants", found, colour)
    suite.client("s3").delete_object(Bucket=bucket, Key=REPLACED)
    end = time.monotonic() + 10
    while suite.http.get(f"{website}/100x100/{REPLACED}").status_code != 404 and time.monotonic() < end:
        time.sleep(0.1)
    gone = suite.http.get(f"{website}/100x100/{REPLACED}")
    checks.equal("a deleted original has no variants", gone.status_code, 404)
    checks.equal("errors are never cached", gone.headers.get("Cache-Control"), "no-store")


def _forget_variants(suite: Suite) -> None:
    """Delete the drive's variants, so that it shows the whole way again on a suite that is already up."""
    for path in [*(path for path, _, _ in VARIANTS), "500x500,webp"]:
        suite.client("s3").delete_object(Bucket=suite["ImagesBucketName"], Key=f"{path}/{ORIGINAL}")


def _difference(picture: Image.Image, source: Image.Image, size: tuple[int, int]) -> float:
    """Return the mean absolute difference (0 to 255) from a plain crop and resize of the original."""
    ratio = max(size[0] / source.width, size[1] / source.height)
    crop_width, crop_height = size[0] / ratio, size[1] / ratio
    left, top = (source.width - crop_width) / 2, (source.height - crop_height) / 2
    expected = source.resize(size, Image.Resampling.BOX, (left, top, left + crop_width, top + crop_height))
    return sum(ImageStat.Stat(ImageChops.difference(picture.convert("RGB"), expected)).mean) / 3
