"""The page `web/images/` as a person uses it."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from datagen.pictures import encode, photograph
from image_resizer.recipe import plan
from image_resizer.variants import FITS, Variant
from local.suite import Suite
from ops.publish import samples


@pytest.fixture
def own_picture(suite: Suite) -> str:
    return uploaded(suite, f"own/{uuid.uuid4().hex}.jpg", encode(photograph(1500, 1000), "JPEG"))


def uploaded(suite: Suite, key: str, body: bytes, kind: str = "image/jpeg") -> str:
    bucket = suite["ImagesBucketName"]
    suite.client("s3").put_object(Bucket=bucket, Key=key, Body=body, ContentType=kind)
    return key


def open_page(page: Page, suite: Suite, query: str = "") -> None:
    page.goto(f"{suite['WebUrl']}/images/{query}")
    expect(page.locator("#stage")).to_have_attribute("aria-busy", "false")


def choose(page: Page, key: str, width: str, height: str, fmt: str = "") -> None:
    """Fill the form in as a person does, and press the button; a side may be `any`."""
    slide(page.get_by_label("Width"), width)
    slide(page.get_by_label("Height"), height)
    page.get_by_label("Format").select_option(fmt)
    page.get_by_label("Name of an original").fill(key)
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#stage")).to_have_attribute("aria-busy", "false")


def slide(slider: Locator, size: str) -> None:
    """Move a slider by the keyboard, from its end."""
    slider.press("Home")
    for _ in range(20):
        said = slider.get_attribute("aria-valuetext") or ""
        if said.startswith((f"{size} ", f"{size}:")):
            return
        slider.press("ArrowRight")
    raise AssertionError(f"the slider has no {size}")


def facts(page: Page, side: str) -> Locator:
    return page.locator(f"#{side} .facts-line")


def test_home_page_leads_to_the_image_resizer(page: Page, suite: Suite) -> None:
    page.goto(suite["WebUrl"] + "/")
    page.get_by_role("navigation").get_by_role("link", name="Image resizer").click()
    expect(page.get_by_role("heading", name="Image resizer")).to_be_visible()


def test_page_opens_with_a_sample_and_its_variant(page: Page, suite: Suite) -> None:
    open_page(page, suite)
    expect(facts(page, "variant")).to_contain_text("500 × 500")
    expect(page.locator("#stage")).to_have_attribute("aria-busy", "false")  # the original comes last
    for picture in ("#before", "#after"):
        assert page.locator(picture).evaluate("picture => picture.complete && picture.naturalWidth > 0")
        assert page.locator(picture).evaluate("picture => picture.width && picture.height")
    expect(page.locator("#trouble")).to_be_hidden()


def test_variant_that_takes_too_long_is_asked_for_again(page: Page, suite: Suite, own_picture: str) -> None:
    late = {"code": "deadline", "message": "The variant took too long."}
    answers: list[int] = [503, 504]

    def answer(route: Route) -> None:
        if answers:
            route.fulfill(status=answers.pop(), json=late, headers={"Access-Control-Allow-Origin": "*"})
        else:
            route.continue_()

    page.route("**/300x200,webp/**", answer)
    open_page(page, suite)
    choose(page, own_picture, "300", "200", "webp")
    expect(facts(page, "variant")).to_contain_text("300 × 200")
    expect(page.locator("#trouble")).to_be_hidden()
    answers += [503, 503, 503, 503]  # a page that is loaded anew asks three times, and then says why
    page.reload()
    expect(page.locator("#trouble")).to_contain_text("took too long to make")
    assert answers == [503]


def test_first_look_is_a_miss_and_the_second_a_hit(page: Page, suite: Suite, own_picture: str) -> None:
    open_page(page, suite)
    choose(page, own_picture, "300", "200", "webp")
    expect(facts(page, "variant")).to_contain_text("300 × 200")
    expect(page.locator("#variant .badge")).to_have_text("miss: made now")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#variant .badge")).to_have_text("hit: from storage")
    newest = page.locator("#history tr").first
    expect(newest).to_contain_text(f"300x200,webp/{own_picture}")
    expect(newest).to_contain_text("hit: from storage")
    expect(newest).to_contain_text("image/webp")


def test_thumbnails_come_from_the_resizer_in_the_best_format(page: Page, suite: Suite) -> None:
    kinds: dict[str, str] = {}
    website = suite["ImagesWebsiteUrl"]
    page.on("response", lambda got: kinds.update({got.url: got.headers.get("content-type", "")}))
    open_page(page, suite)
    page.wait_for_load_state("networkidle")
    thumbnails = page.locator("#thumbnails img")
    expect(thumbnails).to_have_count(len(samples()))
    for sample, thumbnail in zip(samples(), thumbnails.all(), strict=True):
        # The first frame of an animation, which does not move by itself.
        asked, came = ("png", "image/png") if sample.suffix == ".gif" else ("auto", "image/avif")
        sources = (thumbnail.get_attribute("srcset") or "").split(", ")
        assert sources[0] == f"{website}/100x100,{asked}/{sample.name} 100w"
        assert len(sources) > 1
        assert thumbnail.evaluate("one => one.getAttribute('width') && one.getAttribute('height')")
        shown = thumbnail.evaluate("one => [one.currentSrc, one.naturalWidth, one.clientWidth]")
        assert shown[1] >= shown[2], f"{sample.name} is shown with fewer pixels than it has"
        final = shown[0].replace(",auto", ",avif")
        assert kinds[final] == came


def test_thumbnail_picks_its_picture(page: Page, suite: Suite) -> None:
    open_page(page, suite)
    page.get_by_role("radio", name="rocket").check(force=True)
    expect(page.locator("#original")).to_contain_text("640 × 427")
    expect(page.get_by_label("Name of an original")).to_have_value("rocket.jpg")
    page.get_by_role("radio", name="rocket").press("ArrowLeft")
    expect(page.locator("#original")).to_contain_text("640 × 640")  # globe.png


def test_sliders_stay_on_the_ladder(page: Page, suite: Suite) -> None:
    ladder = [int(rung) for rung in suite["ImagesLadder"].split(",")]
    open_page(page, suite)
    slider = page.get_by_label("Width")
    slider.press("Home")
    seen = []
    for _ in range(len(ladder) + 2):  # beyond its end, too
        seen.append(slider.get_attribute("aria-valuetext"))
        slider.press("ArrowRight")
    assert seen == ["any: as the other side decides", *(f"{rung} pixels" for rung in ladder), "2400 pixels"]


def test_divider_moves_by_keyboard_and_shows_more_of_the_original(page: Page, suite: Suite) -> None:
    open_page(page, suite)
    divider = page.get_by_role("slider", name="Divider")
    divider.press("End")
    assert clips(page) == ("inset(0px 0% 0px 0px)", "inset(0px 0px 0px 100%)")
    divider.press("Home")
    assert clips(page) == ("inset(0px 100% 0px 0px)", "inset(0px 0px 0px 0%)")


def clips(page: Page) -> tuple[str, str]:
    """What is cut off of the original and of the variant."""
    before, after = (
        page.locator(one).evaluate("one => getComputedStyle(one).clipPath") for one in ("#before", "#after")
    )
    return before, after


def test_original_is_laid_over_its_own_part_of_the_variant(page: Page, suite: Suite) -> None:
    """Left red, right blue, square in the middle: the colours meet at the same place in both."""
    picture = Image.new("RGB", (900, 300), "red")
    picture.paste("blue", (450, 0, 900, 300))
    body = io.BytesIO()
    picture.save(body, "PNG")
    key = uploaded(suite, f"own/{uuid.uuid4().hex}.png", body.getvalue(), "image/png")
    open_page(page, suite, f"?key={key}&width=300&height=300&fit=cover&format=png")
    for split in ("Home", "End"):
        page.get_by_role("slider", name="Divider").press(split)
        page.locator("#split").evaluate(
            "one => { one.style.visibility = 'hidden'; }"
        )  # its line is in the way
        seen = Image.open(io.BytesIO(page.locator("#frame").screenshot())).convert("RGB")
        page.locator("#split").evaluate("one => { one.style.visibility = ''; }")
        middle = seen.width // 2
        for x, expected in (
            (5, "red"),
            (middle - 12, "red"),
            (middle + 12, "blue"),
            (seen.width - 5, "blue"),
        ):
            for y in (5, seen.height // 2):  # to the edge: cropped, not whole
                pixel = seen.getpixel((x, y))
                assert isinstance(pixel, tuple)
                assert (pixel[0] > 200, pixel[1] < 50, pixel[2] > 200) == (
                    expected == "red",
                    True,
                    expected == "blue",
                ), (split, x, y)


def test_saving_is_what_the_two_objects_have(page: Page, suite: Suite, own_picture: str) -> None:
    open_page(page, suite, f"?key={own_picture}&width=200&height=0&fit=cover&format=webp")
    website = suite["ImagesWebsiteUrl"]
    original, variant = (
        len(suite.http.get(f"{website}/{path}").content) for path in (own_picture, f"200x,webp/{own_picture}")
    )
    expect(page.get_by_role("status")).to_contain_text(f"{100 * (1 - variant / original):.1f} % less to send")


def test_auto_gives_this_browser_avif(page: Page, suite: Suite, own_picture: str) -> None:
    open_page(page, suite)
    choose(page, own_picture, "200", "any", "auto")
    expect(facts(page, "variant")).to_contain_text("image/avif")
    expect(page.locator("#variant .badge")).to_have_text("auto: the API chose avif")


def test_refusal_is_a_sentence_and_no_hit_stays(page: Page, suite: Suite) -> None:
    open_page(page, suite)
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#variant .badge")).to_have_text("hit: from storage")
    choose(page, "no/such.jpg", "300", "300")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("There is no original of this name in the bucket.")
    expect(alert).to_contain_text("original_not_found")
    expect(page.locator("#variant .badge")).to_be_hidden()
    expect(page.locator("#frame")).to_be_hidden()
    for place in ("#original dd", "#variant dd", "#address", "#tag", "#curl"):
        expect(page.locator(place)).to_have_text("–")
    expect(page.get_by_role("status")).to_be_empty()
    expect(page.locator("#history tr").first).to_contain_text("refused: original_not_found")
    page.get_by_role("radio", name="rocket").check(force=True)
    expect(page.locator("#frame")).to_be_visible()
    expect(alert).to_be_hidden()


def test_what_is_no_picture_is_said_in_words(page: Page, suite: Suite) -> None:
    key = uploaded(suite, f"own/{uuid.uuid4().hex}.jpg", b"<svg/>")
    open_page(page, suite, f"?key={key}&width=100&height=100")
    expect(page.get_by_role("alert")).to_contain_text("not a JPEG, PNG, GIF, WebP or AVIF")


def test_silence_of_the_images_is_said_in_words(page: Page, suite: Suite) -> None:
    open_page(page, suite)
    page.route(f"{suite['ImagesWebsiteUrl']}/**", lambda route: route.abort())
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("alert")).to_contain_text("does not answer")


def test_no_size_at_all_is_asked_for_before_any_request(page: Page, suite: Suite) -> None:
    open_page(page, suite)
    slide(page.get_by_label("Width"), "any")
    slide(page.get_by_label("Height"), "any")
    expect(page.get_by_role("alert")).to_contain_text("Choose a width, a height, or both")
    expect(page.get_by_label("Fit")).to_be_disabled()


def test_enter_asks_for_the_variant_once(page: Page, suite: Suite, own_picture: str) -> None:
    open_page(page, suite)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_label("Name of an original").fill(own_picture)
    page.get_by_label("Name of an original").press("Enter")  # changes the field, and submits
    expect(page.locator("#variant .badge")).to_have_text("miss: made now")
    assert len([url for url in asked if f"/500x500,avif/{own_picture}" in url]) == 2  # one, and its redirect


def test_slower_answer_does_not_replace_a_newer_one(page: Page, suite: Suite, own_picture: str) -> None:
    open_page(page, suite)
    held: list[Route] = []
    page.route("**/800x500,avif/**", lambda route: held.append(route))
    page.get_by_label("Width").press("ArrowRight")
    expect(page.locator("#width-shown")).to_have_text("800 px")
    page.get_by_label("Width").press("ArrowLeft")
    expect(facts(page, "variant")).to_contain_text("500 × 500")
    held[0].continue_()
    page.wait_for_load_state("networkidle")
    expect(facts(page, "variant")).to_contain_text("500 × 500")
    expect(page.locator("#address")).to_contain_text("/500x500,avif/")


def test_address_of_the_page_shows_the_same_again(page: Page, suite: Suite, own_picture: str) -> None:
    open_page(page, suite)
    choose(page, own_picture, "300", "200", "webp")
    page.get_by_label("Fit").select_option("contain")
    expect(facts(page, "variant")).to_contain_text(f"300x200,contain,webp/{own_picture}")
    chosen = {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
    assert chosen == {
        "key": own_picture,
        "width": "300",
        "height": "200",
        "fit": "contain",
        "format": "webp",
    }
    other = page.context.new_page()
    open_page(other, suite, f"?{urlsplit(page.url).query}")
    expect(facts(other, "variant")).to_contain_text(f"300x200,contain,webp/{own_picture}")
    other.close()
    page.get_by_role("radio", name="rocket").check(force=True)
    expect(facts(page, "variant")).to_contain_text("rocket.jpg")
    page.go_back()
    expect(facts(page, "variant")).to_contain_text(own_picture)
    expect(page.get_by_label("Name of an original")).to_have_value(own_picture)


def test_nonsense_in_the_address_becomes_the_nearest_choice(page: Page, suite: Suite) -> None:
    open_page(page, suite, "?key=rocket.jpg&width=301&height=ten&fit=stretch&format=bmp")
    expect(page.locator("#width-shown")).to_have_text("300 px")
    expect(page.locator("#height-shown")).to_have_text("any")
    expect(facts(page, "variant")).to_contain_text("300x,avif/rocket.jpg")


def test_copied_tag_is_a_picture_in_each_size(page: Page, suite: Suite, own_picture: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_page(page, suite, f"?key={own_picture}&width=500&height=0&fit=cover&format=webp")
    expect(page.locator("#tag")).to_contain_text("srcset")
    page.locator("[data-copy=tag]").click()
    expect(page.locator("[data-copy=tag]")).to_have_text("Copied")
    tag = page.evaluate("() => navigator.clipboard.readText()")
    assert tag == page.locator("#tag").text_content()
    image = page.evaluate(
        """(tag) => {
          const one = new DOMParser().parseFromString(tag, "text/html").images[0];
          return { src: one.src, srcset: one.srcset, sizes: one.sizes, size: [one.width, one.height] };
        }""",
        tag,
    )
    website = suite["ImagesWebsiteUrl"]
    assert image["size"] == [500, 333]
    assert image["src"] == f"{website}/500x,webp/{own_picture}"
    candidates = [each.split() for each in image["srcset"].split(",\n")]
    assert [width for _, width in candidates] == ["200w", "300w", "500w", "800w"]
    for address, width in candidates:
        shown = Image.open(io.BytesIO(suite.http.get(address).content))
        assert f"{shown.width}w" == width


@pytest.mark.parametrize("name", ["it's a $(date) picture & more;.jpg", "plain.jpg"])
def test_command_fetches_what_the_page_shows(page: Page, suite: Suite, tmp_path: Path, name: str) -> None:
    if not shutil.which("curl"):
        pytest.skip("no curl")
    key = uploaded(suite, f"own/{uuid.uuid4().hex}/{name}", encode(photograph(300, 200), "JPEG"))
    open_page(page, suite)
    choose(page, key, "100", "any", "webp")
    command = page.locator("#curl").text_content() or ""
    port = suite.engine.port
    # What names below localhost are is the resolver's business, and not every resolver knows it.
    website = urlsplit(suite["ImagesWebsiteUrl"]).hostname
    command = command.replace("curl ", f"curl --noproxy '*' --resolve {website}:{port}:127.0.0.1 ", 1)
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, env={"PATH": os.environ["PATH"]})
    (file,) = tmp_path.iterdir()
    assert file.name == f"{name.removesuffix('.jpg')}-100x.webp"
    assert file.read_bytes() == suite.http.get(page.locator("#address").text_content() or "").content


def test_sizes_are_worked_out_as_the_resizer_does(page: Page, suite: Suite) -> None:
    originals = [(1500, 1000), (1000, 1500), (640, 427), (20, 3000), (1, 1), (12_000, 9)]
    sides = [(500, 0), (0, 300), (300, 200), (100, 2400), (2400, 100)]
    cases: list[dict[str, Any]] = [
        {"original": original, "width": width, "height": height, "fit": fit}
        for original in originals
        for width, height in sides
        for fit in FITS
    ]
    page.goto(f"{suite['WebUrl']}/images/")
    found = page.evaluate(
        """async (cases) => {
          const { sizeOf } = await import("/images/variants.js");
          return cases.map(({ original: [width, height], ...shape }) => sizeOf({ width, height }, shape))
            .map(({ width, height }) => [width, height]);
        }""",
        cases,
    )
    for case, size in zip(cases, found, strict=True):
        variant = Variant(case["width"] or None, case["height"] or None, case["fit"])
        planned = plan(case["original"][0], case["original"][1], variant)
        expected = planned.canvas or planned.size
        # Python rounds a half to the even number, JavaScript up.
        assert max(abs(one - other) for one, other in zip(size, expected, strict=True)) <= 1, json.dumps(case)


def test_nothing_moves_while_the_page_loads(page: Page, suite: Suite) -> None:
    page.add_init_script(
        """globalThis.shifts = [];
        new PerformanceObserver((list) => { shifts.push(...list.getEntries().map(({ value }) => value)); })
          .observe({ type: "layout-shift", buffered: true });"""
    )
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        open_page(page, suite)
        page.wait_for_load_state("networkidle")
        shifted = page.evaluate("() => shifts.reduce((sum, value) => sum + value, 0)")
        assert shifted < 0.02, width  # "good" is below 0.1: https://web.dev/articles/cls


def test_image_elements_follow_the_whole_way(page: Page, suite: Suite, own_picture: str) -> None:
    page.goto(f"{suite['ImagesWebsiteUrl']}/100x100,avif/{own_picture}")
    assert page.url.endswith(f"/100x100,avif/{own_picture}")
    assert page.locator("img").evaluate("picture => [picture.naturalWidth, picture.naturalHeight]") == [
        100,
        100,
    ]
