"""Records of shared.envelope are messages that the AWS Encryption SDK for JavaScript reads and writes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace

import pytest

from local.memory_kms import Region
from shared.envelope import PermanentError, WrongContextError
from tests.support.node import Ask, running

CONTEXTS = [
    {"user": "42", "version": "7"},
    {},
    {"a": "1", "Z": "2", "ä": "3", "Ω": "4"},  # no locale has this order
    {"\uff01": "1", "\U0001f511": "2"},  # nor has UTF-16
    {"empty": "", "": "nameless"},
]


class Node:
    """The other SDK, in a process of its own."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def seal(self, plaintext: bytes, key: bytes, context: dict[str, str]) -> bytes:
        return base64.b64decode(
            self._ask({"plaintext": _text(plaintext), "key": _text(key), "context": context})["message"]
        )

    def open(self, message: bytes, key: bytes, context: dict[str, str]) -> bytes:
        return base64.b64decode(
            self._ask({"message": _text(message), "key": _text(key), "context": context})["plaintext"]
        )

    def refusal(self, message: bytes, key: bytes, context: dict[str, str]) -> str:
        answer: str = self._ask({"message": _text(message), "key": _text(key), "context": context})["error"]
        return answer


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with running("envelope.mjs") as ask:
        yield Node(ask)


@pytest.fixture(scope="module")
def region() -> Region:
    return Region("eu-west-1")


@pytest.mark.timeout(300)  # the first test installs
@pytest.mark.parametrize("context", CONTEXTS)
def test_javascript_reads_what_python_wrote(node: Node, region: Region, context: dict[str, str]) -> None:
    sealed = region.envelope.encrypt("Größe".encode(), context)
    assert node.open(sealed.info, region.data_key(sealed, context), context) == "Größe".encode()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("context", CONTEXTS)
def test_python_reads_what_javascript_wrote(node: Node, region: Region, context: dict[str, str]) -> None:
    keys = region.envelope.encrypt(b"", context)
    message = node.seal("Größe".encode(), region.data_key(keys, context), context)
    assert region.envelope.decrypt(replace(keys, info=message), context) == "Größe".encode()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("size", [0, 4_096, 2**20 + 1])
def test_records_of_any_size_go_both_ways(node: Node, region: Region, size: int) -> None:
    plaintext, context = bytes(size), {"user": "42"}
    sealed = region.envelope.encrypt(plaintext, context)
    key = region.data_key(sealed, context)
    assert node.open(sealed.info, key, context) == plaintext
    assert (
        region.envelope.decrypt(replace(sealed, info=node.seal(plaintext, key, context)), context)
        == plaintext
    )


@pytest.mark.timeout(300)
def test_both_refuse_another_context(node: Node, region: Region) -> None:
    context, other = {"user": "42"}, {"user": "42", "version": "7"}
    sealed = region.envelope.encrypt(b"data", context)
    key = region.data_key(sealed, context)
    assert node.refusal(sealed.info, key, other) == "another context"
    with pytest.raises(WrongContextError):
        region.envelope.decrypt(replace(sealed, info=node.seal(b"data", key, context)), other)


@pytest.mark.timeout(300)
def test_both_refuse_what_was_changed(node: Node, region: Region) -> None:
    context = {"user": "42"}
    sealed = region.envelope.encrypt(b"data", context)
    key = region.data_key(sealed, context)
    changed = [
        message[:-1] + bytes([message[-1] ^ 1]) for message in (sealed.info, node.seal(b"data", key, context))
    ]
    for message in changed:
        assert node.refusal(message, key, context)
        with pytest.raises(PermanentError):
            region.envelope.decrypt(replace(sealed, info=message), context)
