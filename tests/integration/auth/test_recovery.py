"""Ways back for who lost a second factor or a mailbox: recovery codes, and the delayed reset of a company."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import requests

from local.clients.company import Company
from local.clients.sign_on import Application, Form, Visitor, told
from local.suite import Suite
from tests.conftest import Faults
from tests.integration.auth.conftest import (
    Person,
    fresh_email,
    fresh_password,
    joined,
    let_codes_pass,
    mailed,
    mails,
    said,
)
from tests.integration.auth.test_imports import hashed, line, run
from tests.support.totp import totp
from tests.support.waiting import wait_until

DAY_S = 86_400


class Guarded:
    """Somebody with a second factor."""

    def __init__(self, person: Person) -> None:
        self.person, self.shop, self.suite = person, person.shop, person.shop.suite
        self.tokens = person.tokens()
        self.secret: str = self.factor("enrol", current=person.password).json()["secret"]
        let_codes_pass(self.suite, self.tokens["user_id"])
        answer = self.factor("confirm", code=totp(self.secret))
        assert answer.status_code == 200, answer.text
        self.codes: list[str] = answer.json()["recovery_codes"]

    def factor(self, action: str, **more: str) -> requests.Response:
        claims = {"access_token": self.tokens["access_token"], "action": action, **more}
        return self.shop.post("/v1/mfa/totp", **claims)

    def code(self) -> str:
        """Return a code that is good now."""
        let_codes_pass(self.suite, self.person.id)
        return totp(self.secret)

    def exported(self) -> dict[str, Any]:
        exported: dict[str, Any] = self.shop.get(f"/v1/users/{self.person.id}/export").json()
        return exported

    def ask(self, company: Company | None = None, **claims: Any) -> requests.Response:
        """Ask for a delayed reset."""
        return (company or self.shop).post(f"/v1/users/{self.person.id}/recovery", **claims)


@pytest.fixture
def guarded(person: Person) -> Guarded:
    return Guarded(person)


@contextmanager
def resets_due_at_once(suite: Suite) -> Iterator[None]:
    """Have delayed resets that are asked for meanwhile wait for a second, and not for a day."""
    functions = suite.client("lambda")
    listed = functions.get_paginator("list_functions").paginate()
    [name] = [
        each["FunctionName"]
        for page in listed
        for each in page["Functions"]
        if "AuthApiFunction" in each["FunctionName"]
    ]
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    short = {"Variables": before | {"RECOVERY_SECONDS": "1"}}
    functions.update_function_configuration(FunctionName=name, Environment=short)
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})


def code_of(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


# ---- recovery codes


def test_ten_codes_of_fifty_bits_are_shown_once(guarded: Guarded) -> None:
    assert len(set(guarded.codes)) == 10
    # Two groups of five of RFC 4648's base32, of which each character is five bits.
    assert all(re.fullmatch("[A-Z2-7]{5}-[A-Z2-7]{5}", code) for code in guarded.codes)
    exported = guarded.exported()
    assert exported["recovery_codes_left"] == 10
    assert not any(code in str(exported) for code in guarded.codes)
    assert set(guarded.person.log_in(totp=guarded.code()).json()) == {
        "access_token", "token_type", "expires_in", "refresh_token", "scope", "user_id",
    }  # fmt: skip


@pytest.mark.parametrize(
    "typed",
    [str.lower, lambda code: code.replace("-", ""), lambda code: f"  {' '.join(code)}\t", str.swapcase],
    ids=["lower", "no dash", "blanks", "swapped"],
)
def test_a_recovery_code_stands_in_for_a_code_once(guarded: Guarded, typed: Any) -> None:
    code = guarded.codes[3]
    assert guarded.person.log_in(recovery_code=typed(code)).status_code == 200
    again = guarded.person.log_in(recovery_code=code)
    assert code_of(again) == (401, "invalid_credentials")
    assert guarded.exported()["recovery_codes_left"] == 9
    assert guarded.person.log_in(recovery_code=guarded.codes[4]).status_code == 200


def test_of_two_who_use_one_recovery_code_at_once_one_gets_in(guarded: Guarded) -> None:
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: guarded.person.log_in(recovery_code=guarded.codes[0]), range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401]
    assert guarded.exported()["recovery_codes_left"] == 9


def test_wrong_recovery_codes_look_like_a_wrong_password_and_count(guarded: Guarded) -> None:
    person = guarded.person
    wrong_password = Person(person.shop, person.email, fresh_password()).log_in(
        recovery_code=guarded.codes[0]
    )
    answers = [
        person.log_in(recovery_code=text)
        for text in ("AAAAA-AAAAA", "", "x" * 5000, guarded.codes[0][:-1], "ß")
    ]
    for answer in answers:
        assert (answer.status_code, said(answer)) == (401, said(wrong_password))
    assert person.log_in(recovery_code=guarded.codes[0]).status_code == 429, "six failures"


def test_a_code_and_a_recovery_code_together_are_a_bad_request(guarded: Guarded) -> None:
    answer = guarded.person.log_in(totp=guarded.code(), recovery_code=guarded.codes[0])
    assert code_of(answer) == (400, "two_codes")


def test_new_recovery_codes_replace_the_old_ones_and_end_the_other_sessions(guarded: Guarded) -> None:
    other = guarded.person.log_in(totp=guarded.code()).json()
    for claims in ({}, {"code": "000000"}, {"recovery_code": guarded.codes[0]}):
        assert code_of(guarded.factor("recovery_codes", **claims)) == (400, "wrong_code"), claims
    answer = guarded.factor("recovery_codes", code=guarded.code())
    assert answer.status_code == 200, answer.text
    codes = answer.json()["recovery_codes"]
    assert len(set(codes) - set(guarded.codes)) == 10
    assert guarded.person.log_in(recovery_code=guarded.codes[0]).status_code == 401
    assert guarded.person.log_in(recovery_code=codes[0]).status_code == 200
    introspect = [
        guarded.shop.post("/v1/introspect", token=tokens["access_token"]).json()["active"]
        for tokens in (guarded.tokens, other)
    ]
    assert introspect == [True, False]


def test_recovery_codes_are_for_who_has_a_second_factor(person: Person) -> None:
    access = person.tokens()["access_token"]
    answer = person.shop.post("/v1/mfa/totp", access_token=access, action="recovery_codes", code="123456")
    assert code_of(answer) == (409, "no_second_factor")


def test_who_lost_the_app_ends_the_factor_by_recovery_codes(guarded: Guarded) -> None:
    guarded.tokens = guarded.person.log_in(recovery_code=guarded.codes[0]).json()
    assert code_of(guarded.factor("disable", recovery_code=guarded.codes[0])) == (400, "wrong_code")
    answer = guarded.factor("disable", recovery_code=guarded.codes[1])
    assert answer.json() == {"state": "disabled"}
    assert guarded.person.log_in().status_code == 200
    assert guarded.exported()["recovery_codes_left"] == 0
    renewed = Guarded(guarded.person)
    assert guarded.person.log_in(recovery_code=guarded.codes[2]).status_code == 401, "of the old factor"
    assert guarded.person.log_in(recovery_code=renewed.codes[2]).status_code == 200


def test_a_recovery_code_of_somebody_else_is_a_wrong_one(guarded: Guarded) -> None:
    other = Guarded(joined(Person(guarded.shop, fresh_email(), fresh_password())))
    assert guarded.person.log_in(recovery_code=other.codes[0]).status_code == 401
    assert other.exported()["recovery_codes_left"] == 10


@pytest.mark.parametrize(
    "fault",
    [
        {"match": "kms.Decrypt", "rate": 1, "status": 400, "type": "DisabledException"},
        {"match": "dynamodb.TransactWriteItems", "rate": 1, "status": 400, "type": "ThrottlingException"},
        {"match": "sqs.SendMessage", "rate": 1, "status": 503, "type": "ServiceUnavailable"},
    ],
    ids=["KMS", "DynamoDB", "SQS"],
)
def test_an_outage_spends_no_recovery_code_and_counts_nothing(
    guarded: Guarded, faults: Faults, fault: dict[str, object]
) -> None:
    faults.inject(fault)
    for _ in range(7):
        assert guarded.person.log_in(recovery_code=guarded.codes[0]).status_code == 503
    faults.clear()
    assert guarded.person.log_in(recovery_code=guarded.codes[0]).status_code == 200


def test_a_new_password_by_mail_keeps_the_recovery_codes(guarded: Guarded) -> None:
    person, password = guarded.person, fresh_password()
    person.shop.post("/v1/password/forgot", email=person.email)
    token = mailed(guarded.suite, person.email, "reset")
    assert person.shop.post("/v1/password/reset", token=token, password=password).status_code == 204
    person.password = password
    assert person.log_in(recovery_code=guarded.codes[0]).status_code == 200


def test_recovery_codes_come_along_with_the_factor_at_a_merge(shop: Company, group: Company) -> None:
    phone, password = f"+3519{time.time_ns() % 10**8:08}", fresh_password()
    lines = [
        line(phone=phone, phone_verified=True),
        line(phone=phone, phone_verified=True, password_hash=hashed(password)),
    ]
    _, [one, two] = run(shop, lines)
    guarded = Guarded(Person(shop, lines[1]["email"], password, two["user_id"]))
    assert group.post(f"/v1/users/{one['user_id']}/merge", other=two["user_id"]).status_code == 200
    answer = guarded.person.log_in(recovery_code=guarded.codes[0])
    assert answer.json().get("user_id") == one["user_id"], answer.text


def test_whoever_proves_a_never_verified_mailbox_finds_no_factor_of_a_stranger(shop: Company) -> None:
    password = fresh_password()
    imported = line(email_verified=False, password_hash=hashed(password))
    _, [made] = run(shop, [imported])
    stranger = Guarded(Person(shop, imported["email"], password, made["user_id"]))
    shop.post("/v1/password/forgot", email=imported["email"])
    token = mailed(shop.suite, imported["email"], "reset")
    chosen = fresh_password()
    assert shop.post("/v1/password/reset", token=token, password=chosen).status_code == 204
    owner = Person(shop, imported["email"], chosen)
    assert owner.log_in().status_code == 200
    assert stranger.exported()["recovery_codes_left"] == 0


def test_a_recovery_code_signs_on_at_the_pages(guarded: Guarded) -> None:
    application, visitor = Application(guarded.suite), Visitor(guarded.suite)
    page = visitor.sign_in(application, guarded.person.email, guarded.person.password)
    assert Form(page).names == ["code", "recovery_code"]
    wrong = visitor.submit(page, recovery_code="AAAAA-AAAAA")
    assert (wrong.status_code, "<details open>" in wrong.text) == (401, True)
    code = told(visitor.submit(wrong, recovery_code=guarded.codes[0].lower()))["code"]
    assert application.read(application.exchange(code).json()["id_token"])["sub"] == guarded.person.id
    visitor = Visitor(guarded.suite)
    page = visitor.sign_in(application, guarded.person.email, guarded.person.password)
    assert visitor.submit(page, recovery_code=guarded.codes[0]).status_code == 401, "it is spent"


# ---- the delayed reset


def cancel_tokens(suite: Suite, *emails: str) -> list[str]:
    return [mailed(suite, email, "recovery") for email in emails]


def with_three_mailboxes(shop: Company, group: Company) -> tuple[Guarded, list[str]]:
    """Return somebody with a main address, one of an account that was merged, and one of before."""
    phone = f"+3519{time.time_ns() % 10**8:08}"
    lines = [
        line(phone=phone, phone_verified=True, password_hash=hashed(password := fresh_password())),
        line(phone=phone, phone_verified=True),
    ]
    _, [one, two] = run(shop, lines)
    assert group.post(f"/v1/users/{one['user_id']}/merge", other=two["user_id"]).status_code == 200
    person = Person(shop, lines[0]["email"], password, one["user_id"])
    new, old = fresh_email("newer"), person.email
    person.ask_for_address(new)
    assert shop.post("/v1/verify", token=mailed(shop.suite, new, "email")).json()["state"] == "verified"
    person.email = new
    return Guarded(person), [new, lines[1]["email"], old]


def test_a_reset_waits_for_a_day_and_asking_again_changes_nothing(guarded: Guarded) -> None:
    asked = guarded.ask(second_factor=True)
    assert (asked.status_code, asked.json()["state"]) == (202, "pending"), asked.text
    assert abs(asked.json()["due"] - time.time() - DAY_S) < 60
    [token] = cancel_tokens(guarded.suite, guarded.person.email)
    again = guarded.ask(second_factor=True)
    assert (again.status_code, again.json()) == (202, asked.json())
    for other in ({"email": fresh_email()}, {"second_factor": True, "email": fresh_email()}):
        assert code_of(guarded.ask(**other)) == (409, "recovery_pending")
    assert code_of(guarded.person.log_in()) == (401, "second_factor_required"), "nothing has changed"
    [mail] = mails(guarded.suite, guarded.person.email, "recovery")
    assert (mail["token"], token in mail["text"], "The Shop" in mail["text"]) == (token, True, True)
    assert time.strftime("%d %B %Y, %H:%M:%S UTC", time.gmtime(asked.json()["due"])) in mail["text"]


@pytest.mark.timeout(300)
def test_each_known_mailbox_can_stop_a_reset(shop: Company, group: Company) -> None:
    guarded, addresses = with_three_mailboxes(shop, group)
    for place, address in enumerate(addresses):
        earlier = frozenset(mail["token"] for each in addresses for mail in mails(guarded.suite, each))
        assert guarded.ask(second_factor=True).status_code == 202
        tokens = [mailed(guarded.suite, each, "recovery", earlier) for each in addresses]
        assert len(set(tokens)) == 3, "each mailbox has a token of its own"
        stopped = shop.post("/v1/verify", token=tokens[place])
        assert stopped.json() == {"user_id": guarded.person.id, "state": "cancelled"}, address
        assert guarded.exported()["recovery"]["state"] == "cancelled"
        assert shop.post("/v1/verify", token=tokens[place]).json()["state"] == "cancelled", "sent again"
    assert guarded.person.log_in(totp=guarded.code()).status_code == 200
    for address in addresses:
        wait_until(partial(mails, guarded.suite, address, "recovery_cancelled"), what=f"mail to {address}")


def test_the_same_call_after_the_time_takes_the_factor_away(guarded: Guarded) -> None:
    with resets_due_at_once(guarded.suite):
        assert guarded.ask(second_factor=True).status_code == 202
    [token] = cancel_tokens(guarded.suite, guarded.person.email)
    time.sleep(1.5)
    assert code_of(guarded.person.log_in()) == (401, "second_factor_required"), "not by itself"
    done = guarded.ask(second_factor=True)
    assert (done.status_code, done.json()) == (200, {"state": "done"}), done.text
    assert guarded.person.log_in().status_code == 200
    access = guarded.tokens["access_token"]
    assert guarded.shop.post("/v1/introspect", token=access).json() == {"active": False}
    exported = guarded.exported()
    assert (exported["second_factor"], exported["recovery_codes_left"]) == (False, 0)
    actions = [entry["action"] for entry in exported["trail"]]
    assert [action for action in actions if "recovery" in action] == ["recovery_asked", "recovery_done"]
    assert guarded.ask(second_factor=True).json() == {"state": "done"}, "sent again"
    assert code_of(guarded.shop.post("/v1/verify", token=token)) == (400, "invalid_token"), "too late"
    wait_until(lambda: mails(guarded.suite, guarded.person.email, "recovery_done"))


def test_who_lost_the_mailbox_gets_another_address_that_they_prove(guarded: Guarded) -> None:
    suite, old, new = guarded.suite, guarded.person.email, fresh_email("recovered")
    with resets_due_at_once(suite):
        assert guarded.ask(email=new).status_code == 202
    cancel_tokens(suite, old)
    assert guarded.person.log_in(totp=guarded.code()).json()["recovery_due"] <= time.time() + 1
    assert mails(suite, new) == [], "nobody has shown that it is theirs"
    time.sleep(1.5)
    assert guarded.ask(email=new).json() == {"state": "done"}
    first = mailed(suite, new, "email")
    assert guarded.ask(email=new).json() == {"state": "done"}
    second = mailed(suite, new, "email", frozenset({first}))
    assert guarded.shop.get(f"/v1/users/{guarded.person.id}").json()["profile"]["email"] == old
    assert guarded.shop.post("/v1/verify", token=second).json()["state"] == "verified"
    guarded.person.email = new
    assert guarded.person.log_in(totp=guarded.code()).status_code == 200, "the factor is still theirs"
    assert code_of(guarded.ask(email=new)) == (409, "nothing_to_recover")
    for address in (old, new):
        wait_until(partial(mails, suite, address, "new_address"), what=f"mail to {address}")


def test_a_reset_of_both_gives_both(guarded: Guarded) -> None:
    new = fresh_email("recovered")
    with resets_due_at_once(guarded.suite):
        assert guarded.ask(email=new, second_factor=True).status_code == 202
    time.sleep(1.5)
    assert guarded.ask(email=new, second_factor=True).json() == {"state": "done"}
    token = mailed(guarded.suite, new, "email")
    assert guarded.shop.post("/v1/verify", token=token).json()["state"] == "verified"
    guarded.person.email = new
    assert guarded.person.log_in().status_code == 200


def test_a_new_password_makes_a_reset_void(guarded: Guarded) -> None:
    """Who still logs in with everything stops it so; for a stranger the time begins anew."""
    password = fresh_password()
    with resets_due_at_once(guarded.suite):
        assert guarded.ask(second_factor=True).status_code == 202
    changed = guarded.shop.post(
        "/v1/password/change",
        access_token=guarded.tokens["access_token"],
        current=guarded.person.password,
        password=password,
    )
    assert changed.status_code == 204
    guarded.person.password = password
    time.sleep(1.5)
    anew = guarded.ask(second_factor=True)
    assert anew.status_code == 202, "a stranger's wait begins anew"
    assert anew.json()["due"] > time.time() + DAY_S - 60
    assert code_of(guarded.person.log_in()) == (401, "second_factor_required")


def test_a_code_of_the_factor_that_is_said_to_be_lost_stops_its_reset(guarded: Guarded) -> None:
    with resets_due_at_once(guarded.suite):
        assert guarded.ask(second_factor=True).status_code == 202
    assert "recovery_due" not in guarded.person.log_in(totp=guarded.code()).json()
    assert guarded.exported()["recovery"]["state"] == "cancelled"
    time.sleep(1.5)
    assert guarded.ask(second_factor=True).status_code == 202, "asked anew, and not done"
    assert code_of(guarded.person.log_in()) == (401, "second_factor_required")


def test_a_recovery_code_stops_no_reset_of_the_factor(guarded: Guarded) -> None:
    due = guarded.ask(second_factor=True).json()["due"]
    assert guarded.person.log_in(recovery_code=guarded.codes[0]).json()["recovery_due"] == due


def test_a_company_recovers_its_own_people_alone_and_the_group_anybody(
    guarded: Guarded, group: Company
) -> None:
    bank = Company(guarded.suite, "bank-of-strangers")
    assert code_of(guarded.ask(bank, second_factor=True)) == (403, "not_of_company")
    unallowed = Company(guarded.suite, "shop-help", company="shop", scopes=["users:read", "users:write"])
    assert code_of(guarded.ask(unallowed, second_factor=True)) == (403, "insufficient_scope")
    assert guarded.ask(group, second_factor=True).status_code == 202


@pytest.mark.parametrize("claims", [{}, {"second_factor": False}, {"second_factor": True}], ids=str)
def test_a_reset_of_nothing_is_a_conflict(person: Person, claims: dict[str, Any]) -> None:
    answer = person.shop.post(f"/v1/users/{person.id}/recovery", **claims)
    assert code_of(answer) == (409, "nothing_to_recover")
    same = person.shop.post(f"/v1/users/{person.id}/recovery", email=person.email, **claims)
    assert code_of(same) == (409, "nothing_to_recover")


@pytest.mark.parametrize(
    "claims", [{"second_factor": "yes"}, {"email": 1}, {"email": "x"}, {"who": "me"}], ids=str
)
def test_a_malformed_reset_is_a_bad_request(person: Person, claims: dict[str, Any]) -> None:
    assert person.shop.post(f"/v1/users/{person.id}/recovery", **claims).status_code == 400


def test_an_outage_loses_no_reset(guarded: Guarded, faults: Faults) -> None:
    for match in ("kms.Decrypt", "kms.GenerateDataKey", "sqs.SendMessage", "dynamodb.TransactWriteItems"):
        faults.inject({"match": match, "rate": 1, "status": 400, "type": "ThrottlingException"})
        assert guarded.ask(second_factor=True).status_code == 503, match
    faults.clear()
    assert guarded.exported()["recovery"] is None
    with resets_due_at_once(guarded.suite):
        wait_until(lambda: guarded.ask(second_factor=True).status_code == 202, what="functions that recover")
    time.sleep(1.5)
    for match in ("kms.Decrypt", "kms.GenerateDataKey", "sqs.SendMessage", "dynamodb.TransactWriteItems"):
        faults.inject({"match": match, "rate": 1, "status": 400, "type": "ThrottlingException"})
        assert guarded.ask(second_factor=True).status_code == 503, match
    faults.clear()
    assert guarded.ask(second_factor=True).json() == {"state": "done"}


def test_an_account_without_a_log_in_is_not_reset(newcomer: Person, suite: Suite) -> None:
    shop = newcomer.shop
    shop.post("/v1/signup", email=newcomer.email, password=newcomer.password)
    token = mailed(suite, newcomer.email, "verify")
    assert token
    _, [imported] = run(shop, [line(email=newcomer.email)])
    user = imported.get("with") or imported["user_id"]
    answer = shop.post(f"/v1/users/{user}/recovery", email=fresh_email())
    assert code_of(answer) == (409, "not_active"), imported
