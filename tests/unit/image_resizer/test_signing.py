import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.pictures import LADDER
from image_resizer import signing
from image_resizer.variants import parse_request
from shared.http import ForbiddenError

SECRET = b"an HMAC key"
EXPIRES = 1_795_302_722
keys = st.text("abcÉ /&.", min_size=1, max_size=20).map(lambda text: "k" + text.replace("/", "-"))


def check(path: str, now: float = EXPIRES - 1, secret: bytes = SECRET) -> None:
    request = parse_request(path, LADDER)
    signing.verify(secret, request.asked, request.key, request.signature, now)


@given(st.sampled_from(["300x300", "310x,webp", "x50,auto", "300x300,webp,contain"]), keys)
def test_a_signed_path_verifies(segment: str, key: str) -> None:
    check(signing.sign(SECRET, segment, key, EXPIRES))


def test_the_signature_has_the_documented_form() -> None:
    path = signing.sign(SECRET, "300x300", "a/b.jpg", EXPIRES)
    assert path == "300x300,s1795302722.2K62HQ4YbJJzPLBpcnjEQ50dOWOvQE0MaKYniiZLXqI/a/b.jpg"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("300x300", "500x500"),
        ("blue", "red"),
        (str(EXPIRES), str(EXPIRES + 1)),
        (",s", ",webp,s"),
        (",s1", ",s01"),
    ],
)
def test_a_changed_size_key_option_or_expiry_is_forbidden(old: str, new: str) -> None:
    path = signing.sign(SECRET, "300x300", "blue.jpg", EXPIRES).replace(old, new, 1)
    with pytest.raises(ForbiddenError) as caught:
        check(path)
    assert caught.value.code == "signature_invalid"


def test_another_secret_is_forbidden() -> None:
    with pytest.raises(ForbiddenError):
        check(signing.sign(SECRET, "300x300", "blue.jpg", EXPIRES), secret=b"another")


def test_a_signature_ends_at_its_expiry() -> None:
    path = signing.sign(SECRET, "300x300", "blue.jpg", EXPIRES)
    with pytest.raises(ForbiddenError) as caught:
        check(path, now=EXPIRES)
    assert caught.value.code == "signature_expired"


def test_a_missing_signature_is_forbidden() -> None:
    with pytest.raises(ForbiddenError) as caught:
        check("300x300/blue.jpg")
    assert caught.value.code == "signature_missing"


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def compare(given: str, expected: str) -> bool:
        compared.extend((given, expected))
        return True

    monkeypatch.setattr(hmac, "compare_digest", compare)
    check(signing.sign(SECRET, "300x300", "blue.jpg", EXPIRES))
    assert len(compared) == 2
