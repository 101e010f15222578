from hypothesis import given
from hypothesis import strategies as st

from access_logs.partials import decode, encode, minutes_of
from shared.access_log import Event, Window

START = 1_795_464_000
events = st.builds(
    Event,
    second=st.integers(START - 130, START + 130),
    address=st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
    location=st.sampled_from(["IAD89-C1", "FRA56-P7"]),
    distribution=st.sampled_from(["E2EXAMPLE1ABCD", "E1SHOPFRONT9ZX"]),
    sent=st.integers(0, 10**9),
    is_bot=st.booleans(),
)


def window_of(drawn: list[Event]) -> Window:
    window = Window()
    for number, event in enumerate(drawn):
        window.add(event, sequence_number=str(number), arrival=START + 5)
    return window


@given(st.lists(events, max_size=60), st.lists(events, max_size=60))
def test_minutes_of_two_windows_add_up_to_the_windows(one: list[Event], other: list[Event]) -> None:
    whole, parts = Window(), Window()
    for drawn in (one, other):
        window = window_of(drawn)
        whole.merge(window)
        for minute, state in minutes_of(window.to_state(), START).items():
            part = Window.from_state(decode(encode(state)))
            assert {row.second - row.second % 60 for row in part.traffic()} <= {minute}
            parts.merge(part)
    assert parts.traffic() == whole.traffic()
    assert parts.bots() == whole.bots()
    assert parts.top_viewers() == whole.top_viewers()
    assert (parts.events, parts.late) == (whole.events, whole.late)


def test_an_empty_window_has_no_minutes() -> None:
    assert minutes_of(Window().to_state(), START) == {}
