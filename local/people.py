"""What pages need that a template cannot make: an operator, an account, the page `auth/` as an application.

``make up`` and the demo leave them on the local engine. On AWS `make operator` invites the first operator,
and ``make clients DO=add-page`` registers the page.
"""

from __future__ import annotations

import requests

from local.clients.company import Company
from local.clients.person import DEMO_EMAIL, DEMO_PASSWORD, PersonAt
from local.suite import Suite
from local.waiting import wait
from ops.auth_clients import register_page

__all__ = ["log_in", "mails_to", "make_people"]

_PATIENCE_S = 20.0


def make_people(suite: Suite) -> None:
    """Have somebody to sign in as at the pages of what is deployed, by one address and one password.

    Idempotent. An operator's account is in the user pool, that of `auth/` in the authentication.

    Raises:
        RuntimeError: The authentication does not let its new account in.
    """
    PersonAt(suite, DEMO_EMAIL, DEMO_PASSWORD)
    if "AuthApiUrl" not in suite.outputs:
        return
    register_page(suite.client, suite.outputs)
    # A name of its own: functions notice a key that is replaced after a second, and the demo's is in use.
    shop = Company(suite, "demo-people", company="demo-shop", title="The Shop")
    if _log_in_once_known(shop).status_code == 200:
        return
    shop.post("/v1/signup", email=DEMO_EMAIL, password=DEMO_PASSWORD, profile={"name": "Demo Person"})
    [mail, *_] = wait(lambda: mails_to(suite, DEMO_EMAIL), _PATIENCE_S) or [{"token": ""}]
    shop.post("/v1/verify", token=mail["token"], password=DEMO_PASSWORD)
    answer = _log_in_once_known(shop)
    if answer.status_code != 200:
        raise RuntimeError(f"the authentication does not let {DEMO_EMAIL} in: {answer.text}")


def _log_in_once_known(shop: Company) -> requests.Response:
    """Log the person in as soon as the authentication knows the company's new key; the response."""

    def answered() -> list[requests.Response]:
        response = log_in(shop, DEMO_EMAIL, DEMO_PASSWORD)
        is_unknown = response.status_code == 401 and "invalid_client" in response.text
        return [] if is_unknown else [response]  # a response that is an error would be false

    [response] = wait(answered, _PATIENCE_S) or [log_in(shop, DEMO_EMAIL, DEMO_PASSWORD)]
    return response


def log_in(shop: Company, email: str, password: str) -> requests.Response:
    """Log somebody in by a company's server; the response."""
    return shop.post("/v1/login", email=email, password=password)


def mails_to(suite: Suite, email: str) -> list[dict[str, str]]:
    """Return the tokens of the mails to an address that have one: they stay in the outbox for a day."""
    pages = suite.client("dynamodb").get_paginator("scan").paginate(TableName=suite["AuthOutboxTableName"])
    items = [item for page in pages for item in page["Items"] if item["to"]["S"] == email]
    return [{"token": token} for item in items if (token := item["token"]["S"])]
