"""The custom resource that makes the secrets, answering a CloudFormation of the test's own."""

from __future__ import annotations

import json
import time
from base64 import b64decode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from auth import keys
from auth.storage import Store
from auth.tokens import Keyring
from local.memory_kms import MemoryKms
from local.memory_table import MemoryTable
from local.serving import serving
from tests.support.memory_ssm import MemorySsm


@pytest.fixture
def answers() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Where to answer, and what was answered."""
    got: list[dict[str, Any]] = []

    class CloudFormation(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with serving(HTTPServer(("127.0.0.1", 0), CloudFormation)) as address:
        yield address, got


def create(address: str, monkeypatch: pytest.MonkeyPatch, refusals: Iterator[str | None]) -> list[float]:
    """Create the resource while calls are refused with these codes; the waits between tries."""
    waits: list[float] = []

    def make() -> str:
        if code := next(refusals):
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "PutParameter")
        return "id"

    monkeypatch.setattr(keys, "_make_missing", make)
    monkeypatch.setattr(time, "sleep", waits.append)
    event = {"RequestType": "Create", "ResponseURL": address}
    event |= {"StackId": "s", "RequestId": "r", "LogicalResourceId": "l"}
    context: Any = SimpleNamespace(function_name="keys", log_stream_name="stream")
    keys.handler(event, context)
    return waits


def test_a_role_that_is_not_known_yet_is_waited_for(
    answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = iter(["AccessDeniedException", "AccessDenied", None])
    assert create(answers[0], monkeypatch, refusals) == [1, 2]
    assert [answer["Status"] for answer in answers[1]] == ["SUCCESS"]


def test_a_refusal_for_good_fails_the_stack(
    answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = create(answers[0], monkeypatch, iter(["AccessDeniedException"] * 9))
    assert 30 <= sum(waits) < 50, "as long as roles take to spread, and within the function's 60 s"
    [answer] = answers[1]
    assert (answer["Status"], "ClientError" in answer["Reason"]) == ("FAILED", True)


def test_other_errors_are_not_waited_for(
    answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert create(answers[0], monkeypatch, iter(["KMSInvalidStateException"])) == []
    assert [answer["Status"] for answer in answers[1]] == ["FAILED"]


class Region:
    """A region with KMS and SSM in memory, and the custom resource of its stack."""

    def __init__(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name, self.kms, self.ssm = name, MemoryKms(name), MemorySsm(name)
        self.key, self._monkeypatch = self.kms.key(), monkeypatch
        self.secrets = f"/suite/auth/{self.key}"

    def tell(self) -> None:
        """Say where everything is, as the template does once the secrets are made."""
        told = {"table": "users", "key": self.key, "secrets": self.secrets}
        self.ssm.values["/suite/auth/region"] = json.dumps(told)

    def ask(self, event: dict[str, Any], peer: Region | None) -> Any:
        """Run the function here, with another region as its peer."""
        here = {"ssm": self.ssm.client, "kms": self.kms.client}
        self._monkeypatch.setattr(keys, "client", here.__getitem__)

        def elsewhere(service: str, *, region: str) -> Any:
            assert peer is not None
            assert region == peer.name
            return {"ssm": peer.ssm.client, "kms": peer.kms.client}[service]

        self._monkeypatch.setattr(keys, "client_elsewhere", elsewhere)
        for name, value in {
            "TABLE": "users", "KMS_KEY": self.key, "SECRETS": self.secrets,
            "PEER_REGION": peer.name if peer else "", "REGION_PARAMETER": "/suite/auth/region",
        }.items():  # fmt: skip
            self._monkeypatch.setenv(name, value)
        context: Any = SimpleNamespace(function_name="keys", log_stream_name="stream")
        return keys.handler(event, context)

    def blind_index(self) -> bytes:
        """The key of the blind indexes, unwrapped by this region's key alone."""
        ssm, kms = self.ssm.client, self.kms.client
        return Keyring(ssm, kms, self.key, self.secrets).blind_index_key()

    def entry(self, purpose: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ssm.values[f"{self.secrets}/{purpose}"])["keys"][-1]
        return found


class Pair:
    """Two regions, and a CloudFormation that creates their stacks."""

    def __init__(self, answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch) -> None:
        self._address, self._answers = answers
        self.a, self.b = (Region(name, monkeypatch) for name in ("us-east-1", "eu-west-1"))
        monkeypatch.setattr(time, "sleep", lambda _: None)

    def create(self, region: Region, *, alone: bool = False) -> str:
        """Create a stack, or change it; why that failed, empty if it did not."""
        event = {"RequestType": "Create", "ResponseURL": self._address}
        event |= {"StackId": "s", "RequestId": "r", "LogicalResourceId": "l"}
        region.ask(event, None if alone else self.other(region))
        answer = self._answers[-1]
        if answer["Status"] == "SUCCESS":
            region.tell()
        return str(answer["Reason"])

    def told(self, name: str) -> list[str]:
        """What CloudFormation was told so far of an attribute."""
        return [answer["Data"][name] for answer in self._answers]

    def other(self, region: Region) -> Region:
        return self.b if region is self.a else self.a


@pytest.fixture
def pair(answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch) -> Pair:
    return Pair(answers, monkeypatch)


def test_the_second_region_copies_the_blind_index_key_alone(pair: Pair) -> None:
    assert pair.create(pair.a) == pair.create(pair.b) == ""
    assert pair.a.blind_index() == pair.b.blind_index()
    assert pair.a.entry("blind-index")["id"] == pair.b.entry("blind-index")["id"]
    assert pair.a.entry("blind-index")["wrapped"] != pair.b.entry("blind-index")["wrapped"]
    for purpose in ("refresh", "signing", "signing-rsa"):
        assert pair.a.entry(purpose)["id"] != pair.b.entry(purpose)["id"]


def test_a_copied_key_is_wrapped_for_its_purpose(pair: Pair) -> None:
    pair.create(pair.a)
    pair.create(pair.b)
    wrapped = b64decode(pair.b.entry("blind-index")["wrapped"])
    with pytest.raises(ClientError, match="InvalidCiphertext"):
        pair.b.kms.client.decrypt(
            KeyId=pair.b.key, CiphertextBlob=wrapped, EncryptionContext={"secret": "refresh"}
        )


def test_a_stack_that_has_a_key_keeps_it_when_a_second_region_comes(pair: Pair) -> None:
    pair.create(pair.a, alone=True)
    before = pair.a.blind_index()
    assert pair.create(pair.b) == pair.create(pair.a) == ""
    assert pair.a.blind_index() == pair.b.blind_index() == before


def test_regions_with_keys_of_their_own_are_refused(pair: Pair) -> None:
    pair.create(pair.a, alone=True)
    pair.create(pair.b, alone=True)
    before = pair.a.blind_index(), pair.b.blind_index()
    for region in (pair.a, pair.b):
        reason = pair.create(region)
        assert f"and {pair.other(region).name} each made a blind-index key" in reason
    assert (pair.a.blind_index(), pair.b.blind_index()) == before, "no key is replaced"


OUTAGES = [("InternalServerError", 500), ("ServiceUnavailable", 503), ("ThrottlingException", 400)]


@pytest.mark.parametrize("fault", OUTAGES)
def test_a_region_is_not_begun_while_the_other_one_is_out(pair: Pair, fault: tuple[str, int]) -> None:
    """It would make a key of its own, for good."""
    pair.create(pair.a)
    pair.a.ssm.fault = fault
    assert "us-east-1 does not answer" in pair.create(pair.b)
    assert pair.b.ssm.values == {}
    pair.a.ssm.fault = None
    assert pair.create(pair.b) == ""
    assert pair.a.blind_index() == pair.b.blind_index()


def test_a_refusal_by_the_other_region_is_waited_for_like_a_new_roles(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.create(pair.a)
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    pair.a.ssm.fault = ("AccessDeniedException", 400)
    assert "AccessDeniedException" in pair.create(pair.b)
    assert sum(waits) > 30
    assert pair.b.ssm.values == {}


@pytest.mark.parametrize("fault", OUTAGES)
def test_a_stack_that_has_its_key_is_updated_while_the_other_region_is_out(
    pair: Pair, fault: tuple[str, int]
) -> None:
    """And rolled back, which calls the same function."""
    pair.create(pair.a)
    pair.create(pair.b)
    pair.a.ssm.fault = fault
    pair.a.kms.disabled.add(pair.a.key)
    del pair.b.ssm.values[f"{pair.b.secrets}/signing-rsa"]  # a release has one more
    before = pair.b.blind_index()
    assert pair.create(pair.b) == ""
    assert pair.b.blind_index() == before
    assert pair.b.entry("signing-rsa")


def test_cloudformation_is_told_by_which_id_regions_compare_their_keys(pair: Pair) -> None:
    """ "The custom resource provider name-value pairs that you can access by using Fn::GetAtt":
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
    """
    assert pair.create(pair.a) == pair.create(pair.b) == pair.create(pair.b) == ""
    assert pair.told("BlindIndex") == [pair.a.entry("blind-index")["id"]] * 3
    pair.create(pair.a, alone=True)
    assert pair.told("BlindIndex")[3:] == [pair.b.entry("blind-index")["id"]]


def test_stacks_that_were_made_at_once_are_told_two_ids(pair: Pair) -> None:
    pair.create(pair.a, alone=True)
    pair.create(pair.b, alone=True)
    assert len(set(pair.told("BlindIndex"))) == 2


def test_a_key_that_the_other_region_does_not_unwrap_fails_the_stack(pair: Pair) -> None:
    pair.create(pair.a)
    pair.a.kms.disabled.add(pair.a.key)
    assert "DisabledException" in pair.create(pair.b)
    assert f"{pair.b.secrets}/blind-index" not in pair.b.ssm.values


def rotate(region: Region, peer: Region, monkeypatch: pytest.MonkeyPatch) -> Any:
    table: Any = MemoryTable({"users": ("pk", "sk")})
    store = Store(table, "users")
    monkeypatch.setattr(Store, "connect", lambda _: store)
    return region.ask({"rotate": True}, peer)


def test_a_rotation_finds_keys_that_differ_once_it_is_done(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two regions that were deployed at once have each made one before the other was there."""
    pair.create(pair.a, alone=True)
    pair.create(pair.b, alone=True)
    with pytest.raises(keys.OtherRegionError, match="eu-west-1 each made a blind-index key"):
        rotate(pair.a, pair.b, monkeypatch)


def test_a_rotation_goes_on_while_the_other_region_is_out(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.create(pair.a)
    pair.create(pair.b)
    pair.b.ssm.fault = ("InternalServerError", 500)
    assert rotate(pair.a, pair.b, monkeypatch)["made"] == []
