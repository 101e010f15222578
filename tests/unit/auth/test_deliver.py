"""Mails go out for what was written, to the addresses that a person has, and for nothing else."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from auth import deliver
from auth.identity import Document, Recovery, replaced_address
from auth.services import Records
from auth.storage import AuditEntry, MailToken, Outbox, OutboxMail, Store, User, Write
from local.memory_kms import Region

NOW, DAY, REGION = 1_800_000_000.0, 86_400, "eu-west-1"
PERSON = "3f0c6a52-7f0e-4b6e-9a37-2b7a5d3c9f10"


class Items:
    """The users table, as far as mails read it."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}

    def get_item(self, *, Key: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        item = self.items.get((Key["pk"]["S"], Key["sk"]["S"]))
        return {"Item": item} if item else {}

    def write(self, write: Write) -> None:
        item = write.request["Item"]
        self.items[item["pk"]["S"], item["sk"]["S"]] = item


class World:
    """A person whose main address was replaced, and the mails that went out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.table, self.mails, self.now = Items(), list[OutboxMail](), NOW
        self.store = Store(self.table, "users", lambda: self.now)  # type: ignore[arg-type]
        keyring: Any = SimpleNamespace(blind_index_key=lambda: bytes(32))
        self.region = Region(REGION)
        self.records = Records(self.store, self.region.envelope, keyring, REGION, lambda: self.now)
        document = Document()
        document.edit({"email": "old@example.org", "email_also.ib": "also@example.org"}, 1, REGION)
        document.edit(replaced_address(document, "ia", NOW) | {"email": "new@example.org"}, 2, REGION)
        reset = Recovery("pending", True, "", int(NOW) + DAY, "e1")
        document.edit({"recovery": reset._asdict()}, 3, REGION)
        self.person = User(PERSON, "active", None, "in", epoch="e1")
        _, save = self.records.close(None, self.person, document)
        self.table.write(save)
        company = SimpleNamespace(title="The Shop", links={})
        monkeypatch.setattr(deliver, "find_client", lambda _, name: company if name == "shop" else None)
        queue = SimpleNamespace(change_message_visibility=lambda **_: None)
        monkeypatch.setattr("shared.batches.client", lambda _: queue)
        monkeypatch.setattr(deliver, "get_records", lambda: self.records)
        outbox = SimpleNamespace(put=lambda mail, _: self.mails.append(mail))
        monkeypatch.setattr(Outbox, "connect", lambda _: outbox)
        names = ["TABLE", "KMS_KEY", "SECRETS", "OUTBOX", "DEAD_LETTER_QUEUE_URL"]
        for name in (*names, "AWS_REGION", "POWERTOOLS_SERVICE_NAME"):
            monkeypatch.setenv(name, "x")

    def send(self, job: dict[str, Any], age_s: float = 0) -> bool:
        """Deliver a job; whether the message is done with."""
        record = {
            "messageId": "m1",
            "receiptHandle": "r",
            "body": json.dumps(job),
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": str(int(1000 * (self.now - age_s))),
            },
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:suite-auth-mails",
            "awsRegion": REGION,
        }
        context: Any = SimpleNamespace(
            function_name="deliver",
            memory_limit_in_mb=128,
            invoked_function_arn="arn:aws:lambda:eu-west-1:000000000000:function:deliver",
            aws_request_id="r",
        )
        answer = deliver.handler.__wrapped__({"Records": [record]}, context)  # type: ignore[attr-defined]
        done: bool = answer == {"batchItemFailures": []}
        return done

    def entry(self) -> tuple[Write, str]:
        write = self.store.audit.add(PERSON, "change", "shop")
        return write, self.store.audit.name_of(write)

    def notice(self, name: str, index: str = "in", client: str = "shop") -> dict[str, Any]:
        return {"kind": "new_password", "user": PERSON, "index": index, "client": client, "trail": name}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_an_entry_is_found_by_its_name_once_it_is_written(world: World) -> None:
    write, name = world.entry()
    assert world.store.audit.get(PERSON, name) is None
    world.table.write(write)
    at = name.partition("#")[0]
    assert world.store.audit.get(PERSON, name) == AuditEntry(at, "change", "shop", "ok", 1, at)
    assert world.store.audit.get("somebody", name) is None


def test_a_notice_waits_for_its_entry_and_goes_out_once_it_is_there(world: World) -> None:
    write, name = world.entry()
    assert world.send(world.notice(name)) is False, "it comes back"
    assert world.mails == []
    world.table.write(write)
    assert world.send(world.notice(name)) is True
    [mail] = world.mails
    assert (mail.to, mail.kind, mail.token) == ("new@example.org", "new_password", "")


def test_a_notice_of_what_was_never_written_is_dropped(world: World) -> None:
    _, name = world.entry()
    assert world.send(world.notice(name), age_s=29) is False, "the function that may write it runs for 29 s"
    assert world.send(world.notice(name), age_s=61) is True
    assert world.mails == []


@pytest.mark.parametrize(
    ("index", "later_s", "to"),
    [
        ("in", 0, "new@example.org"),
        ("ib", 0, "also@example.org"),
        ("ia", 0, "old@example.org"),
        ("ia", 30 * DAY, "old@example.org"),
        ("ia", 30 * DAY + 1, None),
        ("other", 0, None),
    ],
)
def test_a_notice_goes_to_addresses_that_the_person_has_or_had_a_month_ago(
    world: World, index: str, later_s: int, to: str | None
) -> None:
    write, name = world.entry()
    world.table.write(write)
    world.now += later_s
    assert world.send(world.notice(name, index)) is True
    assert [mail.to for mail in world.mails] == ([to] if to else [])


def test_nobody_is_told_of_an_account_that_is_gone_or_by_a_client_that_is(world: World) -> None:
    write, name = world.entry()
    world.table.write(write)
    assert world.send(world.notice(name, client="unknown")) is True
    erased = User(PERSON, "erased", None, epoch="e2").written_in(REGION)
    world.table.write(world.store.users.save(erased, None))
    assert world.send(world.notice(name)) is True
    assert world.mails == []


def test_a_mail_of_a_reset_says_from_when_on_and_is_void_after_a_change_of_a_credential(
    world: World,
) -> None:
    expires = int(NOW) + 8 * DAY
    for epoch, token in (("e1", "good"), ("e0", "stale")):
        stands_for = MailToken("recovery", PERSON, "ia", "shop", expires, epoch)
        world.table.write(world.store.mail_tokens.create(token, stands_for))
        job = {"kind": "recovery", "user": PERSON, "token": token, "client": "shop", "expires": expires}
        assert world.send(job) is True
    [mail] = world.mails
    assert (mail.to, mail.token) == ("old@example.org", "good")
    assert "From 16 January 2027, 08:00:00 UTC on" in mail.text


def test_an_outage_of_kms_brings_a_notice_back(world: World) -> None:
    write, name = world.entry()
    world.table.write(write)
    world.region.kms.fault = ("ThrottlingException", 400)
    assert world.send(world.notice(name)) is False
    world.region.kms.reset()
    assert world.send(world.notice(name)) is True
    assert len(world.mails) == 1
