"""The way of a post: stream, ingest, write, table, activity, lake, top ten."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from datagen.social_posts import Posts
from local.feeders.posts import feed
from local.suite import Suite
from tests.conftest import Faults
from tests.integration.social_stream.conftest import Social, brute_force, recorded
from tests.support.alarms import alarms_of
from tests.support.waiting import wait_until


def test_top_ten_equals_a_count_by_hand_with_duplicates_late_events_and_poison(
    suite: Suite, social: Social, today: datetime
) -> None:
    posts = Posts(6_000, seed=7, start=time.time(), users=300, prefix=social.prefix, poison=0.01)
    records = list(posts)
    good = [record.data for record in records if record.data not in posts.broken]
    assert len(good) > 6_000, "some are there twice"
    feed(suite.client("kinesis"), suite["SocialStreamName"], records)
    items = social.wait_for_items(6_000)
    exact = brute_force(good)
    assert exact == posts.truth
    assert len(items) == exact.total()
    wait_until(lambda: social.distinct() == 6_000, seconds=60, every=0.5, what="all posts in the lake")
    top = [(user, str(count)) for user, count in sorted(exact.items(), key=lambda item: (-item[1], item[0]))]
    assert social.top_of_day(today) == top[:10]
    quarantined = social.quarantined()
    assert set(posts.broken) <= set(quarantined), "every broken record is in quarantine"
    assert not set(good) & set(quarantined), "and no post"
    numbers = [quarantined[data][0] for data in posts.broken]
    assert len(set(numbers)) == len(set(posts.broken))
    assert all(number.isdigit() for number in numbers)


def test_item_has_the_originals_attributes_derived_from_the_record_alone(social: Social) -> None:
    given = social.post(
        7, TwitterUser="Ann", TwitterUserPic="https://pictures.example/ann.jpg", TweetTopic="serverless",
        TwitterTime="2026-11-22T20:00:00Z", Tags=["serverless", "lorem"], Location="Berlin", Country="DE",
        Tweet='line\nbreak, "quoted", 🚀 and \u0000', Unknown={"ratio": 0.5},
    )  # fmt: skip
    social.put(given)
    [item] = social.wait_for_items(1).values()
    assert {name: next(iter(value.values())) for name, value in item.items() if name in given} == {
        **{name: value for name, value in given.items() if name != "Unknown"},
        "tweet_id": "7",
        "Tags": [{"S": "serverless"}, {"S": "lorem"}],
    }
    assert set(item) - set(given) == {"TimeStamp", "RecordNum", "TTL"}
    arrived = datetime.fromisoformat(item["TimeStamp"]["S"])
    assert int(item["TTL"]["N"]) == int(arrived.timestamp()) + 30 * 86_400
    number, _, part = item["RecordNum"]["S"].partition(".")
    assert (len(number), part) == (56, "00000")


def test_a_batch_over_a_megabyte_is_written_by_several_requests(suite: Suite, social: Social) -> None:
    posts = [social.post(number, Tweet=str(number) * 300_000) for number in range(8)]
    social.put(*posts)
    items = social.wait_for_items(8)
    assert [item["Tweet"]["S"][0] for _, item in sorted(items.items())] == list("01234567")


def test_same_record_twice_is_one_item_and_one_post_in_the_lake(social: Social) -> None:
    social.put(social.post(1), social.post(1), social.post(2))
    social.put(social.post(1))
    social.wait_for_items(2)
    wait_until(lambda: social.distinct() == 2, seconds=30, what="two posts in the lake")


def test_every_line_says_who_which_when_and_of_which_table(suite: Suite, social: Social) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    social.put(*(social.post(number, user=f"user {number}") for number in range(30)))
    wait_until(lambda: len(social.lines()) >= 30, seconds=30, every=0.2, what="30 lines")
    lines = social.lines()
    assert {(line["user_id"], line["tweet_id"]) for line in lines} == {
        (f"{social.prefix}-user {number}", number) for number in range(30)
    }
    for line in lines:
        assert set(line) == {"table_name", "user_id", "tweet_id", "approx_post_time"}
        assert line["table_name"] == suite["SocialPostsTableName"]
        moment = datetime.strptime(line["approx_post_time"], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
        assert before <= moment <= datetime.now(UTC)
    keys = suite.client("s3").list_objects_v2(
        Bucket=suite["SocialLakeBucketName"], Prefix=f"dynamodb/streams/transactions/{before:%Y/%m/%d}/"
    )["Contents"]
    assert all(len(item["Key"].split("/")) == 8 for item in keys), "a folder for each hour"


def test_only_refused_firehose_records_are_sent_again(social: Social, faults: Faults) -> None:
    faults.inject({"match": "firehose.PutRecordBatch", "failed": 0.4, "seed": 5})
    social.put(*(social.post(number) for number in range(400)))
    wait_until(lambda: social.distinct() == 400, seconds=60, every=0.5, what="400 posts in the lake")
    assert faults.hits()[0] >= 2
    assert len(social.lines()) == 400, "what was accepted was not sent again"


def test_recorded_events_are_answered(social: Social) -> None:
    ok: dict[str, list[str]] = {"batchItemFailures": []}
    for name in ("ingest_posts", "ingest_poison", "ingest_aggregated", "ingest_aggregated_bad_md5"):
        assert social.invoke("Ingest", recorded(name)) == ok
    for name in ("write_posts", "write_late_posts"):
        assert social.invoke("Write", recorded(name)) is None
    for name in ("activity_new_posts", "activity_modify_remove"):
        assert social.invoke("Activity", recorded(name)) == ok


def test_metrics_tell_what_went_where_and_how_busy_the_busiest_user_is(suite: Suite, social: Social) -> None:
    social.put(*(social.post(number, user="busy") for number in range(40)), b"poison of metrics")
    social.wait_for_items(40)
    stack = suite["WebBucketName"].partition("-web-")[0]

    def names() -> bool:
        found = suite.client("cloudwatch").list_metrics(Namespace=stack)["Metrics"]
        return {
            "PostsIngested", "RecordsQuarantined", "BusiestUserPosts", "PostsWritten", "PostsSuperseded",
            "PostsDeadLettered", "PostsDelivered",
        } <= {metric["MetricName"] for metric in found}  # fmt: skip

    wait_until(names, seconds=30, what="metrics")


def test_every_failure_has_an_alarm(suite: Suite) -> None:
    found = alarms_of(suite)
    alarms = {alarm["AlarmName"].split("-")[2]: alarm for alarm in found}
    for name in ("DeadLetter", "Quarantine", "Records", "Activity", "Age", "Throttle", "Freshness"):
        alarm = alarms[f"Social{name}Alarm"]
        assert alarm["AlarmActions"] == [suite["OperationsTopicArn"]]
        assert all(dimension["Value"] for dimension in alarm["Dimensions"])


def test_a_quarantined_record_fires_the_alarm(suite: Suite, social: Social) -> None:
    social.put(b"poison that alarms")
    wait_until(lambda: b"poison that alarms" in social.quarantined(), seconds=30, what="quarantine")

    def fires() -> bool:
        found = alarms_of(suite, StateValue="ALARM")
        return any("SocialQuarantineAlarm" in alarm["AlarmName"] for alarm in found)

    wait_until(fires, seconds=60, every=0.5, what="the alarm")


def test_table_expires_posts_and_its_stream_has_new_images(suite: Suite) -> None:
    table, dynamodb = suite["SocialPostsTableName"], suite.client("dynamodb")
    description = dynamodb.describe_table(TableName=table)["Table"]
    assert description["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
    assert [key["AttributeName"] for key in description["KeySchema"]] == ["user_id", "tweet_id"]
    ttl = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert (ttl["AttributeName"], ttl["TimeToLiveStatus"]) == ("TTL", "ENABLED")
