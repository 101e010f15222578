"""Single rules that the state machine needs luck to come to: races, and answers that are told once."""

from __future__ import annotations

import json
from base64 import b32decode
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from auth.imports.importing import DryRun
from local.memory_auth import Answer, World
from tests.unit.auth.model.browser import APP, BACK, Browser, redeem

ADA, BOB, NEW = "ada@example.org", "bob@example.org", "ada@new.example"
PASSWORD, OTHER = "the analytical engine weaves", "the difference engine counts"


def sign_up(world: World, email: str, password: str = PASSWORD) -> str:
    """Sign somebody up and verify them; their id."""
    assert world.ask("POST", "/v1/signup", "shop", email=email, password=password).status == 202
    answer = verify(world, mail(world, email, "verify"), password=password)
    assert answer.status == 200
    return str(answer.body["user_id"])


def mail(world: World, email: str, kind: str) -> str:
    """The token of the newest mail of a kind."""
    world.deliver()
    return [each.token for each in world.mails if (each.to, each.kind) == (email, kind)][-1]


def verify(world: World, token: str, **more: str) -> Answer:
    return world.ask("POST", "/v1/verify", "shop", token=token, **more)


def log_in(world: World, email: str, password: str = PASSWORD, **more: str) -> Answer:
    return world.ask("POST", "/v1/login", "shop", email=email, password=password, **more)


def edit(world: World, user: str, **claims: str) -> Answer:
    return world.ask("PATCH", "/v1/users/{id}", "shop", user, **claims)


def shown(tokens: Any) -> dict[str, str]:
    """What a person shows beside a request."""
    return {"access_token": tokens["access_token"], "current": PASSWORD}


def factor(world: World, tokens: Any, action: str, **code: str) -> Answer:
    token = tokens["access_token"]
    if action == "enrol":
        code = {"current": PASSWORD} | code
    return world.ask("POST", "/v1/mfa/totp", "shop", access_token=token, action=action, **code)


def out(**_: Any) -> Any:
    """What a service that is down answers."""
    raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": ""}}, "Call")


def code(world: World, secret: str, later: int = 0) -> str:
    totp = TOTP(b32decode(secret), 6, SHA1(), 30)  # noqa: S303
    return totp.generate(int(world.now) + later).decode()


def enrolled(world: World, email: str) -> tuple[str, Any]:
    """The secret of somebody's new factor, and their tokens; a code of it is spent."""
    tokens = log_in(world, email).body
    secret = factor(world, tokens, "enrol").body["secret"]
    assert factor(world, tokens, "confirm", code=code(world, secret)).status == 200
    return secret, tokens


def just_before_the_commit(world: World, done: Callable[[], Any]) -> None:
    """Have something done by somebody else between the reads of the next request and its transaction."""
    commit = world.services.store.commit

    def slow(*writes: Any, once: Any = None) -> None:
        world.services.store.commit = commit  # type: ignore[method-assign]
        done()
        commit(*writes, once=once)

    world.services.store.commit = slow  # type: ignore[method-assign]


# ---- addresses


def test_confirmed_change_takes_an_address_from_who_has_it_unverified(home: World) -> None:
    ada = sign_up(home, ADA)
    assert home.ask("POST", "/v1/signup", "shop", email=NEW, password=OTHER).status == 202
    tokens = log_in(home, ADA).body
    assert edit(home, ada, email=NEW, **shown(tokens)).status == 200
    assert verify(home, mail(home, NEW, "email")).body == {"user_id": ada, "state": "verified"}
    assert log_in(home, NEW).body["user_id"] == ada


def test_who_lost_the_address_is_out_with_every_proof(home: World) -> None:
    line = {"id": "1", "email": NEW, "company": "shop", "password_hash": "5f4dcc3b5aa765d61d8327deb882cf99"}
    line |= {"hash_scheme": "md5"}
    squatter = home.take_line("*", **line)["user_id"]
    held = log_in(home, NEW, "password").body
    ada = sign_up(home, ADA)
    assert edit(home, ada, email=NEW, **shown(log_in(home, ADA).body)).status == 200
    assert verify(home, mail(home, NEW, "email")).body["state"] == "verified"
    assert home.services.store.users.get(squatter).status == "conflict"  # type: ignore[union-attr]
    assert not home.services.sessions.introspect(held["access_token"])["active"]
    assert home.ask("POST", "/v1/token/refresh", "shop", refresh_token=held["refresh_token"]).status == 401


def test_voided_change_is_never_told_as_verified(home: World) -> None:
    ada = sign_up(home, ADA)
    assert edit(home, ada, email=NEW).status == 200
    approval, confirmation = mail(home, ADA, "approve"), mail(home, NEW, "email")
    assert verify(home, approval).body["state"] == "pending"
    assert home.ask("POST", "/v1/password/forgot", "shop", email=ADA).status == 202
    reset = mail(home, ADA, "reset")
    assert home.ask("POST", "/v1/password/reset", "shop", token=reset, password=OTHER).status == 204
    assert verify(home, approval).code == "invalid_token"
    assert verify(home, confirmation).code == "invalid_token"


def test_approval_lets_in_the_address_that_its_mail_names(home: World) -> None:
    ada = sign_up(home, ADA)
    assert edit(home, ada, email=NEW).status == 200
    approval = mail(home, ADA, "approve")
    assert NEW in home.mails[-1].text or NEW in home.mails[-2].text
    assert edit(home, ada, email=BOB).status == 200
    assert verify(home, mail(home, BOB, "email")).body["state"] == "pending"
    assert verify(home, approval).code == "invalid_token"
    assert verify(home, mail(home, ADA, "approve")).body["state"] == "verified"


def test_used_token_of_a_password_is_400_always(home: World) -> None:
    sign_up(home, ADA)
    assert home.ask("POST", "/v1/password/forgot", "shop", email=ADA).status == 202
    reset = mail(home, ADA, "reset")
    assert home.ask("POST", "/v1/password/reset", "shop", token=reset, password=OTHER).status == 204
    for password in (OTHER, PASSWORD, "short"):
        answer = home.ask("POST", "/v1/password/reset", "shop", token=reset, password=password)
        assert (answer.status, answer.code) == (400, "invalid_token")


# ---- second factors


def test_code_that_confirmed_and_older_ones_are_not_good_again(home: World) -> None:
    sign_up(home, ADA)
    secret, _ = enrolled(home, ADA)
    for step in (0, -30):
        assert log_in(home, ADA, totp=code(home, secret, step)).status == 401
    assert log_in(home, ADA, totp=code(home, secret, 30)).status == 200
    assert log_in(home, ADA, totp=code(home, secret, 0)).status == 401


def test_second_factor_is_begun_with_the_password(home: World) -> None:
    sign_up(home, ADA)
    tokens = log_in(home, ADA).body
    assert factor(home, tokens, "enrol", current=OTHER).code == "invalid_credentials"
    assert factor(home, tokens, "enrol").status == 200


def test_code_of_an_older_step_loses_the_race_with_a_newer(home: World) -> None:
    sign_up(home, ADA)
    secret, _ = enrolled(home, ADA)
    home.sleep(120)
    older, newer = code(home, secret), code(home, secret, 30)
    just_before_the_commit(home, lambda: log_in(home, ADA, totp=newer))
    assert log_in(home, ADA, totp=older).status == 401


# ---- races with a change


def test_log_in_that_races_with_a_new_password_leaves_nothing(home: World) -> None:
    sign_up(home, ADA)
    tokens = log_in(home, ADA).body
    claims = {"access_token": tokens["access_token"], "current": PASSWORD, "password": OTHER}
    just_before_the_commit(home, lambda: home.ask("POST", "/v1/password/change", "shop", **claims))
    assert log_in(home, ADA).status == 401
    assert log_in(home, ADA, OTHER).status == 200


def test_session_goes_on_after_the_change_that_it_asked_for(home: World) -> None:
    sign_up(home, ADA)
    tokens, other = log_in(home, ADA).body, log_in(home, ADA).body
    claims = {"access_token": tokens["access_token"], "current": PASSWORD, "password": OTHER}
    assert home.ask("POST", "/v1/password/change", "shop", **claims).status == 204
    assert home.ask("POST", "/v1/token/refresh", "shop", refresh_token=tokens["refresh_token"]).status == 200
    assert home.ask("POST", "/v1/token/refresh", "shop", refresh_token=other["refresh_token"]).status == 401


def test_session_is_dead_at_erasure_though_its_item_is_left(home: World) -> None:
    """The function dies after the tombstone: sessions and grants lie there until the request comes again."""
    ada = sign_up(home, ADA)
    tokens = log_in(home, ADA).body
    users: Any = home.services.store.users
    users.delete_belongings = lambda _: []
    assert home.ask("DELETE", "/v1/users/{id}", "shop", ada).status == 204
    assert home.services.store.sessions.of_user(ada)
    assert not home.services.sessions.introspect(tokens["access_token"])["active"]
    assert home.ask("POST", "/v1/token/refresh", "shop", refresh_token=tokens["refresh_token"]).status == 401


def conflict_and_other(world: World, *, verified: bool = True) -> tuple[str, str]:
    """An account in conflict about ADA, and one of the same verified phone with BOB; both have a password."""
    shared = {"phone": "+33612345678", "phone_verified": True, "company": "shop"}
    shared |= {"password_hash": "5f4dcc3b5aa765d61d8327deb882cf99", "hash_scheme": "md5"}
    conflict = world.take_line("*", id="1", email=ADA, **shared)
    assert conflict["result"] == "conflict"
    bob = world.take_line("*", id="2", email=BOB, email_verified=verified, **shared)
    return conflict["user_id"], bob["user_id"]


def merge(world: World, user: str, other: str) -> Any:
    answer = world.ask("POST", "/v1/users/{id}/merge", "group", user, other=other)
    assert answer.status == 200, answer
    return answer.body["profile"]


def test_survivor_of_a_conflict_has_an_address_of_its_own(home: World) -> None:
    ada = sign_up(home, ADA, OTHER)
    user, bob = conflict_and_other(home)
    profile = merge(home, user, bob)
    assert (profile["email"], profile["email_verified"]) == (BOB, True)
    assert log_in(home, BOB, "password").body["user_id"] == user
    assert log_in(home, ADA, OTHER).body["user_id"] == ada
    tokens = log_in(home, BOB, "password").body
    claims = {"access_token": tokens["access_token"], "current": "password", "password": PASSWORD}
    assert home.ask("POST", "/v1/password/change", "shop", **claims).status == 204


def test_survivor_of_a_conflict_never_has_somebody_elses_address(home: World) -> None:
    """Not even where no address of the two is verified."""
    ada = sign_up(home, ADA, OTHER)
    profile = merge(home, *conflict_and_other(home, verified=False))
    assert (profile["email"], profile["email_verified"]) == (BOB, False)
    assert log_in(home, ADA, OTHER).body["user_id"] == ada


def test_survivor_of_a_conflict_gets_an_address_that_nobody_has(home: World) -> None:
    ada = sign_up(home, ADA, OTHER)
    user, bob = conflict_and_other(home)
    assert home.ask("DELETE", "/v1/users/{id}", "shop", ada).status == 204
    profile = merge(home, user, bob)
    assert (profile["email"], profile["email_verified"]) == (BOB, True), (
        "nobody showed that the other is theirs"
    )
    assert log_in(home, BOB, "password").body["user_id"] == user
    assert log_in(home, ADA, "password").status == 401


def test_survivor_of_a_conflict_gets_the_address_of_who_had_it(home: World) -> None:
    shared = {"phone": "+33612345678", "phone_verified": True, "company": "shop", "email": ADA}
    shared |= {"password_hash": "5f4dcc3b5aa765d61d8327deb882cf99", "hash_scheme": "md5"}
    holder, conflict = (home.take_line("*", id=each, **shared) for each in "12")
    assert (holder["result"], conflict["result"]) == ("created", "conflict")
    merge(home, conflict["user_id"], holder["user_id"])
    assert log_in(home, ADA, "password").body["user_id"] == conflict["user_id"]


def test_address_that_nobody_showed_ends_with_its_account(home: World) -> None:
    line = {"phone": "+33612345678", "phone_verified": True, "company": "shop"}
    user = home.take_line("*", id="1", email=ADA, email_verified=True, **line)["user_id"]
    line = {"password_hash": "5f4dcc3b5aa765d61d8327deb882cf99", "hash_scheme": "md5", "company": "shop"}
    bob = home.take_line("*", id="2", email=BOB, phone="+33612345678", phone_verified=True, **line)
    assert merge(home, user, bob["user_id"])["email"] == ADA
    assert log_in(home, BOB, "password").status == 401
    assert home.services.store.aliases.owner(home.services.alias("email", BOB)) is None


def test_password_is_changed_by_whose_it_is(home: World) -> None:
    """Of records that were merged before, the main address may be another's."""
    ada, bob = sign_up(home, ADA, OTHER), sign_up(home, BOB)
    tokens = log_in(home, BOB).body
    users = home.services.store
    users.commit(users.aliases.claim(home.services.alias("email", BOB), ada, held_by=bob))
    claims = {"access_token": tokens["access_token"], "current": OTHER, "password": PASSWORD}
    assert home.ask("POST", "/v1/password/change", "shop", **claims).status == 401
    assert log_in(home, ADA, OTHER).status == 200


def test_only_an_account_with_a_log_in_changes_its_address(home: World) -> None:
    assert home.ask("POST", "/v1/signup", "shop", email=ADA, password=OTHER).status == 202
    alias = home.services.alias("email", ADA)
    unverified = home.services.store.aliases.owner(alias)
    assert edit(home, str(unverified), email=NEW).code == "unverified"
    assert edit(home, str(unverified), given_name="Ada").status == 200
    assert verify(home, mail(home, ADA, "verify"), password=OTHER).status == 200
    conflict = home.take_line("*", id="1", email=ADA, company="shop")
    assert conflict["result"] == "conflict"
    assert edit(home, conflict["user_id"], email=NEW).code == "not_active"
    assert recover(home, conflict["user_id"], email=NEW).code == "not_active"


def test_asking_again_takes_no_approval_away(home: World) -> None:
    ada = sign_up(home, ADA)
    assert edit(home, ada, email=NEW).status == 200
    assert verify(home, mail(home, ADA, "approve")).body["state"] == "pending"
    assert edit(home, ada, email=NEW).status == 200
    assert verify(home, mail(home, NEW, "email")).body == {"user_id": ada, "state": "verified"}


def test_asking_for_another_address_takes_the_approval_away(home: World) -> None:
    ada = sign_up(home, ADA)
    assert edit(home, ada, email=NEW).status == 200
    assert verify(home, mail(home, ADA, "approve")).body["state"] == "pending"
    assert edit(home, ada, email=BOB).status == 200
    assert verify(home, mail(home, BOB, "email")).body["state"] == "pending"


# ---- recovery codes and delayed resets


def test_company_resets_whom_it_imported_and_nobody_else(home: World) -> None:
    home.register("bank")
    line = {"id": "1", "email": ADA, "email_verified": True, "company": "shop"}
    user = home.take_line("*", **line)["user_id"]
    assert recover(home, user, email=NEW).status == 202
    answer = home.ask("POST", "/v1/users/{id}/recovery", "bank", user, email=NEW)
    assert (answer.status, answer.code) == (403, "not_of_company")


def recover(world: World, user: str, **claims: Any) -> Answer:
    return world.ask("POST", "/v1/users/{id}/recovery", "shop", user, **claims)


def guarded(world: World) -> tuple[str, str, list[str], Any]:
    """Somebody with a second factor: their id, its secret, recovery codes and tokens."""
    ada = sign_up(world, ADA)
    tokens = log_in(world, ADA).body
    secret = factor(world, tokens, "enrol").body["secret"]
    codes = factor(world, tokens, "confirm", code=code(world, secret)).body["recovery_codes"]
    world.sleep(60)
    return ada, secret, codes, tokens


def test_recovery_code_is_good_once_and_told(home: World) -> None:
    _, _, codes, _ = guarded(home)
    assert log_in(home, ADA, recovery_code=codes[0]).status == 200
    assert log_in(home, ADA, recovery_code=codes[0]).status == 401
    assert log_in(home, ADA, recovery_code=codes[1]).status == 200
    home.deliver()
    assert [each.kind for each in home.mails].count("recovery_code_used") == 2


def test_recovery_code_is_good_once_in_a_race_too(home: World) -> None:
    _, _, codes, _ = guarded(home)
    just_before_the_commit(home, lambda: log_in(home, ADA, recovery_code=codes[0]))
    assert log_in(home, ADA, recovery_code=codes[0]).status == 401


def test_recovery_code_needs_the_password_and_the_account(home: World) -> None:
    _, _, codes, _ = guarded(home)
    sign_up(home, BOB, OTHER)
    assert log_in(home, ADA, OTHER, recovery_code=codes[0]).status == 401
    secret = enrolled_with(home, BOB, OTHER)
    assert secret
    assert log_in(home, BOB, OTHER, recovery_code=codes[0]).status == 401
    assert log_in(home, ADA, recovery_code=codes[0]).status == 200


def enrolled_with(world: World, email: str, password: str) -> str:
    tokens = log_in(world, email, password).body
    secret = factor(world, tokens, "enrol", current=password).body["secret"]
    assert factor(world, tokens, "confirm", code=code(world, secret)).status == 200
    return str(secret)


def test_new_recovery_codes_end_the_old_ones(home: World) -> None:
    _, secret, codes, tokens = guarded(home)
    assert factor(home, tokens, "recovery_codes", recovery_code=codes[1]).code == "wrong_code"
    answer = factor(home, tokens, "recovery_codes", code=code(home, secret))
    assert answer.status == 200
    assert log_in(home, ADA, recovery_code=codes[0]).status == 401
    assert log_in(home, ADA, recovery_code=answer.body["recovery_codes"][0]).status == 200


def test_reset_is_done_after_a_day_and_not_before(home: World) -> None:
    ada, _, codes, tokens = guarded(home)
    assert recover(home, ada, second_factor=True).body["state"] == "pending"
    home.sleep(86_399)
    assert recover(home, ada, second_factor=True).body["state"] == "pending"
    assert log_in(home, ADA).code == "second_factor_required"
    home.sleep(1)
    assert recover(home, ada, second_factor=True).body == {"state": "done"}
    assert recover(home, ada, second_factor=True).body == {"state": "done"}
    assert log_in(home, ADA).status == 200
    assert not is_alive(home, tokens)
    home.deliver()
    assert [each.kind for each in home.mails].count("recovery_done") == 1
    secret = enrolled_with(home, ADA, PASSWORD)
    assert secret
    assert log_in(home, ADA, recovery_code=codes[1]).status == 401


def test_reset_that_is_done_ends_the_sessions(dying: World) -> None:
    ada, _, _, tokens = guarded(dying)
    refreshed = {"refresh_token": tokens["refresh_token"]}
    assert recover(dying, ada, second_factor=True).status == 202
    dying.sleep(86_400)
    assert dying.ask("POST", "/v1/token/refresh", "shop", **refreshed).status == 200
    assert recover(dying, ada, second_factor=True).status == 200
    assert dying.ask("POST", "/v1/token/refresh", "shop", **refreshed).status == 401


def test_reset_that_nobody_completes_is_void_after_a_week(home: World) -> None:
    ada, *_ = guarded(home)
    assert recover(home, ada, second_factor=True).status == 202
    home.sleep(8 * 86_400 + 1)
    assert recover(home, ada, second_factor=True).body["state"] == "pending"


@pytest.mark.parametrize("way", ["main mailbox", "previous mailbox", "password", "authenticator"])
def test_reset_is_stopped_by_every_mailbox_and_proof(home: World, way: str) -> None:
    ada, secret, *_ = guarded(home)
    email = ADA
    if way == "previous mailbox":
        tokens = log_in(home, ADA, totp=code(home, secret)).body
        home.sleep(60)
        answer = edit(home, ada, email=NEW, **shown(tokens), totp=code(home, secret))
        assert answer.status == 200, answer
        assert verify(home, mail(home, NEW, "email")).body["state"] == "verified"
        email = NEW
    home.sleep(60)
    assert recover(home, ada, second_factor=True).status == 202
    if way == "password":
        reset(home, email, PASSWORD)
    elif way == "authenticator":
        assert log_in(home, email, totp=code(home, secret)).status == 200
    else:
        assert verify(home, mail(home, ADA, "recovery")).body["state"] == "cancelled"
    home.sleep(86_400)
    assert recover(home, ada, second_factor=True).body["state"] == "pending"
    assert log_in(home, email).code == "second_factor_required"


def test_reset_to_a_new_mailbox_lets_in_who_lost_everything(home: World) -> None:
    ada, *_ = guarded(home)
    assert recover(home, ada, second_factor=True, email=NEW).status == 202
    home.sleep(86_400)
    assert recover(home, ada, second_factor=True, email=NEW).status == 200
    assert log_in(home, NEW).status == 401
    assert verify(home, mail(home, NEW, "email")).body["state"] == "verified"
    assert log_in(home, NEW).body["user_id"] == ada


def test_token_of_a_reset_chooses_no_password(home: World) -> None:
    ada, *_ = guarded(home)
    assert recover(home, ada, second_factor=True).status == 202
    token = mail(home, ADA, "recovery")
    answer = home.ask("POST", "/v1/password/reset", "shop", token=token, password=OTHER)
    assert (answer.status, answer.code) == (400, "invalid_token")


def test_two_resets_do_not_wait_at_once(home: World) -> None:
    ada, *_ = guarded(home)
    assert recover(home, ada, second_factor=True).status == 202
    assert recover(home, ada, second_factor=True, email=NEW).code == "recovery_pending"


# ---- notices


def test_notice_of_what_was_not_written_is_never_sent(home: World) -> None:
    sign_up(home, ADA)
    tokens = log_in(home, ADA).body
    home.table.transact_write_items = out  # type: ignore[method-assign]
    claims = {"access_token": tokens["access_token"], "current": PASSWORD, "password": OTHER}
    assert home.ask("POST", "/v1/password/change", "shop", **claims).status == 503
    del home.table.transact_write_items
    assert [json.loads(each.body)["kind"] for each in home.queue] == ["new_password"]
    home.deliver()
    assert len(home.queue) == 1
    home.sleep(60)
    home.deliver()
    assert home.queue == []
    assert "new_password" not in [each.kind for each in home.mails]


def test_change_is_refused_while_its_notice_cannot_be_sent(home: World) -> None:
    sign_up(home, ADA)
    tokens = log_in(home, ADA).body

    home.send_message = out  # type: ignore[method-assign]
    claims = {"access_token": tokens["access_token"], "current": PASSWORD, "password": OTHER}
    assert home.ask("POST", "/v1/password/change", "shop", **claims).status == 503
    assert log_in(home, ADA).status == 200


# ---- clients


def test_session_ends_with_the_registration_that_it_began_under(home: World) -> None:
    sign_up(home, ADA)
    tokens = log_in(home, ADA).body
    home.sleep(40)  # until clients are looked up again
    home.register("shop", registration="second of shop")
    assert not is_alive(home, tokens)


def test_session_ends_with_the_audience_that_it_is_for(home: World) -> None:
    sign_up(home, ADA)
    tokens = log_in(home, ADA).body
    home.sleep(40)
    home.register("shop", resources=["https://api.example/other"])
    assert not is_alive(home, tokens)


def test_code_of_another_registration_is_not_exchanged(home: World) -> None:
    sign_up(home, ADA)
    browser = signed_on(home, ADA, decision="allow")
    home.register(APP, redirect_uris=[BACK], registration="second of app")
    home.sleep(40)
    assert redeem(home, browser.code).code == "invalid_grant"


def test_consent_is_asked_again_for_another_registration(home: World) -> None:
    sign_up(home, ADA)
    assert signed_on(home, ADA, decision="allow").code
    assert signed_on(home, ADA).code
    home.register(APP, redirect_uris=[BACK], registration="second of app")
    home.sleep(40)
    browser = Browser()
    browser.open(home)
    browser.send(home, email=ADA, password=PASSWORD)
    assert (browser.action, browser.code) == ("consent", "")


def test_application_is_given_no_scope_that_it_is_not_registered_for(home: World) -> None:
    home.register(APP, redirect_uris=[BACK], sign_on_scopes=["openid", "email"])
    browser = Browser()
    browser.open(home)
    assert (browser.action, browser.code) == ("", "")


def test_somebody_has_fifty_sessions_the_newest(home: World) -> None:
    sign_up(home, ADA)
    sessions = []
    for _ in range(53):
        sessions.append(log_in(home, ADA).body)
        home.sleep(1)
    live = [home.services.sessions.introspect(each["access_token"])["active"] for each in sessions]
    assert live == [False] * 3 + [True] * 50


def test_dry_run_writes_nothing_and_reports_what_the_run_does(home: World) -> None:
    lines: list[Any] = [{"id": "1", "email": ADA, "company": "shop"}]
    lines += [{**lines[0], "id": "2"}, {**lines[0], "id": "3", "email_verified": True}]
    dry = DryRun(home.services, "*", "job")
    told = [dry.take(json.dumps(line).encode()) for line in lines]
    assert not [key for key in home.table.tables["users"] if key[0][:2] in ("U#", "E#", "A#")]
    assert told == [home.take_line("*", **line) for line in lines]
    assert [each["result"] for each in told] == ["created", "conflict", "created"]


# ---- what is counted


def _counted(world: World) -> list[Callable[[], Answer]]:
    """Each request that counts mails or codes."""
    ada = sign_up(world, ADA)
    secret, tokens = enrolled(world, ADA)
    return [
        lambda: world.ask("POST", "/v1/signup", "shop", email=BOB, password=OTHER),
        lambda: world.ask("POST", "/v1/password/forgot", "shop", email=ADA),
        lambda: edit(world, ada, email=NEW),
        lambda: world.ask("POST", "/v1/users/{id}/recovery", "shop", ada, second_factor=True),
        lambda: factor(world, tokens, "recovery_codes", code=code(world, secret)),
    ]


@pytest.mark.parametrize("which", range(5), ids=["sign-up", "forgot", "address", "recovery", "codes"])
@pytest.mark.parametrize("cause", ["queue", "table"])
def test_requests_that_an_outage_ended_do_not_count(home: World, which: int, cause: str) -> None:
    ask = _counted(home)[which]
    home.sleep(60)

    broken: Any = home if cause == "queue" else home.table
    name = "send_message" if cause == "queue" else "transact_write_items"
    setattr(broken, name, out)
    assert [ask().status for _ in range(7)] == [503] * 7
    delattr(broken, name)
    assert ask().status in (200, 202)


def test_mails_that_lose_races_do_not_count(home: World) -> None:
    ada = sign_up(home, ADA)
    for number in range(4):  # two mails each, one of which is of a lost race
        just_before_the_commit(home, lambda: edit(home, ada, given_name=f"Ada {number}"))  # noqa: B023
        assert edit(home, ada, email=NEW).status == 200


def test_sixth_mail_of_an_hour_is_refused(home: World) -> None:
    asked = [home.ask("POST", "/v1/password/forgot", "shop", email=ADA).status for _ in range(7)]
    assert asked == [202] * 5 + [429] * 2
    home.sleep(3600)
    assert home.ask("POST", "/v1/password/forgot", "shop", email=ADA).status == 202


def test_wrong_codes_count(home: World) -> None:
    sign_up(home, ADA)
    secret, tokens = enrolled(home, ADA)
    home.sleep(300)
    for _ in range(5):
        assert factor(home, tokens, "disable", code="000000").code == "wrong_code"
    assert factor(home, tokens, "disable", code=code(home, secret)).code == "too_many_attempts"


# ---- mails


def test_mail_is_sent_for_nothing_that_was_not_written(home: World) -> None:
    job = {"kind": "verify", "user": "u", "token": "t", "client": "shop", "expires": int(home.now) + 500}
    home.send_message(QueueUrl="", MessageBody=json.dumps(job))
    home.deliver()
    assert len(home.queue) == 1  # comes back: it may be written yet
    home.sleep(120)
    home.deliver()
    assert (home.queue, home.mails) == ([], [])


# ---- what a change of a credential ends; the function dies before it deletes what is ended anyway


@pytest.fixture
def dying(home: World) -> World:
    """A world in which nothing is deleted after a change of a credential."""
    home.services.sessions.end = lambda *_: []  # type: ignore[method-assign]
    users: Any = home.services.store.users
    users.delete_belongings = lambda _: []
    return home


def reset(world: World, email: str, password: str = OTHER) -> None:
    assert world.ask("POST", "/v1/password/forgot", "shop", email=email).status == 202
    token = mail(world, email, "reset")
    assert world.ask("POST", "/v1/password/reset", "shop", token=token, password=password).status == 204


def is_alive(world: World, tokens: Any) -> bool:
    for name in ("access_token", "refresh_token"):
        if world.services.sessions.introspect(tokens[name])["active"]:
            return True
    answer = world.ask("POST", "/v1/token/refresh", "shop", refresh_token=tokens["refresh_token"])
    assert answer.status == 401
    return False


def signed_on(world: World, email: str, **typed: str) -> Browser:
    """A browser in which somebody sent the form of their password, and what they are asked next."""
    world.register(APP, redirect_uris=[BACK])
    browser = Browser()
    browser.open(world)
    browser.send(world, email=email, password=PASSWORD)
    for name, value in typed.items():
        browser.send(world, **{name: value})
    return browser


def test_new_password_ends_other_mails_sessions_browsers_and_codes(dying: World) -> None:
    sign_up(dying, ADA)
    tokens = log_in(dying, ADA).body
    browser = signed_on(dying, ADA, decision="allow")
    assert browser.user(dying)
    assert dying.ask("POST", "/v1/password/forgot", "shop", email=ADA).status == 202
    earlier = mail(dying, ADA, "reset")
    reset(dying, ADA)
    answer = dying.ask("POST", "/v1/password/reset", "shop", token=earlier, password=PASSWORD)
    assert (answer.status, answer.code) == (400, "invalid_token")
    assert not is_alive(dying, tokens)
    assert browser.user(dying) == ""
    assert redeem(dying, browser.code).code == "invalid_grant"


def test_changed_password_ends_the_other_sessions(dying: World) -> None:
    sign_up(dying, ADA)
    tokens, other = log_in(dying, ADA).body, log_in(dying, ADA).body
    claims = {"access_token": tokens["access_token"], "current": PASSWORD, "password": OTHER}
    assert dying.ask("POST", "/v1/password/change", "shop", **claims).status == 204
    assert (is_alive(dying, tokens), is_alive(dying, other)) == (True, False)


def test_second_factor_ends_the_other_sessions(dying: World) -> None:
    sign_up(dying, ADA)
    other = log_in(dying, ADA).body
    secret, tokens = enrolled(dying, ADA)
    assert (is_alive(dying, tokens), is_alive(dying, other)) == (True, False)
    dying.sleep(60)
    another = log_in(dying, ADA, totp=code(dying, secret)).body
    dying.sleep(60)
    assert factor(dying, tokens, "disable", code=code(dying, secret)).status == 200
    assert (is_alive(dying, tokens), is_alive(dying, another)) == (True, False)


def test_new_address_ends_the_sessions(dying: World) -> None:
    ada = sign_up(dying, ADA)
    tokens = log_in(dying, ADA).body
    assert edit(dying, ada, email=NEW, **shown(tokens)).status == 200
    assert verify(dying, mail(dying, NEW, "email")).status == 200
    assert not is_alive(dying, tokens)


def test_half_done_sign_in_ends_with_the_password_that_began_it(home: World) -> None:
    sign_up(home, ADA)
    secret, _ = enrolled(home, ADA)
    browser = signed_on(home, ADA)
    assert browser.action == "second-factor"
    reset(home, ADA)
    home.sleep(60)
    assert browser.send(home, code=code(home, secret)) == 403
    assert (browser.user(home), browser.code) == ("", "")


def test_second_factor_that_was_begun_ends_with_a_new_password(home: World) -> None:
    sign_up(home, ADA)
    tokens = log_in(home, ADA).body
    secret = factor(home, tokens, "enrol").body["secret"]
    claims = {"access_token": tokens["access_token"], "current": PASSWORD, "password": OTHER}
    assert home.ask("POST", "/v1/password/change", "shop", **claims).status == 204
    assert factor(home, tokens, "confirm", code=code(home, secret)).code == "not_enrolling"


# ---- who proves a mailbox


def test_sign_up_is_verified_with_its_password_alone(home: World) -> None:
    assert home.ask("POST", "/v1/signup", "shop", email=ADA, password=OTHER).status == 202
    token = mail(home, ADA, "verify")
    assert verify(home, token).status == 400
    assert verify(home, token, password=PASSWORD).status == 401
    assert log_in(home, ADA, OTHER).status == 403
    assert home.ask("POST", "/v1/password/reset", "shop", token=token, password=PASSWORD).status == 204
    assert (log_in(home, ADA, OTHER).status, log_in(home, ADA).status) == (401, 200)


def test_owner_of_a_mailbox_starts_clean(dying: World) -> None:
    line = {
        "id": "1", "email": ADA, "company": "shop", "password_hash": "5f4dcc3b5aa765d61d8327deb882cf99",
        "hash_scheme": "md5", "phone": "+33612345678", "phone_verified": True,
        "profile": {"given_name": "Eve"},
    }  # fmt: skip
    assert dying.take_line("*", **line)["result"] == "created"
    tokens = log_in(dying, ADA, "password").body
    secret = factor(dying, tokens, "enrol", current="password").body["secret"]
    assert factor(dying, tokens, "confirm", code=code(dying, secret)).status == 200
    reset(dying, ADA, PASSWORD)
    answer = log_in(dying, ADA)
    assert answer.status == 200
    user = dying.ask("GET", "/v1/users/{id}", "shop", answer.body["user_id"]).body
    assert user["profile"] == {"email": ADA, "email_verified": True, "companies": {"shop": {"ids": ["1"]}}}
    assert not is_alive(dying, tokens)


def test_further_address_verifies_itself_alone(home: World) -> None:
    phone = {"phone": "+33612345678", "phone_verified": True, "company": "shop"}
    user = home.take_line("*", id="1", email=ADA, **phone)["user_id"]
    bob = home.take_line("*", id="2", email=BOB, email_verified=True, **phone)["user_id"]
    assert home.ask("POST", "/v1/users/{id}/merge", "group", user, other=bob).status == 200
    reset(home, BOB)
    assert log_in(home, BOB, OTHER).status == 200
    profile = home.ask("GET", "/v1/users/{id}", "shop", user).body["profile"]
    assert (profile["email"], profile["email_verified"]) == (BOB, True)
    assert log_in(home, ADA, OTHER).status == 401, "its mailbox has shown nothing"


def test_company_alone_changes_nobodys_address(home: World) -> None:
    ada = sign_up(home, ADA)
    assert edit(home, ada, email=NEW).status == 200
    assert verify(home, mail(home, NEW, "email")).body["state"] == "pending"
    assert log_in(home, ADA).status == 200
    assert log_in(home, NEW).status == 401


def test_verified_address_is_taken_from_nobody(home: World) -> None:
    ada, bob = sign_up(home, ADA), sign_up(home, BOB)
    assert edit(home, ada, email=BOB, **shown(log_in(home, ADA).body)).status == 200
    assert verify(home, mail(home, BOB, "email")).code == "address_taken"
    assert log_in(home, BOB).body["user_id"] == bob


# ---- accounts that end


def test_erasing_leaves_nothing_and_frees_the_address(home: World) -> None:
    ada = sign_up(home, ADA)
    tokens = log_in(home, ADA).body
    signed_on(home, ADA, decision="allow")
    assert home.ask("DELETE", "/v1/users/{id}", "shop", ada).status == 204
    assert [key for key in home.table.tables["users"] if key[0] == f"U#{ada}"] == [(f"U#{ada}", ".")]
    assert not is_alive(home, tokens)
    assert log_in(home, ADA).status == 401
    home.sleep(3600)
    assert sign_up(home, ADA, OTHER) != ada


def test_accounts_are_merged_by_what_is_verified_on_both(home: World) -> None:
    phone = {"phone": "+33612345678", "company": "shop"}
    users = [
        home.take_line("*", id=each, email=each, email_verified=True, phone_verified=verified, **phone)
        for each, verified in ((ADA, True), (BOB, False), (NEW, True))
    ]
    ada, bob, new = (each["user_id"] for each in users)
    assert home.ask("POST", "/v1/users/{id}/merge", "group", ada, other=bob).code == "not_the_same"
    for email in (ADA, NEW):
        reset(home, email, PASSWORD)
    assert home.ask("POST", "/v1/users/{id}/merge", "group", ada, other=new).status == 200
    assert log_in(home, ADA).body["user_id"] == log_in(home, NEW).body["user_id"] == ada


def test_an_account_is_merged_until_it_has_fifty_addresses_and_can_be_erased(home: World) -> None:
    """The transaction that erases it takes a hundred writes."""
    number = {"phone": "+33612345678", "phone_verified": True}
    lines = [
        {"id": str(each), "company": "shop", "email": f"p{each}@example.org", "email_verified": True} | number
        for each in range(52)
    ]
    first, *others = [str(home.take_line("*", **line)["user_id"]) for line in lines]
    answers = [home.ask("POST", "/v1/users/{id}/merge", "group", first, other=other) for other in others]
    assert {answer.status for answer in answers[:48]} == {200}
    assert (answers[-1].status, answers[-1].code) == (409, "too_many_identifiers")
    assert home.ask("DELETE", "/v1/users/{id}", "shop", first).status == 204


def test_accounts_that_were_merged_one_into_the_other_are_read_in_no_time(home: World) -> None:
    """Each one is asked once, however deep it lies."""
    number = {"phone": "+33612345678", "phone_verified": True}
    lines = [
        {"id": str(each), "company": "shop", "email": f"p{each}@example.org", "email_verified": True} | number
        for each in range(40)
    ]
    first, *others = [str(home.take_line("*", **line)["user_id"]) for line in lines]
    for other in others:
        assert home.ask("POST", "/v1/users/{id}/merge", "group", other, other=first).status == 200
        first = other
    assert home.ask("GET", "/v1/users/{id}", "shop", first).status == 200
