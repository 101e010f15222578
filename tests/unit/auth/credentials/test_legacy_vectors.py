"""The algorithms of legacy hashes against the standards' own vectors (`cryptography-vectors`)."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

import pytest

from auth.credentials.legacy import MAX_COST
from auth.credentials.legacy_algorithms import Algorithm, Argon2, Pbkdf2, Scrypt, to_base64

type Known = tuple[Algorithm, bytes, bytes]
"""An algorithm, a password, and the digest that it makes of it."""


def vectors(name: str) -> list[dict[str, str]]:
    """The vectors of a file: blocks of `key = value`, each opened by `COUNT`."""
    found: list[dict[str, str]] = []
    for line in files("cryptography_vectors").joinpath("KDF", name).read_text().splitlines():
        key, equals, value = (part.strip() for part in line.partition("="))
        if key == "COUNT":
            found.append({})
        elif equals and not line.startswith("#"):
            found[-1][key.lower()] = value
    return found


def argon2(kind: str) -> list[Known]:
    known: list[Known] = []
    for vector in vectors(f"argon2{kind}.txt"):
        if "secret" not in vector:  # a secret of the system's own is no part of a hash's text
            memory, passes, lanes, size = (
                int(vector[name]) for name in ("memcost", "iter", "lanes", "length")
            )
            salt, password, digest = (bytes.fromhex(vector[name]) for name in ("salt", "pass", "output"))
            made = Argon2(kind, 19, memory, passes, lanes, to_base64(salt), size)
            known.append((made, password, digest))
    return known


def scrypt() -> list[Known]:
    known: list[Known] = []
    for vector in vectors("scrypt.txt"):
        n, r, p, size = (int(vector[name]) for name in ("n", "r", "p", "length"))
        made = Scrypt(n, r, p, to_base64(vector["salt"].encode()), size)
        known.append((made, vector["password"].encode(), bytes.fromhex(vector["derived_key"])))
    return known


def pbkdf2() -> list[Known]:
    known: list[Known] = []
    for vector in vectors("rfc-6070-PBKDF2-SHA1.txt"):
        password, salt = (vector[name].replace(r"\0", "\0").encode() for name in ("password", "salt"))
        made = Pbkdf2("sha1", int(vector["iterations"]), to_base64(salt), int(vector["length"]))
        known.append((made, password, bytes.fromhex(vector["derived_key"])))
    return known


@pytest.mark.parametrize(
    ("read", "too_costly"),
    [
        pytest.param(lambda: argon2("i"), 0, id="argon2i"),
        pytest.param(lambda: argon2("d"), 0, id="argon2d"),
        pytest.param(lambda: argon2("id"), 0, id="argon2id"),
        pytest.param(scrypt, 1, id="scrypt"),
        pytest.param(pbkdf2, 1, id="pbkdf2"),
    ],
)
def test_the_standards_vectors_come_out(read: Callable[[], list[Known]], too_costly: int) -> None:
    known = read()
    affordable = [vector for vector in known if vector[0].cost() < MAX_COST]
    assert len(affordable) == len(known) - too_costly >= 3
    for algorithm, password, digest in affordable:
        assert algorithm.digest(password) == digest
