"""Functions run on their recorded events in Lambda's container; APIs answer under `sam local start-api`."""

from __future__ import annotations

import io
import json
import secrets
from pathlib import Path

import pytest
import requests
from PIL import Image

from local.clients.company import Company
from tests.sam_local.conftest import SamLocal
from tests.support.applications import recorded_events
from tests.support.template import source
from tests.support.waiting import wait_until


def recorded() -> list[tuple[str, Path]]:
    """Return each function with each of its recorded events."""
    return [
        (name, path)
        for name, resource in source()["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
        for path in recorded_events(resource)
    ]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("function", "event"), recorded(), ids=lambda part: getattr(part, "stem", part))
def test_function_runs_on_its_recorded_event(sam_local: SamLocal, function: str, event: Path) -> None:
    answer = sam_local.invoke(function, event)
    if "httpMethod" in json.loads(event.read_text()):
        assert isinstance(answer["statusCode"], int)
        assert answer["statusCode"] < 500 or answer["statusCode"] == 501, answer  # what only AWS has


@pytest.mark.timeout(300)
def test_start_api_answers_resize_and_the_variant_is_stored(sam_local: SamLocal, local_api: str) -> None:
    suite = sam_local.suite

    def ask() -> list[requests.Response]:
        try:
            return [
                requests.get(
                    f"{local_api}/resize",
                    params={"key": "300x300,webp/blue_marble.jpg"},
                    allow_redirects=False,
                    timeout=60,
                )
            ]
        except requests.ConnectionError:
            return []  # not listening yet

    [answer] = wait_until(ask, seconds=120, every=1, what="sam local start-api")
    assert answer.status_code == 301, answer.text
    assert answer.headers["Location"] == f"{suite['ImagesWebsiteUrl']}/300x300,webp/blue_marble.jpg"
    variant = suite.http.get(answer.headers["Location"], allow_redirects=False)
    assert variant.status_code == 200
    assert Image.open(io.BytesIO(variant.content)).size == (300, 300)
    missing = requests.get(f"{local_api}/resize", params={"key": "300x300/no/such.jpg"}, timeout=60)
    assert (missing.status_code, missing.json()["code"]) == (404, "original_not_found")


@pytest.mark.timeout(300)
def test_start_api_answers_sign_up_and_login(sam_local: SamLocal, local_api: str) -> None:
    """API Gateway's part, the API key, is not there; the company's signature is."""
    suite = sam_local.suite
    shop = Company(suite, "container-shop")
    email, password = f"container.{secrets.token_hex(4)}@example.org", secrets.token_urlsafe(16)

    def ask(path: str, **payload: str) -> list[requests.Response]:
        try:
            return [shop.ask("POST", path, payload, base=local_api)]
        except requests.ConnectionError:
            return []  # not listening yet

    [signed_up] = wait_until(
        lambda: ask("/v1/signup", email=email, password=password), seconds=120, every=1, what="start-api"
    )
    assert signed_up.status_code == 202, signed_up.text
    table = suite.client("dynamodb").get_paginator("scan").paginate(TableName=suite["AuthOutboxTableName"])
    [token] = wait_until(
        lambda: [
            item["token"]["S"] for page in table for item in page["Items"] if item["to"]["S"] == email
        ],
        seconds=60, what="mail",
    )  # fmt: skip
    assert shop.post("/v1/verify", token=token, password=password).status_code == 200, (
        "the deployed API reads the same table"
    )
    [logged_in] = ask("/v1/login", email=email, password=password)
    assert logged_in.status_code == 200, logged_in.text
    assert shop.post("/v1/introspect", token=logged_in.json()["access_token"]).json()["active"] is True
    [wrong] = ask("/v1/login", email=email, password="not that one")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")
