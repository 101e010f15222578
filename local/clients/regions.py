"""Two regions of the authentication on one engine, as their operator sees them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from auth.identity import Document
from auth.storage import Store, User
from local.clients.company import Company
from local.deploy import STACK, deploy_region
from local.engine_process import EngineProcess
from local.suite import Suite
from local.waiting import wait
from shared.envelope import Envelope

__all__ = ["NAMES", "SETTLED_S", "Pair", "Region"]

NAMES = ("us-east-1", "eu-west-1")
SETTLED_S = 30.0
QUEUES = ("AuthWritesQueueUrl", "AuthKeysQueueUrl", "AuthReplicationDeadLetterQueueUrl")
LINKS = {
    "verify": "https://shop.example/verify?token={token}",
    "reset": "https://shop.example/reset?token={token}",
}


@dataclass(eq=False)
class Region:
    """A region, as an operator sees it."""

    suite: Suite
    name: str
    shop: Company = field(init=False)
    group: Company = field(init=False)

    @cached_property
    def told(self) -> dict[str, str]:
        """What the stack says of itself to the other region."""
        name = f"/{STACK}/auth/region"
        value = self.suite.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
        told: dict[str, str] = json.loads(value)
        return told

    @cached_property
    def store(self) -> Store:
        return Store(self.suite.client("dynamodb"), self.told["table"])

    @cached_property
    def envelope(self) -> Envelope:
        return Envelope(self.suite.client("kms"), self.told["key"], self.name)

    def items(self, *prefixes: str) -> list[dict[str, Any]]:
        """All items of the users table whose partition key has a prefix."""
        pages = (
            self.suite.client("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=self.told["table"], ConsistentRead=True)
        )
        return [item for page in pages for item in page["Items"] if item["pk"]["S"].startswith(prefixes)]

    def user(self, user_id: str) -> User | None:
        return self.store.users.get(user_id)

    def document(self, user: User) -> Document | None:
        """The document of an account, decrypted by this region's key."""
        if user.sealed is None:
            return None
        return Document.from_bytes(self.envelope.decrypt(user.sealed, user.context))

    def accounts(self) -> dict[str, tuple[Any, ...]]:
        """Every account, decrypted here."""
        ids = [item["pk"]["S"][2:] for item in self.items("U#") if item["sk"]["S"] == "."]
        users = [user for user in map(self.store.users.get, ids) if user]
        found: dict[str, tuple[Any, ...]] = {}
        for user in users:
            document = self.document(user)
            found[user.id] = (
                user.status, dict(user.version), user.merged_into, user.epoch, user.claims,
                document and document.to_bytes(),
            )  # fmt: skip
        return found

    def owners(self) -> dict[str, str]:
        """Whose each address and number is."""
        found = self.items("E#", "P#")
        return {item["pk"]["S"]: item["user"]["S"] for item in found if "user" in item}

    def waiting(self, queue: str) -> int:
        """About how many messages a queue holds, those in flight too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible",
                 "ApproximateNumberOfMessagesDelayed"]  # fmt: skip
        answer = self.suite.client("sqs").get_queue_attributes(
            QueueUrl=self.suite[queue], AttributeNames=names
        )
        return sum(int(answer["Attributes"].get(name, 0)) for name in names)


class Pair:
    """Two regions that replicate each other."""

    def __init__(self, engine: EngineProcess, regions: list[Region]) -> None:
        self.engine, self.regions = engine, regions
        self.a, self.b = regions
        self._url = f"{engine.endpoint}/_engine/faults"
        for region in regions:
            region.shop = Company(region.suite, "shop", links=LINKS, title="The Shop")
            region.group = Company(region.suite, "group", company="*", title="The Group")

    @classmethod
    def deployed(cls, engine: EngineProcess, logs: Path, **parameters: str) -> Pair:
        """Deploy both regions.

        Args:
            engine: Where to.
            logs: Folder for what `sam deploy` says.
            parameters: Of the template.
        """
        regions = []
        for name, peer in (NAMES, NAMES[::-1]):
            outputs = deploy_region(engine, logs / f"{name}.log", name, peer, **parameters)
            regions.append(Region(Suite(engine, outputs, region=name), name))
        return cls(engine, regions)

    def __iter__(self) -> Iterator[Region]:
        return iter(self.regions)

    def other(self, region: Region) -> Region:
        return self.b if region is self.a else self.a

    def inject(self, *rules: dict[str, object]) -> None:
        """Replace the engine's faults."""
        self.a.suite.http.post(self._url, json=list(rules)).raise_for_status()

    @contextmanager
    def out(self, region: Region, match: str, **more: object) -> Iterator[None]:
        """Have a service of a region answer 503."""
        self.inject(
            {"match": match, "region": region.name, "status": 503, "type": "ServiceUnavailable", **more}
        )
        try:
            yield
        finally:
            self.inject()

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Nothing goes from one region to the other: their streams are not read."""
        self._read_streams(enabled=False)
        try:
            yield
        finally:
            self._read_streams(enabled=True)

    def _read_streams(self, *, enabled: bool) -> None:
        for region in self:
            functions = region.suite.client("lambda")
            name = region.suite["AuthReplicateFunctionName"]
            [mapping] = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)

            def state(functions: Any = functions, mapping: Any = mapping) -> bool:
                found = functions.get_event_source_mapping(UUID=mapping["UUID"])["State"]
                return bool(found == ("Enabled" if enabled else "Disabled"))

            if not wait(state, SETTLED_S):
                raise AssertionError(f"the mapping of {name} does not change")

    def difference(self) -> str:
        """What the regions do not agree in, or still have to do; empty for nothing."""
        for region in self:
            held = {queue: count for queue in QUEUES if (count := region.waiting(queue))}
            if held:
                return f"{region.name}: {held}"
            if left := [item["pk"]["S"] for item in region.items("U#") if "unsettled" in item]:
                return f"{region.name}: unsettled {left}"
        mine, theirs = (region.accounts() for region in self)
        for user in mine | theirs:
            if mine.get(user) != theirs.get(user):
                return f"{user}: {mine.get(user)} and {theirs.get(user)}"
        if self.a.owners() != self.b.owners():
            return f"owners: {set(self.a.owners().items()) ^ set(self.b.owners().items())}"
        return ""

    def settle(self, seconds: float = SETTLED_S) -> float:
        """Wait until both regions have the same, every record decrypts in both, and no queue holds anything.

        Returns:
            Seconds that it took.

        Raises:
            AssertionError: They do not in time; says what differs.
        """
        begun = time.monotonic()
        while said := self.difference():
            if time.monotonic() > begun + seconds:
                raise AssertionError(f"after {seconds:g} s: {said}")
            time.sleep(0.2)
        return time.monotonic() - begun
