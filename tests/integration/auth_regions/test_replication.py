"""What is written in one region is known in the other: people, edits, credentials, erasure, imports."""

from __future__ import annotations

import json
import secrets
import time
from base64 import b32decode

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from local.clients.regions import NAMES, Pair
from local.clients.table_dump import readable
from tests.integration.auth.conftest import fresh_email, fresh_password, joined, mailed
from tests.integration.auth.test_imports import hashed, line, run
from tests.integration.auth_regions.conftest import (
    at,
    newcomer,
    profile_in,
    somebody,
)


@pytest.mark.parametrize("place", range(2), ids=NAMES)
def test_who_signed_up_in_one_region_logs_in_in_the_other(pair: Pair, place: int) -> None:
    here = pair.regions[place]
    person = somebody(pair, here, given_name="Ada")
    tokens = at(pair.other(here), person).tokens()
    assert tokens["user_id"] == person.id
    assert profile_in(pair.other(here), person.id)["given_name"] == "Ada"


def test_edits_of_different_fields_in_both_regions_stay(pair: Pair) -> None:
    person = somebody(pair, pair.a)
    with pair.apart():
        answer = pair.a.shop.ask("PATCH", f"/v1/users/{person.id}", {"given_name": "Ada", "nickname": "a"})
        assert answer.status_code == 200, answer.text
        answer = pair.b.shop.ask("PATCH", f"/v1/users/{person.id}", {"family_name": "Byron"})
        assert answer.status_code == 200, answer.text
    pair.settle()
    for region in pair:
        known = profile_in(region, person.id)
        assert (known["given_name"], known["family_name"], known["nickname"]) == ("Ada", "Byron", "a")


def test_a_reset_in_one_region_ends_sessions_and_old_password_in_the_other(pair: Pair) -> None:
    person = somebody(pair, pair.a)
    there = at(pair.b, person)
    tokens = there.tokens()
    assert pair.a.shop.post("/v1/password/forgot", email=person.email).status_code == 202
    token = mailed(pair.a.suite, person.email, "reset")
    fresh = fresh_password()
    assert pair.a.shop.post("/v1/password/reset", token=token, password=fresh).status_code == 204
    pair.settle()
    refreshed = pair.b.shop.post("/v1/token/refresh", refresh_token=tokens["refresh_token"])
    assert (refreshed.status_code, refreshed.json()["code"]) == (401, "invalid_grant")
    assert pair.b.shop.post("/v1/introspect", token=tokens["access_token"]).json() == {"active": False}
    assert there.log_in().status_code == 401
    there.password = fresh
    assert there.log_in().status_code == 200


def test_resets_in_both_regions_at_once_end_every_session(pair: Pair) -> None:
    person = somebody(pair, pair.a)
    sessions = {region.name: at(region, person).tokens() for region in pair}
    mailed_to = {}
    for region in pair:
        assert region.shop.post("/v1/password/forgot", email=person.email).status_code == 202
        mailed_to[region.name] = mailed(region.suite, person.email, "reset")
    passwords = {region.name: fresh_password() for region in pair}
    after = {}
    with pair.apart():
        for region in pair:
            answer = region.shop.post(
                "/v1/password/reset", token=mailed_to[region.name], password=passwords[region.name]
            )
            assert answer.status_code == 204, answer.text
            answer = region.shop.post("/v1/login", email=person.email, password=passwords[region.name])
            after[region.name] = answer.json()
    pair.settle()
    for region in pair:
        for tokens in (sessions[region.name], after[region.name]):
            refreshed = region.shop.post("/v1/token/refresh", refresh_token=tokens["refresh_token"])
            assert refreshed.status_code == 401
    logged_in = [
        password
        for password in passwords.values()
        for answer in [pair.b.shop.post("/v1/login", email=person.email, password=password)]
        if answer.status_code == 200
    ]
    assert len(logged_in) == 1, "one of the two passwords counts, the same in both regions"
    assert pair.a.shop.post("/v1/login", email=person.email, password=logged_in[0]).status_code == 200


def test_an_erased_account_is_gone_everywhere_with_its_sessions_and_keys(pair: Pair) -> None:
    person = somebody(pair, pair.a, given_name="Hyacinthus")
    at(pair.b, person).tokens()
    assert pair.a.shop.ask("DELETE", f"/v1/users/{person.id}").status_code == 204
    pair.settle()
    for region in pair:
        assert region.shop.get(f"/v1/users/{person.id}").status_code == 410
        [item] = region.items(f"U#{person.id}")
        assert "data" not in item
        assert person.id not in region.owners().values()


@pytest.mark.parametrize("place", range(2), ids=["erased first", "edited first"])
def test_erasure_wins_over_an_edit_in_the_other_region(pair: Pair, place: int) -> None:
    person = somebody(pair, pair.a)

    def erase() -> None:
        assert pair.a.shop.ask("DELETE", f"/v1/users/{person.id}").status_code == 204

    def edit() -> None:
        answer = pair.b.shop.ask("PATCH", f"/v1/users/{person.id}", {"nickname": "too late"})
        assert answer.status_code == 200, answer.text

    first, second = (erase, edit) if place == 0 else (edit, erase)
    with pair.apart():
        first()
        second()
    pair.settle()
    for region in pair:
        assert region.shop.get(f"/v1/users/{person.id}").status_code == 410


def test_one_address_signed_up_in_both_regions_is_one_account(pair: Pair) -> None:
    first, second = newcomer(pair.a), newcomer(pair.b)
    second.email = first.email
    with pair.apart():
        joined(first, given_name="Ada")
        joined(second, family_name="Byron")
    pair.settle()
    ends = {region.owners()[alias] for region in pair for alias in region.owners()}
    assert len({first.id, second.id} & ends) == 1
    for region in pair:
        known = [region.shop.get(f"/v1/users/{user}").json() for user in (first.id, second.id)]
        assert known[0] == known[1]
        assert (known[0]["profile"]["given_name"], known[0]["profile"]["family_name"]) == ("Ada", "Byron")


def test_a_recovery_code_that_was_used_is_used_in_the_other_region_too(pair: Pair) -> None:
    person = somebody(pair, pair.a)
    tokens = person.tokens()
    enrolled = pair.a.shop.post(
        "/v1/mfa/totp", access_token=tokens["access_token"], action="enrol", current=person.password
    ).json()
    totp = TOTP(b32decode(enrolled["secret"]), 6, SHA1(), 30)  # noqa: S303 - what authenticator apps speak
    code = totp.generate(int(time.time())).decode()
    confirmed = pair.a.shop.post(
        "/v1/mfa/totp", access_token=tokens["access_token"], action="confirm", code=code
    ).json()
    pair.settle()
    used, other = confirmed["recovery_codes"][:2]
    there = at(pair.b, person)
    assert there.log_in().json()["code"] == "second_factor_required"
    assert person.log_in(recovery_code=used).status_code == 200
    pair.settle()
    assert there.log_in(recovery_code=used).status_code == 401
    assert there.log_in(recovery_code=other).status_code == 200


def test_a_file_imported_in_both_regions_at_once_makes_each_person_once(pair: Pair) -> None:
    """Lines of two companies with one verified address, in another order in each region: each region merges
    the two the other way around."""
    lines = []
    for _ in range(5):
        email = fresh_email()
        lines.append([
            line(email=email, company=company, id=secrets.token_hex(4), password_hash=hashed("old " * 4))
            for company in ("north", "south")
        ])  # fmt: skip
    with pair.apart():
        run(pair.a.group, [each for two in lines for each in two])
        run(pair.b.group, [each for two in lines for each in two[::-1]])
    pair.settle(90)
    for region in pair:
        owners = set(region.owners().values())
        accounts = region.accounts()
        for two in lines:
            answer = region.shop.post("/v1/login", email=two[0]["email"], password="old " * 4)
            assert answer.status_code == 200, answer.text
            assert answer.json()["user_id"] in owners
            ids = profile_in(region, answer.json()["user_id"])["companies"]
            assert {name: known["ids"] for name, known in ids.items() if known["ids"]} == {
                each["company"]: [each["id"]] for each in two
            }
        assert all(accounts[user][0] == "active" for user in owners)


def test_nothing_personal_lies_readable_in_the_other_region(pair: Pair) -> None:
    person = somebody(pair, pair.a, given_name="Wilhelmina", street_address="7 Larkspur Terrace")
    seen = readable(pair.b.suite.client("dynamodb"), pair.b.told["table"])
    assert person.id in seen
    for text in (person.email, "Wilhelmina", "Larkspur", person.password, "$argon2"):
        assert text not in seen


def test_records_decrypt_by_the_key_of_their_own_region_alone(pair: Pair) -> None:
    person = somebody(pair, pair.a)
    for region in pair:
        user = region.user(person.id)
        assert user is not None
        assert user.sealed is not None
        with pytest.raises(Exception, match=r"InvalidCiphertext|IncorrectKey"):
            pair.other(region).suite.client("kms").decrypt(
                CiphertextBlob=user.sealed.keys[region.name],
                KeyId=pair.other(region).told["key"],
                EncryptionContext=user.context,
            )
    assert json.dumps(pair.a.told) != json.dumps(pair.b.told)
