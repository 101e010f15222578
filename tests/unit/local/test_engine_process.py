"""An engine's clients reach it, whatever the caller's own AWS set-up says."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.engine_process import EngineProcess


def test_client_reads_no_profile_of_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the caller's")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "https://sqs.eu-west-1.amazonaws.com")
    client = EngineProcess(tmp_path, 4599, 1).client("sqs")
    assert client.meta.endpoint_url == "http://127.0.0.1:4599"
    assert client.meta.region_name == "us-east-1"
    credentials = client._request_signer._credentials
    assert (credentials.access_key, credentials.token) == ("test", None)
