"""Text as PDF without LibreOffice, and what is said of a PDF."""

from io import BytesIO

import pytest
from fpdf import FPDF
from pypdf import PdfReader

from event_hub.documents import pdf, plain_text
from event_hub.documents.errors import RefusedError


def pages(made: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(BytesIO(made)).pages]


def test_text_becomes_a_pdf_with_that_text() -> None:
    text = "Zoë & Co.\r\n\tПривет, Ελλάδα €\n\nthe end"
    [page] = pages(plain_text.encode(text))
    assert [line.strip() for line in page.splitlines() if line.strip()] == [
        "Zoë & Co.",
        "Привет, Ελλάδα €",
        "the end",
    ]


def test_long_text_has_several_pages_with_all_of_it() -> None:
    made = plain_text.encode("\n".join(f"line {number}" for number in range(200)))
    found = pages(made)
    assert len(found) == pdf.pages_of(made) == 5
    assert " ".join(found).split() == " ".join(f"line {number}" for number in range(200)).split()


@pytest.mark.parametrize(
    ("text", "reason"),
    [("東京", "character_without_glyph"), ("x" * 500_001, "original_too_large")],
)
def test_text_that_cannot_be_shown_is_refused(text: str, reason: str) -> None:
    with pytest.raises(RefusedError) as refused:
        plain_text.encode(text)
    assert refused.value.reason == reason


def test_pdf_without_text_and_pictures_is_blank() -> None:
    made = FPDF()
    made.add_page()
    with pytest.raises(RefusedError, match="blank"):
        pdf.pages_of(bytes(made.output()))


def test_drawing_alone_is_not_blank() -> None:
    made = FPDF()
    made.add_page()
    made.add_page()
    made.line(10, 10, 100, 100)
    assert pdf.pages_of(bytes(made.output())) == 2


def test_pdf_with_too_many_pages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MAX_PAGES", 4)
    with pytest.raises(RefusedError, match="too_many_pages"):
        pdf.pages_of(plain_text.encode("x\n" * 200))


@pytest.mark.parametrize("share", [0, 0.1, 0.5])
def test_pdf_that_is_not_whole_is_refused(share: float) -> None:
    made = plain_text.encode("x\n" * 200)
    with pytest.raises(RefusedError, match="encoder_exceeded_a_limit"):
        pdf.pages_of(made[: int(share * len(made))])
