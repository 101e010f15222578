"""The texts in which systems of origin keep password hashes: each is read into an algorithm and a digest."""

import re
import struct
from collections.abc import Callable

from .legacy_algorithms import (
    ITOA64,
    SIZES,
    Algorithm,
    Argon2,
    Bcrypt,
    Chained,
    Crypt,
    Once,
    Pbkdf2,
    Scrypt,
    from_base64,
    to_base64,
)

__all__ = ["BARE", "SCHEMES", "Read", "read"]

_BARE = {
    **{name: (name, "password") for name in SIZES},
    **{f"{name}(salt.password)": (name, "salt_password") for name in SIZES},
    **{f"{name}(password.salt)": (name, "password_salt") for name in SIZES},
    "md5(md5(password).salt)": ("md5", "hex_salt"),
    "md5(md5(salt).md5(password))": ("md5", "hex_hex"),
}

BARE = tuple(_BARE)
"""What a bare hexadecimal digest can be declared to be, as PHP would write it.

osCommerce and Magento 1 have `md5(salt.password)`, Joomla 1.5 has `md5(password.salt)`, vBulletin
`md5(md5(password).salt)`, MyBB `md5(md5(salt).md5(password))`.
"""

_LONGEST = 1024
# A digest that was cut short is matched by many passwords, an empty one by all of them.
_SHORTEST_DIGEST = 16

type Read = tuple[Algorithm, bytes]
"""The algorithm with its parameters, and the digest."""

type _Reader = Callable[[re.Match[str]], Read]

_FORMATS: list[tuple[str, re.Pattern[str], _Reader]] = []


def read(text: str, scheme: str | None, salt: str | None) -> tuple[str, Read]:
    """Take the text of a hash apart.

    Args:
        text: The hash as the system of origin has it.
        scheme: What it is declared to be, if it is.
        salt: The salt of a bare digest, if it is not in the text.

    Returns:
        The format's name, and what was read.

    Raises:
        ValueError: The text is of no known format or not of the declared one, or cannot be a hash of it.
    """
    if len(text) > _LONGEST:
        raise ValueError("too long for a hash")
    if scheme in _BARE:
        return scheme, _bare(text, *_BARE[scheme], salt)
    if salt is not None:
        raise ValueError("a salt beside a text that has its own")
    around = _AROUND.match(text)
    inner = text[around.end() :] if around else text
    for name, pattern, reader in _FORMATS:
        if (match := pattern.fullmatch(inner)) and scheme in (None, name):
            algorithm, digest = reader(match)
            if len(digest) < _SHORTEST_DIGEST:
                raise ValueError("cut short")
            return name, (algorithm, digest)
    raise ValueError("of no known format, or not of the declared one")


def _bare(text: str, function: str, recipe: str, salt: str | None) -> Read:
    digest, colon, rest = text.partition(":")
    if colon and salt is not None:
        raise ValueError("two salts")
    salt = rest if colon else salt
    if bool(salt) == (recipe == "password"):
        raise ValueError("a salt where there is none, or none where there is one")
    return _once(function, recipe, (salt or "").encode(), bytes.fromhex(digest))


def _once(function: str, recipe: str, salt: bytes, digest: bytes) -> Read:
    if len(digest) != SIZES[function]:
        raise ValueError("not a digest of this hash function")
    return Once(function, recipe, to_base64(salt)), digest


def _pbkdf2(function: str, rounds: int, salt: bytes, digest: bytes) -> Read:
    return Pbkdf2(function, rounds, to_base64(salt), len(digest)), digest


def _scrypt(n: int, r: int, p: int, salt: bytes, digest: bytes) -> Read:
    return Scrypt(n, r, p, to_base64(salt), len(digest)), digest


def _format(pattern: str) -> Callable[[_Reader], _Reader]:
    """Register the reader of a format, which has the function's name."""

    def register(reader: _Reader) -> _Reader:
        _FORMATS.append((reader.__name__.strip("_"), re.compile(pattern, re.ASCII), reader))
        return reader

    return register


# Around a hash that is then read as if it stood alone: LDAP's, and Django's.
_AROUND = re.compile(r"\{CRYPT\}|bcrypt\$(?=\$2)|argon2(?=\$argon2)", re.IGNORECASE)

_INT = r"(\d{1,10})"
_CHAR = r"[./0-9A-Za-z]"
_BASE64 = r"[+/0-9A-Za-z]+={0,2}"
_HEX = r"(?:[0-9A-Fa-f]{2})+"
# The last character of the salt holds two bits only.
_BCRYPT = rf"(\$2[aby]\$(?:0[4-9]|[123]\d)\${_CHAR}{{21}}[.Oeu])({_CHAR}{{31}})"


@_format(_BCRYPT)
def _bcrypt(m: re.Match[str]) -> Read:
    return Bcrypt("nothing", m[1]), m[2].encode()


@_format(rf"bcrypt_sha256\${_BCRYPT}")
def _django_bcrypt_sha256(m: re.Match[str]) -> Read:
    return Bcrypt("django", m[1]), m[2].encode()


@_format(rf"\$wp{_BCRYPT}")
def _wordpress_bcrypt(m: re.Match[str]) -> Read:
    return Bcrypt("wordpress", m[1]), m[2].encode()


@_format(rf"\$[PH]\$({_CHAR})([!-~]{{8}})({_CHAR}{{22}})")
def _phpass(m: re.Match[str]) -> Read:
    return Chained("md5", ITOA64.index(m[1]), m[2], 22), m[3].encode()


@_format(rf"\$S\$({_CHAR})([!-~]{{8}})({_CHAR}{{43}})")
def _drupal7(m: re.Match[str]) -> Read:
    return Chained("sha512", ITOA64.index(m[1]), m[2], 43), m[3].encode()


@_format(rf"\$(1|apr1)\$({_CHAR}{{0,8}})\$({_CHAR}{{22}})")
def _md5_crypt(m: re.Match[str]) -> Read:
    return Crypt({"1": "md5_crypt", "apr1": "apr_md5_crypt"}[m[1]], 1000, m[2]), m[3].encode()


@_format(rf"\$5\$(?:rounds={_INT}\$)?({_CHAR}{{0,16}})\$({_CHAR}{{43}})")
def _sha256_crypt(m: re.Match[str]) -> Read:
    return Crypt("sha256_crypt", int(m[1] or 5000), m[2]), m[3].encode()


@_format(rf"\$6\$(?:rounds={_INT}\$)?({_CHAR}{{0,16}})\$({_CHAR}{{86}})")
def _sha512_crypt(m: re.Match[str]) -> Read:
    return Crypt("sha512_crypt", int(m[1] or 5000), m[2]), m[3].encode()


@_format(rf"pbkdf2_(sha1|sha256)\${_INT}\$([^$]+)\$({_BASE64})")
def _django_pbkdf2(m: re.Match[str]) -> Read:
    return _pbkdf2(m[1], int(m[2]), m[3].encode(), from_base64(m[4]))


@_format(rf"scrypt\${_INT}\$([^$]+)\${_INT}\${_INT}\$({_BASE64})")
def _django_scrypt(m: re.Match[str]) -> Read:
    return _scrypt(int(m[1]), int(m[3]), int(m[4]), m[2].encode(), from_base64(m[5]))


@_format(rf"(md5|sha1)\$([^$]*)\$({_HEX})")
def _django_digest(m: re.Match[str]) -> Read:
    return _once(m[1], "salt_password", m[2].encode(), bytes.fromhex(m[3]))


@_format(rf"\$pbkdf2(?:-(sha256|sha512))?\${_INT}\$({_CHAR}*)\$({_CHAR}+)")
def _passlib_pbkdf2(m: re.Match[str]) -> Read:
    # Passlib's base64 has dots for plus signs.
    salt, digest = (from_base64(text.replace(".", "+")) for text in (m[3], m[4]))
    return _pbkdf2(m[1] or "sha1", int(m[2]), salt, digest)


@_format(rf"\$scrypt\$ln=(\d\d?),r={_INT},p={_INT}\$({_BASE64})\$({_BASE64})")
def _passlib_scrypt(m: re.Match[str]) -> Read:
    return _scrypt(1 << int(m[1]), int(m[2]), int(m[3]), from_base64(m[4]), from_base64(m[5]))


@_format(rf"pbkdf2:(sha1|sha256|sha512):{_INT}\$([^$]+)\$({_HEX})")
def _werkzeug_pbkdf2(m: re.Match[str]) -> Read:
    return _pbkdf2(m[1], int(m[2]), m[3].encode(), bytes.fromhex(m[4]))


@_format(rf"scrypt:{_INT}:{_INT}:{_INT}\$([^$]+)\$({_HEX})")
def _werkzeug_scrypt(m: re.Match[str]) -> Read:
    return _scrypt(int(m[1]), int(m[2]), int(m[3]), m[4].encode(), bytes.fromhex(m[5]))


@_format(rf"\$argon2(id|i|d)\$(?:v={_INT}\$)?m={_INT},t={_INT},p={_INT}\$({_BASE64})\$({_BASE64})")
def _argon2(m: re.Match[str]) -> Read:
    salt, digest = to_base64(from_base64(m[6])), from_base64(m[7])
    # Version 16 had no name yet.
    return Argon2(m[1], int(m[2] or 16), int(m[3]), int(m[4]), int(m[5]), salt, len(digest)), digest


@_format(r"\*([0-9A-Fa-f]{40})")
def _mysql5(m: re.Match[str]) -> Read:
    return _once("sha1", "twice", b"", bytes.fromhex(m[1]))


@_format(rf"(?i:\{{(S?)(MD5|SHA|SHA256|SHA512)\}})({_BASE64})")
def _ldap(m: re.Match[str]) -> Read:
    function = {"sha": "sha1"}.get(m[2].lower(), m[2].lower())
    raw, size = from_base64(m[3]), SIZES[function]
    if (len(raw) > size) != bool(m[1]):
        raise ValueError("a salt where there is none, or none where there is one")
    return _once(function, "password_salt", raw[size:], raw[:size])


@_format(r"\{PKCS5S2\}([+/0-9A-Za-z]{64})")
def _atlassian(m: re.Match[str]) -> Read:
    raw = from_base64(m[1])
    return _pbkdf2("sha1", 10_000, raw[:16], raw[16:])


# The first byte is the version: 0, then salt and digest.
@_format(r"A[A-P][+/0-9A-Za-z]{64}==")
def _aspnet_identity_2(m: re.Match[str]) -> Read:
    raw = from_base64(m[0])
    return _pbkdf2("sha1", 1000, raw[1:17], raw[17:])


# The first byte is the version: 1, then the function's number, the rounds, and the length of the salt.
@_format(r"AQAAAA[AEI][+/0-9A-Za-z]{60,}={0,2}")
def _aspnet_identity_3(m: re.Match[str]) -> Read:
    raw = from_base64(m[0])
    function, rounds, size = struct.unpack_from(">III", raw, 1)
    return _pbkdf2(("sha1", "sha256", "sha512")[function], rounds, raw[13 : 13 + size], raw[13 + size :])


SCHEMES = (*(name for name, _, _ in _FORMATS), *BARE)
"""The names of all formats."""
