"""Website endpoints, over real HTTP: the Host header names the bucket, as a browser's would."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest

from local.engine_process import EngineProcess
from tests.support.cloud import Cloud

API = "restapis/abc123/prod/_user_request_/resize?key="
ORIGIN = "https://pages.example"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Site:
    """A deployed website bucket."""

    cloud: Cloud
    bucket: str
    host: str = field(init=False)

    def __post_init__(self) -> None:
        self.host = f"{self.bucket}.s3-website.localhost:{self.cloud.engine.port}"

    def put(self, key: str, body: bytes = b"x", **settings: str) -> str:
        etag: str = self.cloud.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body, **settings)[
            "ETag"
        ]
        return etag

    def ask(self, path: str, method: str = "GET", **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.cloud.engine.port, timeout=10)
        try:
            sent = {"Host": self.host} | {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=sent)
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def location(self, path: str) -> tuple[int, str]:
        reply = self.ask(path)
        return reply.status, reply.headers.get("location", "")


def deploy(cloud: Cloud, *, public_list: bool = False, public: str = "*", **website: object) -> Site:
    bucket = cloud.name("site")
    statements: list[dict[str, object]] = [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{bucket}/{public}",
        }
    ]
    if public_list:
        statements.append(
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:ListBucket",
                "Resource": f"arn:aws:s3:::{bucket}",
            }
        )
    cloud.deploy(
        {
            "Resources": {
                "Bucket": {
                    "Type": "AWS::S3::Bucket",
                    "Properties": {
                        "BucketName": bucket,
                        "PublicAccessBlockConfiguration": {
                            "BlockPublicPolicy": False,
                            "RestrictPublicBuckets": False,
                        },
                        "WebsiteConfiguration": website or {"IndexDocument": "index.html"},
                        "CorsConfiguration": {
                            "CorsRules": [
                                {
                                    "AllowedOrigins": [ORIGIN],
                                    "AllowedMethods": ["GET", "HEAD"],
                                    "AllowedHeaders": ["*"],
                                    "ExposedHeaders": ["ETag"],
                                }
                            ]
                        },
                    },
                },
                "Policy": {
                    "Type": "AWS::S3::BucketPolicy",
                    "Properties": {
                        "Bucket": {"Ref": "Bucket"},
                        "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
                    },
                },
            }
        }
    )
    return Site(cloud, bucket)


def resizing(cloud: Cloud, *, public_list: bool, code: str) -> Site:
    """A site as the image resizer's: whatever is missing under a size goes to the API."""
    rule = {
        "RoutingRuleCondition": {"HttpErrorCodeReturnedEquals": code, "KeyPrefixEquals": ""},
        "RedirectRule": {
            "HostName": f"127.0.0.1:{cloud.engine.port}",
            "Protocol": "http",
            "HttpRedirectCode": "307",
            "ReplaceKeyPrefixWith": API,
        },
    }
    return deploy(
        cloud,
        public_list=public_list,
        IndexDocument="index.html",
        ErrorDocument="error.html",
        RoutingRules=[rule],
    )


def test_index_and_error_documents(cloud: Cloud) -> None:
    site = deploy(cloud, public_list=True, IndexDocument="index.html", ErrorDocument="error.html")
    site.put("index.html", b"<p>home", ContentType="text/html", CacheControl="max-age=60")
    site.put("docs/index.html", b"<p>docs", ContentType="text/html")
    site.put("error.html", b"<p>sorry", ContentType="text/html")
    home = site.ask("/?utm=1")
    assert (home.status, home.body, home.headers["content-type"]) == (200, b"<p>home", "text/html")
    assert home.headers["cache-control"] == "max-age=60"
    assert site.ask("/docs/").body == b"<p>docs"
    assert site.location("/docs?x=1") == (302, "/docs/")
    missing = site.ask("/nothing", Range="bytes=0-1")
    assert (missing.status, missing.body, missing.headers["content-type"]) == (404, b"<p>sorry", "text/html")


def test_a_site_without_an_error_document_answers_with_a_page_of_its_own(cloud: Cloud) -> None:
    reply = deploy(cloud, public_list=True).ask("/<nothing>")
    assert reply.status == 404
    assert reply.headers["content-type"].startswith("text/html")
    assert b"Code: NoSuchKey" in reply.body


@pytest.mark.parametrize(("public_list", "code"), [(True, "404"), (False, "403")])
def test_a_missing_key_is_404_only_where_the_public_may_list(
    cloud: Cloud, public_list: bool, code: str
) -> None:
    site = resizing(cloud, public_list=public_list, code=code)
    assert site.location("/300x300/a.jpg?v=1") == (
        307,
        f"http://127.0.0.1:{cloud.engine.port}/{API}300x300/a.jpg",
    )
    other = resizing(cloud, public_list=not public_list, code=code)
    assert other.ask("/300x300/a.jpg").status == (404 if code == "403" else 403)


def test_a_redirected_key_is_decoded_once_to_the_key_that_was_asked_for(cloud: Cloud) -> None:
    site = resizing(cloud, public_list=True, code="404")
    for asked, key in [
        ("/300x300/%C3%A4%20b+c.jpg", "300x300/ä b+c.jpg"),
        ("/300x300/100%25.jpg", "300x300/100%.jpg"),
        ("/300x300/a%26b%3Dc%23d.jpg", "300x300/a&b=c#d.jpg"),
    ]:
        status, location = site.location(asked)
        assert status == 307
        parts = urlsplit(location)
        assert parse_qs(parts.query) == {"key": [key]}
        assert not parts.fragment
    site.put("300x300/ä b+c.jpg", b"variant")
    assert site.ask("/300x300/%C3%A4%20b+c.jpg").body == b"variant"


def test_routing_rules_without_an_error_code_come_before_the_object(cloud: Cloud) -> None:
    site = deploy(
        cloud,
        IndexDocument="index.html",
        RoutingRules=[
            {
                "RoutingRuleCondition": {"KeyPrefixEquals": "old/"},
                "RedirectRule": {"ReplaceKeyPrefixWith": "new/"},
            },
            {
                "RoutingRuleCondition": {"KeyPrefixEquals": "one/"},
                "RedirectRule": {
                    "ReplaceKeyWith": "all.html",
                    "HttpRedirectCode": "302",
                    "Protocol": "https",
                },
            },
        ],
    )
    site.put("old/page.html")
    assert site.location("/old/page.html") == (301, f"http://{site.host}/new/page.html")
    assert site.location("/one/page.html") == (302, f"https://{site.host}/all.html")


def test_objects_and_whole_sites_that_redirect(cloud: Cloud) -> None:
    site = deploy(cloud)
    site.put("moved.html", WebsiteRedirectLocation="/index.html")
    assert site.location("/moved.html") == (301, "/index.html")
    everything = deploy(cloud, RedirectAllRequestsTo={"HostName": "example.com", "Protocol": "https"})
    assert everything.location("/a%20b?c=d") == (301, "https://example.com/a%20b")


def test_get_and_head_only(cloud: Cloud) -> None:
    site = deploy(cloud)
    site.put("index.html", b"<p>home")
    head = site.ask("/", "HEAD")
    assert (head.status, head.headers["content-length"], head.body) == (200, "7", b"")
    for method in ("POST", "PUT", "DELETE"):
        reply = site.ask("/index.html", method)
        assert (reply.status, reply.headers["allow"]) == (405, "HEAD, GET")


def test_conditional_and_range_requests(cloud: Cloud) -> None:
    site = deploy(cloud)
    etag = site.put("index.html", b"0123456789")
    assert site.ask("/").headers.get("etag") == etag
    assert site.ask("/", If_None_Match=etag).status == 304
    assert site.ask("/", If_Match='"other"').status == 412
    part = site.ask("/", Range="bytes=2-4")
    assert (part.status, part.body, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")


def test_the_buckets_cors_rules_answer_for_the_website(cloud: Cloud) -> None:
    site = resizing(cloud, public_list=True, code="404")
    site.put("a.json", b"{}")
    for path, status in (("/a.json", 200), ("/300x300/b.jpg", 307)):
        reply = site.ask(path, Origin=ORIGIN)
        assert (reply.status, reply.headers.get("access-control-allow-origin")) == (status, ORIGIN)
        assert "access-control-allow-origin" not in site.ask(path, Origin="https://other.example").headers
    preflight = site.ask("/a.json", "OPTIONS", Origin=ORIGIN, Access_Control_Request_Method="GET")
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (200, ORIGIN)
    refused = site.ask("/a.json", "OPTIONS", Origin=ORIGIN, Access_Control_Request_Method="DELETE")
    assert refused.status == 403


def test_every_form_of_the_endpoints_name(cloud: Cloud) -> None:
    site = deploy(cloud)
    site.put("index.html", b"<p>home")
    for middle in ("s3-website", "s3-website-eu-west-1", "s3-website.eu-central-1"):
        site.host = f"{site.bucket}.{middle}.localhost:{cloud.engine.port}"
        assert site.ask("/").body == b"<p>home"
    site.host = f"{cloud.name('none')}.s3-website.localhost"
    assert b"NoSuchBucket" in site.ask("/").body
    cloud.client("s3").create_bucket(Bucket=(plain := cloud.name("plain")))
    site.host = f"{plain}.s3-website.localhost"
    assert b"NoSuchWebsiteConfiguration" in site.ask("/").body


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An engine that enforces policies."""
    engine = EngineProcess.start(tmp_path_factory.mktemp("guarded"), iam=True)
    yield Cloud(engine)
    engine.stop()


def test_bucket_policies_hold_for_visitors(guarded: Cloud) -> None:
    site = deploy(guarded, public="public/*", IndexDocument="index.html", ErrorDocument="public/error.html")
    site.put("public/a.txt", b"open")
    site.put("private/a.txt", b"closed")
    site.put("public/error.html", b"<p>sorry")
    assert site.ask("/public/a.txt").body == b"open"
    assert (site.ask("/private/a.txt").status, site.ask("/private/a.txt").body) == (403, b"<p>sorry")
    # Nobody may list the bucket, so a missing key looks like a forbidden one.
    assert site.ask("/public/missing").status == 403
    # Credentials open nothing here: the endpoint serves the public alone.
    assert site.ask("/private/a.txt", Authorization="AWS4-HMAC-SHA256 Credential=test/x").status == 403
    guarded.client("s3").put_bucket_policy(
        Bucket=site.bucket,
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": "*",
                        "Action": ["s3:GetObject", "s3:ListBucket"],
                        "Resource": [f"arn:aws:s3:::{site.bucket}", f"arn:aws:s3:::{site.bucket}/*"],
                    }
                ],
            }
        ),
    )
    assert site.ask("/public/missing").status == 404


def test_block_public_access_closes_a_website(guarded: Cloud) -> None:
    site = deploy(guarded)
    site.put("index.html", b"<p>home")
    assert site.ask("/").status == 200
    guarded.client("s3").put_public_access_block(
        Bucket=site.bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    assert site.ask("/").status == 403


def test_a_folder_index_redirect_needs_a_readable_index(guarded: Cloud) -> None:
    site = deploy(guarded, public="open/*", IndexDocument="index.html")
    site.put("open/index.html")
    site.put("closed/index.html")
    assert site.location("/open") == (302, "/open/")
    assert site.location("/closed") == (403, "")
