"""Records that are encrypted before they enter the stream."""

from __future__ import annotations

import base64
import json
import time

import pytest

from datagen.social_posts import Posts
from local.engine_process import REGION
from local.feeders.posts import feed, sealed
from local.suite import Suite
from shared.envelope import Envelope
from tests.conftest import Faults
from tests.integration.social_stream.conftest import Social, encoded
from tests.support.waiting import wait_until


def test_encrypted_posts_reach_the_table_and_the_stream_holds_no_plain_text(
    suite: Suite, social: Social
) -> None:
    posts = Posts(60, seed=2, start=time.time(), prefix=social.prefix, again=0)
    stream = suite["SocialStreamName"]
    envelope = Envelope(suite.client("kms"), suite["SocialRecordKeyArn"], REGION)
    feed(suite.client("kinesis"), stream, sealed(posts, envelope, stream))
    assert len(social.wait_for_items(60)) == posts.truth.total()
    kinesis = suite.client("kinesis")
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = kinesis.get_records(ShardIterator=iterator, Limit=10_000)["Records"]
        ours = [each["Data"] for each in records if each["PartitionKey"].startswith(social.prefix)]
        assert ours
        assert not [data for data in ours if b"Tweet" in data or b"lorem" in data]


def test_encrypted_and_plain_records_may_be_mixed(social: Social) -> None:
    social.put(
        social.post(1), social.encrypted(encoded(social.post(2))), social.post(3),
        social.encrypted(encoded(social.post(4))),
    )  # fmt: skip
    assert {number for _, number in social.wait_for_items(4)} == {1, 2, 3, 4}


@pytest.mark.parametrize("kind", ["changed", "cut", "of another stream", "no post"])
def test_a_record_that_cannot_be_opened_goes_into_quarantine_as_it_came(social: Social, kind: str) -> None:
    data = social.encrypted(encoded(social.post(1)))
    bad = {
        "changed": data[:-1] + bytes([data[-1] ^ 1]),
        "cut": data[:40],
        "of another stream": social.encrypted(encoded(social.post(1)), stream="another"),
        "no post": social.encrypted(f"no post of {social.prefix}".encode()),
    }[kind]
    social.put(social.post(2), bad, social.post(3))
    wait_until(lambda: bad in social.quarantined(), seconds=30, what="the record in quarantine")
    assert social.quarantined()[bad][1] == {
        "changed": "cannot be decrypted: TamperedError", "cut": "cannot be decrypted: TamperedError",
        "of another stream": "cannot be decrypted: WrongContextError", "no post": "no JSON",
    }[kind]  # fmt: skip
    assert {number for _, number in social.wait_for_items(2)} == {2, 3}


def test_a_record_that_always_fails_is_kept_and_the_others_go_on(social: Social, faults: Faults) -> None:
    faults.inject({"match": "kms.Decrypt", "rate": 1, "status": 400, "type": "AccessDeniedException"})
    failing = social.encrypted(encoded(social.post(0)))
    social.put(*(social.post(number) for number in range(1, 8)), failing)
    social.put(*(social.post(number) for number in range(8, 15)))

    def discarded() -> list[dict[str, str]]:
        records = [
            record["kinesis"]
            for document in social.discarded()
            if "KinesisBatchInfo" in document
            for record in json.loads(document["payload"])["Records"]
        ]
        return [record for record in records if base64.b64decode(record["data"]) == failing]

    [record] = wait_until(discarded, seconds=60, every=0.5, what="the record in the failure bucket")
    assert record["sequenceNumber"].isdigit()
    assert {number for _, number in social.wait_for_items(14)} == set(range(1, 15))


def test_kms_that_throttles_delays_and_loses_nothing(social: Social, faults: Faults) -> None:
    faults.inject(
        {"match": "kms.Decrypt", "rate": 1, "times": 6, "status": 400, "type": "ThrottlingException"}
    )
    social.put(*(social.encrypted(encoded(social.post(number))) for number in range(5)))
    social.wait_for_items(5)
    assert faults.hits() == [6]
