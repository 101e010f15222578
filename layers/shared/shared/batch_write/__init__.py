"""Writes many items to a DynamoDB table, quickly and politely, and says what was not written.

::

    dynamodb = client_without_retries("dynamodb")  # the writer retries by itself, and knows the deadline
    writer = BatchWriter(dynamodb, "posts", ("user_id", "tweet_id"))
    outcome = writer.write(items, deadline=deadline_of(context, margin=3.0))
    outcome.written, outcome.unwritten, outcome.refused

* A call holds at most 25 requests and 16 MB; an iterable may be of any length.
* Of requests for one key the last wins; DynamoDB would refuse the batch.
* What comes back as unprocessed joins the queue again, so that calls stay full.
* Up to `concurrency` calls are under way. How many follows what the table takes: one more after each call
  that was taken whole, fewer in proportion to what came back (AIMD), and a pause with exponential back-off
  and full jitter while much of what is sent comes back.
* Nothing is sent after the deadline; what is left is returned.
* A request that DynamoDB can never take is refused alone: what can be known beforehand (too large, a float,
  no key) before a call is made; else (a key of another type than the table's) the call that it is in is
  halved until it is alone.

Values are what boto3 takes: `str`, `int`, `Decimal`, `bool`, `None`, `bytes`, `Binary`, lists, mappings, sets
of one kind.
`BatchWriteItem` knows no conditions: an older item written later wins. Where items of one key can overtake
each other, write them by conditional puts; `serialized` makes their attribute values.

Errors::

    BatchWriteError     a call failed for good (no such table, no permission); carries the outcome

Peers differ: boto3's `batch_writer` makes one call after the other and never pauses, PynamoDB stops at
leftovers, and neither returns what is left; `bench/social_stream.py` compares them.
"""

from ._items import MAX_DEPTH, MAX_ITEM_BYTES, Delete, Refused, item_size, serialized
from ._writer import MAX_BATCH, MAX_BATCH_BYTES, BatchWriteError, BatchWriter, Outcome, deadline_of

__all__ = [
    "MAX_BATCH",
    "MAX_BATCH_BYTES",
    "MAX_DEPTH",
    "MAX_ITEM_BYTES",
    "BatchWriteError",
    "BatchWriter",
    "Delete",
    "Outcome",
    "Refused",
    "deadline_of",
    "item_size",
    "serialized",
]
