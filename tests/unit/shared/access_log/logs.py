"""Small logs, and what is read from them."""

import gzip
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from shared.access_log import COLUMNS, FIELDS, AccessLog, Rejected, UserAgents

__all__ = ["CHROME", "GPTBOT", "gz", "header", "read", "row", "table"]

CHROME = (
    "Mozilla/5.0%20(Windows%20NT%2010.0;%20Win64;%20x64)%20AppleWebKit/537.36%20(KHTML,%20like%20Gecko)"
    "%20Chrome/142.0.0.0%20Safari/537.36"
)
GPTBOT = "Mozilla/5.0%20(compatible;%20GPTBot/1.2;%20+https://openai.com/gptbot)"
VALUES = {
    "date": "2026-11-22",
    "time": "20:15:30",
    "x-edge-location": "FRA56-P7",
    "sc-bytes": "1199",
    "c-ip": "203.0.113.77",
    "cs(User-Agent)": CHROME,
    "x-forwarded-for": "198.51.100.9,%202001:db8:1:2::3",
}


def header(names: Iterable[str] = FIELDS) -> bytes:
    """The two lines a log begins with."""
    return f"#Version: 1.0\n#Fields: {' '.join(names)}\n".encode()


def row(names: Iterable[str] = FIELDS, **values: str) -> bytes:
    """A row; `user_agent` and `uri` can be given."""
    given = VALUES | {
        "cs(User-Agent)": values.get("user_agent", CHROME),
        "cs-uri-stem": values.get("uri", "/"),
    }
    return "\t".join(given.get(name, f"<{name}>") for name in names).encode() + b"\n"


def gz(*parts: bytes) -> bytes:
    """A gzip file of one member."""
    return gzip.compress(b"".join(parts), mtime=0)


def read(
    data: bytes, agents: UserAgents, on_reject: Callable[[Rejected], None] | None = None, **options: Any
) -> tuple[AccessLog, bytes]:
    """Read a log to its end."""
    given = {"filename": "logs/E1.gz", "distribution": "E1"} | options
    log = AccessLog(io.BytesIO(data), agents=agents, on_reject=on_reject, **given)
    return log, b"".join(log)


def table(rows: bytes) -> Sequence[dict[str, str]]:
    """Written rows as Athena's table sees them."""
    lines = rows.decode().split("\n")
    assert lines.pop() == ""
    return [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in lines]
