"""Companies that are registered, and people who sign up at them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from local.clients.company import Company
from local.suite import Suite
from tests.support.waiting import wait_until

LINKS = {
    "verify": "https://shop.example/verify?token={token}",
    "reset": "https://shop.example/reset?token={token}",
}


def fresh_email(name: str = "person") -> str:
    """Return an address that nobody has."""
    return f"{name}.{secrets.token_hex(6)}@example.org"


def fresh_password() -> str:
    """Return a password that is long enough without a second factor."""
    return secrets.token_urlsafe(18)


def said(answer: requests.Response) -> dict[str, Any]:
    """Return the body of an error without the request's id, which is another one in each."""
    body: dict[str, Any] = answer.json()
    assert body.pop("request_id")
    return body


@dataclass
class Person:
    """Somebody with an account at the shop."""

    shop: Company
    email: str
    password: str
    id: str = ""

    def log_in(self, **more: str) -> requests.Response:
        return self.shop.post("/v1/login", email=self.email, password=self.password, **more)

    def ask_for_address(self, address: str) -> requests.Response:
        """Ask for a new main address, and show who asks."""
        shown = {"access_token": self.tokens()["access_token"], "current": self.password}
        return self.shop.ask("PATCH", f"/v1/users/{self.id}", {"email": address, **shown})

    def tokens(self) -> dict[str, Any]:
        answer = self.log_in()
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens


@pytest.fixture(scope="session")
def shop(suite: Suite) -> Company:
    """A company that may do everything for its people."""
    return Company(suite, "shop", links=LINKS, title="The Shop")


@pytest.fixture(scope="session")
def group(suite: Suite) -> Company:
    """The group's own server, which imports the people of all companies."""
    return Company(suite, "group", company="*", title="The Group")


def mails(suite: Suite, email: str, kind: str | None = None) -> list[dict[str, str]]:
    """Return the mails to an address that lie in the outbox, in no order."""
    pages = suite.client("dynamodb").get_paginator("scan").paginate(TableName=suite["AuthOutboxTableName"])
    items = [
        {name: next(iter(value.values())) for name, value in item.items()}
        for page in pages
        for item in page["Items"]
    ]
    return [item for item in items if item["to"] == email and kind in (None, item["kind"])]


def mailed(suite: Suite, email: str, kind: str, but: frozenset[str] = frozenset()) -> str:
    """Wait for a mail and return its token; ``but`` are tokens of earlier ones."""

    def fresh() -> list[str]:
        return [mail["token"] for mail in mails(suite, email, kind) if mail["token"] not in but]

    return wait_until(fresh, what=f"mail {kind}")[0]


def let_codes_pass(suite: Suite, user: str) -> None:
    """Have the codes of now be good again, as if half a minute had gone by."""
    key = {"pk": {"S": f"F#{user}"}, "sk": {"S": "."}}
    suite.client("dynamodb").delete_item(TableName=suite["AuthUsersTableName"], Key=key)


@pytest.fixture
def newcomer(shop: Company) -> Person:
    """Somebody who has not signed up yet."""
    return Person(shop, fresh_email(), fresh_password())


def joined(person: Person, **profile: str) -> Person:
    """Sign up, and verify by the mail."""
    suite = person.shop.suite
    earlier = frozenset(mail["token"] for mail in mails(suite, person.email))
    answer = person.shop.post("/v1/signup", email=person.email, password=person.password, profile=profile)
    assert answer.status_code == 202, answer.text
    token = mailed(suite, person.email, "verify", earlier)
    answer = person.shop.post("/v1/verify", token=token, password=person.password)
    assert answer.status_code == 200, answer.text
    person.id = answer.json()["user_id"]
    return person


@pytest.fixture
def person(newcomer: Person) -> Person:
    """Somebody with an account."""
    return joined(newcomer, given_name="Ada", country="PT")
