"""User agents: families as `user_agents` tells them, bots as the lists name them, people never."""

import json
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import crawleruseragents
import pytest
import re2
import user_agents

from datagen.browsers import browsers
from datagen.cloudfront_logs import BOTS, encode_user_agent
from datagen.cloudfront_logs import browsers as common_browsers
from datagen.crawlers import Entry, device_detector_cases, people, united
from ops.paths import ROOT
from shared.access_log import UserAgents, _user_agents, decode_user_agent, without_device
from tests.unit.shared.access_log.logs import CHROME

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
    corpus = {*instances, *common_browsers(), *(bot for bot, _, _ in BOTS), *(text for *_, text in GOLDEN)}
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


def test_no_browser_or_app_of_a_person_is_a_bot(agents: UserAgents) -> None:
    visitors = people()
    assert len(visitors) > 45_000
    assert [text for text in visitors if agents[encode_user_agent(text)].is_bot] == []


def test_no_browser_that_the_list_was_not_checked_on_is_a_bot(agents: UserAgents) -> None:
    unseen = set(browsers(seed=2)) - set(browsers())
    assert len(unseen) > 10_000
    assert [text for text in unseen if agents[encode_user_agent(text)].is_bot] == []


def test_bots_of_a_list_that_is_no_source_are_found(agents: UserAgents) -> None:
    """device-detector's cases: whole user agents, a tenth of them such as say nothing (`Hello, world`)."""
    cases = device_detector_cases("bots")
    found = [agents[encode_user_agent(case["user_agent"])] for case in cases]
    of_ai = [
        agent
        for agent, case in zip(found, cases, strict=True)
        if str(case["bot"].get("category")).startswith("AI ")
    ]
    assert sum(agent.is_bot for agent in found) >= 0.88 * len(cases) > 1_100
    assert sum(agent.is_bot for agent in of_ai) >= 0.98 * len(of_ai) > 90
    assert sum(agent.category == "ai" for agent in of_ai) >= 0.84 * len(of_ai)


def test_every_entry_of_the_crawler_list_finds_its_own_instances(agents: UserAgents) -> None:
    missed = {
        entry["pattern"]
        for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA
        for text in entry["instances"]
        if not agents[encode_user_agent(text)].is_bot
    }
    # Build ids of Android's, and programs that people browse with.
    assert missed == {r"AP3A\.240617\.008", r"Code\/1\.", "Fluid"}


def test_list_holds_every_pattern_of_its_sources_or_says_whose_browser_it_matches() -> None:
    lists = json.loads(Path(_user_agents.__file__).with_name("crawlers.json").read_text())
    held = {pattern.removeprefix("(?i)").lower() for pattern, _ in lists["patterns"]}
    visitors = people()
    for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA:
        pattern = entry["pattern"]
        if pattern.lower() in held:
            continue
        matched = lists["left_out"][pattern]
        assert re2.search(pattern, matched)
        assert any(without_device(text) == matched for text in visitors)
    for source in ("crawler-user-agents", "crawlerdetect", "ai-crawler-index"):
        assert lists["sources"][source] == version(source), "make lists"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Mozilla/5.0 (Linux; Android 15; Expanse Build/AP3A.240617.008; wv) AppleWebKit/537.36",
         "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36"),
        ("Mozilla/5.0 (Linux; U; Android 4.0.3; zh-cn; ViewSonic) AppleWebKit/534.30",
         "Mozilla/5.0 (Linux; U; Android 4.0.3) AppleWebKit/534.30"),
        ("Mozilla/5.0 (Linux; Android 10; M40SE(M5T3) Build/QP1A.190711.020) AppleWebKit (KHTML, like Gecko)",
         "Mozilla/5.0 (Linux; Android 10) AppleWebKit (KHTML, like Gecko)"),
        ("mozilla/5.0 (linux; android 6.0; cubot echo) applewebkit/537.36",
         "mozilla/5.0 (linux; android 6.0) applewebkit/537.36"),
        ("Instagram 94.0 Android (22/5.1; 320dpi; CUBOT; S550 Pro; ru_RU)", "Instagram 94.0 Android ()"),
        ("Dalvik/2.1.0 (Linux; U; Android 11; Robot X)", "Dalvik/2.1.0 (Linux; U; Android 11)"),
        # https://developers.google.com/search/docs/crawling-indexing/google-common-crawlers
        ("Mozilla/5.0 (Linux; Android 8.0; Pixel 2 Build/OPD3.170816.012; Storebot-Google/1.0) AppleWebKit",
         "Mozilla/5.0 (Linux; Android 8.0; Storebot-Google/1.0) AppleWebKit"),
        ("Mozilla/5.0 (Linux; Android 5.0) AppleWebKit (compatible; Bytespider; https://z.example/)",
         "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit (compatible; Bytespider; https://z.example/)"),
        ("Mozilla/5.0 (compatible; Android 14; GPTBot/1)", "Mozilla/5.0 (compatible; Android 14; GPTBot/1)"),
        ("Mozilla/5.0 (X11; Linux x86_64) Gecko", "Mozilla/5.0 (X11; Linux x86_64) Gecko"),
        ("(((Android", "(((Android"),
        ("UCWEB/2.0 (Linux; U; Adr 4.4.2; en-US; CUBOT X9) U2/1.0", "UCWEB/2.0 (Linux; U; Adr 4.4.2) U2/1.0"),
        ("UCWEB/2.0 (MIDP-2.0; U; Adr 8.1; en; CUBOT_X9) U2/1.0.0", "UCWEB/2.0 () U2/1.0.0"),
    ],
)  # fmt: skip
def test_devices_are_not_looked_at(text: str, rest: str) -> None:
    assert without_device(text) == rest


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Mozilla/5.0 (compatible; gptBOT/1.2; +https://openai.com/gptbot)", "ai"),
        ("CLAUDEBOT", "ai"),
        ("Nobodyknowsbot/0.1", "other"),
        ("acme price SCRAPER", "other"),
        ("Acme (+https://acme.example/why)", "other"),
        ("Acme/1.0 (mailto:bots@acme.example)", "other"),
        ("Somebody/2 (+https://www.some-lab.ai/crawling)", "ai"),
        ("Mozilla/5.0 (compatible; Whatever/1.0)", "other"),
        ("Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)", "search"),
        ("WhatsApp/2.23.20.0 A", "preview"),
        ("Mozilla/5.0 (Linux; Android 12; CUBOT NOTE 20) AppleWebKit/537.36 Chrome/142.0.0.0", "-"),
    ],
)
def test_what_no_list_names_is_known_by_its_name_or_address(
    agents: UserAgents, text: str, category: str
) -> None:
    assert agents[encode_user_agent(text)].category == category


HOSTILE = (
    "Mozilla/5.0 (Linux; Android {n}aaaa" + "a" * 2_000, "(Android {n}" + "(" * 2_000,
    "Android {n}" + "(a" * 1_000, "(Android {n}" + "(a)" * 600,
    "Android {n}" + "((a)" * 500, "Adr 1{n} (" + ";" * 2_000,
)  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("form", HOSTILE, ids=[form[:16] for form in HOSTILE])
def test_brackets_without_end_do_not_hold_a_log_up(agents: UserAgents, form: str) -> None:
    """Tried again and again each would take 75 ms: with 2,000 of them a log would never be done."""
    for number in range(2_000):
        without_device(form.format(n=number))
    assert agents[encode_user_agent(form.format(n=0))] is not None


def test_pattern_that_matches_people_is_left_out_and_says_whom() -> None:
    entries = [
        Entry("Fever", "feed", "one"), Entry("acmebot", "ai", "one"), Entry("ACMEBOT", "seo", "two"),
        Entry("Sonic", "seo", "two"), Entry("(?!x)", "other", "two"),
    ]  # fmt: skip
    kept, dropped = united(entries, ["A Fever_1", "a sonic boom"])
    assert kept == [Entry("(?i)acmebot", "ai", "one"), Entry("Sonic", "seo", "two")]
    assert dropped["Fever"] == "A Fever_1"
    assert "RE2" in dropped["(?!x)"]


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


def test_without_native_wheels_results_are_the_same(
    agents: UserAgents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    monkeypatch.setattr(
        _user_agents, "find_spec", lambda name: None if name == "ua_parser_rs" else find_spec(name)
    )
    plain = UserAgents()
    for text in [bot for bot, _, _ in BOTS] + common_browsers()[:40]:
        raw = encode_user_agent(text)
        assert plain[raw] == agents[raw]


def test_the_backend_is_the_pinned_one() -> None:
    pins = (ROOT / "layers" / "dependencies" / "logs.in").read_text().split()
    for pin in pins:
        name, _, wanted = pin.replace("[regex]", "").partition("==")
        assert version(name) == wanted
