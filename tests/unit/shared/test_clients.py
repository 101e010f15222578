from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.session
import pytest
from botocore.exceptions import ParamValidationError

from shared import clients


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    clients._client.cache_clear()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the region that it was made in
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def test_a_client_is_made_once() -> None:
    assert clients.client("s3") is clients.client("s3")
    assert clients.client("s3") is not clients.client("s3", read_timeout=1.5)


def test_a_client_times_out() -> None:
    config = clients.client("s3", read_timeout=1.5).meta.config
    assert (config.connect_timeout, config.read_timeout) == (2.0, 1.5)  # type: ignore[attr-defined]
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}  # type: ignore[attr-defined]


def test_the_endpoint_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:4566")
    assert clients.client("sqs").meta.endpoint_url == "http://localhost:4566"


def test_the_batch_writers_client_tries_once_and_keeps_a_connection_for_each_call() -> None:
    config = clients.client_without_retries("dynamodb").meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}  # type: ignore[attr-defined]
    assert config.max_pool_connections >= 16  # type: ignore[attr-defined]
    assert clients.client_without_retries("dynamodb") is not clients.client("dynamodb")


def test_an_empty_key_never_becomes_a_request_about_the_bucket() -> None:
    with pytest.raises(ParamValidationError, match="Key"):
        clients.client("s3").get_object(Bucket="pictures", Key="")


def _regions() -> Iterator[tuple[str, str]]:
    """Yield each region that botocore knows, with the suffix of its host names (AWS's partitions.json)."""
    session = botocore.session.get_session()
    for partition, suffix in (
        ("aws", "amazonaws.com"),
        ("aws-us-gov", "amazonaws.com"),
        ("aws-cn", "amazonaws.com.cn"),
    ):
        for region in session.get_available_regions("s3", partition):
            yield region, suffix


def _upload_address() -> str:
    return clients.client("s3").generate_presigned_url(
        "put_object", Params={"Bucket": "imports", "Key": "uploads/a.jsonl"}, ExpiresIn=3600
    )


@pytest.mark.parametrize(("name", "suffix"), list(_regions()))
def test_addresses_are_regional_and_signed_by_version_4(
    name: str, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", name)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    address = urlsplit(_upload_address())
    query = parse_qs(address.query)
    # https://docs.aws.amazon.com/general/latest/gr/s3.html
    assert address.netloc == f"imports.s3.{name}.{suffix}"
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Credential"][0].split("/")[2:] == [name, "s3", "aws4_request"]


@pytest.mark.parametrize("host", ["127.0.0.1:4566", "host.docker.internal:4566"])
def test_another_server_gets_the_bucket_in_the_path(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}")
    address = urlsplit(_upload_address())
    assert (address.netloc, address.path) == (host, "/imports/uploads/a.jsonl")


class Sts:
    """Lets everybody assume every role, for as long as a test says."""

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self.asked: list[dict[str, str]] = []

    def assume_role(self, **asked: str) -> dict[str, Any]:
        self.asked.append(asked)
        expires = datetime.now(UTC) + timedelta(minutes=self.minutes)
        key = f"ASIA{len(self.asked)}"
        return {
            "Credentials": {
                "AccessKeyId": key, "SecretAccessKey": "secret", "SessionToken": "token",
                "Expiration": expires,
            }
        }  # fmt: skip


@pytest.mark.parametrize(("minutes", "assumed"), [(60, 1), (9, 2)])
def test_a_role_is_assumed_again_before_its_credentials_expire(
    monkeypatch: pytest.MonkeyPatch, minutes: float, assumed: int
) -> None:
    sts = Sts(minutes)
    monkeypatch.setattr(clients, "client", lambda _: sts)
    monkeypatch.setattr(clients, "_assumed", {})
    role = "arn:aws:iam::111122223333:role/reader"
    made = [
        clients.client_elsewhere("ecs", region="us-west-2", role_arn=role, session_name="me")
        for _ in range(2)
    ]
    assert sts.asked == [{"RoleArn": role, "RoleSessionName": "me"}] * assumed
    assert (made[0] is made[1]) == (assumed == 1)
    assert made[1].meta.region_name == "us-west-2"
    assert made[1]._request_signer._credentials.access_key == f"ASIA{assumed}"


def test_another_region_is_asked_with_the_functions_own_role() -> None:
    made = clients.client_elsewhere("ecs", region="us-west-2")
    assert made.meta.endpoint_url == "https://ecs.us-west-2.amazonaws.com"
    assert made._request_signer._credentials.access_key == "test"
    assert made.meta.config.retries == {"mode": "standard", "total_max_attempts": 1}
    assert made is clients.client_elsewhere("ecs", region="us-west-2")
