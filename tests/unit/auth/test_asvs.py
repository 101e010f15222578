"""docs/auth_asvs.md and docs/auth_security.md: complete, and what they name is there.

The numbers are those of OWASP ASVS 5.0.0 (tag `v5.0.0_release`, `5.0/en/0x15-V6-Authentication.md`,
`0x16-V7-Session-Management.md`, `0x19-V10-OAuth-and-OIDC.md`), which is under CC BY-SA 4.0.
"""

from __future__ import annotations

import ast
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from auth.settings import AuthSettings
from auth.sign_on import pages
from auth.storage import Session
from ops.paths import ROOT
from tests.unit.auth.sign_on.test_pages import client
from tests.unit.auth.tokens.test_keyring import World

LEVELS = {
    "6.1": "122", "6.2": "111111112222", "6.3": "11223333", "6.4": "112233", "6.5": "22222333", "6.6": "2223",
    "6.7": "33", "6.8": "2222", "7.1": "222", "7.2": "1111", "7.3": "22", "7.4": "11222", "7.5": "223",
    "7.6": "22", "10.1": "22", "10.2": "223", "10.3": "22223", "10.4": "1111122222233333", "10.5": "22222",
    "10.6": "22", "10.7": "222",
}  # fmt: skip
"""The level of each requirement, by section: the first of 6.1 is of level 1, the second and third of 2."""

PACKAGE = ROOT / "functions/auth/auth"
ASVS, SECURITY = (ROOT / "docs" / name for name in ("auth_asvs.md", "auth_security.md"))
ROW = re.compile(r"^\| ([0-9.]+) \| ([123]) \| ([^|]+) \| (held|not held|n/a) \| ([^|]+) \|$", re.MULTILINE)
NAMED_TEST = re.compile(r"`(test_\w+)`")
NAMED_FILE = re.compile(r"`([\w./]+\.(?:py|md|yaml))`")


def known_tests() -> set[str]:
    """Names of all tests of this repository."""
    found = re.compile(r"^\s*def (test_\w+)\(", re.MULTILINE)
    return {name for path in (ROOT / "tests").rglob("test_*.py") for name in found.findall(path.read_text())}


def section(title: str) -> str:
    """The text of a section of docs/auth_security.md."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", SECURITY.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"docs/auth_security.md has no section {title}"
    return found[1]


def test_every_requirement_is_in_the_table_once_with_its_level() -> None:
    wanted = [
        (f"{part}.{number}", level)
        for part, levels in LEVELS.items()
        for number, level in enumerate(levels, start=1)
    ]
    assert len(wanted) == 102
    assert [(number, level) for number, level, *_ in ROW.findall(ASVS.read_text())] == wanted


def test_what_is_held_names_a_test_and_what_is_not_says_why() -> None:
    rows = ROW.findall(ASVS.read_text())
    held = [(number, by) for number, _, _, result, by in rows if result == "held"]
    assert [number for number, by in held if not NAMED_TEST.search(by)] == []
    assert [number for number, *_, by in rows if not by.strip()] == []


def test_counts_are_those_of_the_table() -> None:
    text = ASVS.read_text()
    counted = [(level, result) for _, level, _, result, _ in ROW.findall(text)]
    for level in "123":
        counts = [counted.count((level, result)) for result in ("held", "not held", "n/a")]
        assert f"| {level} | {' | '.join(map(str, counts))} |" in text


@pytest.mark.parametrize("page", [ASVS, SECURITY], ids=lambda page: page.name)
def test_every_named_test_and_file_exists(page: Path) -> None:
    text = page.read_text()
    named = set(NAMED_TEST.findall(text))
    assert len(named) > 20
    assert sorted(named - known_tests()) == []
    missing = [
        name
        for name in NAMED_FILE.findall(text)
        if not (ROOT / name).exists() and not (PACKAGE / name).exists()
    ]
    assert missing == []


def test_limits_in_the_docs_are_those_of_the_settings() -> None:
    documented = re.findall(r"^\| `(\w+)` \| (\d+) \|", section("Rate limits and lifetimes"), re.MULTILINE)
    settings = AuthSettings("table", "key", "eu-west-1", "secrets")
    assert len(documented) > 10
    assert {name: int(value) for name, value in documented} == {
        name: getattr(settings, name) for name, _ in documented
    }
    hours = 3600
    assert f"| {settings.refresh_idle_days} days | {settings.refresh_days} days |" in section("Sessions")
    assert f"| {_constant('sign_on/browsers.py', 'SESSION_S') // hours} hours |" in section("Sessions")
    assert f"| {_constant('sign_on/authorization.py', 'CODE_S') // 60} minute |" in section("Sessions")
    assert "Fifty sessions a person" in section("Sessions")
    assert _constant("tokens/_sessions.py", "MOST_SESSIONS") == 50


def _constant(place: str, name: str) -> int:
    [value] = re.findall(rf"^{name} = ([0-9 *]+)", (PACKAGE / place).read_text(), re.MULTILINE)
    product = 1
    for factor in value.split("*"):
        product *= int(factor)
    return product


def calls(*names: str) -> Iterator[tuple[str, str]]:
    """Yield where a method of these names is called, as `package/module.py`, and by what, as `a.b.name`."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr in names:
                yield str(path.relative_to(PACKAGE)), ast.unparse(called)


def test_ways_in_are_those_that_the_code_has() -> None:
    """Sessions and tokens come from `begin` and `refresh` of the sessions, and `begin` of a browser."""
    documented = set(re.findall(r"`(\w+/\w+\.py)` \|$", section("Ways in"), re.MULTILINE))
    made = {
        place
        for place, call in calls("begin", "refresh")
        if call.endswith(("sessions.begin", "sessions.refresh", "browser.begin"))
    }
    assert documented >= made - {"api.py"}
    assert documented == (made - {"api.py"}) | {"tokens/_sessions.py"}
    assert "sessions.refresh" in (PACKAGE / "api.py").read_text(), "the way by POST /v1/token/refresh"


def test_ways_to_an_account_are_sign_up_and_import() -> None:
    """A record that was not there before is closed with None for what it was."""
    made = [
        (place, call)
        for place, call in calls("close")
        if re.search(rf"{re.escape(call)}\(\s*None,", (PACKAGE / place).read_text())
    ]
    assert {place.partition("/")[0] for place, _ in made} == {"accounts", "imports"}
    assert {place for place, _ in made if place.startswith("accounts")} == {"accounts/_registration.py"}


def test_nothing_draws_from_a_generator_that_can_be_foretold() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert "random" not in names, path
    for place, drawn in {
        "accounts/_mails.py": "token_urlsafe(32)",  # links in mails
        "credentials/mfa.py": "token_bytes(20)",  # seeds of TOTP
        "sign_on/authorization.py": "token_urlsafe(32)",  # codes
        "sign_on/browsers.py": "token_bytes(_RANDOM_BYTES)",  # cookies
        "tokens/_sessions.py": "token_hex(16)",  # families of refresh tokens
    }.items():
        text = (PACKAGE / place).read_text()
        assert drawn in text, place
        assert "from secrets import" in text, place


def test_password_is_masked_and_can_be_pasted_and_filled_in() -> None:
    page = pages.login(client(), {}, "")
    [field] = re.findall(r'<input id="password"[^>]*>', page["body"])
    assert 'type="password"' in field
    assert 'autocomplete="current-password"' in field
    assert not re.search("onpaste|readonly|<script", page["body"])
    assert "default-src 'none'" in page["headers"]["Content-Security-Policy"], "so no script hinders pasting"


# ---- the snippet for resource servers

ISSUER, RESOURCE = "https://id.example/live", "https://id.example/live/companies/shop"
KEY, RSA = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65_537, 2048)
NOW = 1_700_000_000
GOOD = {
    "iss": ISSUER, "aud": RESOURCE, "exp": 4_000_000_000, "iat": NOW, "sub": "5d1c8f7e", "client_id": "shop",
    "scope": "openid email", "sid": "f0", "jti": "j",
}  # fmt: skip


@pytest.fixture(scope="module")
def snippet() -> dict[str, Any]:
    """What docs/auth_security.md tells resource servers to run, with the keys of the provider."""
    [code] = re.findall(r"```python\n(.*?)```", section("What a resource server checks"), re.DOTALL)
    known = {"kid": "one", "use": "sig"}
    keys = [
        ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | known | {"alg": "ES256"},
        RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True) | known | {"kid": "rsa", "alg": "RS256"},
    ]
    names: dict[str, Any] = {}
    os.environ |= {"AUTH_API": ISSUER, "AUTH_RESOURCE": RESOURCE}
    try:
        exec(compile(code, str(SECURITY), "exec"), names)  # noqa: S102 - it is ours
    finally:
        del os.environ["AUTH_API"], os.environ["AUTH_RESOURCE"]
    names["KEYS"].get_jwk_set = lambda refresh=False: jwt.PyJWKSet(keys)  # noqa: ARG005 - no socket is opened
    return names


def signed(key: Any = KEY, alg: str = "ES256", header: dict[str, Any] | None = None, **claims: Any) -> str:
    head = {"typ": "at+jwt", "kid": "one"} | (header or {})
    body = {name: value for name, value in (GOOD | claims).items() if value is not None}
    return "Bearer " + jwt.encode(body, key, alg, head)


def test_a_resource_server_takes_its_own_access_tokens_alone(snippet: dict[str, Any]) -> None:
    claims_of = snippet["claims_of"]
    assert claims_of(signed(), "email") == GOOD
    with pytest.raises(PermissionError):
        claims_of(signed(), "mail")
    secret = "the public key as the secret of an HMAC, in any form"
    for refused in (
        signed(header={"typ": "JWT"}),  # an ID token
        signed(RSA, "RS256", {"kid": "rsa"}),  # a key of the set that is not for access tokens
        signed(ec.generate_private_key(ec.SECP256R1())),
        signed(secret, "HS256"),
        signed(None, "none"),
        signed(header={"kid": "two"}),
        signed(iss="https://id.example/other"),
        signed(aud="https://id.example/live/companies/other"),
        signed(aud="shop"),  # the client's name, as an ID token has it
        signed(exp=NOW - 86_400),
        signed(exp=None),
        signed(sub=None),
        signed(scope=None),
        "Basic " + signed().split()[1],
        "Bearer",
        "",
    ):
        with pytest.raises(jwt.PyJWTError):
            claims_of(refused, "email")


def test_a_resource_server_takes_what_the_provider_signs(snippet: dict[str, Any]) -> None:
    world = World()
    world.now = time.time()
    keys = world.tokens.jwks()["keys"]
    known = snippet | {"KEYS": jwt.PyJWKClient("https://id.example")}
    known["KEYS"].get_jwk_set = lambda refresh=False: jwt.PyJWKSet(keys)  # noqa: ARG005
    claims_of = FunctionType(snippet["claims_of"].__code__, known)
    now = int(world.now)
    session = Session("5d1c8f7e", "f0", "shop", "openid email", now, now, now + 60, audience=RESOURCE)
    claims = claims_of(f"Bearer {world.tokens.access(session, 'openid email')}", "email")
    assert (claims["sub"], claims["aud"]) == ("5d1c8f7e", RESOURCE)
    identity = world.tokens.identity("5d1c8f7e", RESOURCE, dict(GOOD) | {"exp": now + 60}, "ES256")
    with pytest.raises(jwt.InvalidTokenError, match="not an access token"):
        claims_of(f"Bearer {identity}", "email")
