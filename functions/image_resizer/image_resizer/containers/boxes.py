"""Boxes of ISO/IEC 14496-12, and the size that old encoders did not give the alpha of an AVIF.

ISO/IEC 23008-12 wants the property `ispe` of every image item. libvips shows alpha without it, libavif, which
Pillow has, refuses the whole picture: such alpha gets the size of the picture.
"""

import struct
from collections.abc import Iterator

__all__ = ["boxes", "with_size_of_alpha"]


def boxes(data: bytes | bytearray, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, place and end of the boxes between two places.

    Raises:
        struct.error: There is part of one.
    """
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        if size < 8 or start + size > end:
            raise struct.error("a box exceeds what it is in")
        yield kind, start, start + size
        start += size


def with_size_of_alpha(meta: bytes, position: int) -> bytes:
    """The box `meta`, each item that is alpha of another one in it associated with a size.

    Args:
        meta: The box.
        position: Where it is in the file: what is behind it moves.

    Raises:
        struct.error: It is broken.
    """
    top = {kind: (start, end) for kind, start, end in boxes(meta, 12, len(meta))}
    if not {b"iprp", b"iloc", b"pitm"} <= top.keys():
        return meta
    start, end = top[b"iprp"]
    within = {kind: (first, last) for kind, first, last in boxes(meta, start + 8, end)}
    if not {b"ipco", b"ipma"} <= within.keys():
        return meta
    first, last = within[b"ipco"]
    kinds = [b"", *(kind for kind, _, _ in boxes(meta, first + 8, last))]  # properties count from 1
    place = top[b"pitm"][0]
    (primary,) = struct.unpack_from(">I" if meta[place + 8] else ">H", meta, place + 12)
    old = meta[slice(*within[b"ipma"])]
    new = _associated(old, kinds, primary)
    grown = len(new) - len(old)
    if not grown:
        return meta
    changed = bytearray(meta)
    _move(changed, top[b"iloc"][0], position + len(meta), grown)
    changed[slice(*within[b"ipma"])] = new
    for place in (0, start):
        struct.pack_into(">I", changed, place, struct.unpack_from(">I", changed, place)[0] + grown)
    return bytes(changed)


def _associated(ipma: bytes, kinds: list[bytes], primary: int) -> bytes:
    """The associations of items with properties; alpha that has no size gets the primary item's."""
    version, flags, count = struct.unpack_from(">B2xBI", ipma, 8)
    head = ">HB" if version < 1 else ">IB"
    index, mask = ("H", 0x7FFF) if flags & 1 else ("B", 0x7F)
    items: list[tuple[int, tuple[int, ...]]] = []
    place = 16
    for _ in range(count):
        item, length = struct.unpack_from(head, ipma, place)
        place += struct.calcsize(head)
        items.append((item, struct.unpack_from(f">{length}{index}", ipma, place)))
        place += struct.calcsize(f">{length}{index}")
    sizes = [one for item, has in items if item == primary for one in has if kinds[one & mask] == b"ispe"]
    body = ipma[8:16]
    for item, has in items:
        own = {kinds[one & mask] for one in has}
        given = tuple(sizes[:1]) if b"auxC" in own and b"ispe" not in own else ()
        properties = given + has
        body += struct.pack(f"{head}{len(properties)}{index}", item, len(properties), *properties)
    return struct.pack(">I", 8 + len(body)) + b"ipma" + body


def _move(meta: bytearray, iloc: int, end: int, grown: int) -> None:
    """Move the places of items that are behind the box."""
    version, sizes, more = struct.unpack_from(">B3xBB", meta, iloc + 8)
    forms = {0: "", 4: "I", 8: "Q"}
    offset, length, base = (forms[size] for size in (sizes >> 4, sizes & 15, more >> 4))
    extra = forms[more & 15] if version in (1, 2) else ""
    number = "I" if version == 2 else "H"
    (count,) = struct.unpack_from(f">{number}", meta, iloc + 14)
    place = iloc + 14 + struct.calcsize(number)
    head = f">{number}{'H' if version else ''}H"
    for _ in range(count):
        method = struct.unpack_from(head, meta, place)[1] & 15 if version else 0
        place += struct.calcsize(head)
        origin, extents = struct.unpack_from(f">{base or '0s'}H", meta, place)
        in_file = method == 0
        if base and in_file and origin >= end:
            struct.pack_into(f">{base}", meta, place, origin + grown)
        place += struct.calcsize(f">{base}H")
        for _ in range(extents):
            place += struct.calcsize(f">{extra}")
            if offset and in_file and not (base and origin):
                (where,) = struct.unpack_from(f">{offset}", meta, place)
                struct.pack_into(f">{offset}", meta, place, where + grown * (where >= end))
            place += struct.calcsize(f">{offset}{length}")
