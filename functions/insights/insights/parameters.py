"""What a saved query's question marks stand for: a range of time, filters, partitions and slots.

A range is `from` and `to`, or a `window` that ends now. Moments have an offset or `Z`; the first is in the
range, the last is not. A date alone is the whole day in UTC. Filters are values of a column, or `all`. They
become execution parameters, so that no text of a request is ever part of a statement: "use Athena
parameterized queries to re-run the same query with different parameter values at execution time and help
prevent SQL injection attacks", https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from shared.http import BadRequestError

__all__ = ["MAX_DAYS", "PARAMETERS", "WINDOWS", "Asked", "asked"]

MAX_DAYS = 92
DAYS = 7  # that a panel of requests shows by default, today included
WINDOWS = {
    "hour": timedelta(hours=1), "half_day": timedelta(hours=12), "day": timedelta(days=1),
    "week": timedelta(days=7),
}  # fmt: skip
# An object is under the hour of its oldest record, and a buffer is filled for up to 15 minutes:
# https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
FIREHOSE_BUFFER = timedelta(hours=1)
LATE = timedelta(days=1)  # what is delivered later than that is in the views alone

# The longest range in hours, and the characters of a time that then make a slot; days beyond the last.
# Lines have a row and a point a slot, at most 200. Stacks have up to 31 rows a slot, in an answer of 999.
LINES = ((3, 16), (33, 15), (8 * 24, 13))
STACKS = ((4, 15), (30, 13))
SLOT_S = {16: 60, 15: 600, 13: 3600, 10: 86_400}

ALL = "all"
REQUEST_FILTERS = ("distribution", "kind", "status")
ROW_FILTERS = (*REQUEST_FILTERS, "location", "viewer")
CALL_FILTERS = ("actor", "call")
FILTERS = (*ROW_FILTERS, *CALL_FILTERS)
_STATUS = re.compile(r"all|[0-9]{3}|[0-9]xx")
_MAX_FILTER = 256
_ZONE = re.compile(r"T.*(Z|[+-]\d\d:?\d\d)$")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Asked:
    """What a request asks of a panel.

    Attributes:
        parameters: For the query's question marks, in their order; texts, not yet quoted.
        since: The beginning of the range.
        until: Its end, which is no more in it.
        slot_s: Seconds of a slot of the chart; 0 if it has none.
    """

    parameters: list[str]
    since: datetime
    until: datetime
    slot_s: int

    def described(self) -> dict[str, Any]:
        """Range and slots, as an answer has them."""
        found: dict[str, Any] = {"from": _iso(self.since), "to": _iso(self.until)}
        return found | ({"slot_s": self.slot_s} if self.slot_s else {})


type _Query = Mapping[str, str]


@dataclass(frozen=True)
class _Kind:
    """A kind of parameters.

    Attributes:
        window: The window by default; whole days if there is none.
        make: Makes the parameters of a range from its beginning, its end and the time; in front of them is
            the slot, behind them are the filters.
        step_s: A window ends with the present step of so many seconds, in which its parameters stay the same:
            Athena can use a result again.
        filters: What the query can be filtered by.
        slots: How long the slots of a range are, if the query has any.
    """

    window: str
    make: Callable[[datetime, datetime, datetime], list[str]]
    step_s: int = 60
    filters: Sequence[str] = ()
    slots: Sequence[tuple[int, int]] = ()


def asked(kind: str, query: _Query, now: datetime) -> Asked:
    """What a request asks of a panel whose query has a kind of parameters.

    Args:
        kind: One of `PARAMETERS`.
        query: The request's parameters.
        now: The time.

    Raises:
        BadRequestError: A parameter is wrong; the message names it.
    """
    known = PARAMETERS[kind]
    now = datetime.fromtimestamp(now.timestamp() // known.step_s * known.step_s + known.step_s, UTC)
    since, until = _range(query, known, now)
    slot = _slot(known.slots, until - since)
    parameters = known.make(since, until, now) + _filters(query, known.filters)
    return Asked([*([str(slot)] if slot else []), *parameters], since, until, SLOT_S.get(slot, 0))


def _range(query: _Query, kind: _Kind, now: datetime) -> tuple[datetime, datetime]:
    if "window" in query:
        if "from" in query or "to" in query:
            raise BadRequestError("bad_request", "Give either window, or from and to.")
        if query["window"] not in WINDOWS:
            raise BadRequestError("bad_request", f"window must be one of {', '.join(WINDOWS)}.")
        return now - WINDOWS[query["window"]], now
    try:
        until = _moment(query, "to", end=True) or (_day_after(now) if not kind.window else now)
        since = _moment(query, "from", end=False) or until - WINDOWS.get(kind.window, timedelta(days=DAYS))
    except OverflowError:  # a week before the first date that there is
        raise BadRequestError("bad_request", "from must be given with so early a to.") from None
    if not timedelta() < until - since <= timedelta(days=MAX_DAYS):
        raise BadRequestError(
            "bad_request", f"The range must begin before it ends, and be at most {MAX_DAYS} days long."
        )
    return since, until


def _moment(query: _Query, name: str, *, end: bool) -> datetime | None:
    """The moment of a parameter, if it is given; of a date the first one, or the one after the last."""
    text = query.get(name)
    if text is None:
        return None
    try:
        if _DATE.fullmatch(text):
            day = datetime.combine(date.fromisoformat(text), time(), UTC)
            return _day_after(day) if end else day
        if not _ZONE.search(text):
            text = "-"  # no moment without a zone
        return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        raise BadRequestError(
            "bad_request", f"{name} must be a date, or a moment with its zone, such as 2026-11-22T08:00Z."
        ) from None


def _day_after(moment: datetime) -> datetime:
    """The first moment of the next day; the last one of all if there is none."""
    try:
        return datetime.combine(moment.date() + timedelta(days=1), time(), UTC)
    except OverflowError:
        return datetime.max.replace(microsecond=0, tzinfo=UTC)


def _slot(slots: Sequence[tuple[int, int]], length: timedelta) -> int:
    """How many characters of a time make a slot, 0 if there are no slots."""
    if not slots:
        return 0
    return next((characters for hours, characters in slots if length <= timedelta(hours=hours)), 10)


def _filters(query: _Query, known: Sequence[str]) -> list[str]:
    """The filters' values, `all` where there is none."""
    if unknown := [name for name in FILTERS if name in query and name not in known]:
        raise BadRequestError("bad_request", f"This panel has no filter {unknown[0]}.")
    for name in known:
        value = query.get(name, ALL)
        if not 0 < len(value) <= _MAX_FILTER or not value.isprintable():
            raise BadRequestError("bad_request", f"{name} must have 1 to {_MAX_FILTER} printable characters.")
    if "status" in known and not _STATUS.fullmatch(query.get("status", ALL)):
        raise BadRequestError("bad_request", "status must be a code such as 404, or a class such as 5xx.")
    values = [query.get(name, ALL) for name in known]
    return [
        "-" if (name, value) == ("kind", "people") else value
        for name, value in zip(known, values, strict=True)
    ]


def _dates(since: datetime, until: datetime, _: datetime) -> list[str]:
    """The first and the last date, in UTC, of which there is a part in the range."""
    return [since.date().isoformat(), (until - timedelta(seconds=1)).date().isoformat()]


def _requests(since: datetime, until: datetime, now: datetime) -> list[str]:
    return [*_dates(since, until, now), _iso(since), _iso(until)]


def _posts(since: datetime, until: datetime, now: datetime) -> list[str]:
    """First and last year and first and last hour of delivery, and the range."""
    first, last = _delivered(since, until, now)
    hours = [f"{each.year:04}{each:%m%d%H}" for each in (first, last)]
    moments = [each.replace(tzinfo=None).isoformat(" ") for each in (since, until)]
    return [f"{first.year:04}", f"{last.year:04}", *hours, *moments]


def _calls(since: datetime, until: datetime, now: datetime) -> list[str]:
    """First and last hour of delivery, and the range."""
    hours = [f"{each.year:04}/{each:%m/%d/%H}" for each in _delivered(since, until, now)]
    return [*hours, _iso(since), _iso(until)]


def _delivered(since: datetime, until: datetime, now: datetime) -> tuple[datetime, datetime]:
    """When what happened in a range may have been delivered."""
    try:
        return since - FIREHOSE_BUFFER, min(min(until, now) + LATE, now + FIREHOSE_BUFFER)
    except OverflowError:
        raise BadRequestError("bad_request", "from is before the first hour of delivery.") from None


def _iso(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=None).isoformat()}Z"


PARAMETERS: dict[str, _Kind] = {
    "dates": _Kind("", _dates),
    "requests": _Kind("", _requests, filters=REQUEST_FILTERS),
    "requests_by_slot": _Kind("", _requests, filters=REQUEST_FILTERS, slots=LINES),
    "request_rows": _Kind("", _requests, filters=ROW_FILTERS),
    "posts": _Kind("day", _posts, step_s=1),
    "calls": _Kind("half_day", _calls, filters=CALL_FILTERS),
    "calls_by_slot": _Kind("half_day", _calls, filters=CALL_FILTERS, slots=STACKS),
}
"""Every kind of parameters, by the name that a declaration gives."""
