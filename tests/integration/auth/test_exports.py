"""Exports: in the answer, or in the background; and what a person has is bounded."""

from __future__ import annotations

import json
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.clients.company import Company
from local.clients.sign_on import Application, Visitor
from local.suite import Suite
from tests.integration.auth.conftest import Person, fresh_password, long_trail
from tests.support.waiting import wait_until


def exported_file(shop: Company, job: str) -> Any:
    """Wait for a job, and return what its file has."""

    def state() -> dict[str, Any] | None:
        found = shop.get(f"/v1/users/export/{job}")
        assert found.status_code == 200, found.text
        return found.json() if found.json()["state"] != "running" else None

    done = wait_until(state, seconds=60, every=0.3, what="export")
    assert done is not None
    assert done["state"] == "done"
    answer = shop.suite.http.get(done["url"])
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_long_trail_is_exported_in_the_background(suite: Suite, person: Person) -> None:
    shop = person.shop
    short = shop.get(f"/v1/users/{person.id}/export")
    assert short.status_code == 200
    long_trail(suite, person.id, 5000)
    answer = shop.get(f"/v1/users/{person.id}/export")
    assert (answer.status_code, answer.json()["state"]) == (202, "running")
    found = exported_file(shop, answer.json()["job_id"])
    assert len(found["trail"]) == len(short.json()["trail"]) + 5000 + 1
    assert {**found, "trail": []} == {**short.json(), "trail": []}


def test_an_export_is_its_clients_alone_and_ends_with_the_person(suite: Suite, person: Person) -> None:
    shop = person.shop
    long_trail(suite, person.id, 1001)
    job = shop.get(f"/v1/users/{person.id}/export").json()["job_id"]
    other = Company(suite, "curious")
    refused = other.get(f"/v1/users/export/{job}")
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_job")
    exported_file(shop, job)
    assert shop.ask("DELETE", f"/v1/users/{person.id}").status_code == 204
    assert shop.get(f"/v1/users/export/{job}").status_code == 410


def test_an_export_of_somebody_erased_before_it_ran_is_never_written(suite: Suite, person: Person) -> None:
    """The message comes late: the job is there, the person is not."""
    shop = person.shop
    long_trail(suite, person.id, 1001)
    job = shop.get(f"/v1/users/{person.id}/export").json()["job_id"]
    exported_file(shop, job)
    bucket = f"suite-local-auth-imports-{'0' * 12}-us-east-1"
    s3, sqs = suite.client("s3"), suite.client("sqs")
    s3.delete_object(Bucket=bucket, Key=f"exports/{job}.json")
    shop.ask("DELETE", f"/v1/users/{person.id}")
    queue = next(url for url in sqs.list_queues()["QueueUrls"] if "AuthImportQueue" in url)
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"export": job}))
    table, key = suite["AuthUsersTableName"], {"pk": {"S": f"X#{job}"}, "sk": {"S": "."}}

    def failed() -> bool:
        item = suite.client("dynamodb").get_item(TableName=table, Key=key)["Item"]
        return bool(item["state"]["S"] == "failed")

    wait_until(failed, seconds=60, what="the late job")
    assert s3.list_objects_v2(Bucket=bucket, Prefix=f"exports/{job}")["KeyCount"] == 0


def test_sessions_in_browsers_are_exported(suite: Suite, person: Person) -> None:
    app, visitor = Application(suite, "Exported", trusted=True), Visitor(suite)
    page = visitor.open(app.request(scope="openid"))
    before = int(time.time())
    visitor.submit(page, email=person.email, password=person.password)
    [session] = person.shop.get(f"/v1/users/{person.id}/export").json()["browser_sessions"]
    assert before - 60 <= session["auth_time"] <= time.time() + 60 < session["expires"]


@pytest.mark.timeout(300)
def test_the_oldest_of_fifty_one_sessions_ends(person: Person) -> None:
    shop = person.shop
    tokens = [person.tokens()]
    time.sleep(1.1)  # sessions begin in seconds
    tokens += [person.tokens() for _ in range(49)]
    assert len(shop.get(f"/v1/users/{person.id}/export").json()["sessions"]) == 50
    active = [shop.post("/v1/introspect", token=each["access_token"]).json()["active"] for each in tokens]
    assert all(active), "fifty are good"
    newest = person.tokens()
    assert len(shop.get(f"/v1/users/{person.id}/export").json()["sessions"]) == 50
    ended = shop.post("/v1/token/refresh", refresh_token=tokens[0]["refresh_token"])
    assert (ended.status_code, ended.json()["code"]) == (401, "invalid_grant")
    for good in (tokens[-1], newest):
        assert shop.post("/v1/token/refresh", refresh_token=good["refresh_token"]).status_code == 200


def test_refused_log_ins_of_an_hour_are_one_entry(person: Person) -> None:
    shop = person.shop
    for _ in range(4):
        refused = shop.post("/v1/login", email=person.email, password=fresh_password())
        assert refused.status_code == 401
    trail = shop.get(f"/v1/users/{person.id}/export").json()["trail"]
    entries = [entry for entry in trail if entry["outcome"] == "wrong_password"]
    assert sum(entry["times"] for entry in entries) == 4
    assert len(entries) <= 2, "two, if the hour ended meanwhile"
    assert entries[0]["at"] <= entries[0]["until"]
    now = datetime.now(UTC)
    assert now - timedelta(hours=1) < datetime.fromisoformat(entries[0]["at"]) < now + timedelta(hours=1)


def test_a_mail_that_no_attempt_will_deliver_goes_to_the_dead_letter_queue(suite: Suite) -> None:
    sqs = suite.client("sqs")
    queue = next(url for url in sqs.list_queues()["QueueUrls"] if "AuthMailQueue" in url)
    body = json.dumps({"kind": f"odd {secrets.token_hex(4)}", "expires": 4_102_444_800})
    sqs.send_message(QueueUrl=queue, MessageBody=body)
    dead = next(url for url in sqs.list_queues()["QueueUrls"] if "AuthMailDeadLetterQueue" in url)

    def found() -> list[Any]:
        answer = sqs.receive_message(
            QueueUrl=dead, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
        )
        return [each for each in answer.get("Messages", []) if each["Body"] == body]

    [letter] = wait_until(found, seconds=60, what="dead letter")
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "no job of a mail of a known kind"
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"])
