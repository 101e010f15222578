# ruff: noqa: S608 - queries with keys that the tests made
"""Every row of the contract's table of bad input, through the log bucket."""

from __future__ import annotations

import gzip
import json
import zlib

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
    assert logs.objects("quarantine/") == [f"quarantine/{key}"]
    problem: str = logs.s3.head_object(Bucket=logs.rows_bucket, Key=f"quarantine/{key}")["Metadata"][
        "problem"
    ]
    return problem


def rejected(logs: Logs, key: str) -> list[dict[str, object]]:
    """The error rows of a log."""
    return [json.loads(row) for row in logs.read(f"errors/rows/{key}.jsonl").splitlines()]


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
    assert logs.read(f"quarantine/{key}") == part
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


def test_a_message_that_is_no_notification_ends_in_the_dead_letter_queue(suite: Suite, logs: Logs) -> None:
    logs.sqs.send_message(QueueUrl=suite["AccessLogsQueueUrl"], MessageBody="[1]")
    good = logs.upload(HEADER + line(1))
    settled_message = wait_until(logs.dead, seconds=40, what="the dead letter")
    assert [message["Body"] for message in settled_message] == ["[1]"]
    settled(logs, good, 1)


def test_a_log_whose_name_is_not_cloudfronts_has_no_distribution(suite: Suite, logs: Logs) -> None:
    key = logs.upload(HEADER + line(1), f"{a_key()}-renamed/access.log.gz")
    settled(logs, key, 1)
    assert ask(suite, f"SELECT distribution FROM cf_logs_by_request {where(key)}") == [("-",)]
