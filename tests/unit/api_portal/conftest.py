"""The portal's tables in memory, and the environment of its functions."""

from __future__ import annotations

import time
from typing import Any

import pytest

from local.engine.services.metering import Book
from local.memory_table import MemoryTable
from local.metering_in_memory import Market
from shared import clients

PRODUCT = "n0123EXAMPLEXXXXXXXXXXXX"
TOPIC = f"arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-{PRODUCT}"


class Queue:
    """SQS: what was sent to dead letters, with the reason."""

    class meta:  # noqa: N801
        endpoint_url = "https://sqs.us-east-1.amazonaws.com"

    def __init__(self) -> None:
        self.dead: list[tuple[str, str]] = []

    def send_message(self, **request: Any) -> None:
        assert request["QueueUrl"] == "dead"
        self.dead.append((request["MessageBody"], request["MessageAttributes"]["reason"]["StringValue"]))

    def change_message_visibility(self, **request: Any) -> None:
        assert request["VisibilityTimeout"] >= 5


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable({"portal": ("owner", "item"), "usage": ("key", "hour")})


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def book() -> Book:
    """The market's products and purchases."""
    return Book()


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch, table: MemoryTable, queue: Queue, book: Book) -> None:
    """The functions' environment, and what they call."""
    made = {"dynamodb": table, "sqs": queue, "meteringmarketplace": Market(book, time.time)}
    monkeypatch.setattr(clients, "_client", lambda service, *_, **__: made[service])
    environment = {
        "PORTAL_TABLE": "portal", "USAGE_TABLE": "usage", "DEAD_LETTER_QUEUE_URL": "dead",
        "IMAGES_PRODUCT_CODE": "images0product", "IMAGES_DIMENSION": "calls", "IMAGES_USAGE_PLAN": "plan1",
        "FLEET_PRODUCT_CODE": PRODUCT, "FLEET_DIMENSION": "calls", "FLEET_USAGE_PLAN": "plan2",
        "PAGES_URL": "https://pages.example",
    }  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
