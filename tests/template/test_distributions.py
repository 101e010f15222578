"""CloudFront's distributions of the pages and of the images, as `sam deploy` would make them on AWS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import boto3
import pytest

from ops.template import Place, Stack, deployed
from tests.support.node import EdgeFunction, edge_function
from tests.support.template import transformed

RESOURCES = transformed("aws")["Resources"]
ACCOUNT = "123456789012"
CERTIFICATE = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/1"
OWN_ADDRESS = {"ImageDomainName": "images.example.com", "ImageCertificateArn": CERTIFICATE}
# Regions by the form of their host in the table "Amazon S3 website endpoints" of
# https://docs.aws.amazon.com/general/latest/gr/s3.html, as the CDK's region-info (aws-cdk-lib of 2026-09) and
# the tests of Terraform's provider for AWS have it.
DASH = {
    "ap-northeast-1", "ap-southeast-1", "ap-southeast-2", "eu-west-1", "sa-east-1", "us-east-1",
    "us-west-1", "us-west-2",
}  # fmt: skip
DOT = {
    "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-2", "ap-northeast-3", "ap-south-1",
    "ap-south-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-7",
    "ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2",
    "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-2", "eu-west-3", "il-central-1", "me-central-1",
    "me-south-1", "us-east-2",
}  # fmt: skip
REGIONS = boto3.Session().get_available_regions("s3", "aws")


def stack(region: str = "eu-west-1", **settings: str) -> Stack:
    return deployed(settings, Place("suite", region, ACCOUNT))


def distribution(region: str = "eu-west-1", **settings: str) -> dict[str, Any]:
    made = stack(region, **settings).resources["ImagesDistribution"]
    config: dict[str, Any] = made.properties["DistributionConfig"]
    return config


def images_url(region: str = "eu-west-1", **settings: str) -> str:
    """The address of the images, which the function redirects to and the pages ask."""
    made = stack(region, **settings)
    url: str = made.resources["ResizeFunction"].properties["Environment"]["Variables"]["URL"]
    assert made.outputs["ImagesWebsiteUrl"] == url
    return url


@pytest.mark.parametrize("region", REGIONS)
def test_website_host_is_the_documented_one(region: str) -> None:
    mark = "-" if region in DASH else "."  # of regions newer than the table too
    host = f"suite-images-{ACCOUNT}-{region}.s3-website{mark}{region}.amazonaws.com"
    assert [origin["DomainName"] for origin in distribution(region=region)["Origins"]] == [host]
    assert images_url(region=region, EnableImageDistribution="false") == f"http://{host}"


def test_table_of_website_hosts_knows_the_regions() -> None:
    assert set(REGIONS) >= DASH | DOT
    assert set(REGIONS) - DASH - DOT <= {"ap-southeast-6", "mx-central-1"}  # not in those releases


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (OWN_ADDRESS, "https://images.example.com"),
        (
            {"EnableImageDistribution": "false", "ImageDomainName": "cdn.example.com"},
            "https://cdn.example.com",
        ),
        ({"Target": "local"}, f"http://suite-images-{ACCOUNT}-eu-west-1.s3-website.localhost:4566"),
        ({"Target": "local", "ImageDomainName": "images.suite.test"}, "https://images.suite.test"),
    ],
)
def test_redirects_and_pages_use_the_images_address(settings: dict[str, str], url: str) -> None:
    assert images_url(**settings) == url


@pytest.mark.parametrize(
    ("settings", "exists"),
    [
        ({}, True),
        ({"EnableImageDistribution": "false"}, False),
        ({"EnableImageResizer": "false"}, False),
        ({"Target": "local"}, False),
    ],
)
def test_distribution_exists_by_its_switch(settings: dict[str, str], exists: bool) -> None:
    made = stack(**settings)
    assert ("ImagesDistribution" in made.resources) is exists
    assert ("ImagesDistributionId" in made.outputs) is exists


def test_without_an_own_address_the_distributions_is_used() -> None:
    url = images_url()
    assert re.fullmatch(r"https://d\w+\.cloudfront\.net", url)
    assert stack().outputs["ImagesDistributionDomainName"] == url.removeprefix("https://")


def test_viewers_are_sent_to_https_and_the_website_asked_by_http() -> None:
    """ "Amazon S3 website endpoints do not support HTTPS", userguide/WebsiteEndpoints.html."""
    config = distribution()
    assert config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
    assert config["Origins"][0]["CustomOriginConfig"] == {"OriginProtocolPolicy": "http-only"}
    assert "S3OriginConfig" not in config["Origins"][0]


def test_own_address_has_its_certificate() -> None:
    assert {"Aliases", "ViewerCertificate"} & set(distribution()) == set()
    own = distribution(**OWN_ADDRESS)
    assert own["Aliases"] == ["images.example.com"]
    assert own["ViewerCertificate"]["AcmCertificateArn"] == CERTIFICATE
    assert own["ViewerCertificate"]["SslSupportMethod"] == "sni-only"


def test_only_what_says_so_is_kept_at_the_edge() -> None:
    """A redirect to the API that the edge kept would send browsers there for ever."""
    policy = RESOURCES["ImagesCachePolicy"]["Properties"]["CachePolicyConfig"]
    assert (policy["MinTTL"], policy["DefaultTTL"], policy["MaxTTL"]) == (0, 0, 31_536_000)
    key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
    assert key["QueryStringsConfig"] == {"QueryStringBehavior": "none"}
    assert key["CookiesConfig"] == {"CookieBehavior": "none"}
    behavior = RESOURCES["ImagesDistribution"]["Properties"]["DistributionConfig"]["DefaultCacheBehavior"]
    assert behavior["CachePolicyId"] == {"Ref": "ImagesCachePolicy"}


def test_every_site_may_read_what_the_page_reads() -> None:
    cors = RESOURCES["ImagesHeadersPolicy"]["Properties"]["ResponseHeadersPolicyConfig"]["CorsConfig"]
    of_bucket = RESOURCES["ImagesBucket"]["Properties"]["CorsConfiguration"]["CorsRules"][0]
    assert cors["AccessControlAllowOrigins"]["Items"] == of_bucket["AllowedOrigins"] == ["*"]
    assert cors["AccessControlExposeHeaders"]["Items"] == [*of_bucket["ExposedHeaders"], "X-Cache"]


@pytest.fixture(scope="module")
def web_index() -> Iterator[EdgeFunction]:
    with edge_function(RESOURCES["WebIndexFunction"]["Properties"]["FunctionCode"]) as function:
        yield function


@pytest.mark.parametrize(
    ("path", "served"),
    [
        ("/", "/index.html"),
        ("/images/", "/images/index.html"),
        ("/images/images.js", "/images/images.js"),
        ("/config.json", "/config.json"),
        ("//", "//index.html"),
    ],
)
def test_folders_are_served_by_their_index(web_index: EdgeFunction, path: str, served: str) -> None:
    assert web_index(path, [])["uri"] == served


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/images", "https://pages.example/images/"),
        ("/a/b", "https://pages.example/a/b/"),
        ("//evil%2Eexample", "https://pages.example/evil%2Eexample/"),  # to this host, whatever the path
        ("/javascript:alert(1)", "https://pages.example/javascript:alert(1)/"),
        ("/%2F%2Fevil", "https://pages.example/%2F%2Fevil/"),
    ],
)
def test_folder_without_slash_leads_to_the_folder(web_index: EdgeFunction, path: str, leads_to: str) -> None:
    answer = web_index(path, [])
    assert answer["statusCode"] == 302
    assert urljoin(f"https://pages.example{path}", answer["headers"]["location"]["value"]) == leads_to


def test_missing_pages_are_404_with_the_error_page() -> None:
    """Without s3:ListBucket "Amazon S3 returns an HTTP status code 403" for a missing key (API_GetObject)."""
    config = RESOURCES["WebDistribution"]["Properties"]["DistributionConfig"]
    assert {error["ErrorCode"]: error["ResponseCode"] for error in config["CustomErrorResponses"]} == {
        403: 404,
        404: 404,
    }
    assert {error["ResponsePagePath"] for error in config["CustomErrorResponses"]} == {"/error.html"}
