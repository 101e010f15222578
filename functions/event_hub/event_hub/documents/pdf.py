"""What came out: pages, and whether there is anything on them."""

import re
from io import BytesIO

from pypdf import PageObject, PdfReader
from pypdf.errors import PyPdfError

from .errors import RefusedError

__all__ = ["MAX_PAGES", "pages_of"]

MAX_PAGES = 2_000
# Operators that paint: pictures, shadings, strokes and fills (ISO 32000-1, annex A). An empty page of
# LibreOffice's clips, and paints nothing.
_PAINTS = re.compile(rb"(?<![\w*])(?:Do|BI|sh|S|s|f\*?|F|B\*?|b\*?)(?![\w*])")


def pages_of(pdf: bytes) -> int:
    """The number of pages of a PDF that shows something.

    Raises:
        RefusedError: It is not whole, or has too many. Or there is nothing on them: that is what LibreOffice
            makes of a file without content, and of one whose content it did not understand.
    """
    try:
        pages = PdfReader(BytesIO(pdf)).pages
        if len(pages) > MAX_PAGES:
            raise RefusedError("too_many_pages")
        if not any(_shows_something(page) for page in pages):
            raise RefusedError("blank")
        return len(pages)
    except PyPdfError:  # the file ends where it may have no more bytes
        raise RefusedError("encoder_exceeded_a_limit") from None


def _shows_something(page: PageObject) -> bool:
    contents = page.get_contents()
    return contents is not None and bool(page.extract_text().strip() or _PAINTS.search(contents.get_data()))
