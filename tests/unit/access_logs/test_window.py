import base64
import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from access_logs import partials, window
from datagen.cloudfront_logs import RealtimeRecord, realtime_records
from shared.access_log import Event, Window
from tests.support.memory_dynamodb import MemoryDynamoDb
from tests.unit.access_logs.conftest import MemoryS3

START = 1_795_464_000  # 2026-11-23T20:00:00Z, as in the recorded events
BATCH = 50

type Build = Callable[..., dict[str, Any]]
type Entry = tuple[int, float, bytes]


def line(second: float, address: str = "192.0.2.1", agent: str = "curl/8.10.1", sent: int = 100) -> bytes:
    values = [f"{second:.3f}", address, "200", str(sent), "GET", "h", "/", "IAD89-C1", "id", agent]
    return "\t".join([*values, "-", "Hit", "0.01", "E2EXAMPLE1ABCD"]).encode() + b"\n"


def entries(records: list[RealtimeRecord]) -> list[Entry]:
    return [(int(record.sequence_number), record.arrival, record.data) for record in records]


def run(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Invoke as Lambda does: event and answer go through JSON."""
    answer: dict[str, Any] = json.loads(json.dumps(window.handler(json.loads(json.dumps(event)), context)))
    return answer


def counted(answer: dict[str, Any]) -> Window:
    return Window.from_state(answer["state"]["counts"])


@pytest.fixture(autouse=True)
def tables(dynamodb: MemoryDynamoDb) -> MemoryDynamoDb:
    return dynamodb


def test_recorded_records_count(recorded: Build, context: SimpleNamespace) -> None:
    answer = run(recorded("window_records"), context)
    assert answer["batchItemFailures"] == []
    assert counted(answer).events == 6


def test_window_of_several_batches_ends_with_an_item_for_each_minute(
    window_event: Build, context: SimpleNamespace, tables: MemoryDynamoDb
) -> None:
    start = START + 55  # events on both sides of a minute
    records = list(realtime_records(1000, start=datetime.fromtimestamp(start, UTC), per_second=100))
    state: dict[str, Any] = {}
    for first in range(0, len(records), BATCH):
        answer = run(window_event(entries(records[first : first + BATCH]), state), context)
        state = answer["state"]
    assert run(window_event([], state, final=True), context) == {"batchItemFailures": []}
    stored = tables.tables["partials"]
    assert sorted(int(minute) for minute, _ in stored) == [START, START + 60]
    merged = Window()
    for minute in (START, START + 60):
        found, parts = partials.merged("partials", minute)
        assert parts == 1
        merged.merge(found)
    traffic = {(row.second, row.distribution, row.location): row.requests for row in merged.traffic()}
    assert traffic == Counter((r.second, r.distribution, r.location) for r in records)
    bots = Counter((r.second, r.address, r.location, r.distribution) for r in records if r.category != "-")
    assert {row[:4]: row.requests for row in merged.bots()} == bots


def test_repeated_batch_counts_once(window_event: Build, context: SimpleNamespace) -> None:
    batch = entries(list(realtime_records(200)))
    first = run(window_event(batch), context)
    again = run(window_event(batch, first["state"]), context)
    assert counted(again).events == counted(first).events == 200
    assert counted(again).duplicates == 200


@pytest.mark.parametrize("bad", [(0,), (3,), (9,), (2, 3, 7), tuple(range(10))])
def test_records_that_cannot_be_read_are_quarantined_at_once_and_all_others_count(
    window_event: Build, context: SimpleNamespace, s3: MemoryS3, bad: tuple[int, ...]
) -> None:
    batch = [(number, START + 1.0, line(START)) for number in range(1, 11)]
    for place in bad:
        batch[place] = (place + 1, START + 1.0, b"poison")
    answer = run(window_event(batch), context)
    assert answer["batchItemFailures"] == []
    assert counted(answer).events == 10 - len(bad)
    [(key, lines)] = s3.objects.items()
    assert key == f"quarantine/2026/11/23/20/{bad[0] + 1:056d}.00000.jsonl"
    assert [(each["sequence_number"], each["reason"]) for each in lines] == [
        (str(place + 1), "1 fields instead of 14") for place in bad
    ]
    assert {base64.b64decode(each["data"]) for each in lines} == {b"poison"}
    again = run(window_event(batch, answer["state"]), context)
    assert counted(again).events == 10 - len(bad)
    assert list(s3.objects) == [key], "the same object for the same batch"


UNREADABLE = [
    b"",
    b"\n",
    b"\xff\xfe",
    b"\t" * 13,
    line(START)[:-1] + b"\tmore\n",
    line(START).replace(b"100", b"many"),
    line(START).replace(b"1795464000", b"yesterday"),
    b"\x1f\x8b" + line(START),
]


@pytest.mark.parametrize("data", UNREADABLE)
def test_every_kind_of_unreadable_record_is_quarantined_unquoted(
    window_event: Build, context: SimpleNamespace, s3: MemoryS3, data: bytes
) -> None:
    answer = run(window_event([(1, START + 1.0, data), (2, START + 1.0, line(START))]), context)
    assert (answer["batchItemFailures"], counted(answer).events) == ([], 1)
    [[refused]] = s3.objects.values()
    assert base64.b64decode(refused["data"]) == data
    assert "yesterday" not in refused["reason"]
    assert "many" not in refused["reason"]


def test_what_quarantine_did_not_take_comes_again_with_what_is_behind_it(
    window_event: Build, context: SimpleNamespace, s3: MemoryS3
) -> None:
    batch = [(number, START + 1.0, line(START)) for number in range(1, 11)]
    batch[3] = batch[6] = (0, START + 1.0, b"poison")
    batch[3], batch[6] = (4, *batch[3][1:]), (7, *batch[6][1:])
    s3.failing = True
    answer = run(window_event(batch), context)
    assert answer["batchItemFailures"] == [{"itemIdentifier": "4"}]
    assert counted(answer).events == 3
    s3.failing = False
    rest = run(window_event(batch[3:], answer["state"]), context)
    assert rest["batchItemFailures"] == []
    assert (counted(rest).events, counted(rest).duplicates) == (8, 0)
    assert [len(lines) for lines in s3.objects.values()] == [2]


def test_recorded_poison_is_quarantined(recorded: Build, context: SimpleNamespace, s3: MemoryS3) -> None:
    event = recorded("window_poison")
    number = event["Records"][2]["kinesis"]["sequenceNumber"]
    assert run(event, context)["batchItemFailures"] == []
    [[refused]] = s3.objects.values()
    assert refused["sequence_number"] == number


@pytest.mark.parametrize(("age", "counts"), [(0, True), (119, True), (120, True), (121, False)])
def test_events_count_under_their_own_second_up_to_the_allowed_lateness(
    window_event: Build, context: SimpleNamespace, age: int, counts: bool
) -> None:
    answer = run(window_event([(1, float(START + age), line(START))]), context)
    window = counted(answer)
    assert [row.second for row in window.traffic()] == ([START] if counts else [])
    assert (window.events, window.late) == ((1, 0) if counts else (0, 1))


def test_allowed_lateness_is_a_setting(
    window_event: Build, context: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENESS", "10")
    answer = run(window_event([(1, START + 11.0, line(START))]), context)
    assert counted(answer).late == 1


def test_final_call_can_be_repeated(
    recorded: Build, context: SimpleNamespace, tables: MemoryDynamoDb
) -> None:
    event = recorded("window_final")
    run(event, context)
    first = {key: item["counts"] for key, item in tables.tables["partials"].items()}
    run(event, context)
    assert {key: item["counts"] for key, item in tables.tables["partials"].items()} == first


def test_a_window_that_ended_early_and_its_successor_do_not_overwrite_each_other(
    window_event: Build, context: SimpleNamespace, tables: MemoryDynamoDb
) -> None:
    one = run(window_event([(1, START + 1.0, line(START))]), context)
    run(window_event([], one["state"], final=True) | {"isWindowTerminatedEarly": True}, context)
    other = run(window_event([(2, START + 2.0, line(START))]), context)
    run(window_event([], other["state"], final=True), context)
    found, parts = partials.merged("partials", START)
    assert (parts, found.events) == (2, 2)


def test_late_and_repeated_records_are_stored_with_the_windows_own_minute(
    window_event: Build, context: SimpleNamespace, tables: MemoryDynamoDb
) -> None:
    batch = [(1, START + 1.0, line(START - 300)), (1, START + 1.0, line(START))]
    answer = run(window_event(batch), context)
    run(window_event([], answer["state"], final=True), context)
    found, _ = partials.merged("partials", START)
    assert (found.events, found.late, found.duplicates) == (0, 1, 1)


@pytest.mark.parametrize(("how", "stored"), [("keep", "198.51.100.7"), ("truncate", "198.51.100.0")])
def test_addresses_are_stored_as_the_setting_says(
    window_event: Build, context: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, how: str, stored: str
) -> None:
    monkeypatch.setenv("VIEWER_ADDRESS", how)
    answer = run(window_event([(1, START + 1.0, line(START, "198.51.100.7"))]), context)
    assert counted(answer).top_viewers() == {START: [(stored, 1)]}


def test_hashed_addresses_are_the_same_for_the_same_viewer_and_tell_nothing(
    window_event: Build, context: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIEWER_ADDRESS", "hash")
    monkeypatch.setenv("ADDRESS_SECRET_ID", "the-secret")
    batch = [(number, START + 1.0, line(START, "198.51.100.7")) for number in (1, 2)]
    answer = run(window_event(batch), context)
    [(address, requests)] = counted(answer).top_viewers()[START]
    assert requests == 2
    assert len(address) == 32
    assert "198.51.100.7" not in json.dumps(answer)


def test_log_lines_hold_no_addresses(
    recorded: Build, context: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("window_records", "window_poison", "window_final"):
        run(recorded(name), context)
    printed = capsys.readouterr().out
    assert "BotRequests" in printed
    assert "198.1" not in printed
    assert "192.0.2" not in printed


def test_state_stays_below_lambdas_megabyte_and_a_minute_below_dynamodbs_item(
    window_event: Build, context: SimpleNamespace, tables: MemoryDynamoDb
) -> None:
    rng = random.Random(1)
    full = Window()
    for number in range(60_000):
        event = Event(
            START + rng.randrange(60), f"2001:db8:{rng.getrandbits(32):x}::{rng.getrandbits(48):x}",
            f"XYZ{rng.randrange(600)}-P{rng.randrange(9)}", f"E{rng.randrange(50):013X}", 12_345, True,
        )  # fmt: skip
        full.add(event, sequence_number=str(number), arrival=START + 60.0)
    state = {"counts": full.to_state(), "first": "0"}
    answer = run(window_event([(10**6, START + 60.0, line(START))], state), context)
    assert len(json.dumps(answer["state"])) < 1024 * 1024
    run(window_event([], answer["state"], final=True), context)
    [item] = tables.tables["partials"].values()
    assert len(item["counts"]["B"]) < 380_000
    found, _ = partials.merged("partials", START)
    assert found.events == 60_001


def test_unexpected_failure_fails_the_invocation(
    window_event: Build, context: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda repeats it with the state that it began with; what was counted by half is in no state."""

    def add(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(Window, "add", add)
    with pytest.raises(RuntimeError):
        run(window_event([(1, START + 1.0, line(START))]), context)
