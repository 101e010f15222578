"""The function `index` on a real search server: `make bench BENCH=ec2_search` (needs a JDK).

Ten times the same events, malformed ones among them, and a server that has no time. The handler runs in this
process, the search server and the queue of dead letters in processes of their own.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.harness import ROOT, Suite, compare, one_core
from datagen.ec2_calls import Calls, broken, encoded
from datagen.ec2_messages import sqs_event
from local.clients.browse import session
from local.engine_process import EngineProcess, aws_environment
from local.search.proxy import SearchProxy, search_proxy
from local.search.server import missing, search_server

sys.path[:0] = [str(ROOT / "layers/shared"), str(ROOT / "functions/ec2_monitor")]

EVENTS, TIMES, MALFORMED = 10_000, 10, 100
BATCH = 100  # messages, as in template.yaml
ROUNDS = 15
RUNS = 5  # invocations of a round

type Message = str


class Context:
    """Of Lambda's context, the time that is left."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 60_000


class Index:
    """The function, and the index that it fills."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._http = session()

    def deliver(self, bodies: list[Message]) -> list[Message]:
        """Invoke the function with batches of messages; those that it reports."""
        from ec2_monitor import index

        back: list[Message] = []
        for first in range(0, len(bodies), BATCH):
            part = bodies[first : first + BATCH]
            event = sqs_event(part)
            with contextlib.redirect_stdout(io.StringIO()):
                failures = index.handler(event, Context())["batchItemFailures"]  # type: ignore[arg-type]
            names = {each["itemIdentifier"] for each in failures}
            pairs = zip(event["Records"], part, strict=True)
            back += [body for record, body in pairs if record["messageId"] in names]
        return back

    def documents(self) -> dict[str, tuple[int, str]]:
        """Version and content of each document."""
        found: dict[str, tuple[int, str]] = {}
        self._ask("POST", "/_refresh")
        answer = self._ask(
            "POST", "/log/_search?scroll=1m", {"size": 2000, "version": True, "sort": ["_doc"]}
        )
        while hits := answer["hits"]["hits"]:
            found |= {hit["_id"]: (hit["_version"], json.dumps(hit["_source"])) for hit in hits}
            answer = self._ask("POST", "/_search/scroll", {"scroll": "1m", "scroll_id": answer["_scroll_id"]})
        return found

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._http.request(method, self._address + path, json=body)
        answer.raise_for_status()
        return answer.json()


def _cpu(suite: Suite) -> None:
    """CPU of the handler's own, per document: the server answers from memory."""
    from ec2_monitor import index
    from shared.signed_http import Answer

    event = sqs_event([encoded(call).decode() for call in Calls(BATCH, seed=1)])
    created = json.dumps({"items": [{"create": {"status": 201}}] * BATCH}).encode()

    def handle() -> None:
        for _ in range(RUNS):
            with contextlib.redirect_stdout(io.StringIO()):
                assert not index.handler(event, Context())["batchItemFailures"]  # type: ignore[arg-type]

    def standard() -> None:
        for record in event["Records"] * RUNS:
            json.dumps(json.loads(record["body"]))

    domain = index._domain(os.environ["SEARCH_URL"], os.environ["AWS_REGION"])
    real = domain._http.send
    domain._http.send = lambda *_, **__: Answer(200, created)  # type: ignore[method-assign]
    sides = compare(handle, standard, ROUNDS)
    domain._http.send = real  # type: ignore[method-assign]
    documents = 1000 * RUNS * BATCH
    suite.add("documents/s of index, one core, without the server", documents / sides.ours, "documents/s")
    suite.add("json.loads and json.dumps alone, nothing shaped", documents / sides.theirs, "events/s")


def main() -> int:
    """Measure; the number of rows that miss their bar."""
    suite = Suite("ec2_search", steps=5)
    if reason := missing():
        suite.note(reason)
        return 1
    with tempfile.TemporaryDirectory() as folder, search_server() as server, search_proxy(server) as proxy:
        engine = EngineProcess.start(Path(folder))
        try:
            queue = engine.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
            os.environ |= {
                **aws_environment(engine.endpoint),
                "SEARCH_URL": server,
                "DEAD_LETTER_QUEUE_URL": queue,
                "POWERTOOLS_METRICS_NAMESPACE": "bench",
                "POWERTOOLS_SERVICE_NAME": "ec2_monitor",
                "POWERTOOLS_LOG_LEVEL": "ERROR",
            }
            one_core()
            _measure(suite, Index(server), engine.client("sqs"), queue)
            suite.step("a server that refuses every third document, and every tenth request")
            os.environ["SEARCH_URL"] = proxy.address
            _busy(suite, Index(server), proxy)
            os.environ["SEARCH_URL"] = server
            suite.step("CPU of the function")
            _cpu(suite)
        finally:
            engine.stop()
    return suite.finish()


def _measure(suite: Suite, index: Index, sqs: Any, queue: str) -> None:
    bodies = [encoded(event).decode() for event in Calls(EVENTS, seed=2)]
    poison = [broken(number).decode() for number in range(MALFORMED)]
    step = EVENTS // MALFORMED
    mixed = [
        body
        for number in range(MALFORMED)
        for body in [*bodies[number * step : (number + 1) * step], poison[number]]
    ]
    suite.step(f"{EVENTS:,} events, {MALFORMED} malformed ones among them")
    start = time.perf_counter()
    back = index.deliver(mixed)
    seconds = time.perf_counter() - start
    first = index.documents()
    dead_letters = _taken(sqs, queue)
    suite.add("documents of 10,000 events, 1 % malformed ones among them", len(first), "", EVENTS, "higher")
    suite.add(
        "malformed events in the dead-letter queue",
        (dead_letters & Counter(poison)).total(),
        "",
        MALFORMED,
        "higher",
    )
    suite.add("other events there, or sent back", (dead_letters - Counter(poison)).total() + len(back), "", 0)
    suite.add(
        "documents/s into the search server, one request at a time", len(first) / seconds, "documents/s"
    )

    suite.step(f"the same {EVENTS:,} events, {TIMES - 1} times more")
    start = time.perf_counter()
    back = [body for _ in range(TIMES - 1) for body in index.deliver(bodies)]
    seconds = time.perf_counter() - start
    after = index.documents()
    changed = sum(after.get(name) != document for name, document in first.items())
    suite.add(f"documents after {TIMES} deliveries", len(after), "", EVENTS)
    suite.add("of them changed", changed + len(back), "", 0)
    suite.add("events/s that are there already", (TIMES - 1) * EVENTS / seconds, "events/s")


def _busy(suite: Suite, index: Index, proxy: SearchProxy) -> None:
    """New events while the server has little time: what comes back is delivered again, as SQS does."""
    before = index.documents()
    events = list(Calls(EVENTS // 10, seed=3))
    for event in events[::3]:
        proxy.refuse_document(event["detail"]["eventID"], 429, 503)
    proxy.refuse_requests(*[429 if number % 10 == 0 else 200 for number in range(1000)])
    waiting, rounds = [encoded(event).decode() for event in events], 0
    while waiting and rounds < 100:
        waiting, rounds = index.deliver(waiting), rounds + 1
    made = {name: version for name, (version, _) in index.documents().items() if name not in before}
    lost = {event["detail"]["eventID"] for event in events} - set(made)
    suite.add("documents lost on a busy server", len(lost) + len(waiting), "", 0)
    suite.add("documents written twice there", sum(version > 1 for version in made.values()), "", 0)


def _taken(sqs: Any, queue: str) -> Counter[str]:
    """What is in a queue, taken out."""
    found: Counter[str] = Counter()
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            found[message["Body"]] += 1
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found


if __name__ == "__main__":
    sys.exit(main())
