"""Streaming decompression in constant memory."""

import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

from ._errors import CorruptLogError

_new_member: Callable[[int], Any]
_Broken: type[Exception]
try:
    from isal import isal_zlib

    # The package's stub calls the class an instance.
    _new_member, _Broken = isal_zlib.decompressobj, cast("type[Exception]", isal_zlib.error)
except ImportError:  # no wheel for this platform: the same interface, at a third of the speed
    _new_member, _Broken = zlib.decompressobj, zlib.error

__all__ = ["Gunzip"]

_READ = 64 * 1024
# What is decompressed at a time: a block and the rows made of it stay in a core's cache. It also bounds what
# a few bytes of a compression bomb can grow to.
_BLOCK = 64 * 1024
_MAGIC = b"\x1f\x8b"
_GZIP = 31  # zlib's window bits for a gzip header and trailer


class Gunzip:
    """Iterates over the content of a gzip file in blocks of at most 64 KiB.

    Members may follow each other, and zero bytes may follow a member (RFC 1952, gzip(1)). A file that ends
    within a member is no error: what it holds is yielded, and `partial` is set. A file without any bytes has
    no content.

    Args:
        file: Read from its position to its end, by `read(size)` alone, so that a response body will do.
        start: What was read of the file before.

    Attributes:
        partial: Whether the file ended within a member; known once the iteration has ended.

    Raises:
        CorruptLogError: While iterating: the file is not gzip, or its stream or checksum is wrong.
    """

    def __init__(self, file: BinaryIO, start: bytes = b"") -> None:
        self._file = file
        self._start = start
        self.partial = False

    def __iter__(self) -> Iterator[bytes]:
        member: Any = None
        while data := self._start or self._file.read(_READ):
            self._start = b""
            while data:
                if member is None:
                    data = data.lstrip(b"\0")
                    if not data:
                        break
                    # isal takes a text shorter than a header for a header that is cut off.
                    if not (data.startswith(_MAGIC) or data == _MAGIC[:1]):
                        raise CorruptLogError("not a gzip stream: it begins otherwise")
                    member = _new_member(_GZIP)
                block = _inflate(member, data)
                yield block
                # A full block may leave output in the decompressor although it has taken all input.
                while len(block) == _BLOCK and not (member.eof or member.unconsumed_tail):
                    block = _inflate(member, b"")
                    yield block
                data = member.unused_data if member.eof else member.unconsumed_tail
                if member.eof:
                    member = None
        self.partial = member is not None


def _inflate(member: Any, data: bytes) -> bytes:
    try:
        return cast(bytes, member.decompress(data, _BLOCK))
    except _Broken as error:
        raise CorruptLogError(f"not a gzip stream: {error}") from error
