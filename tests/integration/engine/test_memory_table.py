"""The table in memory answers the authentication's own requests as the engine's DynamoDB does."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from auth.storage import (
    Alias,
    AuthorizationCode,
    BrowserSession,
    DryRunOwner,
    LostRaceError,
    MailToken,
    Once,
    Session,
    Store,
    User,
    Write,
)
from local.memory_table import MemoryTable
from shared.http import UnauthorizedError
from tests.support.cloud import Cloud

NOW = 1_800_000_000
KEYS = ("pk", "sk")
pytestmark = pytest.mark.ours_only

type Act = Callable[[Store], list[Write]]


class Both:
    """A client that sends each request to the engine and to memory, and compares what they answer."""

    def __init__(self, engine: Any, memory: MemoryTable) -> None:
        self._engine, self._memory = engine, memory
        self.exceptions = engine.exceptions
        self.compared = 0

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **request: self._both(operation, request)

    def get_paginator(self, _: str) -> Both:
        return self

    def paginate(self, *, PaginationConfig: Any, **request: Any) -> Iterator[Any]:  # noqa: ARG002, N803
        yield self._both("query", request)  # all in one page

    def _both(self, operation: str, request: dict[str, Any]) -> Any:
        theirs, refused = answer(self._engine, operation, request)
        ours, _ = answer(self._memory, operation, request)
        if "IndexName" in request:  # projects keys alone
            ours = [{name: item[name] for name in KEYS} for item in ours]
            theirs = [{name: item[name] for name in KEYS} for item in theirs]
            ours, theirs = sorted(map(str, ours)), sorted(map(str, theirs))
        assert ours == theirs, (operation, request)
        self.compared += 1
        if isinstance(refused, ClientError):
            raise refused
        return refused


def answer(client: Any, operation: str, request: dict[str, Any]) -> tuple[Any, Any]:
    """What a client answers, in a form that can be compared, and as it is."""
    try:
        made = getattr(client, operation)(**request)
    except ClientError as error:
        reasons = [reason["Code"] for reason in error.response.get("CancellationReasons", ())]
        return (error.response["Error"]["Code"], reasons, error.response.get("Item")), error
    return made.get("Items", made.get("Item", made.get("Attributes"))), made


USERS, ALIASES = ("u1", "u2"), (Alias("email", "aa"), Alias("phone", "bb"))
users, aliases = st.sampled_from(USERS), st.sampled_from(ALIASES)
epochs, numbers = st.sampled_from(["", "e1", "e2"]), st.integers(0, 3)
names = st.sampled_from(["n1", "n2"])


def call(
    part: str, method: str, *args: st.SearchStrategy[Any], **more: st.SearchStrategy[Any]
) -> st.SearchStrategy[Act]:
    """Calls of a method of a part of the store; a write that it answers is written."""

    def act(drawn: tuple[tuple[Any, ...], dict[str, Any]]) -> Act:
        def run(store: Store) -> list[Write]:
            made = getattr(getattr(store, part), method)(*drawn[0], **drawn[1])
            every = made if isinstance(made, list) else [made]
            return [each for each in every if isinstance(each, Write)]

        return run

    return st.tuples(st.tuples(*args), st.fixed_dictionaries(more)).map(act)


def place(write: Write) -> tuple[str, str]:
    """The key of the item that is written."""
    key = write.request.get("Key") or write.request["Item"]
    return key["pk"]["S"], key["sk"]["S"]


def versions() -> st.SearchStrategy[User]:
    return st.builds(
        User, users, st.sampled_from(["active", "erased"]), email_index=st.sampled_from(["", "aa"]),
        ts=st.just("t"), version=st.dictionaries(st.sampled_from(["r1", "r2"]), numbers, max_size=2),
        origin=st.just("r1"), epoch=epochs,
    )  # fmt: skip


sessions = st.builds(
    Session, users, names, st.just("shop"), st.just("account"), st.just(NOW), st.just(NOW),
    st.sampled_from([NOW + 9, NOW - 9]), number=numbers, epoch=epochs,
)  # fmt: skip
codes = st.builds(
    AuthorizationCode, st.just("app"), st.just("https://app.example/"), st.just("c"), st.just(""),
    st.just("openid"), users, names, st.just("sid"), st.just(NOW), st.just(NOW + 60), st.just(NOW + 3600),
)  # fmt: skip
tokens = st.builds(
    MailToken,
    st.sampled_from(["verify", "reset"]),
    users,
    st.just("aa"),
    st.just("shop"),
    st.just(NOW + 60),
    epochs,
)
browsers = st.builds(BrowserSession, users, names, st.just(NOW), st.just("sid"), st.just(NOW + 60), epochs)
owners = st.builds(DryRunOwner, users, st.integers(0, 2))
acts = st.one_of(
    call("aliases", "owner", aliases),
    call("aliases", "claim", aliases, users),
    call("aliases", "claim", aliases, users, users),
    call("aliases", "releases", aliases, users),
    call("aliases", "count_attempt", aliases, st.sampled_from([2, 3])),
    call("aliases", "take_back", aliases),
    call("aliases", "forget_attempts", aliases),
    call(
        "aliases", "note_wrong", aliases, wait=st.sampled_from([None, 1000 * NOW + 500]),
        locked=st.sampled_from([None, 1000 * NOW + 700]),
    ),
    call("users", "get", users),
    call("users", "save", versions(), st.none()),
    call("users", "save", versions(), versions()),
    call("users", "unchanged", versions()),
    call("users", "epoch_is", users, epochs),
    call("users", "sharing", st.just(Alias("email", "aa"))),
    call("users", "delete_belongings", users),
    call("sessions", "create", sessions),
    call("sessions", "get", users, names),
    call("sessions", "of_user", users),
    call("sessions", "rotate", users, names, numbers, st.just(1000 * NOW), st.just(NOW + 9)),
    call("sessions", "move", users, names, epochs.filter(bool)),
    call("sessions", "delete", users, names),
    call("browsers", "create", browsers),
    call("browsers", "exists", users, names),
    call("browsers", "of_user", users),
    call("codes", "create", names, codes),
    call("codes", "redeem", names, names),
    call("codes", "get", names),
    call("mail_tokens", "create", names, tokens),
    call("mail_tokens", "redeem", names),
    call("mail_tokens", "get", names),
    call(
        "grants", "add", users, st.sampled_from(["", "e1"]), names, st.just("first"),
        st.lists(names, min_size=1, unique=True),
    ),
    call("grants", "of_user", users, st.sampled_from(["", "e1"])),
    call("counters", "add", st.just("mail"), names, st.just(3600)),
    call("counters", "get", st.just("mail"), names, st.just(3600)),
    call("totp_steps", "redeem", users, numbers, st.just(NOW + 90)),
    call("totp_steps", "last", users),
    call("audit", "add", users, st.just("login"), st.just("shop")),
    call("dry_runs", "save_owner", names, aliases, owners),
    call("dry_runs", "owner", names, aliases),
)  # fmt: skip
onces = st.none() | st.builds(Once, st.just("shop"), names, st.just(NOW + 60))


@pytest.fixture(scope="module")
def dynamodb(cloud: Cloud) -> Any:
    return cloud.client("dynamodb")


def new_table(dynamodb: Any) -> str:
    """A table as the template has it."""
    name = f"users-{secrets.token_hex(6)}"
    indexes = ("email_index", "phone_index")
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in (*KEYS, *indexes)],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": each,
                "KeySchema": [{"AttributeName": each, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for each in indexes
        ],
    )  # fmt: skip
    return name


@settings(
    max_examples=25, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(
    st.lists(
        st.tuples(st.lists(acts, min_size=1, max_size=3), onces, st.sampled_from([0, 1, 60, 3600])),
        min_size=20, max_size=60,
    )
)  # fmt: skip
def test_memory_answers_the_stores_requests_as_the_engine(
    dynamodb: Any, steps: list[tuple[list[Act], Once | None, int]]
) -> None:
    name, clock = new_table(dynamodb), [float(NOW)]
    both = Both(dynamodb, MemoryTable({name: KEYS}))
    store = Store(both, name, lambda: clock[0])  # type: ignore[arg-type]
    for acted, once, later in steps:
        writes: list[Write] = []
        for act in acted:
            writes += act(store)
        keys = [place(write) for write in writes]
        if len(set(keys)) == len(keys):
            with suppress(LostRaceError, UnauthorizedError):
                store.commit(*writes, once=once)
        clock[0] += later
    dynamodb.delete_table(TableName=name)
    assert both.compared >= len(steps)


@pytest.mark.parametrize(
    "request_",
    [
        {"UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"S": "x"}, ":b": {"S": "y"}}},
        {"UpdateExpression": "SET a = b", "ExpressionAttributeNames": {"#unused": "a"}},
        {"UpdateExpression": "SET a = b + :n", "ExpressionAttributeValues": {":n": {"N": "1"}}},
        {"UpdateExpression": "", "ExpressionAttributeNames": {}},
    ],
)
def test_memory_refuses_what_the_engine_refuses(dynamodb: Any, request_: dict[str, Any]) -> None:
    name = new_table(dynamodb)
    key = {"pk": {"S": "a"}, "sk": {"S": "."}}
    codes = []
    for client in (dynamodb, MemoryTable({name: KEYS})):
        with pytest.raises(ClientError) as refused:
            client.update_item(TableName=name, Key=key, **request_)
        codes.append(refused.value.response["Error"]["Code"])
    assert codes == ["ValidationException"] * 2


def test_an_item_twice_in_a_transaction_is_refused_by_both(dynamodb: Any) -> None:
    """TransactWriteItems: "no two of them can operate on the same item" (its API reference)."""
    name = new_table(dynamodb)
    delete = {"Delete": {"TableName": name, "Key": {"pk": {"S": "a"}, "sk": {"S": "."}}}}
    codes = []
    for client in (dynamodb, MemoryTable({name: KEYS})):
        with pytest.raises(ClientError) as refused:
            client.transact_write_items(TransactItems=[delete, delete])
        codes.append(refused.value.response["Error"]["Code"])
    assert codes == ["ValidationException"] * 2
