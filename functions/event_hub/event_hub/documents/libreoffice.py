"""LibreOffice, once for each document: a fresh profile, no credentials, limits, and a process group to kill.

What is known of it (7.4, measured): a document that links to a picture or an object has it fetch the
address, or read the file, while it loads. `BlockUntrustedRefererLinks` in the profile stops that, but not in
an object inside of the document, nor in Word's old format: so it has no network, either. A document that it
cannot read ends with status 0 and no PDF. Two processes on one profile disturb each other. On a fresh profile
it starts twice, which the program `soffice` does by itself, and takes a second in all.
"""

import hashlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .errors import RefusedError
from .formats import Format
from .no_network import is_supported, no_network

__all__ = ["MAX_MEMORY_BYTES", "MAX_PDF_BYTES", "TIMEOUT_S", "encode", "program"]

TIMEOUT_S = 60.0
"""A usual document takes a second, a book of a thousand pages some twenty."""
MAX_MEMORY_BYTES = 1_500 * 2**20
"""Address space of each of its processes. A usual document needs 700 MB of it, of which 210 MB are used."""
MAX_PDF_BYTES = 50 * 2**20
"""The largest file that it may write."""

_FILTERS: dict[Format, str] = {
    "doc": "MS Word 97",
    "docx": "MS Word 2007 XML",
    "odt": "writer8",
    "rtf": "Rich Text Format",
    "txt": "Text (encoded):UTF8",
}
_PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Common/Security/Scripting">
<prop oor:name="BlockUntrustedRefererLinks" oor:op="fuse"><value>true</value></prop>
<prop oor:name="DisableMacrosExecution" oor:op="fuse"><value>true</value></prop>
<prop oor:name="MacroSecurityLevel" oor:op="fuse"><value>3</value></prop>
</item>
</oor:items>
"""


def program() -> str | None:
    """Where LibreOffice is; None if it is not installed, or the network could not be taken from it."""
    return shutil.which("soffice") if is_supported() else None


def encode(soffice: str, data: bytes, form: Format, *, timeout: float = TIMEOUT_S) -> bytes:
    """A document as PDF.

    Args:
        soffice: Where LibreOffice is.
        data: The document; if it is text, in UTF-8.
        form: What it is.
        timeout: Seconds after which all its processes are killed.

    Raises:
        RefusedError: It cannot be read, or takes more than it may.
    """
    with tempfile.TemporaryDirectory(prefix="document-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        original = home / f"document.{form}"  # never by the name that somebody gave to it
        original.write_bytes(data)
        user = home / "profile/user"
        user.mkdir(parents=True)
        (user / "registrymodifications.xcu").write_text(_PROFILE)
        profile = (home / "profile").as_uri()
        command = [
            soffice,
            f"-env:UserInstallation={profile}",
            "--headless",
            "--norestore",
            "--nolockcheck",
            f"--infilter={_FILTERS[form]}",
            "--convert-to",
            "pdf:writer_pdf_Export",
            "--outdir",
            str(home / "pdf"),
            str(original),
        ]
        try:
            _run(command, home, timeout)
        finally:
            _socket(profile).unlink(missing_ok=True)
        try:
            return (home / "pdf/document.pdf").read_bytes()
        except FileNotFoundError:
            raise RefusedError("broken") from None


def _run(command: list[str], home: Path, timeout: float) -> None:
    process = subprocess.Popen(  # noqa: S603  # no shell, and nothing of the document's in it
        command,
        cwd=home,
        env=_environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_limits(),
    )
    try:
        status = process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise RefusedError("encoder_timed_out") from None
    finally:
        _kill(process)
    if status != 0:
        raise RefusedError("encoder_exceeded_a_limit")


def _environment(home: Path) -> dict[str, str]:
    """No credentials, no endpoint of the runtime: nothing that the function has."""
    return {
        "HOME": str(home),
        "TMPDIR": str(home),
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "SAL_USE_VCLPLUGIN": "svp",
    }


def _limits() -> Callable[[], None]:
    """What the process calls before it becomes LibreOffice."""
    leave_network = no_network()

    def apply() -> None:
        for what, most in (
            (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
            (resource.RLIMIT_FSIZE, MAX_PDF_BYTES),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.setrlimit(what, (most, most))
        leave_network()

    return apply


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the whole group: the program that was started starts others."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _socket(profile: str) -> Path:
    """Where its processes find each other: it stays when they are killed.

    The name has the MD5 of the profile's address in UTF-16, whose bytes are written without leading zeros
    (`CreateMD5FromString` in desktop/source/app/officeipcthread.cxx).
    """
    digest = hashlib.md5(profile.encode("utf-16-le"), usedforsecurity=False).digest()
    name = "".join(f"{byte:x}" for byte in digest)
    return Path(f"/tmp/OSL_PIPE_{os.getuid()}_SingleOfficeIPC_{name}")  # noqa: S108  # LibreOffice chooses
