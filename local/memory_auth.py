"""The authentication over parts in memory: its real code, and table, KMS, SSM, queue and clock of the test's.

A fault can be put into any call of DynamoDB, KMS or SQS: before it is done (the service refuses), after it
(the answer is lost), or as the death of the process.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any, Literal

from botocore.exceptions import ClientError

from auth import api, deliver
from auth.clients import Client, SignedRequest
from auth.imports.importing import Importer
from auth.services import Services
from auth.settings import AuthSettings, DeliverSettings
from auth.sign_on.authorization import SCOPES
from auth.storage import Once, OutboxMail, Store
from auth.tokens import PURPOSES, Keyring, make_secret, peer_keys_name, published_keys
from local.memory_kms import DirectKms, MemoryKms
from local.memory_table import MemoryTable
from shared.batches import Message
from shared.envelope import Envelope
from shared.http import HttpError

__all__ = ["ISSUER", "Answer", "Crash", "Fault", "Mail", "World"]

ISSUER = "https://api.example/prod"
REGION = "eu-west-1"
START = 1_800_000_000.0
TABLE = "users"

_BLIND_INDEX = bytes(range(32))

type How = Literal["refused", "answer lost", "crash"]


class Crash(BaseException):
    """The process died: nothing of it runs any more."""


@dataclass
class Fault:
    """A fault of the call that comes after some others; `hit` once it came to that."""

    after: int
    how: How
    hit: bool = False


@dataclass(frozen=True)
class Answer:
    """What a caller is told: the status, and the body or the error's code."""

    status: int
    body: Any = None
    code: str = ""


@dataclass(frozen=True)
class Mail:
    """A mail in somebody's mailbox, and the id of the message that asked for it."""

    to: str
    kind: str
    token: str
    text: str
    message: str = ""


class _Faulty:
    """A client whose calls go through the world's fault."""

    def __init__(self, world: World, client: Any) -> None:
        self._world, self._client = world, client

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name == "exceptions":
            return found
        if name == "get_paginator":
            return lambda operation: _Faulty(self._world, found(operation))
        return lambda **request: self._world.call(lambda: found(**request))


@cache
def _secrets(region: str) -> tuple[MemoryKms, str, Callable[[str], str]]:
    """A region's KMS, its key, and the parameters of the system's secrets: all worlds share them."""
    kms = MemoryKms(region)
    key = kms.key()

    @cache
    def parameter(name: str) -> str:
        purpose: Any = name.rpartition("/")[2]
        if purpose not in PURPOSES:
            raise ClientError({"Error": {"Code": "ParameterNotFound", "Message": name}}, "GetParameter")
        wrapping: Any = DirectKms(kms)
        entry = make_secret(wrapping, key, purpose, 0)
        if purpose == "blind-index":  # the same in every region
            context = {"secret": purpose}
            wrapped = wrapping.encrypt(KeyId=key, Plaintext=_BLIND_INDEX, EncryptionContext=context)
            entry["wrapped"] = b64encode(wrapped["CiphertextBlob"]).decode()
        return json.dumps({"keys": [entry]})

    return kms, key, parameter


class _Ssm:
    def __init__(self, region: str, peer: str) -> None:
        self._region, self._peer = region, peer

    def get_parameter(self, *, Name: str) -> Any:  # noqa: N803
        if self._peer and Name == peer_keys_name("/stack/auth"):
            elsewhere: Any = _Ssm(self._peer, "")
            return {"Parameter": {"Value": json.dumps(published_keys(elsewhere, "/stack/auth"))}}
        return {"Parameter": {"Value": _secrets(self._region)[2](Name)}}


@dataclass
class World:
    """The services, and what is around them.

    Attributes:
        now: The clock; seconds since the epoch.
        region: The region.
        peer: The other region, whose public keys are known here; empty for none.
        api: Address of the region's API.
        issuer: The issuer that regions share; empty for the API's address.
        fault: What goes wrong next; None for nothing.
        calls: How many calls of services there were.
        queue: Jobs of mails that were not delivered yet.
        mails: Mails that were delivered, oldest first.
        jobs: All jobs that ever were in the queue, by the id of their message.
    """

    now: float = START
    region: str = REGION
    peer: str = ""
    api: str = ISSUER
    issuer: str = ""
    fault: Fault | None = None
    calls: int = 0
    queue: list[Message] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kms, key, _ = _secrets(self.region)
        self.table = MemoryTable({TABLE: ("pk", "sk")})
        self.settings = AuthSettings(TABLE, key, self.region, "/stack/auth", "queue", issuer=self.issuer)
        wrapping: Any = _Faulty(self, DirectKms(self.kms))
        ssm: Any = _Ssm(self.region, self.peer)
        dynamodb: Any = _Faulty(self, self.table)
        keyring = Keyring(ssm, wrapping, key, "/stack/auth", lambda: self.now)
        store = Store(dynamodb, TABLE, lambda: self.now)
        envelope = Envelope(wrapping, key, self.region)
        queue = _Faulty(self, self)
        self.services = Services(
            self.settings, self.api, store, envelope, keyring, queue, lambda: self.now, self.sleep
        )
        self._requests = count()

    # ---- what is around the services

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def call(self, done: Callable[[], Any]) -> Any:
        """A call of a service, with the fault if its turn has come."""
        self.calls += 1
        fault = self.fault
        if fault is None or fault.hit:
            return done()
        fault.after -= 1
        if fault.after >= 0:
            return done()
        fault.hit = True
        if fault.how != "refused":
            done()
        if fault.how == "crash":
            raise Crash
        told: Any = {"Error": {"Code": "ServiceUnavailable", "Message": ""}}
        told["ResponseMetadata"] = {"HTTPStatusCode": 503}
        raise ClientError(told, "Call")

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> Any:  # noqa: N803, ARG002
        """SQS: a job."""
        name = f"message-{next(self._requests)}"
        self.jobs[name] = json.loads(MessageBody)
        self.queue.append(Message(name, MessageBody, "receipt", 1, "arn", int(1000 * self.now)))
        return {}

    @contextmanager
    def forked(self) -> Iterator[None]:
        """Undo afterwards whatever is done within, to the table, the queue and the clock."""
        users = dict(self.table.tables[TABLE])
        kept = self.now, self.fault, list(self.queue), list(self.mails), dict(self.services.failures)
        jobs = dict(self.jobs)
        self.fault = None
        try:
            yield
        finally:
            self.table.tables[TABLE] = users
            self.now, self.fault, self.queue, self.mails, self.services.failures = kept
            self.jobs = jobs

    # ---- what its callers do

    def register(self, client: str, *, company: str = "", trusted: bool = False, **more: Any) -> None:
        """Register a client."""
        record = {
            "company": company or client, "api_key_id": client, "scopes": [], "keys": [], "title": client,
            "trusted": trusted, "redirect_uris": [], "logout_uris": [], "links": {}, "resources": [],
            "sign_on_scopes": [*SCOPES], "registration": f"first of {client}", **more,
        }  # fmt: skip
        place = (f"C#{client}", ".")
        item = {"pk": {"S": place[0]}, "sk": {"S": "."}, "client": {"S": json.dumps(record)}}
        self.table.tables[TABLE][place] = item

    def client(self, name: str) -> Client:
        """A registered client; to look at it is no call that can fail."""
        fault, self.fault = self.fault, None
        found = self.services.clients.get(name)
        self.fault = fault
        if found is None:
            raise KeyError(name)
        return found

    def ask(self, method: str, path: str, client: str, /, of: str = "", **payload: Any) -> Answer:
        """One request to the API of companies; faults of a service are 503, and a crash is no answer.

        Args:
            method: HTTP method.
            path: The operation's path, as openapi.yaml has it.
            client: Who asks.
            of: What stands for `{id}`.
            payload: The claims.
        """
        asked = SignedRequest(self.client(client), payload, self.once(client))
        operation = api.OPERATIONS[method, path]
        try:
            api._check(operation, payload)
            return Answer(*operation.run(self.services, asked, payload, of))
        except HttpError as error:
            return Answer(error.status, None, error.code)
        except Crash:
            return Answer(504)

    def once(self, client: str) -> Once:
        """A signed request that was not sent before."""
        return Once(client, f"request-{next(self._requests)}", int(self.now) + 400)

    def deliver(self) -> None:
        """Run the function that sends mails on what is in the queue; what it cannot send yet stays there."""
        settings = DeliverSettings(
            TABLE, self.settings.kms_key, self.region, "/stack/auth", "dead letters", outbox="outbox"
        )
        waiting = []
        with _outbox_of(self):
            for message in self.queue:
                try:
                    job = json.loads(message.body)
                    send = deliver._deliver_notice if "trail" in job else deliver._deliver
                    send(self.services, settings, message, job)
                except Exception:  # noqa: BLE001 - the message comes back
                    waiting.append(message)
        self.queue = waiting

    def take_line(self, company: str, /, **members: Any) -> dict[str, Any]:
        """Import a line."""
        importer = Importer(self.services, company)
        taken: dict[str, Any] = importer.take(json.dumps(members).encode())
        return taken


@contextmanager
def _outbox_of(world: World) -> Iterator[None]:
    class Outbox:
        @classmethod
        def connect(cls, _: str) -> Outbox:
            return cls()

        def put(self, mail: OutboxMail, _: float) -> None:
            world.mails.append(Mail(mail.to, mail.kind, mail.token, mail.text, mail.id))

    module: Any = deliver
    real = module.Outbox
    module.Outbox = Outbox
    try:
        yield
    finally:
        module.Outbox = real
