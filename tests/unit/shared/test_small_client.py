"""What the small client signs, writes and reads, beside botocore, without a connection."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any
from unittest import mock

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from shared.small_client import OPERATIONS, _client, _signature, sign

PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
TEXTS = st.text(max_size=8)
NAMES = TEXTS | st.sampled_from(["B", "BS", "Plaintext", "CiphertextBlob"])
BYTES = st.binary(max_size=8)
VALUES = st.recursive(
    st.one_of(
        TEXTS.map(lambda text: {"S": text}),
        st.integers().map(lambda number: {"N": str(number)}),
        st.booleans().map(lambda truth: {"BOOL": truth}),
        BYTES.map(lambda data: {"B": data}),
        st.lists(BYTES).map(lambda many: {"BS": many}),
        st.lists(TEXTS).map(lambda many: {"SS": many}),
    ),
    lambda values: st.one_of(
        st.lists(values, max_size=3).map(lambda many: {"L": many}),
        st.dictionaries(NAMES, values, max_size=3).map(lambda named: {"M": named}),
    ),
    max_leaves=8,
)
ITEMS = st.dictionaries(NAMES, VALUES, max_size=4)


@cache
def service(name: str) -> ServiceModel:
    """botocore's description of a service."""
    return botocore.session.get_session().get_service_model(name)


def test_signing_key_is_that_of_the_example() -> None:
    """https://docs.aws.amazon.com/general/latest/gr/signature-v4-examples.html"""
    key = _signature._signing_key(
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20120215/us-east-1/iam/aws4_request"
    )
    assert key.hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"


@given(
    access_key=PRINTABLE,
    secret=PRINTABLE,
    token=st.none() | PRINTABLE,
    region=st.sampled_from(["eu-west-1", "us-gov-west-1", "cn-north-1"]),
    name=st.sampled_from(sorted(OPERATIONS)),
    body=st.binary(max_size=100),
    host=st.sampled_from(["dynamodb.eu-west-1.amazonaws.com", "127.0.0.1:4566", "[::1]:4566"]),
    now=st.integers(0, 4_000_000_000),
)
def test_signature_is_botocores(
    access_key: str,
    secret: str,
    token: str | None,
    region: str,
    name: str,
    body: bytes,
    host: str,
    now: int,
) -> None:
    headers = {"content-type": "application/x-amz-json-1.0", "host": host, "x-amz-target": "X.GetItem"}
    mine = sign(headers, body, ReadOnlyCredentials(access_key, secret, token), (region, name), now)
    request = AWSRequest("POST", f"http://{host}/", dict(headers), body)
    with mock.patch("botocore.auth.get_current_datetime", return_value=datetime.fromtimestamp(now, UTC)):
        SigV4Auth(Credentials(access_key, secret, token), name, region).add_auth(request)
    assert mine == {key.lower(): value for key, value in request.headers.items()}


@given(item=ITEMS, keys=st.lists(ITEMS, max_size=2))
def test_requests_are_written_as_botocore_does(item: dict[str, Any], keys: list[dict[str, Any]]) -> None:
    for name, request in (
        ("PutItem", {"TableName": "people", "Item": item, "ReturnValues": "ALL_OLD"}),
        ("BatchGetItem", {"RequestItems": {"people": {"Keys": keys, "ConsistentRead": True}}}),
        ("TransactWriteItems", {"TransactItems": [{"Put": {"Item": item}}], "ClientRequestToken": "t"}),
    ):
        model = service("dynamodb").operation_model(name)
        theirs = create_serializer("json", include_validation=False).serialize_to_request(request, model)
        assert _client._ENCODER.encode(request).encode() == theirs["body"]


@given(plaintext=BYTES, context=st.dictionaries(TEXTS, TEXTS, max_size=2))
def test_requests_of_kms_are_written_as_botocore_does(plaintext: bytes, context: dict[str, str]) -> None:
    request = {"CiphertextBlob": plaintext, "EncryptionContext": context, "KeyId": "key"}
    model = service("kms").operation_model("Decrypt")
    theirs = create_serializer("json", include_validation=False).serialize_to_request(request, model)
    assert _client._ENCODER.encode(request).encode() == theirs["body"]


@given(item=ITEMS, items=st.lists(ITEMS, max_size=2), data=BYTES)
def test_answers_are_read_as_botocore_does(
    item: dict[str, Any], items: list[dict[str, Any]], data: bytes
) -> None:
    for name, operation, answer in (
        ("dynamodb", "GetItem", {"Item": item}),
        ("dynamodb", "UpdateItem", {"Attributes": item, "ConsumedCapacity": {"CapacityUnits": 0.5}}),
        ("dynamodb", "Query", {"Items": items, "Count": 2, "LastEvaluatedKey": item}),
        (
            "dynamodb",
            "BatchGetItem",
            {"Responses": {"people": items}, "UnprocessedKeys": {"people": {"Keys": [item]}}},
        ),
        ("kms", "Decrypt", {"Plaintext": data, "KeyId": "key"}),
        ("kms", "GenerateDataKey", {"Plaintext": data, "CiphertextBlob": data, "KeyId": "key"}),
    ):
        body = _client._ENCODER.encode(answer)
        shape = service(name).operation_model(operation).output_shape
        parser: Any = create_parser("json")
        theirs = parser.parse({"status_code": 200, "headers": {}, "body": body.encode()}, shape)
        del theirs["ResponseMetadata"]
        assert _client._DECODER.decode(body) == theirs == answer


def test_binary_members_are_all_that_the_answers_have() -> None:
    """Neither are there times, or members whose names differ on the wire: they would be read wrongly."""
    found: set[tuple[str, str]] = set()

    def look(shape: Any, name: str, seen: tuple[str, ...]) -> None:
        assert shape.type_name != "timestamp", name
        assert not shape.serialization.get("name"), name
        if shape.type_name == "blob":
            found.add((name, seen[-1] if seen else ""))
        if shape.name in seen:
            return
        within = (*seen, shape.name)
        if shape.type_name == "structure":
            for member, inner in shape.members.items():
                look(inner, member, within)
        elif shape.type_name == "list":
            look(shape.member, name, within)
        elif shape.type_name == "map":
            look(shape.value, "", within)

    for name, methods in OPERATIONS.items():
        for operation in methods.values():
            look(service(name).operation_model(operation).output_shape, "", ())
    names = {name for name, _ in found}
    # Of an answer for a Nitro enclave, which has to be asked for by `Recipient`.
    assert names - {"CiphertextForRecipient"} == set(_client._BINARY)


def test_text_in_place_of_bytes_is_sent_as_it_is() -> None:
    """The difference that the package's docstring names."""
    model = service("kms").operation_model("Decrypt")
    theirs = create_serializer("json", include_validation=False).serialize_to_request(
        {"CiphertextBlob": "text"}, model
    )
    assert json.loads(theirs["body"]) == {"CiphertextBlob": "dGV4dA=="}
    assert _client._ENCODER.encode({"CiphertextBlob": "text"}) == '{"CiphertextBlob": "text"}'
