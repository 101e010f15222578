"""Which variants exist: sizes, options, canonical names.

A variant's object key is `<segment>/<key of the original>`, and its segment `<size>[,fit][,format]`:

- size: `WxH`, `Wx` or `xH`, each number a rung of the ladder;
- fit, for `WxH`: `cover` (crop to fill the box; the default, never written), `contain` (pad to the exact
  box), `inside` (as big as fits);
- format: `webp`, `avif`, `jpeg`, `png`; without one, the original's. `auto` negotiates and is never stored.

A request may write any size, and the options in any order; it has exactly one canonical variant, so an
original has at most `max_variants(ladder)` stored variants whatever is asked for.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, cast

from shared.http import BadRequestError, ForbiddenError

__all__ = [
    "MAX_KEY_BYTES",
    "Ladder",
    "Request",
    "Variant",
    "is_variant_key",
    "max_variants",
    "nearest",
    "negotiate",
    "parse_ladder",
    "parse_request",
    "stored_variants",
]

type Ladder = tuple[int, ...]
type Fit = Literal["cover", "contain", "inside"]
type Format = Literal["webp", "avif", "jpeg", "png", "auto"]

FITS = ("cover", "contain", "inside")
FORMATS = ("webp", "avif", "jpeg", "png")
MAX_KEY_BYTES = 1024  # of S3

_SIZE = re.compile(r"([1-9][0-9]{0,4})?x([1-9][0-9]{0,4})?")
_SIGNATURE = re.compile(r"s[0-9]{1,11}\.[A-Za-z0-9_-]{43}")
# Wider than what is accepted as a size: a name that looks like a variant's is reserved.
_VARIANT_KEY = re.compile(r"(?:[0-9]+x[0-9]*|x[0-9]+)(?:,[^/]*)?/")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")


class Variant(NamedTuple):
    """What is made of an original; `width` or `height` is None where the other decides."""

    width: int | None
    height: int | None
    fit: Fit = "cover"
    format: Format | None = None

    @property
    def segment(self) -> str:
        """The canonical first segment of the variant's key."""
        size = f"{self.width or ''}x{self.height or ''}"
        fit = "" if self.fit == "cover" or self.width is None or self.height is None else f",{self.fit}"
        return size + fit + (f",{self.format}" if self.format else "")


class Request(NamedTuple):
    """A parsed request.

    Attributes:
        variant: The canonical variant; its format may be `auto`.
        key: The original's key.
        asked: The first segment as it was written, less the signature: what a signature covers.
        signature: The signature option, or None.
    """

    variant: Variant
    key: str
    asked: str
    signature: str | None

    @property
    def is_canonical(self) -> bool:
        """Whether the request names its variant the one way it is stored under."""
        return self.asked == self.variant.segment and self.signature is None


def parse_ladder(text: str) -> Ladder:
    """The rungs of a ladder such as `25,300,500`.

    Raises:
        ValueError: It is not a rising list of whole numbers from 1 to 99999.
    """
    try:
        rungs = tuple(int(rung) for rung in text.split(","))
    except ValueError:
        rungs = ()
    if not rungs or list(rungs) != sorted(set(rungs)) or not 0 < rungs[0] <= rungs[-1] <= 99_999:
        raise ValueError("must be rising whole numbers from 1 to 99999, separated by commas")
    return rungs


def nearest(length: int, ladder: Ladder) -> int:
    """The rung nearest to a length; of two equally near ones the bigger."""
    return min(ladder, key=lambda rung: (abs(rung - length), -rung))


def stored_variants(ladder: Ladder) -> Iterator[Variant]:
    """Every variant that can be stored for one original."""
    formats = cast("tuple[Format | None, ...]", (None, *FORMATS))
    for form in formats:
        for rung in ladder:
            yield Variant(rung, None, format=form)
            yield Variant(None, rung, format=form)
            for height in ladder:
                for fit in cast("tuple[Fit, ...]", FITS):
                    yield Variant(rung, height, fit, form)


def max_variants(ladder: Ladder) -> int:
    """The upper bound of stored variants for one original."""
    rungs = len(ladder)
    return (len(FITS) * rungs**2 + 2 * rungs) * (1 + len(FORMATS))


def is_variant_key(key: str) -> bool:
    """Whether a key is under a size segment, where originals are not looked for."""
    return _VARIANT_KEY.match(key) is not None


def parse_request(path: str, ladder: Ladder) -> Request:
    """Parse `<size>[,option...]/<key>`, already URL-decoded once.

    Raises:
        BadRequestError: Size, option or key is malformed.
        ForbiddenError: The key is itself a variant's.
    """
    segment, _, key = path.partition("/")
    words = segment.split(",")
    size = _SIZE.fullmatch(words[0])
    if not size or words[0] == "x":
        raise BadRequestError(
            "malformed_size", "The size must be WxH, Wx or xH in pixels, for example 300x300."
        )
    width, height = (nearest(int(length), ladder) if length else None for length in size.groups())
    fit, form, signature = _parse_options(words[1:])
    if width is None or height is None:
        fit = "cover"  # one side decides the other: there is no box to fit into
    variant = Variant(width, height, fit, form)
    _check_key(key, variant.segment)
    asked = ",".join(word for word in words if word != signature)
    return Request(variant, key, asked, signature)


def _parse_options(words: Iterable[str]) -> tuple[Fit, Format | None, str | None]:
    fit: str | None = None
    form: str | None = None
    signature: str | None = None
    for word in words:
        if word in FITS:
            repeated, fit = fit, word
        elif word in FORMATS or word == "auto":
            repeated, form = form, word
        elif _SIGNATURE.fullmatch(word):
            repeated, signature = signature, word
        else:
            raise BadRequestError("unknown_option", "An option after the size is unknown.")
        if repeated is not None:
            raise BadRequestError(
                "repeated_option", "Two options after the size contradict or repeat each other."
            )
    return cast("Fit", fit or "cover"), cast("Format | None", form), signature


def _check_key(key: str, segment: str) -> None:
    try:
        length = len(f"{segment}/{key}".encode())
    except UnicodeEncodeError:
        raise BadRequestError("malformed_key", "The key is not UTF-8.") from None
    if not key or length > MAX_KEY_BYTES:
        raise BadRequestError("malformed_key", "The key is empty or too long.")
    if _CONTROL.search(key) or _ESCAPE.search(key):
        raise BadRequestError(
            "malformed_key", "The key holds a control character, a backslash or an escape sequence."
        )
    if any(part in ("", ".", "..") for part in key.split("/")):
        raise BadRequestError("malformed_key", "The key holds an empty or relative path segment.")
    if is_variant_key(key):
        raise ForbiddenError("key_is_variant", "The key is a variant's; variants are made of originals only.")


def negotiate(
    accept: str, original: str, *, animated: bool, alpha: bool, fits_webp: bool = True
) -> Format | None:
    """The format for an `Accept` header.

    Args:
        accept: The header; only formats it names count, as `image/*` is sent by browsers that lack AVIF.
        original: The original's format.
        animated: Whether the original may be animated.
        alpha: Whether the original may be transparent.
        fits_webp: Whether the variant is small enough for WebP.

    Returns:
        A format; None means the original's.
    """
    accepted = set()
    for item in accept.lower().split(","):
        media, *parameters = (part.strip(" \t") for part in item.split(";"))
        if not any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters):
            accepted.add(media)
    # An animation takes seconds to encode as AVIF, and little less space than as WebP.
    preference: tuple[Format, ...] = ("webp", "avif") if animated else ("avif", "webp")
    for form in preference:
        if f"image/{form}" in accepted and (form != "webp" or fits_webp):
            return form
    if original in ("webp", "avif"):
        return "png" if alpha else "jpeg"
    return None
