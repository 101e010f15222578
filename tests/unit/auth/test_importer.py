"""Where a file of lines is cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auth.importer import split


@given(
    st.binary(max_size=200).map(lambda data: data.replace(b"\x00", b"\n")),
    st.integers(1, 5),
    st.integers(1, 9),
)
def test_parts_cover_the_file_end_with_lines_and_have_as_many_as_asked(
    data: bytes, lines: int, piece: int
) -> None:
    pieces = [data[start : start + piece] for start in range(0, len(data), piece)]
    parts = list(split(iter(pieces), lines))
    assert b"".join(data[start:end] for start, end in parts) == data
    for start, end in parts[:-1]:
        assert data[start:end].count(b"\n") == lines
        assert data[start:end].endswith(b"\n")
    if parts:
        assert 0 < data[parts[-1][0] : parts[-1][1]].count(b"\n") + (not data.endswith(b"\n")) <= lines


def test_an_empty_file_has_no_parts() -> None:
    assert list(split(iter([]), 10)) == []
