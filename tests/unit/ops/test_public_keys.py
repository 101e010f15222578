"""Which public keys are taken, for which algorithm, and which are refused since others can sign for them."""

from __future__ import annotations

import math
import secrets
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from auth.tokens import Key, read_jwt
from ops.public_keys import WeakKeyError, public_jwk
from tests.support.jws import signed

GOOD: dict[str, Any] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "RS256": rsa.generate_private_key(65537, 2048),
}


def pem(public: Any) -> bytes:
    made: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return made


def rsa_pem(n: int, e: int = 65537) -> bytes:
    return pem(rsa.RSAPublicNumbers(e, n).public_key())


def is_prime(number: int) -> bool:
    """Miller and Rabin's test, with bases at random."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(20):
        power = pow(secrets.randbelow(number - 3) + 2, odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


def next_prime(start: int) -> int:
    number = start | 1
    while any(number % small == 0 for small in (3, 5, 7, 11, 13, 17, 19, 23)) or not is_prime(number):
        number += 2
    return number


def random_prime(bits: int) -> int:
    return next_prime(secrets.randbits(bits - 2) | 3 << (bits - 2))


@pytest.mark.parametrize("algorithm", GOOD)
def test_a_public_key_gets_the_one_algorithm_that_it_is_used_with(algorithm: str) -> None:
    jwk = public_jwk(pem(GOOD[algorithm].public_key()), "k1")
    assert (jwk["alg"], jwk["kid"], jwk["use"]) == (algorithm, "k1", "sig")
    assert not {"d", "p", "q", "key_ops"} & jwk.keys()


@pytest.mark.parametrize(
    "kid", ["a key", "clé", "k1\n", "", "x" * 65, "keys/k1", "k1'", "public key (1)", "k1\u202e", "k+1"]
)
def test_a_name_that_no_token_could_have_is_refused(kid: str) -> None:
    with pytest.raises(WeakKeyError, match="cannot be a kid"):
        public_jwk(pem(GOOD["ES256"].public_key()), kid)


@pytest.mark.parametrize("kid", ["k", "Key-2026.11_a", "x" * 64])
def test_a_name_that_is_taken_is_taken_in_tokens(kid: str) -> None:
    public_jwk(pem(GOOD["ES256"].public_key()), kid)
    token = signed({"alg": "ES256", "kid": kid}, {"a": 1}, GOOD["ES256"])
    known = [Key("ES256", GOOD["ES256"].public_key())]
    assert read_jwt(token, frozenset({None}), lambda _, given: known if given == kid else []) == {"a": 1}


def test_what_is_no_public_key_is_refused() -> None:
    private = GOOD["ES256"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    broken = b"-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n"
    for text in (private, broken, b"", b"ssh-ed25519 AAAA"):
        with pytest.raises(WeakKeyError, match="not a public key in PEM"):
            public_jwk(text, "k1")
    with pytest.raises(WeakKeyError, match="neither"):
        public_jwk(pem(ec.generate_private_key(ec.SECP521R1()).public_key()), "k1")


# ---- RSA

P, Q = random_prime(1024), random_prime(1024)


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        ((random_prime(512) * random_prime(512),), "1024 bits"),
        ((random_prime(1020) * random_prime(1020),), "20(39|40) bits"),
        (((1 << 8191) + 1,), "8192 bits"),
        ((P * Q, 3), "exponent"),
        ((P * Q, 17), "exponent"),
        ((P * Q, (1 << 64) + 1), "exponent"),
        ((65521 * next_prime(secrets.randbits(2034) | 3 << 2032),), "small factor"),
        ((P * P,), "close"),
        ((P * next_prime(P + 2),), "close"),
        ((next_prime(3 << 2046),), "a prime"),
    ],
    ids=[
        "1024 bits", "2040 bits", "8192 bits", "e=3", "e=17", "long e", "small factor", "square", "close",
        "prime",
    ],
)  # fmt: skip
def test_an_rsa_key_that_others_can_break_is_refused(numbers: tuple[int, ...], why: str) -> None:
    with pytest.raises(WeakKeyError, match=why):
        public_jwk(rsa_pem(*numbers), "k1")


def test_an_even_exponent_is_refused() -> None:
    """Cryptography refuses to make one, so the numbers are put into a good key's file."""
    text = pem(GOOD["RS256"].public_key())
    with pytest.raises(WeakKeyError):
        public_jwk(text.replace(b"AQAB", b"AQAA"), "k1")


def roca_prime() -> int:
    """A prime of 1024 bits as Infineon's library made them (Nemec and others, 2017, section 2.1)."""
    primes = [n for n in range(2, 702) if all(n % d for d in range(2, math.isqrt(n) + 1))]
    product = math.prod(primes)
    assert (len(primes), product.bit_length()) == (126, 971), "as the paper has them for keys of 2048 bits"
    while True:
        candidate = secrets.randbelow(1 << 53) * product + pow(65537, secrets.randbits(200), product)
        if candidate.bit_length() == 1024 and candidate >> 1022 == 3 and is_prime(candidate):
            return candidate


def test_a_key_of_the_form_that_roca_factors_is_refused() -> None:
    with pytest.raises(WeakKeyError, match="ROCA"):
        public_jwk(rsa_pem(roca_prime() * roca_prime()), "k1")


def test_good_rsa_keys_are_taken() -> None:
    for bits in (2048, 3072):
        assert public_jwk(pem(rsa.generate_private_key(65537, bits).public_key()), "k1")["alg"] == "RS256"


# ---- Ed25519

SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]
"""All encodings of the eight points, as in "Taming the many EdDSAs" (Chalkias and others, 2020), table 1."""


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_a_point_of_small_order_is_refused(point: str) -> None:
    public = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(point))
    with pytest.raises(WeakKeyError, match="small order"):
        public_jwk(pem(public), "k1")


def test_under_a_point_of_small_order_anybody_signs() -> None:
    """Why: with S = 0 and R the point itself, one message in eight is signed by nobody."""
    point = bytes.fromhex(SMALL_ORDER[4])
    public = ed25519.Ed25519PublicKey.from_public_bytes(point)
    forged = 0
    for number in range(200):
        try:
            public.verify(point + bytes(32), b"message %d" % number)
            forged += 1
        except InvalidSignature:
            continue
    assert forged > 0
