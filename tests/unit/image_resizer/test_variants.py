import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.pictures import LADDER
from image_resizer.variants import (
    Request,
    Variant,
    is_variant_key,
    max_variants,
    nearest,
    negotiate,
    parse_ladder,
    parse_request,
    stored_variants,
)
from shared.http import BadRequestError, ForbiddenError

SIGNATURE = "s1795302722." + "A" * 43
ladders = st.sets(st.integers(1, 99_999), min_size=1, max_size=12).map(lambda rungs: tuple(sorted(rungs)))
lengths = st.integers(1, 99_999)


@st.composite
def well_formed(draw: st.DrawFn) -> str:
    width, height = draw(st.tuples(st.none() | lengths, st.none() | lengths).filter(any))
    fit = draw(st.sampled_from(["", "cover", "contain", "inside"]))
    form = draw(st.sampled_from(["", "webp", "avif", "jpeg", "png", "auto"]))
    words = draw(st.permutations([word for word in (fit, form) if word]))
    return ",".join([f"{width or ''}x{height or ''}", *words]) + "/a/picture.jpg"


@given(well_formed(), ladders)
def test_every_request_leads_to_one_of_the_enumerated_variants(path: str, ladder: tuple[int, ...]) -> None:
    variant = parse_request(path, ladder).variant
    stored = set(stored_variants(ladder))
    if variant.format == "auto":
        variant = variant._replace(format=None)
    assert variant in stored
    assert len(stored) <= max_variants(ladder)


@pytest.mark.parametrize(("ladder", "bound"), [(LADDER, 1600), ((25, 50, 100, 200), 280)])
def test_the_bound_is_exact_and_variants_have_names_of_their_own(ladder: tuple[int, ...], bound: int) -> None:
    names = {variant.segment for variant in stored_variants(ladder)}
    assert len(names) == max_variants(ladder) == bound


def test_the_document_states_the_bounds() -> None:
    document = (Path(__file__).parents[3] / "docs/image_resizer.md").read_text()
    [stated] = re.findall(r"variants: ([0-9,]+) for the default ladder, ([0-9,]+)\sfor four rungs", document)
    assert stated == (f"{max_variants(LADDER):,}", f"{max_variants((25, 50, 100, 200)):,}")


def test_every_stored_variant_is_canonical() -> None:
    for variant in stored_variants(LADDER):
        request = parse_request(f"{variant.segment}/a.jpg", LADDER)
        assert request == Request(variant, "a.jpg", variant.segment, None)
        assert request.is_canonical
        assert is_variant_key(f"{variant.segment}/a.jpg")


@given(well_formed(), ladders)
def test_a_canonical_name_is_its_own_canonical_name(path: str, ladder: tuple[int, ...]) -> None:
    first = parse_request(path, ladder)
    second = parse_request(f"{first.variant.segment}/{first.key}", ladder)
    assert second.variant == first.variant
    assert second.is_canonical


@given(lengths, ladders)
def test_the_nearest_rung_is_nearest_and_stays_itself(length: int, ladder: tuple[int, ...]) -> None:
    rung = nearest(length, ladder)
    assert all(abs(rung - length) <= abs(other - length) for other in ladder)
    assert nearest(rung, ladder) == rung


def test_of_two_equally_near_rungs_the_bigger_is_taken() -> None:
    assert nearest(75, (50, 100)) == 100


@given(st.text(max_size=60))
def test_arbitrary_paths_raise_typed_errors_only(path: str) -> None:
    with contextlib.suppress(BadRequestError, ForbiddenError):
        parse_request(path, LADDER)


@given(st.text("0123456789x,/.%\u00d7-+ covertainsidebpgf\x00\\", max_size=40))
def test_paths_that_look_like_sizes_raise_typed_errors_only(path: str) -> None:
    with contextlib.suppress(BadRequestError, ForbiddenError):
        parse_request(path, LADDER)


@pytest.mark.parametrize(
    "size", ["", "x", "0x300", "300x0", "-1x300", "300X300", "300\u00d7300", "٣x٣", "0300x300", "+3x3"]
)  # fmt: skip
def test_malformed_sizes_are_refused(size: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        parse_request(f"{size}/a.jpg", LADDER)
    assert caught.value.code == "malformed_size"


@pytest.mark.parametrize("size", ["100000x1", "9" * 400 + "x1", "300x300x300", "300"])
def test_overlong_and_overcomplete_sizes_are_refused(size: str) -> None:
    with pytest.raises(BadRequestError):
        parse_request(f"{size}/a.jpg", LADDER)


@pytest.mark.parametrize("options", ["fill", "", "webp,", "WEBP", "gif", "s1.short", "q=50"])
def test_unknown_options_are_refused(options: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        parse_request(f"300x300,{options}/a.jpg", LADDER)
    assert caught.value.code == "unknown_option"


@pytest.mark.parametrize("options", ["webp,webp", "webp,png", "cover,inside", f"{SIGNATURE},{SIGNATURE}"])
def test_repeated_and_contradicting_options_are_refused(options: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        parse_request(f"300x300,{options}/a.jpg", LADDER)
    assert caught.value.code == "repeated_option"


@pytest.mark.parametrize(
    "key",
    [
        "", "/a.jpg", "a//b.jpg", "a/", ".", "../a.jpg", "a/../b.jpg", "./a.jpg", "a\0.jpg", "a\n.jpg",
        "a\x85.jpg", "a\\b.jpg", "%2e%2e/a.jpg", "a%252f.jpg", "a%00.jpg", "a" * 1025, "é" * 600,
        "\ud800.jpg",
    ],
)  # fmt: skip
def test_malformed_keys_are_refused(key: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        parse_request(f"300x300/{key}", LADDER)
    assert caught.value.code == "malformed_key"


@pytest.mark.parametrize(
    "key", ["a.jpg", "50 % off.jpg", "Ørsted & Co/+1?.jpg", "..a/b..", "x/300/a.jpg", "100%.png"]
)
def test_unusual_but_sound_keys_are_accepted(key: str) -> None:
    assert parse_request(f"300x300/{key}", LADDER).key == key


@pytest.mark.parametrize(
    "key", ["300x300/a.jpg", "x7/a.jpg", "7x,whatever/a.jpg", "0x0/a.jpg", "25x25,webp/300x300/a"]
)
def test_the_variant_of_a_variant_is_forbidden(key: str) -> None:
    with pytest.raises(ForbiddenError) as caught:
        parse_request(f"300x300/{key}", LADDER)
    assert caught.value.code == "key_is_variant"


@pytest.mark.parametrize(
    ("asked", "canonical"),
    [
        ("310x290", "300x300"),
        ("1x", "25x"),
        ("x99999", "x2400"),
        ("300x300,cover", "300x300"),
        ("300x,contain", "300x"),
        ("x300,webp,inside", "x300,webp"),
        ("300x300,webp,contain", "300x300,contain,webp"),
        ("300x300,auto,inside", "300x300,inside,auto"),
    ],
)
def test_another_way_to_write_a_variant_is_not_canonical(asked: str, canonical: str) -> None:
    request = parse_request(f"{asked}/a.jpg", LADDER)
    assert not request.is_canonical
    assert request.variant.segment == canonical


def test_a_signature_is_no_part_of_what_was_asked_for() -> None:
    request = parse_request(f"300x300,{SIGNATURE},webp/a.jpg", LADDER)
    assert (request.signature, request.asked, request.is_canonical) == (SIGNATURE, "300x300,webp", False)


@pytest.mark.parametrize("text", ["", "a", "300,25", "25,25", "0,25", "25,100000", "25,,50"])
def test_a_ladder_that_does_not_rise_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="rising"):
        parse_ladder(text)


CHROME = "image/avif,image/webp,image/apng,image/*,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "original", "flags", "expected"),
    [
        (CHROME, "jpeg", "", "avif"),
        ("image/webp,*/*", "jpeg", "", "webp"),
        ("IMAGE/WEBP ; q=0.1", "png", "", "webp"),
        ("image/avif;q=0,image/webp", "jpeg", "", "webp"),
        ("image/avif;q=0.0", "jpeg", "", None),
        ("*/*", "jpeg", "", None),
        ("", "png", "alpha", None),
        ("image/*", "gif", "animated", None),
        (CHROME, "gif", "animated", "webp"),
        ("image/avif", "gif", "animated", "avif"),
        ("*/*", "webp", "", "jpeg"),
        ("*/*", "avif", "alpha", "png"),
    ],
)
def test_auto_picks_the_best_format_that_the_browser_names(
    accept: str, original: str, flags: str, expected: str | None
) -> None:
    assert negotiate(accept, original, animated=flags == "animated", alpha=flags == "alpha") == expected


def test_a_variant_of_one_side_has_no_fit_in_its_name() -> None:
    assert Variant(300, None, "inside", "webp").segment == "300x,webp"
