"""Live traffic is counted in windows of bounded size."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.cloudfront_logs import REALTIME_FIELDS, RealtimeRecord, realtime_records
from shared.access_log import (
    OTHERS,
    BadRecordError,
    Event,
    EventReader,
    HeavyHitters,
    Layout,
    UserAgents,
    Window,
)

SECOND = 1_795_000_020
EVENT = Event(SECOND, "192.0.2.1", "FRA56-P7", "E1", 1_000, True)
KEYS = st.lists(st.integers(0, 30).map(str), max_size=300)


def sketch(keys: Iterable[str], counters: int = 5) -> HeavyHitters:
    result = HeavyHitters(counters)
    for key in keys:
        result.add(key)
    return result


def hold_bounds(result: HeavyHitters, keys: list[str], counters: int) -> None:
    truth, estimates = Counter(keys), dict(result.top(1_000))
    assert result.total == len(keys)
    assert result.error <= len(keys) / (counters + 1)
    for key in truth:
        assert truth[key] - result.error <= estimates.get(key, 0) <= truth[key]
    assert len(estimates) <= counters


def windows(records: Iterable[RealtimeRecord], agents: UserAgents, shard: str = "") -> Window:
    window, read = Window(), EventReader(Layout(REALTIME_FIELDS), agents)
    for record in records:
        window.add(
            read(record.data), sequence_number=record.sequence_number, arrival=record.arrival, shard=shard
        )
    return window


@given(KEYS)
def test_estimates_are_within_the_error(keys: list[str]) -> None:
    hold_bounds(sketch(keys), keys, 5)


@given(st.lists(KEYS, max_size=5))
def test_merged_estimates_are_within_the_error(parts: list[list[str]]) -> None:
    merged = HeavyHitters(5)
    for part in parts:
        merged.merge(sketch(part))
    hold_bounds(merged, [key for part in parts for key in part], 5)


@given(KEYS)
def test_a_sketch_survives_its_state(keys: list[str]) -> None:
    before = sketch(keys)
    after = HeavyHitters.from_state(json.loads(json.dumps(before.to_state())), 5)
    assert (after.total, after.error, after.top(99)) == (before.total, before.error, before.top(99))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(lambda n: f"203.{n >> 16 & 255}.{100 + (n >> 8 & 127)}.{100 + n % 156}", id="IPv4"),
        pytest.param(lambda n: f"2001:db8:{n:04x}:1111:2222:3333:4444:5555", id="IPv6"),
        pytest.param(lambda n: "\N{SNOWMAN}" * 60 + str(n), id="rubbish"),
    ],
)
def test_a_sketch_in_a_state_has_at_most_51_kb(name: Callable[[int], str]) -> None:
    keys = [name(n) for n in range(2_500)] + [name(n) for n in range(60) for _ in range(200)]
    full = sketch(keys, 2_000)
    state = full.to_state()
    assert len(json.dumps(state)) <= 51_000
    restored = HeavyHitters.from_state(json.loads(json.dumps(state)))
    assert {key for key, _ in restored.top(50)} <= {key[:64] for key in set(keys[2_500:])}
    truth = Counter(key[:64] for key in keys)
    for key, estimate in restored.top(5_000):
        assert truth[key] - restored.error <= estimate <= truth[key]


def test_the_top_50_of_a_million_skewed_requests_are_found() -> None:
    rng = random.Random(3)
    keys = rng.choices(range(100_000), cum_weights=_zipf(100_000), k=300_000)
    result = sketch(map(str, keys), 2_000)
    best = {str(key) for key, _ in Counter(keys).most_common(50)}
    assert len(best & {key for key, _ in result.top(50)}) >= 49


def _zipf(size: int) -> list[float]:
    total, weights = 0.0, []
    for rank in range(1, size + 1):
        total += 1 / rank
        weights.append(total)
    return weights


@pytest.mark.parametrize(
    ("late", "counts"), [(0, True), (119, True), (120, True), (121, False), (-121, False)]
)
def test_events_count_if_they_are_at_most_120_seconds_late(late: int, counts: bool) -> None:
    window = Window()
    assert window.add(EVENT, sequence_number="1", arrival=SECOND + late) is counts
    assert (window.events, window.late) == ((1, 0) if counts else (0, 1))
    assert len(window.bots()) == counts


def test_lateness_is_a_parameter() -> None:
    window = Window(lateness=10)
    assert not window.add(EVENT, sequence_number="1", arrival=SECOND + 11)
    assert Window.from_state(window.to_state()).lateness == 10


@given(st.lists(st.integers(0, 40), max_size=80))
def test_a_repeated_record_counts_once(numbers: list[int]) -> None:
    """A batch that is repeated begins anew at any place, as Lambda's retries and bisections do."""
    sequence = sorted(set(numbers))
    repeated = [
        number for place in (0, len(sequence) // 3, len(sequence) // 2) for number in sequence[place:]
    ]
    window, once = Window(), Window()
    for number in repeated:
        window.add(EVENT, sequence_number=str(number), arrival=SECOND)
        window = Window.from_state(json.loads(json.dumps(window.to_state())))
    for number in sequence:
        once.add(EVENT, sequence_number=str(number), arrival=SECOND)
    assert window.events == len(sequence)
    assert (window.bots(), window.traffic()) == (once.bots(), once.traffic())
    assert window.duplicates == len(repeated) - len(sequence)


def test_sequence_numbers_are_a_shard_s_own() -> None:
    window = Window()
    assert window.add(EVENT, sequence_number="5", arrival=SECOND, shard="shardId-000000000001")
    assert window.add(EVENT, sequence_number="4", arrival=SECOND, shard="shardId-000000000002")
    assert not window.add(EVENT, sequence_number="4", arrival=SECOND, shard="shardId-000000000001")


def test_results_equal_the_generator_s_truth(agents: UserAgents) -> None:
    records = list(realtime_records(6_000, per_second=50, seed=5))
    window = windows(records, agents)
    bots: Counter[tuple[int, str, str, str]] = Counter()
    sent: Counter[tuple[int, str, str]] = Counter()
    for record in records:
        sent[record.second, record.distribution, record.location] += record.sent
        if record.category != "-":
            bots[record.second, record.address, record.location, record.distribution] += record.sent
    assert {row[:4]: row.sent for row in window.bots()} == bots
    assert {row[:3]: row.sent for row in window.traffic()} == sent
    for minute, viewers in window.top_viewers().items():
        truth = Counter(r.address for r in records if r.second // 60 * 60 == minute)
        assert dict(viewers) == {address: truth[address] for address, _ in viewers}
        assert len(viewers) <= 50
        assert min(requests for _, requests in viewers) >= sorted(truth.values())[-len(viewers)]


def test_shards_merge_to_what_one_stream_gives(agents: UserAgents) -> None:
    records = list(realtime_records(3_000, seed=6))
    whole = windows(records, agents)
    reducer = Window()
    for shard in range(3):
        part = windows(records[shard::3], agents, f"shardId-{shard}")
        reducer.merge(Window.from_state(json.loads(json.dumps(part.to_state()))))
    assert reducer.bots() == whole.bots()
    assert reducer.traffic() == whole.traffic()
    assert reducer.top_viewers() == whole.top_viewers()
    assert reducer.events == whole.events == 3_000


def test_a_flood_of_addresses_keeps_the_state_below_1_mb_and_sums_exact() -> None:
    window, numbers = Window(), count()
    rng = random.Random(1)
    for _ in range(10):
        for _ in range(4_000):
            number = next(numbers)
            second = SECOND + rng.randrange(60)
            location, distribution = f"{'L' * 60}{rng.randrange(300)}", f"{'D' * 60}{rng.randrange(9)}"
            address = "192.0.2.1" if number % 4 == 0 else f"2001:db8:1111:2222:3333:4444:5555:{number:x}"
            window.add(
                Event(second, address, location, distribution, 10, True),
                sequence_number=str(number),
                arrival=second,
            )
        text = json.dumps(window.to_state())
        assert len(text) <= 1_000_000
        window = Window.from_state(json.loads(text))
    assert sum(row.sent for row in window.bots()) == sum(row.sent for row in window.traffic()) == 400_000
    assert sum(row.requests for row in window.bots()) == window.events == 40_000
    rest = [row for row in window.bots() if row.address == OTHERS]
    assert len(rest) == len({row.second for row in rest}) == 60
    assert all(viewers[0] == ("192.0.2.1", viewers[0][1]) for viewers in window.top_viewers().values())


def test_hostile_names_and_times_keep_the_state_below_1_mb() -> None:
    window = Window(lateness=1e12)
    for number in range(20_000):
        name = "\N{SNOWMAN}" * 500 + str(number)
        event = Event(number * 60, f"{number}{name}", f"{number}{name}", f"{number}{name}", 1, True)
        window.add(event, sequence_number=str(number), arrival=SECOND)
    assert len(json.dumps(window.to_state())) <= 1_000_000
    assert (window.events, window.late) == (1_200, 18_800)


def test_a_first_invocation_has_no_state() -> None:
    assert Window.from_state(None, lateness=60).lateness == 60
    assert Window.from_state({}, lateness=60).lateness == 60


def test_real_time_records_are_read_by_the_order_of_their_fields(agents: UserAgents) -> None:
    layout = Layout(("cs-user-agent", "sc-bytes", "c-ip", "x-edge-location", "timestamp", "cs-referer"))
    read = EventReader(layout, agents, distribution="E9")
    event = read(b"curl/8.1\t12\t192.0.2.9\tIAD89-C1\t1795000020.999\t-\n")
    assert event == (SECOND, "192.0.2.9", "IAD89-C1", "E9", 12, True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"curl/8.1\t12\n",
        b"curl\tx\t1.1.1.1\tF\t1.5\n",
        b"c\t1\t1.1.1.1\tF\tnan\n",
        b"c\t1\ti\tF\t-\n",
        b"c\t1\ti\tF\t1.5\tone more\n",
    ],
)
def test_real_time_records_that_cannot_be_read(agents: UserAgents, data: bytes) -> None:
    layout = Layout(("cs-user-agent", "sc-bytes", "c-ip", "x-edge-location", "timestamp"))
    with pytest.raises(BadRecordError):
        EventReader(layout, agents)(data)


def test_a_layout_without_a_needed_field_is_refused(agents: UserAgents) -> None:
    with pytest.raises(ValueError, match=r"lacks timestamp, cs\(User-Agent\)"):
        EventReader(Layout(("c-ip", "x-edge-location", "sc-bytes")), agents)
