"""``make redrive``: hand what is in dead-letter queues to its function again.

Works on a stack by name, with the caller's credentials; without ``STACK`` `local.run` has it work on the
local suite that is up. Posts of the social stream are written under a condition: they never replace newer
ones. Messages of the event hub and its documents go back to the queue that they came from, where what is done
already is not done again; accounts that could not be replicated go to the queue of writes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ops.stacks import Client, Outputs, clients, outputs_of, reported

__all__ = ["Redriven", "redrive", "sent_back"]

_REPLICATION = "AuthReplicationDeadLetterQueueUrl"
# Dead-letter queues whose messages go back as they are, and where to: outputs of the stack.
QUEUES = {
    "HubDeadLetterQueueUrl": "HubEventsQueueUrl",
    "HubLaterDeadLetterQueueUrl": "HubLaterQueueUrl",
    "HubDocumentsDeadLetterQueueUrl": "HubDocumentsQueueUrl",
    "PortalDeadLetterQueueUrl": "PortalEventsQueueUrl",
    _REPLICATION: "AuthWritesQueueUrl",
}


class Redriven(NamedTuple):
    """How many messages and posts were redriven, and how many messages hold no posts and stay."""

    messages: int
    posts: int
    strange: int


def waiting(client: Client, queue: str) -> int:
    """Return about how many messages are in a queue."""
    answer = client("sqs").get_queue_attributes(
        QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def redrive(
    client: Client,
    queue: str,
    function: str,
    *,
    most: int,
    advance: Callable[[int], Any] = lambda _: None,
) -> Redriven:
    """Invoke the function with each message, asynchronously, and then delete the message.

    Args:
        client: Gives the boto3 client of a service.
        queue: URL of the dead-letter queue.
        function: Name of the write function.
        most: Messages to take at most: those that fail again come back, and this must end.
        advance: Called with the number of posts after each message.
    """
    sqs, lambda_ = client("sqs"), client("lambda")
    messages = posts = strange = 0
    while messages + strange < most:
        wanted = min(10, most - messages - strange)
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=wanted, WaitTimeSeconds=1)
        if not received.get("Messages"):
            break
        for message in received["Messages"]:
            held = _posts(message["Body"])
            if held is None:
                strange += 1
                continue
            payload = json.dumps({"posts": held, "fresh_until": 0}, separators=(",", ":"))
            lambda_.invoke(FunctionName=function, InvocationType="Event", Payload=payload.encode())
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            messages += 1
            posts += len(held)
            advance(len(held))
    return Redriven(messages, posts, strange)


def _posts(body: str) -> list[Any] | None:
    try:
        posts = json.loads(body)["posts"]
    except (ValueError, KeyError, TypeError):
        return None
    return posts if isinstance(posts, list) else None


def _everything(_body: str) -> bool:
    return True


def _names_an_account(body: str) -> bool:
    """Tell whether a message is of the replication: others are a schedule's, or name a place in a stream."""
    try:
        return isinstance(json.loads(body)["key"], str)
    except (ValueError, KeyError, TypeError):
        return False


def sent_back(
    client: Client, queue: str, source: str, *, most: int, takes: Callable[[str], bool] = _everything
) -> int:
    """Send the messages of a dead-letter queue to another, and delete each one then; how many.

    Args:
        client: Gives the boto3 client of a service.
        queue: URL of the dead-letter queue.
        source: URL of the queue that they came from.
        most: Messages to take at most: those that fail again come back, and this must end.
        takes: Whether the other queue takes a message; the others stay.
    """
    sqs, count, looked_at = client("sqs"), 0, 0
    while looked_at < most:
        received = sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=min(10, most - looked_at), WaitTimeSeconds=1
        )
        for message in received.get("Messages", []):
            looked_at += 1
            if takes(message["Body"]):
                sqs.send_message(QueueUrl=source, MessageBody=message["Body"])
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                count += 1
        if not received.get("Messages"):
            break
    return count


@reported
def main() -> int:
    """Redrive; 1 if messages stay."""
    parser = argparse.ArgumentParser(prog="ops.redrive", description=__doc__)
    parser.add_argument("--stack", required=True, help="name of the deployed stack")
    parser.add_argument("--region", help="AWS_REGION or the profile's by default")
    arguments = parser.parse_args()
    client = clients(arguments.region)
    outputs = outputs_of(arguments.stack, client)
    queues = {dead: source for dead, source in QUEUES.items() if dead in outputs}
    stay = 0
    for dead, source in queues.items():
        most = waiting(client, outputs[dead])
        takes = _names_an_account if dead == _REPLICATION else _everything
        count = sent_back(client, outputs[dead], outputs[source], most=most, takes=takes)
        print(f"{count} messages were sent from {_name(outputs[dead])} to {_name(outputs[source])}.")
        if dead == _REPLICATION and count < most:
            stay += most - count
            print(f"{most - count} messages name no account, and stay: delete them after `make replicate`.")
    alone = queues and "SocialDeadLetterQueueUrl" not in outputs
    return max(min(stay, 1), 0 if alone else _posts_again(client, outputs))


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _posts_again(client: Client, outputs: Outputs) -> int:
    queue, function = outputs["SocialDeadLetterQueueUrl"], outputs["SocialWriteFunctionName"]
    count = waiting(client, queue)
    with Progress(TextColumn("messages"), BarColumn(), MofNCompleteColumn()) as progress:
        bar = progress.add_task("messages", total=count)
        done = redrive(client, queue, function, most=count, advance=lambda _: progress.advance(bar))
    print(f"{done.posts} posts in {done.messages} messages were handed to {function} again.")
    if done.strange:
        print(f"{done.strange} messages hold no posts, and stay in the queue.")
    return 1 if done.strange else 0


if __name__ == "__main__":
    sys.exit(main())
