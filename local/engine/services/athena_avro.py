"""Avro's object container files (specification 1.11), as Python values that JSON can write."""

from __future__ import annotations

import bz2
import datetime as dt
import json
import struct
import zlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from local.engine.services.athena_errors import SqlError

__all__ = ["moment_text", "records"]

_MAGIC = b"Obj\x01"
_SYNC_BYTES = 16
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - types without zone


def records(content: bytes) -> Iterator[dict[str, Any]]:
    """Yield the records of a file; dates, times and decimals as text, as a table's column takes them.

    Raises:
        SqlError: It is no such file, damaged, or compressed by what is not here.
    """
    if not content:
        return
    try:
        yield from _records(content)
    except (IndexError, KeyError, struct.error, ValueError, zlib.error, OSError, TypeError) as error:
        if isinstance(error, SqlError):
            raise
        raise SqlError(f"HIVE_CURSOR_ERROR: not an Avro file: {type(error).__name__}: {error}") from error


def _records(content: bytes) -> Iterator[dict[str, Any]]:
    if content[:4] != _MAGIC:
        raise SqlError("HIVE_CURSOR_ERROR: Not an Avro data file")
    source = _Source(content, 4)
    meta = {name: source.take(source.long()) for _ in source.blocks() for name in [source.text()]}
    codec = meta.get("avro.codec", b"null").decode()
    sync = source.take(_SYNC_BYTES)
    reader = _Reader(json.loads(meta["avro.schema"]))
    while not source.ended():
        count, size = source.long(), source.long()
        block = _Source(_inflated(codec, source.take(size)))
        for _ in range(count):
            yield reader.value(reader.schema, block)
        if source.take(_SYNC_BYTES) != sync:
            raise SqlError("HIVE_CURSOR_ERROR: Invalid sync!")


def _inflated(codec: str, block: bytes) -> bytes:
    if codec == "null":
        return block
    if codec == "deflate":
        return zlib.decompress(block, -15)
    if codec == "bzip2":
        return bz2.decompress(block)
    raise SqlError(f"NOT_SUPPORTED: the local engine does not read Avro files compressed by {codec}")


class _Source:
    """Bytes that are read from the front."""

    def __init__(self, content: bytes, position: int = 0) -> None:
        self._content, self._position = content, position

    def ended(self) -> bool:
        return self._position >= len(self._content)

    def take(self, count: int) -> bytes:
        end = self._position + count
        if count < 0 or end > len(self._content):
            raise IndexError("the file ends within a value")
        taken = self._content[self._position : end]
        self._position = end
        return taken

    def long(self) -> int:
        """Read a zigzag-encoded number."""
        number = shift = 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return (number >> 1) ^ -(number & 1)
            shift += 7

    def text(self) -> str:
        return self.take(self.long()).decode()

    def blocks(self) -> Iterator[None]:
        """Yield once for each item of an array or map."""
        while count := self.long():
            if count < 0:
                self.long()  # the block's size in bytes
            for _ in range(abs(count)):
                yield


class _Reader:
    """Values by a schema."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema
        self._named: dict[str, Any] = {}
        self._learn(schema, "")

    def _learn(self, schema: Any, space: str) -> None:
        """Note the named types, by full and by short name."""
        if isinstance(schema, list):
            for each in schema:
                self._learn(each, space)
        elif isinstance(schema, dict):
            if schema.get("type") in ("record", "enum", "fixed", "error"):
                space = schema.get("namespace", space)
                self._named[schema["name"]] = self._named[f"{space}.{schema['name']}"] = schema
            for each in (
                schema.get("items"),
                schema.get("values"),
                *(f["type"] for f in schema.get("fields", [])),
            ):
                self._learn(each, space)
            if isinstance(schema.get("type"), dict | list):
                self._learn(schema["type"], space)

    def value(self, schema: Any, source: _Source) -> Any:
        if isinstance(schema, list):
            return self.value(schema[source.long()], source)
        if isinstance(schema, str):
            return (
                self._primitive(schema, source)
                if schema in _PRIMITIVES
                else self.value(self._named[schema], source)
            )
        kind = schema["type"]
        if kind in ("record", "error"):
            return {field["name"]: self.value(field["type"], source) for field in schema["fields"]}
        if kind == "array":
            return [self.value(schema["items"], source) for _ in source.blocks()]
        if kind == "map":
            return {
                name: self.value(schema["values"], source)
                for _ in source.blocks()
                for name in [source.text()]
            }
        if kind == "enum":
            return schema["symbols"][source.long()]
        raw = source.take(schema["size"]) if kind == "fixed" else None
        return _logical(schema, raw if kind == "fixed" else self.value(kind, source))

    @staticmethod
    def _primitive(name: str, source: _Source) -> Any:
        if name in ("int", "long"):
            return source.long()
        if name == "string":
            return source.text()
        if name == "bytes":
            return source.take(source.long())
        if name == "boolean":
            return source.take(1) != b"\x00"
        if name == "null":
            return None
        size, code = (4, "<f") if name == "float" else (8, "<d")
        number: float = struct.unpack(code, source.take(size))[0]
        return number


_PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}


def _logical(schema: dict[str, Any], value: Any) -> Any:
    logical = str(schema.get("logicalType", ""))
    if logical == "decimal" and isinstance(value, bytes):
        return f"{Decimal(int.from_bytes(value, signed=True)).scaleb(-int(schema.get('scale', 0))):f}"
    if logical == "date":
        return moment_text(value, "date", 1)
    if logical in ("timestamp-millis", "local-timestamp-millis"):
        return moment_text(value, "timestamp", 1000)
    if logical in ("timestamp-micros", "local-timestamp-micros"):
        return moment_text(value, "timestamp", 1_000_000)
    return _plain(value)


def _plain(value: Any) -> Any:
    """Return bytes as the text that becomes the same bytes."""
    return "".join(f"\\x{byte:02X}" for byte in value) if isinstance(value, bytes) else value


def moment_text(number: int, kind: str, scale: int) -> str:
    """Return days, or parts of seconds, since 1970 as text."""
    if kind == "date":
        return str((_EPOCH + dt.timedelta(days=number)).date())
    return str(_EPOCH + dt.timedelta(microseconds=number * (1_000_000 // scale)))
