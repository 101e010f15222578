"""A proxy before the search server that notes what it is asked, and refuses what a test tells it to.

A server of one idle node is never busy and loses no shard; this one says so in its place, in the server's own
words. What it is not told to refuse goes to the real server, and the real answer back.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from local.serving import serving

__all__ = ["Asked", "SearchProxy", "search_proxy"]

_ERRORS = {
    429: "es_rejected_execution_exception",
    503: "unavailable_shards_exception",
    403: "cluster_block_exception",
}


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def identities(self) -> list[str]:
        """The `_id`s of a bulk request."""
        return [json.loads(line)["create"]["_id"] for line in self.body.splitlines()[::2]]


@dataclass
class SearchProxy:
    """What tests hold of a running proxy.

    Attributes:
        address: Its base address.
        asked: What it was asked, in order.
        dashboards: Address of what answers under `/_dashboards`, if there is anything.
        seen: Method and path of whatever the function asked since the proxy began.
    """

    address: str
    target: tuple[str, int]
    asked: list[Asked] = field(default_factory=list)
    dashboards: str = ""
    seen: set[tuple[str, str]] = field(default_factory=set)
    _requests: list[int] = field(default_factory=list)
    _items: dict[str, list[int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def bulk_requests(self) -> list[Asked]:
        """The bulk requests among what it was asked."""
        return [each for each in self.asked if "/_bulk" in each.path]

    def refuse_requests(self, *statuses: int) -> None:
        """Answer the next bulk requests with these statuses; 0 carries one out and says nothing."""
        self._requests = list(statuses)

    def refuse_document(self, identity: str, *statuses: int) -> None:
        """Answer for one document with these statuses, one a time, while the others of its request go on."""
        self._items[identity] = list(statuses)

    def behave(self) -> None:
        """Forget what is to be refused, and what was asked."""
        self._requests, self._items, self.asked = [], {}, []

    def answer(self, asked: Asked) -> tuple[int, bytes] | None:
        """Return status and body of the answer to a request; None to say nothing."""
        with self._lock:
            self.asked.append(asked)
            if "/us-east-1/es/" in asked.headers.get("Authorization", "") and _of_a_role(asked):
                self.seen.add((asked.method, urlsplit(asked.path).path))
            if asked.path.startswith("/_dashboards/") and self.dashboards:
                return self._pass_on(asked, asked.body, _host_and_port(self.dashboards))
            if "/_bulk" not in asked.path:
                return self._pass_on(asked, asked.body)
            status = self._requests.pop(0) if self._requests else 200
            refused = self._refused(asked.identities) if status == 200 else {}
        if status not in (0, 200):
            return status, json.dumps({"error": {"type": _ERRORS.get(status, "")}, "status": status}).encode()
        pairs = asked.body.splitlines(keepends=True)
        rest = [pairs[at : at + 2] for at in range(0, len(pairs), 2) if at // 2 not in refused]
        answer = 200, b'{"items":[]}'
        if rest:
            answer = self._pass_on(asked, b"".join(line for pair in rest for line in pair))
        if refused and answer[0] == 200:
            items: list[Any] = json.loads(answer[1])["items"]
            for place, item_status in sorted(refused.items()):
                error = {"type": _ERRORS.get(item_status, "mapper_parsing_exception")}
                items.insert(place, {"create": {"status": item_status, "error": error}})
            answer = 200, json.dumps({"errors": True, "items": items}).encode()
        return answer if status else None

    def _refused(self, identities: list[str]) -> dict[int, int]:
        """Places of documents that are refused now, and with which status."""
        found: dict[int, int] = {}
        for place, identity in enumerate(identities):
            if statuses := self._items.get(identity):
                found[place] = statuses.pop(0)
        return found

    def _pass_on(self, asked: Asked, body: bytes, target: tuple[str, int] | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(*(target or self.target), timeout=30)
        passed = {"content-type", "osd-xsrf"}
        kept = {name: value for name, value in asked.headers.items() if name.lower() in passed}
        try:
            connection.request(asked.method, asked.path, body, kept)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _of_a_role(asked: Asked) -> bool:
    return "X-Amz-Security-Token" in asked.headers


def _host_and_port(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    return str(parts.hostname), int(parts.port or 80)


@contextmanager
def search_proxy(target: str) -> Iterator[SearchProxy]:
    """Run a proxy before a server while the context lasts."""
    proxy = SearchProxy("", _host_and_port(target))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = proxy.answer(Asked(self.command, self.path, dict(self.headers.items()), body))
            if answer is None:
                self.close_connection = True
                return
            status, content = answer
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except ConnectionError:
                self.close_connection = True  # the client did not wait for the answer

        do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - what the base class looks for

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with serving(server) as proxy.address:
        yield proxy
