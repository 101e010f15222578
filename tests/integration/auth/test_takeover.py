"""Ways into somebody else's account that must stay shut, and states that nobody may be stuck in."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from local.clients.company import Company
from local.suite import Suite
from tests.conftest import Faults
from tests.integration.auth.conftest import Person, fresh_email, fresh_password, joined, mailed
from tests.integration.auth.test_imports import finished, hashed, line, run
from tests.support.totp import totp


def fresh_phone() -> str:
    return f"+3519{secrets.randbelow(10**8):08}"


def test_a_token_proves_the_address_that_it_was_mailed_to_and_no_other(person: Person, suite: Suite) -> None:
    """Ask for an own address, then for somebody else's, and use the token of the first."""
    shop, own, victims = person.shop, fresh_email("own"), fresh_email("victim")
    person.ask_for_address(own)
    token = mailed(suite, own, "email")
    person.ask_for_address(victims)
    answer = shop.post("/v1/verify", token=token)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_token")
    assert shop.get(f"/v1/users/{person.id}").json()["profile"]["email"] == person.email
    victim = joined(Person(shop, victims, fresh_password()))
    assert victim.id != person.id


def test_a_reset_of_an_address_that_was_changed_is_no_longer_good(person: Person, suite: Suite) -> None:
    shop, old, new = person.shop, person.email, fresh_email("new")
    shop.post("/v1/password/forgot", email=old)
    token = mailed(suite, old, "reset")
    person.ask_for_address(new)
    assert shop.post("/v1/verify", token=mailed(suite, new, "email")).json()["state"] == "verified"
    answer = shop.post("/v1/password/reset", token=token, password=fresh_password())
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_token")


def test_whoever_takes_over_an_unverified_account_finds_nothing_of_a_stranger(
    newcomer: Person, suite: Suite
) -> None:
    shop = newcomer.shop
    left = {"given_name": "Mallory", "phone": fresh_phone(), "street_address": "1 Trap Street"}
    shop.post("/v1/signup", email=newcomer.email, password=fresh_password(), profile=left)
    shop.post("/v1/password/forgot", email=newcomer.email)
    token = mailed(suite, newcomer.email, "reset")
    assert shop.post("/v1/password/reset", token=token, password=newcomer.password).status_code == 204
    user = newcomer.tokens()["user_id"]
    profile = shop.get(f"/v1/users/{user}").json()["profile"]
    assert set(profile) == {"email", "email_verified", "companies"}


def test_a_reset_ends_sessions_though_they_cannot_be_deleted(
    person: Person, suite: Suite, faults: Faults
) -> None:
    shop, before, password = person.shop, person.tokens(), fresh_password()
    shop.post("/v1/password/forgot", email=person.email)
    token = mailed(suite, person.email, "reset")
    faults.inject({"match": "dynamodb.Query", "rate": 1, "status": 400, "type": "ThrottlingException"})
    assert shop.post("/v1/password/reset", token=token, password=password).status_code == 204
    faults.clear()
    for token in (before["access_token"], before["refresh_token"]):
        assert shop.post("/v1/introspect", token=token).json() == {"active": False}
    after = shop.post("/v1/token/refresh", refresh_token=before["refresh_token"])
    assert after.status_code == 401


def test_the_right_password_of_an_unverified_account_never_locks_it(newcomer: Person, suite: Suite) -> None:
    shop = newcomer.shop
    shop.post("/v1/signup", email=newcomer.email, password=newcomer.password)
    assert {newcomer.log_in().status_code for _ in range(12)} == {403}
    token = mailed(suite, newcomer.email, "verify")
    assert shop.post("/v1/verify", token=token, password=newcomer.password).status_code == 200
    assert newcomer.log_in().status_code == 200


def test_a_merge_keeps_the_second_factor_that_guarded_a_password(shop: Company, group: Company) -> None:
    phone, password = fresh_phone(), fresh_password()
    lines = [
        line(phone=phone, phone_verified=True),
        line(phone=phone, phone_verified=True, password_hash=hashed(password)),
    ]
    _, [one, two] = run(shop, lines)
    guarded = Person(shop, lines[1]["email"], password, two["user_id"])
    tokens = guarded.tokens()
    secret = factor(shop, tokens, "enrol", current=password)["secret"]
    assert factor(shop, tokens, "confirm", code=totp(secret))["state"] == "enabled"
    assert group.post(f"/v1/users/{one['user_id']}/merge", other=guarded.id).status_code == 200
    lacking = guarded.log_in()
    assert (lacking.status_code, lacking.json()["code"]) == (401, "second_factor_required")
    assert guarded.log_in(totp=totp(secret)).status_code == 401, "its code stays spent"
    assert guarded.log_in(totp=totp(secret, 30)).json()["user_id"] == one["user_id"]


def factor(shop: Company, tokens: dict[str, Any], action: str, **more: str) -> Any:
    return shop.post("/v1/mfa/totp", access_token=tokens["access_token"], action=action, **more).json()


def test_codes_cannot_be_guessed_to_end_a_second_factor(person: Person) -> None:
    shop, tokens = person.shop, person.tokens()
    secret = factor(shop, tokens, "enrol", current=person.password)["secret"]
    assert factor(shop, tokens, "confirm", code=totp(secret))["state"] == "enabled"
    codes = [factor(shop, tokens, "disable", code=f"{guess:06}")["code"] for guess in range(8)]
    assert codes[-1] == "too_many_attempts"
    assert set(codes) == {"wrong_code", "too_many_attempts"}


def test_erasing_by_the_id_of_a_merged_account_erases_the_person(shop: Company, group: Company) -> None:
    phone = fresh_phone()
    _, [one, two] = run(
        shop, [line(phone=phone, phone_verified=True), line(phone=phone, phone_verified=True)]
    )
    assert group.post(f"/v1/users/{one['user_id']}/merge", other=two["user_id"]).status_code == 200
    assert shop.ask("DELETE", f"/v1/users/{two['user_id']}").status_code == 204
    for user in (one["user_id"], two["user_id"]):
        assert shop.get(f"/v1/users/{user}").status_code == 410


def test_a_phone_that_another_account_holds_can_be_changed_and_removed(shop: Company) -> None:
    phone = fresh_phone()
    _, [_, two] = run(shop, [line(phone=phone, phone_verified=True), line(phone=phone, phone_verified=True)])
    changed = shop.ask("PATCH", f"/v1/users/{two['user_id']}", {"phone": fresh_phone()})
    assert changed.status_code == 200, changed.text
    assert changed.json()["profile"]["phone_verified"] is False
    assert shop.ask("PATCH", f"/v1/users/{two['user_id']}", {"phone": None}).status_code == 200


def test_a_verified_phone_that_joins_an_account_logs_in(group: Company) -> None:
    email, phone, password = fresh_email(), fresh_phone(), fresh_password()
    lines = [
        line(company="shop", email=email, password_hash=hashed(password)),
        line(company="bank", email=email, phone=phone, phone_verified=True),
    ]
    _, [one, two] = run(group, lines)
    assert (two["result"], two["user_id"]) == ("merged", one["user_id"])
    answer = group.post("/v1/login", phone=phone, password=password)
    assert answer.json().get("user_id") == one["user_id"], answer.text


def test_who_loses_an_address_to_a_verified_import_loses_the_sessions(person: Person, suite: Suite) -> None:
    """As if the address had never been verified: the import's is."""
    group = Company(suite, "group-of-two", company="*")
    _, [made] = run(
        group, [line(company="shop", email_verified=False, password_hash=hashed(person.password))]
    )
    user = made["user_id"]
    email = group.get(f"/v1/users/{user}").json()["profile"]["email"]
    tokens = Person(group, email, person.password).tokens()
    _, [winner] = run(group, [line(company="bank", email=email)])
    assert (winner["result"], winner["with"]) == ("created", user)
    assert group.post("/v1/token/refresh", refresh_token=tokens["refresh_token"]).status_code == 401
    change = group.post(
        "/v1/password/change", access_token=tokens["access_token"], current="x", password=fresh_password()
    )
    assert (change.status_code, change.json()["code"]) == (401, "invalid_token")


@pytest.mark.parametrize(
    ("method", "path", "payload", "status"),
    [
        ("PATCH", "/v1/users/{id}", {"email": 1}, 400),
        ("PATCH", "/v1/users/{id}", {"email": None}, 400),
        ("PATCH", "/v1/users/{id}", {"name": "\ud800"}, 401),
        ("POST", "/v1/verify", {"token": "\ud800"}, 401),
        ("POST", "/v1/token/refresh", {"refresh_token": "A" * 48 + ".\ud800"}, 401),
        ("POST", "/v1/login", {"email": "a@example.org", "password": "\udfff"}, 401),
    ],
    ids=str,
)
def test_half_characters_and_odd_values_are_refused_and_no_5xx(
    person: Person, method: str, path: str, payload: dict[str, Any], status: int
) -> None:
    answer = person.shop.ask(method, path.replace("{id}", person.id), payload)
    assert answer.status_code == status, answer.text


def test_a_line_with_half_a_character_is_refused_and_stops_nobody(shop: Company) -> None:
    bad = b'{"id":"\\ud800","email":"half@example.org"}'
    _, report = run(shop, bad + b"\n" + json.dumps(line()).encode())
    assert [outcome["result"] for outcome in report] == ["refused", "created"]


def test_the_groups_own_import_names_the_company_of_each_line(group: Company) -> None:
    _, [outcome] = run(group, [line()])
    assert outcome["code"] == "bad_field"


def test_an_upload_of_endless_lines_fails_with_a_sentence(shop: Company) -> None:
    begun = shop.post("/v1/users/import").json()
    shop.suite.http.put(begun["upload"]["url"], data=b"x" * (9 << 20)).raise_for_status()
    state, _ = finished(shop, begun["job_id"])
    assert state["state"] == "failed"
    assert "16384 bytes" in state["problem"]
