"""The way of a log: bucket, queue, preprocess, Firehose, bucket, queue, partition, Athena."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import pytest

from local.suite import Suite
from tests.support.athena import ask, saved
from tests.support.waiting import wait_until

from .conftest import HEADER, LAST_HOUR, NOW, Logs, a_key, line

FIRST, LAST = LAST_HOUR - timedelta(days=2), NOW + timedelta(days=1)
EVERYTHING = (
    f"'{FIRST:%Y-%m-%d}'", f"'{LAST:%Y-%m-%d}'", f"'{FIRST:%Y-%m-%d}T00:00:00Z'",
    f"'{LAST + timedelta(days=1):%Y-%m-%d}T00:00:00Z'", "'all'", "'all'", "'all'",
)  # fmt: skip
# The contract's, in its order.
COLUMNS = {
    "logdate": "date",
    "logtime": "string",
    "location": "string",
    "bytes": "bigint",
    "requestip": "string",
    "method": "string",
    "host": "string",
    "uri": "string",
    "status": "bigint",
    "referrer": "string",
    "useragent": "string",
    "uriquery": "string",
    "cookie": "string",
    "resulttype": "string",
    "requestid": "string",
    "header": "string",
    "csprotocol": "string",
    "csbytes": "string",
    "timetaken": "double",
    "forwardedfor": "string",
    "sslprotocol": "string",
    "sslcipher": "string",
    "responseresulttype": "string",
    "protocolversion": "string",
    "browserfamily": "string",
    "osfamily": "string",
    "isbot": "string",
    "filename": "string",
    "distribution": "string",
    "botcategory": "string",
    "linenumber": "bigint",
    "fle_status": "string",
    "fle_encrypted_fields": "string",
    "c_port": "string",
    "time_to_first_byte": "string",
    "x_edge_detailed_result_type": "string",
    "sc_content_type": "string",
    "sc_content_len": "string",
    "sc_range_start": "string",
    "sc_range_end": "string",
    "etag": "string",
}


def ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    """The most first, equal ones by name."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def test_saved_queries_say_what_the_generator_counted(suite: Suite, logs: Logs) -> None:
    """Files of today and of older years, late rows among them."""
    truths = [
        logs.corpus(4_000, fields=33, seed=1).truth,
        logs.corpus(2_000, fields=26, seed=2, late_share=0.2).truth,
    ]

    def total(name: str) -> Counter[tuple[str, ...]]:
        summed: Counter[tuple[str, ...]] = Counter()
        for truth in truths:
            for key, count in getattr(truth, name).items():
                summed[key if isinstance(key, tuple) else (key,)] += count
        return summed

    logs.wait_rows(6_000)
    queries = saved(suite)
    over_time = ask(suite, queries.pop("requests_over_time"), "'13'", *EVERYTHING)
    assert {(row[0] or "").replace("T", " "): int(row[1] or 0) for row in over_time} == {
        hour: count for (hour,), count in total("hours").items()
    }
    newest = ask(suite, queries.pop("requests"), *EVERYTHING, "'all'", "'all'")
    assert [row[-1] for row in newest] == ["6000"] * 200
    answers = {name: ask(suite, sql, *EVERYTHING) for name, sql in queries.items()}

    counted = total("bot_requests")
    found = answers.pop("bot_requests")
    assert {(address, location): int(ct or 0) for ct, address, location, _ in found} == counted
    assert {row[-1] for row in found} == {str(len(counted))}, "each row knows how many there are"
    by_edge, viewers_at = Counter[str](), Counter[str]()
    for (_, edge), requests_there in counted.items():
        by_edge[edge] += requests_there
        viewers_at[edge] += 1
    found = answers.pop("bots_by_edge")
    assert [(row[0], int(row[1] or 0)) for row in found] == ranked(by_edge)
    assert {row[0]: int(row[2] or 0) for row in found} == viewers_at
    sent = {
        (distribution, place): int(size or 0) for distribution, place, size, _ in answers.pop("bytes_by_edge")
    }
    assert sent == total("bytes_sent")
    by_distribution = Counter[str]()
    for (distribution, _), size in total("bytes_sent").items():
        by_distribution[distribution] += size
    found = answers.pop("bytes_by_distribution")
    assert [(row[0], int(row[2] or 0)) for row in found] == ranked(by_distribution)

    viewers = total("viewers")
    top = answers.pop("top_viewers")
    assert len(top) == 50
    assert [int(ct or 0) for _, ct in top] == sorted(viewers.values(), reverse=True)[:50]
    assert all(viewers[(str(address),)] == int(ct or 0) for address, ct in top)

    results, statuses = total("results"), total("statuses")
    requests = Counter(distribution for (distribution, _), count in results.items() for _ in range(count))
    hits = {name: results[name, "Hit"] + results[name, "RefreshHit"] for name in requests}
    assert {row[0]: (int(row[1] or 0), int(row[2] or 0)) for row in answers["cache_hit_ratio"]} == {
        name: (count, hits[name]) for name, count in requests.items()
    }
    for name, _, _, ratio in answers.pop("cache_hit_ratio"):
        assert float(ratio or 0) == pytest.approx(hits[str(name)] / requests[str(name)])
    failed = {
        name: [
            sum(count for (whose, status), count in statuses.items() if whose == name and status[0] == first)
            for first in "45"
        ]
        for name in requests
    }
    for name, count, *errors, rate4xx, rate5xx in answers.pop("error_rates"):
        assert int(count or 0) == requests[str(name)]
        assert [int(error or 0) for error in errors] == failed[str(name)]
        shares = [error / requests[str(name)] for error in failed[str(name)]]
        assert [float(rate4xx or 0), float(rate5xx or 0)] == pytest.approx(shares)

    categories = total("categories")
    shares_of_kinds = answers.pop("ai_crawler_share")
    assert {(kind,): int(ct or 0) for kind, ct, _ in shares_of_kinds} == categories
    for kind, _, share in shares_of_kinds:
        assert float(share or 0) == pytest.approx(categories[(str(kind),)] / 6_000)
    assert answers == {}

    by_hour = ask(suite, "SELECT logdate, requesthour, count(*) FROM cf_logs_by_request GROUP BY 1, 2")
    assert {(f"{day} {hour}",): int(count or 0) for day, hour, count in by_hour} == total("hours")
    yesterday = (LAST_HOUR - timedelta(days=1)).date()
    of_a_day = sum(count for (hour,), count in total("hours").items() if hour.startswith(f"{yesterday}"))
    assert logs.count(where=f"logdate = DATE '{yesterday}'") == of_a_day


def test_columns_have_names_and_types_of_the_contract(suite: Suite) -> None:
    table = suite.client("glue").get_table(DatabaseName=suite["AccessLogsDatabaseName"], Name="cf_logs")
    stored = table["Table"]["StorageDescriptor"]
    assert [(column["Name"], column["Type"]) for column in stored["Columns"]] == list(COLUMNS.items())
    assert stored["SerdeInfo"]["Parameters"]["field.delim"] == "\t"
    assert [key["Name"] for key in table["Table"]["PartitionKeys"]] == ["year", "month", "day", "hour"]


def test_every_value_arrives_in_its_own_column(suite: Suite, logs: Logs) -> None:
    agent = "Mozilla/5.0%20(compatible;%20Googlebot/2.1;%20+http://www.google.com/bot.html)"
    changed = {
        "cs(User-Agent)": agent,
        "sc-range-end": "4095",
        "x-forwarded-for": "203.0.113.9",
        "fle-status": "ok",
    }
    key = logs.upload(HEADER + line(7, **changed))
    logs.wait_rows(1)
    [values] = ask(suite, "SELECT * FROM cf_logs_by_request")
    row = dict(zip(COLUMNS, values, strict=False))
    assert row | {"requestid": ""} == dict.fromkeys(row, "-") | {
        "logdate": f"{LAST_HOUR:%Y-%m-%d}", "logtime": f"{LAST_HOUR:%H}:00:07", "location": "FRA56-P7",
        "bytes": "7", "requestip": "198.51.100.7", "method": "GET", "host": "d111111abcdef8.cloudfront.net",
        "uri": "/page-7", "status": "200", "useragent": agent, "resulttype": "Hit", "requestid": "",
        "timetaken": "0.125", "forwardedfor": "203.0.113.9", "browserfamily": "Googlebot",
        "osfamily": "Other", "isbot": "True", "filename": key, "distribution": "E1TESTLOGS",
        "botcategory": "search", "linenumber": "3", "fle_status": "ok", "sc_range_end": "4095",
        "etag": logs.etag(key),
    }  # fmt: skip
    moment = f"{LAST_HOUR:%Y-%m-%dT%H}:00:07Z"
    assert values[len(COLUMNS) :] == (f"{LAST_HOUR:%H}", moment, *f"{_delivered(logs):%Y %m %d %H}".split())


def _delivered(logs: Logs) -> object:
    [key] = logs.objects("2")
    return NOW.strptime(key[:13], "%Y/%m/%d/%H")


def test_rows_are_gzipped_and_packed_many_to_a_record(logs: Logs) -> None:
    before = logs.metric("RecordsDelivered"), logs.metric("RowsDelivered")
    logs.corpus(5_000, rows_per_file=5_000)
    logs.wait_rows(5_000)
    assert all(key.endswith(".gz") for key in logs.objects("2"))
    wait_until(lambda: logs.metric("RowsDelivered") - before[1] == 5_000, what="the metric")
    assert logs.metric("RecordsDelivered") - before[0] < 10


def test_an_object_delivered_twice_is_read_once(suite: Suite, logs: Logs) -> None:
    before = logs.metric("ObjectsAlreadyDone")
    key = logs.upload(HEADER + line(1) + line(2))
    logs.wait_rows(2)
    logs.notify(key)
    logs.upload(logs.s3.get_object(Bucket=suite["AccessLogsBucketName"], Key=key)["Body"].read(), key)
    wait_until(lambda: logs.metric("ObjectsAlreadyDone") - before == 2, what="two no-ops")
    logs.wait_rows(2)
    assert logs.count("cf_logs") == 2


def test_one_message_may_name_several_objects(logs: Logs, suite: Suite) -> None:
    bucket = suite["AccessLogsBucketName"]
    configuration = logs.s3.get_bucket_notification_configuration(Bucket=bucket)
    logs.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    try:
        keys = [logs.upload(HEADER + line(1), a_key(name)) for name in ("one", "two", "three")]
    finally:
        configuration.pop("ResponseMetadata")
        logs.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    assert logs.count() == 0
    logs.notify(*keys)
    logs.wait_rows(3)


@pytest.mark.parametrize("name", ["with space", "a+b", "ä&ö=ü", "100%25"])
def test_keys_of_any_letters_are_decoded(suite: Suite, logs: Logs, name: str) -> None:
    key = logs.upload(HEADER + line(1), f"my logs/{name}/{a_key()}")
    logs.wait_rows(1)
    assert ask(suite, "SELECT filename, distribution FROM cf_logs_by_request") == [(key, "E1TESTLOGS")]


def test_s3s_test_event_is_ignored(logs: Logs, suite: Suite) -> None:
    event = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": suite["AccessLogsBucketName"]}
    logs.sqs.send_message(QueueUrl=suite["AccessLogsQueueUrl"], MessageBody=json.dumps(event))
    logs.wait_idle()
    assert logs.count() == 0


def test_results_are_under_the_workgroups_location(suite: Suite, logs: Logs) -> None:
    ask(suite, "SELECT 1")
    assert any(key.endswith(".csv") for key in logs.objects("results/"))


def test_a_late_row_is_found_by_the_date_of_its_request(suite: Suite, logs: Logs) -> None:
    """25 hours late is in time; later still, as in a backfill, a row is in the view of everything."""
    late, old = NOW - timedelta(hours=25), NOW - timedelta(days=30)
    moments = [{"date": f"{moment:%Y-%m-%d}", "time": f"{moment:%H:%M:%S}"} for moment in (NOW, late, old)]
    logs.upload(HEADER + "".join(line(number, **moment) for number, moment in enumerate(moments, 1)))
    wait_until(lambda: logs.count("cf_logs_unique") == 3, seconds=30, what="three rows")
    assert logs.count() == 2
    assert logs.count(where=f"logdate = DATE '{late:%Y-%m-%d}' AND requesthour = '{late:%H}'") == 1
    assert logs.count("cf_logs_unique", f"logdate = DATE '{old:%Y-%m-%d}'") == 1


def test_a_row_that_was_delivered_again_in_another_hour_is_shown_once(suite: Suite, logs: Logs) -> None:
    logs.upload(HEADER + line(1) + line(2))
    logs.wait_rows(2)
    [key] = logs.objects("2")
    hour = NOW.strptime(key[:13], "%Y/%m/%d/%H") - timedelta(hours=1)
    logs.s3.put_object(Bucket=logs.rows_bucket, Key=f"{hour:%Y/%m/%d/%H}/again.gz", Body=logs.read(key))
    wait_until(lambda: logs.count("cf_logs") == 4, seconds=30, what="both hours")
    logs.wait_rows(2)
