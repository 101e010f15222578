"""What a document is by its content, and what is refused before anything reads it."""

import zipfile
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen import office
from datagen.office import archive, compound, docx, odt, paragraphs, rtf
from event_hub.documents.errors import Reason, RefusedError
from event_hub.documents.formats import Format, recognise, text_of

WORD = compound({"WordDocument": b"\xec\xa5" + bytes(100)})
GOOD: dict[str, tuple[bytes, Format]] = {
    "a.docx": (docx(paragraphs("Zoë")), "docx"),
    "b.doc": (WORD, "doc"),
    "c.odt": (odt("<text:p>x</text:p>"), "odt"),
    "d.rtf": (rtf("x"), "rtf"),
    "e.txt": (b"plain", "txt"),
    "2026/f.DOCX": (docx(paragraphs("x")), "docx"),
    "renamed.doc": (docx(paragraphs("x")), "docx"),
    "renamed2.doc": (rtf("x"), "rtf"),
    "renamed.docx": (WORD, "doc"),
}


def reason(data: bytes, key: str) -> Reason:
    with pytest.raises(RefusedError) as refused:
        recognise(data, key)
    return refused.value.reason


@pytest.mark.parametrize("key", GOOD)
def test_format_is_found_by_content(key: str) -> None:
    data, form = GOOD[key]
    assert recognise(data, key) == form


PAGE = "<html><body><img src='http://127.0.0.1/x.png'></body></html>"


@pytest.mark.parametrize("key", ["a.docx", "a.doc", "a.odt", "a.rtf", "a.txt"])
@pytest.mark.parametrize(
    "page",
    [
        PAGE,
        "\n \t" + PAGE.upper(),
        "<!DOCTYPE html>" + PAGE,
        "<!-- x --> " + PAGE,
        '<?xml version="1.0"?>\n' + PAGE,
        "<img src=x>",
        "<iframe src=x>",
        "\ufeff" + PAGE,
    ],
)
def test_html_is_refused_under_any_name(page: str, key: str) -> None:
    assert reason(page.encode(), key) == "html"


def test_html_in_utf_16_is_refused() -> None:
    assert reason(PAGE.encode("utf-16"), "a.txt") == "html"


@pytest.mark.parametrize(
    "text", ["a < b", "<3", "<html-like words> are text", "1 <!-- 2", "<anna@example.org>"]
)
def test_text_that_only_looks_like_html_is_text(text: str) -> None:
    assert recognise(text.encode(), "a.txt") == "txt"


@pytest.mark.parametrize(
    "key", ["a.pdf", "a.html", "a.docm", "a.dotx", "a.exe", "a", "docx", ".docx", "a.docx.zip"]
)
def test_other_endings_are_refused(key: str) -> None:
    assert reason(docx(paragraphs("x")), key) == "format_not_supported"


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b" \r\n\t"])
@pytest.mark.parametrize("key", ["a.docx", "a.txt"])
def test_nothing_is_refused(data: bytes, key: str) -> None:
    assert reason(data, key) == "empty"


def _encrypted_archive() -> bytes:
    made = bytearray(docx(paragraphs("x")))
    place = made.index(b"PK\x01\x02")
    made[place + 8] |= 1
    return bytes(made)


@pytest.mark.parametrize(
    ("data", "key", "why"),
    [
        (docx(paragraphs("x"), macros=True), "a.docx", "macros"),
        (docx(paragraphs("x"), parts={"word/vbaProject.bin": b"x"}), "a.docx", "macros"),
        (archive({"[Content_Types].xml": "<Types>word.document.macroEnabled</Types>"}), "a.docx", "macros"),
        (odt("", parts={"Basic/Standard/Module1.xml": "<x/>"}), "a.odt", "macros"),
        (odt("", parts={"Scripts/python/x.py": "x"}), "a.odt", "macros"),
        (compound({"Macros": b"x", "WordDocument": b"\xec\xa5" + bytes(100)}), "a.doc", "macros"),
        (compound({"EncryptedPackage": b"x", "EncryptionInfo": b"x"}), "a.docx", "encrypted"),
        (compound({"WordDocument": b"\xec\xa5" + bytes(9) + b"\x01" + bytes(50)}), "a.doc", "encrypted"),
        (odt("", entry="<manifest:encryption-data/>"), "a.odt", "encrypted"),
        (_encrypted_archive(), "a.docx", "encrypted"),
        (compound({"Workbook": b"x"}), "a.doc", "content_differs_from_name"),
        (archive({"mimetype": "application/epub+zip"}), "a.odt", "content_differs_from_name"),
        (archive({"[Content_Types].xml": "<Types/>"}), "a.docx", "content_differs_from_name"),
        (b"plain", "a.docx", "content_differs_from_name"),
        (b"\x89PNG\r\n\x1a\n\0", "a.txt", "content_differs_from_name"),
        (GOOD["c.odt"][0], "a.docx", "content_differs_from_name"),
        (WORD, "a.txt", "content_differs_from_name"),
        (GOOD["a.docx"][0][:300], "a.docx", "broken"),
        (b"PK\x03\x04" + b"x" * 100, "a.docx", "broken"),
        (archive({"word/document.xml": "x"}), "a.docx", "broken"),
        (archive({"mimetype": "application/vnd.oasis.opendocument.text"}), "a.odt", "broken"),
        (docx(paragraphs("x"), parts={"../../evil": "x"}), "a.docx", "broken"),
        (docx(paragraphs("x"), parts={"/etc/evil": "x"}), "a.docx", "broken"),
        (docx(paragraphs("x"), parts={"a\\..\\..\\evil": "x"}), "a.docx", "broken"),
        (WORD[:600], "a.doc", "broken"),
        (compound({"WordDocument": b"xx"}), "a.doc", "broken"),
    ],
)  # fmt: skip
def test_what_should_not_be_read_is_refused(data: bytes, key: str, why: str) -> None:
    assert reason(data, key) == why


def test_two_parts_of_one_name_are_refused() -> None:
    made = BytesIO(docx(paragraphs("x")))
    with zipfile.ZipFile(made, "a") as archived, pytest.warns(UserWarning, match="Duplicate"):
        archived.writestr("word/document.xml", "another")
    assert reason(made.getvalue(), "a.docx") == "broken"


NUMBERS = " ".join(map(str, range(1_000_000))).encode()  # 6.9 MB, packed three times


@pytest.mark.parametrize(
    "parts",
    [
        {"word/media/a.png": b"\0" * 20_000_000},  # packed a thousand times
        dict.fromkeys((f"word/{number}.xml" for number in range(6)), NUMBERS),  # 41 MB of markup
        {f"word/{number}": b"" for number in range(5_001)},
        {"[Content_Types].xml": NUMBERS[:1_500_000]},
    ],
    ids=["ratio", "markup", "parts", "types"],
)
def test_archive_bomb_is_refused_unopened(parts: dict[str, bytes]) -> None:
    bomb = archive(parts) if "[Content_Types].xml" in parts else docx(paragraphs("x"), parts=parts)
    assert reason(bomb, "a.docx") == "archive_bomb"


def test_document_of_the_size_of_a_book_is_not_a_bomb() -> None:
    book = docx(paragraphs(*(f"{number}: It was the best of times." for number in range(20_000))))
    assert recognise(book, "book.docx") == "docx"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Zoë".encode(), "Zoë"),
        ("Zoë".encode("utf-8-sig"), "Zoë"),
        ("Zoë".encode("utf-16"), "Zoë"),
        ("“Zoë” €".encode("cp1252"), "“Zoë” €"),
    ],
)
def test_text_is_read_in_the_encodings_of_windows(data: bytes, text: str) -> None:
    assert text_of(data) == text


@given(
    st.sampled_from([*GOOD]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=20),
    st.floats(0.1, 1),
)
def test_damaged_document_is_read_or_refused_by_name(
    key: str, changes: list[tuple[float, int]], share: float
) -> None:
    data = bytearray(GOOD[key][0])
    for place, byte in changes:
        data[int(place * len(data))] = byte
    with suppress(RefusedError):
        assert recognise(bytes(data[: int(share * len(data))]), key) in {"doc", "docx", "odt", "rtf", "txt"}


def test_damage_inside_of_a_packed_part_is_a_refusal() -> None:
    data = bytearray(docx(paragraphs("x")))
    place = data.index(b"[Content_Types].xml") + 19
    data[place : place + 40] = bytes(range(200, 240))
    assert reason(bytes(data), "a.docx") == "broken"


def test_recorded_compound_file_is_one() -> None:
    """The builder's own check, by another reader's rules: sectors of 512 bytes, the header's magic."""
    made = office.compound({"WordDocument": b"x"})
    assert made.startswith(b"\xd0\xcf\x11\xe0")
    assert len(made) % 512 == 0
