"""The environment of the functions."""

from dataclasses import dataclass
from typing import Annotated

from shared.settings import EnvSettings, positive_int

__all__ = ["ActivitySettings", "IngestSettings", "WriteSettings"]


@dataclass(frozen=True)
class IngestSettings(EnvSettings):
    """Settings of the ingest function.

    Attributes:
        write_function: Name of the function that posts are handed to.
        failures_bucket: Where records go that are not posts, under `quarantine/`.
        key_arn: KMS key of encrypted records; empty if there are none.
        post_days: Days after its arrival at which a post expires.
    """

    write_function: str
    failures_bucket: str
    key_arn: str = ""
    post_days: Annotated[int, positive_int] = 30


@dataclass(frozen=True)
class WriteSettings(EnvSettings):
    """Settings of the write function.

    Attributes:
        posts_table: Where posts are.
        dead_letter_queue_url: Where posts go that could not be written.
    """

    posts_table: str
    dead_letter_queue_url: str


@dataclass(frozen=True)
class ActivitySettings(EnvSettings):
    """Settings of the activity function.

    Attributes:
        delivery_stream: The Firehose stream that takes the lines.
    """

    delivery_stream: str
