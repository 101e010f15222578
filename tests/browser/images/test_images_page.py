"""The page `web/images/` as a person uses it."""

from __future__ import annotations

import uuid

import pytest
from playwright.sync_api import Page, expect

from datagen.pictures import encode, photograph
from local.suite import Suite


@pytest.fixture
def own_picture(suite: Suite) -> str:
    key = f"own/{uuid.uuid4().hex}.jpg"
    suite.client("s3").put_object(
        Bucket=suite["ImagesBucketName"],
        Key=key,
        Body=encode(photograph(1500, 1000), "JPEG"),
        ContentType="image/jpeg",
    )
    return key


def open_page(page: Page, suite: Suite) -> None:
    page.goto(f"{suite['WebUrl']}/images/")
    expect(page.locator("#variant figcaption")).to_contain_text("500 × 500")


def choose(page: Page, key: str, width: str, height: str, fmt: str = "") -> None:
    page.get_by_role("combobox", name="Picture", exact=True).fill(key)
    page.get_by_label("Width").select_option(width)
    page.get_by_label("Height").select_option(height)
    page.get_by_label("Format").select_option(fmt)
    page.get_by_role("button", name="Show").click()


def test_home_page_leads_to_the_image_resizer(page: Page, suite: Suite) -> None:
    page.goto(suite["WebUrl"] + "/")
    page.get_by_role("link", name="Image resizer").click()
    expect(page.get_by_role("heading", name="Image resizer")).to_be_visible()


def test_page_opens_with_a_sample_and_its_variant_side_by_side(page: Page, suite: Suite) -> None:
    open_page(page, suite)
    for picture in ("#original img", "#variant img"):
        assert page.locator(picture).evaluate("picture => picture.complete && picture.naturalWidth > 0")
    expect(page.locator("#trouble")).to_be_hidden()


def test_first_look_is_a_miss_and_the_second_a_hit(page: Page, suite: Suite, own_picture: str) -> None:
    open_page(page, suite)
    choose(page, own_picture, "300", "200", "webp")
    expect(page.locator("#variant figcaption")).to_contain_text("300 × 200")
    expect(page.locator("#variant .badge")).to_have_text("miss: made now")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#variant .badge")).to_have_text("hit: from storage")
    newest = page.locator("#history tr").first
    expect(newest).to_contain_text(f"300x200,webp/{own_picture}")
    expect(newest).to_contain_text("storage (hit)")
    expect(newest).to_contain_text("image/webp")


def test_auto_gives_this_browser_avif(page: Page, suite: Suite, own_picture: str) -> None:
    open_page(page, suite)
    choose(page, own_picture, "200", "", "auto")
    expect(page.locator("#variant figcaption")).to_contain_text("image/avif")


def test_a_missing_picture_is_said_in_words(page: Page, suite: Suite) -> None:
    open_page(page, suite)
    choose(page, "no/such.jpg", "300", "300")
    expect(page.get_by_role("alert")).to_contain_text("not_found")


def test_image_elements_follow_the_whole_way(page: Page, suite: Suite, own_picture: str) -> None:
    page.goto(f"{suite['ImagesWebsiteUrl']}/100x100,avif/{own_picture}")
    assert page.url.endswith(f"/100x100,avif/{own_picture}")
    assert page.locator("img").evaluate("picture => [picture.naturalWidth, picture.naturalHeight]") == [
        100,
        100,
    ]
