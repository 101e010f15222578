"""A region, a table or a key is out: what is acknowledged meanwhile is there afterwards."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.clients.company import Company
from local.clients.regions import Pair, Region
from tests.integration.auth.conftest import fresh_email
from tests.integration.auth.test_imports import line, run
from tests.integration.auth_regions.conftest import at, profile_in, somebody
from tests.support.waiting import wait_until


def nicknamed(region: Region, person: str, name: str) -> None:
    answer = region.shop.ask("PATCH", f"/v1/users/{person}", {"nickname": name})
    assert answer.status_code == 200, answer.text


@pytest.mark.timeout(300)
def test_writes_during_an_outage_of_the_other_table_wait_in_queue_t(pair: Pair) -> None:
    people = [somebody(pair, pair.a).id for _ in range(3)]
    emails = [fresh_email() for _ in range(40)]
    with pair.out(pair.b, "dynamodb.*"):
        for person in people:
            nicknamed(pair.a, person, "during the outage")
        done, _ = run(pair.a.group, [line(email=email, company="north") for email in emails])
        assert done["lines"]["created"] == len(emails)
        wait_until(
            lambda: pair.a.waiting("AuthWritesQueueUrl") >= len(people) + len(emails),
            seconds=60,
            what="queue T",
        )
        assert pair.a.shop.get("/v1/health").status_code == 200
        for person in people:
            assert profile_in(pair.a, person)["nickname"] == "during the outage"
    pair.settle(60)
    assert {profile_in(pair.b, person)["nickname"] for person in people} == {"during the outage"}
    again, _ = run(pair.b.group, [line(email=email, company="south") for email in emails])
    assert again["lines"]["merged"] == len(emails), "each of them is known there by the address"


def test_a_key_of_the_other_region_that_is_disabled_leaves_queue_k(pair: Pair) -> None:
    person = somebody(pair, pair.a)
    kms = pair.b.suite.client("kms")
    kms.disable_key(KeyId=pair.b.told["key"])
    try:
        nicknamed(pair.a, person.id, "by a disabled key")
        wait_until(lambda: pair.a.waiting("AuthKeysQueueUrl"), seconds=60, what="queue K")
        health = pair.b.suite.http.get(f"{pair.b.shop.url}/v1/health")
        assert (health.status_code, "Retry-After" in health.headers) == (503, True)
        assert pair.a.suite.http.get(f"{pair.a.shop.url}/v1/health").status_code == 200
    finally:
        kms.enable_key(KeyId=pair.b.told["key"])
    pair.settle(60)
    assert profile_in(pair.b, person.id)["nickname"] == "by a disabled key"


def test_a_key_that_waits_for_its_deletion_can_be_saved(pair: Pair) -> None:
    person = somebody(pair, pair.a)
    kms = pair.b.suite.client("kms")
    kms.schedule_key_deletion(KeyId=pair.b.told["key"], PendingWindowInDays=7)
    try:
        nicknamed(pair.a, person.id, "before the deletion")
        wait_until(lambda: pair.a.waiting("AuthKeysQueueUrl"), seconds=60, what="queue K")
    finally:
        kms.cancel_key_deletion(KeyId=pair.b.told["key"])
        kms.enable_key(KeyId=pair.b.told["key"])  # "the key state is Disabled" after CancelKeyDeletion
    pair.settle(60)
    assert profile_in(pair.b, person.id)["nickname"] == "before the deletion"


def test_a_message_for_somebody_who_was_erased_brings_nobody_back(pair: Pair) -> None:
    person = somebody(pair, pair.a)
    kms = pair.b.suite.client("kms")
    kms.disable_key(KeyId=pair.b.told["key"])
    try:
        nicknamed(pair.a, person.id, "soon forgotten")
        wait_until(lambda: pair.a.waiting("AuthKeysQueueUrl"), seconds=60, what="queue K")
        assert pair.a.shop.ask("DELETE", f"/v1/users/{person.id}").status_code == 204
        # A tombstone has no key: it crosses though the key is disabled.
        wait_until(
            lambda: (user := pair.b.user(person.id)) and user.status == "erased",
            seconds=60,
            what="the erasure",
        )
    finally:
        kms.enable_key(KeyId=pair.b.told["key"])
    pair.settle(60)
    for region in pair:
        user = region.user(person.id)
        assert user is not None
        assert (user.status, user.sealed) == ("erased", None)


def test_this_regions_key_that_is_disabled_is_503_and_the_other_region_serves(pair: Pair) -> None:
    person = somebody(pair, pair.a)
    kms = pair.a.suite.client("kms")
    kms.disable_key(KeyId=pair.a.told["key"])
    try:
        answer = person.log_in()
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
        assert at(pair.b, person).log_in().status_code == 200
        nicknamed(pair.b, person.id, "in the other region")
    finally:
        kms.enable_key(KeyId=pair.a.told["key"])
    pair.settle(60)
    assert profile_in(pair.a, person.id)["nickname"] == "in the other region"


def test_a_message_that_nobody_understands_is_set_aside_with_its_reason(pair: Pair) -> None:
    sqs = pair.a.suite.client("sqs")
    dead = pair.a.suite["AuthReplicationDeadLetterQueueUrl"]
    sqs.send_message(QueueUrl=pair.a.suite["AuthWritesQueueUrl"], MessageBody='{"user": "whoever"}')

    def refused() -> list[dict]:  # type: ignore[type-arg]
        answer = sqs.receive_message(QueueUrl=dead, MessageAttributeNames=["All"])
        return list(answer.get("Messages", []))

    [message] = wait_until(refused, seconds=60, what="the dead letter")
    assert message["Body"] == '{"user": "whoever"}'
    assert message["MessageAttributes"]["reason"]["StringValue"]
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])


def test_a_damaged_record_is_set_aside_and_stops_nobody_else(pair: Pair) -> None:
    victim, other = somebody(pair, pair.a), somebody(pair, pair.a)
    [item] = [each for each in pair.a.items(f"U#{victim.id}") if each["sk"]["S"] == "."]
    broken = {**item, "data": {"M": {**item["data"]["M"], "keys": {"M": {"us-east-1": {"B": b"damaged"}}}}}}
    broken["version"] = {"M": {"us-east-1": {"N": "99"}}}
    dynamodb = pair.a.suite.client("dynamodb")
    dynamodb.put_item(TableName=pair.a.told["table"], Item=broken)
    nicknamed(pair.a, other.id, "goes on")
    try:
        wait_until(
            lambda: pair.a.waiting("AuthReplicationDeadLetterQueueUrl"), seconds=60, what="the dead letter"
        )
        wait_until(
            lambda: profile_in(pair.b, other.id).get("nickname") == "goes on",
            seconds=60,
            what="the other one",
        )
    finally:
        dynamodb.put_item(TableName=pair.a.told["table"], Item=item)
        pair.a.suite.client("sqs").purge_queue(QueueUrl=pair.a.suite["AuthReplicationDeadLetterQueueUrl"])


@pytest.mark.timeout(300)
def test_a_flood_of_edits_in_both_regions_comes_to_rest(pair: Pair) -> None:
    people = [somebody(pair, region).id for region in pair for _ in range(2)]
    fields = ["given_name", "family_name", "nickname", "locality"]

    def edit(number: int) -> None:
        region = pair.regions[number % 2]
        person, name = people[number // 2 % len(people)], fields[number % len(fields)]
        answer = region.shop.ask("PATCH", f"/v1/users/{person}", {name: f"{number}"})
        assert answer.status_code in (200, 503), answer.text

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(edit, range(80)))
    pair.settle(60)


def test_the_same_assertion_is_good_in_one_region_alone(pair: Pair) -> None:
    shop: Company = pair.a.shop
    claims = shop.claims("POST", "/v1/introspect", {"token": secrets.token_urlsafe(8)})
    signed = shop.sign(claims)
    assert shop.send("POST", "/v1/introspect", signed).status_code == 200
    there = Company.send(pair.b.shop, "POST", "/v1/introspect", signed)
    assert there.status_code == 401


@pytest.mark.parametrize("event", ["{}", '{"Records": [{"eventSource": "aws:s3"}]}'])
def test_a_foreign_event_is_refused(pair: Pair, event: str) -> None:
    for function in ("AuthReplicateFunctionName", "AuthDrainWritesFunctionName", "AuthDrainKeysFunctionName"):
        answer = pair.a.suite.client("lambda").invoke(
            FunctionName=pair.a.suite[function], Payload=event.encode()
        )
        assert "ForeignEventError" in answer["Payload"].read().decode()
