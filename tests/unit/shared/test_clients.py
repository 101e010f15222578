import pytest
from botocore.exceptions import ParamValidationError

from shared import clients


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    clients._client.cache_clear()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def test_a_client_is_made_once() -> None:
    assert clients.client("s3") is clients.client("s3")
    assert clients.client("s3") is not clients.client("s3", read_timeout=1.5)


def test_a_client_gives_up_in_time() -> None:
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
