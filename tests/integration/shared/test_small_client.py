"""The small client beside botocore: the same calls to a server that keeps what it is sent, and misbehaves.

Whatever botocore sends, returns, raises and waits for is what is right. Signatures are checked by code that
was written from AWS's description.
"""

from __future__ import annotations

import gc
import json
import random
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    HTTPClientError,
    NoCredentialsError,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from shared import clients
from shared.small_client import OPERATIONS, SmallClient, _connections
from tests.support.scripted_server import Request, Script, ScriptedServer, answer
from tests.support.sigv4 import is_signed

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TIMEOUT_S = 0.4
KEY = {"pk": {"S": "ada"}}
GET = {"TableName": "people", "Key": KEY}
GET_ITEM = ("dynamodb", "get_item", GET)
DECRYPT = ("kms", "decrypt", {"CiphertextBlob": b"wrapped", "EncryptionContext": {"user": "42"}})
UPDATE = ("dynamodb", "update_item", {**GET, "UpdateExpression": "SET a = :a"})
WRITES = {"TransactItems": [{"Put": {"TableName": "people", "Item": KEY | {"data": {"B": b"\x00\xff"}}}}]}
TRANSACT = ("dynamodb", "transact_write_items", WRITES)
type Call = tuple[str, str, dict[str, Any]]


@dataclass
class Side:
    """One of the two: a client, what it waited for, and what its server got."""

    client: Any
    waits: list[float]

    def run(self, server: ScriptedServer, call: Call, *scripts: Script) -> dict[str, Any]:
        """Everything that can be told of a call."""
        server.script(*scripts)
        self.waits.clear()
        random.seed(7)  # botocore's back-off is jittered
        _, method, request = call
        seen: dict[str, Any] = {}
        try:
            seen["returned"] = getattr(self.client, method)(**request)
            # botocore says so of a success, too, that it took its last try for.
            seen["returned"]["ResponseMetadata"].pop("MaxAttemptsReached", None)
        except (BotoCoreError, ClientError) as error:
            seen["raised"] = type(error).__name__
            seen["bases"] = [base.__name__ for base in type(error).__mro__]
            if isinstance(error, ClientError):
                seen["response"], seen["operation"] = error.response, error.operation_name
                seen["text"] = str(error)
        seen["waits"] = list(self.waits)
        seen["requests"] = [told(each) for each in server.requests]
        return seen


def told(request: Request) -> dict[str, Any]:
    """A request without what is another one each time, which is checked here."""
    headers = dict(request.headers)
    assert is_signed("POST", "/", headers, request.body, SECRET), headers
    taken = datetime.strptime(headers.pop("x-amz-date"), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - taken) < timedelta(seconds=20)
    authorization, _, _ = headers.pop("authorization").partition(", Signature=")
    assert len(headers.pop("amz-sdk-invocation-id")) == 36
    attempt = headers.pop("amz-sdk-request").partition(";")[0]  # botocore adds how many there may be
    # Powertools adds itself to botocore's, where a test before this one imported a handler.
    headers["user-agent"] = headers["user-agent"].partition(" PT/")[0]
    body = json.loads(request.body)
    if "ClientRequestToken" in body:
        assert len(body["ClientRequestToken"]) == 36
        del body["ClientRequestToken"]
        headers["content-length"] = ""
    else:
        body = request.body  # byte for byte
    return {
        "line": request.line, "headers": headers, "body": body, "attempt": attempt,
        "authorization": authorization,
    }  # fmt: skip


def made(service: str, url: str, **config: Any) -> Any:
    """A boto3 client as `shared.clients` makes it, with time-outs for tests."""
    config = {"retries": {"mode": "standard", "total_max_attempts": 3}} | config
    make: Any = boto3.Session("AKIDEXAMPLE", SECRET, "SESSION/TOKEN==", "eu-west-1").client
    return make(
        service,
        endpoint_url=url,
        config=Config(
            connect_timeout=TIMEOUT_S, read_timeout=TIMEOUT_S, parameter_validation=False,
            user_agent="Boto3/1", account_id_endpoint_mode="disabled", **config,
        ),
    )  # fmt: skip


def small(client: Any, sleep: Callable[[float], None] = time.sleep) -> Any:
    """The small client before a boto3 client."""
    return SmallClient(client, client._request_signer._credentials, sleep=sleep)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as made:
        yield made


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Side, Side]]:
    """Both sides for a service of a server, each with a retry quota of its own."""

    def make(service: str, url: str, **config: Any) -> tuple[Side, Side]:
        theirs, ours = (Side(made(service, url, **config), []) for _ in range(2))
        monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=theirs.waits.append))
        ours.client = small(ours.client, ours.waits.append)
        return ours, theirs

    return make


def fault(kind: str, status: int = 400, **members: Any) -> Script:
    """An error of AWS."""
    return answer(status, {"__type": f"com.amazonaws.dynamodb.v20120810#{kind}", "message": "No.", **members})


OK = answer(200, {})
CLOSED = Script(close=True)
LATE = replace(OK, delay=1.5 * TIMEOUT_S)
ITEM = {
    "pk": {"S": "ada"},
    "B": {"S": "an attribute may be called so"},
    "Plaintext": {"M": {"BS": {"BS": ["AA==", "/w=="]}, "B": {"B": "AP8="}, "CiphertextBlob": {"N": "1"}}},
    "none": {"NULL": True},
    "list": {"L": [{"B": ""}, {"BOOL": False}, {"SS": ["AA=="]}, {"NS": ["1", "2.5"]}]},
    "Ünïcode": {"S": "Ω\u2028\U0001f9ee"},
}
NESTED = {"TableName": "people", "Item": {
    "a": {"B": bytearray(b"\xff")}, "b": {"BS": [b"", b"\x00"]}, "c": {"M": {"d": {"L": [{"S": 'é"\\\n'}]}}},
}}  # fmt: skip
USED = {"ConsumedCapacity": {"TableName": "people", "CapacityUnits": 0.5}}

CALLS: list[tuple[Call, Any]] = [
    (GET_ITEM, {"Item": ITEM} | USED),
    (GET_ITEM, {}),
    (("dynamodb", "put_item", NESTED), {"Attributes": ITEM}),
    (("dynamodb", "put_item", NESTED | {"ReturnValues": "NONE"}), USED),
    (("dynamodb", "delete_item", GET), {}),
    (UPDATE, {"Attributes": {"failed": {"N": "3"}}}),
    (TRANSACT, {"ConsumedCapacity": [USED["ConsumedCapacity"]]}),
    (("dynamodb", "transact_write_items", WRITES | {"ClientRequestToken": "t" * 36}), {}),
    (
        ("dynamodb", "query", {"TableName": "people", "KeyConditionExpression": "pk = :pk", "Limit": 3}),
        {"Items": [ITEM, {}], "Count": 2, "ScannedCount": 2, "LastEvaluatedKey": {"pk": {"B": "AA=="}}},
    ),
    (
        ("dynamodb", "batch_get_item", {"RequestItems": {"people": {"Keys": [KEY]}}}),
        {"Responses": {"people": [ITEM]}, "UnprocessedKeys": {"people": {"Keys": [{"pk": {"B": "AA=="}}]}}},
    ),
    (DECRYPT, {"Plaintext": "AAEC/w==", "KeyId": "arn", "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}),
    (
        ("kms", "generate_data_key", {"KeyId": "key", "KeySpec": "AES_256", "EncryptionContext": {"ü": "1"}}),
        {"Plaintext": "AAEC/w==", "CiphertextBlob": "/w==", "KeyId": "arn"},
    ),
]


@pytest.mark.parametrize(("call", "content"), CALLS, ids=lambda each: each[1] if type(each) is tuple else "")
def test_request_and_answer_are_those_of_botocore(
    server: ScriptedServer, both: Any, call: Call, content: Any
) -> None:
    ours, theirs = both(call[0], server.url)
    script = answer(200, content, X_Amz_Other="Value")
    mine = ours.run(server, call, script)
    assert mine == theirs.run(server, call, script)
    assert mine["returned"]["ResponseMetadata"]["RequestId"] == "REQUEST"
    [request] = mine["requests"]
    assert request["headers"]["x-amz-security-token"] == "SESSION/TOKEN=="
    assert "x-amz-security-token" in request["authorization"]


def test_every_operation_is_compared() -> None:
    known = {(service, method) for service, methods in OPERATIONS.items() for method in methods}
    assert {call[:2] for call, _ in CALLS} == known


REASONS = [
    {"Code": "None"},
    {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed", "Item": ITEM},
]
REFUSALS: list[tuple[Call, Script]] = [
    (UPDATE, fault("ConditionalCheckFailedException", Item=ITEM)),
    (TRANSACT, fault("TransactionCanceledException", CancellationReasons=REASONS)),
    (GET_ITEM, fault("ValidationException")),
    (GET_ITEM, fault("ResourceNotFoundException")),
    (GET_ITEM, fault("AccessDeniedException")),
    (GET_ITEM, fault("UnrecognizedClientException")),
    (GET_ITEM, fault("ExpiredTokenException")),
    (GET_ITEM, fault("SomethingNewException")),
    (GET_ITEM, answer(400, {"__type": "ValidationException:http://internal.amazon.com/", "Message": "No."})),
    (GET_ITEM, answer(413, {"message": "too large"})),
    (GET_ITEM, answer(404, b"<html>nothing here</html>")),
    (GET_ITEM, answer(400, b"")),
    (GET_ITEM, answer(301, {}, location="https://elsewhere.example/")),
    (DECRYPT, fault("DisabledException")),
    (DECRYPT, fault("InvalidCiphertextException", message=None)),
    (DECRYPT, fault("KMSInvalidStateException", 409)),
]


@pytest.mark.parametrize(("call", "script"), REFUSALS)
def test_refusal_is_raised_as_botocore_does(
    server: ScriptedServer, both: Any, call: Call, script: Script
) -> None:
    ours, theirs = both(call[0], server.url)
    mine = ours.run(server, call, script)
    assert mine == theirs.run(server, call, script)
    assert len(mine["requests"]) == 1, "what is refused is not tried again"
    assert "ClientError" in mine["bases"]


def test_refusals_are_caught_by_the_clients_own_classes(server: ScriptedServer, both: Any) -> None:
    ours, _ = both("dynamodb", server.url)
    server.script(fault("TransactionCanceledException", CancellationReasons=REASONS))
    with pytest.raises(ours.client.exceptions.TransactionCanceledException) as raised:
        ours.client.transact_write_items(**WRITES)
    assert raised.value.response["CancellationReasons"][1]["Item"]["Plaintext"]["M"]["B"] == {
        "B": b"\x00\xff"
    }


TROUBLE = {
    "500": fault("InternalServerError", 500),
    "502": answer(502, b"<html>bad</html>"),
    "503": answer(503, b""),
    "504": answer(504, b"<html></html>"),
    "throttled": fault("ProvisionedThroughputExceededException"),
    "ThrottlingException": fault("ThrottlingException"),
    "RequestLimitExceeded": fault("RequestLimitExceeded"),
    "in progress": fault("TransactionInProgressException"),
    "LimitExceededException": fault("LimitExceededException"),
    "RequestTimeout": fault("RequestTimeout"),
    "ReplicatedWriteConflictException": fault("ReplicatedWriteConflictException"),
    "closed": CLOSED,
    "checksum": answer(200, {"Item": ITEM}, x_amz_crc32="1"),
    "late": LATE,
}


# botocore returns in the end what it knows to be damaged, and checks DynamoDB's answers alone.
TIMES = [
    (call, trouble, times)
    for call, all_times in ((UPDATE, (1, 2, 3)), (TRANSACT, (1,)), (DECRYPT, (1,)))
    for trouble in TROUBLE
    for times in all_times
    if trouble != "checksum" or (call is not DECRYPT and times < 3)
]


@pytest.mark.parametrize(
    ("call", "trouble", "times"), TIMES, ids=lambda each: each[1] if type(each) is tuple else each
)
def test_trouble_is_tried_again_as_botocore_does(
    server: ScriptedServer, both: Any, call: Call, trouble: str, times: int
) -> None:
    ours, theirs = both(call[0], server.url)
    scripts = [*[TROUBLE[trouble]] * times, OK]
    mine = ours.run(server, call, *scripts)
    tokens = {json.loads(request.body).get("ClientRequestToken") for request in server.requests}
    invocations = {request.headers["amz-sdk-invocation-id"] for request in server.requests}
    assert len(tokens) == len(invocations) == 1, "a request that is sent twice counts once"
    assert mine == theirs.run(server, call, *scripts)
    tried_again = trouble != "ReplicatedWriteConflictException" or call is UPDATE
    assert len(mine["requests"]) == (min(times + 1, 3) if tried_again else 1)
    assert ("returned" in mine) == (times < 3 and tried_again)


def test_calls_that_are_not_to_be_tried_again_are_not(server: ScriptedServer, both: Any) -> None:
    ours, theirs = both("dynamodb", server.url, retries={"mode": "standard", "total_max_attempts": 1})
    mine = ours.run(server, GET_ITEM, TROUBLE["500"], OK)
    assert mine == theirs.run(server, GET_ITEM, TROUBLE["500"], OK)
    assert len(mine["requests"]) == 1


@pytest.mark.parametrize("seed", range(3))
def test_retry_quota_is_botocores(server: ScriptedServer, both: Any, seed: int) -> None:
    """After 100 retries without a success there are no more, until some calls succeed."""
    chosen = random.Random(seed)
    kinds = [TROUBLE["500"], TROUBLE["throttled"], CLOSED]
    plan = [[chosen.choice(kinds) for _ in range(3)] for _ in range(70)]
    plan += [[chosen.choice([OK, OK, *kinds]) for _ in range(3)] for _ in range(40)]
    plan += [[chosen.choice(kinds) for _ in range(3)] for _ in range(20)]
    mine, peer = (
        [side.run(server, GET_ITEM, *scripts) for scripts in plan] for side in both("dynamodb", server.url)
    )
    assert mine == peer
    counts = Counter(len(each["requests"]) for each in mine)
    assert set(counts) == {1, 2, 3}, "the quota was exceeded, and grew again"


def test_nobody_listens(server: ScriptedServer, both: Any) -> None:
    ours, theirs = both("dynamodb", server.url)
    server.__exit__()
    mine = ours.run(server, GET_ITEM, OK)
    assert mine == theirs.run(server, GET_ITEM, OK)
    assert mine["raised"] == "EndpointConnectionError"
    assert len(mine["waits"]) == 2


def test_server_that_accepts_no_connection(both: Any) -> None:
    """https://www.rfc-editor.org/rfc/rfc5737: 192.0.2.0/24 is documentation's, and nobody's."""
    ours, theirs = both("dynamodb", "http://192.0.2.1", retries={"mode": "standard", "total_max_attempts": 1})
    raised = []
    for side in (ours, theirs):
        with pytest.raises(BotoCoreError) as error:
            side.client.get_item(**GET)
        raised.append(type(error.value).__name__)
    assert raised[0] == raised[1]
    assert raised[0] in ("ConnectTimeoutError", "EndpointConnectionError")


# ---- where the small client is stricter


@pytest.mark.parametrize(
    "script",
    [
        Script([b'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"It']),
        Script([b"HTTP/1.1 200 OK\r\ncontent-"], close=True),
        Script([b'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"It'], close=True),
        Script([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}"], close=True),
        answer(200, b'{"Item": {"pk"'),
        answer(200, b""),
        answer(200, b"[]"),
        answer(200, b"\xff"),
        answer(200, {"Item": {"data": {"B": "A"}}}),
        answer(200, {"Item": ITEM}, x_amz_crc32="1"),
        answer(200, {"Item": ITEM}, x_amz_crc32="x"),
        answer(503, b"[]"),
        Script([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{}\r\n"], close=True),
        Script([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n{}\r\n"]),
        Script([b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n{}"]),
        Script([b"SSH-2.0-OpenSSH\r\n\r\n"]),
        Script([b"HTTP/1.1\r\n\r\n"]),
        Script([b"x" * 100_000]),
    ],
)
def test_answer_that_cannot_be_read_is_no_answer(server: ScriptedServer, script: Script) -> None:
    waits: list[float] = []
    client = small(made("dynamodb", server.url), waits.append)
    server.script(script, OK)
    assert "Item" not in client.get_item(**GET)
    assert (len(server.requests), len(waits)) == (2, 1)
    server.script(script)
    with pytest.raises(HTTPClientError):
        client.get_item(**GET)
    assert len(server.requests) == 3


def test_line_without_an_end_is_not_waited_for(server: ScriptedServer) -> None:
    client = small(made("dynamodb", server.url, retries={"total_max_attempts": 1}))
    server.script(Script([b"x" * 100_000]))
    with pytest.raises(ConnectionClosedError):
        client.get_item(**GET)


# ---- connections


BODY = json.dumps({"Item": ITEM}).encode()
CHUNKS = b"%x;name=value\r\n%s\r\n%x\r\n%s\r\n0\r\ntrailer: x\r\n\r\n" % (
    7,
    BODY[:7],
    len(BODY) - 7,
    BODY[7:],
)
LENGTH = b"content-length: %d\r\n" % len(BODY)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ([b"HTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n" + BODY], True),
        ([b"HTTP/1.1 200\r\nContent-LENGTH:%d\r\n\r\n" % len(BODY) + BODY], True),
        ([bytes([each]) for each in b"HTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n" + BODY], True),
        ([b"HTTP/1.1 100 Continue\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n" + BODY], True),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n" + CHUNKS], True),
        ([b"HTTP/1.1 200 OK\r\nConnection: Close\r\n" + LENGTH + b"\r\n" + BODY], False),
        ([b"HTTP/1.0 200 OK\r\n" + LENGTH + b"\r\n" + BODY], False),
    ],
)
def test_forms_of_an_answer(server: ScriptedServer, raw: list[bytes], kept: bool) -> None:
    client = small(made("dynamodb", server.url))
    server.script(Script(raw, gap=0.0002 if len(raw) > 1 else 0.0))
    got = [client.get_item(**GET)["Item"] for _ in range(3)]
    theirs = made("dynamodb", server.url).get_item(**GET)["Item"]
    assert got == [theirs] * 3
    assert server.connections == (1 if kept else 3) + 1


def test_answer_that_ends_with_the_connection(server: ScriptedServer) -> None:
    client = small(made("dynamodb", server.url))
    server.script(Script([b"HTTP/1.1 200 OK\r\n\r\n", BODY], close=True))
    assert client.get_item(**GET)["Item"]["pk"] == {"S": "ada"}
    assert client.get_item(**GET)["Item"]["pk"] == {"S": "ada"}
    assert server.connections == 2


def test_connection_that_was_closed_meanwhile_is_made_anew(server: ScriptedServer) -> None:
    waits: list[float] = []
    client = small(made("dynamodb", server.url), waits.append)
    server.script(answer(200, {}, close=True))
    for _ in range(3):
        client.get_item(**GET)
        time.sleep(0.05)  # the end arrives
    assert (len(server.requests), server.connections, waits) == (3, 3, [])


def test_connection_that_is_closed_by_a_request_is_tried_again(server: ScriptedServer, both: Any) -> None:
    ours, theirs = both("dynamodb", server.url)
    scripts = [OK, CLOSED, OK]
    seen = []
    for side in (ours, theirs):
        server.script(*scripts)
        side.client.get_item(**GET)
        side.client.get_item(**GET)
        seen.append((len(server.requests), len(side.waits)))
    assert seen == [(3, 1)] * 2


def test_bytes_behind_an_answer_are_never_the_next_one(server: ScriptedServer) -> None:
    client = small(made("dynamodb", server.url))
    injected = answer(200, {"Item": {"pk": {"S": "mallory"}}}).raw[0]
    server.script(Script([answer(200, {}).raw[0] + injected]), OK)
    assert "Item" not in client.get_item(**GET)
    assert "Item" not in client.get_item(**GET)
    assert server.connections == 2


def test_late_answer_is_never_the_next_one(server: ScriptedServer) -> None:
    client = small(made("dynamodb", server.url), lambda _: None)
    server.script(replace(answer(200, {"Item": {"pk": {"S": "late"}}}), delay=1.5 * TIMEOUT_S), OK)
    assert "Item" not in client.get_item(**GET)
    time.sleep(TIMEOUT_S)
    assert "Item" not in client.get_item(**GET)
    assert {request.connection for request in server.requests} == {0, 1}


def test_threads_get_their_own_answers() -> None:
    def echo(request: Request) -> Script:
        return replace(answer(200, {"Item": json.loads(request.body)["Key"]}), delay=random.random() / 500)

    with ScriptedServer(echo) as server:
        client = small(made("dynamodb", server.url))

        def ask(number: int) -> Any:
            return client.get_item(TableName="people", Key={"pk": {"N": str(number)}})["Item"]

        with ThreadPoolExecutor(24) as crowd:
            got = list(crowd.map(ask, range(480)))
        assert got == [{"pk": {"N": str(number)}} for number in range(480)]
        assert len(client._connections._kept) <= 16
        assert server.connections < 480


def test_connections_are_closed_with_the_client(server: ScriptedServer) -> None:
    client = small(made("dynamodb", server.url))
    server.script(OK)
    client.get_item(**GET)
    kept = client._connections._kept
    del client
    gc.collect()
    assert [connection._socket.fileno() for connection in kept] == [-1]


# ---- TLS


@contextmanager
def serving_tls(folder: Path, name: str) -> Iterator[ScriptedServer]:
    """A server whose certificate is for a name, and made by a certificate authority in `ca.pem`."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests")])
    now = datetime.now(UTC)

    def certificate(subject: str, public: Any, extension: Any) -> x509.Certificate:
        builder = x509.CertificateBuilder().issuer_name(issuer).public_key(public)
        builder = builder.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        builder = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
        builder = builder.serial_number(x509.random_serial_number()).add_extension(extension, critical=True)
        return builder.sign(authority, hashes.SHA256())

    root = certificate("Tests", authority.public_key(), x509.BasicConstraints(ca=True, path_length=None))
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("192.0.2.1"))])
    leaf = certificate(name, key.public_key(), names)
    (folder / "ca.pem").write_bytes(root.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.pem").write_bytes(leaf.public_bytes(Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    with ScriptedServer(tls=context) as server:
        yield server


@pytest.mark.parametrize(
    ("name", "trusted", "raised"),
    [("localhost", True, None), ("other.example", True, "SSLError"), ("localhost", False, "SSLError")],
)
def test_certificate_is_checked_as_botocore_does(
    both: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, trusted: bool, raised: str | None
) -> None:
    with serving_tls(tmp_path, name) as server:
        if trusted:
            monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        else:
            monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
        _connections._tls.cache_clear()
        ours, theirs = both("dynamodb", server.url)
        mine = ours.run(server, GET_ITEM, OK)
        assert mine == theirs.run(server, GET_ITEM, OK)
        assert mine.get("raised") == raised
        assert len(mine["waits"]) == (2 if raised else 0)
        if not raised:  # TLS has messages of its own, which are no end
            ours.client.get_item(**GET)
            assert server.requests[-1].connection == 0
        _connections._tls.cache_clear()


# ---- who asks, and whom


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with a region, in which clients are made anew."""
    for name in ("_client", "_small_client"):
        getattr(clients, name).cache_clear()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def as_key(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    environment.setenv("AWS_SESSION_TOKEN", "TOKEN")


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"])
def test_endpoint_and_credentials_of_the_environment(
    server: ScriptedServer, environment: pytest.MonkeyPatch, variable: str
) -> None:
    as_key(environment)
    environment.setenv(variable, server.url)
    client = clients.small_client("dynamodb")
    assert isinstance(client, SmallClient)
    assert client is clients.small_client("dynamodb")
    server.script(OK)
    client.get_item(TableName="people", Key=KEY)
    [request] = server.requests
    assert request.headers["x-amz-security-token"] == "TOKEN"
    assert "Credential=AKIDENV/" in request.headers["authorization"]


def test_credentials_of_a_container_are_asked_for(
    server: ScriptedServer, environment: pytest.MonkeyPatch
) -> None:
    """https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html"""
    expires = (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = {"AccessKeyId": "ASIABOX", "SecretAccessKey": SECRET, "Token": "BOX", "Expiration": expires}
    with ScriptedServer(lambda _: answer(200, given)) as box:
        environment.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{box.url}/credentials")
        environment.setenv("AWS_ENDPOINT_URL", server.url)
        server.script(OK)
        clients.small_client("dynamodb").get_item(TableName="people", Key=KEY)
    assert "Credential=ASIABOX/" in server.requests[0].headers["authorization"]


def test_credentials_that_expire_are_renewed_between_calls(server: ScriptedServer) -> None:
    now = datetime.now(UTC)
    clock = [now, now + timedelta(hours=6)]

    def renew() -> dict[str, str]:
        expires = (now + timedelta(hours=12)).isoformat()
        return {"access_key": "second", "secret_key": SECRET, "token": "t", "expiry_time": expires}

    credentials = RefreshableCredentials(
        "first", SECRET, "t", clock[1], renew, "test", time_fetcher=lambda: clock[0]
    )
    client: Any = SmallClient(made("dynamodb", server.url), credentials)
    server.script(OK)
    client.get_item(**GET)
    clock.pop(0)
    client.get_item(**GET)
    used = [request.headers["authorization"].split("/")[0] for request in server.requests]
    assert used == [f"AWS4-HMAC-SHA256 Credential={key}" for key in ("first", "second")]


def test_nobody_asks(server: ScriptedServer, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_ENDPOINT_URL", server.url)
    raised = []
    for client in (clients.small_client("kms"), clients.client("kms")):
        with pytest.raises(NoCredentialsError) as error:
            client.decrypt(CiphertextBlob=b"wrapped")
        raised.append(str(error.value))
    assert raised[0] == raised[1]
    assert server.connections == 0


@pytest.mark.parametrize(
    ("endpoint", "proxy", "is_small"),
    [
        ("http://dynamodb.example", "", True),
        ("http://dynamodb.example", "http://proxy.example:3128", False),
        ("http://dynamodb.example/below", "", False),
    ],
)
def test_what_stands_behind_a_proxy_is_boto3s(
    environment: pytest.MonkeyPatch, endpoint: str, proxy: str, is_small: bool
) -> None:
    as_key(environment)
    environment.setenv("AWS_ENDPOINT_URL", endpoint)
    environment.setenv("http_proxy", proxy)
    client: Any = clients.small_client("dynamodb")
    assert isinstance(client, SmallClient) == is_small
    assert is_small or client is clients.client("dynamodb")


def test_whatever_else_is_asked_for_is_boto3s(server: ScriptedServer) -> None:
    plain = made("dynamodb", server.url)
    client = small(plain)
    assert client.meta is plain.meta
    server.script(answer(200, {"Items": [ITEM], "Count": 1}))
    [page] = client.get_paginator("query").paginate(TableName="people", KeyConditionExpression="pk = :pk")
    assert page["Count"] == 1
    server.script(answer(200, {"TableNames": ["people"]}))
    assert client.list_tables()["TableNames"] == ["people"]
    with pytest.raises(AttributeError):
        client.no_such_operation()
