"""Show what the engine and the functions log: ``make logs F=Resize SINCE=10m FOLLOW=1``.

The newest lines of all log groups, in the order in which they were written; with FOLLOW what comes later,
too, until Ctrl-C.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console

from local.engine_process import EngineProcess, log_tail
from local.functions import Function, find, functions_of
from local.progress import say
from local.suite import Suite
from ops.stacks import CommandError, Outputs

__all__ = ["Line", "Tail", "add_arguments", "run", "seconds_of"]

_MOST = 100  # lines, unless SINCE asks for a time
_PAUSE_S = 0.5
_LATE_S = 5  # how late an event may come
# "YYYY/MM/DD/<function_name>[<function_version>][<execution_environment_GUID>]",
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
_STREAM = re.compile(r"\d{4}/\d\d/\d\d/(?P<function>[\w-]+)\[")
# What a message could command a terminal with: control characters but tabs and line feeds.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--function", help="short name, logical id or name of one function")
    parser.add_argument("--follow", action="store_true", help="show what comes later, too, until Ctrl-C")
    parser.add_argument("--since", type=seconds_of, help="how far back: 30s, 10m, 2h, 1d")


def seconds_of(text: str) -> int:
    """Read a time like `10m` as seconds.

    Raises:
        CommandError: It is not one.
    """
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if not found:
        raise CommandError(f"SINCE={text} is not a time: 30s, 10m, 2h and 1d are")
    return int(found[1]) * _UNITS_S[found[2]]


@dataclass(frozen=True, order=True)
class Line:
    """One event of a log.

    Attributes:
        time_ms: When, in milliseconds since 1970.
        source: Whose: a function's name, or group and stream.
        message: The text.
    """

    time_ms: int
    source: str
    message: str


@dataclass
class Tail:
    """The end of log groups, each event once.

    Attributes:
        client: boto3's of CloudWatch Logs.
        function: Lines of this function alone, by its name in Lambda; of all when empty.
        group: Its log group; all when empty.
    """

    client: Any
    function: str = ""
    group: str = ""
    _tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    def newest(self, most: int) -> list[Line]:
        """Return the newest lines, the oldest of them first."""
        lines = [line for group in self._groups() for line in self._newest(group, most)]
        return sorted(lines, key=_time)[-most:]

    def since(self, moment_ms: int) -> list[Line]:
        """Return the lines from a moment on that were not returned before, the oldest first."""
        lines = [
            line
            for group in self._groups()
            for name, _ in self._streams(group, moment_ms)
            for line in self._unread(group, name, moment_ms)
        ]
        return sorted(lines, key=_time)

    def _groups(self) -> list[str]:
        if self.group:
            return [self.group]
        pages = self.client.get_paginator("describe_log_groups").paginate()
        return [each["logGroupName"] for page in pages for each in page["logGroups"]]

    def _streams(self, group: str, from_ms: int) -> Iterator[tuple[str, int]]:
        """The streams with an event at a moment or later and the time of their last one, the newest first."""
        pages = self.client.get_paginator("describe_log_streams").paginate(
            logGroupName=group, orderBy="LastEventTime", descending=True
        )
        try:
            for page in pages:
                for stream in page["logStreams"]:
                    last = stream.get("lastEventTimestamp", 0)
                    if last < from_ms:
                        return
                    if self._wanted(group, stream["logStreamName"]):
                        yield stream["logStreamName"], last
        except self.client.exceptions.ResourceNotFoundException:
            return  # a function that was never invoked, or a group that is deleted just now

    def _wanted(self, group: str, stream: str) -> bool:
        named = _STREAM.match(stream)
        own_group = group == f"/aws/lambda/{self.function}"
        return not self.function or own_group or bool(named and named["function"] == self.function)

    def _newest(self, group: str, most: int) -> list[Line]:
        lines: list[Line] = []
        for name, last in self._streams(group, 0):
            if sum(line.time_ms > last for line in lines) >= most:
                break  # in this stream and in those that follow all is older
            answer = self.client.get_log_events(logGroupName=group, logStreamName=name, limit=most)
            self._tokens[group, name] = answer["nextForwardToken"]
            lines += _lines(group, name, answer["events"])
        return lines

    def _unread(self, group: str, name: str, moment_ms: int) -> Iterator[Line]:
        token = self._tokens.get((group, name), "")
        while True:
            place: dict[str, Any] = {"nextToken": token} if token else {"startTime": moment_ms}
            answer = self.client.get_log_events(
                logGroupName=group, logStreamName=name, startFromHead=True, **place
            )
            yield from _lines(group, name, answer["events"])
            # "If you have reached the end of the stream, it returns the same token you passed in",
            # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
            if answer["nextForwardToken"] == token or not answer["events"]:
                break
            token = answer["nextForwardToken"]
        self._tokens[group, name] = answer["nextForwardToken"]


def _time(line: Line) -> int:
    return line.time_ms


def _lines(group: str, stream: str, events: list[dict[str, Any]]) -> list[Line]:
    named = _STREAM.match(stream)
    source = named["function"] if named else group.removeprefix("/aws/lambda/")
    return [Line(event["timestamp"], source, event["message"].rstrip()) for event in events]


def run(state: Path, arguments: argparse.Namespace, console: Console) -> int:
    """Print the log of an engine that ended by itself, the engine's, and what the functions logged last."""
    engine = EngineProcess.find(state)
    if engine is None:
        return _of_no_engine(state, console)
    functions: list[Function] = []
    try:
        functions = functions_of(Suite(engine, Outputs("", {})))
    except ClientError:  # the suite is not deployed, and other functions may be
        if arguments.function:
            raise
    tail = Tail(engine.client("logs"))
    if arguments.function:
        function = find(functions, arguments.function)
        configuration = engine.client("lambda").get_function_configuration(FunctionName=function.name)
        group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{function.name}"
        tail = Tail(engine.client("logs"), function.name, group)
    else:
        _engine_logs(state, console)
    names = {function.name: function.short for function in functions}
    begun = time.time()
    is_timed = arguments.since is not None
    since_ms = max(0, round((begun - (arguments.since or 0)) * 1000))
    lines = tail.since(since_ms) if is_timed else tail.newest(_MOST)
    if not lines:
        say(console, "Nothing was logged in that time." if is_timed else "Nothing was logged yet.")
    _show(console, lines, names)
    try:
        while arguments.follow:
            time.sleep(_PAUSE_S)
            _show(console, tail.since(round(max(begun, time.time() - _LATE_S) * 1000)), names)
    except KeyboardInterrupt:  # how following ends
        console.print()
    return 0


def _show(console: Console, lines: list[Line], names: dict[str, str]) -> None:
    for line in lines:
        moment = datetime.fromtimestamp(line.time_ms / 1000, UTC)
        message = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", line.message)
        say(console, f"{moment:%H:%M:%S} {names.get(line.source, line.source)}  {message}")


def _of_no_engine(state: Path, console: Console) -> int:
    crashed = EngineProcess.recorded(state) is not None
    say(console, "The engine has ended by itself." if crashed else "The engine is down. `make up` starts it.")
    _engine_logs(state, console, running=False)
    return 1


def _engine_logs(state: Path, console: Console, *, running: bool = True) -> None:
    """Print the ends of the engine's logs, if there is something in them."""
    titles = {
        True: "the end of the log of an engine that had ended by itself",
        False: "the end of the engine's log" if running else "the end of the last one's log",
    }
    for crashed, title in titles.items():
        if text := log_tail(state, crashed=crashed):
            say(console, f"--- {title}")
            say(console, text)
