"""What companies do with accounts, from sign-up to erasure, over the deployed API."""

from __future__ import annotations

import json
import re
from typing import Any

import jwt
import pytest

from auth.identity import milliseconds
from local.clients.company import Company
from local.suite import Suite
from tests.integration.auth.conftest import (
    Person,
    fresh_email,
    fresh_password,
    joined,
    let_codes_pass,
    mailed,
    mails,
)
from tests.support.totp import totp
from tests.support.waiting import wait_until

SENT = '{"status":"mail_sent"}'


def public_key(suite: Suite, token: str) -> Any:
    """Find the key of a token where everybody finds it."""
    kid = jwt.get_unverified_header(token)["kid"]
    keys = suite.http.get(f"{suite['AuthApiUrl']}/.well-known/jwks.json").json()["keys"]
    return jwt.PyJWK(next(key for key in keys if key["kid"] == kid)).key


def test_sign_up_verify_and_log_in(newcomer: Person, suite: Suite) -> None:
    shop = newcomer.shop
    answer = shop.post(
        "/v1/signup", email=newcomer.email.upper(), password=newcomer.password, profile={"given_name": "Ada"}
    )
    assert (answer.status_code, answer.json()) == (202, {"status": "mail_sent"})
    assert answer.headers["Cache-Control"] == "no-store"
    early = newcomer.log_in()
    assert (early.status_code, early.json()["code"]) == (403, "unverified")

    [mail] = wait_until(lambda: mails(suite, newcomer.email))
    assert f"https://shop.example/verify?token={mail['token']}" in mail["text"]
    verified = shop.post("/v1/verify", token=mail["token"], password=newcomer.password)
    assert verified.status_code == 200
    again = shop.post("/v1/verify", token=mail["token"])
    assert (again.status_code, again.json()) == (200, verified.json()), "a retry finds what is done"

    answer = newcomer.log_in()
    tokens = answer.json()
    assert answer.status_code == 200, tokens
    assert tokens["user_id"] == verified.json()["user_id"]
    claims = jwt.decode(
        tokens["access_token"],
        public_key(suite, tokens["access_token"]),
        ["ES256"],
        audience=f"{suite['AuthApiUrl']}/companies/shop",
    )
    assert jwt.get_unverified_header(tokens["access_token"])["typ"] == "at+jwt"
    assert claims["iss"] == suite["AuthApiUrl"]
    assert claims["sub"] == tokens["user_id"]
    assert claims["client_id"] == "shop"
    assert claims["exp"] - claims["iat"] == tokens["expires_in"] <= 900
    assert set(claims) == {"iss", "aud", "sub", "client_id", "scope", "sid", "iat", "exp", "jti"}, (
        "no personal data"
    )


def test_a_known_address_gets_the_same_answer_and_another_mail(person: Person, suite: Suite) -> None:
    other = fresh_password()
    answer = person.shop.post("/v1/signup", email=person.email, password=other)
    assert (answer.status_code, answer.json()) == (202, {"status": "mail_sent"})
    token = mailed(suite, person.email, "known")
    assert person.log_in().status_code == 200, "the password is untouched"
    assert person.shop.post("/v1/verify", token=token).status_code == 400, "it is for a new password"
    assert person.shop.post("/v1/login", email=person.email, password=other).status_code == 401


def test_whoever_never_verified_gets_in_by_choosing_a_new_password(newcomer: Person, suite: Suite) -> None:
    """Somebody else may have signed up with the address: his password must not count."""
    squatter = fresh_password()
    newcomer.shop.post("/v1/signup", email=newcomer.email, password=squatter)
    newcomer.shop.post("/v1/signup", email=newcomer.email, password=newcomer.password)
    token = mailed(suite, newcomer.email, "known")
    assert (
        newcomer.shop.post("/v1/password/reset", token=token, password=newcomer.password).status_code == 204
    )
    assert newcomer.log_in().status_code == 200
    assert newcomer.shop.post("/v1/login", email=newcomer.email, password=squatter).status_code == 401


def test_forgotten_passwords_are_replaced_and_end_every_session(person: Person, suite: Suite) -> None:
    shop, before = person.shop, person.tokens()
    known = shop.post("/v1/password/forgot", email=person.email)
    unknown = shop.post("/v1/password/forgot", email=fresh_email())
    assert (
        (known.status_code, known.text)
        == (unknown.status_code, unknown.text)
        == (202, '{"status":"mail_sent"}')
    )
    token, new = mailed(suite, person.email, "reset"), fresh_password()
    assert shop.post("/v1/password/reset", token=token, password=new).status_code == 204
    for password in (new, fresh_password()):
        used = shop.post("/v1/password/reset", token=token, password=password)
        assert (used.status_code, used.json()["code"]) == (400, "invalid_token"), "tells nothing of either"
    assert shop.post("/v1/token/refresh", refresh_token=before["refresh_token"]).status_code == 401
    assert person.log_in().status_code == 401
    person.password = new
    assert person.log_in().status_code == 200


def test_a_changed_password_ends_the_other_sessions(person: Person) -> None:
    shop, mine, other = person.shop, person.tokens(), person.tokens()
    wrong = shop.post(
        "/v1/password/change", access_token=mine["access_token"], current="not it", password=fresh_password()
    )
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")
    new = fresh_password()
    changed = shop.post(
        "/v1/password/change", access_token=mine["access_token"], current=person.password, password=new
    )
    assert changed.status_code == 204
    assert shop.post("/v1/token/refresh", refresh_token=mine["refresh_token"]).status_code == 200
    assert shop.post("/v1/token/refresh", refresh_token=other["refresh_token"]).status_code == 401
    assert person.log_in().status_code == 401
    person.password = new
    assert person.log_in().status_code == 200


def test_refresh_tokens_rotate_and_a_stolen_one_ends_its_family_alone(person: Person, suite: Suite) -> None:
    shop, first, untouched = person.shop, person.tokens(), person.tokens()
    second = shop.post("/v1/token/refresh", refresh_token=first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    retried = shop.post("/v1/token/refresh", refresh_token=first["refresh_token"]).json()
    assert retried["refresh_token"] == second["refresh_token"], "the successor is derived"
    third = shop.post("/v1/token/refresh", refresh_token=second["refresh_token"]).json()
    stolen = shop.post("/v1/token/refresh", refresh_token=first["refresh_token"])
    assert (stolen.status_code, stolen.json()["code"]) == (401, "invalid_grant")
    assert shop.post("/v1/token/refresh", refresh_token=third["refresh_token"]).status_code == 401
    assert shop.post("/v1/token/refresh", refresh_token=untouched["refresh_token"]).status_code == 200


def test_a_refresh_token_after_its_grace_ends_its_family(person: Person, suite: Suite) -> None:
    shop, first = person.shop, person.tokens()
    second = shop.post("/v1/token/refresh", refresh_token=first["refresh_token"]).json()
    family = jwt.decode(second["access_token"], options={"verify_signature": False})["sid"]
    suite.client("dynamodb").update_item(  # as if 31 seconds had gone by
        TableName=suite["AuthUsersTableName"],
        Key={"pk": {"S": f"U#{person.id}"}, "sk": {"S": f"R#{family}"}},
        UpdateExpression="SET rotated = rotated - :grace",
        ExpressionAttributeValues={":grace": {"N": "31000"}},
    )
    assert shop.post("/v1/token/refresh", refresh_token=first["refresh_token"]).status_code == 401
    assert shop.post("/v1/token/refresh", refresh_token=second["refresh_token"]).status_code == 401


def test_a_refresh_token_is_good_for_its_client_alone(person: Person, suite: Suite) -> None:
    other = Company(suite, "other-shop")
    tokens = person.tokens()
    assert other.post("/v1/token/refresh", refresh_token=tokens["refresh_token"]).status_code == 401
    assert other.post("/v1/logout", refresh_token=tokens["refresh_token"]).status_code == 204
    assert person.shop.post("/v1/token/refresh", refresh_token=tokens["refresh_token"]).status_code == 200


def test_tokens_are_introspected_and_revoked(person: Person) -> None:
    shop, tokens = person.shop, person.tokens()
    access = shop.post("/v1/introspect", token=tokens["access_token"]).json()
    assert (access["active"], access["sub"], access["client_id"]) == (True, person.id, "shop")
    refresh = shop.post("/v1/introspect", token=tokens["refresh_token"]).json()
    assert (refresh["active"], refresh["sub"]) == (True, person.id)
    assert shop.post("/v1/introspect", token="nonsense").json() == {"active": False}
    assert shop.post("/v1/revoke", token=tokens["access_token"]).status_code == 200
    assert shop.post("/v1/revoke", token=tokens["access_token"]).status_code == 200
    for kind in ("access_token", "refresh_token"):
        assert shop.post("/v1/introspect", token=tokens[kind]).json() == {"active": False}
    assert shop.post("/v1/token/refresh", refresh_token=tokens["refresh_token"]).status_code == 401


def test_logging_out_ends_the_session(person: Person) -> None:
    shop, tokens = person.shop, person.tokens()
    assert shop.post("/v1/logout", refresh_token=tokens["refresh_token"]).status_code == 204
    assert shop.post("/v1/logout", refresh_token=tokens["refresh_token"]).status_code == 204
    assert shop.post("/v1/token/refresh", refresh_token=tokens["refresh_token"]).status_code == 401


def test_a_profile_is_shared_and_edited(person: Person, suite: Suite) -> None:
    bank = Company(suite, "bank")
    seen = bank.get(f"/v1/users/{person.id}").json()
    assert seen["profile"]["given_name"] == "Ada"
    assert seen["profile"]["email"] == person.email
    assert seen["profile"]["email_verified"] is True
    edited = bank.ask("PATCH", f"/v1/users/{person.id}", {"family_name": "Lovelace", "given_name": None})
    assert edited.status_code == 200, edited.text
    shown = person.shop.get(f"/v1/users/{person.id}").json()
    assert shown["profile"]["family_name"] == "Lovelace"
    assert "given_name" not in shown["profile"]
    assert set(shown["profile"]["companies"]) == {"shop"}, "an edit makes nobody the bank's"
    assert milliseconds(shown["ts"]) > milliseconds(seen["ts"])


def test_a_new_address_counts_once_its_mail_was_used(person: Person, suite: Suite) -> None:
    old, new = person.email, fresh_email("moved")
    edited = person.ask_for_address(new)
    assert edited.json()["profile"]["email"] == old
    assert person.log_in().status_code == 200
    verified = person.shop.post("/v1/verify", token=mailed(suite, new, "email"))
    assert (verified.status_code, verified.json()["state"]) == (200, "verified"), verified.text
    assert person.log_in().status_code == 401, "the old address is nobody's"
    person.email = new
    assert person.log_in().status_code == 200
    again = joined(Person(person.shop, old, fresh_password()))
    assert again.id != person.id, "somebody else can have the old one"


def test_a_new_address_that_somebody_else_verified_meanwhile_is_refused(person: Person, suite: Suite) -> None:
    address = fresh_email("wanted")
    person.ask_for_address(address)
    token = mailed(suite, address, "email")
    joined(Person(person.shop, address, fresh_password()))
    answer = person.shop.post("/v1/verify", token=token)
    assert (answer.status_code, answer.json()["code"]) == (409, "address_taken")


def test_a_second_factor_is_needed_once_it_was_confirmed(person: Person) -> None:
    shop, tokens = person.shop, person.tokens()

    def factor(action: str, **more: str) -> Any:
        return shop.post("/v1/mfa/totp", access_token=tokens["access_token"], action=action, **more)

    missing, wrong = factor("enrol"), factor("enrol", current=fresh_password())
    assert (missing.status_code, missing.json()["code"]) == (400, "password_missing")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")
    secret = factor("enrol", current=person.password).json()["secret"]
    assert person.log_in().status_code == 200, "not confirmed yet"
    assert factor("confirm", code="000000").status_code == 400
    assert factor("confirm", code=totp(secret)).json()["state"] == "enabled"
    lacking = person.log_in()
    assert (lacking.status_code, lacking.json()["code"]) == (401, "second_factor_required")
    assert person.log_in(totp="000000").json()["code"] == "invalid_credentials"
    assert person.log_in(totp=totp(secret)).status_code == 401, "it confirmed, and a code is good once"
    used = totp(secret, 30)
    assert person.log_in(totp=used).status_code == 200
    assert person.log_in(totp=used).status_code == 401, "a code is good once"
    short = "elevenchars"
    changed = shop.post(
        "/v1/password/change", access_token=tokens["access_token"], current=person.password, password=short
    )
    assert changed.status_code == 204, "with a second factor a shorter password will do"
    let_codes_pass(shop.suite, person.id)
    assert factor("disable", code=totp(secret)).json() == {"state": "disabled"}
    person.password = short
    assert person.log_in().status_code == 200


def test_export_tells_everything_but_what_proves_who_somebody_is(person: Person) -> None:
    person.tokens()
    answer = person.shop.get(f"/v1/users/{person.id}/export")
    assert answer.status_code == 200, answer.text
    exported = answer.json()
    assert exported["profile"]["email"] == person.email
    assert [session["client"] for session in exported["sessions"]] == ["shop"]
    assert [entry["action"] for entry in exported["trail"]] == ["signup", "verify", "login", "export"]
    assert "argon2" not in answer.text
    assert not re.search("secret|hash|totp", json.dumps(exported))


def test_an_erased_person_is_gone_for_ever_and_the_address_is_free(person: Person, suite: Suite) -> None:
    shop, tokens = person.shop, person.tokens()
    assert shop.ask("DELETE", f"/v1/users/{person.id}").status_code == 204
    assert shop.ask("DELETE", f"/v1/users/{person.id}").status_code == 204
    for method, path in (("GET", ""), ("GET", "/export"), ("PATCH", "")):
        answer = shop.ask(method, f"/v1/users/{person.id}{path}", {} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()["code"]) == (410, "erased")
    assert person.log_in().status_code == 401
    assert shop.post("/v1/token/refresh", refresh_token=tokens["refresh_token"]).status_code == 401
    items = suite.client("dynamodb").query(
        TableName=suite["AuthUsersTableName"],
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"U#{person.id}"}},
    )["Items"]
    [tombstone] = items
    assert tombstone["status"]["S"] == "erased"
    assert not {"data", "email_index", "phone_index"} & set(tombstone), "neither data nor keys nor indexes"
    again = joined(Person(shop, person.email, fresh_password()))
    assert again.id != person.id


@pytest.mark.parametrize("path", ["/v1/users/{id}", "/v1/users/{id}/export"])
def test_a_stranger_is_not_found(shop: Company, path: str) -> None:
    for user, status in (("3f0c6a52-7f0e-4b6e-9a37-2b7a5d3c9f10", 404), ("not-a-uuid", 404)):
        assert shop.get(path.replace("{id}", user)).status_code == status
