from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ec2_monitor.bulk import Entry, Outcome, Result, create
from shared.signed_http import Answer, UnreachableError


def entries(count: int, size: int = 20) -> list[Entry]:
    return [Entry(str(number), b'{"a":"%s"}\n' % (b"x" * size)) for number in range(count)]


def identities(body: bytes) -> list[str]:
    return [json.loads(line)["create"]["_id"] for line in body.splitlines()[::2]]


class Server:
    """Answers as the bulk API does: each document by its status, 201 unless told otherwise."""

    def __init__(
        self, statuses: Mapping[str, int] | None = None, poison: frozenset[str] = frozenset()
    ) -> None:
        self.statuses = statuses or {}
        self.poison = poison
        self.asked: list[bytes] = []

    def __call__(self, body: bytes) -> Answer:
        self.asked.append(body)
        names = identities(body)
        if self.poison & set(names):  # one of them spoils the request for all
            return Answer(400, b'{"error":{"type":"action_request_validation_exception"},"status":400}')
        items = []
        for name in names:
            status = self.statuses.get(name, 201)
            error = {} if status in (201, 409) else {"error": {"type": "some_exception"}}
            items.append({"create": {"status": status, **error}})
        return Answer(200, json.dumps({"items": items}).encode())


def always() -> bool:
    return True


def results(outcomes: list[Outcome]) -> list[Result]:
    return [outcome.result for outcome in outcomes]


def test_body_is_an_action_and_a_document_a_line() -> None:
    server = Server()
    create(server, [Entry('a"b', b'{"c":1}\n'), Entry("d", b'{"e":2}\n')], goes_on=always)
    assert server.asked == [b'{"create":{"_id":"a\\"b"}}\n{"c":1}\n{"create":{"_id":"d"}}\n{"e":2}\n']


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, Result.CREATED),
        (201, Result.CREATED),
        (409, Result.KNOWN),
        (400, Result.REFUSED),
        (413, Result.REFUSED),
        (429, Result.DELAYED),
        (500, Result.DELAYED),
        (503, Result.DELAYED),
        (403, Result.DELAYED),
        (404, Result.DELAYED),
    ],
)
def test_each_document_has_its_own_result(status: int, result: Result) -> None:
    server = Server({"1": status})
    assert results(create(server, entries(3), goes_on=always)) == [Result.CREATED, result, Result.CREATED]


@pytest.mark.parametrize("kind", ["index_closed_exception", "validation_exception"])
def test_what_is_wrong_with_the_index_is_no_fault_of_a_document(kind: str) -> None:
    item = {"create": {"status": 400, "error": {"type": kind}}}
    answer = Answer(200, json.dumps({"items": [item]}).encode())
    assert create(lambda _: answer, entries(1), goes_on=always) == [Outcome(Result.DELAYED, f"400 {kind}")]


def test_reason_is_the_kind_of_error() -> None:
    assert create(Server({"0": 429}), entries(1), goes_on=always) == [
        Outcome(Result.DELAYED, "429 some_exception")
    ]


@given(st.integers(1, 40), st.sets(st.integers(0, 39)))
def test_whatever_spoils_a_request_is_refused_alone(count: int, poison: set[int]) -> None:
    server = Server(poison=frozenset(map(str, poison)))
    outcomes = create(server, entries(count), goes_on=always)
    assert results(outcomes) == [
        Result.REFUSED if place in poison else Result.CREATED for place in range(count)
    ]
    sent = [
        name for body in server.asked for name in identities(body) if not server.poison & {*identities(body)}
    ]
    assert len(sent) == len(set(sent)), "what was taken is not sent again"


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(50, 2000))
def test_requests_stay_below_the_limit_and_hold_everything_once(sizes: list[int], limit: int) -> None:
    given_ = [Entry(str(place), b"x" * size + b"\n") for place, size in enumerate(sizes)]
    server = Server()
    outcomes = create(server, given_, goes_on=always, max_bytes=limit)
    assert results(outcomes) == [Result.CREATED] * len(sizes)
    assert [name for body in server.asked for name in identities(body)] == [
        entry.identity for entry in given_
    ]
    assert all(len(body) <= limit or len(identities(body)) == 1 for body in server.asked)


def answers(*given_: Answer | Exception) -> tuple[Callable[[bytes], Answer], list[bytes]]:
    waiting, asked = list(given_), list[bytes]()

    def post(body: bytes) -> Answer:
        asked.append(body)
        answer = waiting.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return post, asked


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(429, b"{}"), "429"),
        (Answer(503, b"<html>"), "503"),
        (Answer(504, b""), "504"),
        (Answer(403, b'{"Message":"no"}'), "403"),
        (Answer(302, b""), "302"),
        (Answer(400, b'{"error":{"type":"index_closed_exception"}}'), "400 index_closed_exception"),
        (UnreachableError("ReadTimeoutError"), "ReadTimeoutError"),
    ],
)
def test_a_busy_domain_is_asked_once_and_everything_waits(answer: Answer | Exception, reason: str) -> None:
    post, asked = answers(answer)
    outcomes = create(post, entries(9, size=100), goes_on=always, max_bytes=300)
    assert outcomes == [Outcome(Result.DELAYED, reason)] * 9
    assert len(asked) == 1


def test_what_was_created_before_the_domain_was_busy_stays_so() -> None:
    good = Answer(200, b'{"items":[{"create":{"status":201}},{"create":{"status":201}}]}')
    post, _ = answers(good, Answer(429, b""))
    outcomes = create(post, entries(6, size=100), goes_on=always, max_bytes=300)
    assert results(outcomes) == [Result.CREATED] * 2 + [Result.DELAYED] * 4


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[]",
        b"{}",
        b'{"items":[]}',
        b'{"items":[{"create":{}}]}',
        b'{"items":[{"index":{"status":201}}]}',
        b'{"items":[{"create":{"status":201}},{"create":{"status":201}}]}',
        b'{"items":[{"create":{"status":500}}]}',
    ],
)
def test_an_answer_that_does_not_tell_of_each_document_is_no_answer(body: bytes) -> None:
    assert results(create(lambda _: Answer(200, body), entries(1), goes_on=always)) == [Result.DELAYED]


def test_nothing_is_sent_when_time_is_up() -> None:
    times = iter([True, False])
    server = Server()
    outcomes = create(server, entries(4, size=100), goes_on=lambda: next(times), max_bytes=300)
    assert results(outcomes) == [Result.CREATED, Result.CREATED, Result.DELAYED, Result.DELAYED]
    assert len(server.asked) == 1


def test_a_document_that_is_too_long_alone_is_refused() -> None:
    assert (
        create(lambda _: Answer(413, b""), entries(2), goes_on=always) == [Outcome(Result.REFUSED, "413")] * 2
    )


def test_nothing_to_create_asks_nobody() -> None:
    server = Server()
    assert create(server, [], goes_on=always) == []
    assert server.asked == []
