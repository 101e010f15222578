"""Every recorded message comes three times, at once, by SNS and by EventBridge: what follows is counted."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.clients.effects import LATER, counted, expected, unexpected
from local.clients.hub import Owner
from local.clients.producer import Clicks
from local.clients.recorded import Recorded, calls, clear_limits, held, settle
from local.suite import Suite
from tests.support.waiting import wait_until

TIMES = 3
THREADS = 10  # as many connections as a client keeps


class Run:
    """The recorded messages about new resources, and what has come since they were made."""

    def __init__(self, owner: Owner) -> None:
        self.owner, self.suite = owner, owner.suite
        self._before = calls(self.suite)
        self._letters = owner.dead_letters() | owner.refused_documents()
        self._began = time.time_ns() // 1_000_000
        self.recorded = Recorded(owner)

    def deliver(self, names: Sequence[str]) -> None:
        """Have messages come, in about this order, from many threads."""
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self.recorded.deliver, names))

    def encode(self) -> int:
        """Tell the hub of each order as often that it is done; the number of orders."""
        orders = self.owner.orders(self.recorded.made["encoding"])
        for order in orders * TIMES:
            self.owner.encoded(order)
        settle(self.suite)
        return len(orders)

    def calls(self) -> dict[tuple[str, str, str], int]:
        """What roles have been allowed since."""
        return dict(calls(self.suite) - self._before)

    def dead_letters(self) -> list[str]:
        """Reasons of what has been set aside since."""
        found = self.owner.dead_letters() | self.owner.refused_documents()
        return [reason for body, reason in found.items() if body not in self._letters]

    def ignored(self) -> Counter[str]:
        """What the hub's log has had no action for since, by name."""
        logs, function = self.suite.client("logs"), self.suite["HubReactFunctionName"]
        group = self.suite.client("lambda").get_function_configuration(FunctionName=function)
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group["LoggingConfig"]["LogGroup"], startTime=self._began
        )
        lines = [event["message"] for page in pages for event in page["events"]]
        found = [json.loads(line) for line in lines if '"message":"no action"' in line]
        return Counter(line["fact"] for line in found)

    def versions(self, document: str) -> int:
        """How often a document's PDF has been stored."""
        key = f"pdf/{self.recorded.made[document]}.pdf"
        answer = self.suite.client("s3").list_object_versions(
            Bucket=self.suite["HubOutputBucketName"], Prefix=key
        )
        return len(answer.get("Versions", []))


@pytest.fixture
def begin(owner: Owner, clicks: Clicks) -> Iterator[Callable[[], Run]]:
    """Make the resources, while the hub's queues fill; limits are those of a new day."""
    suite = owner.suite
    settle(suite)
    clear_limits(suite)
    s3, bucket = suite.client("s3"), suite["HubOutputBucketName"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    yield lambda: Run(owner)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    clear_limits(suite)
    assert clicks.held() is False


def test_what_comes_three_times_has_one_effect(begin: Callable[[], Run], suite: Suite) -> None:
    with held(suite):
        run = begin()
        first = [name for name in run.recorded.messages if name not in LATER]
        run.deliver(first * TIMES)
    settle(suite)
    run.deliver(LATER * TIMES)
    settle(suite)
    assert run.encode() == 1
    made = run.recorded.made
    assert counted(run.calls(), made) == expected(made)
    assert unexpected(run.calls(), made) == {}
    assert run.dead_letters() == []
    assert_states(run)
    ignored = run.ignored()
    assert ignored["autoscaling:TEST_NOTIFICATION"] == TIMES + 2  # Auto Scaling's own, of two new hooks
    assert (ignored["s3:TestEvent"], ignored["event subscription created"]) == (TIMES, TIMES)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_order_has_the_same_effects(begin: Callable[[], Run], suite: Suite, seed: int) -> None:
    with held(suite):
        run = begin()
        names = list(run.recorded.messages) * TIMES
        random.Random(seed).shuffle(names)
        run.deliver(names)
    settle(suite)
    assert run.encode() == 1
    made = run.recorded.made
    found, wanted = counted(run.calls(), made), expected(made)
    [diverted] = [effect for effect in wanted if effect.role == "Divert"]
    assert found.pop(diverted) in (0, 2, 4)  # an end that comes first leaves nothing to begin
    wanted.pop(diverted)
    assert found == wanted
    assert unexpected(run.calls(), made) == {}
    assert run.dead_letters() == []
    assert_states(run)


def test_unknown_message_is_set_aside_with_its_reason(begin: Callable[[], Run], suite: Suite) -> None:
    run = begin()
    for text in (f"{run.owner.prefix}: nobody's text", json.dumps({"nobody": run.owner.prefix})):
        run.owner.publish(text)
    settle(suite)
    assert sorted(run.dead_letters()) == ["a text of no publisher", "no publisher's message"]


def assert_states(run: Run) -> None:
    """The services' own states are those after one delivery of each."""
    owner, made = run.owner, run.recorded.made
    assert owner.instances(made["launching"]) == {made["launched"]: "InService"}
    wait_until(lambda: made["ending"] not in owner.instances(made["terminating"]), what="the instance's end")
    commands = {name: owner.commands(made[name]) for name in ("launched", "told", "ending")}
    assert commands == {
        "launched": ["event hub: warm"], "told": ["event hub: warm"], "ending": ["event hub: logs"]
    }  # fmt: skip
    assert len(owner.builds_of(made["environment"])) == 1
    alarms = ("shop-latency", "shop-alb-p95", "shop-latency-unusual")
    assert [len(owner.profiled(made[alarm])) for alarm in alarms] == [1, 1, 1]
    assert owner.throughput(made["file system"]) == "elastic"
    assert [len(owner.distributions(made[state])) for state in ("Complete", "InTransitToAWS")] == [1, 0]
    assert owner.storage(made["low"]) == (200, 220)
    assert owner.storage(made["full"])[0] == 60
    wait_until(lambda: owner.task_status(made["encoding"]) == "running", what="the task to run")
    assert owner.task_status(made["fatal"]) == "running"  # as it was: it is not restarted, nor stopped
    assert owner.runs(made["glue_job_succeeded"]) == ["SUCCEEDED"]
    for state in ("failed", "timeout", "stopped"):
        assert owner.runs(made[f"glue_job_{state}"]) == [state.upper(), "SUCCEEDED"]
    assert owner.statuses()[made["payments-healthy"]]["state"] == "up"
    for key in ("archive", "inventory", "restored"):
        assert owner.fetched(made[key]), key
    for document in ("2026/résumé of Zoë & Co.docx", "letters/plain.txt", "a.odt", "b.rtf"):
        assert (owner.fetched(f"pdf/{made[document]}.pdf") or b"")[:5] == b"%PDF-", document
        assert run.versions(document) == 1, document
