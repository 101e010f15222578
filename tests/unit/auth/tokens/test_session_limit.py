"""Fifty sessions a person: the oldest ends, of clients and of browsers."""

from __future__ import annotations

from typing import Any

import pytest

from auth.storage import BrowserSession, Session, Store
from auth.tokens import MOST_SESSIONS, Sessions
from local.memory_table import MemoryTable

NOW = 1_800_000_000
NO_TOKENS: Any = None  # ending sessions makes none, and asks for no client


@pytest.fixture
def store() -> Store:
    return Store(MemoryTable({"users": ("pk", "sk")}), "users", lambda: float(NOW))  # type: ignore[arg-type]


def begin(store: Store, family: str, began: int, user: str = "u1") -> None:
    store.commit(store.sessions.create(Session(user, family, "shop", "account", began, began, NOW + 86_400)))


@pytest.mark.parametrize("many", [0, 1, MOST_SESSIONS, MOST_SESSIONS + 1, 3 * MOST_SESSIONS])
def test_the_newest_fifty_are_left(store: Store, many: int) -> None:
    for number in reversed(range(many)):  # keys in another order than time
        begin(store, f"{(7 * number) % 1000:04}", NOW - 1000 + number)
    begin(store, "other", NOW - 5000, user="u2")
    left = Sessions(store, NO_TOKENS, NO_TOKENS, 30, 90).trim("u1", "")
    found = sorted(session.began for session in store.sessions.of_user("u1"))
    assert found == [NOW - 1000 + number for number in range(many)][-MOST_SESSIONS:]
    began = {session.family: session.began for session in store.sessions.of_user("u1")}
    assert [began[family] for family in left] == found, "the oldest first"
    assert len(store.sessions.of_user("u2")) == 1, "nobody else's end"


def test_the_session_that_just_began_stays_among_equals(store: Store) -> None:
    for number in range(MOST_SESSIONS + 1):
        begin(store, f"{number:02}", NOW)
    Sessions(store, NO_TOKENS, NO_TOKENS, 30, 90).trim("u1", "00")
    assert "00" in {session.family for session in store.sessions.of_user("u1")}


def test_sessions_that_end_within_minutes_go_first(store: Store) -> None:
    """Of an application that renews its tokens again and again: it ends nobody else's."""
    begin(store, "lasting", NOW - 9999)
    soon = [f"{number:03}" for number in range(MOST_SESSIONS)]
    for family in soon:
        short = Session("u1", family, "app", "openid", NOW - 60, NOW - 60, NOW + 600)
        store.commit(store.sessions.create(short))
    left = Sessions(store, NO_TOKENS, NO_TOKENS, 30, 90, lambda: float(NOW)).trim("u1", "")
    assert "lasting" in left
    assert len(left) == MOST_SESSIONS


def test_browsers_are_counted_by_themselves(store: Store) -> None:
    for number in range(MOST_SESSIONS + 2):
        store.commit(
            store.browsers.create(BrowserSession("u1", f"{number:064x}", NOW - number, "s", NOW + 60))
        )
    begin(store, "f", NOW - 9999)
    assert Sessions(store, NO_TOKENS, NO_TOKENS, 30, 90).trim("u1", "") == ["f"]
    left = {session.auth_time for session in store.browsers.of_user("u1")}
    assert left == {NOW - number for number in range(MOST_SESSIONS)}
    assert [session.family for session in store.sessions.of_user("u1")] == ["f"]
