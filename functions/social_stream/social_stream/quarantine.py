"""Records that are not posts: kept as they came, with their sequence numbers and the reasons."""

import base64
import json
from datetime import UTC, datetime
from typing import NamedTuple

from shared.clients import client

from .posts import Arrival

__all__ = ["Refusal", "write"]


class Refusal(NamedTuple):
    """A record that is not a post, why, and its bytes."""

    arrival: Arrival
    reason: str
    data: bytes


def write(bucket: str, refusals: list[Refusal]) -> None:
    """Write the refusals of a batch to one object, named for the first: again the same one if it comes again.

    Args:
        bucket: The failure bucket.
        refusals: At least one, in the order of the stream.
    """
    lines = [
        json.dumps(
            {
                "sequence_number": refusal.arrival.sequence_number,
                "part": refusal.arrival.part,
                "reason": refusal.reason,
                "data": base64.b64encode(refusal.data).decode(),
            }
        )
        for refusal in refusals
    ]
    first = refusals[0].arrival
    hour = datetime.fromtimestamp(first.seconds, UTC)
    client("s3").put_object(
        Bucket=bucket,
        Key=f"quarantine/{hour:%Y/%m/%d/%H}/{first.record_number}.jsonl",
        Body="\n".join([*lines, ""]).encode(),
        ContentType="application/x-ndjson",
    )
