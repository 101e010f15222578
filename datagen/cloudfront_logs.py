"""A seeded generator of CloudFront access logs, with the exact answers that queries over them must give.

`Corpus` makes standard-log files (33 fields, or the 26 of older years) named as CloudFront names them;
`realtime_records` makes the records of a real-time log configuration. Viewers, edge locations, distributions
and URIs are skewed as in real traffic (Zipf), user agents are those of real browsers, AI crawlers, search
bots, monitors and tools. Viewer addresses come from the blocks reserved for documentation and benchmarks
(RFC 5737, RFC 2544, RFC 3849). Only the standard library is used, so that tests and the demo can import it.
"""

import base64
import gzip
import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

__all__ = [
    "BOTS",
    "DISTRIBUTIONS",
    "FIELDS",
    "REALTIME_FIELDS",
    "Corpus",
    "LogFile",
    "RealtimeRecord",
    "Truth",
    "browsers",
    "encode_user_agent",
    "realtime_records",
]

FIELDS = [
    "date",
    "time",
    "x-edge-location",
    "sc-bytes",
    "c-ip",
    "cs-method",
    "cs(Host)",
    "cs-uri-stem",
    "sc-status",
    "cs(Referer)",
    "cs(User-Agent)",
    "cs-uri-query",
    "cs(Cookie)",
    "x-edge-result-type",
    "x-edge-request-id",
    "x-host-header",
    "cs-protocol",
    "cs-bytes",
    "time-taken",
    "x-forwarded-for",
    "ssl-protocol",
    "ssl-cipher",
    "x-edge-response-result-type",
    "cs-protocol-version",
    "fle-status",
    "fle-encrypted-fields",
    "c-port",
    "time-to-first-byte",
    "x-edge-detailed-result-type",
    "sc-content-type",
    "sc-content-len",
    "sc-range-start",
    "sc-range-end",
]
# As CloudFront sends them; its documentation is quoted in tests/unit/shared/access_log/test_realtime.py.
REALTIME_FIELDS = [
    "timestamp",
    "c-ip",
    "sc-status",
    "sc-bytes",
    "cs-method",
    "cs-host",
    "cs-uri-stem",
    "x-edge-location",
    "x-edge-request-id",
    "time-taken",
    "cs-user-agent",
    "cs-referer",
    "x-edge-result-type",
    "primary-distribution-id",
]
DISTRIBUTIONS = ("E2EXAMPLE1ABCD", "E1SHOPFRONT9ZX", "E3MEDIAASSETSQ", "EAPI00000000GW")

_START = datetime(2026, 11, 22, 20, tzinfo=UTC)
_CHUNK = 20_000
_LOCATIONS = [
    "IAD89-C1",
    "FRA56-P7",
    "NRT57-P4",
    "LHR61-C2",
    "SFO53-P1",
    "DFW57-P6",
    "CDG52-C3",
    "SIN2-P3",
    "BOM78-P5",
    "GRU3-P2",
    "SYD62-P1",
    "ICN57-P2",
    "AMS58-P3",
    "ORD58-P8",
    "HKG62-C1",
    "MAD53-P4",
    "MXP63-P1",
    "ARN56-P1",
    "YTO50-C2",
    "WAW51-P3",
    "JNB50-C1",
    "VIE50-P2",
    "DUB56-P1",
    "MIA3-P4",
    "SEA900-P2",
    "ATL58-P5",
    "HEL51-P1",
    "OSL50-C1",
    "LIS50-P1",
    "TPE54-P3",
    "BKK50-P2",
    "EZE50-P1",
]
_METHODS = ("GET", "GET", "GET", "GET", "GET", "GET", "GET", "HEAD", "POST", "OPTIONS")
# Result, detailed result, status, weight.
_RESULTS: tuple[tuple[str, str, str, float], ...] = (
    ("Hit", "Hit", "200", 62),
    ("RefreshHit", "RefreshHit", "200", 4),
    ("RefreshHit", "RefreshHit", "304", 6),
    ("Hit", "Hit", "206", 3),
    ("Miss", "Miss", "200", 15),
    ("Miss", "MissGeneratedResponse", "200", 1),
    ("Redirect", "Redirect", "301", 3),
    ("Error", "Error", "404", 4),
    ("Error", "Error", "403", 1),
    ("Error", "OriginError", "502", 0.5),
    ("Error", "OriginCommError", "504", 0.3),
    ("LimitExceeded", "LimitExceeded", "503", 0.2),
)
_TYPES = (("html", "text/html"), ("js", "application/javascript"), ("css", "text/css"), ("jpg", "image/jpeg"))

# User agent, its category (as `shared.access_log` names them), weight among bots.
BOTS: tuple[tuple[str, str, int], ...] = (
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; "
        "+https://openai.com/gptbot)",
        "ai",
        9,
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0; "
        "+https://openai.com/bot",
        "ai",
        6,
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; OAI-SearchBot/1.0; "
        "+https://openai.com/searchbot",
        "ai",
        3,
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; "
        "+claudebot@anthropic.com)",
        "ai",
        8,
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Claude-User/1.0; "
        "+Claude-User@anthropic.com)",
        "ai",
        2,
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; PerplexityBot/1.0; "
        "+https://perplexity.ai/perplexitybot)",
        "ai",
        3,
    ),
    ("meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)", "ai", 7),
    (
        "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 "
        "(compatible; Bytespider; spider-feedback@bytedance.com)",
        "ai",
        4,
    ),
    ("CCBot/2.0 (https://commoncrawl.org/faq/)", "ai", 2),
    ("Mozilla/5.0 (compatible; MistralAI-User/1.0; +https://docs.mistral.ai/robots)", "ai", 1),
    ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "search", 9),
    (
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like "
        "Gecko) Chrome/140.0.7339.207 Mobile Safari/537.36 (compatible; Googlebot/2.1; "
        "+http://www.google.com/bot.html)",
        "search",
        9,
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; "
        "+http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
        "search",
        8,
    ),
    ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", "search", 3),
    ("Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)", "search", 2),
    ("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", "seo", 5),
    ("Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)", "seo", 5),
    ("Mozilla/5.0 (compatible; MJ12bot/v1.4.8; http://mj12bot.com/)", "seo", 2),
    ("Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "monitor", 4),
    ("Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", "monitor", 2),
    ("curl/8.10.1", "tool", 3),
    ("python-requests/2.32.3", "tool", 4),
    ("Go-http-client/2.0", "tool", 3),
    ("okhttp/4.12.0", "tool", 2),
    ("Wget/1.21.4", "tool", 1),
    ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "preview", 4),
    ("Twitterbot/1.0", "preview", 1),
    ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "preview", 1),
    ("Feedly/1.0 (+http://www.feedly.com/fetcher.html; like FeedFetcher-Google)", "feed", 1),
    ("Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)", "scanner", 1),
)


def browsers() -> list[str]:
    """About 1,500 user agents of people's browsers, most used first."""
    desktop = ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64")
    webkit, gecko = "AppleWebKit/537.36 (KHTML, like Gecko)", "Gecko/20100101"
    phones = ["SM-S928B", "SM-A546E", "Pixel 9", "Pixel 8a", "2312DRA50G", "CPH2581", "V2307", "RMX3997"]
    phones += ["moto g84 5G", "CUBOT KINGKONG 9", "XQ-DQ54", "ASUS_AI2401_D"]
    agents: list[str] = []
    for age in range(12):
        chrome, firefox, ios = 142 - age, 145 - age, f"18_{max(0, 7 - age)}"
        agents += [
            f"Mozilla/5.0 ({system}) {webkit} Chrome/{chrome}.0.0.0 Safari/537.36" for system in desktop
        ]
        agents.append(
            f"Mozilla/5.0 (Linux; Android 10; K) {webkit} Chrome/{chrome}.0.0.0 Mobile Safari/537.36"
        )
        mobile = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
        for device in ("iPhone; CPU iPhone OS", "iPad; CPU OS"):
            agents += [
                f"Mozilla/5.0 ({device} {ios} like Mac OS X) {mobile} {browser}"
                for browser in (
                    f"Version/{ios.replace('_', '.')} Mobile/15E148 Safari/604.1",
                    f"CriOS/{chrome}.0.7444.77 Mobile/15E148 Safari/604.1",
                    f"Mobile/22F76 Instagram {400 - age}.0.0.36.85 (iPhone15,3; iOS {ios}; en_GB)",
                    f"Mobile/22F76 [FBAN/FBIOS;FBAV/{520 - age}.0.0.38.101;FBDV/iPhone15,3;FBLC/de_DE]",
                )
            ]
        agents += [
            f"Mozilla/5.0 ({system}; rv:{firefox}.0) {gecko} Firefox/{firefox}.0" for system in desktop
        ]
        agents += [
            f"Mozilla/5.0 ({system}) {webkit} Chrome/{chrome}.0.0.0 Safari/537.36 {brand}"
            for system in desktop[:2]
            for brand in (f"Edg/{chrome}.0.0.0", f"OPR/{chrome - 16}.0.0.0")
        ]
        safari = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version"
        agents.append(f"Mozilla/5.0 ({desktop[1]}) {safari}/{26 - age // 2}.{age % 2} Safari/605.1.15")
        for phone, android in itertools.product(phones, (16, 15, 14, 13)):
            device = f"Linux; Android {android}; {phone}"
            agents += [
                f"Mozilla/5.0 ({device}) {webkit} SamsungBrowser/{29 - age}.0 Chrome/{chrome - 6}.0.0.0 "
                "Mobile Safari/537.36",
                f"Mozilla/5.0 ({device}; wv) {webkit} Version/4.0 Chrome/{chrome}.0.7444.102 Mobile "
                f"Safari/537.36 [FB_IAB/FB4A;FBAV/{520 - age}.0.0.44.99;]",
            ]
    return agents


def encode_user_agent(text: str) -> str:
    """A user agent as CloudFront writes it into a log."""
    return quote(text, safe="!$&'()*+,/:;=?@")


class LogFile(NamedTuple):
    """One object of the log bucket.

    Attributes:
        key: Its key, `<prefix>/<DISTRIBUTION>.YYYY-MM-DD-HH.<unique>.gz`.
        body: The gzipped log.
        rows: How many rows it has.
    """

    key: str
    body: bytes
    rows: int


@dataclass
class Truth:
    """What the saved queries must return over the files yielded so far.

    Attributes:
        rows: Number of rows.
        bot_requests: Requests of bots by (viewer address, edge location).
        bytes_sent: Bytes by (distribution, edge location).
        viewers: Requests by viewer address.
        results: Requests by (distribution, result type).
        statuses: Requests by (distribution, status).
        categories: Requests by bot category; `-` for people.
        hours: Requests by `YYYY-MM-DD HH` of the request.
    """

    rows: int = 0
    bot_requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    bytes_sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    viewers: Counter[str] = field(default_factory=Counter)
    results: Counter[tuple[str, str]] = field(default_factory=Counter)
    statuses: Counter[tuple[str, str]] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    hours: Counter[str] = field(default_factory=Counter)


class _Viewer(NamedTuple):
    address: str
    location: str
    user_agent: str
    category: str


class _Audience:
    """Viewers and URIs, with the skew of real traffic."""

    def __init__(self, rng: random.Random, viewers: int, bot_share: float, builds: int = 1) -> None:
        self._rng = rng
        agents = browsers()
        popularity = _zipf(len(agents), 1.1)
        locations = _zipf(len(_LOCATIONS), 0.9)
        people = [
            _Viewer(
                _address(number),
                rng.choices(_LOCATIONS, cum_weights=locations)[0],
                encode_user_agent(rng.choices(agents, cum_weights=popularity)[0])
                + (f"%20Build/{rng.randrange(builds)}" if builds > 1 else ""),
                "-",
            )
            for number in range(viewers)
        ]
        # A crawler comes from a handful of addresses, and is seen at a handful of edge locations.
        bots = [
            _Viewer(
                f"192.0.2.{8 * index + copy}", rng.choice(_LOCATIONS[:8]), encode_user_agent(agent), category
            )
            for index, (agent, category, _) in enumerate(BOTS)
            for copy in range(8)
        ]
        weights = [1 / rank**1.05 for rank in range(1, viewers + 1)]
        human, robotic = sum(weights), sum(weight for _, _, weight in BOTS) * 8
        share = bot_share / (1 - bot_share) * human / robotic
        self._viewers = people + bots
        self._viewer_weights = list(
            itertools.accumulate(weights + [share * weight for _, _, weight in BOTS for _ in range(8)])
        )
        self._uris = [
            f"/assets/{number % 97}/item-{number}.{_TYPES[number % 4][0]}" for number in range(5_000)
        ]
        self._uri_weights = _zipf(len(self._uris), 1.2)

    def viewers(self, count: int) -> list[_Viewer]:
        return self._rng.choices(self._viewers, cum_weights=self._viewer_weights, k=count)

    def uris(self, count: int) -> list[str]:
        return self._rng.choices(self._uris, cum_weights=self._uri_weights, k=count)


def _zipf(count: int, exponent: float) -> list[float]:
    return list(itertools.accumulate(1 / rank**exponent for rank in range(1, count + 1)))


def _address(number: int) -> str:
    if number % 5 == 4:
        return f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::{number % 250 + 1:x}"
    return f"198.{18 + (number >> 16) % 2}.{number >> 8 & 255}.{number & 255}"


class Corpus:
    """Standard-log files, made one at a time.

    Args:
        rows: How many rows there are in all files together.
        seed: The same arguments and seed give the same files.
        prefix: What keys start with, without the slash.
        fields: 33, or 26 for files of older years.
        rows_per_file: At most so many rows in a file; files go round the distributions and on by an hour.
        start: The hour of the first file, in UTC.
        viewers: How many people there are.
        bot_share: The share of requests that bots make.
        late_share: The share of rows whose request was 1 to 23 hours before the hour the file is named for.
        distributions: Whose logs they are; the first has the most rows.
        builds: How many builds there are of each of the about 1,500 browsers; if several, user agents name
            theirs.

    Attributes:
        truth: The answers over the files yielded so far.
    """

    def __init__(
        self,
        rows: int,
        *,
        seed: int = 20_261_123,
        prefix: str = "cloudfront",
        fields: int = 33,
        rows_per_file: int = 50_000,
        start: datetime = _START,
        viewers: int = 20_000,
        bot_share: float = 0.3,
        late_share: float = 0.02,
        distributions: Sequence[str] = DISTRIBUTIONS,
        builds: int = 1,
    ) -> None:
        if fields not in (26, 33):
            raise ValueError("a standard log has 26 or 33 fields")
        self.truth = Truth()
        self._rows, self._fields, self._rows_per_file = rows, fields, rows_per_file
        self._prefix, self._start, self._late_share = prefix, start, late_share
        self._distributions = distributions
        self._rng = random.Random(seed)
        self._audience = _Audience(self._rng, viewers, bot_share, builds)

    def files(self) -> Iterator[LogFile]:
        """The files; the truth grows with each."""
        left = self._rows
        for number in itertools.count():
            if not left:
                return
            rows = min(left, self._rows_per_file)
            left -= rows
            turn, place = divmod(number, len(self._distributions))
            distribution, hour = self._distributions[place], self._start + timedelta(hours=turn)
            unique = self._rng.randbytes(4).hex()
            key = f"{self._prefix}/{distribution}.{hour:%Y-%m-%d-%H}.{unique}.gz"
            text = [f"#Version: 1.0\n#Fields: {' '.join(FIELDS[: self._fields])}\n"]
            for first in range(0, rows, _CHUNK):
                text += self._lines(distribution, hour, min(_CHUNK, rows - first))
            # No time stamp in the member's head: the same seed gives the same bytes.
            yield LogFile(key, gzip.compress("".join(text).encode(), 6, mtime=0), rows)

    def _lines(self, distribution: str, hour: datetime, count: int) -> Iterator[str]:
        rng, truth = self._rng, self.truth
        hosts = f"d{distribution[1:11].lower()}.cloudfront.net\twww.{distribution[1:6].lower()}.example"
        domain, host = hosts.split("\t")
        results = rng.choices(_RESULTS, weights=[result[3] for result in _RESULTS], k=count)
        ids = base64.b64encode(rng.randbytes(42 * count)).decode()
        hours = [f"{hour - timedelta(hours=age):%Y-%m-%d\t%H}" for age in range(24)]
        for index, (viewer, uri, (result, detail, status, _)) in enumerate(
            zip(self._audience.viewers(count), self._audience.uris(count), results, strict=True)
        ):
            dice = rng.random()
            moment = hours[1 + int(1e6 * dice) % 23 if dice < self._late_share else 0]
            size = int(600 + 40_000 * rng.random() ** 4) if status in ("200", "206") else 520
            agent = viewer.user_agent if dice < 0.99 else viewer.user_agent.replace("%", "%25")
            kind = _TYPES[int(uri.rsplit("-", 1)[1].split(".")[0]) % 4][1]
            second = int(3600 * dice * 97) % 3600
            line = (
                f"{moment}:{second // 60:02}:{second % 60:02}\t{viewer.location}\t{size}\t{viewer.address}\t"
                f"{_METHODS[second % 10]}\t{domain}\t{uri}\t{status}\t"
                f"{f'https://{host}/' if second % 3 else '-'}\t{agent}\t"
                f"{f'v={second}&lang=en' if second % 4 == 0 else '-'}\t-\t{result}\t"
                f"{ids[56 * index : 56 * index + 56]}\t{host}\thttps\t{200 + second % 700}\t"
                f"{0.001 + dice * 0.3:.3f}\t{'-' if second % 50 else '203.0.113.7'}\tTLSv1.3\t"
                f"TLS_AES_128_GCM_SHA256\t{result}\tHTTP/2.0\t-\t-"
            )
            if self._fields == 33:
                line += (
                    f"\t{1024 + second * 17}\t{0.001 + dice * 0.2:.3f}\t{detail}\t{kind}\t{size - 500}\t-\t-"
                )
            yield line + "\n"
            truth.rows += 1
            truth.bytes_sent[distribution, viewer.location] += size
            truth.viewers[viewer.address] += 1
            truth.results[distribution, result] += 1
            truth.statuses[distribution, status] += 1
            truth.categories[viewer.category] += 1
            truth.hours[moment.replace("\t", " ")] += 1
            if viewer.category != "-":
                truth.bot_requests[viewer.address, viewer.location] += 1


class RealtimeRecord(NamedTuple):
    """One record of a Kinesis stream of real-time logs, and what it says.

    Attributes:
        data: The record: the values of `REALTIME_FIELDS` between tabs.
        sequence_number: Grows from record to record.
        arrival: Seconds since the epoch at which it is put on the stream.
        second: The request's own second.
        address: Viewer's address.
        location: Edge location.
        distribution: Distribution id.
        sent: Bytes of the response.
        category: Bot category; `-` for people.
    """

    data: bytes
    sequence_number: str
    arrival: float
    second: int
    address: str
    location: str
    distribution: str
    sent: int
    category: str


def realtime_records(
    count: int,
    *,
    seed: int = 20_261_123,
    start: datetime = _START,
    per_second: float = 100.0,
    viewers: int = 20_000,
    bot_share: float = 0.3,
    delays: Sequence[float] = (0.0, 0.5, 1.0, 2.0, 5.0),
    distributions: Sequence[str] = DISTRIBUTIONS,
) -> Iterator[RealtimeRecord]:
    """Real-time log records in the order of their arrival.

    Args:
        count: How many.
        seed: The same arguments and seed give the same records.
        start: When the first arrives.
        per_second: Records that arrive in a second.
        viewers: How many people there are.
        bot_share: The share of requests that bots make.
        delays: Seconds between request and arrival, one drawn for each record.
        distributions: Whose traffic it is.
    """
    rng = random.Random(seed)
    audience = _Audience(rng, viewers, bot_share)
    for number, (viewer, uri) in enumerate(zip(audience.viewers(count), audience.uris(count), strict=True)):
        arrival = start.timestamp() + number / per_second
        moment = arrival - rng.choice(delays)
        distribution, size = rng.choice(distributions), rng.randrange(500, 40_000)
        result, _, status, _ = _RESULTS[number % len(_RESULTS)]
        values = (
            f"{moment:.3f}",
            viewer.address,
            status,
            str(size),
            "GET",
            f"www.{distribution[1:6].lower()}.example",
            uri,
            viewer.location,
            f"{number:056x}",
            "0.012",
            viewer.user_agent,
            "-",
            result,
            distribution,
        )
        yield RealtimeRecord(
            "\t".join(values).encode() + b"\n",
            f"4966{number:052d}",
            arrival,
            int(float(values[0])),
            viewer.address,
            viewer.location,
            distribution,
            size,
            viewer.category,
        )
