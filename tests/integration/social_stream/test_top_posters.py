"""The panel of the insights API that the chart shows."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from datagen.social_posts import Posts
from local.clients.person import PersonAt
from local.feeders.posts import feed
from local.suite import Suite
from tests.integration.social_stream.conftest import Social
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def person(suite: Suite) -> PersonAt:
    return PersonAt(suite, "reader@example.org")


def rows_of(person: PersonAt, **query: str) -> list[list[Any]]:
    answer = person.get("top_posters", **query)
    while answer.status_code == 202:
        answer = person.get("top_posters", query=answer.json()["query"])
    assert answer.status_code == 200, answer.text
    assert answer.json()["columns"] == ["user_id", "posts"]
    rows: list[list[Any]] = answer.json()["rows"]
    return rows


@pytest.mark.parametrize("window", ["hour", "day", "week"])
def test_the_most_active_users_of_a_window_come_first(
    suite: Suite, social: Social, person: PersonAt, window: str
) -> None:
    posts = Posts(800, seed=int(time.time()), users=40, prefix=social.prefix)
    feed(suite.client("kinesis"), suite["SocialStreamName"], posts)
    wait_until(lambda: social.distinct() == 800, seconds=60, every=0.5, what="800 posts in the lake")
    rows = rows_of(person, window=window)
    assert rows == sorted(rows, key=lambda row: (-row[1], row[0]))
    assert len(rows) <= 50
    ours = {user: count for user, count in rows if user.startswith(social.prefix)}
    least = rows[-1][1] if len(rows) == 50 else 0
    assert ours == {user: count for user, count in posts.truth.items() if count > least or user in ours}


def test_posts_of_another_day_are_in_the_week_and_not_in_the_day(
    suite: Suite, social: Social, person: PersonAt
) -> None:
    moment = time.gmtime(time.time() - 3 * 86_400)
    line = {
        "table_name": suite["SocialPostsTableName"], "user_id": f"{social.prefix}-old",
        "approx_post_time": time.strftime("%Y-%m-%d %H:%M:%S.000", moment),
    }  # fmt: skip
    body = "".join(json.dumps(line | {"tweet_id": number}) + "\n" for number in range(9_000))
    suite.client("s3").put_object(
        Bucket=suite["SocialLakeBucketName"], Body=body.encode(),
        Key=time.strftime(f"dynamodb/streams/transactions/%Y/%m/%d/%H/{social.prefix}", moment),
    )  # fmt: skip
    assert [f"{social.prefix}-old", 9_000] in rows_of(person, window="week")
    assert f"{social.prefix}-old" not in [row[0] for row in rows_of(person, window="day")]


@pytest.mark.parametrize("query", [{"window": "year"}, {"query": "1 OR 1=1"}])
def test_what_cannot_be_asked_is_refused(person: PersonAt, query: dict[str, str]) -> None:
    answer = person.get("top_posters", **query)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_without_a_sign_in_nobody_learns_who_posts(suite: Suite) -> None:
    answer = suite.http.get(f"{suite['InsightsApiUrl']}/v1/insights/top_posters")
    assert answer.status_code == 401
