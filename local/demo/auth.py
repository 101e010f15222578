"""Drive of the central authentication: somebody from an old system, somebody new, sign-up to erasure."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from base64 import b32decode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from local.clients.company import Company
from local.clients.person import DEMO_EMAIL, DEMO_PASSWORD
from local.clients.sign_on import Application, Visitor, told
from local.clients.table_dump import readable
from local.demo.checks import Checks
from local.people import log_in, mails_to, make_people
from local.suite import Suite
from local.waiting import wait

__all__ = ["FLOW", "PAGE", "STEPS", "drive"]

FLOW = "company → API → KMS, table; import → upgrade; OpenID Connect"
PAGE = "auth/"
STEPS = 33
PATIENCE_S = 60.0
PERSONAL = {"given_name": "Hyacinth", "street_address": "7 Larkspur Terrace"}


def drive(suite: Suite, checks: Checks) -> None:
    """Import, sign up, verify, log in, refresh, sign on elsewhere, export, erase."""
    run = secrets.token_hex(4)
    shop = Company(suite, "demo-shop", title="The Shop")
    old = f"old.{run}@example.org"
    new, password = f"new.{run}@example.org", secrets.token_urlsafe(16)
    _import(suite, checks, shop, old)

    # Somebody new.
    answer = shop.post("/v1/signup", email=new, password=password, profile=PERSONAL)
    checks.equal("sign-up: accepted", answer.status_code, 202)
    checks.equal("sign-up: not before the address is verified", log_in(shop, new, password).status_code, 403)
    [mail] = wait(lambda: mails_to(suite, new), PATIENCE_S) or [{"token": ""}]
    answer = shop.post("/v1/verify", token=mail["token"], password=secrets.token_urlsafe(16))
    checks.equal("verify: not without the password of the sign-up", answer.status_code, 401)
    answer = shop.post("/v1/verify", token=mail["token"], password=password)
    checks.equal("verify: by the token of the mail and the password", answer.status_code, 200)
    tokens = log_in(shop, new, password).json()
    checks.true("log-in: tokens", "access_token" in tokens, str(tokens))
    refreshed = shop.post("/v1/token/refresh", refresh_token=tokens["refresh_token"]).json()
    retried = shop.post("/v1/token/refresh", refresh_token=tokens["refresh_token"]).json()
    checks.true("refresh: a new token", refreshed["refresh_token"] != tokens["refresh_token"])
    checks.equal("refresh: a retry gets the same one", retried["refresh_token"], refreshed["refresh_token"])
    active = shop.post("/v1/introspect", token=refreshed["access_token"]).json()
    checks.equal("introspection: whose it is", active.get("sub"), tokens["user_id"])

    _sign_on(suite, checks, new, password, tokens["user_id"])
    if suite.second is not None:
        _move(suite, suite.second.result(), checks, shop, new, password)
    _recover(checks, shop, new, password, tokens["access_token"])

    person = f"/v1/users/{tokens['user_id']}"
    exported = shop.get(f"{person}/export").json()
    checks.equal("export: the profile", exported["profile"]["given_name"], PERSONAL["given_name"])
    checks.true("export: the trail", {"signup", "login"} <= {entry["action"] for entry in exported["trail"]})
    seen = readable(suite.client("dynamodb"), suite["AuthUsersTableName"])
    known = [
        new,
        old,
        new.partition("@")[0],
        *PERSONAL.values(),
        password,
        mail["token"],
        refreshed["refresh_token"],
    ]
    checks.equal("the table: nothing personal, no token", [text for text in known if text in seen], [])
    checks.true("the table: no hash", not any(mark in seen for mark in ("$argon2", "$2b$", "$6$")))
    checks.equal("erase", shop.ask("DELETE", person).status_code, 204)
    checks.equal("erased: for ever", shop.get(person).status_code, 410)
    checks.equal("erased: no log-in", log_in(shop, new, password).status_code, 401)
    checks.equal(
        "erased: no session",
        shop.post("/v1/introspect", token=refreshed["access_token"]).json(),
        {"active": False},
    )
    checks.equal(
        "a stranger's request",
        suite.http.post(f"{shop.url}/v1/login", json={"request": "x"}).status_code,
        401,
    )
    _leave_somebody(suite, checks, shop)


def _import(suite: Suite, checks: Checks, shop: Company, email: str) -> None:
    """Import three people of an old system, and log one in."""
    password, salt = "a password from the old shop", secrets.token_hex(4)
    digest = hashlib.md5(f"{salt}{password}".encode(), usedforsecurity=False).hexdigest()
    lines = [
        {"id": email, "email": email, "email_verified": True, "password_hash": digest,
         "hash_scheme": "md5(salt.password)", "salt": salt},
        {"id": f"2.{email}", "email": email, "email_verified": False},
        {"id": "broken", "email": "nobody"},
    ]  # fmt: skip
    begun = shop.post("/v1/users/import").json()
    body = "\n".join(json.dumps(line) for line in lines)
    suite.http.put(begun["upload"]["url"], data=body.encode()).raise_for_status()
    state = wait(lambda: _done(shop, begun["job_id"]), PATIENCE_S) or {"lines": "not done in time"}
    expected = {"created": 1, "merged": 0, "already": 0, "conflict": 1, "erased": 0, "refused": 1}
    checks.equal("import: what became of the lines", state["lines"], expected)
    first = log_in(shop, email, password).json()
    checks.true("import: log-in by the old password", "user_id" in first, str(first))
    exported = shop.get(f"/v1/users/{first.get('user_id')}/export").json()
    checks.equal("import: the old hash is replaced", exported.get("legacy_passwords_of"), [])
    checks.equal("import: and again by the new one", log_in(shop, email, password).status_code, 200)


def _done(shop: Company, job: str) -> dict[str, Any] | None:
    state: dict[str, Any] = shop.get(f"/v1/users/import/{job}").json()
    return state if state["state"] == "done" else None


def _sign_on(suite: Suite, checks: Checks, email: str, password: str, user: str) -> None:
    """Sign on to a second application by OpenID Connect, in a browser's stead."""
    application, visitor = Application(suite, "The Bank", public=False, trusted=False), Visitor(suite)
    consent = visitor.sign_in(application, email, password, scope="openid email")
    while consent.status_code in (302, 303) and application.redirect_uri not in consent.headers["Location"]:
        consent = visitor.http.get(consent.headers["Location"], allow_redirects=False)
    checks.true("sign-on: asks for consent", "The Bank" in consent.text, consent.text[:200])
    answer = visitor.submit(consent, decision="allow")
    while answer.headers.get("Location", "").startswith(application.url):
        answer = visitor.http.get(answer.headers["Location"], allow_redirects=False)
    tokens = application.exchange(told(answer)["code"]).json()
    claims = application.read(tokens["id_token"])
    checks.equal("sign-on: the same person", claims["sub"], user)
    checks.equal("sign-on: the address", application.userinfo(tokens["access_token"]).json()["email"], email)


def _move(suite: Suite, second: Suite, checks: Checks, shop: Company, email: str, password: str) -> None:
    """Log in in the other region, also while this one is out, and while the other one is."""
    there = Company(second, shop.name, title="The Shop")

    def known_there(name: str, user: str = "") -> bool:
        if user and there.get(f"/v1/users/{user}").status_code != 200:
            return False  # and no password is tried, as ten wrong ones lock an address
        return log_in(there, name, password).status_code == 200

    user = log_in(shop, email, password).json()["user_id"]
    checks.true("second region: log-in", bool(wait(lambda: known_there(email, user), PATIENCE_S)))
    with _out(suite, suite):
        answer = log_in(shop, email, password)
        checks.equal(
            "this region is out: says so", (answer.status_code, answer.headers.get("Retry-After")), (503, "1")
        )
        checks.true("this region is out: the other one serves", known_there(email))
    other = f"moved.{email}"
    with _out(suite, second):
        shop.post("/v1/signup", email=other, password=password)
        [mail] = wait(lambda: mails_to(suite, other), PATIENCE_S) or [{"token": ""}]
        shop.post("/v1/verify", token=mail["token"], password=password)
        here = log_in(shop, other, password)
        checks.equal("the other region is out: log-in here", here.status_code, 200)
    # As the schedule does within a minute.
    event = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    suite.client("lambda").invoke(
        FunctionName=suite["AuthDrainWritesFunctionName"], Payload=json.dumps(event).encode()
    )
    moved = here.json().get("user_id", "nobody")
    checks.true(
        "the other region is back: log-in there", bool(wait(lambda: known_there(other, moved), PATIENCE_S))
    )


@contextmanager
def _out(suite: Suite, region: Suite) -> Iterator[None]:
    """Have the users table of a region answer 503."""
    rule = {
        "match": "dynamodb.*", "region": region.region, "resource": region["AuthUsersTableName"],
        "status": 503, "type": "ServiceUnavailable",
    }  # fmt: skip
    faults = f"{suite.engine.endpoint}/_engine/faults"
    suite.http.post(faults, json=[rule]).raise_for_status()
    try:
        yield
    finally:
        suite.http.delete(faults).raise_for_status()


def _recover(checks: Checks, shop: Company, email: str, password: str, access_token: str) -> None:
    """Enrol a second factor, lose it, and get in by a recovery code."""
    claims = {"access_token": access_token}
    secret = shop.post("/v1/mfa/totp", action="enrol", current=password, **claims).json()["secret"]
    totp = TOTP(b32decode(secret), 6, SHA1(), 30)  # noqa: S303 - what authenticator apps speak
    code = totp.generate(int(time.time())).decode()
    confirmed = shop.post("/v1/mfa/totp", action="confirm", code=code, **claims).json()
    recovery = {"email": email, "password": password, "recovery_code": confirmed["recovery_codes"][0]}
    answers = [shop.post("/v1/login", **recovery).status_code for _ in range(2)]
    checks.equal("second factor: a recovery code gets in, once", answers, [200, 401])
    other = recovery | {"recovery_code": confirmed["recovery_codes"][1].lower()}
    tokens = shop.post("/v1/login", **other).json()
    ended = shop.post(
        "/v1/mfa/totp",
        access_token=tokens.get("access_token", ""),
        action="disable",
        recovery_code=confirmed["recovery_codes"][2],
    )
    checks.equal("second factor: another one ends it", ended.json(), {"state": "disabled"})


def _leave_somebody(suite: Suite, checks: Checks, shop: Company) -> None:
    """Leave somebody to sign in as, and the page of `web/auth/` as an application."""
    make_people(suite)
    checks.equal("somebody to sign in as", log_in(shop, DEMO_EMAIL, DEMO_PASSWORD).status_code, 200)
    checks.equal("the page is there", suite.http.get(f"{suite['WebUrl']}/{PAGE}").status_code, 200)
