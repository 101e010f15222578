"""Packages of other people's JavaScript, installed once from `tests/interop/package-lock.json`."""

from __future__ import annotations

import shutil
import subprocess

from local.process import ROOT

__all__ = ["INSTALLED", "install"]

SOURCE = ROOT / "tests/interop"
INSTALLED = ROOT / ".local/interop"


def install() -> str | None:
    """Install what the lock file says, once; why it cannot be, on one line."""
    if not (shutil.which("node") and shutil.which("npm")):
        return "no Node.js with npm: 'apt install nodejs npm' or 'brew install node'"
    INSTALLED.mkdir(parents=True, exist_ok=True)
    lock, done = SOURCE / "package-lock.json", INSTALLED / "installed.json"
    for path in SOURCE.iterdir():
        shutil.copy(path, INSTALLED)
    if not done.exists() or done.read_bytes() != lock.read_bytes():
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        installing = subprocess.run(
            ["npm", "ci", *quiet], cwd=INSTALLED, capture_output=True, text=True, check=False
        )
        if installing.returncode:
            return f"npm ci fails: {' '.join(installing.stderr.split())[:150]}"
        shutil.copy(lock, done)
    return None
