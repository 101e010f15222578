"""Queues, drains, handlers: what cannot be sent now waits, what never can is set aside, nothing is lost."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from auth import drain_keys, drain_writes, replicate, replication
from auth.accounts import merge_accounts
from auth.identity import Document
from auth.regions import _queues, drain, replicate_each
from auth.storage import Alias, Holding
from local.memory_auth import TABLE
from local.memory_regions import Regions
from shared.events import ForeignEventError
from tests.unit.auth.regions.people import A, B, edit, imported, merge, record, signed_up

ADA, BOB, CYD = "ada@one.example", "bob@two.example", "cyd@three.example"


def queued(regions: Regions, queue: str) -> list[str]:
    return [json.loads(each["Body"])["key"] for each in regions[A].sqs.queues.get(queue, ())]


def sent(regions: Regions, name: str = A) -> dict[str, Any]:
    region = regions[name]
    region.flow()
    keys, region.stream = region.stream, []
    return dict(replicate_each(regions.replications[name], region.queues, keys))


def drained(regions: Regions, queue: Any, *, well: bool = True) -> dict[str, int]:
    regions[A].sqs.show()
    left = iter(range(20))
    return drain(
        regions.replications[A], regions[A].queues, queue,
        is_well=lambda: well, remaining_s=lambda: 20 - next(left, 20),
    )  # fmt: skip


def test_table_that_is_out_has_its_writes_in_queue_t(regions: Regions) -> None:
    user = signed_up(regions[A], ADA)
    regions[B].out = {"dynamodb"}
    assert sent(regions) == {f"U#{user}": "later"}
    assert queued(regions, "tables") == [f"U#{user}"]
    regions[B].out = set()
    assert drained(regions, "tables") == {"sent": 1}
    assert not queued(regions, "tables")
    assert record(regions, B, user)[0] == record(regions, A, user)[0].but(
        sealed=record(regions, B, user)[0].sealed
    )


@pytest.mark.parametrize("whose", [A, B])
def test_key_that_is_disabled_has_its_writes_in_queue_k(regions: Regions, whose: str) -> None:
    user = signed_up(regions[A], ADA)
    world = regions[whose].world
    world.kms.disabled = {world.settings.kms_key}
    assert sent(regions) == {f"U#{user}": "later"}
    assert queued(regions, "keys") == [f"U#{user}"]
    assert not queued(regions, "tables")
    world.kms.disabled = set()
    assert drained(regions, "keys") == {"sent": 1}
    assert record(regions, B, user)[1] is not None


def test_region_that_is_out_receives_nothing(regions: Regions) -> None:
    regions[A].sqs.send_message(QueueUrl="tables", MessageBody='{"key": "U#x"}')
    assert drained(regions, "tables", well=False) == {}
    assert regions[A].sqs.queues["tables"][0]["receives"] == 0


def test_message_of_an_outage_counts_its_receives_anew(regions: Regions) -> None:
    user = signed_up(regions[A], ADA)
    regions[B].out = {"dynamodb"}
    sent(regions)
    for _ in range(9):
        assert drained(regions, "tables") == {"later": 1}
        assert [each["receives"] for each in regions[A].sqs.queues["tables"]] == [0]
    regions[B].out = set()
    drained(regions, "tables")
    assert not regions[A].sqs.queues.get("dead")
    assert user in regions[B].known()


def test_message_says_for_how_long_it_was_tried_in_vain(
    regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A region that answers reads, and refuses writes, has no message in its queue that is old for SQS."""
    counted: list[tuple[str, float]] = []
    monkeypatch.setattr(_queues, "count", lambda name, value, **_: counted.append((name, value)))
    user = signed_up(regions[A], ADA)
    regions[B].out = {"dynamodb"}
    regions[A].sqs.send_message(
        QueueUrl="tables", MessageBody=json.dumps({"key": f"U#{user}", "since": int(time.time()) - 1000})
    )
    for _ in range(3):
        assert drained(regions, "tables") == {"later": 1}
    waits = [value for name, value in counted if name == "ReplicationWaits"]
    assert [1000 <= value < 1010 for value in waits] == [True] * 3, "seconds, as the alarm has them"


def test_what_is_not_done_in_time_waits_in_the_queue_of_writes(
    regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both regions answer, but so slowly that the function would be killed: nothing becomes poison."""
    monkeypatch.setattr(_queues, "_AT_ONCE", 8)
    user, other = signed_up(regions[A], ADA), signed_up(regions[A], BOB)
    held, real = threading.Event(), regions.replications[A].replicate

    def slow(key: str) -> Any:
        if key == f"U#{user}":
            held.wait(60)
        return real(key)

    regions.replications[A].replicate = slow  # type: ignore[method-assign]
    for key in (f"U#{user}", f"U#{other}"):
        regions[A].sqs.send_message(QueueUrl="tables", MessageBody=json.dumps({"key": key, "since": 5}))
    try:
        left = iter([60.0, 1.0])
        counts = drain(
            regions.replications[A], regions[A].queues, "tables",
            is_well=lambda: True, remaining_s=lambda: next(left, 0.0),
        )  # fmt: skip
        assert counts == {"later": 1, "sent": 1}
        [message] = regions[A].sqs.queues["tables"]
        assert json.loads(message["Body"]) == {"key": f"U#{user}", "since": 5}
        assert message["receives"] == 0
        regions[A].sqs.queues["tables"] = []
        keys = [f"U#{user}", *(f"U#{number}" for number in range(20))]
        results = replicate_each(regions.replications[A], regions[A].queues, keys, within_s=1.0)
        assert results.pop(f"U#{user}") == "later"
        assert set(results.values()) == {"nothing"}
        assert queued(regions, "tables") == [f"U#{user}"]
        regions[A].out = {"sqs"}
        results = replicate_each(regions.replications[A], regions[A].queues, keys[:1], within_s=0.1)
        assert results == {f"U#{user}": "failed"}, "so that Lambda, or the queue, has it come again"
    finally:
        held.set()


def test_what_was_not_begun_in_time_is_not_begun_later(
    regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would take the time of the next invocation, after its message was sent anew."""
    monkeypatch.setattr(_queues, "_AT_ONCE", 2)
    held, begun = threading.Event(), list[str]()

    def slow(key: str) -> Any:
        begun.append(key)
        held.wait(60)
        return "nothing"

    regions.replications[A].replicate = slow  # type: ignore[method-assign]
    keys = [f"U#{number}" for number in range(5)]
    try:
        results = replicate_each(regions.replications[A], regions[A].queues, keys, within_s=0.2)
        assert results == dict.fromkeys(keys, "later")
        assert queued(regions, "tables") == keys
    finally:
        held.set()
    for thread in threading.enumerate():
        if thread.name.startswith("ThreadPoolExecutor"):
            thread.join(10)
    assert begun == keys[:2]


def test_no_batch_is_begun_that_has_no_time(regions: Regions) -> None:
    regions[A].sqs.send_message(QueueUrl="tables", MessageBody='{"key": "U#x"}')
    for left, received in ((10.0, 0), (11.0, 1)):
        drain(
            regions.replications[A], regions[A].queues, "tables",
            is_well=lambda: True, remaining_s=iter([left, left, 0.0]).__next__,
        )  # fmt: skip
        [*messages] = regions[A].sqs.queues["tables"]
        assert len(messages) == 1 - received


def test_unforeseen_error_is_a_dead_letter_after_five_receives(
    regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(key: str) -> str:
        raise ZeroDivisionError(key)

    monkeypatch.setattr(regions.replications[A], "replicate", fail)
    regions[A].sqs.send_message(QueueUrl="tables", MessageBody='{"key": "U#x"}')
    for receives in range(1, 6):
        assert drained(regions, "tables") == {}
        assert [each["receives"] for each in regions[A].sqs.queues["tables"]] == [receives]
    regions[A].sqs.show()
    assert (len(queued(regions, "tables")), len(queued(regions, "dead"))) == (0, 1)


@pytest.mark.parametrize("body", ["", "[]", "7", '{"key": 7}', '{"key": "X#1"}', '{"key": "U"}', "{}"])
def test_message_that_is_none_is_refused_with_a_reason(regions: Regions, body: str) -> None:
    regions[A].sqs.send_message(QueueUrl="tables", MessageBody=body)
    drained(regions, "tables")
    [dead] = regions[A].sqs.queues["dead"]
    assert dead["Body"] == body
    assert dead["MessageAttributes"]["reason"]["StringValue"] == "no key of an account or an identifier"
    assert not queued(regions, "tables")


def test_record_that_was_tampered_with_is_refused_with_a_reason(regions: Regions) -> None:
    user = signed_up(regions[A], ADA)
    place = (f"U#{user}", ".")
    item = dict(regions[A].world.table.tables[TABLE][place])
    keys = item["data"]["M"]["keys"]["M"]
    spoiled = {name: {"B": value["B"][:-1] + b"\0"} for name, value in keys.items()}
    item["data"] = {"M": item["data"]["M"] | {"keys": {"M": spoiled}}}
    regions[A].world.table.tables[TABLE][place] = item
    assert sent(regions) == {f"U#{user}": "refused"}
    [dead] = regions[A].sqs.queues["dead"]
    assert "TamperedError" in dead["MessageAttributes"]["reason"]["StringValue"]
    assert user not in {name.partition("#")[2] for name, _ in regions[B].world.table.tables[TABLE]}


def test_queue_that_is_out_leaves_the_record_in_the_stream(regions: Regions) -> None:
    user = signed_up(regions[A], ADA)
    regions[B].out, regions[A].out = {"dynamodb"}, {"sqs"}
    assert sent(regions) == {f"U#{user}": "failed"}


def test_drain_that_dies_before_it_deletes_sends_twice(regions: Regions) -> None:
    user = signed_up(regions[A], ADA)
    regions[B].out = {"dynamodb"}
    sent(regions)
    regions[B].out = set()
    regions[A].sqs.show()
    calls = regions[A].world
    done = regions[A].sqs.delete_message

    def dies(**request: Any) -> Any:
        raise KeyboardInterrupt

    regions[A].sqs.delete_message = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        drained(regions, "tables")
    regions[A].sqs.delete_message = done  # type: ignore[method-assign]
    assert user in regions[B].known()
    edit(regions[A], user, given_name="Ada")
    assert drained(regions, "tables") == {"sent": 1}
    assert drained(regions, "tables") == {}
    assert record(regions, B, user)[1]["given_name"] == "Ada"  # type: ignore[index]
    assert calls.region == A


def test_record_that_is_older_asks_no_key(regions: Regions) -> None:
    user = signed_up(regions[A], ADA)
    sent(regions)
    edit(regions[B], user, given_name="Ada")
    for kms in (regions[A].world.kms, regions[B].world.kms):
        kms.calls = []
    assert replicate_each(regions.replications[A], regions[A].queues, [f"U#{user}"]) == {f"U#{user}": "known"}
    assert not regions[A].world.kms.calls
    assert not regions[B].world.kms.calls


def test_message_of_an_erased_account_brings_nobody_back(regions: Regions) -> None:
    user = signed_up(regions[A], ADA)
    regions[B].world.kms.disabled = {regions[B].world.settings.kms_key}
    sent(regions)
    assert regions[A].world.ask("DELETE", "/v1/users/{id}", "shop", user).status == 204
    regions[B].world.kms.reset()
    assert drained(regions, "keys") == {"sent": 1}
    assert record(regions, B, user)[0].status == "erased"
    assert record(regions, B, user)[1] is None
    assert not regions[B].owners()


@pytest.mark.parametrize("first", [A, B])
def test_erasure_beats_an_edit_elsewhere(regions: Regions, first: str) -> None:
    user = signed_up(regions[A], ADA, verified=True)
    assert regions.settle()
    regions[B].world.now += 3600
    edit(regions[B], user, given_name="Ada")
    assert regions[A].world.ask("DELETE", "/v1/users/{id}", "shop", user).status == 204
    regions.pump(first)
    assert regions.settle()
    for name in (A, B):
        assert record(regions, name, user)[0].status == "erased"
        assert record(regions, name, user)[1] is None
        assert not regions[name].belongings(user)
        assert not regions[name].owners()


def test_replica_that_is_older_by_vector_loses_though_its_clock_is_ahead(regions: Regions) -> None:
    regions[A].world.now += 3600
    user = signed_up(regions[A], ADA)
    edit(regions[A], user, given_name="first")
    assert regions.settle()
    edit(regions[B], user, given_name="second")
    assert regions.settle()
    for name in (A, B):
        assert record(regions, name, user)[1]["given_name"] == "second"  # type: ignore[index]


def test_edits_of_two_fields_are_both_kept(regions: Regions) -> None:
    user = signed_up(regions[A], ADA)
    assert regions.settle()
    edit(regions[A], user, given_name="Ada")
    edit(regions[B], user, family_name="King")
    assert regions.settle()
    assert not regions.differences()
    document = record(regions, A, user)[1]
    assert document is not None
    assert (document["given_name"], document["family_name"]) == ("Ada", "King")


def test_address_that_two_sign_up_with_is_the_earlier_ones(regions: Regions) -> None:
    one = signed_up(regions[A], ADA)
    regions[B].world.now += 10
    other = signed_up(regions[B], ADA)
    assert regions.settle()
    assert not regions.differences()
    for name in (A, B):
        assert [record(regions, name, each)[0].status for each in (one, other)] == ["unverified", "conflict"]
    regions[A].world.ask("DELETE", "/v1/users/{id}", "shop", one)
    assert regions.settle()
    assert record(regions, B, other)[0].status == "unverified", "whoever waited gets the address"


def test_verified_beats_unverified_and_two_verified_are_merged(regions: Regions) -> None:
    one = signed_up(regions[A], ADA)
    other = signed_up(regions[B], ADA, verified=True)
    assert regions.settle()
    assert [record(regions, A, each)[0].status for each in (one, other)] == ["conflict", "active"]
    first, second = signed_up(regions[A], BOB, verified=True), signed_up(regions[B], BOB, verified=True)
    assert regions.settle()
    assert not regions.differences()
    assert sorted(record(regions, B, each)[0].status for each in (first, second)) == ["active", "merged"]


def test_who_waits_and_shows_then_that_an_address_is_theirs_gets_it(regions: Regions) -> None:
    one = signed_up(regions[A], ADA)
    regions[B].world.now += 10
    other = signed_up(regions[B], ADA)
    assert regions.settle()
    assert record(regions, B, other)[0].status == "conflict"
    world = regions[B].world
    token = next(mail.token for mail in reversed(world.mails) if mail.to == ADA)
    new = "another long enough password"
    assert world.ask("POST", "/v1/password/reset", "shop", token=token, password=new).status == 204
    assert regions.settle()
    assert not regions.differences()
    text = world.services.alias("email", ADA).text
    for name in (A, B):
        assert regions[name].owners()[text] == other
        assert record(regions, name, one)[0].status == "conflict"


def test_nobody_is_merged_into_an_account_that_was_erased_elsewhere(regions: Regions) -> None:
    """Its address is somebody else's by then, whose record comes first."""
    one = signed_up(regions[A], ADA, verified=True)
    assert regions.settle()
    assert regions[A].world.ask("DELETE", "/v1/users/{id}", "shop", one).status == 204
    other = signed_up(regions[A], ADA, verified=True)
    regions.pump(A, lambda keys: [key for key in keys if key == f"U#{other}"])
    for _ in range(3):
        regions.pump(B)
    assert regions.settle()
    assert not regions.differences()
    text = regions[A].world.services.alias("email", ADA).text
    for name in (A, B):
        assert [record(regions, name, each)[0].status for each in (one, other)] == ["erased", "active"]
        assert regions[name].owners()[text] == other


def test_who_loses_an_address_loses_the_sessions(regions: Regions) -> None:
    line = {"password_hash": "5f4dcc3b5aa765d61d8327deb882cf99", "hash_scheme": "md5"}
    loser = imported(regions[A], "1", ADA, **line)
    login = regions[A].world.ask("POST", "/v1/login", "shop", email=ADA, password="password")
    assert login.status == 200
    signed_up(regions[B], ADA, verified=True)
    assert regions.settle()
    assert record(regions, A, loser)[0].status == "conflict"
    assert not regions[A].belongings(loser)


def test_line_imported_again_elsewhere_undoes_nothing(regions: Regions) -> None:
    line = {"password_hash": "5f4dcc3b5aa765d61d8327deb882cf99", "hash_scheme": "md5"}
    user = imported(regions[A], "1", ADA, profile={"given_name": "Line"}, **line)
    regions[B].world.now += 3600
    assert imported(regions[B], "1", ADA, profile={"given_name": "Line"}, **line) == user
    world = regions[A].world
    assert world.ask("POST", "/v1/password/forgot", "shop", email=ADA).status == 202
    world.deliver()
    new = "another long enough password"
    reset = world.ask("POST", "/v1/password/reset", "shop", token=world.mails[-1].token, password=new)
    assert reset.status == 204
    assert regions.settle()
    assert not regions.differences()
    for name in (A, B):
        document = record(regions, name, user)[1]
        assert document is not None
        assert (document["email_verified"], document["given_name"]) == (True, None)
        ask = regions[name].world.ask
        assert ask("POST", "/v1/login", "shop", email=ADA, password="password").status == 401
        assert ask("POST", "/v1/login", "shop", email=ADA, password=new).status == 200


def pair(regions: Regions) -> tuple[str, str]:
    phone = {"phone": "+33612345678", "phone_verified": True, "email_verified": True}
    one, other = imported(regions[A], "1", ADA, **phone), imported(regions[A], "2", BOB, **phone)
    assert regions.settle()
    return one, other


def test_address_that_a_merge_takes_from_either_account_is_free(regions: Regions) -> None:
    """Whoever goes on: an address that nobody has shown comes after one that somebody has."""
    phone = {"phone": "+33612345678", "phone_verified": True}
    one = imported(regions[A], "1", ADA, **phone)
    other = imported(regions[A], "2", BOB, email_verified=True, **phone)
    assert regions.settle()
    merge(regions[A], one, other)
    assert regions.settle()
    assert not regions.differences()
    texts = [regions[A].world.services.alias("email", email).text for email in (ADA, BOB)]
    assert [regions[B].owners().get(text) for text in texts] == [None, one]


def test_opposite_merges_end_in_one_account(regions: Regions) -> None:
    one, other = pair(regions)
    merge(regions[A], one, other)
    merge(regions[B], other, one)
    assert regions.settle()
    assert not regions.differences()
    assert sorted(record(regions, A, each)[0].status for each in (one, other)) == ["active", "merged"]
    live = next(each for each in (one, other) if record(regions, A, each)[0].status == "active")
    for email in (ADA, BOB):
        text = regions[A].world.services.alias("email", email).text
        assert regions[A].owners()[text] == regions[B].owners()[text] == live


def test_who_was_merged_into_one_of_a_circle_stays_merged(regions: Regions) -> None:
    """Though theirs is the lowest id."""
    phone = {"phone": "+33612345678", "phone_verified": True, "email_verified": True}
    emails = {"1": ADA, "2": BOB, "3": CYD}
    people = sorted(imported(regions[A], number, email, **phone) for number, email in emails.items())
    assert regions.settle()
    lowest, one, other = people
    merge(regions[A], one, lowest)
    merge(regions[A], other, one)
    merge(regions[B], one, other)
    for name in (A, B):
        regions.pump(name, lambda keys: sorted(keys, reverse=True))
    assert regions.settle()
    assert not regions.differences()
    assert [record(regions, A, each)[0].status for each in people] == ["merged", "active", "merged"]


def test_session_of_who_was_merged_elsewhere_ends(regions: Regions) -> None:
    one, other = pair(regions)
    world = regions[B].world
    assert world.ask("POST", "/v1/password/forgot", "shop", email=BOB).status == 202
    world.deliver()
    new = "another long enough password"
    claims = {"token": world.mails[-1].token, "password": new}
    assert world.ask("POST", "/v1/password/reset", "shop", **claims).status == 204
    assert regions.settle()
    assert world.ask("POST", "/v1/login", "shop", email=BOB, password=new).status == 200
    assert regions[B].belongings(other)
    merge(regions[A], one, other)
    assert regions.settle()
    assert not regions[B].belongings(other)


def test_merge_of_who_waits_for_a_verified_address_keeps_it(regions: Regions) -> None:
    """Whoever has it here lost it in the other region, which is not known here yet."""
    phone = {"phone": "+33612345678", "phone_verified": True, "email_verified": True}
    stays, unverified = imported(regions[A], "1", ADA, **phone), imported(regions[A], "3", BOB)
    assert regions.settle()
    shown = imported(regions[A], "2", BOB, **phone)
    regions.pump(A, lambda keys: [key for key in keys if key == f"U#{shown}"])
    assert record(regions, B, shown)[0].status == "conflict"
    merge(regions[B], stays, shown)
    assert regions.settle()
    assert not regions.differences()
    text = regions[A].world.services.alias("email", BOB).text
    assert regions[A].owners()[text] == stays
    assert record(regions, A, unverified)[0].status == "conflict"


def test_edit_of_a_merged_account_elsewhere_is_carried_over(regions: Regions) -> None:
    one, other = pair(regions)
    merge(regions[A], one, other)
    edit(regions[B], other, given_name="Late")
    assert regions.settle()
    assert not regions.differences()
    assert record(regions, A, other)[0].status == "merged"
    assert record(regions, B, one)[1]["given_name"] == "Late"  # type: ignore[index]


def test_merge_waits_for_its_target(regions: Regions) -> None:
    one, other = pair(regions)
    signed = signed_up(regions[A], CYD, verified=True)
    merge(regions[A], one, other)
    keys = [f"U#{other}"]
    replicate_each(regions.replications[A], regions[A].queues, keys)
    edit(regions[B], one, given_name="Meanwhile")
    regions.pump(B)
    assert regions.settle()
    assert not regions.differences()
    assert record(regions, B, other)[0].merged_into == one
    assert record(regions, B, signed)[0].status == "active"


def test_account_that_waits_for_another_one_says_since_when_and_not_for_ever(regions: Regions) -> None:
    phone = {"phone": "+33612345678", "phone_verified": True, "email_verified": True}
    one, other = imported(regions[B], "1", ADA, **phone), imported(regions[B], "2", BOB, **phone)
    merge(regions[B], one, other)
    regions.pump(B, lambda keys: [key for key in keys if key == f"U#{other}"][:1])
    regions.pump(A)
    # "The default value is 4 days"; up to 14, as long as a region may be out:
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
    for days, result in ((0, "later"), (13.9, "later"), (14.1, "refused")):
        since = int(time.time() - 86_400 * days)
        [message] = regions[A].sqs.queues["tables"]
        message["Body"] = json.dumps({"key": f"U#{other}", "since": since})
        assert drained(regions, "tables") == {result: 1}
        left = [json.loads(each["Body"]) for each in regions[A].sqs.queues["tables"]]
        assert left == ([{"key": f"U#{other}", "since": since}] if result == "later" else [])
    [dead] = regions[A].sqs.queues["dead"]
    assert one in dead["MessageAttributes"]["reason"]["StringValue"]


def test_erased_account_takes_along_what_was_merged_into_it_elsewhere(regions: Regions) -> None:
    one, other = pair(regions)
    merge(regions[A], one, other)
    assert regions[B].world.ask("DELETE", "/v1/users/{id}", "shop", other).status == 204
    assert regions.settle()
    for name in (A, B):
        assert record(regions, name, one)[0].status == "erased"
        assert not regions[name].belongings(one)
        assert not regions[name].owners()


@pytest.mark.parametrize("first", [A, B])
@pytest.mark.parametrize("taken", [[0], [1], [0, 1], [1, 0]], ids=str)
def test_erasure_that_did_not_know_of_a_merge_erases_no_other_account(
    regions: Regions, first: str, taken: list[int]
) -> None:
    one, other = pair(regions)
    merge(regions[A], one, other)
    assert regions[B].world.ask("DELETE", "/v1/users/{id}", "shop", one).status == 204
    edit(regions[B], other, given_name="Late")
    chosen = [f"U#{(one, other)[place]}" for place in taken]
    regions.pump(first, lambda keys: [key for key in chosen if key in keys])
    assert regions.settle()
    assert not regions.differences()
    for name in (A, B):
        assert [record(regions, name, each)[0].status for each in (one, other)] == ["erased", "active"]
        assert not regions[name].sqs.queues.get("dead")
        assert record(regions, name, other)[1]["given_name"] == "Late"  # type: ignore[index]


def test_merge_into_who_was_erased_elsewhere_ends_nobody_for_a_moment(regions: Regions) -> None:
    one, other = pair(regions)
    merge(regions[A], one, other)
    assert regions[B].world.ask("DELETE", "/v1/users/{id}", "shop", one).status == 204
    regions.pump(A, lambda keys: [key for key in keys if key == f"U#{other}"])
    assert record(regions, B, other)[0].status != "merged"


def test_identifier_of_two_has_who_waits(regions: Regions) -> None:
    signed_up(regions[A], ADA)
    other = signed_up(regions[B], ADA)
    regions[B].world.now += 60
    regions.pump(B)
    text = regions[A].world.services.alias("email", ADA).text
    holding = regions[A].world.services.store.aliases.holding(Alias.of_text(text))
    assert holding != Holding()
    assert other in holding.waiting | {holding.user}


# ---- handlers


class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "x"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 60_000


SCHEDULED = {
    "version": "0", "id": "x", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {},
    "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": A, "resources": [],
}  # fmt: skip


@pytest.fixture
def handlers(regions: Regions, monkeypatch: pytest.MonkeyPatch) -> Regions:
    ours = regions.replications[A], regions[A].queues
    monkeypatch.setattr(replicate, "get_replication", lambda: ours)
    monkeypatch.setattr(replication, "get_replication", lambda: ours)
    monkeypatch.setattr(replication, "_find_peer", lambda: regions[B].as_peer)
    monkeypatch.setattr(replication, "get_records", lambda: regions[A].world.services)
    return regions


def stream_record(user: str, number: str) -> dict[str, Any]:
    keys = {"pk": {"S": f"U#{user}"}, "sk": {"S": "."}}
    return {
        "eventID": number, "eventName": "MODIFY", "eventSource": "aws:dynamodb", "awsRegion": A,
        "eventSourceARN": f"arn:aws:dynamodb:{A}:123456789012:table/users/stream/x",
        "dynamodb": {"Keys": keys, "SequenceNumber": number, "ApproximateCreationDateTime": 1.0},
    }  # fmt: skip


def test_stream_function_sends_the_rest_of_a_batch(
    handlers: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = [signed_up(handlers[A], email) for email in (ADA, BOB, CYD)]
    real = handlers.replications[A].replicate

    def fails(key: str) -> Any:
        if key == f"U#{users[1]}":
            raise ZeroDivisionError
        return real(key)

    monkeypatch.setattr(handlers.replications[A], "replicate", fails)
    event = {"Records": [stream_record(user, str(number)) for number, user in enumerate(users)]}
    answer: Any = replicate.handler(event, Context())  # type: ignore[arg-type]
    assert answer["batchItemFailures"] == []
    assert queued(handlers, "tables") == [f"U#{users[1]}"]
    assert {users[0], users[2]} <= set(handlers[B].known())


def test_stream_function_refuses_what_is_no_stream(handlers: Regions) -> None:
    with pytest.raises(ForeignEventError):
        replicate.handler({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}, Context())  # type: ignore[arg-type]


@pytest.mark.parametrize("drains", [drain_writes, drain_keys])
def test_drain_refuses_what_is_no_schedule(handlers: Regions, drains: Any) -> None:
    with pytest.raises(ForeignEventError):
        drains.handler({"source": "someone", "detail-type": "x", "detail": {}}, Context())


@pytest.mark.parametrize(
    ("drains", "out"), [(drain_writes, "dynamodb"), (drain_writes, "ssm"), (drain_keys, "kms")]
)
def test_drain_says_what_it_waits_for(handlers: Regions, drains: Any, out: Any) -> None:
    queue = "tables" if drains is drain_writes else "keys"
    handlers[A].sqs.send_message(QueueUrl=queue, MessageBody='{"key": "U#nobody"}')
    handlers[B].out = {out}
    assert "waits" in drains.handler(SCHEDULED, Context())
    assert len(handlers[A].sqs.queues[queue]) == 1
    handlers[B].out = set()
    assert drains.handler(SCHEDULED, Context()) == {"nothing": 1}
    assert not handlers[A].sqs.queues[queue]


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException", "LimitExceededException"])
def test_drain_waits_while_the_other_region_refuses(handlers: Regions, code: str) -> None:
    """Such as by a policy: an error each minute would fill the dead-letter queue with the schedule's."""
    handlers[A].sqs.send_message(QueueUrl="tables", MessageBody='{"key": "U#nobody"}')

    def refuse(*_: Any, **__: Any) -> Any:
        told: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        raise ClientError(told, "GetItem")

    handlers[B].world.table.get_item = refuse  # type: ignore[method-assign]
    assert code in drain_writes.handler(SCHEDULED, Context())["waits"]  # type: ignore[arg-type]
    assert [each["receives"] for each in handlers[A].sqs.queues["tables"]] == [0]


def test_verified_address_is_claimed_again_from_who_got_it_meanwhile(regions: Regions) -> None:
    one = imported(regions[A], "1", ADA, email_verified=True)
    other = imported(regions[A], "2", BOB, email_verified=True)
    services = regions[A].world.services
    alias = services.alias("email", BOB)
    services.store.commit(services.store.aliases.claim(alias, "somebody", held_by=other))
    (user, mine), (ended, theirs) = (record(regions, A, each) for each in (one, other))
    assert mine is not None
    assert theirs is not None
    merge_accounts(services, user, mine, ended, theirs, late=True)
    assert mine[f"email_also.{alias.index}"] == BOB


def test_address_that_was_let_go_after_a_merge_does_not_come_again(regions: Regions) -> None:
    one = imported(regions[A], "1", ADA, email_verified=True)
    other = imported(regions[A], "2", BOB, email_verified=True)
    services = regions[A].world.services
    alias = services.alias("email", BOB)
    (user, mine), (ended, theirs) = (record(regions, A, each) for each in (one, other))
    assert mine is not None
    assert theirs is not None
    mine.absorb(one, other, Document.from_bytes(theirs.to_bytes()), services.reading(mine.latest))
    theirs.edit({"given_name": "Late"}, services.now_ms + 1, B)
    merge_accounts(services, user, mine, ended, theirs, late=True)
    assert (mine["given_name"], mine["email"], mine[f"email_also.{alias.index}"]) == ("Late", ADA, None)
