"""A log file becomes rows: every kind of input, good and bad."""

import gzip
import io
import random
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.cloudfront_logs import Corpus
from shared.access_log import (
    COLUMNS,
    FIELDS,
    MAX_ROW,
    AccessLog,
    AccessLogError,
    AllRejectedError,
    CorruptLogError,
    Gunzip,
    Layout,
    NoHeaderError,
    Rejected,
    UnknownFieldsError,
    UserAgents,
    _gunzip,
)
from tests.unit.shared.access_log.logs import CHROME, GPTBOT, gz, header, read, row, table


def test_columns_are_those_of_the_original_then_ours_then_the_newer_fields() -> None:
    names = list(COLUMNS)
    assert names[:4] == ["logdate", "logtime", "location", "bytes"]
    assert names[24:31] == [
        *("browserfamily", "osfamily", "isbot", "filename", "distribution", "botcategory", "linenumber")
    ]
    assert names[31:] == [*(name.replace("-", "_") for name in FIELDS[24:]), "etag"]
    assert len(names) == 41
    assert {name: kind for name, kind in COLUMNS.items() if kind != "string"} == {
        "logdate": "date",
        "bytes": "bigint",
        "status": "bigint",
        "timetaken": "double",
        "linenumber": "bigint",
    }


def test_a_row_is_enriched(agents: UserAgents) -> None:
    log, rows = read(gz(header(), row(), row(user_agent=GPTBOT)), agents)
    human, bot = table(rows)
    assert (log.rows, log.rejected, log.partial) == (2, 0, False)
    assert human["useragent"] == CHROME
    assert (human["browserfamily"], human["osfamily"], human["isbot"]) == ("Chrome", "Windows", "False")
    assert (human["botcategory"], bot["isbot"], bot["botcategory"]) == ("-", "True", "ai")
    assert (human["filename"], human["distribution"]) == ("logs/E1.gz", "E1")
    assert (human["linenumber"], bot["linenumber"]) == ("3", "4")
    assert human["sc_range_end"] == "<sc-range-end>"


def test_a_file_of_26_fields_has_no_values_for_the_newer_ones(agents: UserAgents) -> None:
    names = FIELDS[:26]
    (values,) = table(read(gz(header(names), row(names)), agents)[1])
    assert values["fle_encrypted_fields"] == "<fle-encrypted-fields>"
    assert {values[name] for name in list(COLUMNS)[33:40]} == {"-"}


def test_appended_fields_are_found_by_name_and_strange_ones_ignored(agents: UserAgents) -> None:
    names = (*FIELDS[:26], "x-new", *FIELDS[26:], "x-newer")
    (values,) = table(read(gz(header(names), row(names)), agents)[1])
    assert values == table(read(gz(header(), row()), agents)[1])[0]


@given(st.permutations(FIELDS))
def test_any_order_of_fields_gives_the_same_row(agents: UserAgents, names: list[str]) -> None:
    assert read(gz(header(names), row(names)), agents)[1] == read(gz(header(), row()), agents)[1]


def test_a_given_order_serves_files_without_a_header(agents: UserAgents) -> None:
    names = ("cs-user-agent", "c-ip", "cs-host", "cs-referer", "cs-cookie", "timestamp")
    data = gz(f"{GPTBOT}\t192.0.2.1\texample.org\t-\tid=1\t1795464000.123\n".encode())
    (values,) = table(read(data, agents, layout=Layout(names))[1])
    assert (values["host"], values["cookie"], values["requestip"]) == ("example.org", "id=1", "192.0.2.1")
    assert (values["botcategory"], values["linenumber"]) == ("ai", "1")
    assert (values["logdate"], values["logtime"]) == ("2026-11-23", "20:00:00")


def test_a_header_in_the_middle_changes_the_order(agents: UserAgents) -> None:
    old = FIELDS[:26]
    log, rows = read(gz(header(old), row(old), header(), row(), header(old), row(old)), agents)
    assert log.rows == 3
    assert [values["sc_range_end"] for values in table(rows)] == ["-", "<sc-range-end>", "-"]
    assert [values["linenumber"] for values in table(rows)] == ["3", "6", "9"]


def test_rows_without_a_header_are_an_error(agents: UserAgents) -> None:
    with pytest.raises(NoHeaderError):
        read(gz(row()), agents)


@pytest.mark.parametrize("names", [(), ("anything", "at", "all"), ("c-ip", "sc-bytes"), ("time", "c-ip")])
def test_a_header_that_does_not_say_when_is_an_error(agents: UserAgents, names: tuple[str, ...]) -> None:
    """With rows or without: rows would hold nothing, or be in no view."""
    for rows in (b"", b"1\t2\t3\n"):
        with pytest.raises(UnknownFieldsError, match="line 2"):
            read(gz(header(names), rows), agents)


NOTHING = "\t".join("-" for _ in FIELDS).encode() + b"\n"


def test_rows_without_a_date_are_rejected_and_the_others_kept(agents: UserAgents) -> None:
    bad: list[Rejected] = []
    dated = row().replace(b"2026-11-22", b"2026/11/22")
    log, _ = read(gz(header(), row(), NOTHING, row(), dated, b"x" + row(), row()), agents, bad.append)
    assert (log.rows, log.rejected) == (3, 3)
    assert [(one.line, one.reason) for one in bad] == [
        (number, "no date of the request") for number in (4, 6, 7)
    ]


@pytest.mark.parametrize("order", [FIELDS, FIELDS[::-1]], ids=["our order", "another"])
def test_rows_of_a_long_file_are_checked_like_those_of_a_short_one(
    agents: UserAgents, order: tuple[str, ...]
) -> None:
    """Blocks without a header are read at once if their rows are in the library's order."""
    bad: list[Rejected] = []
    rows = [row(order, uri=f"/{number}") for number in range(900)]
    rows[300], rows[600] = NOTHING, rows[600].replace(b"2026-11-22", b"2026-13")
    log, written = read(gz(header(order), *rows), agents, bad.append, etag="e-1")
    assert (log.rows, [one.line for one in bad]) == (898, [303, 603])
    found = table(written)
    assert [values["uri"] for values in found] == [f"/{n}" for n in range(900) if n not in (300, 600)]
    assert [values["linenumber"] for values in found[-2:]] == ["901", "902"]
    assert {(values["etag"], values["filename"], values["isbot"]) for values in found} == {
        ("e-1", "logs/E1.gz", "False")
    }


@pytest.mark.parametrize("rows", [NOTHING * 3, b"a\tb\n", b"anything at all\n"])
def test_a_file_of_which_every_row_is_rejected_is_an_error(agents: UserAgents, rows: bytes) -> None:
    with pytest.raises(AllRejectedError):
        read(gz(header(), rows), agents)


@pytest.mark.parametrize("data", [b"", gz(), gz(header()), gz(b"#Version: 1.0\n")])
def test_a_file_without_rows_succeeds(agents: UserAgents, data: bytes) -> None:
    log, rows = read(data, agents)
    assert (rows, log.rows, log.rejected, log.partial) == (b"", 0, 0, False)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(gz(header(), row()) + gz(row()), id="two members"),
        pytest.param(gz(header(), row()) + bytes(70_000) + gz(row()) + bytes(512), id="zero padding"),
        pytest.param(gz(header(), row(), row()[:-1]), id="no last newline"),
        pytest.param(gz((header() + row() + row()).replace(b"\n", b"\r\n")), id="CRLF"),
        pytest.param(gz((header() + row() + row()).replace(b"\n", b"\r\n")[:-1]), id="CRLF cut in half"),
        pytest.param(gz(header(), row()[:100]) + gz(row()[100:], row()), id="a row across members"),
        pytest.param(gz(header(), b"\n", row(), b"\n", row(), b"\n"), id="blank lines"),
    ],
)
def test_every_row_is_read(agents: UserAgents, data: bytes) -> None:
    log, rows = read(data, agents)
    assert (log.rows, log.rejected, log.partial) == (2, 0, False)
    assert all(values["sc_range_end"] == "<sc-range-end>" for values in table(rows))


@pytest.mark.parametrize("inflater", ["isal", "zlib"])
def test_of_a_truncated_file_the_complete_lines_are_kept(
    agents: UserAgents, monkeypatch: pytest.MonkeyPatch, inflater: str
) -> None:
    if inflater == "zlib":
        monkeypatch.setattr(_gunzip, "_new_member", zlib.decompressobj)
        monkeypatch.setattr(_gunzip, "_Broken", zlib.error)
    noise = random.Random(1)
    content = header() + b"".join(row(uri=f"/{noise.randbytes(40).hex()}") for _ in range(500))
    whole = read(gz(content), agents)[1]
    data = gz(content)
    for size in (*range(1, len(data), 997), len(data) - 1):
        log, rows = read(data[:size], agents)
        assert log.partial, size
        assert log.rejected == 0
        assert whole.startswith(rows)
        assert rows.count(b"\n") == log.rows
    assert read(data[: len(data) - 1], agents)[1] == whole


@pytest.mark.parametrize("inflater", ["isal", "zlib"])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(header() + row(), id="plain text"),
        pytest.param(b"hi\n", id="short plain text"),
        pytest.param(gz(header(), row()) + b"rubbish", id="rubbish after a member"),
        pytest.param(gz(header(), row())[:-8] + bytes(8), id="wrong checksum"),
        pytest.param(b"\x1f\x8b\x08\x00" + bytes(6) + b"\xff" * 50, id="no deflate stream"),
    ],
)
def test_a_corrupt_file_is_an_error(
    agents: UserAgents, monkeypatch: pytest.MonkeyPatch, inflater: str, data: bytes
) -> None:
    if inflater == "zlib":
        monkeypatch.setattr(_gunzip, "_new_member", zlib.decompressobj)
        monkeypatch.setattr(_gunzip, "_Broken", zlib.error)
    with pytest.raises(CorruptLogError):
        read(data, agents)


def test_short_rows_are_counted_and_handed_out(agents: UserAgents) -> None:
    bad: list[Rejected] = []
    torn = row().rpartition(b"\t")[0] + b"\n"
    log, rows = read(gz(header(), row(), torn, b"x\n", row()), agents, bad.append)
    assert (log.rows, log.rejected) == (2, 2)
    assert [values["linenumber"] for values in table(rows)] == ["3", "6"]
    assert [(one.line, one.reason) for one in bad] == [
        (4, "32 fields instead of 33"),
        (5, "1 fields instead of 33"),
    ]
    assert bad[0].text == torn.decode()[:1_024].rstrip("\n")


def test_a_short_and_a_long_row_do_not_make_two_good_ones(agents: UserAgents) -> None:
    short, long = row().replace(b"\t", b" ", 2), row()[:-1] + b"\tx\ty\n"
    log, rows = read(gz(header(), short, long), agents)
    assert (log.rows, log.rejected) == (1, 1)
    assert table(rows)[0]["sc_range_end"] == "<sc-range-end>"


@pytest.mark.parametrize("excess", [1, 40_000, 3_000_000])
def test_rows_over_the_limit_are_counted_and_left_out(agents: UserAgents, excess: int) -> None:
    bad: list[Rejected] = []
    fits = row(uri="/" + "a" * (MAX_ROW + 1 - len(row())))
    assert len(fits) == MAX_ROW + 1  # with its newline
    long = row(uri="/" + "a" * (MAX_ROW + 1 - len(row()) + excess))
    data = gz(header(), long, b"\n", fits, long, long, row(), long[:-1])
    log, rows = read(data, agents, bad.append)
    assert (log.rows, log.rejected) == (2, 4)
    assert [one.line for one in bad] == [3, 6, 7, 9]
    assert {(one.reason, len(one.text)) for one in bad} == {("longer than 65536 bytes", 1_024)}
    assert [values["linenumber"] for values in table(rows)] == ["5", "8"]


def test_a_byte_that_is_not_utf_8_becomes_a_replacement_character(agents: UserAgents) -> None:
    log, rows = read(gz(header(), row(uri="/caf\0").replace(b"\0", b"\xe9"), row(uri="/café")), agents)
    assert log.rows == 2
    assert [values["uri"] for values in table(rows)] == ["/caf\N{REPLACEMENT CHARACTER}", "/café"]


def test_a_decoded_user_agent_cannot_break_a_row(agents: UserAgents) -> None:
    agent = "%0AEvil%09Browser%0D/1.0%20(compatible;%20Evil%0ABot/2.0;%09x)"
    (values,) = table(read(gz(header(), row(user_agent=agent)), agents)[1])
    assert values["useragent"] == agent


def test_a_key_cannot_break_a_row(agents: UserAgents) -> None:
    (values,) = table(read(gz(header(), row()), agents, filename="a\tb\nc.gz", etag="e-1")[1])
    assert (values["filename"], values["etag"]) == ("a%09b%0Ac.gz", "e-1")


VALUE = st.text(st.characters(exclude_characters="\t\n\r", codec="utf-8"), min_size=1, max_size=8)


@given(st.lists(st.lists(VALUE, min_size=33, max_size=33), max_size=8), st.booleans())
def test_fields_come_back_as_they_went_in(agents: UserAgents, rows: list[list[str]], private: bool) -> None:
    lines = ["\t".join(["2026-11-22", *values[1:]]).encode() + b"\n" for values in rows]
    options: dict[str, Any] = {"privacy": lambda value: value} if private else {}
    log, written = read(gz(header(), *lines), agents, **options)
    sources = [*list(COLUMNS)[:24], *list(COLUMNS)[31:40]]
    assert [[values[name] for name in sources] for values in table(written)] == [
        line.decode()[:-1].split("\t") for line in lines
    ]
    assert (log.rows, log.rejected) == (len(rows), 0)


@given(st.binary(max_size=3_000), st.integers(0, 3_000))
def test_damage_is_an_error_or_leaves_whole_rows(agents: UserAgents, noise: bytes, place: int) -> None:
    data = gz(header(), *(row(uri=f"/{number}") for number in range(50)))
    damaged = data[: place % len(data)] + noise + data[place % len(data) + len(noise) :]
    try:
        log, rows = read(damaged, agents)
    except AccessLogError:
        return
    assert len(table(rows)) == log.rows


def test_the_generator_s_truth_is_what_comes_out(agents: UserAgents) -> None:
    corpus = Corpus(4_000, rows_per_file=700, seed=7)
    found = [
        values
        for file in corpus.files()
        for values in table(read(file.body, agents, filename=file.key, distribution=file.key[11:25])[1])
    ]
    truth = corpus.truth
    assert len(found) == truth.rows == 4_000
    assert sum(values["isbot"] == "True" for values in found) == sum(truth.bot_requests.values())
    for category, count in truth.categories.items():
        assert sum(values["botcategory"] == category for values in found) == count, category
    assert len({(values["filename"], values["linenumber"]) for values in found}) == 4_000


def test_a_small_file_that_inflates_hugely_takes_little_memory() -> None:
    bomb = io.BytesIO(gzip.compress(b"a" * 50_000_000, 9))
    tracemalloc.start()
    try:
        size = sum(map(len, Gunzip(bomb)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == 50_000_000
    assert peak < 1_000_000


def test_the_file_is_only_read(agents: UserAgents) -> None:
    class Body:
        def __init__(self, data: bytes) -> None:
            self._data = io.BytesIO(data)

        def read(self, size: int) -> bytes:
            return self._data.read(min(size, 10))

    log = AccessLog(
        Body(gz(header(), row())),  # type: ignore[arg-type]  # a response body is no more than this
        filename="",
        distribution="",
        agents=agents,
    )
    assert len(list(log)) == 1
