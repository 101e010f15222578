"""Hostile documents through the hub's encoder, one after another, each in a process of its own.

Part of `make bench BENCH=event_hub`. The encoder needs libraries that are not among the peers', so it runs in
the environment of the tools.
"""

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from bench.harness import ROOT
from datagen.hostile_documents import FETCHING, REFUSED, UNSAFE_KEYS
from datagen.office import docx, paragraphs

__all__ = ["Answer", "answers", "refused_keys"]

PYTHON = ROOT / ".venv/tools/bin/python"
_ENCODE = """
import json, resource, sys, time
from pathlib import Path
from bench.harness import peak_memory_mb
from event_hub.documents.encoding import encoded
from event_hub.documents.errors import RefusedError
document = Path(sys.argv[1]).read_bytes()
started = time.perf_counter()
try:
    encoded(document, sys.argv[2])
    answer = "PDF"
except RefusedError as refused:
    answer = str(refused)
seconds = time.perf_counter() - started
children = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu = children.ru_utime + children.ru_stime
own = peak_memory_mb()  # not `ru_maxrss`, into which Linux counts the parent's
print(json.dumps([answer, seconds, cpu, max(children.ru_maxrss / 1024, own)]))
"""
_KEYS = """
import json, sys
from event_hub.documents.errors import RefusedError
from event_hub.documents.storage import output_key
refused = 0
for key in json.loads(sys.argv[1]):
    try:
        output_key("pdf", key)
    except RefusedError:
        refused += 1
print(refused)
"""


class Answer(NamedTuple):
    """What came of a document.

    Attributes:
        name: What it does.
        answer: `PDF`, or the reason with which it was refused.
        seconds: Until the answer.
        cpu: Seconds of LibreOffice's.
        megabytes: Resident, at most, of the largest process; 2^20 bytes.
        fetches: Requests that came to the address in it.
        files: That were left behind.
    """

    name: str
    answer: str
    seconds: float
    cpu: float
    megabytes: float
    fetches: int
    files: int


class _Listener(ThreadingHTTPServer):
    """Counts who comes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked = 0


class _Handler(BaseHTTPRequestHandler):
    server: _Listener

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_error(404)

    do_HEAD = do_OPTIONS = do_PROPFIND = do_POST = do_GET  # noqa: N815 - names of the base class

    def log_message(self, *_: object) -> None:
        pass


def answers() -> Iterator[Answer]:
    """What comes of each: first of a usual document, then of the hostile ones."""
    with _Listener() as listener, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{listener.server_port}"
        usual = docx(paragraphs(*(f"Line {number}" for number in range(100))))
        yield _answer("usual", usual, "a.docx", Path(folder), listener)
        for name, (key, make) in FETCHING.items():
            yield _answer(name, make(base), key, Path(folder), listener)
        for name, (made, _) in REFUSED.items():
            yield _answer(name, made(), "a.docx", Path(folder), listener)
        listener.shutdown()


def refused_keys() -> int:
    """How many of the unsafe keys are refused."""
    return int(_run(_KEYS, json.dumps(UNSAFE_KEYS)))


def _answer(name: str, document: bytes, key: str, folder: Path, listener: _Listener) -> Answer:
    scratch, original = folder / "scratch", folder / "original"
    scratch.mkdir(exist_ok=True)
    original.write_bytes(document)
    before = listener.asked
    where = {"TMPDIR": str(scratch), "HOME": str(folder / "home")}
    answer, seconds, cpu, megabytes = json.loads(_run(_ENCODE, str(original), key, where=where))
    left = [path for path in folder.rglob("*") if path not in (scratch, original)]
    return Answer(name, answer, seconds, cpu, megabytes, listener.asked - before, len(left))


def _run(code: str, *arguments: str, where: Mapping[str, str] | None = None) -> str:
    """Run code in the environment of the tools; the last line that it prints."""
    paths = os.pathsep.join(str(ROOT / path) for path in (".", "layers/shared", "functions/event_hub"))
    # Bytecode beside our own sources would change what `sam build` hashes.
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"} | dict(where or {})
    command = [str(PYTHON), "-c", code, *arguments]
    child = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return child.stdout.splitlines()[-1]
