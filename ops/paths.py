"""Where the repository is, and where its commands keep what they leave."""

import os
from pathlib import Path

__all__ = ["ROOT", "STATE"]

ROOT = Path(__file__).resolve().parents[1]
# The engine's state file and logs; elsewhere in tests, which run commands as typed on an engine of their own.
STATE = Path(os.environ.get("SUITE_STATE") or ROOT / ".local")
