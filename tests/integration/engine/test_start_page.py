"""What is at the root of the port: pages for browsers, S3 for everybody else."""

from __future__ import annotations

import pytest
import requests

from tests.support.cloud import Cloud

# What Chromium sends for a page.
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}


def root(cloud: Cloud, **headers: str) -> requests.Response:
    return requests.get(f"{cloud.endpoint}/", headers=headers, timeout=5, allow_redirects=False)


def test_browsers_are_led_to_the_pages_of_the_newest_stack(cloud: Cloud) -> None:
    before = root(cloud, **BROWSER)
    if before.status_code == 200:  # no test of this engine has deployed pages
        assert "<code>make up</code>" in before.text
    for name in ("first", "second"):
        pages = f"http://{name}.example"
        cloud.deploy(
            {
                "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
                "Outputs": {"WebUrl": {"Value": pages}},
            }
        )
        answer = root(cloud, **BROWSER)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"{pages}/")


@pytest.mark.ours_only
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept": "*/*"},
        {"Accept": "application/xml"},
        {"Accept": "application/json"},
        BROWSER | {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"},
        BROWSER | {"Host": "bucket.s3.localhost"},
    ],
)
def test_everybody_else_gets_the_api(cloud: Cloud, headers: dict[str, str]) -> None:
    cloud.client("s3").create_bucket(Bucket=(bucket := cloud.name("bucket")))
    assert bucket in {each["Name"] for each in cloud.client("s3").list_buckets()["Buckets"]}
    answer = root(cloud, **headers)
    assert "Location" not in answer.headers
    assert "html" not in answer.headers.get("Content-Type", "")
