"""Writes posts to the table.

Trigger: ingest, by asynchronous invocation; `make redrive`, for what the dead-letter queue holds.
Input: a write request (see `write_request`): posts, and until when none in the table can be newer.
Output: items of the posts table: by `shared.batch_write` while the request is fresh, afterwards by
    conditional puts, which lose to a newer item.
On failure: posts that could not be written in time go to the dead-letter queue, whole; so does, with the
    reason as the message's attribute `reason`, what the table can never take. If the function itself fails,
    Lambda tries the event twice more, and then puts it there: in the same form, so that one command redrives
    all.
Idempotent: posts come from their records alone. Writing one again changes nothing, and a late one loses.
Recorded event: events/social_stream/write_posts.json
"""

import time
from typing import Any, cast

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.batch_write import BatchWriter, deadline_of
from shared.clients import client_without_retries
from shared.metrics import count, publishes_metrics

from . import write_request
from .posts import KEYS, Post
from .settings import WriteSettings
from .storage import Put, put_newer, send_to_dlq

__all__ = ["handler"]

logger = Logger()

MARGIN_S = 20.0  # a put that began before the deadline may take 15 s, the dead-letter queue is quick


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Write the posts of a request."""
    settings = WriteSettings.from_env()
    posts, fresh_until = write_request.decoded(event)
    deadline = deadline_of(context, margin=MARGIN_S)
    fresh_s = fresh_until - time.time()
    put = Put(0, 0, posts, [])
    if fresh_s > 0:
        put = _write(settings.posts_table, posts, min(deadline, time.monotonic() + fresh_s))
    if put.unwritten:
        late = put_newer(settings.posts_table, put.unwritten, deadline)
        put = Put(
            put.written + late.written,
            put.superseded + late.superseded,
            late.unwritten,
            [*put.refused, *late.refused],
        )
    if put.unwritten:
        send_to_dlq(settings.dead_letter_queue_url, put.unwritten, "not written in time, or denied")
    for reason in {refused.reason for refused in put.refused}:
        posts_refused = [refused.request for refused in put.refused if refused.reason == reason]
        send_to_dlq(settings.dead_letter_queue_url, cast("list[Post]", posts_refused), reason)
    counts = {
        "PostsWritten": put.written,
        "PostsSuperseded": put.superseded,
        "PostsDeadLettered": len(put.unwritten) + len(put.refused),
    }
    for name, value in counts.items():
        count(name, value)
    logger.info("wrote", posts=len(posts), fresh=fresh_s > 0, counts=counts)


def _write(table: str, posts: list[Post], deadline: float) -> Put:
    """Write posts in batches; of those of one key the newest."""
    newest_last = sorted(posts, key=_record_number)
    writer = BatchWriter(client_without_retries("dynamodb"), table, KEYS)
    outcome = writer.write(newest_last, deadline=deadline)
    return Put(outcome.written, outcome.collapsed, cast("list[Post]", outcome.unwritten), outcome.refused)


def _record_number(post: Any) -> str:
    """What posts of one key are ordered by; whatever is not a post comes first, and is refused."""
    return str(post.get("RecordNum", "")) if isinstance(post, dict) else ""
