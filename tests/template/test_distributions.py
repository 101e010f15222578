"""CloudFront's distributions of the pages and of the images, as `sam deploy` would make them on AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urljoin

import boto3
import pytest
from samcli.lib.intrinsic_resolver.intrinsic_property_resolver import IntrinsicResolver
from samcli.lib.intrinsic_resolver.intrinsics_symbol_table import IntrinsicsSymbolTable

from tests.support.node import EdgeFunction, edge_function
from tests.support.template import transformed

TEMPLATE = transformed("aws")
RESOURCES = TEMPLATE["Resources"]
ACCOUNT = "123456789012"
CERTIFICATE = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/1"
OWN_ADDRESS = {"ImageDomainName": "images.example.com", "ImageCertificateArn": CERTIFICATE}
# Regions by the form of their host in the table "Amazon S3 website endpoints" of
# https://docs.aws.amazon.com/general/latest/gr/s3.html, as the CDK's region-info (aws-cdk-lib of 2026-09) and
# the tests of Terraform's provider for AWS have it.
DASH = {
    "ap-northeast-1", "ap-southeast-1", "ap-southeast-2", "eu-west-1", "sa-east-1", "us-east-1",
    "us-gov-west-1", "us-west-1", "us-west-2",
}  # fmt: skip
DOT = {
    "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-2", "ap-northeast-3", "ap-south-1",
    "ap-south-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-7",
    "ca-central-1", "ca-west-1", "cn-north-1", "cn-northwest-1", "eu-central-1", "eu-central-2",
    "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-2", "eu-west-3", "il-central-1", "me-central-1",
    "me-south-1", "us-east-2", "us-gov-east-1",
}  # fmt: skip
PARTITIONS = ["aws", "aws-cn", "aws-us-gov"]
SESSION = boto3.Session()
REGIONS = {region: name for name in PARTITIONS for region in SESSION.get_available_regions("s3", name)}


def resolved(part: Any, region: str = "eu-west-1", **parameters: str) -> Any:
    """A part of the template with its intrinsic functions evaluated by the SAM CLI."""
    known = {
        "Target": "aws",
        "AWS::AccountId": ACCOUNT,
        "AWS::NoValue": "(none)",
        "AWS::Region": region,
        "AWS::StackName": "suite",
        "AWS::URLSuffix": "amazonaws.com.cn" if REGIONS[region] == "aws-cn" else "amazonaws.com",
        "ImagesDistribution": {"DomainName": "d1.cloudfront.net"},
    }
    symbols = IntrinsicsSymbolTable(TEMPLATE, logical_id_translator=known | parameters)
    return IntrinsicResolver(TEMPLATE, symbols).intrinsic_property_resolver(part, ignore_errors=True)


def distribution(**settings: str) -> dict[str, Any]:
    config: dict[str, Any] = resolved(
        RESOURCES["ImagesDistribution"]["Properties"]["DistributionConfig"], **settings
    )
    return config


def images_url(**settings: str) -> str:
    """The address of the images, which the function redirects to and the pages ask."""
    of_function = RESOURCES["ResizeFunction"]["Properties"]["Environment"]["Variables"]["URL"]
    url: str = resolved(of_function, **settings)
    assert resolved(TEMPLATE["Outputs"]["ImagesWebsiteUrl"]["Value"], **settings) == url
    return url


@pytest.mark.parametrize("region", REGIONS)
def test_website_host_is_the_documented_one(region: str) -> None:
    mark = "-" if region in DASH else "."  # of regions newer than the table too
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    host = f"suite-images-{ACCOUNT}.s3-website{mark}{region}.{suffix}"
    assert [origin["DomainName"] for origin in distribution(region=region)["Origins"]] == [host]
    assert images_url(region=region, EnableImageDistribution="false") == f"http://{host}"


def test_table_of_website_hosts_knows_the_regions() -> None:
    assert set(REGIONS) >= DASH | DOT
    assert set(REGIONS) - DASH - DOT <= {"ap-southeast-6", "mx-central-1"}  # not in those releases


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "https://d1.cloudfront.net"),
        (OWN_ADDRESS, "https://images.example.com"),
        (
            {"EnableImageDistribution": "false", "ImageDomainName": "cdn.example.com"},
            "https://cdn.example.com",
        ),
        ({"Target": "local"}, f"http://suite-images-{ACCOUNT}.s3-website.localhost:4566"),
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
    made = [
        name
        for name, resource in {**RESOURCES, **TEMPLATE["Outputs"]}.items()
        if resource.get("Condition") == "ImageDistribution"
    ]
    assert {"ImagesDistribution", "ImagesAutoFunction", "ImagesDistributionId"} <= set(made)
    assert resolved({"Fn::If": ["ImageDistribution", "yes", "no"]}, **settings) == ("yes" if exists else "no")


def test_viewers_are_sent_to_https_and_the_website_asked_by_http() -> None:
    """ "Amazon S3 website endpoints do not support HTTPS", userguide/WebsiteEndpoints.html."""
    config = distribution()
    assert config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
    assert config["Origins"][0]["CustomOriginConfig"] == {"OriginProtocolPolicy": "http-only"}
    assert "S3OriginConfig" not in config["Origins"][0]


def test_own_address_has_its_certificate() -> None:
    assert distribution()["Aliases"] == distribution()["ViewerCertificate"] == "(none)"
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


NAMES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "AWS::CloudFront::Function": lambda properties: properties["Name"],
    "AWS::CloudFront::CachePolicy": lambda properties: properties["CachePolicyConfig"]["Name"],
    "AWS::CloudFront::ResponseHeadersPolicy": lambda properties: properties["ResponseHeadersPolicyConfig"][
        "Name"
    ],
    "AWS::CloudFront::OriginAccessControl": lambda properties: properties["OriginAccessControlConfig"][
        "Name"
    ],
}


@pytest.mark.parametrize("name", [name for name in RESOURCES if RESOURCES[name]["Type"] in NAMES])
def test_names_of_cloudfront_differ_by_stack_and_region(name: str) -> None:
    """Functions' names are `[a-zA-Z0-9-_]{1,64}` (API_CreateFunction); of origin access controls "you can
    specify up to 64 characters" (API_OriginAccessControlConfig).
    """
    longest = max(REGIONS, key=len)
    stack = (
        "s" * 33
    )  # with longer names of stacks AccessLogsProcessedBucket's would have more than 63 characters
    found = resolved(
        NAMES[RESOURCES[name]["Type"]](RESOURCES[name]["Properties"]),
        region=longest, **{"AWS::StackName": stack},
    )  # fmt: skip
    assert stack in found
    assert longest in found
    assert len(found) <= 64


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
