"""Mails that tell people what became of their account: after it happened, and only then."""

from __future__ import annotations

import re
import secrets
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from local.clients.company import Company
from local.clients.sign_on import Application, Visitor
from local.suite import Suite
from tests.conftest import Faults
from tests.integration.auth.conftest import Person, fresh_email, fresh_password, mailed, mails
from tests.integration.auth.test_imports import line, run
from tests.integration.auth.test_recovery import Guarded
from tests.support.waiting import wait_until

TOKENS = {"verify", "known", "reset", "email", "approve", "recovery"}


def notice(suite: Suite, email: str, kind: str, many: int = 1) -> dict[str, str]:
    """Wait for a notice, and return it."""

    def all_of_them() -> list[dict[str, str]]:
        found = mails(suite, email, kind)
        return found if len(found) >= many else []

    found = wait_until(all_of_them, what=f"notice {kind}")
    assert len(found) == many
    return found[0]


def told(suite: Suite, email: str) -> list[str]:
    return sorted(mail["kind"] for mail in mails(suite, email) if mail["kind"] not in TOKENS)


def test_a_notice_says_what_happened_when_by_whom_and_what_to_do(person: Person, suite: Suite) -> None:
    chosen = fresh_password()
    access = person.tokens()["access_token"]
    answer = person.shop.post(
        "/v1/password/change", access_token=access, current=person.password, password=chosen
    )
    assert answer.status_code == 204
    mail = notice(suite, person.email, "new_password")
    assert mail["token"] == ""
    assert mail["subject"] == "Your password was changed"
    assert "By: The Shop" in mail["text"]
    assert "If it was not you" in mail["text"]
    [when] = re.findall(r"When: (.*) UTC", mail["text"])
    trail = person.shop.get(f"/v1/users/{person.id}/export").json()["trail"]
    [entry] = [entry for entry in trail if entry["action"] == "change"]
    told_at = datetime.strptime(when, "%d %B %Y, %H:%M:%S").replace(tzinfo=UTC)
    assert told_at == datetime.fromisoformat(entry["at"]).replace(microsecond=0)
    assert abs(told_at.timestamp() - time.time()) < 60
    assert told(suite, person.email) == ["new_password"], "signing up and verifying need none"


def test_a_password_chosen_by_mail_is_told(person: Person, suite: Suite) -> None:
    person.shop.post("/v1/password/forgot", email=person.email)
    token = mailed(suite, person.email, "reset")
    assert person.shop.post("/v1/password/reset", token=token, password=fresh_password()).status_code == 204
    notice(suite, person.email, "new_password")


def test_a_new_address_is_told_to_the_old_and_the_new_one(person: Person, suite: Suite) -> None:
    new = fresh_email("moved")
    person.ask_for_address(new)
    token = mailed(suite, new, "email")
    assert told(suite, person.email) == [], "nothing has changed yet"
    assert person.shop.post("/v1/verify", token=token).json()["state"] == "verified"
    for address in (person.email, new):
        notice(suite, address, "new_address")
    # A second change soon after hides nothing from the first address.
    moved, newest = Person(person.shop, new, person.password, person.id), fresh_email("again")
    moved.ask_for_address(newest)
    assert person.shop.post("/v1/verify", token=mailed(suite, newest, "email")).json()["state"] == "verified"
    notice(suite, new, "new_address", 2)
    exported = person.shop.get(f"/v1/users/{person.id}/export").json()
    assert set(exported["previous_addresses"]) == {person.email, new}


def test_the_second_factor_is_told_from_beginning_to_end(person: Person, suite: Suite) -> None:
    guarded = Guarded(person)
    notice(suite, person.email, "factor_on")
    assert person.log_in(recovery_code=guarded.codes[0]).status_code == 200
    notice(suite, person.email, "recovery_code_used")
    guarded.factor("recovery_codes", code=guarded.code())
    notice(suite, person.email, "new_recovery_codes")
    guarded.factor("disable", code=guarded.code())
    notice(suite, person.email, "factor_off")
    assert told(suite, person.email) == [
        "factor_off", "factor_on", "new_recovery_codes", "recovery_code_used",
    ]  # fmt: skip


def test_a_recovery_code_at_the_pages_is_told_in_the_name_of_the_application(
    person: Person, suite: Suite
) -> None:
    guarded = Guarded(person)
    visitor = Visitor(suite)
    page = visitor.sign_in(Application(suite, "The Bank"), person.email, person.password)
    assert visitor.submit(page, recovery_code=guarded.codes[0]).status_code == 303
    assert "By: The Bank" in notice(suite, person.email, "recovery_code_used")["text"]


@pytest.mark.timeout(300)
def test_a_lock_is_told_once(person: Person, suite: Suite) -> None:
    stranger = Person(person.shop, person.email, fresh_password())
    alias = {"pk": {"S": alias_of(suite, person)}, "sk": {"S": "."}}
    for failure in range(12):
        answer = stranger.log_in()
        assert answer.status_code == 401, answer.text
        if failure < 9:  # the waits between are not what is tested here
            suite.client("dynamodb").update_item(
                TableName=suite["AuthUsersTableName"],
                Key=alias,
                UpdateExpression="SET #wait = :none",
                ExpressionAttributeNames={"#wait": "wait"},
                ExpressionAttributeValues={":none": {"N": "0"}},
            )
    assert person.log_in().status_code == 401, "it is locked"
    notice(suite, person.email, "locked")
    assert told(suite, person.email) == ["locked"]


def alias_of(suite: Suite, person: Person) -> str:
    item = suite.client("dynamodb").get_item(
        TableName=suite["AuthUsersTableName"], Key={"pk": {"S": f"U#{person.id}"}, "sk": {"S": "."}}
    )["Item"]
    return f"E#{item['email_index']['S']}"


def test_a_lock_closes_though_its_notice_cannot_be_sent(person: Person, suite: Suite, faults: Faults) -> None:
    stranger = Person(person.shop, person.email, fresh_password())
    key = {"pk": {"S": alias_of(suite, person)}, "sk": {"S": "."}}
    suite.client("dynamodb").update_item(
        TableName=suite["AuthUsersTableName"],
        Key=key,
        UpdateExpression="SET failed = :nine",
        ExpressionAttributeValues={":nine": {"N": "9"}},
    )
    faults.inject({"match": "sqs.SendMessage", "rate": 1, "status": 503, "type": "ServiceUnavailable"})
    assert stranger.log_in().status_code == 401
    assert person.log_in().status_code == 401, "it is locked"


def test_a_merge_is_told_to_both_addresses(shop: Company, group: Company, suite: Suite) -> None:
    phone = f"+3519{secrets.randbelow(10**8):08}"
    lines = [line(phone=phone, phone_verified=True), line(phone=phone, phone_verified=True)]
    _, [one, two] = run(shop, lines)
    assert group.post(f"/v1/users/{one['user_id']}/merge", other=two["user_id"]).status_code == 200
    for each in lines:
        notice(suite, each["email"], "merged")


def test_a_log_in_from_a_new_device_is_told_to_who_chose_it(person: Person, suite: Suite) -> None:
    assert person.log_in(visitor="192.0.2.1").status_code == 200
    for choice, status in ((True, 200), ("yes", 400), (1, 400)):
        changed = person.shop.ask("PATCH", f"/v1/users/{person.id}", {"notify_new_device": choice})
        assert changed.status_code == status, changed.text
    assert person.shop.get(f"/v1/users/{person.id}").json()["profile"]["notify_new_device"] is True
    for visitor in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1"):
        assert person.log_in(visitor=visitor).status_code == 200
    notice(suite, person.email, "new_device", 2)
    browser = Visitor(suite)
    assert browser.sign_in(Application(suite, "The Bank"), person.email, person.password).status_code == 303
    notice(suite, person.email, "new_device", 3)
    person.shop.ask("PATCH", f"/v1/users/{person.id}", {"notify_new_device": None})
    assert person.log_in(visitor="192.0.2.3").status_code == 200
    assert told(suite, person.email) == ["new_device"] * 3


def test_a_log_in_works_though_its_notice_cannot_be_sent_which_comes_with_the_next(
    person: Person, suite: Suite, faults: Faults
) -> None:
    person.shop.ask("PATCH", f"/v1/users/{person.id}", {"notify_new_device": True})
    faults.inject({"match": "sqs.SendMessage", "rate": 1, "status": 503, "type": "ServiceUnavailable"})
    assert person.log_in().status_code == 200
    faults.clear()
    assert person.log_in().status_code == 200
    notice(suite, person.email, "new_device")


def test_nothing_changes_while_its_notice_cannot_be_queued(
    person: Person, suite: Suite, faults: Faults
) -> None:
    access, chosen = person.tokens()["access_token"], fresh_password()
    change = {"access_token": access, "current": person.password, "password": chosen}
    faults.inject({"match": "sqs.SendMessage", "rate": 1, "status": 503, "type": "ServiceUnavailable"})
    assert person.shop.post("/v1/password/change", **change).status_code == 503
    faults.clear()
    assert person.log_in().status_code == 200
    assert person.shop.post("/v1/password/change", **change).status_code == 204
    notice(suite, person.email, "new_password")


def test_no_notice_goes_out_for_what_was_not_written(person: Person, suite: Suite, faults: Faults) -> None:
    access = person.tokens()["access_token"]
    faults.inject(
        {"match": "dynamodb.TransactWriteItems", "rate": 1, "status": 400, "type": "ThrottlingException"}
    )
    change = {"access_token": access, "current": person.password, "password": fresh_password()}
    assert person.shop.post("/v1/password/change", **change).status_code == 503
    faults.clear()
    wait_until(lambda: jobs(suite) > 0, what="the job of what was not written")
    assert told(suite, person.email) == []


def jobs(suite: Suite) -> int:
    """How many jobs of mails are in the queue, or in flight."""
    [url] = [url for url in suite.client("sqs").list_queues()["QueueUrls"] if "AuthMailQueue" in url]
    names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = suite.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(count) for count in counts.values())
