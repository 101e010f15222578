# ruff: noqa: S608 - queries with keys that the tests made
"""Every row of the contract's table of bad input, through the log bucket."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from datagen.cloudfront_logs import FIELDS
from local.suite import Suite
from tests.support.athena import ask
from tests.support.waiting import wait_until

from .conftest import HEADER, Logs, a_key, line, lines

TEN = HEADER + lines(10)


def settled(logs: Logs, key: str, rows: int) -> None:
    """The log of that key gave so many rows, and its message is consumed."""
    if rows:
        logs.wait_rows(rows, f"filename = '{key}'")
    else:
        logs.wait_idle()
        assert logs.count("cf_logs_unique", f"filename = '{key}'") == 0


def quarantined(logs: Logs, key: str) -> str:
    """What the quarantine says about a log."""
    [name] = logs.objects("quarantine/")
    assert name == f"quarantine/{key}.{logs.etag(key)}"
    said = logs.s3.head_object(Bucket=logs.rows_bucket, Key=name)["Metadata"]
    assert said["reason"]
    return str(said["problem"])


def rejected(logs: Logs, key: str) -> list[dict[str, object]]:
    """The error rows of a log."""
    name = f"errors/rows/{key}.{logs.etag(key)}.jsonl"
    return [json.loads(row) for row in logs.read(name).splitlines()]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("several members", gzip.compress((HEADER + lines(4)).encode()) + gzip.compress(
            "".join(line(number) for number in range(5, 11)).encode())),
        ("zero padding", gzip.compress(TEN.encode()) + bytes(4_096)),
        ("no last newline", gzip.compress(TEN.rstrip("\n").encode())),
        ("CRLF", gzip.compress(TEN.replace("\n", "\r\n").encode())),
    ],
)  # fmt: skip
def test_unusual_files_keep_every_row(suite: Suite, logs: Logs, name: str, body: bytes) -> None:
    key = logs.upload(body)
    settled(logs, key, 10)
    found = ask(
        suite, f"SELECT sum(bytes), min(sc_range_end), max(sc_range_end) FROM cf_logs_by_request {where(key)}"
    )
    assert found == [("55", "-", "-")]
    assert logs.objects("quarantine/") == logs.objects("errors/") == []


def where(key: str) -> str:
    return f"WHERE filename = '{key}'"


@pytest.mark.parametrize(("name", "body"), [("empty", b""), ("header only", gzip.compress(HEADER.encode()))])
def test_a_file_without_rows_is_a_success(logs: Logs, name: str, body: bytes) -> None:
    before = logs.metric("ObjectsTaken")
    key = logs.upload(body)
    wait_until(lambda: logs.metric("ObjectsTaken") == before + 1, what="the log to be taken")
    settled(logs, key, 0)
    assert logs.objects("quarantine/") == logs.objects("2") == []


def test_a_truncated_file_keeps_its_complete_lines_and_goes_into_quarantine(logs: Logs) -> None:
    before = logs.metric("ObjectsQuarantined")
    text = HEADER + lines(5_000)
    whole = gzip.compress(text.encode())
    part = whole[: len(whole) // 2]
    complete = zlib.decompressobj(31).decompress(part).count(b"\n") - HEADER.count("\n")
    key = logs.upload(part)
    settled(logs, key, complete)
    assert quarantined(logs, key) == "TruncatedLog"
    assert logs.read(f"quarantine/{key}.{logs.etag(key)}") == part
    assert logs.count("cf_logs", f"filename = '{key}'") == complete, "sent once: there is no retry loop"
    wait_until(lambda: logs.metric("ObjectsQuarantined") == before + 1, what="the alarm's metric")


@pytest.mark.parametrize("name", ["plain text", "damaged", "wrong checksum", "no header"])
def test_a_file_that_is_no_log_is_quarantined_and_fires_the_alarm(
    suite: Suite, logs: Logs, name: str
) -> None:
    before = logs.metric("ObjectsQuarantined")
    whole = gzip.compress(TEN.encode())
    body, rows, problem = {
        "plain text": (TEN.encode(), 0, "CorruptLogError"),
        "damaged": (
            gzip.compress(TEN.encode()) + gzip.compress(b"x")[:12] + b"\xff" * 40,
            10,
            "CorruptLogError",
        ),
        "wrong checksum": (whole[:-8] + bytes(4) + whole[-4:], None, "CorruptLogError"),
        "no header": (gzip.compress(lines(3).encode()), 0, "NoHeaderError"),
    }[name]
    key = logs.upload(body)
    wait_until(lambda: logs.metric("ObjectsQuarantined") == before + 1, what="the alarm's metric")
    if rows is not None:
        settled(logs, key, rows)
    logs.wait_idle()
    assert quarantined(logs, key) == problem


def test_the_quarantine_alarm_goes_off(suite: Suite, logs: Logs) -> None:
    logs.upload(b"plain text")
    alarms = suite.client("cloudwatch")

    def state() -> bool:
        found = alarms.describe_alarms(AlarmNamePrefix="suite-local-AccessLogsQuarantine")["MetricAlarms"]
        return [alarm["StateValue"] for alarm in found] == ["ALARM"]

    wait_until(state, seconds=30, what="the alarm")


def test_short_and_oversize_rows_are_written_with_line_and_reason_and_the_others_kept(logs: Logs) -> None:
    before = logs.metric("RowsRejected")
    short = "\t".join(line(2).split("\t")[:20]) + "\n"
    long = line(3, **{"cs-uri-query": "q" * 70_000})
    key = logs.upload(HEADER + line(1) + short + long + line(4))
    settled(logs, key, 2)
    rows = rejected(logs, key)
    assert [(row["filename"], row["line"], row["reason"]) for row in rows] == [
        (key, 4, "20 fields instead of 33"),
        (key, 5, "longer than 65536 bytes"),
    ]
    assert short.startswith(str(rows[0]["text"])[:100])
    wait_until(lambda: logs.metric("RowsRejected") == before + 2, what="the metric")
    assert logs.objects("quarantine/") == []


def test_fields_that_were_appended_or_moved_are_mapped_by_name(suite: Suite, logs: Logs) -> None:
    names = ["x-new-field", *reversed(FIELDS), "x-other"]
    values = ["new", *reversed(line(9).rstrip("\n").split("\t")), "other"]
    key = logs.upload(f"#Version: 1.0\n#Fields: {' '.join(names)}\n" + "\t".join(values) + "\n")
    settled(logs, key, 1)
    columns = (
        "location, bytes, requestip, uri, status, timetaken, browserfamily, isbot, linenumber, sc_range_end"
    )
    assert ask(suite, f"SELECT {columns} FROM cf_logs_by_request {where(key)}") == [
        ("FRA56-P7", "9", "198.51.100.7", "/page-9", "200", "0.125", "curl", "True", "3", "-")
    ]


def test_a_byte_that_is_no_utf8_is_replaced_and_its_row_kept(suite: Suite, logs: Logs) -> None:
    body = (HEADER + line(1, **{"cs(Referer)": "caf#"})).encode().replace(b"caf#", b"caf\xe9")
    key = logs.upload(gzip.compress(body))
    settled(logs, key, 1)
    assert ask(suite, f"SELECT referrer FROM cf_logs_by_request {where(key)}") == [("caf�",)]


@pytest.mark.parametrize("queue", ["", "Rows"])
def test_a_message_that_is_no_notification_is_dead_lettered_with_the_reason(
    suite: Suite, logs: Logs, queue: str
) -> None:
    logs.sqs.send_message(QueueUrl=suite[f"AccessLogs{queue}QueueUrl"], MessageBody="[1]")
    good = logs.upload(HEADER + line(1))
    dead = partial(logs.dead, f"AccessLogs{queue}DeadLetterQueueUrl")
    [message] = wait_until(dead, seconds=40, what="the dead letter")
    assert message["Body"] == "[1]"
    assert reason(message) == "the message is not an S3 notification"
    settled(logs, good, 1)


def reason(message: dict[str, Any]) -> str:
    """Why a message was dead-lettered."""
    return str(message["MessageAttributes"]["reason"]["StringValue"])


def test_a_log_that_is_gone_is_dead_lettered_at_once_and_the_others_are_taken(logs: Logs) -> None:
    good = logs.upload(HEADER + lines(3))
    logs.notify(a_key("gone"), good, etag=logs.etag(good))
    [message] = wait_until(logs.dead, seconds=40, what="the dead letter")
    assert reason(message) == "the object was deleted before it was read"
    settled(logs, good, 3)


def test_a_log_whose_name_is_not_cloudfronts_has_no_distribution(suite: Suite, logs: Logs) -> None:
    key = logs.upload(HEADER + line(1), f"{a_key()}-renamed/access.log.gz")
    settled(logs, key, 1)
    assert ask(suite, f"SELECT distribution FROM cf_logs_by_request {where(key)}") == [("-",)]


# ---------------------------------------------------------------------------- standard logging (v2)

RECORDS = [dict(zip(FIELDS, row.split("\t"), strict=True)) for row in lines(10).splitlines()]


def joined(delimiter: str, between: str, head: str = "#Fields: ") -> bytes:
    rows = [head + between.join(FIELDS), *(delimiter.join(record.values()) for record in RECORDS)]
    return gzip.compress(("\n".join(rows) + "\n").encode())


def json_lines() -> bytes:
    return gzip.compress("".join(json.dumps(record) + "\n" for record in RECORDS).encode())


def parquet(path: Path) -> bytes:
    """The records, with the names of columns that the Athena User Guide gives for such logs."""
    source, target = path / "records.json", path / "records.parquet"
    source.write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    columns = ", ".join(
        f'"{name}"::varchar AS "{name.replace("(", "_").replace(")", "").replace("-", "_").lower()}"'
        for name in FIELDS
    )
    duckdb.execute(
        f"COPY (SELECT {columns} FROM read_ndjson('{source}', convert_strings_to_integers = false)) "
        f"TO '{target}' (FORMAT parquet, COMPRESSION snappy)"
    )
    return target.read_bytes()


HIVE = "AWSLogs/aws-account-id=123456789012/CloudFront/DistributionId=E1TESTLOGS/year=2026/"


@pytest.mark.parametrize(
    ("form", "prefix", "suffix"),
    [
        ("w3c, tabs", "AWSLogs/123456789012/CloudFront/", ".gz"),
        ("w3c, spaces", "MyLogPrefix/myFolderA/2026/11/27/10/", ".gz"),
        ("w3c, pipes", HIVE, ".gz"),
        ("plain", HIVE, ".gz"),
        ("json", HIVE, ".gz"),
        ("json", HIVE, ".json.gz"),
        ("parquet", HIVE, ".parquet"),
        ("parquet", HIVE, ".gz"),
    ],
)
def test_every_form_of_standard_logging_v2_is_read(
    suite: Suite, logs: Logs, tmp_path: Path, form: str, prefix: str, suffix: str
) -> None:
    body = {
        "w3c, tabs": joined("\t", " "),
        "w3c, spaces": joined(" ", " "),
        "w3c, pipes": joined("|", "|"),
        "plain": joined("\t", "\t", head=""),
        "json": json_lines(),
        "parquet": parquet(tmp_path),
    }[form]
    key = logs.upload(body, f"{prefix}{a_key().rpartition('/')[2].removesuffix('.gz')}{suffix}")
    settled(logs, key, 10)
    columns = "sum(bytes), min(distribution), min(browserfamily), min(uri), max(requesthour), min(timetaken)"
    assert ask(suite, f"SELECT {columns} FROM cf_logs_by_request {where(key)}") == [
        ("55", "E1TESTLOGS", "curl", "/page-1", RECORDS[0]["time"][:2], "0.125")
    ]
    assert logs.objects("quarantine/") == logs.objects("errors/") == []


NOTHING = "\t".join("-" for _ in FIELDS) + "\n"


@pytest.mark.parametrize(
    ("body", "key", "problem"),
    [
        ("#Version: 1.0\n#Fields:\nanything at all\n", "", "UnknownFieldsError"),
        ("#Version: 1.0\n#Fields: c-ip sc-bytes\n192.0.2.1\t5\n", "", "UnknownFieldsError"),
        (HEADER + NOTHING * 3, "", "AllRejectedError"),
        (HEADER + "short\n", "", "AllRejectedError"),
        ('{"c-ip": "192.0.2.1"}\n', "", "AllRejectedError"),
        (b"notes of somebody", "notes.txt", "CorruptLogError"),
        (b"PAR1 and no more", "AWSLogs/log.parquet", "CorruptLogError"),
        (b"not empty", "cf/", "CorruptLogError"),
    ],
)
def test_an_object_of_which_nothing_is_read_is_quarantined(
    logs: Logs, body: bytes | str, key: str, problem: str
) -> None:
    before = logs.metric("ObjectsQuarantined")
    name = logs.upload(body, key)
    wait_until(lambda: logs.metric("ObjectsQuarantined") == before + 1, what="the alarm's metric")
    settled(logs, name, 0)
    assert quarantined(logs, name) == problem


def test_the_alarm_of_rejected_rows_goes_off(suite: Suite, logs: Logs) -> None:
    logs.upload(HEADER + line(1) + "short\n")

    def state() -> bool:
        found = suite.client("cloudwatch").describe_alarms(AlarmNamePrefix="suite-local-AccessLogsRejected")
        return [alarm["StateValue"] for alarm in found["MetricAlarms"]] == ["ALARM"]

    wait_until(state, seconds=30, what="the alarm")


# ---------------------------------------------------------------------------- overwritten objects


def test_an_overwritten_object_has_the_rows_of_both_contents_whole(suite: Suite, logs: Logs) -> None:
    """Never a mix: each content is a log of its own, by its ETag."""
    key = logs.upload(HEADER + lines(10))
    settled(logs, key, 10)
    first = logs.etag(key)
    logs.upload(HEADER + "".join(line(number) for number in range(100, 104)), key)
    settled(logs, key, 14)
    second = logs.etag(key)
    for _ in range(2):
        logs.notify(key)
    logs.notify(key, etag=first)
    logs.wait_idle()
    for view in ("cf_logs_by_request", "cf_logs_unique"):
        found = ask(
            suite, f"SELECT etag, count(*), sum(bytes) FROM {view} {where(key)} GROUP BY 1 ORDER BY 2"
        )
        assert found == [(second, "4", "406"), (first, "10", "55")], "a redelivery changes nothing"


def test_an_object_overwritten_before_it_was_read_is_its_new_content_alone(logs: Logs) -> None:
    before = logs.metric("ObjectsReplaced")
    key = logs.upload(HEADER + lines(3))
    logs.notify(key, etag="0" * 32)
    settled(logs, key, 3)
    wait_until(lambda: logs.metric("ObjectsReplaced") == before + 1, what="the metric")
    assert logs.objects("quarantine/") == []


def test_content_that_comes_back_after_another_is_read(logs: Logs) -> None:
    """Its first notification found the other one there: that is not the end of it."""
    returning = gzip.compress((HEADER + lines(4)).encode(), mtime=0)
    before = logs.metric("ObjectsReplaced")
    key = logs.upload(HEADER + lines(3))
    settled(logs, key, 3)
    logs.notify(key, etag=hashlib.md5(returning, usedforsecurity=False).hexdigest())
    wait_until(lambda: logs.metric("ObjectsReplaced") == before + 1, what="the metric")
    logs.upload(returning, key)
    settled(logs, key, 7)


def test_both_bad_contents_of_an_overwritten_object_are_kept(logs: Logs) -> None:
    names = []
    for body in (b"one", b"another"):
        key = logs.upload(body, "cf/overwritten.gz")
        names.append(f"quarantine/{key}.{logs.etag(key)}")
        wait_until(lambda: names[-1] in logs.objects("quarantine/"), seconds=30, what="the copy")
    assert [logs.read(name) for name in names] == [b"one", b"another"]
