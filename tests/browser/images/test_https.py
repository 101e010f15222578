"""The pages and the images by HTTPS, as CloudFront serves them, in a browser that blocks mixed content."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from local.deploy import build, deploy
from local.engine_process import EngineProcess
from local.suite import Suite
from ops.publish import publish
from ops.settings import overrides
from tests.browser.conftest import Launch
from tests.browser.images.test_images_page import own_picture
from tests.support.edge import API, IMAGES, PAGES, Front, fronting

__all__ = ["own_picture"]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """The image resizer alone, whose images have an address of their own."""
    directory = tmp_path_factory.mktemp("https")
    off = {name: "false" for name in overrides("local") if name.startswith("Enable")}
    build(directory / "build.log")
    engine = EngineProcess.start(directory, iam=True)
    try:
        settings = off | {"EnableImageResizer": "true", "ImageDomainName": IMAGES}
        outputs = deploy(engine, directory / "deploy.log", **settings)
        # As on AWS, where the address of the API is the one to which the website redirects.
        publish(outputs | {"ImagesApiUrl": f"https://{API}/live"}, engine.client)
        yield Suite(engine, outputs)
    finally:
        engine.stop()


@pytest.fixture(scope="module")
def front(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with fronting(suite, tmp_path_factory.mktemp("front")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(launch: Launch, front: Front, suite: Suite) -> Iterator[Browser]:
    """A browser that finds the front at the hosts of `suite.test`, the engine at those of its websites."""
    rules = [
        f"MAP *.s3-website.suite.test 127.0.0.1:{suite.engine.port}",
        f"MAP *.suite.test 127.0.0.1:{front.port}",
    ]
    chromium = launch(
        f"--host-resolver-rules={','.join(rules)}",
        f"--ignore-certificate-errors-spki-list={front.fingerprint}",
    )
    yield chromium
    chromium.close()


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser's console says of errors."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    return found


def show(page: Page, key: str, width: int, height: int, fmt: str) -> None:
    """Have the page ask for a variant by its address."""
    page.goto(f"https://{PAGES}/images/?key={key}&width={width}&height={height}&fit=cover&format={fmt}")


def test_https_page_shows_original_and_variant(
    page: Page, own_picture: str, front: Front, complaints: list[str]
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"https://{PAGES}/images")
    expect(page).to_have_url(f"https://{PAGES}/images/")
    expect(page.locator("#variant dd")).to_contain_text("500 × 500")
    show(page, own_picture, 300, 200, "webp")
    expect(page.locator("#variant dd")).to_contain_text("300 × 200")
    expect(page.locator("#variant .badge")).to_have_text("miss: made now")
    expect(page.locator("#stage")).to_have_attribute("aria-busy", "false")  # the original comes last
    for picture in ("#before", "#after"):
        assert page.locator(picture).evaluate("picture => picture.complete && picture.naturalWidth > 0")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#variant .badge")).to_have_text("hit: from edge")
    newest = page.locator("#history tr").first
    for said in (f"300x200,webp/{own_picture}", "hit: from edge", "image/webp"):
        expect(newest).to_contain_text(said)
    assert complaints == []
    assert [url for url in asked if not url.startswith(("https://", "blob:https://", "data:"))] == []
    assert API in {host for host, _ in front.asked}


def test_auto_is_kept_at_the_edge(page: Page, own_picture: str, complaints: list[str]) -> None:
    page.goto(f"https://{PAGES}/images/")
    expect(page.locator("#variant dd")).to_contain_text("500 × 500")
    show(page, own_picture, 200, 0, "auto")
    newest = page.locator("#history tr").first
    expect(newest).to_contain_text(f"200x,auto/{own_picture}")
    expect(newest).to_contain_text("image/avif")
    expect(page.locator("#stage")).to_have_attribute("aria-busy", "false")
    with page.expect_response(f"https://{IMAGES}/200x,auto/{own_picture}") as answered:
        page.get_by_role("button", name="Show").click()
    assert answered.value.status == 200  # no redirect to the API, as the first time
    assert answered.value.headers["x-cache"] == "Hit from cloudfront"
    assert answered.value.headers["content-type"] == "image/avif"
    assert complaints == []


def test_another_site_embeds_a_variant(
    page: Page, own_picture: str, front: Front, complaints: list[str]
) -> None:
    front.others["shop.suite.test"] = f'<img src="https://{IMAGES}/100x100,auto/{own_picture}" alt="Variant">'
    page.goto("https://shop.suite.test/")
    width = page.get_by_alt_text("Variant").evaluate("image => image.decode().then(() => image.naturalWidth)")
    assert (width, complaints) == (100, [])


def test_http_address_would_be_blocked(
    page: Page, suite: Suite, own_picture: str, complaints: list[str]
) -> None:
    website = f"http://{suite['ImagesBucketName']}.s3-website.suite.test"
    page.goto(f"{website}/{own_picture}")
    assert (
        page.locator("img").evaluate("image => image.naturalWidth") == 1500
    )  # nothing else is wrong with it

    config = suite.http.get(f"{suite['WebUrl']}/config.json").json() | {"ImagesWebsiteUrl": website}
    allowing = suite.http.get(f"{suite['WebUrl']}/images/").text.replace(f"https://{IMAGES}", website)
    page.route("**/config.json", lambda route: route.fulfill(json=config))
    page.route("**/images/", lambda route: route.fulfill(body=allowing, content_type="text/html"))
    page.goto(f"https://{PAGES}/images/")
    expect(page.get_by_role("alert")).to_contain_text("browsers block images by HTTP")
    assert [text for text in complaints if "Mixed Content" in text and website in text]


def test_unknown_page_is_404_with_the_error_page(page: Page) -> None:
    for path in ("nothing", f"images/{uuid.uuid4().hex}/", "nothing.html"):
        answer = page.goto(f"https://{PAGES}/{path}")
        assert answer
        assert answer.status == 404
        expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
