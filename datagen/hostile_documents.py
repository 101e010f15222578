"""Documents that want the encoder to fetch, to read, to run, or to take all there is."""

import zipfile
from collections.abc import Callable
from io import BytesIO

from datagen.office import docx, docx_with_relationship, odt, paragraphs, picture, rtf

__all__ = ["FETCHING", "REFUSED", "UNSAFE_KEYS", "field", "frame", "link", "section"]


def frame(markup: str) -> str:
    """A frame of OpenDocument, in a paragraph."""
    return (
        '<text:p><draw:frame svg:width="2cm" svg:height="2cm" text:anchor-type="as-char">'
        f"{markup}</draw:frame></text:p>"
    )


def link(name: str, address: str) -> str:
    """An element of OpenDocument that is loaded from an address."""
    return f'<{name} xlink:href="{address}" xlink:type="simple" xlink:show="embed" xlink:actuate="onLoad"/>'


def section(address: str) -> str:
    """A section of OpenDocument whose text is loaded from an address."""
    return (
        f'<text:section text:name="{address[-12:]}"><text:section-source xlink:href="{address}" '
        'xlink:type="simple"/><text:p>old</text:p></text:section>'
    )


def field(instruction: str) -> str:
    """A field of Word."""

    def character(kind: str) -> str:
        return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'

    return (
        f'<w:p>{character("begin")}<w:r><w:instrText xml:space="preserve"> {instruction} </w:instrText></w:r>'
        f"{character('separate')}<w:r><w:t>old</w:t></w:r>{character('end')}</w:p>"
    )


def _everything_linked(base: str) -> bytes:
    """An OpenDocument text with each kind of link that loads by itself."""
    source = link("svg:font-face-uri", f"{base}/z.ttf")
    fonts = (
        '<office:font-face-decls><style:font-face style:name="Z" svg:font-family="Z">'
        f"<svg:font-face-src>{source}</svg:font-face-src></style:font-face></office:font-face-decls>"
    )
    body = "<text:p>text</text:p>" + "".join(
        frame(link(f"draw:{kind}", f"{base}/{kind}"))
        for kind in ("image", "object", "floating-frame", "plugin")
    )
    return odt(body + section(f"{base}/section.html"), before_body=fonts)


_NESTED = "".join(
    f'<manifest:file-entry manifest:full-path="{name}" manifest:media-type="{kind}"/>'
    for name, kind in (
        ("Object 1/", "application/vnd.oasis.opendocument.text"),
        ("Object 1/content.xml", "text/xml"),
    )
)


def _nested(base: str) -> bytes:
    """A document inside of a document, which has the link."""
    with zipfile.ZipFile(BytesIO(odt(frame(link("draw:image", f"{base}/x.png"))))) as inner:
        content = inner.read("content.xml")
    body = "<text:p>text</text:p>" + frame(link("draw:object", "./Object 1"))
    return odt(body, parts={"Object 1/content.xml": content}, entries=_NESTED)


def _drawing(base: str) -> bytes:
    """A drawing inside of a document, which has the links."""
    drawing = (
        f'<?xml-stylesheet href="{base}/x.css"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink"><style>@import url({base}/y.css);</style>'
        f'<image width="9" height="9" xlink:href="{base}/x.png"/><use xlink:href="{base}/x.svg#a"/></svg>'
    )
    entry = '<manifest:file-entry manifest:full-path="x.svg" manifest:media-type="image/svg+xml"/>'
    body = "<text:p>text</text:p>" + frame(link("draw:image", "x.svg"))
    return odt(body, parts={"x.svg": drawing}, entries=entry)


def _scripts(_base: str) -> bytes:
    listener = (
        '<office:scripts><office:event-listeners><script:event-listener script:language="ooo:script" '
        'script:event-name="dom:load" xlink:type="simple" xlink:href="vnd.sun.star.script:Standard.Module1'
        '.Main?language=Basic&amp;location=document"/></office:event-listeners></office:scripts>'
    )
    return odt("<text:p>text</text:p>", before_body=listener)


FETCHING: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "picture": (
        "a.docx",
        lambda base: docx_with_relationship("image", f"{base}/x.png", paragraphs("text") + picture("rId9")),
    ),
    "foreign text": (
        "a.docx",
        lambda base: docx_with_relationship(
            "aFChunk", f"{base}/x.html", paragraphs("text") + '<w:altChunk r:id="rId9"/>'
        ),
    ),
    "template": (
        "a.docx",
        lambda base: docx_with_relationship("attachedTemplate", f"{base}/x.dotm", paragraphs("text")),
    ),
    "fields": (
        "a.docx",
        lambda base: docx(
            paragraphs("text")
            + field(f'INCLUDEPICTURE "{base}/x.png" \\* MERGEFORMAT')
            + field(f'INCLUDETEXT "{base}/x.txt"')
            + field(f'LINK Word.Document.8 "{base}/x.doc" "" \\a')
            + field("DDEAUTO c:\\\\windows\\\\system32\\\\cmd.exe")
        ),
    ),
    "OpenDocument": ("a.odt", _everything_linked),
    "object": ("a.odt", _nested),
    "drawing": ("a.odt", _drawing),
    "script": ("a.odt", _scripts),
    "rich text": (
        "a.rtf",
        lambda base: rtf(
            "text {\\*\\template " + base + "/x.dot}"
            '{\\field{\\*\\fldinst INCLUDEPICTURE "' + base + '/x.png" \\\\d}{\\fldrslt y}}'
        ),
    ),
}  # fmt: skip
"""Documents that link to an address, by what they do it with: a key, and what makes one for an address."""

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "truncated": (lambda: docx(paragraphs("text"))[:-200], "broken"),
    "unclosed": (lambda: docx("<w:p><w:r>"), "broken"),
    "blank": (lambda: docx(paragraphs()), "blank"),
    "blanks": (lambda: docx(paragraphs("", " ")), "blank"),
    "nothing": (lambda: b"", "empty"),
    "macros": (lambda: docx(paragraphs("text"), macros=True), "macros"),
    "HTML": (lambda: b'<html><body><img src="http://127.0.0.1:9/x.png"></body></html>', "html"),
    "bomb": (lambda: docx(f"<w:p><w:r><w:t>{'A' * 200_000_000}</w:t></w:r></w:p>"), "archive_bomb"),
}
"""Documents named `a.docx` of which there is no PDF: what makes one, and the reason."""

UNSAFE_KEYS = (
    "../a.txt",
    "x/../../a.txt",
    "/etc/a.txt",
    "x//a.txt",
    "x\\..\\a.txt",
    "x/./a.txt",
    "x\n/a.txt",
)
"""Keys that could lead out of a folder, where somebody copies the bucket to disk."""
