"""Each change of a credential makes every proof void that was made before it: each pair, over HTTP."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.clients.company import Company
from local.clients.sign_on import Application, Form, Visitor, told
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
from tests.integration.auth.test_imports import hashed, line, run
from tests.support.totp import totp

type Refused = Callable[[], bool]
"""Uses a proof, and tells whether it was refused."""


class Proofs:
    """Somebody, and every proof that can be had of them."""

    def __init__(self, suite: Suite, shop: Company) -> None:
        self.suite, self.shop = suite, shop
        password, phone = fresh_password(), f"+3519{secrets.randbelow(10**8):08}"
        same = {"phone": phone, "phone_verified": True}  # what two accounts can be merged by
        lines = [line(password_hash=hashed(password), **same), line(**same)]
        _, [one, two] = run(shop, lines)
        self.person, self.twin = Person(shop, lines[0]["email"], password, one["user_id"]), two["user_id"]
        self.tokens = self.person.tokens()
        self.app = Application(suite, "Wish list")

    def made(self, *, second_factor: bool) -> dict[str, Refused]:
        """Make one proof of each kind, and return how each is used."""
        person, shop = self.person, self.shop
        code = {"totp": self.code()} if second_factor else {}
        other, pending = person.log_in(**code).json(), fresh_email("stranger")
        shop.post("/v1/password/forgot", email=person.email)
        shop.ask("PATCH", f"/v1/users/{person.id}", {"email": pending})
        reset = mailed(self.suite, person.email, "reset")
        address, approval = mailed(self.suite, pending, "email"), mailed(self.suite, person.email, "approve")
        shop.post(f"/v1/users/{person.id}/recovery", email=fresh_email("recovered"))
        stop = mailed(self.suite, person.email, "recovery")
        found: dict[str, Refused] = {
            "a mail that stops a delayed reset": lambda: (
                shop.post("/v1/verify", token=stop).status_code == 400
            ),
            "a mail for a new password": lambda: (
                shop.post("/v1/password/reset", token=reset, password=fresh_password()).status_code == 400
            ),
            "a mail to a new address": lambda: shop.post("/v1/verify", token=address).status_code == 400,
            "a mail to the old address": lambda: shop.post("/v1/verify", token=approval).status_code == 400,
            "a refresh token": lambda: (
                shop.post("/v1/token/refresh", refresh_token=other["refresh_token"]).status_code == 401
            ),
            "an access token": lambda: (
                shop.post("/v1/introspect", token=other["access_token"]).json() == {"active": False}
            ),
            "an access token that changes something": lambda: (
                self.factor("enrol", other["access_token"]).status_code == 401
            ),
        }
        return found | self._at_the_pages(second_factor=second_factor)

    def _at_the_pages(self, *, second_factor: bool) -> dict[str, Refused]:
        app, visitor, half = self.app, Visitor(self.suite), Visitor(self.suite)
        page = visitor.sign_in(app, self.person.email, self.person.password)
        found: dict[str, Refused] = {}
        if second_factor:
            waiting = half.sign_in(app, self.person.email, self.person.password)
            assert Form(waiting).names == ["code", "recovery_code"]
            found["a sign-in that waits for its code"] = lambda: (
                half.submit(waiting, code=self.code()).status_code == 403
            )
            page = visitor.submit(page, code=self.code())
        first = told(page)["code"]
        exchanged = app.exchange(first).json()
        code = told(visitor.open(app.request()))["code"]
        return found | {
            "a code": lambda: app.exchange(code).status_code == 400,
            "a token of single sign-on": lambda: app.userinfo(exchanged["access_token"]).status_code == 401,
            "a browser": lambda: (
                visitor.open(app.request()).status_code == 200
            ),  # the log-in, and no redirect
        }

    def factor(self, action: str, access_token: str = "", **more: str) -> Any:
        token = access_token or self.tokens["access_token"]
        return self.shop.post("/v1/mfa/totp", access_token=token, action=action, **more)

    def enrol(self) -> None:
        self.secret = self.factor("enrol", current=self.person.password).json()["secret"]
        assert self.factor("confirm", code=totp(self.secret)).status_code == 200
        let_codes_pass(self.suite, self.person.id)

    def code(self) -> str:
        """A code that was not redeemed yet."""
        let_codes_pass(self.suite, self.person.id)
        return totp(self.secret)


def reset(proofs: Proofs) -> None:
    known = frozenset(mail["token"] for mail in mails(proofs.suite, proofs.person.email))
    proofs.shop.post("/v1/password/forgot", email=proofs.person.email)
    token = mailed(proofs.suite, proofs.person.email, "reset", known)
    answer = proofs.shop.post("/v1/password/reset", token=token, password=fresh_password())
    assert answer.status_code == 204, answer.text


def change(proofs: Proofs) -> None:
    shown = {"access_token": proofs.tokens["access_token"], "current": proofs.person.password}
    answer = proofs.shop.post("/v1/password/change", password=fresh_password(), **shown)
    assert answer.status_code == 204, answer.text


def factor_on(proofs: Proofs) -> None:
    proofs.enrol()


def factor_off(proofs: Proofs) -> None:
    assert proofs.factor("disable", code=proofs.code()).status_code == 200


def new_recovery_codes(proofs: Proofs) -> None:
    assert proofs.factor("recovery_codes", code=proofs.code()).status_code == 200


def move(proofs: Proofs) -> None:
    address = fresh_email("moved")
    shown = {"access_token": proofs.tokens["access_token"], "current": proofs.person.password}
    answer = proofs.shop.ask("PATCH", f"/v1/users/{proofs.person.id}", {"email": address, **shown})
    assert answer.status_code == 200, answer.text
    token = mailed(proofs.suite, address, "email")
    assert proofs.shop.post("/v1/verify", token=token).json()["state"] == "verified"


def merge(proofs: Proofs) -> None:
    answer = proofs.shop.post(f"/v1/users/{proofs.person.id}/merge", other=proofs.twin)
    assert answer.status_code == 200, answer.text


def merged_away(proofs: Proofs) -> None:
    answer = proofs.shop.post(f"/v1/users/{proofs.twin}/merge", other=proofs.person.id)
    assert answer.status_code == 200, answer.text


def erase(proofs: Proofs) -> None:
    assert proofs.shop.ask("DELETE", f"/v1/users/{proofs.person.id}").status_code == 204


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "make",
    [reset, change, factor_on, factor_off, new_recovery_codes, move, merge, merged_away, erase],
)
def test_a_change_of_a_credential_makes_every_earlier_proof_void(
    suite: Suite, shop: Company, make: Callable[[Proofs], None]
) -> None:
    proofs = Proofs(suite, shop)
    enrolled = make in (factor_off, new_recovery_codes)
    if enrolled:
        proofs.enrol()
    proven = proofs.made(second_factor=enrolled)
    make(proofs)
    assert {name: refused() for name, refused in proven.items()} == dict.fromkeys(proven, True)
    if make in (change, factor_on, factor_off, new_recovery_codes):
        refreshed = shop.post("/v1/token/refresh", refresh_token=proofs.tokens["refresh_token"])
        assert refreshed.status_code == 200, "whoever made the change stays logged in"


@pytest.mark.timeout(300)
def test_every_proof_is_good_before_a_change(suite: Suite, shop: Company) -> None:
    """Or the test above could not fail. A proof that is used may make others void: each has its person."""
    names = set(Proofs(suite, shop).made(second_factor=False))
    assert len(names) == 10
    for name in sorted(names):
        assert not Proofs(suite, shop).made(second_factor=False)[name](), name


def test_a_stranger_cannot_change_whose_an_account_is_by_a_company_alone(
    suite: Suite, shop: Company, person: Person
) -> None:
    """Neither the new mailbox nor a company is enough, in either order; the present mailbox is."""
    new = fresh_email("stranger")
    asked = shop.ask("PATCH", f"/v1/users/{person.id}", {"email": new})
    assert asked.status_code == 200
    confirmed = shop.post("/v1/verify", token=mailed(suite, new, "email"))
    assert (confirmed.status_code, confirmed.json()["state"]) == (200, "pending")
    again = shop.post("/v1/verify", token=mailed(suite, new, "email"))
    assert again.json() == confirmed.json(), "a retry is answered as first"
    assert shop.get(f"/v1/users/{person.id}").json()["profile"]["email"] == person.email
    approval = shop.post("/v1/verify", token=mailed(suite, person.email, "approve"))
    assert approval.json()["state"] == "verified"
    assert shop.get(f"/v1/users/{person.id}").json()["profile"]["email"] == new


@pytest.mark.parametrize(
    ("shown", "status", "code"),
    [
        ({"access_token": "x"}, 400, "incomplete"),
        ({"current": "x"}, 400, "incomplete"),
        ({"access_token": "x", "current": "x"}, 401, "invalid_token"),
        ({"access_token": "", "current": 1}, 400, "bad_request"),
    ],
)
def test_what_does_not_show_who_asks_for_an_address_is_refused(
    shop: Company, person: Person, shown: dict[str, Any], status: int, code: str
) -> None:
    answer = shop.ask("PATCH", f"/v1/users/{person.id}", {"email": fresh_email(), **shown})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_new_address_takes_the_right_password_and_the_persons_own_token(
    shop: Company, person: Person, suite: Suite
) -> None:
    other = joined(Person(shop, fresh_email(), fresh_password())).tokens()["access_token"]
    mine = person.tokens()["access_token"]
    path = f"/v1/users/{person.id}"
    for token, password, code in (
        (other, person.password, "invalid_token"),
        (mine, "not it", "invalid_credentials"),
    ):
        asked = {"email": fresh_email(), "access_token": token, "current": password}
        answer = shop.ask("PATCH", path, asked)
        assert (answer.status_code, answer.json()["code"]) == (401, code)
    trail = shop.get(f"{path}/export").json()
    assert trail["pending_address"] is None


def test_a_verified_address_takes_it_from_who_has_it_unverified(
    suite: Suite, shop: Company, person: Person
) -> None:
    """A squatter signed up with the address that the person moves to."""
    wanted, squatter = fresh_email("wanted"), fresh_password()
    assert shop.post("/v1/signup", email=wanted, password=squatter).status_code == 202
    theirs = mailed(suite, wanted, "verify")
    person.ask_for_address(wanted)
    assert shop.post("/v1/verify", token=mailed(suite, wanted, "email")).json()["state"] == "verified"
    assert shop.post("/v1/verify", token=theirs, password=squatter).status_code == 400
    assert shop.post("/v1/login", email=wanted, password=squatter).status_code == 401
    person.email = wanted
    assert person.log_in().status_code == 200


def test_the_same_sign_up_sent_again_is_answered_as_first(
    suite: Suite, shop: Company, newcomer: Person
) -> None:
    for _ in range(2):
        known = frozenset(mail["token"] for mail in mails(suite, newcomer.email))
        assert shop.post("/v1/signup", email=newcomer.email, password=newcomer.password).status_code == 202
        token = mailed(suite, newcomer.email, "verify", known)
    verified = shop.post("/v1/verify", token=token, password=newcomer.password)
    assert verified.status_code == 200, verified.text


def test_verifying_a_sign_up_takes_its_password_and_counts_wrong_ones(
    suite: Suite, shop: Company, newcomer: Person
) -> None:
    shop.post("/v1/signup", email=newcomer.email, password=newcomer.password)
    token = mailed(suite, newcomer.email, "verify")
    missing = shop.post("/v1/verify", token=token)
    assert (missing.status_code, missing.json()["code"]) == (400, "password_missing")
    codes = [shop.post("/v1/verify", token=token, password=fresh_password()).status_code for _ in range(7)]
    assert codes[0] == 401
    assert codes[-1] == 429
    chosen = fresh_password()
    assert shop.post("/v1/password/reset", token=token, password=chosen).status_code == 204
    assert shop.post("/v1/login", email=newcomer.email, password=chosen).status_code == 200


def test_right_passwords_side_by_side_never_lock_and_never_are_wrong(person: Person) -> None:
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: person.log_in().status_code, range(30)))
    assert set(answers) <= {200, 429}, "too many at one time are told so"
    assert 200 in answers
    assert person.log_in().status_code == 200


def test_one_visitor_of_a_company_cannot_lock_the_others_out(shop: Company, person: Person) -> None:
    for _ in range(31):
        last = shop.post("/v1/login", email=fresh_email("nobody"), password="wrong", visitor="203.0.113.9")
    assert (last.status_code, last.json()["code"]) == (429, "too_many_failures")
    assert int(last.headers["Retry-After"]) > 0
    assert person.log_in(visitor="203.0.113.10").status_code == 200
    assert person.log_in().status_code == 200
