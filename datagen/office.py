"""Documents for word processors: small, right, and wrong on purpose.

The parts are those of ECMA-376 (`.docx`), of OpenDocument 1.2 (`.odt`), and of [MS-CFB], the file system
inside of what Word wrote until 2003.
"""

import struct
import zipfile
from collections.abc import Mapping
from io import BytesIO
from xml.sax.saxutils import escape

__all__ = ["archive", "compound", "docx", "docx_with_relationship", "odt", "paragraphs", "picture", "rtf"]

_W = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    ' xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"'
    ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    ' xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"'
)
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_MACROS = "application/vnd.ms-word.document.macroEnabled.main+xml"
_ODT = "application/vnd.oasis.opendocument.text"
_OASIS = "urn:oasis:names:tc:opendocument:xmlns"
_OD = (
    f'xmlns:office="{_OASIS}:office:1.0" xmlns:text="{_OASIS}:text:1.0" xmlns:draw="{_OASIS}:drawing:1.0"'
    f' xmlns:script="{_OASIS}:script:1.0" xmlns:svg="{_OASIS}:svg-compatible:1.0"'
    ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:ooo="http://openoffice.org/2004/office"'
    f' xmlns:dom="http://www.w3.org/2001/xml-events" xmlns:style="{_OASIS}:style:1.0"'
)
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


def archive(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive of parts in their order; `mimetype` is stored, the others are deflated."""
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archived:
        for name, content in parts.items():
            archived.writestr(name, content, zipfile.ZIP_STORED if name == "mimetype" else None)
    return made.getvalue()


def paragraphs(*texts: str) -> str:
    """The body of a `.docx`."""
    return "".join(f"<w:p><w:r><w:t>{escape(text)}</w:t></w:r></w:p>" for text in texts)


def picture(relationship: str) -> str:
    """A paragraph of a `.docx` with a picture that is linked by a relationship."""
    return (
        '<w:p><w:r><w:drawing><wp:inline><wp:extent cx="900000" cy="900000"/><wp:docPr id="1" name="x"/>'
        '<a:graphic><a:graphicData uri="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:pic>'
        '<pic:nvPicPr><pic:cNvPr id="1" name="x"/><pic:cNvPicPr/></pic:nvPicPr>'
        f'<pic:blipFill><a:blip r:link="{relationship}"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill>'
        '<pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="900000" cy="900000"/></a:xfrm>'
        '<a:prstGeom prst="rect"/></pic:spPr></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing>'
        "</w:r></w:p>"
    )


def docx(
    body: str,
    *,
    relationships: str = "",
    parts: Mapping[str, str | bytes] | None = None,
    doctype: str = "",
    macros: bool = False,
) -> bytes:
    """A document of Word.

    Args:
        body: Markup of `w:body`.
        relationships: Markup of the document's relationships.
        parts: Further parts.
        doctype: Before the document's root.
        macros: Whether it says that it has macros, and has a part for them.
    """
    types = (
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="html" ContentType="text/html"/>'
        f'<Override PartName="/word/document.xml" ContentType="{_MACROS if macros else _MAIN}"/></Types>'
    )
    office = (
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>'
    )
    own = f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{relationships}</Relationships>'
    return archive(
        {
            "[Content_Types].xml": types,
            "_rels/.rels": office,
            "word/document.xml": f"{_HEAD}{doctype}<w:document {_W}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": own,
            **({"word/vbaProject.bin": b"\xd0\xcf\x11\xe0"} if macros else {}),
            **(parts or {}),
        }
    )


def docx_with_relationship(kind: str, target: str, body: str) -> bytes:
    """A document of Word with a relationship `rId9` to something outside.

    Args:
        kind: `image`, `aFChunk`, `attachedTemplate`, ...
        target: The address.
        body: Markup of `w:body`.
    """
    made = f'<Relationship Id="rId9" Type="{_OFFICE}/{kind}" Target="{target}" TargetMode="External"/>'
    return docx(body, relationships=made)


def odt(
    body: str,
    *,
    before_body: str = "",
    parts: Mapping[str, str | bytes] | None = None,
    entry: str = "",
    entries: str = "",
) -> bytes:
    """A document of OpenDocument.

    Args:
        body: Markup of `office:text`.
        before_body: Markup before `office:body`: fonts, styles, scripts.
        parts: Further parts.
        entry: Markup inside of the manifest's entry for the content.
        entries: Markup of further entries.
    """
    content = (
        f'{_HEAD}<office:document-content {_OD} office:version="1.2">{before_body}'
        f"<office:body><office:text>{body}</office:text></office:body></office:document-content>"
    )
    manifest = (
        f'{_HEAD}<manifest:manifest xmlns:manifest="{_OASIS}:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{_ODT}"/><manifest:file-entry '
        f'manifest:full-path="content.xml" manifest:media-type="text/xml">{entry}</manifest:file-entry>'
        f"{entries}</manifest:manifest>"
    )
    return archive(
        {"mimetype": _ODT, "content.xml": content, "META-INF/manifest.xml": manifest, **(parts or {})}
    )


def rtf(body: str) -> bytes:
    """A document of the Rich Text Format."""
    return f"{{\\rtf1\\ansi {body}}}".encode("ascii")


_FREE, _END, _FAT, _NONE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF
_SECTOR, _LEAST = 512, 4096  # smaller streams would go into another file system inside of this one


def compound(streams: Mapping[str, bytes]) -> bytes:
    """A compound file with streams in its root; each is filled up to 4,096 bytes.

    Args:
        streams: Content by name; at most three.
    """
    contents = {name: data.ljust(_LEAST, b"\0") for name, data in streams.items()}
    fat, sectors = [_FAT, _END], b""  # sector 0 is the table itself, sector 1 the directory
    entries = [_entry("Root Entry", 5, 1 if contents else _NONE, _END, 0)]
    for place, (name, data) in enumerate(contents.items(), 1):
        start, count = len(fat), -(-len(data) // _SECTOR)
        fat += [*range(start + 1, start + count), _END]
        sectors += data.ljust(count * _SECTOR, b"\0")
        following = place + 1 if place < len(contents) else _NONE
        entries.append(_entry(name, 2, _NONE, start, len(data), following))
    directory = b"".join(entries).ljust(_SECTOR, b"\0")
    table = struct.pack("<128I", *fat, *[_FREE] * (128 - len(fat)))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, _LEAST, _END, 0, _END, 0)
    header += struct.pack("<I", 0) + b"\xff" * 4 * 108
    return header + table + directory + sectors


def _entry(name: str, kind: int, child: int, start: int, size: int, following: int = _NONE) -> bytes:
    text = name.encode("utf-16-le")
    return (
        text.ljust(64, b"\0")
        + struct.pack("<HBB", len(text) + 2, kind, 1)
        + struct.pack("<III", _NONE, following, child)
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )
