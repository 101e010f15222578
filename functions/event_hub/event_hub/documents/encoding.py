"""A document as PDF, by whatever is installed."""

from aws_lambda_powertools.logging import Logger

from . import libreoffice, pdf, plain_text
from .errors import RefusedError
from .formats import Format, recognise, text_of

__all__ = ["encoded"]

logger = Logger()


def encoded(original: bytes, key: str) -> bytes:
    """A document as PDF.

    Args:
        original: The document.
        key: Its key; only the ending counts.

    Raises:
        RefusedError: There will be no PDF of it.
    """
    form = recognise(original, key)
    made = _encoded(original, form)
    pages = pdf.pages_of(made)
    logger.info("encoded", format=form, original_bytes=len(original), pdf_bytes=len(made), pages=pages)
    return made


def _encoded(original: bytes, form: Format) -> bytes:
    soffice = libreoffice.program()
    if form == "txt":
        text = text_of(original)
        return libreoffice.encode(soffice, text.encode(), form) if soffice else plain_text.encode(text)
    if soffice is None:
        raise RefusedError("needs_libreoffice")
    return libreoffice.encode(soffice, original, form)
