"""The live feed, from a WebSocket server of the test's own that replays recorded frames."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.sync.server import Server, ServerConnection, serve

from datagen.social_posts import Record
from local.feeders.jetstream import post_of, posts
from local.feeders.posts import feed, recorded
from local.suite import Suite
from tests.integration.social_stream.conftest import Social, encoded

FRAMES = Path(__file__).with_name("jetstream_frames.jsonl").read_text().splitlines()
POSTS = [post for frame in FRAMES if (post := post_of(json.loads(frame)))]


class Replay:
    """A Jetstream server: replays frames from the cursor on, and breaks off after some.

    Attributes:
        cursors: Of each connection.
        ends: After how many frames each connection ends; the last one stays silent instead.
    """

    def __init__(self, *ends: int) -> None:
        self.cursors: list[int | None] = []
        self.ends = iter(ends)
        self.server: Server = serve(self._serve, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self.server.socket.getsockname()[1]}/subscribe"
        self._thread = threading.Thread(target=self.server.serve_forever)
        self._thread.start()
        self._over = threading.Event()

    def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        query = parse_qs(urlsplit(connection.request.path).query)
        assert query["wantedCollections"] == ["app.bsky.feed.post"]
        cursor = int(query["cursor"][0]) if "cursor" in query else None
        self.cursors.append(cursor)
        # Jetstream goes on from the cursor inclusively: the last frame comes again.
        after = [frame for frame in FRAMES if cursor is None or json.loads(frame)["time_us"] >= cursor]
        end = next(self.ends, None)
        for frame in after[:end]:
            connection.send(frame)
        if end is None:
            self._over.wait(10)

    def close(self) -> None:
        self._over.set()
        self.server.shutdown()
        self._thread.join()


@pytest.fixture
def replay(request: pytest.FixtureRequest) -> Iterator[Replay]:
    server = Replay(*request.param)
    yield server
    server.close()


def listen(replay: Replay, count: int, silence: float = 5.0) -> list[Record]:
    feed_ = posts(replay.url, silence=silence, sleep=lambda _: None)
    found = list(islice(feed_, count))
    feed_.close()  # type: ignore[attr-defined]
    return found


def test_recorded_frames_hold_posts_and_other_things() -> None:
    assert 0 < len(POSTS) < len(FRAMES)
    assert len({post["tweet_id"] for post in POSTS}) == len(POSTS)
    assert all(0 < post["tweet_id"] < 2**63 for post in POSTS)


@pytest.mark.parametrize("replay", [()], indirect=True)
def test_frames_become_posts_and_others_are_skipped(replay: Replay) -> None:
    found = listen(replay, len(POSTS))
    assert [json.loads(record.data) for record in found] == POSTS
    assert [record.partition_key for record in found] == [post["user_id"] for post in POSTS]
    assert replay.cursors == [None]


@pytest.mark.parametrize("replay", [(3, 4)], indirect=True)
def test_a_broken_connection_goes_on_from_its_cursor(replay: Replay) -> None:
    seen = {json.loads(record.data)["tweet_id"] for record in listen(replay, len(POSTS) + 2)}
    assert seen == {post["tweet_id"] for post in POSTS}
    times = [json.loads(frame)["time_us"] for frame in FRAMES]
    assert replay.cursors == [None, times[2], times[5]]


@pytest.mark.parametrize("replay", [()], indirect=True)
def test_a_silent_connection_is_broken_off(replay: Replay) -> None:
    found = listen(replay, len(POSTS) + 1, silence=0.3)
    assert len(found) == len(POSTS) + 1
    assert replay.cursors[1] == json.loads(FRAMES[-1])["time_us"]


def test_a_server_that_is_away_is_asked_again_with_growing_pauses() -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(posts("ws://127.0.0.1:9/subscribe", sleep=sleep, jitter=lambda: 1.0))
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize("replay", [(3,)], indirect=True)
def test_live_posts_reach_the_table_once(suite: Suite, social: Social, replay: Replay) -> None:
    live = (
        Record(record.partition_key, encoded(json.loads(record.data) | {"user_id": f"{social.prefix}-live"}))
        for record in islice(posts(replay.url, sleep=lambda _: None), len(POSTS) + 1)
    )
    assert feed(suite.client("kinesis"), suite["SocialStreamName"], live) == len(POSTS) + 1
    items = social.wait_for_items(len(POSTS))
    assert {number for _, number in items} == {post["tweet_id"] for post in POSTS}


def test_a_recorded_file_is_fed_as_it_is(suite: Suite, social: Social, tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    broken = f"broken of {social.prefix}".encode()
    lines = [encoded(social.post(1)), broken, b"", encoded(social.post(2))]
    file.write_bytes(b"\n".join(lines))
    assert feed(suite.client("kinesis"), suite["SocialStreamName"], recorded(file), rate=20) == 3
    social.wait_for_items(2)
