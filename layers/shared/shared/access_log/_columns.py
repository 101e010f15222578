"""Which field of a source is which column of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter

__all__ = ["COLUMNS", "FIELDS", "Layout"]

# The fields of a standard log (CloudFront Developer Guide, "Standard log file fields"), and the columns that
# hold them. Files of older years have the first 26.
_SOURCE = {
    "date": "logdate",
    "time": "logtime",
    "x-edge-location": "location",
    "sc-bytes": "bytes",
    "c-ip": "requestip",
    "cs-method": "method",
    "cs(Host)": "host",
    "cs-uri-stem": "uri",
    "sc-status": "status",
    "cs(Referer)": "referrer",
    "cs(User-Agent)": "useragent",
    "cs-uri-query": "uriquery",
    "cs(Cookie)": "cookie",
    "x-edge-result-type": "resulttype",
    "x-edge-request-id": "requestid",
    "x-host-header": "header",
    "cs-protocol": "csprotocol",
    "cs-bytes": "csbytes",
    "time-taken": "timetaken",
    "x-forwarded-for": "forwardedfor",
    "ssl-protocol": "sslprotocol",
    "ssl-cipher": "sslcipher",
    "x-edge-response-result-type": "responseresulttype",
    "cs-protocol-version": "protocolversion",
    "fle-status": "fle_status",
    "fle-encrypted-fields": "fle_encrypted_fields",
    "c-port": "c_port",
    "time-to-first-byte": "time_to_first_byte",
    "x-edge-detailed-result-type": "x_edge_detailed_result_type",
    "sc-content-type": "sc_content_type",
    "sc-content-len": "sc_content_len",
    "sc-range-start": "sc_range_start",
    "sc-range-end": "sc_range_end",
}
_ADDED = ("browserfamily", "osfamily", "isbot", "filename", "distribution", "botcategory", "linenumber")
_TYPES = {
    "logdate": "date",
    "bytes": "bigint",
    "status": "bigint",
    "timetaken": "double",
    "linenumber": "bigint",
}
# Real-time logs name headers without brackets.
_REALTIME_NAMES = {
    "cs-host": "cs(host)",
    "cs-referer": "cs(referer)",
    "cs-user-agent": "cs(user-agent)",
    "cs-cookie": "cs(cookie)",
}

FIELDS = tuple(_SOURCE)
"""The 33 fields of a standard log, in the order CloudFront writes them today."""

HEAD = 24
"""How many source columns stand before the added ones."""

COLUMNS: dict[str, str] = {
    name: _TYPES.get(name, "string")
    for name in (*tuple(_SOURCE.values())[:HEAD], *_ADDED, *tuple(_SOURCE.values())[HEAD:])
}
"""The columns of a written row, in order, with their Athena types."""

ADDRESS, USER_AGENT, FORWARDED_FOR = (
    FIELDS.index(name) for name in ("c-ip", "cs(User-Agent)", "x-forwarded-for")
)


class Layout:
    """The order of a source's fields.

    Fields are found by name, whatever their order; those we do not know are ignored, and columns that the
    source does not have hold `-`, CloudFront's own sign for no value.

    Args:
        names: The source's fields, as a `#Fields` line or a real-time configuration lists them.

    Attributes:
        names: The same.
        regular: Whether the source has our order: 25 or more of the 33 fields, and nothing after them.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self.regular = len(self.names) > HEAD and self.names == FIELDS[: len(self.names)]
        folded = [name.lower() for name in self.names]
        self._places = {_REALTIME_NAMES.get(name, name): place for place, name in enumerate(folded)}
        # Place -1 is a "-" that `split` appends.
        self._pick: Callable[[Sequence[str]], tuple[str, ...]] = itemgetter(
            *(self._places.get(name.lower(), -1) for name in FIELDS)
        )

    @classmethod
    def from_header(cls, line: str) -> Layout:
        """The layout that a `#Fields: ...` line declares."""
        return cls(line.partition(":")[2].split())

    def place(self, name: str) -> int | None:
        """The index of a field, named as in a standard log; None if the source does not have it."""
        return self._places.get(name.lower())

    def split(self, line: str) -> list[str] | None:
        """The values of a row in the order of `FIELDS`; None if the row has fewer fields than the layout."""
        values = line.split("\t")
        if len(values) < len(self.names):
            return None
        values.append("-")
        return list(self._pick(values))
