"""Firehose's transformation: an answer for each record, whatever the one in the middle is."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from datagen.ec2_calls import Calls, broken, encoded, firehose_event, recorded
from ec2_monitor import shape
from ec2_monitor.documents import document, read


def shaped(
    records: list[bytes], capsys: pytest.CaptureFixture[str]
) -> tuple[list[Any], list[dict[str, Any]]]:
    """Return the answers' documents (or what else the result is), and what was logged."""
    event = firehose_event(records)
    answer = shape.handler(event, None)  # type: ignore[arg-type]  # it looks at no context
    assert [each["recordId"] for each in answer["records"]] == [each["recordId"] for each in event["records"]]
    found = [
        base64.b64decode(each["data"]) if each["result"] == "Ok" else each["result"]
        for each in answer["records"]
    ]
    return found, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_record_becomes_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    events = [*Calls(50, seed=1)]
    lines, _ = shaped([encoded(event) for event in events], capsys)
    assert [json.loads(line) for line in lines] == [document(event) for event in events]
    assert all(line.endswith(b"\n") for line in lines)


@pytest.mark.parametrize("kind", range(5))
def test_a_malformed_record_in_the_middle_fails_alone(
    kind: int, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    first, last = (encoded(event) for event in Calls(2, seed=2))
    found, _ = shaped([first, broken(kind), last], capsys)
    assert [json.loads(found[0]), json.loads(found[2])] == [document(read(first)), document(read(last))]
    assert found[1] == "ProcessingFailed"
    [warning] = caplog.records
    assert warning.__dict__["reason"]
    assert warning.__dict__["record_id"] == f"{1:056d}"


def test_what_no_one_foresaw_fails_alone_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [encoded(event) for event in Calls(3, seed=3)]
    awkward = read(records[1])["detail"]["eventID"]

    def fails(event: Any) -> Any:
        if event["detail"]["eventID"] == awkward:
            raise RuntimeError("a bug")
        return document(event)

    monkeypatch.setattr(shape, "document", fails)
    found, _ = shaped(records, capsys)
    assert [type(each) for each in found] == [bytes, str, bytes]


def metrics_of(logged: list[dict[str, Any]]) -> dict[str, float]:
    [line] = [line for line in logged if "_aws" in line]
    assert line["service"] == "unit-tests"
    return {name: line[name][0] for name in ("EventsShaped", "EventsMalformed", "InstancesTerminated")}


def test_metrics_count_events_and_instances_not_calls(capsys: pytest.CaptureFixture[str]) -> None:
    termination = encoded(recorded("calls")["TerminateInstances"])
    _, logged = shaped([termination, termination, broken(1), encoded(recorded("calls")["CreateVpc"])], capsys)
    assert metrics_of(logged) == {"EventsShaped": 3, "EventsMalformed": 1, "InstancesTerminated": 2}


def test_nothing_of_an_event_is_logged(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    _, logged = shaped([encoded(recorded("alerts")["root_call"]), broken(1), broken(3)], capsys)
    everything = json.dumps(logged) + "".join(str(record.__dict__) for record in caplog.records)
    assert "malformed" in everything
    assert "203.0.113" not in everything


def test_an_empty_batch_has_an_empty_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert shaped([], capsys)[0] == []


def test_what_has_no_room_in_the_answer_fails_and_smaller_records_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Lambda returns 6 MB: a batch of long documents must not fail as a whole."""
    event = recorded("calls")["CreateVpc"]
    long = event | {
        "detail": event["detail"] | {"requestParameters": {"a" * 900: {str(n): n for n in range(35)}}}
    }
    records = [encoded(long)] * 200 + [encoded(event)]
    found, _ = shaped(records, capsys)
    room = shape.MAX_ANSWER * 3 // 4
    assert sum(len(line) for line in found if isinstance(line, bytes)) <= room
    assert found.count("ProcessingFailed") > 0
    assert isinstance(found[-1], bytes)
