"""SQS's invocations of the function `index`, made of the recorded events of CloudTrail.

`python -m datagen.ec2_messages` writes `events/ec2_monitor/index_*.json`, and a test holds them equal.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from datagen.ec2_calls import FOLDER, encoded, recorded

__all__ = ["sqs_event", "written"]


def sqs_event(bodies: list[str]) -> dict[str, Any]:
    """Return SQS's invocation of a function with these messages, numbered from 0."""
    return {
        "Records": [
            {
                "messageId": f"00000000-0000-4000-8000-{number:012d}",
                "receiptHandle": f"receipt-{number}",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1795766500000",
                    "SenderId": "AIDAEXAMPLE",
                    "ApproximateFirstReceiveTimestamp": "1795766500100",
                },
                "messageAttributes": {},
                "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:suite-ec2-search",
                "awsRegion": "eu-west-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def written() -> dict[str, str]:
    """Return the recorded invocations of `index`: file name to content."""
    calls = [encoded(event).decode() for event in recorded("calls").values()]
    made = {
        "index_calls": calls,
        "index_malformed": [calls[0], "{ nothing", "[]", calls[1][:700], calls[2]],
        "index_repeated": [calls[0], calls[1], calls[0]],
    }
    return {f"{name}.json": json.dumps(sqs_event(bodies), indent=2) + "\n" for name, bodies in made.items()}


def main() -> None:
    """Write the recorded invocations."""
    for name, content in written().items():
        (FOLDER / name).write_text(content)


if __name__ == "__main__":
    main()
