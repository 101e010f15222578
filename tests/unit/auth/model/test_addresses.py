"""Who has which address after merges, imports and changes of address: nobody is shut out, nobody let in."""

from __future__ import annotations

from typing import Any

from auth.sign_on import userinfo
from auth.tokens import MOST_SESSIONS
from local.memory_auth import Answer, World
from tests.unit.auth.model.browser import APP, BACK, Browser, redeem, refresh, request
from tests.unit.auth.model.test_rules import (
    ADA,
    OTHER,
    PASSWORD,
    code,
    edit,
    factor,
    log_in,
    mail,
    sign_up,
    verify,
)

MINE, THEIRS = "p@example.org", "q@example.org"
NUMBER = "+390612345678"
PHONE = {"phone": NUMBER, "phone_verified": True}
LEGACY = {"password_hash": "5f4dcc3b5aa765d61d8327deb882cf99", "hash_scheme": "md5"}  # of "password"


def imported(world: World, number: str, email: str, **more: Any) -> str:
    found: str = world.take_line("*", id=number, email=email, company="shop", **LEGACY, **more)["user_id"]
    return found


def merged(world: World, stays: str, ends: str) -> Answer:
    answer = world.ask("POST", "/v1/users/{id}/merge", "group", stays, other=ends)
    assert answer.status == 200, answer
    return answer


def reset(world: World, email: str, password: str = OTHER) -> int:
    assert world.ask("POST", "/v1/password/forgot", "shop", email=email).status == 202
    world.now += 1
    token = mail(world, email, "reset")
    return world.ask("POST", "/v1/password/reset", "shop", token=token, password=password).status


def with_factor(world: World, email: str, password: str) -> str:
    """Enrol a second factor; its secret."""
    tokens = log_in(world, email, password).body
    secret: str = factor(world, tokens, "enrol", current=password).body["secret"]
    assert factor(world, tokens, "confirm", code=code(world, secret)).status == 200
    world.now += 60
    return secret


def test_a_further_address_that_becomes_the_main_one_is_kept_once(home: World) -> None:
    person = imported(home, "1", "also@example.org", email_verified=True, **PHONE)
    merged(home, person, imported(home, "2", "third@example.org", email_verified=True, **PHONE))
    tokens = log_in(home, "also@example.org", "password").body
    shown = {"access_token": tokens["access_token"], "current": "password"}
    assert edit(home, person, email="third@example.org", **shown).status == 200
    assert verify(home, mail(home, "third@example.org", "email")).body["state"] == "verified"
    assert reset(home, "third@example.org") == 204
    document = home.services.open(home.services.find(person))
    assert dict(document.family("email_also")) == {}, "the other main one is a previous address"
    assert home.ask("DELETE", "/v1/users/{id}", "group", person).status == 204


def test_an_unverified_address_never_stays_before_a_verified_one(home: World) -> None:
    """Its mailbox is somebody else's, who must find nothing of the person by starting clean."""
    mistyped = imported(home, "1", THEIRS, **PHONE)
    merged(home, mistyped, imported(home, "2", MINE, email_verified=True, **PHONE))
    secret = with_factor(home, MINE, "password")
    assert home.ask("POST", "/v1/password/forgot", "shop", email=THEIRS).status == 202
    home.deliver()
    assert [each.kind for each in home.mails if each.to == THEIRS] == []
    assert log_in(home, MINE, "password").status == 401, "the factor is there"
    assert reset(home, MINE, PASSWORD) == 204
    in_by = {"email": MINE, "password": PASSWORD, "totp": code(home, secret)}
    assert home.ask("POST", "/v1/login", "shop", **in_by).body["user_id"] == mistyped


def test_whoever_has_another_identifier_keeps_the_log_in_without_the_address(home: World) -> None:
    person = imported(home, "1", THEIRS, **PHONE)
    taken = imported(home, "9", THEIRS, email_verified=True)
    by_phone = {"phone": NUMBER, "password": "password"}
    assert home.ask("POST", "/v1/login", "shop", **by_phone).body["user_id"] == person
    assert log_in(home, THEIRS, "password").body["user_id"] == taken
    profile = home.ask("GET", "/v1/users/{id}", "shop", person).body["profile"]
    assert "email" not in profile


def test_a_merge_keeps_what_was_verified_of_one_address(home: World) -> None:
    owner = imported(home, "1", MINE, email_verified=True, **PHONE)
    again = imported(home, "2", MINE, **PHONE)
    secret = with_factor(home, MINE, "password")
    merged(home, again, owner)
    assert reset(home, MINE) == 204
    assert log_in(home, MINE, OTHER).status == 401, "by mail alone no factor goes"
    in_by = {"email": MINE, "password": OTHER, "totp": code(home, secret)}
    assert home.ask("POST", "/v1/login", "shop", **in_by).status == 200


def test_a_never_verified_account_is_not_moved_by_its_password(home: World) -> None:
    """A stranger may have chosen it: the mailbox has to approve."""
    account = imported(home, "1", THEIRS)
    tokens = log_in(home, THEIRS, "password").body
    shown = {"access_token": tokens["access_token"], "current": "password"}
    assert edit(home, account, email="stranger@example.org", **shown).status == 200
    assert verify(home, mail(home, "stranger@example.org", "email")).body["state"] == "pending"
    assert reset(home, THEIRS) == 204
    assert log_in(home, THEIRS, OTHER).body["user_id"] == account


def test_an_edit_makes_nobody_a_person_of_the_company(home: World) -> None:
    home.register("elsewhere")
    person = sign_up(home, ADA)
    with_factor(home, ADA, PASSWORD)
    for _ in range(2):
        asked = home.ask("POST", "/v1/users/{id}/recovery", "elsewhere", person, second_factor=True)
        assert asked.status == 403, "it is no company of theirs"
        assert home.ask("PATCH", "/v1/users/{id}", "elsewhere", person, name="Ada").status == 200


def test_mails_that_strangers_cause_stop_no_delayed_reset(home: World) -> None:
    person = sign_up(home, ADA)
    with_factor(home, ADA, PASSWORD)
    home.now += 3600
    for _ in range(5):
        assert home.ask("POST", "/v1/password/forgot", "shop", email=ADA).status == 202
    assert home.ask("POST", "/v1/password/forgot", "shop", email=ADA).status == 429
    asked = home.ask("POST", "/v1/users/{id}/recovery", "group", person, second_factor=True)
    assert asked.status == 202, asked


def test_a_merge_that_is_done_already_ends_nothing_of_who_stays(home: World) -> None:
    stays = imported(home, "1", "x@example.org", email_verified=True, **PHONE)
    ends = imported(home, "2", "y@example.org", email_verified=True, **PHONE)
    merged(home, stays, ends)
    tokens = log_in(home, "x@example.org", "password").body
    for one, other in ((ends, stays), (stays, ends), (stays, stays)):
        merged(home, one, other)
        assert home.services.sessions.introspect(tokens["access_token"])["active"], (one, other)


def application(world: World, *scopes: str) -> None:
    world.register(APP, redirect_uris=[BACK], sign_on_scopes=["openid", *scopes], registration="r1")


def signed_on(world: World) -> Browser:
    browser = Browser()
    browser.open(world)
    browser.send(world, email=ADA, password=PASSWORD)
    if browser.action == "consent":
        browser.send(world, decision="allow")
    return browser


def test_scopes_that_an_application_loses_end_in_its_sessions_too(home: World) -> None:
    application(home, "offline_access", "email")
    sign_up(home, ADA)
    tokens = redeem(home, signed_on(home).code).body
    assert "email" in tokens["scope"].split()
    application(home, "offline_access")
    home.now += 60
    after = refresh(home, tokens["refresh_token"]).body
    assert "email" not in after["scope"].split()
    for token in (tokens["access_token"], after["access_token"]):
        asked = request({}, None, {"authorization": f"Bearer {token}"})
        assert ADA not in userinfo.userinfo(home.services, asked)["body"]


def test_browsers_of_a_person_are_bounded_at_their_log_ins(home: World) -> None:
    application(home, "offline_access", "email")
    person = sign_up(home, ADA)
    for _ in range(MOST_SESSIONS + 5):
        home.now += 1
        signed_on(home)
    assert len(home.services.store.browsers.of_user(person)) == MOST_SESSIONS
