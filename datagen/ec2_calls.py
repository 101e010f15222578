"""CloudTrail's events of EC2 calls as EventBridge delivers them, for the demo, the tests and the benchmarks.

`events/ec2_monitor/` has one recorded event of each recorded call (`calls/`), of each form that alerts
(`alerts/`) and of some that look like it and must not (`quiet/`). Firehose's invocations of `shape` are made
of them: `python -m datagen.ec2_calls` writes `shape_*.json`, and a test holds them equal.
"""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

__all__ = ["CALLS", "Calls", "at", "broken", "firehose_event", "recorded", "written"]

FOLDER = Path(__file__).parents[1] / "events" / "ec2_monitor"

type Event = dict[str, Any]

CALLS = (
    "RunInstances", "StopInstances", "StartInstances", "CreateFlowLogs", "CreateImage", "CreateNatGateway",
    "CreateVpc", "DeleteKeyPair", "DeleteNatGateway", "DeleteRoute", "DeleteRouteTable", "CreateSnapshot",
    "DeleteSnapshot", "DeleteVpc", "DeleteVpcEndpoints", "DeleteSecurityGroup", "ModifyVolume",
    "ModifyVpcEndpoint", "TerminateInstances",
    "CreateRouteTable", "CreateSecurityGroup", "CreateVolume", "DeleteVolume", "RebootInstances",
    "ModifySnapshotAttribute", "ModifyVpcAttribute",
)  # fmt: skip
"""The calls that are recorded by default: the 19 of the article's list, and the further ones of its prose."""


def recorded(folder: str) -> dict[str, Event]:
    """Return the recorded events of a folder (`calls`, `alerts`, `quiet`) by name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / folder).glob("*.json"))}


def at(event: Event, moment: datetime, event_id: str = "") -> Event:
    """Return a copy of an event that happened at another time, as another event or as the same."""
    time = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    detail = event["detail"] | {"eventTime": time, "eventID": event_id or event["detail"]["eventID"]}
    return event | {"time": time, "detail": detail}


class Calls:
    """Different events of the recorded calls, as many as are wanted, the same for the same seed.

    Args:
        count: How many.
        seed: Of the choice of calls, actors, times and identifiers.
        end: The latest time; the earliest is an hour before.
    """

    def __init__(self, count: int, seed: int, end: datetime | None = None) -> None:
        self.count = count
        self._seed = seed
        self._end = end or datetime.now(UTC)

    def __iter__(self) -> Iterator[Event]:
        chance = random.Random(self._seed)
        kinds = list(recorded("calls").values())
        people = [event["detail"]["userIdentity"] for event in kinds]
        for _ in range(self.count):
            event = chance.choice(kinds)
            moment = self._end - timedelta(seconds=chance.randrange(3600))
            made = at(event, moment, str(uuid.UUID(int=chance.getrandbits(128), version=4)))
            made["detail"]["userIdentity"] = chance.choice(people)
            if chance.random() < 0.05:
                made["detail"] |= {
                    "errorCode": "Client.UnauthorizedOperation",
                    "errorMessage": "You are not authorized to perform this operation.",
                    "responseElements": None,
                }
            yield made


def broken(seed: int) -> bytes:
    """Return a record that is not an event of CloudTrail's: one of five kinds, each different."""
    chance = random.Random(seed)
    event = at(recorded("calls")["StopInstances"], datetime.now(UTC), f"broken-{seed}")
    match seed % 5:
        case 0:
            return encoded(event)[: chance.randrange(40, 900)]
        case 1:
            del event["detail"]["eventID"]
        case 2:
            event["detail"]["eventID"] = seed
        case 3:
            event["detail-type"] = "EC2 Instance State-change Notification"
        case _:
            event["detail"]["eventTime"] = "yesterday"
    return encoded(event | {"id": f"broken-{seed}"})


def encoded(event: Event) -> bytes:
    """Return an event as EventBridge puts it on Firehose."""
    return json.dumps(event, separators=(",", ":")).encode()


def firehose_event(records: list[bytes]) -> dict[str, Any]:
    """Return Firehose's invocation of a transformation with these records."""
    return {
        "invocationId": "5f0c1a52-7d0e-4a5e-9a3c-0d5a6b7c8d9e",
        "deliveryStreamArn": "arn:aws:firehose:eu-west-1:123456789012:deliverystream/suite-ec2-calls",
        "region": "eu-west-1",
        "records": [
            {
                "recordId": f"{number:056d}",
                "approximateArrivalTimestamp": 1795766500000 + number,
                "data": base64.b64encode(data).decode(),
            }
            for number, data in enumerate(records)
        ],
    }


def written() -> dict[str, str]:
    """Return the recorded invocations of `shape`: file name to content."""
    calls = [*recorded("calls").values(), *recorded("alerts").values()]
    twice = [encoded(event) for event in recorded("calls").values()][-1:] * 2
    first = encoded(calls[0])
    malformed = [
        first,
        b"{ nothing",
        b"[]",
        first[:700],
        b'{"detail-type":"Scheduled Event","detail":{}}',
        *twice,
    ]
    unknown = calls[0] | {
        "detail": calls[0]["detail"] | {"eventName": "TeleportInstances", "requestParameters": None}
    }
    made = {
        "shape_calls": [encoded(event) for event in calls],
        "shape_malformed": malformed,
        "shape_unknown_call": [encoded(unknown)],
    }
    return {
        f"{name}.json": json.dumps(firehose_event(records), indent=2) + "\n" for name, records in made.items()
    }


def main() -> None:
    """Write the recorded invocations."""
    for name, content in written().items():
        (FOLDER / name).write_text(content)


if __name__ == "__main__":
    main()
