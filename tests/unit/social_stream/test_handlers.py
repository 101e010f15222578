"""The three handlers without a network: what they report when something in the middle fails."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.paths import ROOT
from shared import clients
from social_stream import activity, ingest, write, write_request
from social_stream.posts import Post


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "Call",
    )


class Services:
    """The services that the handlers call; `failing` are names of calls that are denied."""

    class _ConditionalCheckFailed(ClientError):
        pass

    exceptions = SimpleNamespace(ConditionalCheckFailedException=_ConditionalCheckFailed)

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.invoked: list[list[Post]] = []
        self.objects: dict[str, list[dict[str, Any]]] = {}
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.messages: list[dict[str, Any]] = []
        self.reasons: list[str] = []
        self.delivered: list[bytes] = []
        self.refused: set[bytes] = set()

    def _call(self, name: str) -> None:
        if name in self.failing:
            raise refusal("AccessDeniedException")

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> None:  # noqa: N803
        assert (FunctionName, InvocationType) == ("write", "Event")
        event = json.loads(Payload)
        if any(post["Tweet"] in self.failing for post in event["posts"]):
            raise refusal("TooManyRequestsException", 429)
        self.invoked.append(event["posts"])

    def put_object(self, *, Key: str, Body: bytes, **_: str) -> None:  # noqa: N803
        self._call("put_object")
        self.objects[Key] = [json.loads(line) for line in Body.splitlines()]

    def batch_write_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        self._call("batch_write_item")
        for request in RequestItems["posts"]:
            self._store(request["PutRequest"]["Item"])
        return {"UnprocessedItems": {}}

    def put_item(self, *, Item: dict[str, Any], **_: Any) -> None:  # noqa: N803
        self._call("put_item")
        old = self.items.get((Item["user_id"]["S"], Item["tweet_id"]["N"]))
        if old and old["RecordNum"]["S"] >= Item["RecordNum"]["S"]:
            raise self._ConditionalCheckFailed(refusal("ConditionalCheckFailedException").response, "PutItem")
        self._store(Item)

    def _store(self, item: dict[str, Any]) -> None:
        self.items[item["user_id"]["S"], item["tweet_id"]["N"]] = item

    def send_message(self, *, QueueUrl: str, MessageBody: str, MessageAttributes: Any) -> None:  # noqa: N803
        assert QueueUrl == "queue"
        self.messages.append(json.loads(MessageBody))
        self.reasons.append(MessageAttributes["reason"]["StringValue"])

    def put_record_batch(self, *, Records: list[dict[str, bytes]], **_: str) -> dict[str, Any]:  # noqa: N803
        self._call("put_record_batch")
        answers = []
        for record in Records:
            fails = record["Data"] in self.refused
            answers.append({"ErrorCode": "ServiceUnavailableException"} if fails else {"RecordId": "1"})
            if not fails:
                self.delivered.append(record["Data"])
        return {"RequestResponses": answers}


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    made = Services()
    monkeypatch.setattr(clients, "_client", lambda *_, **__: made)
    variables = {
        "WRITE_FUNCTION": "write", "FAILURES_BUCKET": "failures", "POSTS_TABLE": "posts",
        "DEAD_LETTER_QUEUE_URL": "queue", "DELIVERY_STREAM": "activity",
    }  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return made


def context(seconds: float = 60) -> Any:
    return SimpleNamespace(
        function_name="f", aws_request_id="1", get_remaining_time_in_millis=lambda: int(seconds * 1000)
    )


def recorded(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / f"events/social_stream/{name}.json").read_text())
    return event


def number(event: dict[str, Any], place: int) -> str:
    record = event["Records"][place]
    return str(
        record["kinesis"]["sequenceNumber"] if "kinesis" in record else record["dynamodb"]["SequenceNumber"]
    )


def stream_of(*posts: bytes) -> dict[str, Any]:
    event = recorded("ingest_posts")
    template = event["Records"][0]
    event["Records"] = [
        template | {"kinesis": template["kinesis"] | {
            "sequenceNumber": str(100 + place), "data": base64.b64encode(data).decode()
        }}
        for place, data in enumerate(posts)
    ]  # fmt: skip
    return event


def post(number: int, text: str = "text") -> bytes:
    return json.dumps({"user_id": "u", "tweet_id": number, "Tweet": text}).encode()


def late(number: int, version: int = 1) -> Post:
    return {
        "user_id": "u",
        "tweet_id": number,
        "Tweet": f"version {version}",
        "RecordNum": f"{version:056d}.0",
    }


# ---- ingest


def test_ingest_sends_every_post_of_single_and_aggregated_records(services: Services) -> None:
    for name in ("ingest_posts", "ingest_aggregated"):
        assert ingest.handler(recorded(name), context()) == {"batchItemFailures": []}
    single, parts = services.invoked
    assert [each["tweet_id"] for each in single] == [each["tweet_id"] for each in parts]
    assert services.objects == {}


def test_ingest_quarantines_bad_middle_records_and_sends_the_others(services: Services) -> None:
    event = recorded("ingest_poison")
    assert ingest.handler(event, context()) == {"batchItemFailures": []}
    [lines] = services.objects.values()
    assert [line["sequence_number"] for line in lines] == [number(event, place) for place in (1, 2, 3)]
    assert all(line["reason"] and base64.b64decode(line["data"]) for line in lines)
    assert [len(posts) for posts in services.invoked] == [2]
    again = dict(services.objects)
    ingest.handler(event, context())
    assert services.objects == again, "the same object for the same records"


def test_ingest_reports_the_middle_record_that_cannot_be_read_for_now(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def post_of(data: bytes, *rest: Any) -> Post:
        if b"middle" in data:
            raise MemoryError
        return {"user_id": "u", "tweet_id": 1, "Tweet": ""}

    monkeypatch.setattr(ingest, "post_of", post_of)
    event = stream_of(post(1), post(2, "middle"), post(3))
    assert ingest.handler(event, context()) == {"batchItemFailures": [{"itemIdentifier": "101"}]}
    assert [len(posts) for posts in services.invoked] == [1], "what is behind it waits"


def test_ingest_reports_the_first_record_of_the_request_that_failed(services: Services) -> None:
    services.failing = {"second"}
    large = "x" * 350_000  # two of them fill a write request
    event = stream_of(*(post(place, large) for place in range(2)), post(2, "second"), *(
        post(place, large) for place in range(3, 5)
    ))  # fmt: skip
    assert ingest.handler(event, context()) == {"batchItemFailures": [{"itemIdentifier": "100"}]}
    services.failing = set()
    assert ingest.handler(event, context()) == {"batchItemFailures": []}
    assert [len(posts) for posts in services.invoked] == [3, 2]


def test_ingest_reports_what_quarantine_did_not_take(services: Services) -> None:
    services.failing = {"put_object"}
    event = recorded("ingest_poison")
    assert ingest.handler(event, context()) == {"batchItemFailures": [{"itemIdentifier": number(event, 1)}]}


# ---- write


def test_fresh_posts_are_written_in_batches_the_newest_of_a_key_last(services: Services) -> None:
    write.handler({"posts": [late(1, 9), late(2, 1), late(1, 3)], "fresh_until": 4e9}, context())
    assert {key: item["Tweet"]["S"] for key, item in services.items.items()} == {
        ("u", "1"): "version 9", ("u", "2"): "version 1",
    }  # fmt: skip
    assert services.messages == []


def test_late_posts_lose_to_newer_ones(services: Services) -> None:
    write.handler({"posts": [late(1, 5), late(2, 5)], "fresh_until": 4e9}, context())
    write.handler({"posts": [late(1, 4), late(2, 6), late(3, 1)], "fresh_until": 0}, context())
    texts = {key[1]: item["Tweet"]["S"] for key, item in services.items.items()}
    assert texts == {"1": "version 5", "2": "version 6", "3": "version 1"}


def test_posts_left_at_the_deadline_go_to_the_dlq_as_a_stale_request(
    services: Services,
) -> None:
    posts = [late(1), late(2)]
    write.handler({"posts": posts, "fresh_until": 4e9}, context(seconds=1))
    assert services.messages == [{"posts": posts, "fresh_until": 0.0}]
    assert write_request.decoded(services.messages[0]).posts == posts


def test_a_late_post_that_is_denied_goes_to_the_dlq_alone(services: Services) -> None:
    services.failing = {"put_item"}
    write.handler({"posts": [late(1)], "fresh_until": 0}, context())
    assert [len(message["posts"]) for message in services.messages] == [1]


@pytest.mark.parametrize("fresh_until", [4e9, 0], ids=["fresh", "late"])
def test_what_the_table_can_never_take_goes_to_the_dlq_with_its_reason(
    services: Services, fresh_until: float
) -> None:
    bad: list[Any] = [late(2) | {"Location": 52.5}, None]
    write.handler({"posts": [late(1), *bad, late(3)], "fresh_until": fresh_until}, context())
    assert sorted(key[1] for key in services.items) == ["1", "3"]
    left = [post for message in services.messages for post in message["posts"]]
    assert sorted(left, key=str) == sorted(bad, key=str)
    assert all(services.reasons)


def test_denied_batch_fails_the_invocation_so_that_lambda_tries_again(services: Services) -> None:
    services.failing = {"batch_write_item"}
    with pytest.raises(Exception, match="0 written, 1 not"):
        write.handler({"posts": [late(1)], "fresh_until": 4e9}, context())
    assert services.messages == []


# ---- activity


def published(capsys: pytest.CaptureFixture[str], metric: str) -> list[float]:
    """The values of a metric in what was printed since the last look."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    return [value for line in lines for value in line.get(metric, [])]


def test_activity_writes_a_line_for_each_new_post_and_none_for_changes(services: Services) -> None:
    assert activity.handler(recorded("activity_modify_remove"), context()) == {"batchItemFailures": []}
    [line] = b"".join(services.delivered).splitlines()
    assert json.loads(line)["approx_post_time"] == "2026-11-23 20:00:24.000"
    assert json.loads(line)["table_name"].startswith("suite-local-SocialPostsTable")


def test_activity_reports_the_first_change_of_the_middle_record_that_firehose_refused(
    services: Services, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(activity, "RECORD_BYTES", 200)  # a line each
    event = recorded("activity_new_posts")
    assert activity.handler(event, context()) == {"batchItemFailures": []}
    assert published(capsys, "PostsDelivered") == [6]
    whole = list(services.delivered)
    assert len(whole) == 6
    services.delivered, services.refused = [], {whole[2], whole[4]}
    answer = activity.handler(event, context(seconds=20.2))
    assert answer == {"batchItemFailures": [{"itemIdentifier": number(event, 2)}]}
    assert published(capsys, "PostsDelivered") == [4]
    assert services.delivered == [whole[place] for place in (0, 1, 3, 5)], "each once"


def test_activity_that_is_denied_fails_so_that_lambda_tries_again(services: Services) -> None:
    services.failing = {"put_record_batch"}
    with pytest.raises(ClientError):
        activity.handler(recorded("activity_new_posts"), context())
