"""Logs in Apache Parquet."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from ._columns import Layout, one_line
from ._errors import CorruptLogError

__all__ = ["MAGIC", "read_parquet"]

MAGIC = b"PAR1"
"""What a Parquet file begins and ends with (Apache Parquet, "File Format")."""

_MAX_FILE = 256 << 20  # of the 512 MB that a Lambda function has in /tmp
_BATCH = 1_024  # rows at a time
# It takes no more than the pages of a row group; nothing is looked for outside of the process.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "memory_limit": "256MB",
    "autoload_known_extensions": False,
}


def read_parquet(file: BinaryIO, start: bytes) -> Iterator[tuple[Layout, list[list[str]]]]:
    """The rows of a Parquet file, some at a time, with the layout of their values.

    A Parquet file is read from its end: it is copied to a temporary file first.

    Args:
        file: The rest of the file, read by `read(size)` alone.
        start: What was read of the file before.

    Raises:
        CorruptLogError: While iterating: the file is damaged, or over 256 MiB.
    """
    with tempfile.NamedTemporaryFile(suffix=".parquet") as copy:
        copy.write(start)
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        if copy.tell() > _MAX_FILE:
            raise CorruptLogError(f"a Parquet file of more than {_MAX_FILE >> 20} MiB")
        yield from _rows(copy.name)


def _rows(path: str) -> Iterator[tuple[Layout, list[list[str]]]]:
    # A tenth of a second and 32 MB of memory, for files that most never have.
    import duckdb

    try:
        with duckdb.connect(config=_CONFIG) as database:
            found = database.execute("FROM read_parquet(?, hive_partitioning = false)", [path])
            layout = Layout(column[0] for column in found.description or ())
            yield layout, []
            while rows := found.fetchmany(_BATCH):
                yield layout, [[_text(value) for value in row] for row in rows]
    except duckdb.OutOfMemoryException as error:
        raise CorruptLogError("a row group that takes more than 256 MB of memory") from error
    except duckdb.Error as error:
        raise CorruptLogError(f"not a Parquet file, or damaged: {type(error).__name__}") from error


def _text(value: object) -> str:
    return "-" if value is None or value == "" else one_line(str(value))
