"""The memo of user agents: bounded by bytes, without forgetting what is in use."""

from sys import getsizeof

from shared.access_log import UserAgent, UserAgents
from shared.access_log._user_agents import _MEMO_BYTES, _Memo
from tests.unit.shared.access_log.logs import CHROME

LIMIT = 20_000


def recording(limit: int = LIMIT) -> tuple[_Memo, list[str]]:
    """A memo of some bytes, and what it had to look up."""
    asked: list[str] = []

    def look_up(raw: str) -> UserAgent:
        asked.append(raw)
        return UserAgent(raw[:7], "Windows", "-")

    return _Memo(look_up, limit), asked


def test_both_generations_are_bounded_by_bytes() -> None:
    memo, _ = recording()
    for number in range(2_000):
        assert memo[f"{number:04}{CHROME}"].agent.browser == f"{number:04}Moz"
        for generation in (memo, memo._older):
            assert sum(getsizeof(raw) + 104 for raw in generation) <= LIMIT
    assert len(memo) + len(memo._older) > 60
    assert len(memo._results) <= len(memo) + len(memo._older)


def test_a_user_agent_longer_than_the_memo_is_still_found() -> None:
    memo, _ = recording()
    assert memo["curl/8.0" + "x" * 3 * LIMIT].agent.browser == "curl/8."
    assert memo["wget/1"].agent.browser == "wget/1"
    assert memo["curl/8.0" + "x" * 3 * LIMIT].agent.browser == "curl/8."


def test_what_is_in_use_is_looked_up_once_whatever_else_comes() -> None:
    memo, asked = recording()
    for number in range(3_000):
        assert memo["mine"] is memo["mine"]
        memo[f"{number}{CHROME}"]
    assert asked.count("mine") == 1
    assert len(asked) == 3_001


def test_fifty_thousand_user_agents_of_usual_length_are_remembered() -> None:
    memo, asked = recording(_MEMO_BYTES)
    for _ in range(2):
        for number in range(50_000):
            memo[f"{CHROME}%20Build/{number}"]
    assert len(asked) == 50_000


def test_equal_results_are_kept_once() -> None:
    memo, _ = recording()
    assert memo["Mozilla/1"] is memo["Mozilla/2"]


def test_a_cleared_memo_looks_up_anew() -> None:
    memo, asked = recording()
    for _ in range(2):
        memo["mine"]
        memo.clear()
    assert asked == ["mine"] * 2


def test_the_look_up_is_that_memo(agents: UserAgents) -> None:
    assert isinstance(agents.known, _Memo)
    assert agents.known._limit == _MEMO_BYTES
