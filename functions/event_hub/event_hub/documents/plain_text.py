"""Text as PDF, where LibreOffice is not installed: what Noto Sans has, which is Latin, Greek and Cyrillic."""

from importlib.resources import as_file, files
from typing import cast

from fpdf import FPDF
from fpdf.fonts import TTFFont

from .errors import RefusedError

__all__ = ["encode"]

MAX_CHARACTERS = 500_000
"""Some 170 pages, and as many tenths of a second."""
_FONT = "NotoSans[wdth,wght].ttf"
_SIZE_PT, _LINE_MM = 11, 5.5


def encode(text: str) -> bytes:
    """A text as PDF: A4, one column, lines are broken at blanks.

    Raises:
        RefusedError: It is too long, or the font lacks one of its characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise RefusedError("original_too_large")
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n").replace("\t", "    ")
    pdf = FPDF(format="A4")
    with as_file(files("fontpkg_noto_sans") / "files" / _FONT) as font:
        pdf.add_font("body", fname=font)
    body = cast("TTFFont", pdf.fonts["body"])
    try:
        return _set(pdf, body, text)
    finally:
        body.ttfont.close()


def _set(pdf: FPDF, body: TTFFont, text: str) -> bytes:
    if any(ord(character) not in body.cmap for character in set(text) - {"\n"}):
        raise RefusedError("character_without_glyph")
    pdf.set_font("body", size=_SIZE_PT)
    pdf.add_page()
    pdf.multi_cell(0, _LINE_MM, text, align="L")
    return bytes(pdf.output())
