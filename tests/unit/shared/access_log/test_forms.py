"""Every form in which CloudFront delivers standard logs gives the same rows.

The forms are those of the CloudFront Developer Guide, "Configure standard logging (v2)": "JSON", "Plain",
"w3c", "Raw", "Parquet (Amazon S3 only)"; CreateDelivery's `fieldDelimiter` is "the field delimiter to use
between record fields when the final output format of a delivery is in Plain, W3C, or Raw format", of at most
five characters.
"""

import io
import json
import random
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.cloudfront_logs import Corpus
from shared.access_log import (
    FIELDS,
    MAX_ROW,
    AllRejectedError,
    CorruptLogError,
    Gunzip,
    Layout,
    NoHeaderError,
    Rejected,
    UnknownFieldsError,
    UserAgents,
    _parquet,
)
from tests.unit.shared.access_log.logs import gz, header, read, row, table

# A file of 50 rows of the corpus, which pyarrow 26 wrote, compressed by Snappy as Athena's table of such logs
# expects (Athena User Guide, "Create a table for CloudFront logs in Athena using manual partitioning with
# Parquet"); that table has the names of its columns.
PARQUET = (Path(__file__).parent / "v2.parquet").read_bytes()
CORPUS = next(Corpus(50, rows_per_file=50, bot_share=0.9).files()).body
ROWS = [line.split("\t") for line in b"".join(Gunzip(io.BytesIO(CORPUS))).decode().split("\n")[2:-1]]


def rows_of(data: bytes, agents: UserAgents, **options: object) -> list[dict[str, str]]:
    """What was read, without the numbers of lines: headers differ."""
    rejected: list[Rejected] = []
    log, rows = read(data, agents, rejected.append, **options)
    assert rejected == []
    assert not log.partial
    return [values | {"linenumber": ""} for values in table(rows)]


def text(delimiter: str, head: str = "#Version: 1.0\n#Fields: ", between: str = " ") -> bytes:
    lines = [head + between.join(FIELDS), *(delimiter.join(values) for values in ROWS)]
    return gz(("\n".join(lines) + "\n").encode())


# User agents hold commas and semicolons, which CloudFront does not encode.
DELIMITERS = ["\t", " ", "|", " | ", "||", "\x01", "^^^", "<->"]


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("head", ["#Version: 1.0\n#Fields: ", "#Fields: ", "#Fields:", ""])
def test_text_is_read_whatever_its_delimiter_and_header(
    agents: UserAgents, delimiter: str, head: str
) -> None:
    expected = rows_of(CORPUS, agents)
    assert len(expected) == 50
    for between in {" ", delimiter}:
        assert rows_of(text(delimiter, head, between), agents) == expected


def test_text_without_a_header_is_read_in_the_given_order(agents: UserAgents) -> None:
    for delimiter in DELIMITERS:
        lines = "".join(delimiter.join(values) + "\n" for values in ROWS)
        found = rows_of(gz(lines.encode()), agents, layout=Layout(FIELDS))
        assert found == rows_of(CORPUS, agents)


def test_a_header_wins_over_a_given_order(agents: UserAgents) -> None:
    found = rows_of(text("\t", ""), agents, layout=Layout(FIELDS[::-1]))
    assert found == rows_of(CORPUS, agents)


@pytest.mark.parametrize("order", [FIELDS, FIELDS[::-1]])
def test_json_is_read(agents: UserAgents, order: tuple[str, ...]) -> None:
    records = [dict(zip(FIELDS, values, strict=True)) for values in ROWS]
    lines = "".join(json.dumps({name: record[name] for name in order}) + "\n" for record in records)
    assert rows_of(gz(lines.encode()), agents) == rows_of(CORPUS, agents)


def test_parquet_is_read(agents: UserAgents) -> None:
    found = rows_of(PARQUET, agents)
    assert found == rows_of(CORPUS, agents)
    assert [values["linenumber"] for values in table(read(PARQUET, agents)[1])] == [
        str(number) for number in range(1, 51)
    ]


# "Example access log sent to Amazon S3"
EXAMPLE = """#Fields: date time x-edge-location asn timestamp(ms) x-host-header cs(Cookie)
2024-11-14\t22:30:25\tSOF50-P2\t16509\t1731623425421\td111111abcdef8.cloudfront.net\texamplecookie=value2
"""
# "Example access log sent to Firehose"
JSON_EXAMPLE = (
    '{"date":"2024-11-15","time":"19:45:51","x-edge-location":"SOF50-P2","asn":"16509",'
    '"timestamp(ms)":"1731699951183","origin-fbl":"0.254","origin-lbl":"0.254",'
    '"x-host-header":"d111111abcdef8.cloudfront.net","cs(Cookie)":"examplecookie=value"}\n'
)


@pytest.mark.parametrize(
    ("example", "date", "time", "cookie"),
    [
        (EXAMPLE, "2024-11-14", "22:30:25", "examplecookie=value2"),
        (JSON_EXAMPLE, "2024-11-15", "19:45:51", "examplecookie=value"),
    ],
)
def test_the_documentations_examples(
    agents: UserAgents, example: str, date: str, time: str, cookie: str
) -> None:
    [values] = rows_of(gz(example.encode()), agents)
    assert (values["logdate"], values["logtime"], values["location"]) == (date, time, "SOF50-P2")
    assert (values["header"], values["cookie"]) == ("d111111abcdef8.cloudfront.net", cookie)
    assert (values["requestip"], values["isbot"]) == ("-", "False")


@pytest.mark.parametrize("names", [("timestamp(ms)", "c-ip"), ("time", "timestamp(ms)", "c-ip")])
def test_a_timestamp_stands_for_date_and_time(agents: UserAgents, names: tuple[str, ...]) -> None:
    """The documentation's own example has all three: 1731623425421 is 2024-11-14 22:30:25."""
    given = {"timestamp(ms)": "1731623425421", "c-ip": "192.0.2.1", "time": "-"}
    line = "\t".join(given[name] for name in names).encode() + b"\n"
    [values] = rows_of(gz(header(names), line), agents)
    assert (values["logdate"], values["logtime"], values["requestip"]) == (
        "2024-11-14",
        "22:30:25",
        "192.0.2.1",
    )


def test_rows_that_a_delimiter_divides_otherwise_are_rejected(agents: UserAgents) -> None:
    """A comma may be in a user agent: no rule tells which of more fields is which."""
    bad: list[Rejected] = []
    values = ["2026-11-22", "10:00:00", "192.0.2.1", "curl/8"]
    names = ("date", "time", "c-ip", "cs(User-Agent)")
    lines = [values, [*values[:3], "(KHTML,%20like%20Gecko)"], values[:3], values]
    data = gz(header(names), "".join(",".join(line) + "\n" for line in lines).encode())
    _, rows = read(data, agents, bad.append)
    assert [found["useragent"] for found in table(rows)] == ["curl/8", "curl/8"]
    assert [(one.line, one.reason) for one in bad] == [
        (4, "5 fields instead of 4"),
        (5, "3 fields instead of 4"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("no JSON", "not JSON"),
        ("[1]", "not a JSON object"),
        ("[" * 50_000, "not JSON"),
        ('{"c-ip": "192.0.2.1"}', "neither date nor timestamp(ms)"),
        ('{"nothing": "that is known"}', "neither date nor timestamp(ms)"),
        ('{"date": null, "c-ip": "192.0.2.1"}', "no date of the request"),
        ('{"timestamp(ms)": "soon"}', "the timestamp is not a number"),
        ('{"timestamp(ms)": 1e300}', "the timestamp is not a number"),
    ],
)
def test_lines_that_are_no_record_are_rejected(agents: UserAgents, line: str, reason: str) -> None:
    bad: list[Rejected] = []
    log, _ = read(gz(JSON_EXAMPLE.encode(), line.encode(), b"\n", JSON_EXAMPLE.encode()), agents, bad.append)
    assert (log.rows, [(one.line, one.reason) for one in bad]) == (2, [(2, reason)])
    start = line if line.startswith("{") else f"{{}}\n{line}"
    with pytest.raises(AllRejectedError):
        read(gz(f"{start}\n".encode()), agents)


def test_values_of_json_cannot_break_a_row(agents: UserAgents) -> None:
    record = {"date": "2026-11-22", "cs-uri-stem": "/a\tb\nc\r", "sc-status": 200, "cs(Referer)": None}
    record |= {
        "cs(User-Agent)": "half \ud83d",
        "cs(Cookie)": {"a": [1]},
        "time-taken": 0.5,
        "cs-uri-query": "",
    }
    [values] = rows_of(gz(json.dumps(record).encode()), agents)
    assert (values["uri"], values["status"], values["timetaken"]) == ("/a%09b%0Ac%0D", "200", "0.5")
    assert (values["referrer"], values["uriquery"], values["useragent"]) == ("-", "-", "half ?")
    assert values["cookie"] == '{"a": [1]}'


FIELD = st.text(st.characters(codec="utf-8"), max_size=6)


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), FIELD | st.none() | st.integers()), max_size=5))
def test_any_json_gives_whole_rows(agents: UserAgents, records: list[dict[str, object]]) -> None:
    lines = "".join(json.dumps(record | {"date": "2026-11-22"}) + "\n" for record in records)
    log, rows = read(gz(lines.encode()), agents)
    assert len(table(rows)) == log.rows == len(records)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (PARQUET[:-1], CorruptLogError),
        (PARQUET[:4], CorruptLogError),
        (PARQUET[:400] + bytes(4_000) + PARQUET[4_400:], CorruptLogError),
        (b"PAR2" + PARQUET[4:], CorruptLogError),
        (b"ORC" + PARQUET, CorruptLogError),
        (gz(PARQUET), NoHeaderError),
        (gz(b"{\n"), AllRejectedError),
        (gz(b"2026-11-22\t10:00:00\n"), NoHeaderError),
        (gz(b"name size\nof anything\n"), NoHeaderError),
        (gz(b"c-ip sc-bytes\n192.0.2.1 5\n"), NoHeaderError),
        (gz(b"#Fields: c-ip sc-bytes\n192.0.2.1 5\n"), UnknownFieldsError),
    ],
)
def test_what_is_no_log_is_an_error(agents: UserAgents, data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read(data, agents)


def parquet(path: Path, query: str) -> bytes:
    """What DuckDB writes of a query."""
    duckdb.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


def test_parquet_of_other_types_is_read(agents: UserAgents, tmp_path: Path) -> None:
    query = """SELECT DATE '2026-11-22' AS "date", 200 AS sc_status, NULL AS cs_referer, 0.5 AS time_taken,
        1731623425421 AS timestamp_ms, 'a\tb' AS cs_uri_stem, [1] AS asn"""
    [values] = rows_of(parquet(tmp_path / "log", query), agents)
    assert (values["logdate"], values["logtime"]) == ("2024-11-14", "22:30:25")
    assert (values["status"], values["referrer"], values["timetaken"]) == ("200", "-", "0.5")
    assert "\t" not in values["uri"]


def test_parquet_without_rows_is_a_success_and_without_a_date_an_error(
    agents: UserAgents, tmp_path: Path
) -> None:
    empty = parquet(tmp_path / "empty", "SELECT '2026-11-22' AS \"date\" WHERE false")
    assert rows_of(empty, agents) == []
    for rows in ("WHERE false", ""):
        undated = parquet(tmp_path / "undated", f"SELECT '192.0.2.1' AS c_ip {rows}")
        with pytest.raises(UnknownFieldsError):
            read(undated, agents)


def test_a_long_row_of_parquet_is_rejected(agents: UserAgents, tmp_path: Path) -> None:
    bad: list[Rejected] = []
    query = """SELECT '2026-11-22' AS "date", repeat('x', size) AS cs_uri_stem
        FROM (VALUES (1), (65536), (2)) AS sizes (size)"""
    assert MAX_ROW == 65_536
    log, rows = read(parquet(tmp_path / "log", query), agents, bad.append)
    assert [values["linenumber"] for values in table(rows)] == ["1", "3"]
    assert [(one.line, one.reason, len(one.text)) for one in bad] == [
        (2, f"longer than {MAX_ROW} characters", 1_024)
    ]
    assert log.rows == 2


def test_a_huge_parquet_file_is_refused(agents: UserAgents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_parquet, "_MAX_FILE", len(PARQUET) - 1)
    with pytest.raises(CorruptLogError, match="more than"):
        read(PARQUET, agents)


def test_damaged_parquet_is_an_error_or_whole_rows(agents: UserAgents) -> None:
    noise = random.Random(1)
    for _ in range(150):
        damaged = bytearray(PARQUET)
        for _ in range(noise.randrange(1, 5)):
            damaged[noise.randrange(4, len(damaged))] = noise.randrange(256)
        try:
            log, rows = read(bytes(damaged), agents)
        except (CorruptLogError, UnknownFieldsError, AllRejectedError):
            continue
        assert len(table(rows)) == log.rows


def test_an_order_of_fields_is_found_in_any_spelling(agents: UserAgents) -> None:
    names = [name.replace("(", "_").replace(")", "").replace("-", "_").lower() for name in FIELDS]
    assert rows_of(gz(header(names), row()), agents) == rows_of(gz(header(), row()), agents)
