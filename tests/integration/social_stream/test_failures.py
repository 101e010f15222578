"""Services that throttle, deny or break down: what fails is kept, and comes home."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from datagen.social_posts import Posts, Record
from local.feeders.posts import feed, put
from local.suite import Suite
from ops.redrive import redrive, waiting
from tests.conftest import Faults
from tests.integration.social_stream.conftest import Social, encoded
from tests.support.permissions import function
from tests.support.waiting import wait_until

DENIED = {"rate": 1, "status": 400, "type": "AccessDeniedException"}


def go_home(suite: Suite) -> int:
    """Redrive what is in the dead-letter queue; how many posts."""
    queue, client = suite["SocialDeadLetterQueueUrl"], suite.client
    done = redrive(client, queue, suite["SocialWriteFunctionName"], most=waiting(client, queue))
    return done.posts


@contextmanager
def broken_write(suite: Suite) -> Iterator[None]:
    """The write function cannot even be loaded."""
    functions, name = suite.client("lambda"), function(suite, "SocialWriteFunction")
    handler = functions.get_function_configuration(FunctionName=name)["Handler"]
    functions.update_function_configuration(FunctionName=name, Handler="social_stream.gone.handler")
    yield
    functions.update_function_configuration(FunctionName=name, Handler=handler)


def test_unprocessed_items_and_throttles_lose_nothing(suite: Suite, social: Social, faults: Faults) -> None:
    faults.inject(
        {"match": "dynamodb.BatchWriteItem", "rate": 0.2, "status": 400, "seed": 3,
         "type": "ProvisionedThroughputExceededException"},
        {"match": "dynamodb.BatchWriteItem", "unprocessed": 0.3, "seed": 4},
    )  # fmt: skip
    posts = Posts(2_000, seed=11, start=time.time(), prefix=social.prefix, again=0.1)
    feed(suite.client("kinesis"), suite["SocialStreamName"], posts)
    items = social.wait_for_items(2_000)
    assert min(faults.hits()) > 0
    users = [user for user, _ in items]
    assert {user: users.count(user) for user in set(users)} == dict(posts.truth)


def test_posts_not_written_in_time_go_to_the_dlq_and_are_redriven(
    suite: Suite, social: Social, faults: Faults
) -> None:
    posts = [social.post(number, Tweet="🚀\n", RecordNum=f"{number:056d}.00000") for number in range(20)]
    throttle = {"rate": 1, "status": 400, "type": "ThrottlingException"}
    faults.inject({"match": "dynamodb.PutItem", **throttle, "resource": suite["SocialPostsTableName"]})
    assert social.invoke("Write", {"posts": posts, "fresh_until": 0}) is None
    assert sorted(social.dead_letters(), key=lambda post: int(post["tweet_id"])) == posts
    assert social.items() == {}
    faults.clear()
    assert go_home(suite) >= 20
    social.wait_for_items(20)


def test_events_of_a_crashed_write_are_dead_lettered_and_redriven(suite: Suite, social: Social) -> None:
    with broken_write(suite):
        social.put(*(social.post(number) for number in range(150)))
        wait_until(
            lambda: len(social.dead_letters()) == 150,
            seconds=60,
            every=0.5,
            what="150 posts in the dead-letter queue",
        )
    assert social.items() == {}
    assert go_home(suite) >= 150
    social.wait_for_items(150)
    assert social.dead_letters() == []


def test_redriven_post_loses_to_a_newer_one_and_a_repeated_one_changes_nothing(
    suite: Suite, social: Social, faults: Faults
) -> None:
    faults.inject({"match": "dynamodb.(BatchWriteItem|PutItem)", **DENIED})
    social.put(*(social.post(number, Tweet="first") for number in range(10)))
    wait_until(lambda: len(social.dead_letters()) == 10, seconds=60, every=0.5, what="10 posts in the queue")
    faults.clear()
    social.put(*(social.post(number, Tweet="second") for number in range(5)))
    social.wait_for_items(5)
    assert go_home(suite) >= 10
    items = social.wait_for_items(10)
    texts = [items[f"{social.prefix}-ann", number]["Tweet"]["S"] for number in range(10)]
    assert texts == ["second"] * 5 + ["first"] * 5


def test_message_that_holds_no_posts_stays_in_the_queue(suite: Suite, social: Social) -> None:
    sqs, queue = suite.client("sqs"), suite["SocialDeadLetterQueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="no posts")
    done = redrive(suite.client, queue, suite["SocialWriteFunctionName"], most=waiting(suite.client, queue))
    assert done.strange == 1
    counts = sqs.get_queue_attributes(
        QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessagesNotVisible"]
    )
    assert counts["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "1"
    sqs.purge_queue(QueueUrl=queue)


def test_records_that_fail_at_every_try_are_kept_whole_and_the_stream_goes_on(
    suite: Suite, social: Social, faults: Faults
) -> None:
    posts = [social.post(number) for number in range(3)]
    faults.inject({"match": "lambda.Invoke", **DENIED, "resource": "SocialWriteFunction"})
    social.put(*posts)

    def discarded() -> bool:
        kept = [
            base64.b64decode(record["kinesis"]["data"])
            for document in social.discarded()
            if "KinesisBatchInfo" in document
            for record in json.loads(document["payload"])["Records"]
        ]
        return {encoded(post) for post in posts} <= set(kept)

    wait_until(discarded, seconds=60, every=0.5, what="three records in the failure bucket")
    faults.clear()
    social.put(social.post(99))
    assert set(social.wait_for_items(1)) == {(f"{social.prefix}-ann", 99)}


def test_quarantine_that_cannot_be_written_delays_and_loses_nothing(social: Social, faults: Faults) -> None:
    poison = f"poison of {social.prefix}".encode()
    faults.inject({"match": "s3.PutObject", "rate": 1, "status": 503, "type": "SlowDown", "times": 4,
                   "resource": "quarantine"})  # fmt: skip
    social.put(social.post(1), poison, social.post(2))
    wait_until(lambda: poison in social.quarantined(), seconds=60, what="the record in quarantine")
    assert faults.hits() == [4]
    social.wait_for_items(2)


def test_activity_that_cannot_be_delivered_is_named_in_the_failure_bucket(
    social: Social, faults: Faults
) -> None:
    faults.inject({"match": "firehose.PutRecordBatch", **DENIED})
    social.put(social.post(1), social.post(2))
    social.wait_for_items(2)

    def discarded() -> bool:
        kept = [
            record["dynamodb"]["Keys"]["user_id"]["S"]
            for document in social.discarded()
            if "DDBStreamBatchInfo" in document
            for record in json.loads(document["payload"])["Records"]
        ]
        return kept.count(f"{social.prefix}-ann") >= 2

    wait_until(discarded, seconds=60, every=0.5, what="two changes in the failure bucket")
    faults.clear()
    social.put(social.post(3))
    wait_until(lambda: social.distinct() == 1, seconds=30, what="the stream goes on")


def test_firehose_that_throttles_for_a_while_delays_and_loses_nothing(social: Social, faults: Faults) -> None:
    faults.inject(
        {"match": "firehose.PutRecordBatch", "rate": 1, "times": 5, "status": 503,
         "type": "ServiceUnavailableException"}
    )  # fmt: skip
    social.put(*(social.post(number) for number in range(50)))
    wait_until(lambda: social.distinct() == 50, seconds=60, every=0.5, what="50 posts in the lake")
    assert faults.hits() == [5]


def test_feeder_puts_again_what_the_stream_refuses(suite: Suite, social: Social, faults: Faults) -> None:
    faults.inject({"match": "kinesis.PutRecords", "failed": 0.3, "seed": 2})
    records = [Record(social.prefix, encoded(social.post(number))) for number in range(300)]
    put(suite.client("kinesis"), suite["SocialStreamName"], records)
    assert faults.hits()[0] > 1
    social.wait_for_items(300)
