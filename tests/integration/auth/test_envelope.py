"""The envelope library on the engine's KMS, in two regions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.engine_process import EngineProcess, aws_environment, free_port
from ops.paths import ROOT
from shared.envelope import (
    Envelope,
    KeyRefusedError,
    KeyUnavailableError,
    NoKeyError,
    Sealed,
    TamperedError,
    WrongContextError,
)
from tests.support.cloud import Cloud

CONTEXT = {"user": "42", "version": "7"}


class Region:
    """A key of its own in one region, and the requests that are sent there."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self.kms = cloud.engine.client("kms", name)
        self.key_id = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.envelope = Envelope(self.kms, self.key_id, name)
        self.requests: list[str] = []
        self.kms.meta.events.register("before-send.kms", self._count)

    def _count(self, request: Any, **_: Any) -> None:
        self.requests.append(request.headers["X-Amz-Target"].decode())


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    engine = EngineProcess.start(tmp_path_factory.mktemp("envelope"), iam=False)
    try:
        yield Cloud(engine)
    finally:
        engine.stop()


@pytest.fixture
def europe(cloud: Cloud) -> Region:
    return Region(cloud, "eu-west-1")


@pytest.fixture
def america(cloud: Cloud) -> Region:
    return Region(cloud, "us-east-1")


def test_a_record_is_read_in_both_regions_with_one_request_each(europe: Region, america: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    assert europe.requests == ["TrentService.GenerateDataKey"]
    assert europe.envelope.decrypt(sealed, CONTEXT) == b"data"
    assert europe.requests[1:] == ["TrentService.Decrypt"]

    both = europe.envelope.wrap(sealed, CONTEXT, america.envelope)
    assert (europe.requests[2:], america.requests) == (["TrentService.Decrypt"], ["TrentService.Encrypt"])
    assert america.envelope.decrypt(both, CONTEXT) == b"data"
    assert america.requests[1:] == ["TrentService.Decrypt"]


def test_a_record_survives_table_and_stream(cloud: Cloud, europe: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    table = cloud.name("records")
    dynamodb = cloud.client("dynamodb")
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    key = {"pk": {"S": "U#42"}}
    dynamodb.put_item(TableName=table, Item={**key, "data": sealed.to_attribute()})
    stored = dynamodb.get_item(TableName=table, Key=key)["Item"]["data"]
    record = Sealed.from_bytes(Sealed.from_attribute(stored).to_bytes())
    assert europe.envelope.decrypt(record, CONTEXT) == b"data"


def test_a_disabled_key_is_worth_another_try_and_the_other_region_goes_on(
    europe: Region, america: Region
) -> None:
    both = europe.envelope.wrap(europe.envelope.encrypt(b"data", CONTEXT), CONTEXT, america.envelope)
    europe.kms.disable_key(KeyId=europe.key_id)
    for operation in (
        lambda: europe.envelope.encrypt(b"data", CONTEXT),
        lambda: europe.envelope.decrypt(both, CONTEXT),
        lambda: america.envelope.wrap(both, CONTEXT, europe.envelope),
    ):
        with pytest.raises(KeyUnavailableError) as caught:
            operation()
        assert (caught.value.region, caught.value.code) == ("eu-west-1", "DisabledException")
    assert america.envelope.decrypt(both, CONTEXT) == b"data"
    europe.kms.enable_key(KeyId=europe.key_id)
    assert europe.envelope.decrypt(both, CONTEXT) == b"data"


def test_a_key_of_another_region_is_refused(europe: Region, america: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    with pytest.raises(NoKeyError):
        america.envelope.decrypt(sealed, CONTEXT)
    swapped = replace(sealed, keys={"us-east-1": sealed.keys["eu-west-1"]})
    with pytest.raises(KeyRefusedError) as caught:
        america.envelope.decrypt(swapped, CONTEXT)
    assert caught.value.code == "IncorrectKeyException"


def test_another_context_is_refused_by_the_message_and_by_kms(europe: Region, america: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    other = {"user": "43", "version": "7"}
    with pytest.raises(WrongContextError):
        europe.envelope.decrypt(sealed, other)
    rewritten = replace(sealed, info=sealed.info.replace(b"\0\x0242", b"\0\x0243"))
    assert rewritten != sealed
    with pytest.raises(TamperedError):
        europe.envelope.decrypt(rewritten, other)
    with pytest.raises(TamperedError):
        europe.envelope.wrap(sealed, other, america.envelope)
    assert america.requests == []


def test_a_changed_wrapped_key_is_refused(europe: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    wrapped = sealed.keys["eu-west-1"]
    changed = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
    with pytest.raises(TamperedError):
        europe.envelope.decrypt(replace(sealed, keys={"eu-west-1": changed}), CONTEXT)


def test_an_unreachable_kms_is_worth_another_try(tmp_path: Path, europe: Region) -> None:
    sealed = europe.envelope.encrypt(b"data", CONTEXT)
    nobody = EngineProcess(tmp_path, free_port(), pid=0)
    gone = Envelope(nobody.client("kms", "eu-west-1"), europe.key_id, "eu-west-1")
    with pytest.raises(KeyUnavailableError) as caught:
        gone.decrypt(sealed, CONTEXT)
    assert caught.value.code == "EndpointConnectionError"


def test_the_documented_example_runs(cloud: Cloud) -> None:
    page = (ROOT / "docs/envelope.md").read_text()
    example = page.split("```python\n")[1].split("```")[0]
    environment = aws_environment(cloud.endpoint) | {"PYTHONPATH": str(ROOT / "layers/shared")}
    done = subprocess.run(
        [sys.executable, "-c", example], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["that is the record of somebody else", "crypto-shredded"], done.stderr
