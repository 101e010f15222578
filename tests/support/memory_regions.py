"""The authentication in two regions, in memory: each a `World`, and the replication's real code between them.

Streams, queues and outages are the test's: a stream is what was written to the table since it was read last,
and a region that is out refuses every call.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from botocore.exceptions import ClientError

from auth.identity import Document
from auth.regions import Peer, Queues, Replication, drain, replicate_each
from auth.storage import Store, User
from shared.envelope import Envelope
from tests.support.memory_auth import TABLE, World
from tests.support.memory_kms import DirectKms

__all__ = ["NAMES", "Region", "Regions"]

NAMES = ("eu-west-1", "us-east-1")


class MemorySqs:
    """Queues: messages in the order in which they came; a received one is hidden until `show`."""

    def __init__(self) -> None:
        self.queues: dict[str, list[dict[str, Any]]] = {}
        self._names = count()

    def send_message(self, *, QueueUrl: str, MessageBody: str, **more: Any) -> Any:  # noqa: N803
        message = {"MessageId": str(next(self._names)), "Body": MessageBody, "receives": 0, **more}
        message["ReceiptHandle"] = message["MessageId"]
        self.queues.setdefault(QueueUrl, []).append(message)
        return {}

    def receive_message(self, *, QueueUrl: str, MaxNumberOfMessages: int) -> Any:  # noqa: N803
        seen = [each for each in self.queues.get(QueueUrl, []) if not each.get("hidden")]
        for each in seen[:MaxNumberOfMessages]:
            each["hidden"] = True
            each["receives"] += 1
        return {"Messages": seen[:MaxNumberOfMessages]}

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> Any:  # noqa: N803
        kept = [each for each in self.queues[QueueUrl] if each["ReceiptHandle"] != ReceiptHandle]
        self.queues[QueueUrl] = kept
        return {}

    def show(self) -> None:
        """Let the visibility time-out of every message pass; one received five times is a dead letter."""
        for name in [name for name in self.queues if name != "dead"]:
            for each in list(self.queues[name]):
                each["hidden"] = False
                if each["receives"] >= 5:
                    self.queues[name].remove(each)
                    self.queues.setdefault("dead", []).append(each)


class _Guarded:
    """A client of a region's service, that answers as the region is."""

    def __init__(self, region: Region, client: Any, service: str) -> None:
        self._region, self._client, self._service = region, client, service

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name == "exceptions":
            return found
        if name == "get_paginator":
            return lambda operation: _Guarded(self._region, found(operation), self._service)

        def call(**request: Any) -> Any:
            self._region.calls.append((self._service, name))
            if self._service in self._region.out:
                told: Any = {"Error": {"Code": "ServiceUnavailable", "Message": ""}}
                told["ResponseMetadata"] = {"HTTPStatusCode": 503}
                raise ClientError(told, name)
            return found(**request)

        return call


@dataclass
class Region:
    """A region.

    Attributes:
        world: Its services.
        out: Its services that other regions do not reach: `dynamodb`, `kms`.
        calls: Calls that came from the other region: service and method.
    """

    world: World
    out: set[str] = field(default_factory=set)
    calls: list[tuple[str, str]] = field(default_factory=list)
    sqs: MemorySqs = field(default_factory=MemorySqs)

    def __post_init__(self) -> None:
        self._seen: dict[tuple[str, str], Any] = {}
        queue: Any = self.sqs
        self.queues = Queues(queue, "tables", "keys", "dead")

    def as_peer(self) -> Peer:
        """What the other region reaches of this one."""
        dynamodb: Any = _Guarded(self, self.world.table, "dynamodb")
        kms: Any = _Guarded(self, DirectKms(self.world.kms), "kms")
        envelope = Envelope(kms, self.world.settings.kms_key, self.world.region)
        return Peer(Store(dynamodb, TABLE, lambda: self.world.now), envelope)

    def changes(self) -> list[str]:
        """The keys of what was written since the last call, as the function's filter lets them through."""
        items = self.world.table.tables[TABLE]
        changed = [place for place, item in items.items() if self._seen.get(place) is not item]
        self._seen = dict(items)
        wanted = []
        for pk, sk in changed:
            item = items[pk, sk]
            is_own = pk.startswith("U#") and sk == "." and item["origin"]["S"] == self.world.region
            if is_own or item.get("unsettled") == {"BOOL": True}:
                wanted.append(pk)
        return wanted

    def users(self) -> dict[str, User]:
        """All accounts."""
        found = [pk for pk, sk in self.world.table.tables[TABLE] if pk.startswith("U#") and sk == "."]
        users = [self.world.services.store.users.get(pk.removeprefix("U#")) for pk in found]
        return {user.id: user for user in users if user}

    def document(self, user: User) -> Document | None:
        """The document of an account, by this region's key."""
        return self.world.services.open(user) if user.sealed else None

    def owners(self) -> dict[str, str]:
        """Whose each identifier is."""
        items = self.world.table.tables[TABLE]
        return {
            pk: item["user"]["S"]
            for (pk, _), item in sorted(items.items())
            if pk[:2] in ("E#", "P#") and "user" in item
        }


class Regions:
    """Two regions, and what goes between them."""

    def __init__(self) -> None:
        self.regions = {name: Region(World(region=name)) for name in NAMES}
        a, b = self.regions.values()
        self.replications = {
            here.world.region: Replication(here.world.services, there.as_peer)
            for here, there in ((a, b), (b, a))
        }

    def __getitem__(self, name: str) -> Region:
        return self.regions[name]

    def pump(self, name: str) -> dict[str, Any]:
        """Have a region's stream function take what was written."""
        region = self.regions[name]
        return replicate_each(self.replications[name], region.queues, region.changes())

    def drain(self, name: str) -> None:
        """Have both drains of a region run."""
        region = self.regions[name]
        region.sqs.show()
        peer = region  # both look at the same services here
        for queue in ("tables", "keys"):
            left = iter(range(50))
            drain(
                self.replications[name], region.queues, queue,  # type: ignore[arg-type]
                is_well=lambda: not any(other.out for other in self.regions.values() if other is not peer),
                remaining_s=lambda left=left: 50 - next(left, 50),
            )  # fmt: skip

    def settle(self) -> None:
        """Let everything be sent, until nothing is left to send."""
        for _ in range(60):
            before = [dict(region.world.table.tables[TABLE]) for region in self.regions.values()]
            for name in NAMES:
                self.pump(name)
                self.drain(name)
            after = [region.world.table.tables[TABLE] for region in self.regions.values()]
            if before == after and not any(self.waiting(name) for name in NAMES):
                return
        raise AssertionError("the regions do not come to rest: " + json.dumps(self.told(), indent=1))

    def waiting(self, name: str) -> int:
        """How many messages the queues of a region hold, but for dead letters."""
        return sum(len(self.regions[name].sqs.queues.get(queue, ())) for queue in ("tables", "keys"))

    def told(self) -> dict[str, Any]:
        """What each region has, for a failure."""
        return {
            name: {
                "users": {
                    each.id: [each.status, each.version, each.merged_into, str(each.claims)]
                    for each in region.users().values()
                },
                "owners": region.owners(),
            }
            for name, region in self.regions.items()
        }

    def check_equal(self) -> None:
        """Both regions have the same accounts, with the same documents, and the same owners of identifiers."""
        a, b = self.regions.values()
        for mine, theirs in ((a, b), (b, a)):
            for user in mine.users().values():
                other = theirs.users().get(user.id)
                assert other is not None, (user, self.told())
                same = [(e.status, dict(e.version), e.merged_into, e.epoch, e.claims) for e in (user, other)]
                assert same[0] == same[1], self.told()
                documents = [each and each.to_bytes() for each in (mine.document(user), theirs.document(other))]
                assert documents[0] == documents[1], (user.id, documents)
        assert a.owners() == b.owners(), self.told()
