"""Saved objects of OpenSearch Dashboards: what a panel asks the index, and a server that imports them.

OpenSearch Dashboards itself cannot be had from a registry of packages. The server here holds an import to
what the route of OpenSearch Dashboards 2.x asks for, and keeps what it imported; it draws nothing.
"""

from __future__ import annotations

import email.policy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from local.serving import serving
from ops.dashboards import OBJECTS

__all__ = ["DashboardsServer", "dashboards_server", "fields_of", "objects", "search_of"]

type Object = dict[str, Any]

_METRICS = {"cardinality", "max", "min", "sum", "avg"}


def objects() -> dict[tuple[str, str], Object]:
    """Return the saved objects by type and id."""
    found = [json.loads(line) for line in OBJECTS.read_text().splitlines()]
    return {(each["type"], each["id"]): each for each in found}


def fields_of(saved: Object) -> set[str]:
    """Return the fields that an object names."""
    attributes = saved["attributes"]
    if saved["type"] == "index-pattern":
        return {attributes["timeFieldName"]}
    if saved["type"] == "search":
        return {*attributes["columns"], *(name for name, _ in attributes["sort"])}
    if saved["type"] == "visualization":
        aggregations = json.loads(attributes["visState"])["aggs"]
        return {each["params"]["field"] for each in aggregations if "field" in each["params"]}
    return set()


def search_of(saved: Object, since: str, until: str) -> dict[str, Any]:
    """Return the body of the `_search` that a visualization stands for: its query, its buckets, its metrics.

    As Dashboards asks, but for `interval`: it would say `fixed_interval`, which is younger than the server.
    """
    source = json.loads(saved["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    must: list[dict[str, Any]] = [{"range": {"@time": {"gte": since, "lte": until}}}]
    assert source["query"]["language"] == "lucene"
    if text := source["query"]["query"]:
        must.append({"query_string": {"query": text, "analyze_wildcard": True}})
    body: dict[str, Any] = {"size": 0, "track_total_hits": True, "query": {"bool": {"must": must}}}
    if saved["type"] != "visualization":
        return body
    aggregations = json.loads(saved["attributes"]["visState"])["aggs"]
    metrics = {
        each["id"]: {each["type"]: {"field": each["params"]["field"]}}
        for each in aggregations
        if each["schema"] == "metric" and each["type"] in _METRICS
    }
    level = body
    for each in (each for each in aggregations if each["schema"] != "metric"):
        level["aggs"] = {each["id"]: _bucket(each)} | (metrics if level is not body else {})
        level = level["aggs"][each["id"]]
    level["aggs"] = metrics
    return body


def _bucket(aggregation: Object) -> dict[str, Any]:
    given = aggregation["params"]
    if aggregation["type"] == "date_histogram":
        asked = {"field": given["field"], "interval": "10m", "min_doc_count": given["min_doc_count"]}
        return {"date_histogram": asked}
    assert aggregation["type"] == "terms"
    assert given["orderBy"] == "1", "by the count"
    asked = {"field": given["field"], "size": given["size"], "order": {"_count": given["order"]}}
    return {"terms": asked | ({"missing": "__missing__"} if given["missingBucket"] else {})}


@dataclass
class DashboardsServer:
    """What was imported.

    Attributes:
        address: Base address, as that of a domain.
        stored: Saved objects by type and id.
        status: The status of the next answers, if it is not to be the right one.
    """

    address: str = ""
    stored: dict[tuple[str, str], Object] = field(default_factory=dict)
    status: int = 200

    def imported(self, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, Any]]:
        """Return status and body of the answer to a request."""
        parts = urlsplit(path)
        if parts.path != "/_dashboards/api/saved_objects/_import":
            return 404, {"statusCode": 404, "error": "Not Found", "message": "Not Found"}
        if self.status != 200:
            return self.status, {"Message": "User: anonymous is not authorized to perform: es:ESHttpPost"}
        if "osd-xsrf" not in headers:
            return 400, {"statusCode": 400, "message": "Request must contain a osd-xsrf header."}
        head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
        [part] = BytesParser(policy=email.policy.HTTP).parsebytes(head + body).iter_parts()
        if not str(part.get_filename()).endswith(".ndjson"):
            return 400, {"statusCode": 400, "message": f"Invalid file extension {part.get_filename()}"}
        assert part.get_param("name", header="content-disposition") == "file"
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        return 200, self._store(
            [json.loads(line) for line in content.splitlines()],
            overwrite=parse_qs(parts.query).get("overwrite") == ["true"],
        )

    def _store(self, given: list[Object], *, overwrite: bool) -> dict[str, Any]:
        here = set(self.stored) | {(each["type"], each["id"]) for each in given}
        errors: list[dict[str, Any]] = []
        for each in given:
            name = {"type": each["type"], "id": each["id"]}
            missing = [ref for ref in each["references"] if (ref["type"], ref["id"]) not in here]
            if missing:
                errors.append(name | {"error": {"type": "missing_references", "references": missing}})
            elif (each["type"], each["id"]) in self.stored and not overwrite:
                errors.append(name | {"error": {"type": "conflict"}})
        if not errors:
            self.stored |= {(each["type"], each["id"]): each for each in given}
        result: dict[str, Any] = {"success": not errors, "successCount": len(given) - len(errors)}
        return result | ({"errors": errors} if errors else {})


@contextmanager
def dashboards_server() -> Iterator[DashboardsServer]:
    """Run a server that imports saved objects while the context lasts."""
    state = DashboardsServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = state.imported(self.path, self.headers, body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    with serving(server) as state.address:
        yield state
