"""Browser, operating system and bot category of a user agent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from sys import getsizeof
from typing import NamedTuple, cast
from urllib.parse import unquote

__all__ = ["UserAgent", "UserAgents", "decode_user_agent", "without_device"]

MAX_USER_AGENT = 2_048  # characters that are looked at
_MEMO_BYTES = 16 << 20  # of each of the memo's two generations: 50,000 user agents of 150 characters
_RE2_MEMORY = 32 << 20  # bytes for the automaton of all crawler patterns; it starts anew when they are full

_CATEGORIES = (
    "ai", "search", "seo", "monitor", "tool", "scanner", "advertising", "preview", "feed", "archive",
    "academic", "other",
)  # fmt: skip
"""Of what matches, the first counts."""
# Between brackets browsers and apps of Android's name device and build: words of makers, not who asks.
# Nothing in it is tried twice (`*+`): a viewer may send brackets without end.
_DEVICE = re.compile(
    r"((?:Android )?\((?:Linux;(?: U;)? (?:Android|Adr) [^();]*+)?)"
    r"([^()]*+(?:\([^()]*\)[^()]*+)*+)\)",
    re.IGNORECASE,
)
_ANDROID = re.compile(r"ndroid|\bAdr [0-9]")
_SPEAKS = re.compile(r"compatible;|https?:", re.IGNORECASE)  # of somebody after all
_PRODUCT = re.compile(r"; *[A-Za-z][\w.-]*/[0-9][0-9.]*(?=;|$)")  # as some bots of Google's write themselves


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


class KnownUserAgent:
    """A user agent with the columns of a row that it makes.

    Attributes:
        agent: What it says.
        before: The columns before those of the file.
        after: The column after them.
    """

    __slots__ = ("after", "agent", "before")  # twice as fast as attributes of a tuple

    def __init__(self, agent: UserAgent) -> None:
        self.agent = agent
        self.before = f"\t{agent.browser}\t{agent.system}\t{agent.is_bot}\t"
        self.after = f"\t{agent.category}\t"


class _Memo(dict[str, KnownUserAgent]):
    """Remembers results up to a number of bytes, those in use longest.

    It holds two generations. At its bound the younger becomes the older, whose results come back as they are
    asked for, and what was the older is forgotten: a hit costs no more than one of a dict, and nothing that
    is in use is looked up twice.

    Args:
        look_up: Finds what is not remembered. Equal results are kept once.
        limit: Bytes of each generation: its keys, and what a dict takes for an entry.
    """

    _ENTRY = 104  # bytes of an entry in a dict that has just grown

    def __init__(self, look_up: Callable[[str], UserAgent], limit: int) -> None:
        super().__init__()
        self._look_up = look_up
        self._limit = limit
        self._size = 0
        self._older: dict[str, KnownUserAgent] = {}
        self._results: dict[UserAgent, KnownUserAgent] = {}

    def __missing__(self, raw: str) -> KnownUserAgent:
        found = self._older.get(raw)
        if found is None:
            result = self._look_up(raw)
            found = self._results.get(result) or self._results.setdefault(result, KnownUserAgent(result))
        size = getsizeof(raw) + self._ENTRY
        if self._size + size > self._limit:
            self._older = dict(self)
            self._results = {known.agent: known for known in self._older.values()}
            super().clear()
            self._size = 0
        self._size += size
        self[raw] = found
        return found

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._older, self._results, self._size = {}, {}, 0


class UserAgents:
    """Looks up raw user agents, and remembers them: `agents[raw]`.

    Families are those of ua-parser (its regex backend; its pure-Python one, at 1/50 of the speed, where that
    has no wheel). Bots are what `crawlers.json` names, several maintained lists in one (`make lists`), and
    ua-parser's device `Spider`; what names a device of Android's is not looked at. Meant to live as long as
    the process: an instance takes about 250 ms to make, and at most 32 MB more with a full memo. Safe to
    share between threads.

    Args:
        memo_bytes: Bytes of each of the memo's two generations.

    Attributes:
        known: The memo, by raw user agent; what is not in it is looked up.
    """

    def __init__(self, memo_bytes: int = _MEMO_BYTES) -> None:
        self.known = _Memo(self._find, memo_bytes)
        self._parse = _parser()
        self._categories, self._match = _crawlers()

    def __getitem__(self, raw: str) -> UserAgent:
        return self.known[raw].agent

    def _find(self, raw: str) -> UserAgent:
        text = decode_user_agent(raw)
        browser, system, device = self._parse(text)
        categories = {self._categories[place] for place in self._match(without_device(text))}
        if device == "Spider":
            categories.add("other")
        category = "-" if "-" in categories else min(categories, key=_CATEGORIES.index, default="-")
        return UserAgent(_clean(browser), _clean(system), category)


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


def without_device(text: str) -> str:
    """A user agent without the devices and builds that browsers and apps of Android's name."""
    return _DEVICE.sub(_cut, text) if _ANDROID.search(text) else text


def _cut(found: re.Match[str]) -> str:
    if not _ANDROID.search(found[0]) or _SPEAKS.search(found[0]):
        return found[0]
    return f"{found[1]}{''.join(_PRODUCT.findall(found[2]))})"


def _crawlers() -> tuple[list[str], Callable[[str], list[int]]]:
    """The categories of all patterns, and a function that tells which patterns match.

    A pattern of category `-` is of people, whatever else matches.
    """
    lists = json.loads(Path(__file__).with_name("crawlers.json").read_text(encoding="utf-8"))
    patterns: list[tuple[str, str]] = [*lists["patterns"], *((pattern, "-") for pattern in lists["people"])]
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
