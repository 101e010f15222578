"""EC2's calls in a search server: a stack of its own, so that the suite's needs no Java."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from datagen.ec2_calls import at, recorded
from datagen.ec2_messages import sqs_event
from ec2_monitor.documents import document
from local.deploy import build, deploy
from local.engine_process import EngineProcess
from local.search.proxy import SearchProxy, search_proxy
from local.search.server import missing, search_server
from local.suite import Suite
from ops.settings import overrides
from tests.support.permissions import function
from tests.support.waiting import wait_until

INDEX = "log"

type Event = dict[str, Any]


class Search:
    """The index as a test sees it; events of a test have its prefix, so that tests count their own."""

    def __init__(self, suite: Suite, proxy: SearchProxy) -> None:
        self.suite = suite
        self.proxy = proxy
        self.prefix = f"t{uuid.uuid4().hex[:8]}"

    # ---- events

    def event(self, name: str | int, call: str = "StopInstances", **detail: Any) -> Event:
        """Return an event of this test, with members of its detail replaced."""
        made = at(recorded("calls")[call], datetime.now(UTC), f"{self.prefix}-{name}")
        return made | {"detail": made["detail"] | detail}

    def put(self, *events: Event) -> None:
        """Let CloudTrail deliver events to the default bus."""
        answer = self.suite.http.post(f"{self.suite.engine.endpoint}/_engine/events", json=list(events))
        answer.raise_for_status()

    def send(self, *bodies: str) -> None:
        """Put messages into the queue, as a rule does."""
        for first in range(0, len(bodies), 10):
            batch = [
                {"Id": str(place), "MessageBody": body}
                for place, body in enumerate(bodies[first : first + 10])
            ]
            answer = self.suite.client("sqs").send_message_batch(
                QueueUrl=self.suite["Ec2SearchQueueUrl"], Entries=batch
            )
            assert not answer.get("Failed")

    def invoke(self, *bodies: str) -> list[str]:
        """Invoke the function with messages 0, 1, ...; those that it reports as failed."""
        event = sqs_event(list(bodies))
        for place, record in enumerate(event["Records"]):
            record["messageId"] = str(place)
        answer = self.suite.client("lambda").invoke(
            FunctionName=function(self.suite, "Ec2IndexFunction"),
            Payload=json.dumps(event).encode(),
        )
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return [each["itemIdentifier"] for each in payload["batchItemFailures"]]

    # ---- index

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the server itself."""
        host, port = self.proxy.target
        answer = self.suite.http.request(method, f"http://{host}:{port}{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def documents(self) -> dict[str, Event]:
        """Return this test's documents: identity without the prefix to members and version."""
        self.ask("POST", "/_refresh")
        query = {"size": 10_000, "version": True, "query": {"prefix": {"event_id": self.prefix}}}
        hits = self.ask("POST", f"/{INDEX}/_search?ignore_unavailable=true", query)["hits"]["hits"]
        found = {hit["_id"]: hit["_source"] | {"_version": hit["_version"]} for hit in hits}
        assert all(each["event_id"] == identity for identity, each in found.items())
        return {identity.removeprefix(f"{self.prefix}-"): each for identity, each in found.items()}

    def wait_for(self, *names: str | int) -> dict[str, Event]:
        """Wait until exactly these documents of the test are there, and return them."""
        wanted = {str(name) for name in names}

        def there() -> dict[str, Event]:
            found = self.documents()
            assert set(found) <= wanted
            return found if set(found) == wanted else {}

        return wait_until(there, seconds=60, every=0.2, what=f"documents {sorted(wanted)}")

    # ---- dead letters

    def dead_letters(self, count: int) -> dict[str, str]:
        """Wait for this many messages in the dead-letter queue, take them out: body to reason."""
        sqs, url = self.suite.client("sqs"), self.suite["Ec2SearchDeadLetterQueueUrl"]
        found: dict[str, str] = {}

        def there() -> bool:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            for message in answer.get("Messages", []):
                reason = message.get("MessageAttributes", {}).get("reason", {}).get("StringValue", "")
                found[message["Body"]] = reason
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return len(found) >= count

        wait_until(there, seconds=60, every=0.2, what=f"{count} dead letters")
        return found


def expected(event: Event) -> Event:
    """Return the document of an event as the index has it."""
    return document(event) | {"_version": 1}


@pytest.fixture(scope="session")
def search_server_installed() -> None:
    """Skip what needs the search server where it cannot run."""
    if reason := missing():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def search_proxy_of_session(search_server_installed: None) -> Iterator[SearchProxy]:
    with search_server() as server, search_proxy(server) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def search_suite(
    search_proxy_of_session: SearchProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Suite]:
    """EC2's monitor with its index, and nothing else, on an engine of its own."""
    directory = tmp_path_factory.mktemp("search")
    build(directory / "build.log")
    engine = EngineProcess.start(
        directory,
        iam=True,
        settings={
            "ENGINE_TIME_SCALE": "0.02",
            "MINISTACK_OPENSEARCH_ENDPOINT": search_proxy_of_session.address.removeprefix("http://"),
        },
    )
    try:
        off = {name: "false" for name in overrides("local") if name.startswith("Enable")}
        switches = off | {"EnableEc2Monitor": "true", "EnableOpenSearch": "true"}
        yield Suite(engine, deploy(engine, directory / "deploy.log", **switches))
    finally:
        engine.stop()


@pytest.fixture
def search(search_suite: Suite, search_proxy_of_session: SearchProxy) -> Search:
    search_proxy_of_session.behave()
    return Search(search_suite, search_proxy_of_session)
