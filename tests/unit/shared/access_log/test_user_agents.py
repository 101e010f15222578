"""User agents: families as `user_agents` tells them, bots as the lists name them, people never."""

import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import crawleruseragents
import pytest
import user_agents

from datagen.cloudfront_logs import BOTS, browsers, encode_user_agent
from ops.paths import ROOT
from shared.access_log import UserAgents, _user_agents, decode_user_agent
from tests.unit.shared.access_log.logs import CHROME, GPTBOT

# Category, browser, operating system, user agent: people's browsers of 2025 and 2026, and bots of all kinds.
GOLDEN = [
    line.split("\t")
    for line in (Path(__file__).parent / "user_agents.tsv").read_text().rstrip("\n").split("\n")
]

# Where we differ from `user_agents`, which runs the patterns in pure Python, and why.
DIFFERENCES = {
    "Mozilla/5.0 (compatible; eright/1.0; +bot@eright.com)": "space before the family is removed",
    "Mozilla/5.0 (compatible; tracemyfile/1.0; +bot@tracemyfile.com)": "space before the family is removed",
    "Mozilla/5.0 (Linux; Android 7.0; SM-G930V Build/NRD90M) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/59.0.3071.125 Mobile Safari/537.36 (compatible; Google-Read-Aloud; +https://developers.google.com/"
    "search/docs/crawling-indexing/overview-google-crawlers)": "the native engine runs `.{0,200}` as `.*`",
}


@pytest.mark.parametrize(("category", "browser", "system", "text"), GOLDEN)
def test_golden_user_agents(agents: UserAgents, category: str, browser: str, system: str, text: str) -> None:
    assert agents[encode_user_agent(text)] == (browser, system, category)


def test_families_equal_those_of_user_agents(agents: UserAgents) -> None:
    instances = [text for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA for text in entry["instances"]]
    corpus = {*instances, *browsers(), *(bot for bot, _, _ in BOTS), *(text for *_, text in GOLDEN)}
    different = set()
    for text in corpus:
        theirs, ours = user_agents.parse(text), agents[encode_user_agent(text)]
        if (theirs.browser.family, theirs.os.family) != ours[:2]:
            different.add(text)
        assert ours.is_bot or not theirs.is_bot, f"user_agents finds this bot: {text}"
    assert len(corpus) > 3_000
    assert different == set(DIFFERENCES)


def test_every_named_ai_crawler_is_found(agents: UserAgents) -> None:
    named = [
        text
        for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA
        if "ai-crawler" in entry["tags"]
        for text in entry["instances"]
    ]
    assert len(named) > 90
    assert [text for text in named if agents[encode_user_agent(text)].category != "ai"] == []


def test_no_browser_of_a_person_is_a_bot(agents: UserAgents) -> None:
    assert [text for text in browsers() if agents[encode_user_agent(text)].is_bot] == []


def test_every_entry_of_the_crawler_list_finds_its_own_instances(agents: UserAgents) -> None:
    entries = crawleruseragents.CRAWLER_USER_AGENTS_DATA
    missed = [
        text for entry in entries for text in entry["instances"] if not agents[encode_user_agent(text)].is_bot
    ]
    assert missed == []


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param("Mozilla/5.0%20(X11)", "Mozilla/5.0 (X11)", id="encoded once"),
        pytest.param("Mozilla/5.0%2520(X11)", "Mozilla/5.0 (X11)", id="encoded twice"),
        pytest.param("a%20b%2520c", "a b%20c", id="a percent sign of the viewer's own"),
        pytest.param("50%25off", "50%off", id="no space"),
        pytest.param("caf%C3%A9%20%FF", "café \N{REPLACEMENT CHARACTER}", id="not UTF-8"),
        pytest.param("%", "%", id="no code"),
        pytest.param("x%20" * 2_000, "x " * 1_024, id="cut at 2 KiB"),
        pytest.param("", "", id="empty"),
    ],
)
def test_decoding(raw: str, text: str) -> None:
    assert decode_user_agent(raw) == text


def test_both_encodings_give_the_same(agents: UserAgents) -> None:
    assert agents[CHROME] == agents[CHROME.replace("%", "%25")] == ("Chrome", "Windows", "-")


def test_the_memo_is_bounded_and_answers_stay_right() -> None:
    small = UserAgents(limit=10)
    for number in range(100):
        assert small[f"{GPTBOT}{number}"].category == "ai"
        assert len(small) <= 10
    assert small["curl/8.0%20" * 200].category == "tool"
    assert len(small) <= 10
    assert not any("curl" in raw for raw in small)


def test_without_native_wheels_results_are_the_same(
    agents: UserAgents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    monkeypatch.setattr(
        _user_agents, "find_spec", lambda name: None if name == "ua_parser_rs" else find_spec(name)
    )
    plain = UserAgents()
    for text in [bot for bot, _, _ in BOTS] + browsers()[:40]:
        raw = encode_user_agent(text)
        assert plain[raw] == agents[raw]


def test_the_backend_is_the_pinned_one() -> None:
    pins = (ROOT / "layers" / "dependencies" / "logs.in").read_text().split()
    for pin in pins:
        name, _, wanted = pin.replace("[regex]", "").partition("==")
        assert version(name) == wanted
