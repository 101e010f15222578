"""Drive of the social stream: feeds posts, breaks what can break, and counts the top ten by hand.

Small by default; ``make demo SCALE=full`` feeds 100,000 posts.
"""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from datagen.social_posts import Posts, Record
from local.clients.athena import ask
from local.clients.person import DEMO_EMAIL, DEMO_PASSWORD, PersonAt
from local.demo.checks import Checks
from local.feeders.posts import feed
from local.suite import Suite
from local.waiting import wait
from ops.redrive import redrive, waiting

__all__ = ["FLOW", "PAGE", "STEPS", "Lake", "drive"]

FLOW = "stream → ingest → write → table → activity → Firehose → Athena"
PAGE = "insights/?app=social_stream"
STEPS = 10
SMALL, FULL = 1_500, 100_000
POISON = 0.01
DEAD_LETTERS = 20
_PATIENCE_S, _PATIENCE_FULL_S = 60.0, 900.0


class Lake:
    """Queries the posts of users with a prefix."""

    def __init__(self, suite: Suite, prefix: str) -> None:
        self._suite, self._prefix = suite, prefix

    def ask(self, sql: str, *parameters: str) -> list[tuple[str, ...]]:
        """Run a query and return its rows as texts."""
        rows = ask(self._suite, "Social", sql, *parameters)
        return [tuple(value or "" for value in row) for row in rows]

    def distinct(self) -> int:
        """Return how many distinct posts are there."""
        ours = f"user_id LIKE '{self._prefix}-%'"  # the generator's own text
        sql = (
            f"SELECT count(*) FROM (SELECT DISTINCT user_id, tweet_id FROM twitterfeed WHERE {ours}) AS posts"  # noqa: S608
        )
        return int(self.ask(sql)[0][0])

    def top_ten(self, days: list[datetime]) -> list[tuple[str, int]]:
        """Return the ten users with the most posts over days, by the text of the saved query."""
        athena = self._suite.client("athena")
        ids = athena.list_named_queries(WorkGroup=self._suite["SocialWorkGroupName"])["NamedQueryIds"]
        queries = athena.batch_get_named_query(NamedQueryIds=ids)["NamedQueries"]
        [text] = [query["QueryString"] for query in queries if query["Name"] == "top_posters_of_day"]
        # All ranks of this run's users: others may have fed the same day.
        text = text.replace(
            "FROM twitterfeed\nWHERE", f"FROM twitterfeed\nWHERE user_id LIKE '{self._prefix}-%' AND"
        )
        sums = Counter[str]()
        for day in days:
            after = day + timedelta(days=1)
            parameters = [f"'{each:%Y}'" for each in (day, after)]
            parameters += [f"'{each:%Y-%m-%d}'" for each in (day, after, day)]
            rows = self.ask(text if len(days) == 1 else text.replace("LIMIT 10", ""), *parameters)
            sums.update({user: int(count) for user, count in rows})
        return sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:10]


def drive(suite: Suite, checks: Checks) -> None:
    """Feed posts with duplicates, late ones and broken ones; let some fail, redrive them; compare."""
    begun = datetime.now(UTC)
    prefix = f"demo{time.time_ns() // 1_000_000_000:x}"
    patience = _PATIENCE_FULL_S if suite.full else _PATIENCE_S
    posts = Posts(
        FULL if suite.full else SMALL, seed=int(begun.timestamp()), start=begun.timestamp(), prefix=prefix,
        poison=POISON,
    )  # fmt: skip
    given: set[tuple[str, int]] = set()
    fed = feed(suite.client("kinesis"), suite["SocialStreamName"], _counted(posts, given))
    exact = Counter(user for user, _ in given)
    checks.equal("the feeder's truth is a count by hand", posts.truth, exact)
    checks.true("some posts were put twice", fed > posts.count + len(posts.broken), str(fed))

    lake = Lake(suite, prefix)
    wait(lambda: lake.distinct() == posts.count, patience)
    checks.equal("every post is in the lake", lake.distinct(), posts.count)
    busiest, most = exact.most_common(1)[0]
    checks.equal("the busiest user's posts are in the table, each once", _stored(suite, busiest), most)
    days = sorted({begun.date(), datetime.now(UTC).date()})
    top = lake.top_ten([datetime.combine(day, datetime.min.time(), UTC) for day in days])
    by_hand = sorted(exact.items(), key=lambda item: (-item[1], item[0]))[:10]
    checks.equal("Athena's top ten is the count by hand", top, by_hand)
    broken = _quarantined(suite)
    checks.true(
        "every broken record is in quarantine with its sequence number",
        set(posts.broken) <= {data for data, number in broken.items() if number.isdigit()},
        f"{len(set(posts.broken) - set(broken))} of {len(posts.broken)} are not",
    )

    _check_redrive(suite, checks, prefix)
    person = PersonAt(suite, DEMO_EMAIL, DEMO_PASSWORD)
    answer = person.get("top_posters", window="day")
    while answer.status_code == 202:
        answer = person.get("top_posters", query=answer.json()["query"])
    checks.equal("the API answers with users and posts", answer.json().get("columns"), ["user_id", "posts"])
    page = suite.http.get(f"{suite['WebUrl']}/{PAGE}")
    checks.equal("the page is there", page.status_code, 200)


def _counted(posts: Posts, given: set[tuple[str, int]]) -> Iterator[Record]:
    """Pass posts on, and note the keys of those that are posts."""
    for record in posts:
        if record.data not in posts.broken[-1:]:
            post = json.loads(record.data)
            given.add((post["user_id"], post["tweet_id"]))
        yield record


def _quarantined(suite: Suite) -> dict[bytes, str]:
    """Return the sequence numbers of the records in quarantine, by their bytes."""
    s3, bucket = suite.client("s3"), suite["SocialFailuresBucketName"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="quarantine/")
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    lines = [
        json.loads(line)
        for key in keys
        for line in s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()
    ]
    return {base64.b64decode(line["data"]): line["sequence_number"] for line in lines}


def _check_redrive(suite: Suite, checks: Checks, prefix: str) -> None:
    """Make the table deny writes for a moment: posts go to the dead-letter queue whole; redrive them."""
    faults = f"{suite.engine.endpoint}/_engine/faults"
    queue, function = suite["SocialDeadLetterQueueUrl"], suite["SocialWriteFunctionName"]
    user = f"{prefix}-failed"
    posts = [
        {"user_id": user, "tweet_id": number, "RecordNum": f"{number:056d}.00000"}
        for number in range(DEAD_LETTERS)
    ]
    denied = {
        "match": "dynamodb.PutItem", "status": 400, "type": "AccessDeniedException",
        "resource": suite["SocialPostsTableName"],  # other drives write beside this one
    }  # fmt: skip
    suite.http.post(faults, json=[denied]).raise_for_status()
    try:
        suite.client("lambda").invoke(
            FunctionName=function, Payload=json.dumps({"posts": posts, "fresh_until": 0}).encode()
        )
    finally:
        suite.http.delete(faults).raise_for_status()
    done = redrive(suite.client, queue, function, most=waiting(suite.client, queue))
    checks.true(
        f"{DEAD_LETTERS} posts of the dead-letter queue were redriven", done.posts >= DEAD_LETTERS, str(done)
    )

    came = wait(lambda: _stored(suite, user) == DEAD_LETTERS, _PATIENCE_S)
    checks.true("and came home", came, str(_stored(suite, user)))


def _stored(suite: Suite, user: str) -> int:
    """Return how many posts of a user the table has."""
    pages = suite.client("dynamodb").get_paginator("query").paginate(
        TableName=suite["SocialPostsTableName"], Select="COUNT",
        KeyConditionExpression="user_id = :user", ExpressionAttributeValues={":user": {"S": user}},
    )  # fmt: skip
    return sum(page["Count"] for page in pages)
