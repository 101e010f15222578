"""Nobody without credentials reads or writes a bucket of the suite, but for the websites' readers."""

from __future__ import annotations

from local.suite import Suite
from tests.support.stack import resources

WEBSITES = {"WebBucket", "ImagesBucket"}  # on the local engine; on AWS CloudFront alone reads the pages
LISTED = "WebBucket"  # there too: who may not list gets 403 instead of 404 for a page that is missing
KEY = "nobody/may/read.txt"


def test_buckets_are_closed_to_the_public(suite: Suite) -> None:
    found = resources(suite, "AWS::S3::Bucket")
    assert found.keys() > WEBSITES
    for name, bucket in found.items():
        address = f"{suite.engine.endpoint}/{bucket}"
        suite.client("s3").put_object(Bucket=bucket, Key=KEY, Body=b"private")
        try:
            readable = suite.http.get(f"{address}/{KEY}").status_code
            assert readable == (200 if name in WEBSITES else 403), name
            listed = suite.http.get(f"{address}?list-type=2").status_code
            assert listed == (200 if name == LISTED else 403), name
            assert suite.http.put(f"{address}/{KEY}", data=b"mine").status_code == 403, name
            assert suite.http.delete(f"{address}/{KEY}").status_code == 403, name
            assert suite.client("s3").get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"private"
        finally:
            suite.client("s3").delete_object(Bucket=bucket, Key=KEY)
