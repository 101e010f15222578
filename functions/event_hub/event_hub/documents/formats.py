"""What a document is, by its content: the ending of its key is what somebody says.

LibreOffice guesses by the content, too, and would load HTML under any name, with all that it links to. So a
document is looked at here first, and LibreOffice is told which filter to use.
"""

import lzma
import re
import struct
import zipfile
import zlib
from io import BytesIO
from pathlib import PurePosixPath
from typing import Literal, get_args

import olefile

from .errors import RefusedError

__all__ = ["Format", "recognise", "text_of"]

type Format = Literal["doc", "docx", "odt", "rtf", "txt"]

_FORMATS: frozenset[str] = frozenset(get_args(Format.__value__))
# What Word itself saves, and people rename.
_ALSO = {("doc", "docx"), ("doc", "rtf"), ("docx", "doc"), ("rtf", "doc"), ("rtf", "docx")}

MAX_ENTRIES = 5_000
"""Parts of an archive; a book of a thousand pictures has half as many."""
MAX_UNPACKED = 200_000_000
"""Bytes of all parts."""
MAX_MARKUP = 32_000_000
"""Bytes of those that are parsed: LibreOffice takes some forty times as much memory."""
MAX_RATIO = 100
"""Of a part's bytes to its packed ones; Word's own markup has 10 to 40."""
# What zipfile raises of an archive that is none: nothing is said of it but BadZipFile.
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError, EOFError, OSError,
    ValueError, KeyError,
)  # fmt: skip
_SMALL = 1_000_000  # bytes that may be packed as well as they like
_MARKUP = (".xml", ".rels", ".rdf", ".xhtml", ".html", ".htm", ".svg")

_ZIP, _OLE, _RTF = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rt"
_TAGS = (
    r"!doctype\s+html|html|head|body|meta|base|title|script|style|link|iframe|frameset|object|embed|img|svg"
    r"|div|table|font|h1|p|a|b|br"
)
# What browsers go by, and what else begins with a tag of HTML:
# https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type
_HTML = re.compile(rf"<!--|<(?:{_TAGS})[\s/>]", re.IGNORECASE)
_LOOKED_AT = 8_192
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_DOCX = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_ODT = b"application/vnd.oasis.opendocument.text"
_FIB_MAGIC = b"\xec\xa5"
_FIB_ENCRYPTED = (
    0x01  # of the byte behind: https://learn.microsoft.com/openspecs/office_file_formats/ms-doc (FibBase)
)


def recognise(data: bytes, key: str) -> Format:
    """The format of a document that may be read.

    Args:
        data: The whole document.
        key: Its key, whose ending has to agree.

    Raises:
        RefusedError: It is none that is read, or one that should not be.
    """
    ending = PurePosixPath(key).suffix.lower().removeprefix(".")
    if ending not in _FORMATS:
        raise RefusedError("format_not_supported")
    if not data.strip(b"\x00 \t\r\n"):
        raise RefusedError("empty")
    found = _by_content(data)
    if found != ending and (ending, found) not in _ALSO:
        raise RefusedError("content_differs_from_name")
    return found


def _by_content(data: bytes) -> Format:
    if data.startswith(_ZIP):
        return _archive(data)
    if data.startswith(_OLE):
        return _compound(data)
    if data.startswith(_RTF):
        return "rtf"
    text = text_of(data)
    if _is_html(text[:_LOOKED_AT]):
        raise RefusedError("html")
    return "txt"


def _is_html(text: str) -> bool:
    rest = text.lstrip()
    while rest.startswith("<?"):  # XHTML
        rest = rest.partition("?>")[2].lstrip()
    return _HTML.match(rest) is not None


def text_of(data: bytes) -> str:
    """The characters of a text: UTF-8, UTF-16 with a byte order mark, or else Windows-1252.

    Raises:
        RefusedError: It is no text.
    """
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _CONTROL.search(text):
            return text
    raise RefusedError("content_differs_from_name")


def _archive(data: bytes) -> Format:
    """A document that is a ZIP archive; of its parts only those are unpacked that say what it is."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            parts = {part.filename: part for part in archive.infolist()}
            _check_parts(archive.infolist())
            if "mimetype" in parts:
                return _open_document(archive, parts)
            return _word_document(archive, parts)
    except _UNREADABLE:
        raise RefusedError("broken") from None


def _check_parts(parts: list[zipfile.ZipInfo]) -> None:
    names = [part.filename for part in parts]
    if len(parts) > MAX_ENTRIES:
        raise RefusedError("archive_bomb")
    if len(set(names)) != len(names) or any(_leaves_folder(name) for name in names):
        raise RefusedError("broken")
    if any(part.flag_bits & 1 for part in parts):
        raise RefusedError("encrypted")
    markup = sum(part.file_size for part in parts if part.filename.lower().endswith(_MARKUP))
    packed = any(part.file_size > max(_SMALL, MAX_RATIO * part.compress_size) for part in parts)
    if packed or markup > MAX_MARKUP or sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise RefusedError("archive_bomb")


def _leaves_folder(name: str) -> bool:
    return name.startswith("/") or ".." in name.replace("\\", "/").split("/")


def _word_document(archive: zipfile.ZipFile, parts: dict[str, zipfile.ZipInfo]) -> Format:
    types = _part(archive, parts, "[Content_Types].xml")
    if b"macroEnabled" in types or any(name.lower().endswith("vbaproject.bin") for name in parts):
        raise RefusedError("macros")
    if _DOCX not in types:
        raise RefusedError("content_differs_from_name")
    return "docx"


def _open_document(archive: zipfile.ZipFile, parts: dict[str, zipfile.ZipInfo]) -> Format:
    if _part(archive, parts, "mimetype").strip() != _ODT:
        raise RefusedError("content_differs_from_name")
    if b"encryption-data" in _part(archive, parts, "META-INF/manifest.xml"):
        raise RefusedError("encrypted")
    if any(name.startswith(("Basic/", "Scripts/")) for name in parts):
        raise RefusedError("macros")
    return "odt"


def _part(archive: zipfile.ZipFile, parts: dict[str, zipfile.ZipInfo], name: str) -> bytes:
    if parts[name].file_size > _SMALL:
        raise RefusedError("archive_bomb")
    return archive.read(name)


def _compound(data: bytes) -> Format:
    """A document of Word 97 to 2003, a file system of its own; so is an encrypted one of later versions."""
    try:
        with olefile.OleFileIO(BytesIO(data)) as files:
            if files.exists("EncryptedPackage"):
                raise RefusedError("encrypted")
            if not files.exists("WordDocument"):
                raise RefusedError("content_differs_from_name")
            header = files.openstream("WordDocument").read(12)
            if not header.startswith(_FIB_MAGIC) or len(header) < 12:
                raise RefusedError("broken")
            if header[11] & _FIB_ENCRYPTED:
                raise RefusedError("encrypted")
            if files.exists("Macros"):
                raise RefusedError("macros")
    except (OSError, ValueError, IndexError, TypeError):
        raise RefusedError("broken") from None
    return "doc"
