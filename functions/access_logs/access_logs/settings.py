"""The environment of the functions at rest; those in motion have `streaming_settings`."""

from dataclasses import dataclass
from typing import Annotated

from shared.access_log import Layout
from shared.settings import EnvSettings, positive_int

from .partitions import PartitionType, parse_type

__all__ = ["PartitionSettings", "PreprocessSettings"]


def _privacy(text: str) -> str:
    if text not in ("keep", "truncate", "hash"):
        raise ValueError("must be keep, truncate or hash")
    return text


def _fields(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",")) if text else ()
    if names and not Layout(names).dated:
        raise ValueError("must have date or timestamp(ms) among the fields")
    return names


@dataclass(frozen=True)
class PreprocessSettings(EnvSettings):
    """Settings of the preprocess function.

    Attributes:
        stream: The Firehose stream that takes the rows.
        processed_bucket: Where quarantine and error rows go.
        ledger_table: The DynamoDB table of objects that are done.
        dead_letter_queue_url: Where messages go at once that will always fail.
        viewer_address: What is stored of viewers' addresses: `keep`, `truncate` or `hash`.
        address_secret_id: The Secrets Manager secret that is the key of the hashes; for `hash` only.
        retry_seconds: After how long a failed message is tried again; doubles with every try.
        fields: The fields of logs that are text without a header, in their order; without them such logs are
            quarantined.
    """

    stream: str
    processed_bucket: str
    ledger_table: str
    dead_letter_queue_url: str
    viewer_address: Annotated[str, _privacy] = "keep"
    address_secret_id: str = ""
    retry_seconds: Annotated[int, positive_int] = 30
    fields: Annotated[tuple[str, ...], _fields] = ()


@dataclass(frozen=True)
class PartitionSettings(EnvSettings):
    """Settings of the partition function.

    Attributes:
        lookup_table: The DynamoDB table of partitions that are known.
        database: The Glue database.
        table: The Glue table whose partitions are made.
        dead_letter_queue_url: Where messages go at once that will always fail.
        partition_type: How fine they are.
        retry_seconds: After how long a failed message is tried again; doubles with every try.
    """

    lookup_table: str
    database: str
    table: str
    dead_letter_queue_url: str
    partition_type: Annotated[PartitionType, parse_type] = PartitionType.ALL
    retry_seconds: Annotated[int, positive_int] = 30
