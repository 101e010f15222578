"""The list of crawlers that `shared.access_log` looks for: several lists in one, checked on people.

``make lists`` reads the lists as their packages carry them, and writes `layers/shared/shared/access_log/
crawlers.json`: sources and date, and for each pattern its category. A pattern is folded to any case if that
matches no browser of people's; where even as it is it matches one, it is left out, and the file says whose
browser that was. People are the browsers of device-detector's test cases, which are of real visitors, and
those of `datagen.browsers`.

What no list has, or has too broadly, stands here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import re2
import yaml

from datagen.browsers import browsers
from ops.paths import ROOT
from shared.access_log import without_device

__all__ = ["Entry", "ai_robots_names", "device_detector_cases", "people", "united"]

TARGET = ROOT / "layers/shared/shared/access_log/crawlers.json"
AI_ROBOTS = "astro-ai-robots-txt@0.1.5"
"""The package of npm's that carries ai.robots.txt's list."""

# The tags of crawler-user-agents, and what they are to us.
_TAGS = {
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

# Categories of ai-crawler-index. Its fetchers on a person's behalf are an AI's where another list says so.
_OF_AI = ("ai-training", "ai-search")

# What a list calls AI and we do not, or what is no name by which to know anybody.
_NOT_AI = {
    "facebookexternalhit": "preview",
    "Scrapy": "tool",
    "Code": None,  # an editor that people browse with
    "Operator": None,  # a word
    "Spider": None,  # any spider
}

# Names that no list has, or that a list calls something else, and what replaces a pattern that is too broad.
_OURS = (
    (r"Amazonbot", "ai"),
    (r"Diffbot", "ai"),
    (r"GoogleOther", "ai"),
    (r"ExaSearchBot", "ai"),
    (r"Google-(?:Agent|GeminiNotebook|Pinpoint)", "ai"),
    (r"PetalBot", "ai"),
    (r"Reflectionbot", "ai"),
    (r"omgili", "ai"),
    (r"FeedFetcher-Google", "feed"),
    (r"barkrowler", "seo"),
    (r"GoogleMessages", "preview"),
    (r"Google-CWS", "tool"),
    (r"Lightpanda", "tool"),
    (r"Yandex(?:Blogs|Images|Market|Media|Video|Webmaster|Direct|Metrika|Calendar)", "search"),
    (r"^WhatsApp/", "preview"),  # within a browser's it is the app that people read in
    (r"^Viber", "preview"),
    (r"gotosocial", "other"),
    (r"^git/", "tool"),
    (r"Sogou[ -](?:web|inst|pic|news|video|head|orion|blog|[a-z]+ )?[ -]?spider", "search"),
)

# A name that ends like this is a bot's; so is one that is given as browsers of old gave theirs, or that is
# followed by an address to read about it. What says where in the world of AI it belongs is an AI's.
_GENERIC = (
    (r"(?:bot|crawl|crawler|spider|scraper|fetcher)(?:[^a-z]|$)", "other"),
    (r"(?:archiver|transcoder|extractor|prefetch|uptime|cron)(?:[^a-z]|$)", "other"),
    (r"(?:scanner|checker|validator|analyzer|analyser|detector|monitor|monitoring)/v?[0-9]", "other"),
    (r"^Mozilla/5\.0 \(compatible(?:; [^;()]+)?\)$", "other"),
    (r"https?://|\+www\.|[a-z0-9._-]+@[a-z0-9-]+\.[a-z]{2}", "other"),
    (r"https?://(?:[a-z0-9-]+\.)+ai(?:[^a-z.-]|$)", "ai"),
    (r"https?://(?:[a-z0-9-]+\.)*(?:openai|anthropic|cohere|deepseek|kimi|huggingface)\.com?(?:[^a-z]|$)",
     "ai"),
    (r"(?:GPT|OpenAI|Anthropic|Claude|Gemini|Mistral|DeepSeek|Perplexity|Cohere|LLM)[a-z]*-?"
     r"(?:bot|crawler|spider|scraper|fetcher|search|user|agent|index)(?:[^a-z]|$)", "ai"),
)  # fmt: skip
# Browsers and apps of people that look like one all the same.
_PEOPLE = (
    r"Browser from: http://bsalsa\.com",
    r"^Podbean/",
    r"^XBMC/",
    r"Banca Caboto",
)


_NOT_PEOPLE = ("bots", "feed_reader", "podcasting", "unknown")
_CLIENTS = ("browser", "mediaplayer", "mobile app")


class Entry(NamedTuple):
    """A pattern of RE2's, the category of what it finds, and the list that has it."""

    pattern: str
    category: str
    source: str


def people() -> list[str]:
    """User agents of people's browsers and apps.

    device-detector's cases are of visitors whose device or browser it had to learn. Left out are feed
    readers, podcast clients, libraries, git, an updater, the browser that WebPageTest drives, and WhatsApp,
    which fetches previews.
    """
    return sorted({
        *browsers(),
        *(str(case["user_agent"]) for case in device_detector_cases() if _is_of_people(case)),
    })  # fmt: skip


def device_detector_cases(name: str = "") -> list[dict[str, Any]]:
    """Test cases of device-detector, each with its `user_agent`.

    Args:
        name: Of the file; by default all are read that are of people's devices.
    """
    spec = find_spec("device_detector")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("device-detector is not installed", name="device_detector")
    files = sorted((Path(spec.origin).parent / "tests/fixtures/upstream").glob(f"{name or '*'}.yml"))
    return [
        case
        for file in files
        if name or file.stem not in _NOT_PEOPLE
        for case in yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    ]


def _is_of_people(case: dict[str, Any]) -> bool:
    text, client = str(case["user_agent"]), case.get("client") or {}
    if text.startswith(("Mozilla/", "Opera/")):
        return " PTST/" not in text
    return client.get("type") in _CLIENTS and not text.startswith(
        ("WhatsApp/", "git/", "Microsoft Edge Update/")
    )


def ai_robots_names() -> list[str]:
    """The names of ai.robots.txt, downloaded by npm."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", AI_ROBOTS]
        packing = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603
        with tarfile.open(Path(folder) / packing.stdout.strip()) as packed:
            packed.extract("package/robots.txt", folder, filter="data")
        lines = (Path(folder) / "package/robots.txt").read_text(encoding="utf-8").splitlines()
    return [line.partition(":")[2].strip() for line in lines if line.lower().startswith("user-agent:")]


def _entries() -> Iterator[Entry]:
    """The entries of all lists, ours first."""
    import ai_crawler_index
    import crawlerdetect.providers.crawlers  # type: ignore[import-untyped]
    import crawleruseragents

    yield from (Entry(pattern, category, "suite") for pattern, category in _OURS)
    for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA:
        yield Entry(entry["pattern"], _category(entry.get("tags") or []), "crawler-user-agents")
    for crawler in ai_crawler_index.CRAWLERS:
        # A record in brackets is a token of robots.txt that no crawler sends.
        if crawler["category"] in _OF_AI and not crawler["ua"].startswith("("):
            yield from _named(crawler["ua"], "ai-crawler-index")
    for name in ai_robots_names():
        yield from _named(name, "ai.robots.txt")
    for pattern in crawlerdetect.providers.crawlers.data:
        if "|crawl|" not in pattern:  # its generic rule finds `bot` within words, too
            yield Entry(pattern, "other", "crawlerdetect")
    yield from (Entry(pattern, category, "suite") for pattern, category in _GENERIC)


def _category(tags: list[str]) -> str:
    if "ai-crawler" in tags:
        return "ai"
    return _TAGS.get(tags[0], "other") if tags else "other"


def _named(name: str, source: str) -> Iterator[Entry]:
    """An entry for a name of an AI, as a whole word."""
    category = _NOT_AI.get(name, "ai")
    if category is not None:
        before, after = (r"\b" if char.isalnum() else "" for char in (name[0], name[-1]))
        yield Entry(f"{before}{re.escape(name)}{after}", category, source)


def united(entries: Iterable[Entry], browsing: list[str]) -> tuple[list[Entry], dict[str, str]]:
    """Fold the patterns of several lists where that is safe, and leave out those that match people.

    Args:
        entries: Of all lists; of one pattern that several have the first counts.
        browsing: User agents of people.

    Returns:
        The entries that are kept, and a person's user agent for each pattern that is not.
    """
    kept: dict[str, Entry] = {}
    dropped: dict[str, str] = {}
    text = "\n".join(browsing)
    for entry in entries:
        folded = f"(?i){entry.pattern}"
        if folded.lower() in kept:
            continue
        found = ""
        for pattern in (folded, entry.pattern):
            found = _first_match(pattern, browsing, text)
            if not found:
                kept[folded.lower()] = entry._replace(pattern=pattern)
                break
        if found:
            dropped.setdefault(entry.pattern, found)
    return list(kept.values()), dropped


def _first_match(pattern: str, browsing: list[str], text: str) -> str:
    """The first browser that a pattern matches; or what is wrong with the pattern."""
    try:
        if not _compiled(f"(?m){pattern}").search(text):
            return ""
        alone = _compiled(pattern)
    except re2.error as error:
        return f"not a pattern of RE2's: {error}"
    return next((browser for browser in browsing if alone.search(browser)), "")


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def main() -> int:
    """Write the file."""
    known = re.compile("|".join(_PEOPLE))
    browsing = [without_device(text) for text in people() if not known.search(text)]
    entries, dropped = united(_entries(), browsing)
    sources = {name: version(name) for name in ("crawler-user-agents", "crawlerdetect", "ai-crawler-index")}
    document: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "sources": sources | {"ai.robots.txt": AI_ROBOTS},
        "patterns": [[entry.pattern, entry.category] for entry in entries],
        "people": list(_PEOPLE),
        "left_out": dropped,
    }
    TARGET.write_text(json.dumps(document, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(entries)} patterns, {len(dropped)} left out for people's sake: {TARGET.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
