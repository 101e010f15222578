"""The order of a real-time record's fields, against CloudFront's documentation."""

import re

import pytest

from datagen.cloudfront_logs import REALTIME_FIELDS as GENERATED
from ops.paths import ROOT
from ops.template import source
from shared.access_log import REALTIME_FIELDS, EventReader, UserAgents, realtime_layout

# Amazon CloudFront Developer Guide, "Use real-time access logs", "Fields": "The following list describes each
# of the fields contained in a real-time log record, in the order in which they appear in the log record." A
# record with each of the first fields of that list, by its description there: name and value, in this order.
GOLDEN = """\
timestamp                      1764194400.123
c-ip                           203.0.113.9
s-ip                           192.0.2.80
time-to-first-byte             0.001
sc-status                      200
sc-bytes                       1234
cs-method                      GET
cs-protocol                    https
cs-host                        d111111abcdef8.cloudfront.net
cs-uri-stem                    /view/my/file.html
cs-bytes                       324
x-edge-location                FRA56-P1
x-edge-request-id              SOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ==
x-host-header                  www.example.com
time-taken                     0.002
cs-protocol-version            HTTP/2.0
c-ip-version                   IPv4
cs-user-agent                  Mozilla/5.0%20(compatible;%20Googlebot/2.1;%20+http://www.google.com/bot.html)
cs-referer                     www.displaymyfiles.com
cs-cookie                      zip=98101
cs-uri-query                   name=value
x-edge-response-result-type    Hit
x-forwarded-for                -
ssl-protocol                   TLSv1.3
ssl-cipher                     TLS_AES_128_GCM_SHA256
x-edge-result-type             Hit
fle-encrypted-fields           -
fle-status                     -
sc-content-type                text/html
sc-content-len                 78
sc-range-start                 -
sc-range-end                   -
c-port                         11040
x-edge-detailed-result-type    Hit
c-country                      US
cs-accept-encoding             gzip
cs-accept                      text/html
cache-behavior-path-pattern    *
cs-headers                     Host:www.example.com
cs-header-names                Host
cs-headers-count               1
primary-distribution-id        E1EXAMPLE
primary-distribution-dns-name  d111111abcdef8.cloudfront.net
origin-fbl                     -
origin-lbl                     -
asn                            64500
"""
RECORD = dict(line.split(maxsplit=1) for line in GOLDEN.splitlines())
DEFAULT: list[str] = source()["Parameters"]["LogStreamFields"]["Default"].split(",")


def delivered(names: list[str]) -> bytes:
    """What CloudFront sends of the golden record to a configuration with these fields, in any order."""
    return "\t".join(value for name, value in RECORD.items() if name in names).encode() + b"\n"


def test_fields_are_in_the_documented_order() -> None:
    assert list(RECORD) == list(REALTIME_FIELDS[: len(RECORD)])
    assert len(set(REALTIME_FIELDS)) == len(REALTIME_FIELDS) == 69


@pytest.mark.parametrize(
    "names",
    [DEFAULT, DEFAULT[::-1], sorted(DEFAULT), list(RECORD)],
    ids=["default", "backwards", "sorted", "all"],
)
def test_a_bot_is_found_whatever_order_is_configured(names: list[str]) -> None:
    event = EventReader(realtime_layout(names), UserAgents())(delivered(names))
    assert event == (1764194400, "203.0.113.9", "FRA56-P1", "E1EXAMPLE", 1234, True)


def test_default_generator_and_flink_source_have_the_documented_order() -> None:
    assert [name for name in RECORD if name in DEFAULT] == DEFAULT == GENERATED
    text = (ROOT / "queries/streaming/source.sql").read_text()
    columns = re.findall(r"^  `?(\w+)`? (?:STRING|BIGINT|DECIMAL)", text, re.MULTILINE)
    read_as = {
        "ts": "timestamp", "address": "c-ip", "status": "sc-status", "sent": "sc-bytes",
        "method": "cs-method", "host": "cs-host", "uri": "cs-uri-stem", "location": "x-edge-location",
        "request_id": "x-edge-request-id", "time_taken": "time-taken", "user_agent": "cs-user-agent",
        "referrer": "cs-referer", "result_type": "x-edge-result-type",
        "distribution": "primary-distribution-id",
    }  # fmt: skip
    assert [read_as[column] for column in columns] == DEFAULT


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([*DEFAULT, "cs(User-Agent)"], r"cs\(User-Agent\)"),
        ([*DEFAULT, "x-edge-locations"], "x-edge-locations"),
        ([*DEFAULT, "c-ip"], "twice"),
    ],
)
def test_names_that_cloudfront_does_not_know_are_refused(names: list[str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        realtime_layout(names)
