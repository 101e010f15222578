"""From an object's key to its partition."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access_logs.partitions import KEYS, WHOLE, PartitionType, parse_type, partition_of

NAME = "suite-1-2017-05-15-10-00-00-059f36b4.gz"


@pytest.mark.parametrize(
    ("kind", "spec", "path", "values"),
    [
        ("ALL", 'year="2017"; month="05"; day="15"; hour="10"', "2017/05/15/10/", ("2017", "05", "15", "10")),
        (
            "Hour",
            'year="2017"; month="05"; day="15"; hour="10"',
            "2017/05/15/10/",
            ("2017", "05", "15", "10"),
        ),
        ("Date", 'year="2017"; month="05"; day="15"', "2017/05/15/", ("2017", "05", "15", WHOLE)),
        ("Month", 'year="2017"; month="05"', "2017/05/", ("2017", "05", WHOLE, WHOLE)),
        ("Year", 'year="2017"', "2017/", ("2017", WHOLE, WHOLE, WHOLE)),
    ],
)
def test_partition_is_as_fine_as_its_type(kind: str, spec: str, path: str, values: tuple[str, ...]) -> None:
    assert partition_of(f"2017/05/15/10/{NAME}", parse_type(kind)) == (spec, path, values)


@given(st.integers(min_value=0, max_value=8_000_000))
def test_every_hour_that_firehose_writes_has_a_partition(hours: int) -> None:
    moment = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    key = f"{moment:%Y/%m/%d/%H}/{NAME}"
    partition = partition_of(key, PartitionType.ALL)
    assert partition is not None
    assert key.startswith(partition.path)
    assert "/".join(partition.values) + "/" == partition.path
    assert len(partition.values) == len(KEYS)


@pytest.mark.parametrize(
    "key",
    [
        "errors/rows/cf/log.gz.jsonl", "quarantine/2017/05/15/10/log.gz", "results/1.csv",
        "2017/05/15/rows.gz", "2017/13/15/10/rows.gz", "2017/00/15/10/rows.gz", "2017/05/32/10/rows.gz",
        "2017/05/15/24/rows.gz", "2017/05/15/10/", "2017/05/15/10/deeper/rows.gz",
        "prefix/2017/05/15/10/rows.gz", "2017/5/15/10/rows.gz",
    ],
)  # fmt: skip
def test_other_keys_belong_to_no_partition(key: str) -> None:
    assert partition_of(key, PartitionType.ALL) is None


def test_unknown_type_is_named_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match="ALL, Hour, Date, Month, Year"):
        parse_type("Minute")
