"""npm packages for tests and tools, installed once from a lock file that carries hashes and no registry."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from ops.paths import ROOT

__all__ = ["NpmError", "installed"]


class NpmError(RuntimeError):
    """There is no Node.js, or the packages cannot be installed."""


def installed(source: Path) -> Path:
    """Install what a folder's lock file says, unless that is done; the folder to run its scripts in.

    Args:
        source: Folder with `package.json`, `package-lock.json` and scripts, which are copied.

    Raises:
        NpmError: There is no Node.js with npm, or `npm ci` fails.
    """
    if not (shutil.which("node") and shutil.which("npm")):
        raise NpmError("no Node.js with npm: 'apt install nodejs npm' or 'brew install node'")
    target = ROOT / ".local" / source.name
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.suffix in (".json", ".mjs"):
            shutil.copy(path, target)
    lock, done = source / "package-lock.json", target / "installed.json"
    if not done.exists() or done.read_bytes() != lock.read_bytes():
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        installing = subprocess.run(
            ["npm", "ci", *quiet], cwd=target, capture_output=True, text=True, check=False
        )
        if installing.returncode:
            raise NpmError(f"npm ci fails: {' '.join(installing.stderr.split())[:150]}")
        shutil.copy(lock, done)
    return target
