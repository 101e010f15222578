"""CloudFront's viewer-request function beside the Python that decides the same without CloudFront."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.pictures import LADDER
from image_resizer.variants import Format, Request, negotiate, parse_request
from shared.http import HttpError
from tests.support.node import EdgeFunction, edge_function

SOURCE = Path(__file__).parents[3] / "functions/image_resizer/viewer_request.yaml"
CODE: str = yaml.safe_load(SOURCE.read_text())["Fn::Join"][1][0]
CHROME = "image/avif,image/webp,image/apng,image/*,*/*;q=0.8"
# What an original of each name can be: its format, and whether it may be animated or transparent.
EVERYTHING = {
    (original, animated, alpha)
    for original in ("jpeg", "png", "gif", "webp", "avif")
    for animated in {"gif": [True], "webp": [False, True]}.get(original, [False])
    for alpha in (False, True)
}
NAMES = {
    "jpg": "jpeg",
    "jpeg": "jpeg",
    "JPG": "jpeg",
    "png": "png",
    "gif": "gif",
    "webp": "webp",
    "avif": "avif",
}


@pytest.fixture(scope="module")
def edge() -> Iterator[EdgeFunction]:
    with edge_function(CODE) as function:
        yield function


def api(path: str) -> Request | str:
    """What the API makes of a path: the request, or the code of its refusal."""
    try:
        return parse_request(unquote(path)[1:], LADDER)
    except HttpError as error:
        return error.code


def formats(key: str, accept: list[str]) -> set[Format | None]:
    """What `auto` means for all that an original of this name can be."""
    name = key.rpartition(".")[2] if "." in key else ""
    return {
        negotiate(",".join(accept), original, animated=animated, alpha=alpha)
        for original, animated, alpha in EVERYTHING
        if NAMES.get(name, original) == original
    }


numbers = st.sampled_from(["", "1", "25", "300", "310", "2400", "99999"])
odd_numbers = st.sampled_from(["100000", "0", "030", "x"])
fits = st.sampled_from([[], ["cover"], ["contain"], ["inside"]])
odd_words = st.sampled_from(["auto", "cover", "inside", "webp", "AUTO", "fill", "", f"s1.{'A' * 43}"])
options = st.one_of(
    fits.map(lambda fit: [*fit, "auto"]).flatmap(st.permutations), st.lists(odd_words, max_size=3)
)
segments = st.builds(
    lambda width, height, words: ",".join([f"{width}x{height}", *words]),
    numbers | numbers | odd_numbers, numbers, options,
)  # fmt: skip
stems = st.sampled_from(
    ["a", "holiday/beach", "\u00e4 b", "a.gif/b", "a,auto/b", "300x300/a", "", "100%", "a//b"]
)
keys = st.builds(
    lambda stem, extension: f"{stem}{extension}",
    stems,
    st.sampled_from(["", *(f".{name}" for name in NAMES), ".heic", ".jpg.webp", ".jpgx"]),
)
media = st.sampled_from(["image/avif", "image/webp", "IMAGE/WebP", "image/*", "*/*", "avif", "image/avifs"])
parameters = st.sampled_from(["", "", ";q=0", "; q=0.000 ", ";q=0.1", ";Q=0", ";v=1;q=0", ";q=00", ";q="])
spaces = st.sampled_from(["", "", " ", "\t", "\u00a0", "\u0085"])
items = st.builds(lambda *parts: "".join(parts), spaces, media, spaces, parameters)
headers = st.lists(st.lists(items, max_size=4).map(",".join), max_size=2)


@settings(max_examples=2_000)
@given(segments, keys, headers)
def test_edge_decides_exactly_what_every_original_would_get(
    edge: EdgeFunction, segment: str, key: str, accept: list[str]
) -> None:
    path = f"/{segment}/{quote(key)}"
    asked, answer = api(path), edge(path, accept)["uri"]
    if isinstance(asked, str):  # refused anyway, and for the same reason
        assert api(answer) == asked
    elif asked.variant.format != "auto" or asked.signature or len(formats(key, accept)) > 1:
        assert answer == path
    else:
        (form,) = formats(key, accept)
        assert api(answer) == asked._replace(
            variant=asked.variant._replace(format=form),
            asked=asked.asked.replace(",auto", f",{form}" if form else ""),
        )


@given(st.text(st.characters(codec="ascii"), max_size=40), headers)
def test_arbitrary_paths_pass_unchanged(edge: EdgeFunction, text: str, accept: list[str]) -> None:
    path = f"/{text.replace(',auto', '')}"
    assert edge(path, accept)["uri"] == path


@pytest.mark.parametrize(
    ("path", "accept", "expected"),
    [
        ("/300x300,auto/a.jpg", CHROME, "/300x300,avif/a.jpg"),
        ("/300x,auto/a.jpg", "image/webp,*/*", "/300x,webp/a.jpg"),
        ("/x300,auto/a.PNG", "*/*", "/x300/a.PNG"),
        ("/300x300,contain,auto/a.gif", CHROME, "/300x300,contain,webp/a.gif"),
        ("/300x300,auto,inside/a.jpg", CHROME, "/300x300,avif,inside/a.jpg"),
        ("/300x300%2Cauto/a%20b.jpg", CHROME, "/300x300,avif/a%20b.jpg"),
        ("/300x300,auto/a.webp", CHROME, "/300x300,auto/a.webp"),
        ("/300x300,auto/a.webp", "image/avif", "/300x300,avif/a.webp"),
        ("/300x300,auto/a.avif", "*/*", "/300x300,auto/a.avif"),
        ("/300x300,auto/no-extension", CHROME, "/300x300,auto/no-extension"),
        (f"/300x300,auto,s1.{'A' * 43}/a.jpg", CHROME, f"/300x300,auto,s1.{'A' * 43}/a.jpg"),
        ("/auto/a.jpg", CHROME, "/auto/a.jpg"),
        ("/a.jpg", CHROME, "/a.jpg"),
        ("/300x300,autos", "image/webp", "/300x300,autos"),
        ("/", CHROME, "/"),
    ],
)
def test_auto_becomes_a_concrete_address(edge: EdgeFunction, path: str, accept: str, expected: str) -> None:
    assert edge(path, [accept])["uri"] == expected


def test_function_is_small_enough_for_cloudfront() -> None:
    """ "Maximum function size: 10 KB", cloudfront-limits.html, "Quotas on CloudFront Functions"."""
    assert len(CODE.encode()) <= 10_240
