"""Documents that want the encoder to fetch, to read, to run, or to take all there is.

No engine: LibreOffice itself, and a server that counts who comes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import psutil
import pytest
from PIL import Image
from pypdf import PdfReader

from datagen.hostile_documents import FETCHING, REFUSED, field, frame, link, section
from datagen.office import docx, docx_with_relationship, odt, paragraphs, picture, rtf
from event_hub.documents import libreoffice
from event_hub.documents.encoding import encoded
from event_hub.documents.errors import RefusedError
from event_hub.documents.no_network import no_network

SECRET = "TOPSECRET"


class Counting(ThreadingHTTPServer):
    """Remembers every request; `base` is its address."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.base = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Counting

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        self.send_error(404)

    do_HEAD = do_OPTIONS = do_PROPFIND = do_POST = do_GET  # noqa: N815  # names of the base class

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Counting]:
    with Counting() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture(scope="module", autouse=True)
def _libreoffice() -> None:
    if libreoffice.program() is None:
        pytest.skip("no LibreOffice: 'apt install libreoffice-writer-nogui' gets it")


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are made, with secrets beside it."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    (tmp_path / "secret.txt").write_text(SECRET)
    Image.new("RGB", (40, 40), "red").save(tmp_path / "secret.png")
    return folder


def _word_97(base: str) -> bytes:
    linked = docx_with_relationship("image", f"{base}/x.png", paragraphs("text") + picture("rId9"))
    with tempfile.TemporaryDirectory() as folder:
        return _as_doc(linked, Path(folder))


LINKING = FETCHING | {"Word 97": ("a.doc", _word_97)}


@pytest.mark.parametrize("name", LINKING)
def test_document_that_links_to_the_network_is_encoded_without_it(
    server: Counting, scratch: Path, name: str
) -> None:
    key, make = LINKING[name]
    document = make(server.base)
    server.asked.clear()  # what was asked for while the document was made
    made = PdfReader(BytesIO(encoded(document, key)))
    assert "text" in made.pages[0].extract_text()
    assert server.asked == []
    assert list(scratch.iterdir()) == []
    assert not (scratch.parent / "home").exists()


@pytest.mark.parametrize(
    ("name", "blocking"), [("picture", False), ("OpenDocument", False), ("object", True), ("Word 97", True)]
)
def test_with_a_network_libreoffice_would_fetch(
    server: Counting, monkeypatch: pytest.MonkeyPatch, name: str, blocking: bool
) -> None:
    """The test above would see it. The profile alone does not stop all."""
    monkeypatch.setattr(libreoffice, "no_network", lambda: lambda: None)
    if not blocking:
        trusting = libreoffice._PROFILE.replace("<value>true</value>", "<value>false</value>", 1)
        monkeypatch.setattr(libreoffice, "_PROFILE", trusting)
    key, make = LINKING[name]
    document = make(server.base)
    server.asked.clear()
    encoded(document, key)
    assert server.asked


def test_profile_blocks_links_where_there_is_a_network(
    server: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libreoffice, "no_network", lambda: lambda: None)
    key, make = LINKING["picture"]
    encoded(make(server.base), key)
    assert server.asked == []


SOCKETS = """
import ctypes, socket, subprocess, sys
for family in ("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK"):
    try:
        socket.socket(getattr(socket, family)).close()
        print(family, "yes")
    except PermissionError:
        print(family, "no")
print("io_uring", "yes" if ctypes.CDLL(None).syscall(425, 8, ctypes.create_string_buffer(120)) >= 0 else "no")
if len(sys.argv) == 1:
    subprocess.run([sys.executable, __file__, "child"], check=True)
"""


def test_process_without_network_has_files_sockets_alone(tmp_path: Path) -> None:
    script = tmp_path / "sockets.py"
    script.write_text(SOCKETS)
    run = subprocess.run(
        [sys.executable, str(script)], preexec_fn=no_network(), capture_output=True, text=True, check=True
    )
    refused = ["AF_INET no", "AF_INET6 no", "AF_NETLINK no", "AF_PACKET no", "AF_VSOCK no", "io_uring no"]
    assert run.stdout.splitlines() == ["AF_UNIX yes", *refused] * 2  # and in its child


@pytest.mark.parametrize("key", ["a.docx", "a.doc", "a.odt", "a.rtf", "a.txt"])
def test_html_under_any_name_is_refused_and_nothing_fetched(server: Counting, key: str) -> None:
    with pytest.raises(RefusedError, match="html"):
        encoded(f'<html><body><img src="{server.base}/x.png"></body></html>'.encode(), key)
    assert server.asked == []


@pytest.mark.parametrize("kind", ["odt", "docx"])
def test_files_of_the_machine_do_not_get_into_the_pdf(scratch: Path, kind: str) -> None:
    image, text = ((scratch.parent / f"secret.{end}").as_uri() for end in ("png", "txt"))
    environment = "file:///proc/self/environ"
    if kind == "odt":
        links = frame(link("draw:image", image)) + section(text) + section(environment)
        document = odt("<text:p>text</text:p>" + links)
    else:
        body = paragraphs("text") + picture("rId9") + field(f'INCLUDETEXT "{text}"')
        document = docx_with_relationship("image", image, body)
    [page] = PdfReader(BytesIO(encoded(document, f"a.{kind}"))).pages
    assert "text" in page.extract_text()
    assert SECRET not in page.extract_text()
    assert len(page.images) == 0


def test_entities_of_a_document_are_not_resolved(server: Counting, scratch: Path) -> None:
    secret = (scratch.parent / "secret.txt").as_uri()
    doctype = f'<!DOCTYPE w [<!ENTITY e SYSTEM "{secret}"><!ENTITY % q SYSTEM "{server.base}/x.dtd"> %q;]>'
    with pytest.raises(RefusedError, match="broken"):
        encoded(docx("<w:p><w:r><w:t>text &e;</w:t></w:r></w:p>", doctype=doctype), "a.docx")
    assert server.asked == []


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_document_is_answered_at_once(name: str, scratch: Path) -> None:
    make, reason = REFUSED[name]
    document = make()
    started = time.monotonic()
    with pytest.raises(RefusedError, match=reason):
        encoded(document, "a.docx")
    assert time.monotonic() - started < 30
    assert list(scratch.iterdir()) == []


def test_document_that_takes_too_much_memory_ends(monkeypatch: pytest.MonkeyPatch, scratch: Path) -> None:
    monkeypatch.setattr(libreoffice, "MAX_MEMORY_BYTES", 1_000 * 2**20)
    document = docx(paragraphs(*(f"{number}" for number in range(700_000))))
    # LibreOffice aborts, or says that it cannot read the file.
    with pytest.raises(RefusedError, match=r"encoder_exceeded_a_limit|broken"):
        encoded(document, "a.docx")
    assert list(scratch.iterdir()) == []


def test_time_out_ends_every_process(monkeypatch: pytest.MonkeyPatch, scratch: Path) -> None:
    soffice = libreoffice.program()
    assert soffice
    sockets: list[Path] = []
    named = libreoffice._socket

    def socket(profile: str) -> Path:
        sockets.append(named(profile))
        assert sockets[-1].is_socket()  # it is called by this name
        return sockets[-1]

    monkeypatch.setattr(libreoffice, "_socket", socket)
    document = docx(paragraphs(*(f"{number}" for number in range(400_000))))
    with pytest.raises(RefusedError, match="encoder_timed_out"):
        libreoffice.encode(soffice, document, "docx", timeout=5)
    left = [each.pid for each in psutil.process_iter() if str(scratch) in " ".join(_command(each))]
    assert left == []
    assert list(scratch.iterdir()) == []
    assert [path for path in sockets if not path.exists()] == sockets != []


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_encoder_knows_nothing_of_the_function(tmp_path: Path) -> None:
    """A program in LibreOffice's place writes down what it gets."""
    spy = tmp_path / "spy"
    spy.write_text("#!/bin/sh\nmkdir pdf\n{ env; ulimit -v; ulimit -c; } > pdf/document.pdf\n")
    spy.chmod(0o755)
    seen = libreoffice.encode(str(spy), b"x", "txt").decode()
    assert SECRET not in seen
    assert "AWS_" not in seen
    assert "LAMBDA" not in seen
    assert seen.splitlines()[-2:] == [str(libreoffice.MAX_MEMORY_BYTES // 1024), "0"]


@pytest.mark.parametrize("form", ["docx", "doc", "odt", "rtf", "txt"])
def test_usual_document_becomes_a_pdf_with_its_text(form: str, tmp_path: Path) -> None:
    lines = [f"Zeile {number}: Zoë" for number in range(100)]
    source: dict[str, Callable[[], bytes]] = {
        "docx": lambda: docx(paragraphs(*lines)),
        "doc": lambda: _as_doc(docx(paragraphs(*lines)), tmp_path),
        "odt": lambda: odt("".join(f"<text:p>{line}</text:p>" for line in lines)),
        "rtf": lambda: rtf("\\par ".join(line.replace("ë", "\\'eb") for line in lines)),
        "txt": lambda: "\n".join(lines).encode("cp1252"),
    }
    made = PdfReader(BytesIO(encoded(source[form](), f"a.{form}")))
    assert len(made.pages) in (2, 3)
    assert " ".join(page.extract_text() for page in made.pages).split() == " ".join(lines).split()


def _as_doc(document: bytes, folder: Path) -> bytes:
    """A document in the format of Word 97, which LibreOffice writes."""
    (folder / "a.docx").write_bytes(document)
    soffice = shutil.which("soffice")
    assert soffice
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = [soffice, profile, "--headless", "--convert-to", "doc:MS Word 97", "--outdir", str(folder)]
    environment = os.environ | {"HOME": str(folder)}
    subprocess.run(
        [*command, str(folder / "a.docx")], env=environment, check=True, capture_output=True, timeout=60
    )
    return (folder / "a.doc").read_bytes()


def test_two_at_once_do_not_disturb_each_other() -> None:
    documents = {name: docx(paragraphs(name * 3)) for name in ("one", "two", "three")}
    found: dict[str, str] = {}

    def encode(name: str) -> None:
        found[name] = PdfReader(BytesIO(encoded(documents[name], "a.docx"))).pages[0].extract_text().strip()

    threads = [threading.Thread(target=encode, args=(name,)) for name in documents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {name: name * 3 for name in documents}
