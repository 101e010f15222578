"""What the functions take from their environment and from keys."""

from __future__ import annotations

import pytest

from access_logs.settings import PartitionSettings, PreprocessSettings
from access_logs.storage import distribution_of
from shared.settings import SettingsError


def test_every_missing_or_wrong_variable_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        PreprocessSettings.from_env(
            {"STREAM": "s", "VIEWER_ADDRESS": "drop", "RETRY_SECONDS": "0", "FIELDS": "c-ip"}
        )
    assert [problem.split()[0].rstrip(":") for problem in caught.value.problems] == [
        "PROCESSED_BUCKET", "LEDGER_TABLE", "DEAD_LETTER_QUEUE_URL", "VIEWER_ADDRESS", "RETRY_SECONDS",
        "FIELDS",
    ]  # fmt: skip
    with pytest.raises(SettingsError, match="PARTITION_TYPE: must be one of"):
        PartitionSettings.from_env(
            {"LOOKUP_TABLE": "l", "DATABASE": "d", "TABLE": "t", "PARTITION_TYPE": "Day"}
        )


@pytest.mark.parametrize(
    ("key", "distribution"),
    [
        ("cf/E2EXAMPLE1ABCD.2026-11-22-20.1a2b3c4d.gz", "E2EXAMPLE1ABCD"),
        ("E2EXAMPLE1ABCD.2026-11-22-20.1a2b3c4d.gz", "E2EXAMPLE1ABCD"),
        ("a.b/c d/E2EXAMPLE1ABCD.2026-11-22-20.1a2b3c4d.gz", "E2EXAMPLE1ABCD"),
        ("AWSLogs/123456789012/CloudFront/E2EXAMPLE1ABCD.2026-11-22-20.1a2b3c4d.gz", "E2EXAMPLE1ABCD"),
        (
            "AWSLogs/aws-account-id=1/CloudFront/DistributionId=E2EXAMPLE1ABCD/year=2026/a.gz",
            "E2EXAMPLE1ABCD",
        ),
        ("distributionid=E2EXAMPLE1ABCD/a.parquet", "E2EXAMPLE1ABCD"),
        ("notdistributionid=E2EXAMPLE1ABCD/a.parquet", "-"),
        ("cf/access.log.gz", "-"),
        ("cf/.2026-11-22-20.1a2b3c4d.gz", "-"),
        ("E2EXAMPLE1ABCD.2026-11-22-20.1a2b3c4d.gz/other.gz", "-"),
    ],
)
def test_distribution_is_what_cloudfront_put_before_the_hour(key: str, distribution: str) -> None:
    assert distribution_of(key) == distribution


def test_fields_of_logs_without_a_header_are_optional() -> None:
    needed = dict.fromkeys(("STREAM", "PROCESSED_BUCKET", "LEDGER_TABLE", "DEAD_LETTER_QUEUE_URL"), "x")
    assert PreprocessSettings.from_env(needed | {"FIELDS": ""}).fields == ()
    assert PreprocessSettings.from_env(needed | {"FIELDS": "date, c-ip"}).fields == ("date", "c-ip")
