"""Makes a resized image and sends the browser to it.

Trigger: API Gateway REST, proxy integration, `ANY /resize?key=<size>[,option...]/<key>`. The bucket's website
    redirects here whatever it does not have. `GET /v1/variants?key=...`, with an API key of the API portal,
    does the same.
Input: the original `<key>` in the bucket; the header `Accept` for the format `auto`.
Output: 301 to the variant on the website, once it is stored; 301 to the canonical name of a size or an order
    of options that is not stored; 302 to a concrete format's name for `auto`. Redirects are never cached,
    and lead to the configured address alone. With an API key 200 with `{"url", "key"}` of the variant, once
    it is stored; the call is counted (`shared.usage`).
On failure: JSON with a stable code (see `shared.http`); 503 and 504 are worth another try. No variant is
    stored. That an original cannot be resized is noted in a table, and answered from there for a day.
Idempotent: a variant is written only where there is nothing (`If-None-Match`). It carries its original's
    ETag; one that belongs to an earlier original is replaced (`If-Match`), and one whose original changes
    meanwhile is taken back; where that fails, the function `invalidate` does it on the variant's own event.
    An object that is not a variant stays, whatever its name: 409.
Recorded event: events/image_resizer/resize_jpeg.json, resize_keyed.json
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.http import (
    CROSS_ORIGIN_HEADERS,
    Answer,
    BadRequestError,
    BusyError,
    ConflictError,
    Facts,
    HttpError,
    MethodNotAllowedError,
    OutOfTimeError,
    TooLargeError,
    UnprocessableError,
    json_answer,
    respond,
)
from shared.metrics import count, publishes_metrics
from shared.usage import count_call

from . import signing
from .encoding import MAX_WEBP_SIDE
from .guards import inspect, size_of, sniff
from .recipe import Rendered, plan, render
from .refusals import Refusals
from .settings import ResizeSettings
from .storage import Bucket, Changed, Stored, secret
from .variants import Request, Variant, negotiate, parse_request

__all__ = ["handler"]

KEYED = "/v1/variants"
"""The route for programs, which API Gateway lets in by their API keys."""
RESERVE_S = 0.8  # to store the variant, look at the original again, and answer
TRIES = 3  # of which one may meet a write that is not done yet, and one what it wrote
SECRET_TTL_S = 300
# Of the function's time, what an image may take: what takes more will take it whenever it is asked for.
SHARE = 0.8
_HEAD = 131_072  # bytes in which a file says its size, and whether it is animated or transparent


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Answer:
    """Answer one request."""
    answer = respond(
        "resize", event, lambda facts: _serve(event, context, facts), headers=CROSS_ORIGIN_HEADERS
    )
    if event["httpMethod"] == "HEAD":
        answer["body"] = ""
    return answer


def _serve(event: dict[str, Any], context: LambdaContext, facts: Facts) -> Answer:
    if event["httpMethod"] not in ("GET", "HEAD"):
        raise MethodNotAllowedError("method_not_allowed", "Only GET and HEAD are answered.", "GET, HEAD")
    settings = ResizeSettings.from_env()
    request = _requested(event, settings.ladder)
    facts["variant"] = request.variant.segment
    bucket = Bucket(settings.bucket, settings.cache_control)
    keyed = event["resource"] == KEYED
    _verify(settings, request, bucket)
    # Signed, another name could not be asked for; with an API key, it would be asked for at once.
    direct = keyed or bool(settings.signing_secret_id)
    if not request.is_canonical and not direct:
        count("Canonicalised")
        return _redirect(301, settings.url, request.variant, request.key)

    variant, negotiated = request.variant, request.variant.format == "auto"
    if negotiated:
        variant = _negotiated(bucket, request, ",".join(_values(event, "Headers", "accept")))
        facts["variant"] = variant.segment
        if not direct:
            count("Negotiated")
            return _redirect(302, settings.url, variant, request.key, vary=True)

    deadline = _Deadline(lambda: context.get_remaining_time_in_millis() / 1000)
    refusals = Refusals(settings.refusals_table, time.time())
    _ensure(bucket, refusals, variant, request.key, settings.max_bytes, deadline, facts)
    if keyed:
        count_call(settings.portal_usage_table, event)
        key = f"{variant.segment}/{request.key}"
        return json_answer(200, {"url": _address(settings.url, variant, request.key), "key": key})
    return _redirect(302 if negotiated else 301, settings.url, variant, request.key, vary=negotiated)


def _verify(settings: ResizeSettings, request: Request, bucket: Bucket) -> None:
    """Refuse what is not signed, where it has to be; a name that may mean two originals, where it has not."""
    if settings.signing_secret_id:
        key = _signing_key(settings.signing_secret_id, int(time.monotonic() / SECRET_TTL_S))
        signing.verify(key, request.asked, request.key, request.signature, time.time())
    elif bucket.is_ambiguous(request.key):  # a signature covers the key
        raise BadRequestError("ambiguous_key", "There are originals with a space and with a + in this name.")


class _Deadline:
    """The time that is left, of the whole that there was for the request.

    Args:
        remaining: The seconds that are left.
    """

    def __init__(self, remaining: Callable[[], float]) -> None:
        self._remaining = remaining
        self._whole = self._begin = remaining()

    def begin(self) -> None:
        """The image is there; what is taken from now on is the image's fault."""
        self._begin = self._remaining()

    def checkpoint(self, seconds: float) -> None:
        """Stop before work for which no time is left.

        Raises:
            UnprocessableError: A new request would have too little time, too.
            OutOfTimeError: Something else took it.
        """
        left = self._remaining()
        if left >= seconds + RESERVE_S:
            return
        if self._begin - left + seconds > SHARE * self._whole:
            raise UnprocessableError(
                "too_costly", "The original takes longer than there is time to resize it."
            )
        raise OutOfTimeError("out_of_time", "The image could not be made in time.")


def _requested(event: dict[str, Any], ladder: tuple[int, ...]) -> Request:
    """The variant and original that the query names."""
    # An `&` of the key that is not encoded begins another parameter, and so does a `;`: "The semicolon
    # character (;) is not supported for any request URL query string and results in the data being split."
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
    if (event.get("multiValueQueryStringParameters") or {}).keys() - {"key"}:
        raise BadRequestError(
            "unexpected_parameter", "There is no parameter but key; encode & as %26 and ; as %3B in it."
        )
    keys = _values(event, "QueryStringParameters", "key")
    if len(keys) != 1:
        raise BadRequestError("malformed_key", "Exactly one key is needed: ?key=<size>/<key>.")
    return parse_request(keys[0], ladder)


def _ensure(
    bucket: Bucket,
    refusals: Refusals,
    variant: Variant,
    key: str,
    max_bytes: int,
    deadline: _Deadline,
    facts: Facts,
) -> None:
    """Have the variant of the present original stored."""
    target = f"{variant.segment}/{key}"
    cache = "hit"
    for _ in range(TRIES):
        stored = bucket.head(target)
        if stored and not stored.is_variant:
            raise _taken()
        original = bucket.original(key)
        if original.size > max_bytes:
            raise TooLargeError("original_too_large", "The original has more bytes than are read here.")
        if stored and stored.is_made_of(original):
            name = "Raced" if cache == "raced" else "CacheHits"
            count(name)
            facts["cache"] = cache
            return
        if stored and not bucket.is_tagged(target):  # a copy that was moved back
            raise _taken()
        deadline.checkpoint(0)
        refusals.check(key, original, variant.segment)
        try:
            made = _made(bucket, refusals, variant, key, original, deadline)
        except Changed:
            continue
        etag = bucket.store(target, made, original.etag, stored)
        cache = "miss" if etag else "raced"
        facts |= {
            "cache": cache,
            "format": made.format,
            "source_bytes": original.size,
            "variant_bytes": len(made.data),
        }
        if etag is None:
            continue  # to see what it was that came before us
        # Were the original replaced while we worked, its invalidation may have been before our write.
        try:
            after = bucket.head(key)
        except HttpError:
            with suppress(HttpError):  # the variant's own event has it checked, too
                bucket.delete(target, etag)
            raise
        if after and after.etag == original.etag:
            count("VariantsMade")
            return
        bucket.delete(target, etag)
    raise BusyError("original_changing", "The image is being replaced right now; try again in a moment.")


def _made(
    bucket: Bucket, refusals: Refusals, variant: Variant, key: str, original: Stored, deadline: _Deadline
) -> Rendered:
    with bucket.fetch(key, original.etag) as file:
        deadline.begin()
        with refusals.remembered(key, original):
            header = inspect(file)
        with refusals.remembered(f"{variant.segment}/{key}", original):
            return render(header, variant, deadline.checkpoint)


def _taken() -> ConflictError:
    return ConflictError("key_is_taken", "An object that is not a variant has the key of this one.")


def _negotiated(bucket: Bucket, request: Request, accept: str) -> Variant:
    head = bucket.start(request.key, _HEAD)
    original = sniff(head)
    if original == "webp":
        animated, alpha = _webp_features(head)
    else:
        animated, alpha = original == "gif", b"auxiliary:alpha" in head
    fits_webp = original == "webp" or _fits_webp(request.variant, size_of(head))
    form = negotiate(accept, original, animated=animated, alpha=alpha, fits_webp=fits_webp)
    return request.variant._replace(format=form)


def _fits_webp(variant: Variant, size: tuple[int, int] | None) -> bool:
    """Whether WebP can hold a variant of an original of that size, lying or standing."""
    if size is None or not all(size):
        return variant.width is not None and variant.height is not None
    plans = plan(*size, variant), plan(*size[::-1], variant)
    return all(max(one.canvas or one.size) <= MAX_WEBP_SIDE for one in plans)


def _webp_features(head: bytes) -> tuple[bool, bool]:
    """Whether a WebP is animated, and whether it may be transparent.

    The flags of the chunk VP8X say so: https://developers.google.com/speed/webp/docs/riff_container. A
    lossless image without that chunk may be transparent.
    """
    if head[12:16] == b"VP8X" and len(head) > 20:
        flags = head[20]
        return bool(flags & 0x02), bool(flags & 0x10)
    return False, head[12:16] == b"VP8L"


def _values(event: Mapping[str, Any], part: str, name: str) -> list[str]:
    """All values of a header (whose case does not matter) or a query parameter."""
    values: Mapping[str, list[str]] = event.get(f"multiValue{part}") or {}
    fold = part == "Headers"
    return [text for key, texts in values.items() if (key.lower() if fold else key) == name for text in texts]


@lru_cache(maxsize=1)
def _signing_key(secret_id: str, _period: int) -> bytes:
    return secret(secret_id)


def _redirect(status: int, url: str, variant: Variant, key: str, *, vary: bool = False) -> Answer:
    headers = {"Location": _address(url, variant, key)} | ({"Vary": "Accept"} if vary else {})
    return {"statusCode": status, "headers": headers, "body": ""}


def _address(url: str, variant: Variant, key: str) -> str:
    return f"{url}/{variant.segment}/{quote(key, safe='/')}"
