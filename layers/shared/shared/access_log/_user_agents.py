"""Browser, operating system and bot category of a user agent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import unquote

__all__ = ["UserAgent", "UserAgents", "decode_user_agent"]

MAX_USER_AGENT = 2_048  # characters that are looked at
_MAX_MEMO_KEY = (
    512  # raw user agents longer than that are not remembered, so that the memo's memory is bounded
)
_RE2_MEMORY = 32 << 20  # bytes for the automaton of all crawler patterns; it starts anew when they are full

# The tags of crawler-user-agents, and what they are to us.
_CATEGORIES = {
    "ai-crawler": "ai",
    "search-engine": "search",
    "seo": "seo",
    "monitoring": "monitor",
    "http-library": "tool",
    "browser-automation": "tool",
    "scanner": "scanner",
    "advertising": "advertising",
    "social-preview": "preview",
    "feed-reader": "feed",
    "archiver": "archive",
    "academic": "academic",
}
# AI crawlers that crawler-user-agents lacks, or tags as something else.
_MORE_AI = (
    r"AIWebIndex",
    r"Ai2Bot-Dolma",
    r"Amazonbot",
    r"Andibot",
    r"bedrockbot",
    r"ChatGPT Agent",
    r"Crawl4AI",
    r"Crawlspace",
    r"Diffbot",
    r"ExaSearchBot",
    r"Google-(?:Agent|GeminiNotebook|Pinpoint)",
    r"GoogleOther",
    r"ICC-Crawler",
    r"ImagesiftBot",
    r"KlaviyoAIBot",
    r"LAIONDownloader",
    r"Meta-WebIndexer",
    r"meta-externalfetcher",
    r"omgili",
    r"PetalBot",
    r"QuillBot",
    r"Reflectionbot",
    r"SemrushBot-OCOB",
    r"VelenPublicWebCrawler",
    r"Webzio-Extended",
    r"YandexAdditional",
    r"YouBot",
)
# Other bots without "bot" in their names that no list has.
_MORE_BOTS = (
    (r"FeedFetcher-Google", "feed"),
    (r"[Bb]arkrowler", "seo"),
    (r"GoogleMessages", "preview"),
    (r"Google-CWS", "tool"),
    (r"Lightpanda", "tool"),
    (r"Yandex(?:Blogs|Images|Market|Media|Video|Webmaster|Direct|Metrika|Calendar)", "search"),
)


class UserAgent(NamedTuple):
    """What a user agent says.

    Attributes:
        browser: Family of the browser; `Other` if unknown.
        system: Family of the operating system; `Other` if unknown.
        category: What kind of bot it is: ai, search, seo, monitor, tool, scanner, advertising, preview, feed,
            archive, academic or other; `-` for people.
    """

    browser: str
    system: str
    category: str

    @property
    def is_bot(self) -> bool:
        """Whether it is a bot."""
        return self.category != "-"


def decode_user_agent(raw: str) -> str:
    """A user agent as the viewer sent it, cut at 2,048 characters.

    CloudFront percent-encodes it; older files hold it encoded twice, which shows in a `%20` that is left and
    no space. Bytes that are not UTF-8 become replacement characters.
    """
    text = unquote(raw, errors="replace")
    if "%20" in text and " " not in text:
        text = unquote(text, errors="replace")
    return text[:MAX_USER_AGENT]


class UserAgents(dict[str, UserAgent]):
    """Looks up raw user agents, and remembers them: `agents[raw]`.

    Families are those of ua-parser (its regex backend; its pure-Python one, at 1/50 of the speed, where that
    has no wheel). Bots are what the crawler-user-agents list or ua-parser's device `Spider` names, so that
    nothing is missed that `user_agents.is_bot` finds. Meant to live as long as the process: an instance takes
    about 250 ms to make, and at most 15 MB more with a full memo. Safe to share between threads.

    Args:
        limit: How many user agents are remembered; at that, the memo starts anew.
    """

    def __init__(self, limit: int = 10_000) -> None:
        super().__init__()
        self.limit = limit
        self._parse = _parser()
        self._categories, self._match = _crawlers()

    def __missing__(self, raw: str) -> UserAgent:
        result = self._look_up(decode_user_agent(raw))
        if len(raw) <= _MAX_MEMO_KEY:
            if len(self) >= self.limit:
                self.clear()
            self[raw] = result
        return result

    def _look_up(self, text: str) -> UserAgent:
        browser, system, device = self._parse(text)
        categories = {self._categories[place] for place in self._match(text)}
        if "ai" in categories:
            category = "ai"
        elif categories:
            category = min(categories, key=_PRIORITY.index)
        else:
            category = "other" if device == "Spider" else "-"
        return UserAgent(_clean(browser), _clean(system), category)


_PRIORITY = [*dict.fromkeys(_CATEGORIES.values()), "other"]


def _clean(family: str | None) -> str:
    """A family without the tabs and line ends that a decoded user agent can bring into it."""
    return " ".join(family.split())[:128] if family else "Other"


def _parser() -> Callable[[str], tuple[str | None, str | None, str | None]]:
    """A function from a user agent to its browser, operating system and device families."""
    import ua_parser

    if find_spec("ua_parser_rs"):
        from ua_parser.regex import Resolver

        resolver: ua_parser.Resolver = Resolver(ua_parser.load_lazy_builtins())
    else:
        resolver = ua_parser.BasicResolver(ua_parser.load_builtins())

    def parse(text: str) -> tuple[str | None, str | None, str | None]:
        found = resolver(text, ua_parser.Domain.ALL)
        return (
            found.user_agent.family if found.user_agent else None,
            found.os.family if found.os else None,
            found.device.family if found.device else None,
        )

    return parse


def _crawlers() -> tuple[list[str], Callable[[str], list[int]]]:
    """The categories of all crawler patterns, and a function that tells which patterns match."""
    # The package itself compiles every pattern when imported.
    spec = find_spec("crawleruseragents")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("crawler-user-agents is not installed", name="crawleruseragents")
    entries: list[dict[str, Any]] = json.loads(
        Path(spec.origin).with_name("crawler-user-agents.json").read_text(encoding="utf-8")
    )
    patterns = [
        *((entry["pattern"], _category(entry.get("tags") or ())) for entry in entries),
        *((pattern, "ai") for pattern in _MORE_AI),
        *_MORE_BOTS,
    ]
    categories = [category for _, category in patterns]
    try:
        import re2
    except ImportError:  # no wheel for this platform
        compiled = [re.compile(pattern) for pattern, _ in patterns]
        return categories, lambda text: [place for place, one in enumerate(compiled) if one.search(text)]
    options = re2.Options()
    options.max_mem, options.log_errors = _RE2_MEMORY, False
    every = re2.Set.SearchSet(options)
    for pattern, _ in patterns:
        every.Add(pattern)
    every.Compile()
    return categories, lambda text: cast("list[int]", every.Match(text) or [])


def _category(tags: list[str] | tuple[()]) -> str:
    if "ai-crawler" in tags:
        return "ai"
    return _CATEGORIES.get(tags[0], "other") if tags else "other"
