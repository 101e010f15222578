"""Public keys of clients, and which of them must not be trusted.

A key that others can find the private half of signs for everybody. What is refused here are keys that were
made by broken generators or by hand; nobody can tell of a key that it was made well.
"""

from __future__ import annotations

import math
import re
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

__all__ = ["WeakKeyError", "public_jwk"]

_KID = re.compile(r"[A-Za-z0-9._-]{1,64}")  # as functions take it; a unit test holds it to them

_RSA_BITS = range(2048, 4097)
_LEAST_EXPONENT = 65_537
_EXPONENT_BITS = 64  # OpenSSL takes no longer exponent with a large modulus
_TRIAL = 1 << 16
_FERMAT_ROUNDS = 1000
_ROCA_GENERATOR, _ROCA_PRIMES = 65_537, 167
_ED25519_PRIME = 2**255 - 19


class WeakKeyError(ValueError):
    """A key is not acceptable; says why."""


def public_jwk(pem: bytes, kid: str) -> dict[str, str]:
    """Return a public key in PEM as a JWK with the algorithm that it will be used with.

    Args:
        pem: The key.
        kid: Its name in headers of JWTs.

    Raises:
        WeakKeyError: It is not a P-256, P-384, Ed25519 or RSA key (of 2048 to 4096 bits), others can find its
            private half, or its name is odd.
    """
    if not _KID.fullmatch(kid):
        raise WeakKeyError(
            f"{kid!r} cannot be a kid: rename the key's file to letters, digits, dots, hyphens and"
            " underscores, 64 at most"
        )
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise WeakKeyError("the key is not a public key in PEM") from error
    jwk: dict[str, Any]
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1"):
        jwk = ECAlgorithm.to_jwk(key, as_dict=True) | {
            "alg": "ES256" if key.curve.name == "secp256r1" else "ES384"
        }
    elif isinstance(key, ed25519.Ed25519PublicKey):
        _check_ed25519(key)
        jwk = OKPAlgorithm.to_jwk(key, as_dict=True) | {"alg": "EdDSA"}
    elif isinstance(key, rsa.RSAPublicKey):
        _check_rsa(key.public_numbers())
        jwk = RSAAlgorithm.to_jwk(key, as_dict=True) | {"alg": "RS256"}
    else:
        raise WeakKeyError("the key is neither P-256, P-384, Ed25519 nor RSA")
    jwk.pop("key_ops", None)
    return jwk | {"kid": kid, "use": "sig"}


def _check_rsa(numbers: rsa.RSAPublicNumbers) -> None:
    n, e = numbers.n, numbers.e
    if n.bit_length() not in _RSA_BITS:
        raise WeakKeyError(f"the RSA key has {n.bit_length()} bits, and not 2048 to 4096")
    # NIST SP 800-56B, revision 2, 6.2: an odd integer, 65,537 or more.
    if not (e % 2 and e >= _LEAST_EXPONENT and e.bit_length() <= _EXPONENT_BITS):
        raise WeakKeyError("the RSA key's exponent is not 65537, nor another odd one that is usual")
    if any(n % prime == 0 for prime in _primes(_TRIAL)):
        raise WeakKeyError("the RSA key has a small factor")
    if pow(2, n - 1, n) == 1:
        raise WeakKeyError("the RSA key's modulus is a prime")
    if _has_close_factors(n):
        raise WeakKeyError("the RSA key's primes are so close that they are found at once")
    if _is_roca(n):
        raise WeakKeyError("the RSA key was made by a chip whose keys can be factored (ROCA, CVE-2017-15361)")


def _primes(below: int) -> list[int]:
    sieve = bytearray([1]) * below
    for number in range(2, math.isqrt(below) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, below, number)))
    return [number for number in range(2, below) if sieve[number]]


def _has_close_factors(n: int) -> bool:
    """Whether Fermat's method factors a number soon; a square is found in the first round."""
    middle = math.isqrt(n - 1) + 1
    return any(
        math.isqrt(rest) ** 2 == rest
        for rest in (candidate * candidate - n for candidate in range(middle, middle + _FERMAT_ROUNDS))
    )


def _is_roca(n: int) -> bool:
    """Whether a modulus is of the form that Infineon's library made.

    Its primes are `k * M + 65537 ** a % M`, M being a product of the first primes, so the modulus is a power
    of 65537 modulo each of them; another one is so in one case of a hundred million (M. Nemec and others,
    "The Return of Coppersmith's Attack", CCS 2017, section 2).
    """
    return all(
        n % prime in {pow(_ROCA_GENERATOR, power, prime) for power in range(prime)}
        for prime in _primes(_ROCA_PRIMES + 1)
        if prime > 2
    )


def _check_ed25519(key: ed25519.Ed25519PublicKey) -> None:
    """Refuse points of small order, under which anybody signs anything (RFC 8032, 5.1: the cofactor is 8)."""
    p = _ED25519_PRIME
    y = (int.from_bytes(key.public_bytes(Encoding.Raw, PublicFormat.Raw), "little") & (2**255 - 1)) % p
    d = -121665 * pow(121666, -1, p) % p
    # Orders 1, 2 and 4 have y = 1, -1 and 0. Of order 8 are the points that double to y = 0: those with
    # x^2 = -y^2, where the curve's equation is d * y^4 + 2 * y^2 = 1.
    if y in (0, 1, p - 1) or (d * pow(y, 4, p) + 2 * y * y - 1) % p == 0:
        raise WeakKeyError("the Ed25519 key is a point of small order: anybody can sign for it")
