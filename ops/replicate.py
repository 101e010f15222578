"""``make replicate``: send every account of a stack to the other region, through the queue of writes.

For a second region that is added to a stack that has accounts, and for records of the stream that nobody
took in time. Works on a stack by name, with the caller's credentials; without ``STACK`` `local.run` has it
work on the local suite that is up. What the other region knows already changes nothing there: it can be run
again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from itertools import batched
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ops.stacks import Client, CommandError, clients, outputs_of, reported

__all__ = ["replicate"]

_BATCH = 10  # messages of one SendMessageBatch


def replicate(
    client: Client, table: str, queue: str, *, advance: Callable[[int], Any] = lambda _: None
) -> int:
    """Send the keys of all accounts of a table to a queue; how many.

    Args:
        client: Gives the boto3 client of a service.
        table: Name of the users table.
        queue: URL of the queue of writes.
        advance: Called with the number of items that were looked at since the last time.

    Raises:
        CommandError: The queue does not take some of them.
    """
    sqs, count = client("sqs"), 0
    for keys in batched(_accounts(client, table, advance), _BATCH, strict=False):
        entries = [
            {"Id": str(place), "MessageBody": json.dumps({"key": key})} for place, key in enumerate(keys)
        ]
        failed = sqs.send_message_batch(QueueUrl=queue, Entries=entries).get("Failed", [])
        if failed:
            raise CommandError(
                f"the queue takes no more after {count} accounts ({failed[0]['Code']}): run it again"
            )
        count += len(keys)
    return count


def _accounts(client: Client, table: str, advance: Callable[[int], Any]) -> Iterator[str]:
    pages = (
        client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=table,
            ProjectionExpression="pk",
            FilterExpression="sk = :only AND begins_with(pk, :account)",
            ExpressionAttributeValues={":only": {"S": "."}, ":account": {"S": "U#"}},
        )
    )
    for page in pages:
        for item in page["Items"]:
            yield item["pk"]["S"]
        advance(page["ScannedCount"])


@reported
def main() -> int:
    """Send them."""
    parser = argparse.ArgumentParser(prog="ops.replicate", description=__doc__)
    parser.add_argument("--stack", required=True, help="name of the deployed stack")
    parser.add_argument("--region", help="of the accounts; AWS_REGION or the profile's by default")
    arguments = parser.parse_args()
    client = clients(arguments.region)
    outputs = outputs_of(arguments.stack, client)
    table = outputs["AuthUsersTableName"]
    if "AuthWritesQueueUrl" not in outputs:
        raise CommandError("this stack has one region: there is nowhere to send accounts (AuthPeerRegion)")
    queue = outputs["AuthWritesQueueUrl"]
    # DynamoDB counts the items of a table about every six hours.
    total = client("dynamodb").describe_table(TableName=table)["Table"]["ItemCount"] or None
    with Progress(TextColumn("items"), BarColumn(), MofNCompleteColumn()) as progress:
        bar = progress.add_task("items", total=total)
        count = replicate(client, table, queue, advance=lambda seen: progress.advance(bar, seen))
    print(f"{count} accounts are in {queue.rpartition('/')[2]}, which is drained each minute.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
