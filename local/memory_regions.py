"""The authentication in two regions, in memory: each a `World`, and the replication's real code between them.

Streams, queues and outages are the caller's: a stream has the keys of what was written to the table, and a
service that is out refuses every call. A fault that was put into a `World` hits whoever calls its services,
from the other region too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from botocore.exceptions import ClientError

from auth.identity import Document
from auth.regions import Peer, Queues, Replication, drain, replicate_each
from auth.storage import Store, User
from local.memory_auth import TABLE, Crash, World
from local.memory_kms import DirectKms
from shared.envelope import Envelope, EnvelopeError
from shared.http import BusyError

__all__ = ["NAMES", "MemorySqs", "Region", "Regions"]

NAMES = ("eu-west-1", "us-east-1")
MOST_RECEIVES = 5
ROUNDS = 60

type Service = Literal["dynamodb", "kms", "ssm", "sqs"]


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
                if each["receives"] >= MOST_RECEIVES:
                    self.queues[name].remove(each)
                    self.queues.setdefault("dead", []).append(each)


class _Guarded:
    """A client of a region's service, that answers as the region is: out, with a fault, or well."""

    def __init__(self, region: Region, client: Any, service: Service) -> None:
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
            return self._region.world.call(lambda: found(**request))

        return call


@dataclass
class Region:
    """A region.

    Attributes:
        world: Its services.
        out: Its services that do not answer: `dynamodb`, `kms` and `ssm` to the other region, `sqs` here.
        calls: Calls that came from the replication: service and method.
        stream: Keys of what was written and not taken yet, oldest first.
    """

    world: World
    out: set[Service] = field(default_factory=set)
    calls: list[tuple[Service, str]] = field(default_factory=list)
    sqs: MemorySqs = field(default_factory=MemorySqs)
    stream: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._seen: dict[tuple[str, str], Any] = {}
        self._read: dict[str, tuple[Any, User, Document | None]] = {}
        queue: Any = _Guarded(self, self.sqs, "sqs")
        self.queues = Queues(queue, "tables", "keys", "dead")
        table: Any = self.world.table
        self._store = Store(table, TABLE, lambda: self.world.now)
        kms: Any = DirectKms(self.world.kms)
        self._envelope = Envelope(kms, self.world.settings.kms_key, self.world.region)

    def as_peer(self) -> Peer:
        """What the other region reaches of this one.

        Raises:
            BusyError: Its parameter cannot be read.
        """
        if "ssm" in self.out:
            raise BusyError("peer_unknown", "The stack cannot be found.")
        dynamodb: Any = _Guarded(self, self.world.table, "dynamodb")
        kms: Any = _Guarded(self, DirectKms(self.world.kms), "kms")
        envelope = Envelope(kms, self.world.settings.kms_key, self.world.region)
        return Peer(Store(dynamodb, TABLE, lambda: self.world.now), envelope)

    def changed(self) -> list[tuple[str, str]]:
        """The places of what was written since the last call."""
        items = self.world.table.tables[TABLE]
        places = [place for place, item in items.items() if self._seen.get(place) is not item]
        self._seen = dict(items)
        return places

    def put(self, place: tuple[str, str], item: dict[str, Any]) -> None:
        """Write an item that comes from elsewhere, so that it is no change of this region's."""
        self.world.table.tables[TABLE][place] = item
        self._seen[place] = item

    def flow(self) -> None:
        """Have the stream hold what was written, as the function's filter lets it through."""
        items = self.world.table.tables[TABLE]
        for pk, sk in self.changed():
            item = items[pk, sk]
            is_own = pk.startswith("U#") and sk == "." and item["origin"]["S"] == self.world.region
            if is_own or item.get("unsettled") == {"BOOL": True}:
                self.stream.append(pk)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Within it, no fault and no disabled key keeps a test from reading what is there."""
        kms, fault = self.world.kms, self.world.fault
        kept = kms.disabled, kms.fault
        kms.disabled, kms.fault, self.world.fault = set(), None, None
        try:
            yield
        finally:
            (kms.disabled, kms.fault), self.world.fault = kept, fault

    def known(self) -> dict[str, tuple[User, Document | None]]:
        """All accounts with their documents, by this region's key."""
        found = {}
        with self.reading():
            for (pk, sk), item in self.world.table.tables[TABLE].items():
                if pk.startswith("U#") and sk == ".":
                    if pk not in self._read or self._read[pk][0] is not item:
                        self._read[pk] = (item, *self._opened(pk.removeprefix("U#")))
                    found[pk.removeprefix("U#")] = self._read[pk][1:]
        return found

    def _opened(self, user_id: str) -> tuple[User, Document | None]:
        user = self._store.users.get(user_id)
        if user is None:
            raise KeyError(user_id)
        if user.sealed is None:
            return user, None
        return user, Document.from_bytes(self._envelope.decrypt(user.sealed, user.context))

    def users(self) -> dict[str, User]:
        """All accounts."""
        return {name: user for name, (user, _) in self.known().items()}

    def document(self, user: User) -> Document | None:
        """The document of an account, by this region's key."""
        return self.known()[user.id][1]

    def owners(self) -> dict[str, str]:
        """Whose each identifier is."""
        items = self.world.table.tables[TABLE]
        return {
            pk: item["user"]["S"]
            for (pk, _), item in sorted(items.items())
            if pk[:2] in ("E#", "P#") and "user" in item
        }

    def belongings(self, user_id: str) -> list[str]:
        """What is left of an account besides itself: sessions, grants, devices."""
        places = self.world.table.tables[TABLE]
        return [sk for pk, sk in places if pk == f"U#{user_id}" and sk != "."]


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

    def other(self, name: str) -> Region:
        """The other region."""
        return self.regions[NAMES[1 - NAMES.index(name)]]

    def pump(
        self, name: str, choose: Callable[[list[str]], list[str]] = list, *, again: bool = False
    ) -> None:
        """Have a region's stream function take what was written.

        Args:
            name: The region.
            choose: Which records are taken, in which order; the others come later.
            again: Whether they come once more.
        """
        region = self.regions[name]
        region.flow()
        taken = choose(region.stream)
        for key in taken:
            try:
                failed = "failed" in replicate_each(self.replications[name], region.queues, [key]).values()
            except Crash:
                return
            if not (failed or again):
                region.stream.remove(key)

    def drain(self, name: str) -> None:
        """Have both drains of a region run, once what was received before can be received again."""
        region = self.regions[name]
        region.sqs.show()
        for queue, is_well in (("tables", self._table_is_well), ("keys", self._keys_are_well)):
            left = iter(range(50))
            try:
                drain(
                    self.replications[name], region.queues, queue,  # type: ignore[arg-type]
                    is_well=lambda is_well=is_well: is_well(name),  # type: ignore[misc]
                    remaining_s=lambda left=left: 50 - next(left, 50),  # type: ignore[misc]
                )  # fmt: skip
            except (Crash, ClientError):  # the function died, or its queue does not answer
                return

    def _table_is_well(self, name: str) -> bool:
        try:
            self.other(name).as_peer().probe_table()
        except BusyError:
            return False
        return True

    def _keys_are_well(self, name: str) -> bool:
        try:
            self.regions[name].world.services.probe()
            self.other(name).as_peer().probe_key()
        except (BusyError, EnvelopeError):
            return False
        return True

    def settle(self) -> bool:
        """Let everything be sent, until nothing is left to send; False if that does not end."""
        for _ in range(ROUNDS):
            before = [dict(region.world.table.tables[TABLE]) for region in self.regions.values()]
            for name in NAMES:
                self.pump(name)
                self.drain(name)
            after = [region.world.table.tables[TABLE] for region in self.regions.values()]
            is_sent = not any(self.waiting(name) or self.regions[name].stream for name in NAMES)
            if before == after and is_sent:
                return True
        return False

    def waiting(self, name: str) -> int:
        """How many messages the queues of a region hold, but for dead letters."""
        return sum(len(self.regions[name].sqs.queues.get(queue, ())) for queue in ("tables", "keys"))

    def told(self) -> str:
        """What each region has, for a failure."""
        shown = {
            name: {
                "users": {
                    user.id: [
                        user.status, dict(user.version), user.merged_into, list(user.claims),
                        {name: [document[name], document.reading(name)] for name in sorted(document.names())}
                        if document else None,
                    ]
                    for user, document in region.known().values()
                },
                "owners": region.owners(), "stream": region.stream,
                "queues": {
                    queue: [each["Body"] for each in waits] for queue, waits in region.sqs.queues.items()
                },
            }
            for name, region in self.regions.items()
        }  # fmt: skip
        return json.dumps(shown, indent=1)

    def differences(self) -> list[str]:
        """In what the regions differ: accounts, documents, owners of identifiers."""
        a, b = (region.known() for region in self.regions.values())
        found = [f"{name} is in one region alone" for name in a.keys() ^ b.keys()]
        for name in a.keys() & b.keys():
            for what, one, other in zip(_ACCOUNT, _account(*a[name]), _account(*b[name]), strict=True):
                if one != other:
                    found.append(f"{name}: {what} is {one} here, {other} there")
        owners = [region.owners() for region in self.regions.values()]
        if owners[0] != owners[1]:
            found.append(f"owners are {owners[0]} here, {owners[1]} there")
        return found


_ACCOUNT = (
    "status", "version", "merged_into", "epoch", "epoch_version", "claims", "email_index", "phone_index",
    "ts",
    "document",
)  # fmt: skip


def _account(user: User, document: Document | None) -> tuple[Any, ...]:
    return (
        user.status, dict(user.version), user.merged_into, user.epoch, dict(user.epoch_version), user.claims,
        user.email_index, user.phone_index, user.ts, document and document.to_bytes(),
    )  # fmt: skip
