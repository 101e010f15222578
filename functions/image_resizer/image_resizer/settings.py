"""The environment of the image resizer's functions."""

from dataclasses import dataclass
from typing import Annotated

from shared.settings import EnvSettings, base_url, positive_int

from .variants import Ladder, parse_ladder

__all__ = ["ResizeSettings"]


@dataclass(frozen=True)
class ResizeSettings(EnvSettings):
    """Settings of the resize function.

    Attributes:
        bucket: The bucket of originals and variants.
        url: Base address of the bucket's website; every redirect goes there.
        ladder: The allowed widths and heights, in pixels.
        max_bytes: The biggest original that is read.
        cache_control: Header of stored variants.
        refusals_table: Table of the originals that cannot be resized, and why; empty: each request finds out.
        signing_secret_id: Secrets Manager secret that holds the key of signed URLs; empty: signing is off.
        portal_usage_table: Table in which calls with API keys are counted; empty: they are not.
    """

    bucket: str
    url: Annotated[str, base_url]
    ladder: Annotated[Ladder, parse_ladder]
    max_bytes: Annotated[int, positive_int] = 40_000_000
    cache_control: str = "public, max-age=86400"
    refusals_table: str = ""
    signing_secret_id: str = ""
    portal_usage_table: str = ""
