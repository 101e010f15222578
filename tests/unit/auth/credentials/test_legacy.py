"""Hashes of the systems of origin, against what other implementations made (`legacy_hashes.json`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import argon2.low_level
import bcrypt
import passlib.hash  # type: ignore[import-untyped]
import pytest
import werkzeug.security
from hypothesis import given, settings
from hypothesis import strategies as st

from auth.credentials import argon2id, legacy
from auth.credentials.legacy_formats import SCHEMES, read
from shared.http import BadRequestError

HASHES = json.loads(Path(__file__).parents[1].joinpath("legacy_hashes.json").read_text())
each_hash = pytest.mark.parametrize(
    "known", HASHES, ids=lambda known: f"{known['scheme']}, {known['origin']}, {known['text'][:12]}"
)


@pytest.fixture(scope="module", autouse=True)
def _small_argon2id() -> Iterator[None]:
    """Hundreds of hashes are made here; what one costs is the matter of `test_passwords`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argon2id, "MEMORY", 64)
        yield


def wrap(known: dict[str, str]) -> dict[str, Any]:
    return legacy.wrap(known["text"], scheme=known.get("hint"), salt=known.get("salt"))


def refusal(text: str, scheme: str | None = None, salt: str | None = None) -> str:
    with pytest.raises(BadRequestError) as error:
        legacy.wrap(text, scheme=scheme, salt=salt)
    return error.value.code


@each_hash
def test_what_others_hashed_is_known_and_matches(known: dict[str, str]) -> None:
    wrapped = json.loads(json.dumps(wrap(known)))
    assert wrapped["scheme"] == known["scheme"]
    assert legacy.matches(wrapped, known["password"])
    assert not legacy.matches(wrapped, "x" + known["password"])
    assert 1 <= legacy.cost(wrapped) <= legacy.MAX_COST


@each_hash
def test_no_digest_is_in_what_is_kept(known: dict[str, str]) -> None:
    kept = json.dumps(wrap(known)).lower()
    _, (_, digest) = read(known["text"], known.get("hint"), known.get("salt"))
    written = (
        digest.decode("latin-1"), digest.hex(), base64.b64encode(digest).decode().rstrip("="),
        base64.urlsafe_b64encode(digest).decode().rstrip("="),
    )  # fmt: skip
    assert not any(form.lower() in kept for form in written)


def test_every_format_is_checked_by_another_implementation() -> None:
    assert {known["scheme"] for known in HASHES} == set(SCHEMES)
    assert len(SCHEMES) == len(set(SCHEMES))


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def old_bcrypt(password: bytes) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(4)).decode()


def aspnet_3(function: int, name: str) -> Callable[[str], str]:
    def made(password: str) -> str:
        digest = hashlib.pbkdf2_hmac(name, password.encode(), b"s" * 16, 20, 32)
        return b64(b"\1" + struct.pack(">III", function, 20, 16) + b"s" * 16 + digest)

    return made


def wordpress(password: str) -> str:
    mac = hmac.digest(b"wp-sha384", password.strip(" \t\n\r\v").encode(), "sha384")
    return "$wp" + old_bcrypt(base64.b64encode(mac))


def argon2_hash(kind: argon2.low_level.Type, version: int) -> Callable[[str], str]:
    def made(password: str) -> str:
        return argon2.low_level.hash_secret(
            password.encode(), b"saltsalt", 1, 16, 2, 24, kind, version
        ).decode()

    return made


def of(name: str, **settings: Any) -> Callable[[str], str]:
    """The hash of a handler of Passlib."""

    def made(password: str) -> str:
        text: str = getattr(passlib.hash, name).using(**settings).hash(password)
        return text

    return made


MADE: dict[str, Callable[[str], str]] = {
    "bcrypt": lambda password: old_bcrypt(password.encode()),
    "wordpress": wordpress,
    "phpass": of("phpass", rounds=7),
    "md5_crypt": of("md5_crypt"),
    "apr_md5_crypt": of("apr_md5_crypt"),
    "sha256_crypt": of("sha256_crypt", rounds=1000),
    "sha512_crypt": of("sha512_crypt", rounds=1000),
    "django_pbkdf2_sha256": of("django_pbkdf2_sha256", rounds=10),
    "django_pbkdf2_sha1": of("django_pbkdf2_sha1", rounds=10),
    "django_salted_md5": of("django_salted_md5"),
    "django_salted_sha1": of("django_salted_sha1"),
    "django_bcrypt": of("django_bcrypt", rounds=4),
    "django_bcrypt_sha256": of("django_bcrypt_sha256", rounds=4),
    "passlib_pbkdf2_sha1": of("pbkdf2_sha1", rounds=10),
    "passlib_pbkdf2_sha256": of("pbkdf2_sha256", rounds=10),
    "passlib_pbkdf2_sha512": of("pbkdf2_sha512", rounds=10),
    "passlib_scrypt": of("scrypt", rounds=4),
    "werkzeug_scrypt": lambda password: werkzeug.security.generate_password_hash(password, "scrypt:16:1:2"),
    "werkzeug_pbkdf2": lambda password: werkzeug.security.generate_password_hash(password, "pbkdf2:sha512:9"),
    "argon2i": argon2_hash(argon2.low_level.Type.I, 19),
    "argon2d": argon2_hash(argon2.low_level.Type.D, 19),
    "argon2id": argon2_hash(argon2.low_level.Type.ID, 19),
    "argon2i of version 16": argon2_hash(argon2.low_level.Type.I, 16),
    "mysql41": of("mysql41"),
    "ldap_md5": of("ldap_md5"),
    "ldap_sha1": of("ldap_sha1"),
    "ldap_sha256": lambda password: "{SHA256}" + b64(hashlib.sha256(password.encode()).digest()),
    "ldap_sha512": lambda password: "{SHA512}" + b64(hashlib.sha512(password.encode()).digest()),
    "ldap_salted_md5": of("ldap_salted_md5"),
    "ldap_salted_sha1": of("ldap_salted_sha1"),
    "ldap_salted_sha256": of("ldap_salted_sha256"),
    "ldap_salted_sha512": of("ldap_salted_sha512"),
    "atlassian": of("atlassian_pbkdf2_sha1"),
    "aspnet_3 of .NET 7": aspnet_3(2, "sha512"),
    "aspnet_3 with SHA-1": aspnet_3(0, "sha1"),
}
TYPED = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=17)


@pytest.mark.parametrize("scheme", MADE)
@settings(max_examples=10)
@given(password=TYPED, other=TYPED)
def test_any_password_matches_its_hash_and_no_other_does(scheme: str, password: str, other: str) -> None:
    wrapped = legacy.wrap(MADE[scheme](password))
    assert legacy.matches(wrapped, password)
    assert legacy.matches(wrapped, other) is (other == password or same_in_wordpress(scheme, other, password))
    for near in (f"{password}x", f"x{password}", password[:-1] + "\uffff"):
        assert not legacy.matches(wrapped, near)


def same_in_wordpress(scheme: str, one: str, other: str) -> bool:
    return scheme == "wordpress" and one.strip(" \t\n\r\v") == other.strip(" \t\n\r\v")


@settings(max_examples=30)
@given(
    st.sampled_from(["md5", "sha1", "sha256", "sha512"]), TYPED, st.text("abc:$1 ", min_size=1), st.booleans()
)
def test_a_bare_salted_digest_matches_as_declared_only(
    name: str, password: str, salt: str, beside: bool
) -> None:
    digest = hashlib.new(name, (salt + password).encode()).hexdigest()
    scheme = f"{name}(salt.password)"
    text = digest.upper() if beside else f"{digest}:{salt}"
    wrapped = legacy.wrap(text, scheme=scheme, salt=salt if beside else None)
    assert legacy.matches(wrapped, password)
    assert not legacy.matches(wrapped, password + "x")
    other = legacy.wrap(digest, scheme=f"{name}(password.salt)", salt=salt)
    assert legacy.matches(other, password) is (salt + password == password + salt)


def test_bcrypt_sees_72_bytes() -> None:
    wrapped = legacy.wrap(bcrypt.hashpw(b"a" * 72, bcrypt.gensalt(4)).decode())
    assert legacy.matches(wrapped, "a" * 72)
    assert legacy.matches(wrapped, "a" * 100)
    assert not legacy.matches(wrapped, "a" * 71)


def test_django_bcrypt_sees_every_byte() -> None:
    wrapped = legacy.wrap(MADE["django_bcrypt_sha256"]("a" * 80))
    assert legacy.matches(wrapped, "a" * 80)
    assert not legacy.matches(wrapped, "a" * 81)


def test_wordpress_trims_what_is_typed() -> None:
    wrapped = legacy.wrap(MADE["wordpress"]("two words"))
    assert legacy.matches(wrapped, " two words\n")
    assert not legacy.matches(wrapped, "two  words")


@pytest.mark.parametrize("password", ["test\0", "\0", "x" * 513, "ž" * 257, "x" * 100_000])
def test_what_no_system_can_have_taken_matches_nothing(password: str) -> None:
    wrapped = legacy.wrap(hashlib.sha256(password.encode()).hexdigest(), scheme="sha256")
    assert not legacy.matches(wrapped, password)


def test_half_a_pair_is_a_password_that_nobody_has() -> None:
    assert not legacy.matches(legacy.wrap(MD5, scheme="md5"), "\ud800")


def test_passwords_of_512_bytes_match() -> None:
    for scheme in ("phpass", "sha512_crypt", "mysql41"):
        assert legacy.matches(legacy.wrap(MADE[scheme]("ž" * 256)), "ž" * 256)


SALT, MD5 = "abcdefgh", "5d41402abc4b2a76b9719d911017c592"
UNKNOWN = {
    "nothing": "",
    "a word": "password",
    "a bare digest without a hint": MD5,
    "a bare digest and salt without a hint": f"{MD5}:salt",
    "the broken bcrypt": "$2x$05$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK",
    "the oldest bcrypt": "$2$05$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK",
    "bcrypt with too low a cost": "$2b$03$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK",
    "bcrypt with a salt that is none": "$2b$05$abcdefghijklmnopqrstuv5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK",
    "bcrypt cut short": "$2b$05$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7db",
    "bcrypt and more": "$2b$05$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK\n",
    "DES": "abJnggxhB/yWI",
    "BSDi": "_J9..CCCCXBrJUJV154M",
    "NTLM": "$3$$8846f7eaee8fb117ad06bdd830b7586c",
    "yescrypt": "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
    "an empty digest": "$pbkdf2-sha256$1000$c2FsdHNhbHQ$",
    "a digest of eight bytes": f"pbkdf2_sha256$1000$salt${b64(b'8 bytes!')}",
    "no rounds": f"pbkdf2_sha256$0$salt${b64(bytes(32))}",
    "negative rounds": f"pbkdf2_sha256$-1$salt${b64(bytes(32))}",
    "rounds in another script": f"pbkdf2_sha256$١٠٠$salt${b64(bytes(32))}",
    "rounds without end": f"pbkdf2_sha256${'9' * 900}$salt${b64(bytes(32))}",
    "too few rounds": f"$6$rounds=999${SALT}${'a' * 86}",
    "a salt that is too long": f"$6${'a' * 17}${'a' * 86}",
    "scrypt with a cost that is no power of two": f"scrypt:15:1:1$salt${'00' * 32}",
    "scrypt with cost 1": f"scrypt:1:1:1$salt${'00' * 32}",
    "scrypt with cost 0": f"scrypt:0:8:1$salt${'00' * 32}",
    "scrypt with block size 0": f"scrypt:16:0:1$salt${'00' * 32}",
    "scrypt with parallelism 0": f"scrypt:16:1:0$salt${'00' * 32}",
    "scrypt with a cost beyond its block size": f"scrypt:65536:1:1$salt${'00' * 32}",
    "Argon2 without memory": f"$argon2id$v=19$m=0,t=1,p=1${SALT * 2}${'a' * 43}",
    "Argon2 without passes": f"$argon2id$v=19$m=64,t=0,p=1${SALT * 2}${'a' * 43}",
    "Argon2 without lanes": f"$argon2id$v=19$m=64,t=1,p=0${SALT * 2}${'a' * 43}",
    "Argon2 with a short salt": f"$argon2id$v=19$m=64,t=1,p=1$c2FsdA${'a' * 43}",
    "Argon2 of a version to come": f"$argon2id$v=20$m=64,t=1,p=1${SALT * 2}${'a' * 43}",
    "Argon2 with secret data": f"$argon2id$v=19$m=64,t=1,p=1,data=c2FsdA${SALT * 2}${'a' * 43}",
    "LDAP without the salt that it declares": f"{{SSHA}}{b64(bytes(20))}",
    "LDAP with a salt that it does not declare": f"{{SHA}}{b64(bytes(24))}",
    "LDAP cut short": f"{{SHA}}{b64(bytes(19))}",
    "LDAP in clear": "{CLEARTEXT}secret",
    "MySQL before 4.1": "6f8c114b58f2ce9e",
    "base64 of nothing known": b64(bytes(40)),
    "ASP.NET Identity with a function to come": b64(b"\1" + struct.pack(">III", 3, 1000, 16) + bytes(48)),
    "ASP.NET Identity that is all salt": b64(b"\1" + struct.pack(">III", 1, 1000, 40) + bytes(48)),
    "half a pair": f"pbkdf2_sha256$1000$\ud800${b64(bytes(32))}",
    "a megabyte": "$1$" + "a" * 1_000_000,
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_is_no_known_hash_is_refused(what: str) -> None:
    assert refusal(UNKNOWN[what]) == "legacy_hash_unknown"


@pytest.mark.parametrize(
    ("text", "scheme", "salt"),
    [
        (MD5, "sha1", None),
        (MD5, "md5", "salt"),
        (f"{MD5}:salt", "md5", None),
        (MD5, "md5(salt.password)", None),
        (MD5, "md5(salt.password)", ""),
        (f"{MD5}:", "md5(salt.password)", None),
        (f"{MD5}:salt", "md5(salt.password)", "salt"),
        (MD5[:-1] + "g", "md5", None),
        (MD5[:-2], "md5", None),
        ("", "md5", None),
        (MD5, "md5(md5(password))", None),
        (MD5, "", None),
        ("*" + "a" * 40, "sha1", None),
        ("*" + "a" * 40, "ldap", None),
        ("*" + "a" * 40, None, "salt"),
    ],
)
def test_a_hint_must_be_known_and_fit_the_text(text: str, scheme: str | None, salt: str | None) -> None:
    assert refusal(text, scheme, salt) == "legacy_hash_unknown"


def test_what_names_itself_may_be_declared_as_well() -> None:
    assert legacy.wrap("*" + "a" * 40, scheme="mysql5")["scheme"] == "mysql5"


@settings(max_examples=300)
@given(
    st.one_of(
        st.text(max_size=80),
        st.from_regex(r"(\$[a-z0-9-]{1,10}|[a-z0-9_]{3,12})\$.{0,20}\$.{0,40}\$.{0,60}", fullmatch=True),
        st.sampled_from(HASHES).flatmap(
            lambda known: st.tuples(st.integers(0, len(known["text"]) - 1), st.characters()).map(
                lambda edit: known["text"][: edit[0]] + edit[1] + known["text"][edit[0] + 1 :]
            )
        ),
    ),
    st.none() | st.sampled_from(legacy.BARE),
    st.none() | st.text(max_size=5),
)
def test_any_text_is_wrapped_or_refused(text: str, scheme: str | None, salt: str | None) -> None:
    try:
        wrapped = legacy.wrap(text, scheme=scheme, salt=salt)
    except BadRequestError as error:
        assert error.code in {"legacy_hash_unknown", "legacy_hash_too_costly"}  # noqa: PT017
        return
    assert legacy.cost(wrapped) <= legacy.MAX_COST
    json.dumps(wrapped)


PHC = f"{SALT * 2}${'a' * 43}"
COSTS = [
    (f"$2b$12${SALT * 2}abcdeu{'a' * 31}", f"$2b$13${SALT * 2}abcdeu{'a' * 31}"),
    (f"pbkdf2_sha256$1200000$salt${b64(bytes(32))}", f"pbkdf2_sha256$1500000$salt${b64(bytes(32))}"),
    (f"pbkdf2:sha512:527000$salt${'00' * 64}", f"pbkdf2:sha512:527001$salt${'00' * 64}"),
    (f"pbkdf2:sha1:1207000$salt${'00' * 20}", f"pbkdf2:sha1:1207000$salt${'00' * 21}"),
    (f"scrypt:65536:15:1$salt${'00' * 64}", f"scrypt:131072:8:1$salt${'00' * 64}"),
    (f"scrypt:16384:8:5$salt${'00' * 64}", f"$scrypt$ln=40,r=8,p=1${PHC}"),
    (f"scrypt:16:1:60000$salt${'00' * 64}", f"scrypt:16:1:9999999999$salt${'00' * 64}"),
    (f"$argon2id$v=19$m=102400,t=2,p=8${PHC}", f"$argon2id$v=19$m=102400,t=4,p=8${PHC}"),
    (f"$argon2i$m=131072,t=1,p=1${PHC}", f"$argon2i$m=131073,t=1,p=1${PHC}"),
    (f"$argon2d$v=19$m=1024,t=1,p=16${PHC}", f"$argon2d$v=19$m=1024,t=1,p=17${PHC}"),
    (f"$5$rounds=323000${SALT}${'a' * 43}", f"$5$rounds=535000${SALT}${'a' * 43}"),
    (f"$6$rounds=168300${SALT}${'a' * 86}", f"$6$rounds=656000${SALT}${'a' * 86}"),
    (f"$P$G{SALT}{'a' * 22}", f"$P$H{SALT}{'a' * 22}"),
    (f"$S$F{SALT}{'a' * 43}", f"$S$z{SALT}{'a' * 43}"),
]  # fmt: skip


@pytest.mark.parametrize(("accepted", "refused"), COSTS, ids=[accepted[:24] for accepted, _ in COSTS])
def test_what_would_hold_a_login_up_is_refused(accepted: str, refused: str) -> None:
    assert legacy.cost(legacy.wrap(accepted)) <= legacy.MAX_COST
    assert refusal(refused) == "legacy_hash_too_costly"


def record(algorithm: str, argon2id: Any = "", **parameters: Any) -> dict[str, Any]:
    return {"algorithm": algorithm, "parameters": parameters, "argon2id": argon2id}


MALFORMED: list[Any] = [
    None, "text", [], {}, {"argon2id": ""}, {"algorithm": "once", "parameters": None, "argon2id": ""},
    record("nothing"),
    record("once"),
    record("once", None, hash="md5", recipe="password", salt=""),
    record("once", "x", hash="md5", recipe="password", salt=""),
    record("once", hash="sha3", recipe="password", salt=""),
    record("once", hash="md5", recipe="password", salt="é"),
    record("once", hash="md5", recipe="password", salt=7),
    record("once", hash="md5", recipe="password", salt="", more=7),
    record("bcrypt", before="nothing", config="$2b$xx$"),
    record("bcrypt", before="nothing", config="$2b$05$short"),
    record("crypt", handler="md5_crypt", rounds=1000, salt="\0"),
    record("chained", hash="md5", log_rounds=10**9, salt="", size=22),
    record("chained", hash="md5", log_rounds=62, salt="", size=22),
    record("chained", hash="md5", log_rounds=-1, salt="", size=22),
    record("pbkdf2", hash="sha1", rounds="9", salt="", size=20),
    record("pbkdf2", hash="sha1", rounds=10**400, salt="", size=20),
    record("scrypt", n=16, r=1, p=1, salt="", size=-1),
    record("argon2", type="x", version=19, memory=8, passes=1, lanes=1, salt="YWJjZGVmZ2g=", size=32),
    record("argon2", type="i", version=19, memory=8, passes=1, lanes=1, salt="YWJjZGVmZ2g=", size=1),
]  # fmt: skip


@pytest.mark.parametrize("wrapped", MALFORMED, ids=str)
def test_a_record_that_cannot_be_read_matches_nothing(wrapped: Any) -> None:
    assert not legacy.matches(wrapped, "password")
    assert 1 <= legacy.cost(wrapped) < 2
