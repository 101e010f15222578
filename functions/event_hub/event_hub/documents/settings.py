"""The environment of the documents worker."""

from dataclasses import dataclass
from typing import Annotated

from shared.settings import EnvSettings, positive_int

__all__ = ["DocumentSettings"]


@dataclass(frozen=True)
class DocumentSettings(EnvSettings):
    """Settings of the documents worker.

    Attributes:
        input_bucket: Whose documents are encoded; an event of another is refused.
        output_bucket: Where PDFs go.
        output_prefix: Before the key of each, without a slash at its end.
        dead_letter_queue_url: Where a message goes at once whose document is refused, with the reason.
        retry_seconds: A failed message comes back after so long, doubled with every receipt.
        max_bytes: The largest document that is read.
    """

    input_bucket: str
    output_bucket: str
    dead_letter_queue_url: str
    output_prefix: str = "pdf"
    retry_seconds: Annotated[int, positive_int] = 30
    max_bytes: Annotated[int, positive_int] = 20_000_000
