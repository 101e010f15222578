"""The environment of the functions."""

from dataclasses import dataclass
from typing import Annotated

from shared.settings import EnvSettings, base_url

__all__ = ["IndexSettings"]


@dataclass(frozen=True)
class IndexSettings(EnvSettings):
    """Settings of the index function.

    Attributes:
        search_url: Address of the OpenSearch domain.
        aws_region: The domain's region, which is the function's own.
        dead_letter_queue_url: Where events go that no document can be made of.
    """

    search_url: Annotated[str, base_url]
    aws_region: str
    dead_letter_queue_url: str
