"""docs/examples/company.py, the server of docs/auth_integration.md, driven as its visitors drive it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from local.clients.browse import session
from local.clients.company import Company
from local.engine_process import free_port
from local.suite import Suite
from ops.paths import ROOT
from tests.integration.auth.conftest import fresh_email, fresh_password, mails
from tests.support.totp import totp
from tests.support.waiting import wait_until


class Browser:
    """Somebody at the server's pages."""

    def __init__(self, address: str) -> None:
        self.address, self.http = address, session()

    def open(self, path: str) -> requests.Response:
        return self.http.get(self.address + path)

    def send(self, path: str, **form: str) -> requests.Response:
        return self.http.post(self.address + path, data=form)


@pytest.fixture(scope="module")
def server(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The example's address, once it answers."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    links = {name: f"{address}/{name}?token={{token}}" for name in ("verify", "reset")}
    company = Company(suite, "corner-shop", title="The Corner Shop", links=links)
    key: Path = tmp_path_factory.mktemp("company") / "private.pem"
    key.write_bytes(company.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    environment = os.environ | {
        "AUTH_API": company.url, "AUTH_API_KEY": company.api_key, "AUTH_CLIENT": company.name,
        "AUTH_KEY": str(key), "AUTH_KID": company.kid,
    }  # fmt: skip
    command = [sys.executable, str(ROOT / "docs/examples/company.py"), str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline().strip() == f"{address}/"
            yield address
        finally:
            process.terminate()


def link(suite: Suite, email: str, kind: str) -> str:
    """The path of the newest mail's link."""
    found = wait_until(lambda: mails(suite, email, kind), what=f"mail {kind}")
    place = re.search(r"http://127\.0\.0\.1:[0-9]+(/\S+)", found[-1]["text"])
    assert place, found
    return place[1]


def token_in(page: requests.Response) -> str:
    found = re.search(r'name="token" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def test_the_example_signs_up_logs_in_and_resets(suite: Suite, server: str) -> None:
    browser, email, password = Browser(server), fresh_email("ada"), fresh_password()
    assert "We sent you a mail" in browser.send("/signup", email=email, password=password).text
    page = browser.open(link(suite, email, "verify"))
    assert f'href="/reset?token={token_in(page)}"' in page.text, "who did not choose the password has a way"
    wrong = browser.send("/verify", token=token_in(page), password=fresh_password())
    assert wrong.status_code == 401
    confirmed = browser.send("/verify", token=token_in(page), password=password)
    assert "Your address is confirmed" in confirmed.text, confirmed.text
    assert email in browser.send("/login", email=email, password=password).text
    assert email in browser.open("/").text, "the session goes on, and its tokens are renewed"

    other = Browser(server)
    assert "We sent you a mail" in other.send("/forgot", email=email).text
    page, chosen = other.open(link(suite, email, "reset")), fresh_password()
    assert "Your password is changed" in other.send("/reset", token=token_in(page), password=chosen).text
    assert "Please log in again" in browser.open("/").text, "a new password ends every session"
    assert browser.send("/login", email=email, password=password).status_code == 401
    assert email in browser.send("/login", email=email, password=chosen).text
    assert "You are logged out" in browser.send("/logout").text
    assert email not in browser.open("/").text


def test_the_example_asks_for_the_code_of_a_second_factor(suite: Suite, server: str) -> None:
    browser, email, password = Browser(server), fresh_email("grace"), fresh_password()
    browser.send("/signup", email=email, password=password)
    browser.send("/verify", token=token_in(browser.open(link(suite, email, "verify"))), password=password)
    shop = Company(suite, "corner-shop-app", company="corner-shop")
    tokens = shop.post("/v1/login", email=email, password=password).json()
    enrol = {"access_token": tokens["access_token"]}
    asked = {"action": "enrol", "current": password, **enrol}
    secret = shop.post("/v1/mfa/totp", **asked).json()["secret"]
    confirmed = shop.post("/v1/mfa/totp", action="confirm", code=totp(secret), **enrol)
    assert confirmed.status_code == 200
    assert "Enter your code" in browser.send("/login", email=email, password=password).text
    again = browser.send("/login", email=email, password=password, totp=totp(secret, 30))
    assert f"You are {email}" in again.text, "the form has the address, too"
    [code, *_] = confirmed.json()["recovery_codes"]
    # A browser sends the field that was left empty, too.
    given = browser.send("/login", email=email, password=password, totp="", recovery_code=code)
    assert f"You are {email}" in given.text


def test_the_example_refuses_forms_of_other_sites(server: str) -> None:
    answer = session().post(f"{server}/login", data={}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
