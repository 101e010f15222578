"""Many at once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import requests

from local.clients.company import Company
from local.suite import Suite
from tests.integration.auth.conftest import Person, fresh_email, fresh_password, mails
from tests.support.waiting import wait_until

MANY = 50


def at_once(company: Company, path: str, *payloads: dict[str, str]) -> list[requests.Response]:
    """Send requests that were signed beforehand side by side."""
    tokens = [company.sign(company.claims("POST", path, payload)) for payload in payloads]
    with ThreadPoolExecutor(len(tokens)) as pool:
        return list(pool.map(lambda token: company.send("POST", path, token), tokens))


def test_fifty_sign_ups_of_one_address_make_one_account(suite: Suite) -> None:
    crowd = Company(suite, "crowd")
    email, passwords = fresh_email("crowd"), [fresh_password() for _ in range(MANY)]
    answers = at_once(
        crowd, "/v1/signup", *[{"email": email, "password": password} for password in passwords]
    )
    # Five mails an hour: whoever comes later has to wait, and that is all that tells them apart.
    assert Counter(answer.status_code for answer in answers) == {202: 5, 429: MANY - 5}
    wait_until(lambda: len(mails(suite, email)) == 5, what="five mails")
    newcomers = mails(suite, email, "verify")
    assert len(newcomers) == 1, "one new account, and four who are told that there is one"
    owner = {"token": newcomers[0]["token"], "password": fresh_password()}
    assert crowd.post("/v1/password/reset", **owner).status_code == 204
    [user] = {crowd.post("/v1/login", email=email, password=owner["password"]).json()["user_id"]}
    assert crowd.get(f"/v1/users/{user}/export").json()["same_identifier"] == []


def test_fifty_refreshes_of_one_token_have_one_successor(person: Person) -> None:
    tokens = person.tokens()
    answers = at_once(person.shop, "/v1/token/refresh", *[{"refresh_token": tokens["refresh_token"]}] * MANY)
    assert Counter(answer.status_code for answer in answers) == {200: MANY}
    successors = {answer.json()["refresh_token"] for answer in answers}
    assert len(successors) == 1
    assert len({answer.json()["access_token"] for answer in answers}) == MANY
    next_one = person.shop.post("/v1/token/refresh", refresh_token=successors.pop())
    assert next_one.status_code == 200, "no false revocation"


def test_one_request_sent_fifty_times_is_answered_once(person: Person) -> None:
    shop = person.shop
    claims = shop.claims("POST", "/v1/login", {"email": person.email, "password": person.password})
    token = shop.sign(claims)
    with ThreadPoolExecutor(MANY) as pool:
        answers = list(pool.map(lambda _: shop.send("POST", "/v1/login", token), range(MANY)))
    assert Counter(answer.status_code for answer in answers)[200] == 1


def test_edits_side_by_side_are_all_kept(person: Person) -> None:
    shop = person.shop
    fields = ("given_name", "family_name", "nickname", "locality", "street_address", "postal_code")
    tokens = [
        shop.sign(shop.claims("PATCH", f"/v1/users/{person.id}", {field: f"new {field}"[:20]}))
        for field in fields
    ]
    with ThreadPoolExecutor(len(tokens)) as pool:
        answers = list(pool.map(lambda token: shop.send("PATCH", f"/v1/users/{person.id}", token), tokens))
    kept = {field for field, answer in zip(fields, answers, strict=True) if answer.status_code == 200}
    assert {answer.status_code for answer in answers} <= {200, 503}
    profile = shop.get(f"/v1/users/{person.id}").json()["profile"]
    assert kept
    assert {field for field in fields if profile.get(field, "").startswith("new ")} == kept


def test_guesses_side_by_side_are_not_more_than_ten(person: Person) -> None:
    payloads = [{"email": person.email, "password": fresh_password()} for _ in range(20)]
    payloads += [{"email": person.email, "password": person.password}]
    answers = at_once(person.shop, "/v1/login", *payloads)
    tried = person.shop.get(f"/v1/users/{person.id}/export").json()["trail"]
    outcomes = Counter[str]()
    for entry in tried:
        if entry["action"] == "login":
            outcomes[entry["outcome"]] += entry["times"]
    assert outcomes["wrong_password"] <= 10 * (1 + outcomes["ok"]), outcomes  # a success begins a new count
    assert {answer.status_code for answer in answers} <= {200, 401, 429}
