"""Lets tests import our code as Lambda does: `<app>` from functions/<app>, `shared` from layers/shared."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent

sys.path[:0] = map(str, [ROOT, ROOT / "layers/shared", *sorted((ROOT / "functions").iterdir())])
