"""The route for programs: the address of the variant instead of a redirect to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from datagen.pictures import decode
from image_resizer import resize
from tests.unit.image_resizer.conftest import WEBSITE
from tests.unit.image_resizer.memory_s3 import MemoryS3

MARBLE = "blue_marble.jpg"


@pytest.fixture
def ask(s3: MemoryS3, event: Callable[..., dict[str, Any]], context: Any) -> Callable[..., Any]:
    def answer(key: str = f"300x300/{MARBLE}", accept: str = "*/*", name: str = "resize_keyed") -> Any:
        asked = event(name, key)
        asked["multiValueHeaders"]["Accept"] = [accept]
        return resize.handler(asked, context)

    return answer


def test_the_address_is_told_once_the_variant_is_stored(s3: MemoryS3, ask: Any) -> None:
    answer = ask()
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == {
        "url": f"{WEBSITE}/300x300/{MARBLE}",
        "key": f"300x300/{MARBLE}",
    }
    assert "Location" not in answer["headers"]
    assert decode(s3.objects[f"300x300/{MARBLE}"]["Body"]).size == (300, 300)
    assert s3.refusals.counted == ["a1b2c3d4e5"]


def test_a_size_off_the_ladder_is_answered_with_its_canonical_name(s3: MemoryS3, ask: Any) -> None:
    assert json.loads(ask(f"310x290/{MARBLE}")["body"])["key"] == f"300x300/{MARBLE}"
    assert s3.variants() == [f"300x300/{MARBLE}"]


def test_a_negotiated_format_is_made_at_once(s3: MemoryS3, ask: Any) -> None:
    body = json.loads(ask(f"300x300,auto/{MARBLE}", "image/webp")["body"])
    assert body["url"] == f"{WEBSITE}/300x300,webp/{MARBLE}"
    assert decode(s3.objects[body["key"]]["Body"]).format == "WEBP"


def test_a_signature_is_needed_here_too(s3: MemoryS3, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNING_SECRET_ID", "secret")
    assert ask()["statusCode"] == 403
    assert not s3.variants()


def test_only_what_is_answered_well_counts(s3: MemoryS3, ask: Any) -> None:
    assert [ask("300x300/missing.jpg")["statusCode"], ask("x")["statusCode"]] == [404, 400]
    assert s3.refusals.counted == []


def test_a_redirect_does_not_count(s3: MemoryS3, ask: Any) -> None:
    assert ask(name="resize_jpeg")["statusCode"] == 301
    assert s3.refusals.counted == []


def test_no_key_is_logged(ask: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ask()
    assert "(the key)" not in capsys.readouterr().out
