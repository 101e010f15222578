"""Client companies and their applications.

===========  ==============================================================
Item         a client
Key          `pk` = `C#<client>`, `sk` = `.`
Attributes   `client` S: JSON of a `ClientRecord`
TTL          none
Written by   `make clients`, no function
===========  ==============================================================
"""

import json
from typing import Any, Literal, NotRequired, TypedDict, cast

from ._table import Table

__all__ = ["ClientRecord", "ClientRecords"]


class ClientRecord(TypedDict):
    """A client as it was registered; see `clients.Client`. Older records lack what is not required."""

    company: str
    api_key_id: str
    scopes: list[str]
    keys: list[dict[str, Any]]
    title: str
    trusted: bool
    redirect_uris: list[str]
    logout_uris: list[str]
    links: dict[str, str]
    id_token_alg: NotRequired[Literal["RS256", "ES256"]]
    registration: NotRequired[str]
    resources: NotRequired[list[str]]
    sign_on_scopes: NotRequired[list[str]]


class ClientRecords:
    """Reads of clients."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, client: str) -> ClientRecord | None:
        """A client; None if it is not registered."""
        item = self._table.get(f"C#{client}")
        return None if item is None else cast(ClientRecord, json.loads(item["client"]["S"]))
