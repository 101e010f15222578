"""The hash functions of the systems of origin, each with what it costs.

An algorithm is a dataclass of JSON values: what the text of an old hash says besides the digest.
`legacy_formats` makes it from the text, `legacy` from a record.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import bcrypt
from argon2.low_level import Type, hash_secret_raw

__all__ = [
    "ALGORITHMS",
    "ITOA64",
    "SIZES",
    "Algorithm",
    "Argon2",
    "Bcrypt",
    "Chained",
    "Crypt",
    "Once",
    "Pbkdf2",
    "Scrypt",
    "from_base64",
    "to_base64",
]

SIZES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}
"""Bytes of the digests of the hash functions that occur."""

type _Hash = Callable[[bytes], Any]

_HASHES: dict[str, _Hash] = {name: getattr(hashlib, name) for name in SIZES}

# How many rounds take as long as one argon2id hash of the suite: medians on one x86-64 core at the limits
# that `legacy.MAX_COST` sets, with a password of 512 bytes, because the time of crypt(3), phpass and Drupal
# grows with the length.
_BCRYPT_ROUNDS = 320
_PBKDF2_ROUNDS = {"sha1": 71_000, "sha256": 70_600, "sha512": 31_000}
_CHAINED_ROUNDS = {"md5": 16_500, "sha512": 14_500}
_CRYPT_ROUNDS = {"md5_crypt": 4_000, "apr_md5_crypt": 4_000, "sha256_crypt": 19_000, "sha512_crypt": 9_900}
_SCRYPT_BLOCKS = 60_000
_ARGON2_KIB = 22_000
_ARGON2_MAX_KIB = 128 * 1024
_ARGON2_MAX_LANES = 16  # each is a thread

ITOA64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The digits of crypt(3), phpass and Drupal."""


def to_base64(raw: bytes) -> str:
    """Base64 with padding."""
    return base64.b64encode(raw).decode()


def from_base64(text: str) -> bytes:
    """The bytes of base64 with or without padding.

    Raises:
        ValueError: `text` is anything else.
    """
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _hex(function: _Hash, data: bytes) -> bytes:
    """The digest in hexadecimal, as PHP's functions answer it."""
    digest: str = function(data).hexdigest()
    return digest.encode()


class Algorithm(ABC):
    """An old system's way from a password to a digest. Subclasses are dataclasses of JSON values.

    The constructor raises ValueError for parameters that the algorithm does not allow.
    """

    @abstractmethod
    def cost(self) -> float:
        """Units of one argon2id hash of the suite."""

    @abstractmethod
    def digest(self, password: bytes) -> bytes:
        """The digest, in the form and length in which it was imported."""


@dataclass(frozen=True, slots=True)
class Once(Algorithm):
    """A fast hash, called once or twice.

    Attributes:
        hash: A name of `_HASHES`.
        recipe: A name of `_RECIPES`.
        salt: In base64.
    """

    hash: str
    recipe: str
    salt: str

    def cost(self) -> float:
        return 0.0

    def digest(self, password: bytes) -> bytes:
        return _RECIPES[self.recipe](_HASHES[self.hash], password, from_base64(self.salt))


_RECIPES: dict[str, Callable[[_Hash, bytes, bytes], bytes]] = {
    "password": lambda h, password, _: h(password).digest(),
    "salt_password": lambda h, password, salt: h(salt + password).digest(),
    "password_salt": lambda h, password, salt: h(password + salt).digest(),
    "twice": lambda h, password, _: h(h(password).digest()).digest(),
    "hex_salt": lambda h, password, salt: h(_hex(h, password) + salt).digest(),
    "hex_hex": lambda h, password, salt: h(_hex(h, salt) + _hex(h, password)).digest(),
}


@dataclass(frozen=True, slots=True)
class Chained(Algorithm):
    """phpass and Drupal 7: the digest is hashed with the password again and again.

    Attributes:
        hash: `md5` or `sha512`.
        log_rounds: Binary logarithm of the rounds.
        salt: Eight characters.
        size: Characters of the digest; Drupal cuts it.
    """

    hash: str
    log_rounds: int
    salt: str
    size: int

    def cost(self) -> float:
        return 2.0**self.log_rounds / _CHAINED_ROUNDS[self.hash]

    def digest(self, password: bytes) -> bytes:
        function = _HASHES[self.hash]
        digest: bytes = function(self.salt.encode() + password).digest()
        for _ in range(1 << self.log_rounds):
            digest = function(digest + password).digest()
        bits = int.from_bytes(digest, "little")
        return "".join(ITOA64[bits >> 6 * place & 63] for place in range(self.size)).encode()


@dataclass(frozen=True, slots=True)
class Crypt(Algorithm):
    """crypt(3) by MD5 and SHA-2.

    Attributes:
        handler: Its name in Passlib.
        rounds: Of SHA-2; MD5 always has 1,000.
        salt: As in the text.
    """

    handler: str
    rounds: int
    salt: str

    def __post_init__(self) -> None:
        if self.rounds < 1000:
            raise ValueError("crypt(3) raises fewer rounds to 1,000, and says so in the text")

    def cost(self) -> float:
        return self.rounds / _CRYPT_ROUNDS[self.handler]

    def digest(self, password: bytes) -> bytes:
        # 20 to 75 ms of import, for which only those shall wait who have such a hash.
        import passlib.hash  # type: ignore[import-untyped]

        handler = getattr(passlib.hash, self.handler)
        rounds = {} if "md5" in self.handler else {"rounds": self.rounds}
        text: str = handler.using(salt=self.salt, **rounds).hash(password)
        return text.rpartition("$")[2].encode()


@dataclass(frozen=True, slots=True)
class Bcrypt(Algorithm):
    """bcrypt, which sees 72 bytes of the password, or of what was made of it.

    Attributes:
        before: A name of `_BEFORE_BCRYPT`.
        config: Version, cost and salt, as in the text.
    """

    before: str
    config: str

    def cost(self) -> float:
        return 2.0 ** int(self.config[4:6]) / _BCRYPT_ROUNDS

    def digest(self, password: bytes) -> bytes:
        made = _BEFORE_BCRYPT[self.before](password)
        return bcrypt.hashpw(made[:72], self.config.encode())[-31:]


_BEFORE_BCRYPT: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda password: password,
    "django": lambda password: _hex(hashlib.sha256, password),
    # WordPress trims, by PHP's trim(), what people type.
    "wordpress": lambda password: base64.b64encode(
        hmac.digest(b"wp-sha384", password.strip(b" \t\n\r\v"), "sha384")
    ),
}


@dataclass(frozen=True, slots=True)
class Pbkdf2(Algorithm):
    """PBKDF2 (RFC 8018).

    Attributes:
        hash: A name of `_PBKDF2_ROUNDS`.
        rounds: Iterations.
        salt: In base64.
        size: Bytes of the digest.
    """

    hash: str
    rounds: int
    salt: str
    size: int

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError("PBKDF2 has at least one round")

    def cost(self) -> float:
        return math.ceil(self.size / SIZES[self.hash]) * self.rounds / _PBKDF2_ROUNDS[self.hash]

    def digest(self, password: bytes) -> bytes:
        return hashlib.pbkdf2_hmac(self.hash, password, from_base64(self.salt), self.rounds, self.size)


@dataclass(frozen=True, slots=True)
class Scrypt(Algorithm):
    """scrypt (RFC 7914).

    Attributes:
        n: Cost.
        r: Block size.
        p: Parallelism.
        salt: In base64.
        size: Bytes of the digest.
    """

    n: int
    r: int
    p: int
    salt: str
    size: int

    def __post_init__(self) -> None:
        # RFC 7914, section 2.
        if not (self.n.bit_count() == 1 and 1 < self.n.bit_length() <= 16 * self.r and self.p >= 1):
            raise ValueError("N is a power of two, above 1 and below 2^(16 r); p is at least 1")

    def cost(self) -> float:
        return self.n * self.r * self.p / _SCRYPT_BLOCKS

    def digest(self, password: bytes) -> bytes:
        salt, memory = from_base64(self.salt), 128 * self.r * (self.n + self.p + 2)
        return hashlib.scrypt(
            password, salt=salt, n=self.n, r=self.r, p=self.p, maxmem=memory, dklen=self.size
        )


@dataclass(frozen=True, slots=True)
class Argon2(Algorithm):
    """Argon2 (RFC 9106), whatever its type, version and parameters.

    Attributes:
        type: `i`, `d` or `id`.
        version: 16 or 19.
        memory: KiB.
        passes: Iterations.
        lanes: Parallelism.
        salt: In base64.
        size: Bytes of the digest.
    """

    type: str
    version: int
    memory: int
    passes: int
    lanes: int
    salt: str
    size: int

    def __post_init__(self) -> None:
        # RFC 9106, section 3.1; the salt's minimum is the reference implementation's.
        if not (
            self.version in (16, 19)
            and self.passes >= 1
            and self.lanes >= 1
            and self.memory >= 8 * self.lanes
            and len(from_base64(self.salt)) >= 8
        ):
            raise ValueError("parameters that Argon2 does not have")

    def cost(self) -> float:
        if self.memory > _ARGON2_MAX_KIB or self.lanes > _ARGON2_MAX_LANES:
            return math.inf
        return self.memory * self.passes / _ARGON2_KIB

    def digest(self, password: bytes) -> bytes:
        salt, kind = from_base64(self.salt), Type[self.type.upper()]
        return hash_secret_raw(
            password, salt, self.passes, self.memory, self.lanes, self.size, kind, self.version
        )


ALGORITHMS: dict[str, type[Algorithm]] = {
    "once": Once,
    "chained": Chained,
    "crypt": Crypt,
    "bcrypt": Bcrypt,
    "pbkdf2": Pbkdf2,
    "scrypt": Scrypt,
    "argon2": Argon2,
}
"""The algorithms by the names that records have for them."""
